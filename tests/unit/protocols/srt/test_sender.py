from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import CONTROL, DROP, HEADER, MESSAGE_MASK, RETRANSMITTED, SEQUENCE_MASK
from server.protocols.srt.round_trip import RoundTrip
from server.protocols.srt.sender import Sender

TOP = SEQUENCE_MASK
START = 7_000_000


class Sent:
    """A sender and what it has sent."""

    def __init__(
        self, first: int = 10, window: int = 8192, limits: Limits | None = None, latency_ms: int = 120
    ) -> None:
        self.out: list[bytes] = []
        self.trip = RoundTrip()
        self.trip.measured(20_000)
        self.sender = Sender(
            self.out.append, first, 99, START, latency_ms * 1000, window, None, self.trip, limits or Limits()
        )

    def send(self, count: int, now: int = START) -> list[bool]:
        return [self.sender.send(b"x%d" % at, now) for at in range(count)]

    def take(self) -> list[tuple[int, bool]]:
        """Sequence number and whether it is a retransmission, of the data packets since the last call."""
        headers = [HEADER.unpack_from(datagram) for datagram in self.out]
        self.out.clear()
        return [(first, bool(flags & RETRANSMITTED)) for first, flags, _, _ in headers if first < CONTROL]


def test_packets_are_numbered_and_stamped() -> None:
    sent = Sent(TOP)
    sent.send(1)
    sent.send(1, START + 5)
    assert [HEADER.unpack_from(datagram) for datagram in sent.out] == [
        (TOP, 0xC000_0001, 0, 99), (0, 0xC000_0002, 5, 99),
    ]  # fmt: skip


def test_timestamps_go_round_after_71_minutes() -> None:
    sent = Sent()
    sent.send(1, START + (1 << 32) - 1)
    sent.send(1, START + (1 << 32))
    assert [HEADER.unpack_from(datagram)[2] for datagram in sent.out] == [0xFFFF_FFFF, 0]


def test_message_numbers_go_round_without_zero() -> None:
    sent = Sent()
    sent.sender._message = MESSAGE_MASK
    sent.send(2)
    assert [HEADER.unpack_from(datagram)[1] & MESSAGE_MASK for datagram in sent.out] == [MESSAGE_MASK, 1]


def test_what_is_acknowledged_is_forgotten() -> None:
    sent = Sent(TOP - 1)
    sent.send(5)
    sent.sender.acknowledged(1, START)
    assert sent.sender.buffered == 2
    for nonsense in (1, 0, TOP, 4, 100, 1 << 30):
        sent.sender.acknowledged(nonsense, START)
    assert sent.sender.buffered == 2
    sent.sender.acknowledged(3, START)
    assert sent.sender.buffered == 0


def test_what_is_missing_is_sent_again_with_its_mark_and_its_first_timestamp() -> None:
    sent = Sent(TOP)
    sent.send(4)
    first = list(sent.out)
    sent.take()
    sent.sender.lost([(TOP, 0), (2, 2)], START + 1000)
    assert [datagram[8:] for datagram in sent.out] == [first[0][8:], first[1][8:], first[3][8:]]
    assert sent.take() == [(TOP, True), (0, True), (2, True)]
    assert (sent.sender.reported_lost, sent.sender.resent) == (3, 3)


def test_what_was_just_sent_again_is_not_sent_once_more() -> None:
    sent = Sent()
    sent.trip.variance_us = 0
    sent.send(1)
    sent.take()
    for now, expected in ((0, 1), (10_000, 0), (19_999, 0), (20_000, 1), (30_000, 0)):
        sent.sender.lost([(10, 10)], START + now)
        assert len(sent.take()) == expected


def test_what_is_gone_is_said_to_be() -> None:
    sent = Sent()
    sent.send(6)
    sent.sender.acknowledged(13, START)
    sent.out.clear()
    sent.sender.lost([(10, 14)], START)
    drop = sent.out.pop(0)
    assert HEADER.unpack_from(drop)[0] == CONTROL | DROP << 16
    assert drop[16:].hex() == "0000000a" "0000000c"
    assert sent.take() == [(13, True), (14, True)]


def test_reports_about_what_was_never_sent_are_ignored() -> None:
    sent = Sent()
    sent.send(2)
    sent.out.clear()
    sent.sender.lost([(12, 13), (0, 0x3FFF_FFFF), (11, 400)], START)
    assert sent.out == []


def test_one_report_is_answered_with_so_many_packets_and_no_more() -> None:
    sent = Sent(limits=Limits(retransmissions_at_once=10))
    sent.send(100)
    sent.take()
    sent.sender.lost([(10, 13), (20, 90), (95, 95)], START)
    assert len(sent.take()) == 10


def test_the_peers_window_is_not_overrun_and_what_waits_has_no_number() -> None:
    sent = Sent(window=3)
    assert all(sent.send(5))
    assert sent.take() == [(10, False), (11, False), (12, False)]
    sent.sender.acknowledged(12, START)
    assert sent.take() == [(13, False), (14, False)]
    sent.sender.room(50)
    sent.send(5)
    assert len(sent.take()) == 5
    sent.sender.room(0)
    sent.send(1)
    assert sent.take() == []


def test_the_buffer_is_bounded() -> None:
    sent = Sent(window=4, limits=Limits(window=10))
    assert sent.send(15) == [True] * 10 + [False] * 5
    assert (sent.sender.buffered, sent.sender.dropped) == (10, 5)
    assert len(sent.take()) == 4


def test_what_is_too_late_is_dropped_after_one_and_a_quarter_latencies_but_a_second_at_least() -> None:
    for latency_ms, after_us in ((120, 1_020_000), (2000, 2_520_000)):
        sent = Sent(window=2, latency_ms=latency_ms)
        sent.send(4)
        sent.sender.tick(START + after_us - 1)
        assert sent.sender.buffered == 4
        sent.sender.tick(START + after_us)
        assert (sent.sender.buffered, sent.sender.dropped) == (0, 4)
        sent.take()
        sent.send(1, START + after_us)
        assert sent.take() == [(12, False)]


def test_the_newest_packet_is_sent_again_when_nothing_is_heard_of_it() -> None:
    sent = Sent()
    sent.send(3)
    sent.take()
    for now in range(0, 300_000, 10_000):
        sent.sender.tick(START + now)
    assert sent.take() == [(12, True)] * 2
    sent.sender.acknowledged(13, START)
    sent.sender.tick(START + 900_000)
    assert sent.take() == []


def test_the_age_of_the_oldest() -> None:
    sent = Sent(window=1)
    assert sent.sender.age_us(START) == 0
    sent.send(2)
    assert sent.sender.age_us(START + 70) == 70
    sent.sender._sent.clear()
    assert sent.sender.age_us(START + 80) == 80
