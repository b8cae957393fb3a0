"""Delivery of events to the endpoints of those who asked for them.

    events ── fanned out ──► deliveries, one for ── claimed ──► attempts, many ── settled ──► delivered | again | dead
                             each endpoint                      at once, over HTTP

In charge of: which event becomes a delivery, when it is tried, in what order, what is sent, and when an endpoint is
given up. Everything is in rows: what a crash interrupts is tried again, so that an event comes at least once. Must not
know: why events happen, how rows are stored, or who may be called.
"""
