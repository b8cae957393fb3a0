"""The half of a connection that receives: order, holes, what to report and to acknowledge.

In-order packets are delivered at once: the one who reads is a demuxer, which needs no pacing by timestamps (the draft,
4.5). Only what is behind a hole waits, until the hole is filled or the latency is over (the draft, 4.6).

    … delivered ) expected [ lost, held, lost, held … high ]

Between `expected` and `high` every sequence number is either lost or held; the first is lost, or there are none.
"""

from server.protocols.srt.key_material import StreamCipher
from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import (
    HEADER_SIZE,
    KEY_FLAGS,
    RETRANSMITTED,
    SEQUENCE_MASK,
    distance,
    join_ranges,
)
from server.protocols.srt.round_trip import RoundTrip

NEVER = 1 << 62

_NAK_FLOOR_US = 20_000  # the draft, 4.8.2


class _Hole:
    """Packets found missing at one time; shared by all of them."""

    __slots__ = ("due_us", "found_us")

    def __init__(self, found_us: int, due_us: int) -> None:
        self.found_us = found_us
        self.due_us = due_us  # when to report it next


class Receiver:
    """Feed it data packets; take `messages`, loss_report() and `expected` away."""

    __slots__ = (
        "_far", "_held", "_high", "_latency_us", "_limits", "_lost", "_plain", "_report_at_us", "_round_trip",
        "_tolerance_us", "arrived_bytes", "ciphers", "dropped", "duplicate", "expected", "late", "lost", "messages",
        "out_of_window", "received", "reordered", "retransmitted", "undecryptable",
    )  # fmt: skip

    def __init__(
        self,
        first: int,
        latency_us: int,
        ciphers: dict[int, StreamCipher],
        round_trip: RoundTrip,
        limits: Limits,
    ) -> None:
        """`first` is the sequence number of the first packet to come. `ciphers`: by EVEN and ODD, to be kept up by
        the owner; empty: the connection is in plain."""
        self.expected = first
        self.messages: list[bytes] = []
        """In order, to be taken away by the owner, who puts an empty list in place."""
        self.ciphers = ciphers
        self._plain = not ciphers
        self._latency_us = latency_us
        self._limits = limits
        self._round_trip = round_trip
        self._held: dict[int, bytes] = {}
        self._lost: dict[int, _Hole] = {}  # ascending
        self._high = first  # the newest held; only of meaning while anything is lost
        self._far: int | None = None  # a packet beyond the window, if the last one was
        self._report_at_us = NEVER  # no hole is due before
        self._tolerance_us = 0
        self.received = self.lost = self.retransmitted = self.dropped = self.late = self.duplicate = 0
        self.reordered = self.undecryptable = self.out_of_window = 0
        self.arrived_bytes = 0  # with headers, duplicates and all: what the link has carried

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def missing(self) -> int:
        return len(self._lost)

    def waiting_us(self, now_us: int) -> int:
        """How long the oldest hole has been open."""
        return now_us - next(iter(self._lost.values())).found_us if self._lost else 0

    def take(self, sequence: int, flags: int, datagram: bytes, now_us: int) -> None:
        """One data packet; `sequence` and `flags` are the first words of its header. In order it ends here."""
        self.received += 1
        self.arrived_bytes += len(datagram)
        if sequence != self.expected or self._lost:
            self._take_out_of_order(sequence, flags, datagram, now_us)
            return
        self.expected = sequence + 1 & SEQUENCE_MASK
        if self._plain and not flags & KEY_FLAGS:
            payload = datagram[HEADER_SIZE:]
        else:
            payload = self._decrypt(sequence, flags, datagram)
        if payload:
            self.messages.append(payload)

    def _decrypt(self, sequence: int, flags: int, datagram: bytes) -> bytes:
        """b"" when that can't be: what is in plain where keys were agreed may come from anyone."""
        flags &= KEY_FLAGS
        if self._plain and not flags:
            return datagram[HEADER_SIZE:]
        cipher = self.ciphers.get(flags)
        if cipher is None:
            self.undecryptable += 1
            return b""
        return cipher.apply(sequence, memoryview(datagram)[HEADER_SIZE:])

    def _take_out_of_order(self, sequence: int, flags: int, datagram: bytes, now_us: int) -> None:
        if flags & RETRANSMITTED:
            self.retransmitted += 1
        ahead = distance(sequence, self.expected)
        if ahead < 0:
            self.late += 1
        elif ahead >= self._limits.window:
            self._take_far(sequence, flags, datagram, now_us)
        elif sequence in self._lost:
            self._fill(sequence, flags, datagram, now_us)
        elif sequence in self._held:
            self.duplicate += 1
        else:
            self._hold(sequence, flags, datagram, now_us)

    def _hold(self, sequence: int, flags: int, datagram: bytes, now_us: int) -> None:
        """The newest so far; what lies between it and the newest before is missing."""
        first = self._high + 1 & SEQUENCE_MASK if self._lost else self.expected
        self._high = sequence
        self._held[sequence] = self._decrypt(sequence, flags, datagram)
        count = distance(sequence, first)
        if not count:
            return
        hole = _Hole(now_us, now_us + self._tolerance_us)
        self._report_at_us = min(self._report_at_us, hole.due_us)
        self.lost += count
        for missing in range(first, first + count):
            self._lost[missing & SEQUENCE_MASK] = hole

    def _fill(self, sequence: int, flags: int, datagram: bytes, now_us: int) -> None:
        hole = self._lost.pop(sequence)
        if not flags & RETRANSMITTED:
            self.reordered += 1
            self.lost -= 1
            self._tolerance_us = max(self._tolerance_us, min(now_us - hole.found_us, self._limits.reorder_us))
        self._held[sequence] = self._decrypt(sequence, flags, datagram)
        if sequence == self.expected:
            self._advance()

    def _take_far(self, sequence: int, flags: int, datagram: bytes, now_us: int) -> None:
        """The sender has jumped, as after an outage longer than its buffer; believed when a second packet says so."""
        far, self._far = self._far, sequence
        if far is None or not 0 < distance(sequence, far) < self._limits.window:
            self.out_of_window += 1
            return
        self._far = None
        self.give_up_all()
        gap = distance(sequence, self.expected)
        self.lost += gap
        self.dropped += gap
        self.expected = sequence
        self._hold(sequence, flags, datagram, now_us)
        self._advance()

    def _advance(self) -> None:
        """Deliver up to the first that is still lost, over whatever was given up."""
        end = next(iter(self._lost)) if self._lost else self._high + 1 & SEQUENCE_MASK
        expected, held, messages = self.expected, self._held, self.messages
        while expected != end:
            payload = held.pop(expected, b"")
            if payload:
                messages.append(payload)
            expected = expected + 1 & SEQUENCE_MASK
        self.expected = end

    # -- giving up

    def give_up_late(self, now_us: int) -> None:
        """Drop the holes that have been open for the latency (the draft, 4.6)."""
        if self.waiting_us(now_us) < self._latency_us:
            return
        since = now_us - self._latency_us
        self._give_up([sequence for sequence, hole in self._lost.items() if hole.found_us <= since])

    def give_up_range(self, first: int, last: int) -> None:
        """On the sender's word that these will not come (the draft, 3.2.9)."""
        self._give_up(
            [sequence for sequence in self._lost if distance(sequence, first) >= 0 >= distance(sequence, last)]
        )

    def give_up_all(self) -> None:
        self._give_up(list(self._lost))

    def _give_up(self, sequences: list[int]) -> None:
        if not sequences:
            return
        for sequence in sequences:
            del self._lost[sequence]
        self.dropped += len(sequences)
        self._advance()

    # -- reporting

    def loss_report(self, now_us: int) -> list[tuple[int, int]]:
        """Ranges to report now: fresh holes at once, or after as long as packets have been seen to overtake each
        other; then again and again, until they are filled or given up (the draft, 4.8.2)."""
        if now_us < self._report_at_us:
            return []
        again_us = now_us + max(_NAK_FLOOR_US, self._round_trip.timeout_us // 2)
        due = [sequence for sequence, hole in self._lost.items() if hole.due_us <= now_us]
        ranges = join_ranges(due)[: self._limits.nak_ranges]
        reported = {id(self._lost[first]) for first, _ in ranges}
        next_us = NEVER
        for hole in {id(hole): hole for hole in self._lost.values()}.values():
            if id(hole) in reported:
                hole.due_us = again_us
            next_us = min(next_us, hole.due_us)
        self._report_at_us = next_us
        return ranges

    def relax(self) -> None:
        """Once a second: forget half of the tolerance for reordering, and a stray packet from afar."""
        self._tolerance_us //= 2
        self._far = None
