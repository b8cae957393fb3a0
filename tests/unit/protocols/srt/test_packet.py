import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocols.srt import packet
from server.protocols.srt.packet import SEQUENCE_MASK, distance, join_ranges, pack_ranges, read_ranges

SEQUENCES = st.integers(0, SEQUENCE_MASK)
TOP = SEQUENCE_MASK


@pytest.mark.parametrize(
    ("later", "earlier", "expected"),
    [(5, 3, 2), (3, 5, -2), (0, TOP, 1), (TOP, 0, -1), (10, TOP - 9, 20), (7, 7, 0)],
)
def test_distance_goes_round(later: int, earlier: int, expected: int) -> None:
    assert distance(later, earlier) == expected


@given(SEQUENCES, st.integers(-(1 << 30), (1 << 30) - 1))
def test_distance_undoes_an_addition(sequence: int, step: int) -> None:
    assert distance(sequence + step & SEQUENCE_MASK, sequence) == step


def test_a_control_packet_cuts_its_timestamp() -> None:
    built = packet.control(packet.USER, 9, (1 << 32) + 5, 7, b"abcd", packet.KEY_REQUEST)
    assert struct.unpack(">HHIII4s", built) == (0xFFFF, 3, 7, 5, 9, b"abcd")


def test_a_control_packet_is_never_empty() -> None:
    """libsrt 1.5.7 drops those: keep-alives, shutdowns and answers to acknowledgements carry a word of zeros."""
    for kind in (packet.KEEPALIVE, packet.SHUTDOWN, packet.ACKACK):
        assert packet.control(kind, 9, 0)[16:] == bytes(4)


def test_ranges_as_appendix_a_has_them() -> None:
    packed = pack_ranges([(5, 5), (7, 9), (TOP, 1)])
    assert packed.hex() == "00000005" "80000007" "00000009" "ffffffff" "00000001"
    assert read_ranges(bytes(16) + packed) == [(5, 5), (7, 9), (TOP, 1)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("80000007", []),  # a range without its end
        ("80000007" "80000009", []),  # an end that is a start
        ("80000009" "00000007" "00000001", [(1, 1)]),  # backwards
        ("0000000100", [(1, 1)]),  # bytes that are no word
        ("", []),
    ],
)
def test_a_loss_report_that_contradicts_itself_is_left_out(words: str, expected: list[tuple[int, int]]) -> None:
    assert read_ranges(bytes(16) + bytes.fromhex(words)) == expected


@given(st.binary(max_size=80))
def test_any_loss_report_can_be_read(content: bytes) -> None:
    for first, last in read_ranges(bytes(16) + content):
        assert 0 <= first <= SEQUENCE_MASK
        assert distance(last, first) >= 0


@given(SEQUENCES, st.lists(st.integers(1, 4), max_size=30))
def test_joined_ranges_hold_the_same_numbers(first: int, steps: list[int]) -> None:
    numbers = [first]
    for step in steps:
        numbers.append(numbers[-1] + step & SEQUENCE_MASK)
    spread = [
        start + at & SEQUENCE_MASK for start, end in join_ranges(numbers) for at in range(distance(end, start) + 1)
    ]
    assert spread == numbers


def test_no_numbers_are_no_ranges() -> None:
    assert join_ranges([]) == []
