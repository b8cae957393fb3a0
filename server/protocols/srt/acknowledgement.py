"""When to acknowledge what has come, and what the answers tell of the round trip (the draft, 4.8.1 and 4.10)."""

from server.protocols.srt.limits import Limits
from server.protocols.srt.round_trip import RoundTrip

_NUMBER_MASK = 0xFFFF_FFFF


class Acknowledgements:
    """Of a receiver: next_number() says whether a full one is due, answered() takes its ACKACK."""

    __slots__ = ("_confirmed", "_limits", "_number", "_round_trip", "_sequence", "_unanswered", "_us")

    def __init__(self, first: int, now_us: int, round_trip: RoundTrip, limits: Limits) -> None:
        """`first` is the sequence number of the first packet to come."""
        self._number = 0
        self._sequence = self._confirmed = first
        self._us = now_us
        self._round_trip = round_trip
        self._limits = limits
        self._unanswered: dict[int, tuple[int, int]] = {}  # number → when sent, sequence

    def next_number(self, expected: int, now_us: int) -> int | None:
        """The number of the acknowledgement to send now: when there is news, or when the last may have been lost."""
        since = now_us - self._us
        if since < self._limits.ack_interval_us:
            return None
        known = expected == self._confirmed or since < self._round_trip.timeout_us
        if expected == self._sequence and known:
            return None
        self._number = self._number + 1 & _NUMBER_MASK or 1  # 0 is that of the light ones
        self._sequence, self._us = expected, now_us
        self._unanswered[self._number] = now_us, expected
        if len(self._unanswered) > self._limits.acks_unanswered:
            del self._unanswered[next(iter(self._unanswered))]
        return self._number

    def answered(self, number: int, now_us: int) -> None:
        """The peer has got that one; a number that nobody waits for is ignored."""
        sent = self._unanswered.pop(number, None)
        if sent is not None:
            self._confirmed = sent[1]
            self._round_trip.measured(now_us - sent[0])
