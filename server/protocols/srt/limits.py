"""How much of everything one peer may ask for, with the reason for each number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts of packets or entries; times in microseconds where the name ends in _us, in seconds where in _s."""

    connections: int = 1000
    """Of one listener: a caller beyond is refused (RESOURCE). Each may hold `window` packets."""

    pending: int = 512
    """Requests that wait for admission; one beyond is refused (BACKLOG). Each holds one handshake, under 1.5 KB."""

    pending_per_host: int = 64
    """Of those, from one IP address, so that one host can't keep the others out."""

    refused_per_host: int = 32
    """Refusals within `admission_timeout_s`; a host beyond is not answered: to try a passphrase costs us 0.6 ms."""

    admission_timeout_s: float = 3.0
    """How long a request waits for accept() or reject(): libsrt's callers give up after three seconds."""

    stream_id: int = 512
    """Bytes of a stream id (the draft, 3.2.1.3)."""

    window: int = 8192
    """Packets held by the receive half behind a hole, and by the send half until acknowledged: libsrt's default,
    seven seconds of 10 Mbit/s, at most 12 MB."""

    payload: int = 1456
    """Bytes in one packet: an Ethernet frame less the headers of IP, UDP and SRT."""

    ack_interval_us: int = 10_000
    """Between full acknowledgements (the draft, 3.2.4)."""

    light_ack_packets: int = 64
    """A light acknowledgement after so many packets without a full one (the draft, 3.2.4)."""

    acks_unanswered: int = 256
    """Full acknowledgements whose ACKACK may still come: more than 2.5 s of them."""

    nak_ranges: int = 180
    """Ranges in one loss report: what fits one datagram."""

    retransmissions_at_once: int = 1024
    """Packets sent again in answer to one loss report: the peer asks again for the rest."""

    reorder_us: int = 10_000
    """The longest a hole waits before it is reported, learnt from packets that came late of themselves."""

    latency_ms: int = 8000
    """The most a peer may ask for; more is cut to this, because it would not fit the window."""

    keepalive_us: int = 1_000_000
    """Silence of ours before a keep-alive (the draft, 3.2.3)."""

    idle_timeout_us: int = 5_000_000
    """Silence of the peer before the connection is over: libsrt's default."""

    takeover_us: int = 2_000_000
    """A connection silent for this long (not even a keep-alive) gives way to a new one from the same address."""

    key_refresh_packets: int = 1 << 24
    """Packets sent with one key (the draft, 6.1.6; libsrt's default): four hours of 12 Mbit/s."""

    key_announce_packets: int = 1 << 12
    """How many packets before its use the next key is announced; the old one is kept as long (the draft, 6.1.6)."""

    key_derivations_s: float = 0.1
    """At least this between two derivations of a key that a peer makes us do: one takes 0.6 ms of CPU."""


DEFAULT_LIMITS = Limits()
