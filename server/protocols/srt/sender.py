"""The half of a connection that sends: numbering, encryption, the buffer of what is not acknowledged, retransmission.

    acknowledged ) first [ sent, sent, … ) next [ waiting, waiting … ]

What waits does so because the peer's window is full; it has no number yet, so that dropping it leaves no hole.
Packets are not paced: live media comes paced by its encoder, and libsrt's own default limit is 1 Gbit/s (the draft,
5.1.1).
"""

from collections import deque
from collections.abc import Callable

from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import (
    DROP,
    HEADER,
    HEADER_SIZE,
    MESSAGE_MASK,
    RETRANSMITTED,
    SEQUENCE_MASK,
    SOLO,
    TIMESTAMP_MASK,
    WORD,
    control,
    distance,
)
from server.protocols.srt.round_trip import RoundTrip
from server.protocols.srt.send_keys import SendKeys

_HOLD_MIN_US = 1_000_000  # the draft, 4.6: at least a second, whatever the latency
_HOLD_EXTRA_US = 20_000  # libsrt: two intervals of acknowledgement more
_RESEND_MIN_US = 5_000
_PROBE_MIN_US = 60_000


class _Sent:
    """A packet on its way. Mutable, because it may be sent again."""

    __slots__ = ("datagram", "origin_us", "resent_us")

    def __init__(self, datagram: bytes, origin_us: int) -> None:
        self.datagram = datagram
        self.origin_us = origin_us
        self.resent_us: int | None = None


class Sender:
    """Its packets go to `emit`."""

    __slots__ = (
        "_emit", "_first", "_keys", "_latency_us", "_limits", "_message", "_next", "_peer_id", "_probe_us", "_room",
        "_round_trip", "_sent", "_start_us", "_waiting", "dropped", "reported_lost", "resent", "sent", "sent_bytes",
    )  # fmt: skip

    def __init__(
        self,
        emit: Callable[[bytes], None],
        first: int,
        peer_id: int,
        start_us: int,
        latency_us: int,
        window: int,
        keys: SendKeys | None,
        round_trip: RoundTrip,
        limits: Limits,
    ) -> None:
        """`first` is the number of the first packet; `start_us` is zero of the timestamps; `window` is how many
        packets the peer takes unacknowledged."""
        self._emit = emit
        self._first = self._next = first
        self._message = 1
        self._peer_id = peer_id
        self._start_us = start_us
        self._latency_us = latency_us
        self._room = window
        self._keys = keys
        self._round_trip = round_trip
        self._limits = limits
        self._sent: dict[int, _Sent] = {}  # ascending, without gaps, from _first to before _next
        self._waiting: deque[tuple[bytes, int]] = deque()  # message, time of origin
        self._probe_us = start_us  # when something was last sent, or acknowledged
        self.sent = self.sent_bytes = self.resent = self.reported_lost = self.dropped = 0

    @property
    def buffered(self) -> int:
        return len(self._sent) + len(self._waiting)

    def age_us(self, now_us: int) -> int:
        """Of the oldest packet not acknowledged."""
        oldest = self._sent.get(self._first)
        if oldest is not None:
            return now_us - oldest.origin_us
        return now_us - self._waiting[0][1] if self._waiting else 0

    def send(self, message: bytes, now_us: int) -> bool:
        """False: no room, dropped."""
        if self.buffered >= self._limits.window:
            self.dropped += 1
            return False
        if self._waiting or len(self._sent) >= self._room:
            self._waiting.append((message, now_us))
            return True
        self._transmit(message, now_us, now_us)
        return True

    def _transmit(self, message: bytes, origin_us: int, now_us: int) -> None:
        sequence = self._next
        flags = SOLO | self._message
        if self._keys is not None:
            flag, cipher = self._keys.for_next()
            flags |= flag
            payload = cipher.apply(sequence, message)
        else:
            payload = message
        timestamp = origin_us - self._start_us & TIMESTAMP_MASK
        datagram = HEADER.pack(sequence, flags, timestamp, self._peer_id) + payload
        self._sent[sequence] = _Sent(datagram, origin_us)
        self._emit(datagram)
        self._next = sequence + 1 & SEQUENCE_MASK
        self._message = self._message + 1 & MESSAGE_MASK or 1  # libsrt's message numbers go round without zero
        self._probe_us = now_us
        self.sent += 1
        self.sent_bytes += len(message)

    # -- what the peer says

    def acknowledged(self, sequence: int, now_us: int) -> None:
        """Everything before `sequence` has arrived. Numbers that we never sent are ignored."""
        count = distance(sequence, self._first)
        if not 0 < count <= len(self._sent):
            return
        self._forget(count)
        self._probe_us = now_us
        self._transmit_waiting(now_us)

    def room(self, packets: int) -> None:
        """How many unacknowledged packets the peer has room for."""
        self._room = max(2, min(packets, self._limits.window))

    def lost(self, ranges: list[tuple[int, int]], now_us: int) -> None:
        """Send again what the peer misses, unless that has just been done; tell it what is gone (3.2.9)."""
        budget = self._limits.retransmissions_at_once
        for first, last in ranges:
            if distance(last, self._next) >= 0:
                continue  # we never sent these
            gone = min(distance(self._first, first), distance(last, first) + 1)
            if gone > 0:
                self._tell_gone(first, first + gone - 1 & SEQUENCE_MASK, now_us)
                first = first + gone & SEQUENCE_MASK
            count = min(distance(last, first) + 1, budget)
            self.reported_lost += max(count, 0)
            for sequence in range(first, first + count):
                self._resend(sequence & SEQUENCE_MASK, now_us)
            budget -= max(count, 0)
            if not budget:
                return

    def _resend(self, sequence: int, now_us: int, least_us: int | None = None) -> None:
        sent = self._sent.get(sequence)
        if sent is None:
            return
        if least_us is None:
            # libsrt: a report that was sent before our retransmission can have arrived asks for it in vain
            least_us = max(_RESEND_MIN_US, self._round_trip.us - 4 * self._round_trip.variance_us)
        if sent.resent_us is not None and now_us - sent.resent_us < least_us:
            return
        _, flags, timestamp, peer_id = HEADER.unpack_from(sent.datagram)
        header = HEADER.pack(sequence, flags | RETRANSMITTED, timestamp, peer_id)
        self._emit(header + sent.datagram[HEADER_SIZE:])
        sent.resent_us = now_us
        self.resent += 1

    def _tell_gone(self, first: int, last: int, now_us: int) -> None:
        content = WORD.pack(first) + WORD.pack(last)
        self._emit(control(DROP, self._peer_id, now_us - self._start_us, 0, content))

    # -- time

    def tick(self, now_us: int) -> None:
        """Drop what is too late, send what has room, probe when nothing is heard."""
        self._drop_late(now_us)
        if self._waiting:
            self._transmit_waiting(now_us)
        if self._sent and now_us - self._probe_us >= max(_PROBE_MIN_US, 2 * self._round_trip.timeout_us):
            # The last packets before a pause may be lost without the peer knowing: the newest one tells it.
            self._resend(self._next - 1 & SEQUENCE_MASK, now_us, 0)
            self._probe_us = now_us

    def _drop_late(self, now_us: int) -> None:
        """The draft, 4.6: after 1.25 × latency, so that the receiver gives up first."""
        since = now_us - max(self._latency_us * 5 // 4, _HOLD_MIN_US) - _HOLD_EXTRA_US
        count = 0
        for sent in self._sent.values():
            if sent.origin_us > since:
                break
            count += 1
        if count:
            self._forget(count)
            self.dropped += count
        while self._waiting and self._waiting[0][1] <= since:
            self._waiting.popleft()
            self.dropped += 1

    def _transmit_waiting(self, now_us: int) -> None:
        while self._waiting and len(self._sent) < self._room:
            message, origin_us = self._waiting.popleft()
            self._transmit(message, origin_us, now_us)

    def _forget(self, count: int) -> None:
        for sequence in range(self._first, self._first + count):
            del self._sent[sequence & SEQUENCE_MASK]
        self._first = self._first + count & SEQUENCE_MASK
