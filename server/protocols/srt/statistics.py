"""What a connection has measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot. Counts are since the start, rates over the last second or so."""

    rtt_ms: float
    """Smoothed round trip (the draft, 4.10); 100 until the first measurement."""
    rtt_variance_ms: float
    latency_ms: int
    """How long a hole is waited for, as agreed in the handshake."""

    received: int
    """Data packets, duplicates and late ones included."""
    received_bytes: int
    """Of payload, delivered."""
    lost: int
    """Packets found missing, whether or not they were retransmitted in the end; without `reordered` ones."""
    retransmitted: int
    """Packets that came with the mark of a retransmission."""
    dropped: int
    """Packets given up after the latency, or on the sender's word."""
    late: int
    """Packets that came after they had been given up, or a second time."""
    duplicate: int
    """Packets that came a second time while the first was still held."""
    reordered: int
    """Packets that were overtaken, and came of themselves."""
    undecryptable: int
    """Packets with a key that we don't have, or in plain where a key was agreed; not delivered."""
    out_of_window: int
    """Packets too far ahead to be held."""
    receive_bits_per_s: int
    link_bits_per_s: int
    """A lower bound of what the link carries: the best 10 ms of the last seconds."""
    buffer_ms: float
    """How long delivery has been waiting for the oldest missing packet; 0 when nothing is missing."""
    buffered: int
    """Packets held behind a hole."""

    sent: int
    """Data packets, without retransmissions."""
    sent_bytes: int
    """Of payload, as above."""
    resent: int
    """Retransmissions."""
    reported_lost: int
    """Packets that the peer reported missing."""
    send_dropped: int
    """Packets given up before they were acknowledged: too late, or no room."""
    send_buffered: int
    """Packets not acknowledged yet."""
    send_buffer_ms: float
    """Age of the oldest of them."""
    send_bits_per_s: int
    peer_link_bits_per_s: int
    """What the peer estimates of the link; 0 until it says."""
