"""The table of renditions, fitted to sources of every kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.ladder import (
    MIN_BITRATE,
    Rung,
    Source,
    Wish,
    finer,
    least_valuable,
    limit,
    rungs,
)


def named(source: Source, wishes: list[Wish] | None = None) -> list[str]:
    return [rung.name for rung in rungs(source, wishes)]


@pytest.mark.parametrize(
    ("size", "names"),
    [
        ((3840, 2160), ["1080p", "720p", "480p"]),
        ((2560, 1440), ["1080p", "720p", "480p"]),
        ((1920, 1080), ["720p", "480p", "360p"]),
        ((1920, 1000), ["720p", "480p", "360p"]),
        ((1280, 720), ["480p", "360p"]),
        ((1080, 1920), ["720p", "480p", "360p"]),
        ((854, 480), ["360p", "240p"]),
        ((640, 360), ["240p"]),
        ((426, 240), []),
        ((16, 16), []),
    ],
)
def test_the_ladder_of_a_source(size: tuple[int, int], names: list[str]) -> None:
    assert named(Source(*size)) == names


def test_the_default_of_1080_lines() -> None:
    assert rungs(Source(1920, 1080, frame_rate=30.0)) == (
        Rung("720p", 1280, 720, (1, 1), 2_800_000, 1, 30.0, 4),
        Rung("480p", 854, 480, (1, 1), 1_200_000, 1, 30.0, 5),
        Rung("360p", 640, 360, (1, 1), 700_000, 1, 30.0, 5),
    )


@pytest.mark.parametrize(
    ("rate", "divisors", "bitrate_of_720p"),
    [
        (None, [1, 1, 1], 2_800_000),
        (24.0, [1, 1, 1], 2_800_000),
        (30.3, [1, 1, 1], 2_800_000),
        (50.0, [1, 2, 2], 4_200_000),
        (59.94, [1, 2, 2], 4_200_000),
        (120.0, [1, 4, 4], 4_200_000),
    ],
)
def test_fast_sources(rate: float | None, divisors: list[int], bitrate_of_720p: int) -> None:
    found = rungs(Source(1920, 1080, frame_rate=rate))
    assert [rung.divisor for rung in found] == divisors
    assert found[0].bitrate == bitrate_of_720p


@pytest.mark.parametrize(
    ("lines", "steps"), [(144, 5), (360, 5), (480, 5), (482, 4), (720, 4), (722, 0), (1080, 0), (2160, 0)]
)
def test_what_is_enlarged_to_be_watched_is_made_finer(lines: int, steps: int) -> None:
    (upright,) = rungs(Source(3000, 4000), [Wish(lines)])
    assert (upright.finer, upright.finer) == (steps, finer(lines))


def test_never_as_heavy_as_the_source() -> None:
    found = rungs(Source(1920, 1080, bitrate=1_500_000))
    assert [rung.bitrate for rung in found] == [1_200_000, 1_200_000, 700_000]
    assert limit(found[1], 1_000_000) == 800_000
    assert limit(found[1], None) == 1_200_000
    assert limit(found[1], 10) == MIN_BITRATE


def test_an_upright_picture_is_counted_across() -> None:
    (found,) = rungs(Source(1080, 1920), [Wish(720)])
    assert (found.width, found.height) == (720, 1280)


def test_wishes_beyond_the_source_are_left_out() -> None:
    wishes = [Wish(1080), Wish(720, bitrate=900_000), Wish(720, bitrate=5), Wish(480, frame_rate=10.0)]
    found = rungs(Source(1280, 720, frame_rate=30.0), wishes)
    assert [(rung.name, rung.bitrate, rung.divisor, rung.frame_rate) for rung in found] == [
        ("720p", 900_000, 1, 30.0),
        ("480p", 1_200_000, 3, 10.0),
    ]


def test_pixels_keep_their_shape_and_a_given_width_gives_them_one() -> None:
    pal = Source(720, 576, sar=(64, 45))
    assert rungs(pal, [Wish(288)])[0].sar == (64, 45)
    assert rungs(pal, [Wish(576, width=1024)])[0].sar == (64, 45)  # never wider than the source
    assert rungs(Source(1920, 1080), [Wish(480, width=854)])[0].sar == (1, 1)
    narrow = rungs(Source(1920, 1080), [Wish(480, width=640)])[0]
    assert (narrow.width, narrow.height, narrow.sar) == (640, 480, (4, 3))


def test_lines_between_two_rows_have_bits_between_theirs() -> None:
    found = rungs(Source(1920, 1080), [Wish(600), Wish(100), Wish(1080)])
    assert [rung.bitrate for rung in found] == [5_000_000, 2_000_000, 200_000]


def test_the_costliest_is_given_up_first() -> None:
    left = list(rungs(Source(1920, 1080, frame_rate=60.0)))
    order = []
    while left:
        rung = least_valuable(left)
        order.append(rung.name)
        left.remove(rung)
    assert order == ["720p", "480p", "360p"]


@given(
    st.integers(16, 8192),
    st.integers(16, 8192),
    st.one_of(st.none(), st.floats(1, 240)),
    st.one_of(st.none(), st.integers(1, 10**8)),
)
def test_no_rendition_is_more_than_its_source(width: int, height: int, rate: float | None, bitrate: int | None) -> None:
    source = Source(width, height, frame_rate=rate, bitrate=bitrate)
    found = rungs(source)
    assert named(Source(width, height)) == [rung.name for rung in found]
    for rung in found:
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.width <= width + 1
        assert rung.height <= height + 1
        assert rung.frame_rate is None or rung.frame_rate <= (rate or 0)
        assert bitrate is None or rung.bitrate <= max(bitrate, MIN_BITRATE)
