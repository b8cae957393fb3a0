"""Tone-mapping: what light comes to, at points that can be told without the code."""

import pytest

from server.media import tone

FULL = 0xFFFF


def shown(transfer: tone.Transfer, red: int, green: int, blue: int) -> tuple[int, int, int]:
    at = 3 * (red + tone.POINTS * (green + tone.POINTS * blue))
    first, second, third = tone.table(transfer)[at : at + 3]
    return first, second, third


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_greys_stay_grey_and_never_get_darker(transfer: tone.Transfer) -> None:
    greys = [shown(transfer, number, number, number) for number in range(tone.POINTS)]
    assert greys[0] == (0, 0, 0)
    assert greys[-1] == (FULL, FULL, FULL)
    assert all(max(grey) - min(grey) <= FULL // 500 for grey in greys)
    levels = [grey[1] for grey in greys]
    assert levels == sorted(levels)


def test_paper_white_is_bright_and_dim_light_is_kept() -> None:
    """58 % of PQ is 203 cd/m², 38 % some 26 cd/m² (ITU-R BT.2408 table 1, ST 2084)."""
    white = shown("pq", *[round(0.58 * 35)] * 3)[1] / FULL
    assert 0.85 < white < 0.95
    dim = 13
    assert shown("pq", dim, dim, dim)[1] / FULL == pytest.approx((tone._pq_light(dim / 35) / 203) ** (1 / 2.4), 0.01)


def test_pure_colours_are_those_of_the_smaller_gamut() -> None:
    red, green, blue = shown("pq", 20, 0, 0)
    assert red > 0
    assert (green, blue) == (0, 0)  # clipped, not turned into another hue


def test_the_curve_ends_where_a_display_does() -> None:
    assert tone._rolled_off(50.0) == pytest.approx(50.0)
    assert tone._rolled_off(tone.PEAK) == pytest.approx(tone.WHITE)
    assert tone._rolled_off(10_000.0) == pytest.approx(tone.WHITE)
