import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Problem
from server.protocols.content_range import Piece, Pieces, parse


@pytest.mark.parametrize(
    ("header", "piece"),
    [
        (None, None),
        ("", None),
        ("part 1/1", Piece("part", 1, 1)),
        ("part 2/5", Piece("part", 2, 5)),
        ("part 7/*", Piece("part", 7, None)),
        ("Part 2 / 5", Piece("part", 2, 5)),
        ("bytes 0-99/300", Piece("bytes", 0, 300, 100)),
        ("bytes 0-0/1", Piece("bytes", 0, 1, 1)),
        ("bytes 0-8/*", Piece("bytes", 0, None, 9)),
        ("part 10000/10000", Piece("part", 10000, 10000)),
    ],
)
def test_headers_are_read(header, piece):
    assert parse(header) == piece


@pytest.mark.parametrize(
    "header",
    [
        "part", "part 1", "part 0/1", "part 1/0", "part 3/2", "part 10001/*", "part 1/10001", "part -1/2",
        "part 1/2 ,part 2/2", "bytes 5-4/9", "bytes 0-9/9", "bytes */9", "items 1-2/3",
        "part ١/2", "part 1/" + "9" * 5000,
    ],
)  # fmt: skip
def test_malformed_headers_are_refused(header):
    with pytest.raises(Problem) as caught:
        parse(header)

    assert caught.value.code == "video-content-range-malformed"


@pytest.mark.parametrize(("header", "whole"), [("part 1/1", True), ("part 1/*", False), ("part 1/2", False),
                                               ("bytes 0-8/9", True), ("bytes 0-7/9", False)])  # fmt: skip
def test_a_lone_piece_is_the_whole(header, whole):
    assert parse(header).whole is whole


def gather(*pieces):
    """Pieces after ("header", size) pairs."""
    found = None
    for header, size in pieces:
        piece = parse(header)
        found = (found or Pieces.first(piece)).with_piece(piece, size)
    return found


PARTS = [("part 1/3", 5), ("part 2/*", 5), ("part 3/3", 2)]
BYTES = [("bytes 0-4/12", 5), ("bytes 5-9/12", 5), ("bytes 10-11/12", 2)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("pieces", [PARTS, BYTES])
def test_pieces_come_in_any_order(pieces, order):
    found = gather(*(pieces[at] for at in order))

    assert found.complete
    assert list(found.prefix().values()) == [5, 5, 2]
    assert not gather(*(pieces[at] for at in order[:2])).complete


@pytest.mark.parametrize("pieces", [PARTS, BYTES])
def test_the_prefix_ends_at_the_first_gap(pieces):
    assert list(gather(pieces[2], pieces[0]).prefix().values()) == [5]
    assert gather(pieces[2], pieces[1]).prefix() == {}


@pytest.mark.parametrize("pieces", [PARTS, BYTES])
def test_a_piece_that_comes_again_changes_nothing(pieces):
    assert gather(*pieces, pieces[0]) == gather(*pieces)


def test_an_untold_total_is_never_complete():
    assert not gather(("part 1/*", 5), ("part 2/*", 5)).complete


@pytest.mark.parametrize("pieces", [PARTS, BYTES])
def test_pieces_survive_their_row(pieces):
    assert Pieces.from_row(gather(*pieces).to_row()) == gather(*pieces)


@pytest.mark.parametrize(
    ("pieces", "detail"),
    [
        ([("part 1/2", 5), ("bytes 5-9/10", 5)], "The upload was started with part."),
        ([("part 1/2", 5), ("part 2/3", 5)], "The total was 2 before."),
        ([("part 3/*", 5), ("part 2/2", 5)], "Part 3 lies beyond the total of 2."),
        ([("bytes 0-4/10", 6)], "The range names 5 bytes, 6 have come."),
        ([("bytes 0-4/10", 5), ("bytes 4-5/10", 2)], "The range overlaps one that came before."),
        ([("bytes 4-5/10", 2), ("bytes 0-4/10", 5)], "The range overlaps one that came before."),
        ([("bytes 5-9/*", 5), ("bytes 0-4/8", 5)], "Byte 9 lies beyond the total of 8."),
    ],
)
def test_contradictions_are_refused(pieces, detail):
    with pytest.raises(Problem) as caught:
        gather(*pieces)

    assert (caught.value.code, caught.value.detail) == ("video-content-range-mismatch", detail)


@given(st.text() | st.from_regex(r"(part|bytes) [0-9]{1,20}(-[0-9]+)?/([0-9]+|\*)"))
def test_any_header_gives_a_piece_or_a_problem(header):
    try:
        piece = parse(header)
    except Problem as problem:
        piece = problem

    assert piece is None or isinstance(piece, Piece | Problem)
