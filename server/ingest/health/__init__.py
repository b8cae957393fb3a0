"""How it goes with what a publisher sends: numbers, warnings in plain words, a series of the last hour.

In charge of measuring and judging, from readings that are taken once a second. Pure: it is handed counters and the
time. It must not know connections, streams, rows or HTTP.
"""
