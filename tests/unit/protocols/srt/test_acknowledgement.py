from server.protocols.srt.acknowledgement import Acknowledgements
from server.protocols.srt.limits import Limits
from server.protocols.srt.round_trip import RoundTrip


def acknowledgements() -> tuple[Acknowledgements, RoundTrip]:
    trip = RoundTrip()
    return Acknowledgements(10, 0, trip, Limits(acks_unanswered=3)), trip


def test_every_ten_milliseconds_when_there_is_news() -> None:
    acks, _ = acknowledgements()
    assert acks.next_number(11, 9_999) is None
    assert acks.next_number(11, 10_000) == 1
    assert acks.next_number(12, 19_999) is None
    assert acks.next_number(12, 20_000) == 2


def test_without_news_nothing_is_said() -> None:
    acks, _ = acknowledgements()
    assert acks.next_number(10, 10_000_000) is None


def test_an_answer_is_a_measurement_and_ends_the_repetition() -> None:
    acks, trip = acknowledgements()
    acks.next_number(11, 10_000)
    acks.answered(1, 52_000)
    assert trip.us == 42_000
    assert acks.next_number(11, 10_000_000) is None
    acks.answered(1, 99_000)
    acks.answered(77, 99_000)
    assert trip.us == 42_000


def test_without_an_answer_it_is_said_again() -> None:
    acks, trip = acknowledgements()
    acks.next_number(11, 10_000)
    assert acks.next_number(11, 10_000 + trip.timeout_us - 1) is None
    assert acks.next_number(11, 10_000 + trip.timeout_us) == 2


def test_answers_are_awaited_for_so_many() -> None:
    acks, trip = acknowledgements()
    for number in range(1, 6):
        assert acks.next_number(10 + number, number * 10_000) == number
    acks.answered(2, 60_000)
    assert trip.us == 100_000
    acks.answered(3, 60_000)
    assert trip.us == 30_000


def test_numbers_go_round_without_zero() -> None:
    acks, _ = acknowledgements()
    acks._number = 0xFFFF_FFFF
    assert acks.next_number(11, 10_000) == 1
