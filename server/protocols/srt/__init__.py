"""SRT in live mode (HSv5), listener and caller, receiving and sending, without sockets: datagrams and the time in,
events and datagrams out.

In charge of: handshake, cookies, refusals with their codes, encryption and its key refresh, acknowledgement, loss,
retransmission, drop after latency, keep-alive, idle timeout, limits, statistics.
Must not know: who may publish or play what (the caller of this package answers ConnectionRequested), what is in a
message (MPEG-TS, as a rule), asyncio, sockets.

    packet → handshake · key_material → receiver · sender → agreement → connection → listener | caller → events

Time is an int in microseconds of any clock that never goes back; the same clock in every call of one object.
Not spoken: HSv4, rendezvous, file mode, bonding, packet filters (FEC); peers that ask for one are refused.

Source: IETF draft-sharabayko-srt-01, "The SRT Protocol", "the draft" below; libsrt 1.5 where it is silent.
"""
