"""Clocks that break go on; those of files that have one clock are left alone."""

from fractions import Fraction

import pytest

from server.media.containers import MATROSKA, MPEG_TS
from server.media.continuity import Clock, is_broken
from server.media.orders import TIMESCALE

BASE = Fraction(1, TIMESCALE)
STEP = 3000


def test_only_streams_of_broadcasts_are_mended() -> None:
    assert is_broken(MPEG_TS)
    assert not is_broken(MATROSKA)
    clock = Clock(1.0, mended=False)
    assert [clock.at(0, second * TIMESCALE, BASE) // TIMESCALE for second in (1, 100, 2)] == [0, 99, 1]


@pytest.mark.parametrize("jump", [-500, -2, 20, 90_000], ids=str)
def test_a_break_is_closed_for_all_tracks_alike(jump: int) -> None:
    clock = Clock(0.0, mended=True)
    before = [clock.at(0, at * STEP, BASE) for at in range(10)]
    clock.at(1, 8 * STEP, BASE)
    shifted = jump * TIMESCALE
    after = [clock.at(0, at * STEP + shifted, BASE) for at in range(10, 20)]
    assert before + after == [at * STEP for at in range(20)]
    assert clock.at(1, 11 * STEP + shifted, BASE) == 11 * STEP
    assert clock.jumps == 1


def test_pictures_out_of_order_are_no_break() -> None:
    clock = Clock(0.0, mended=True)
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7]
    assert [clock.at(0, at * STEP, BASE) for at in order] == [at * STEP for at in order]
    assert clock.jumps == 0


def test_other_clocks_are_rounded() -> None:
    assert Clock(0.0, mended=False).at(0, 1001, Fraction(1, 30_000)) == 3003
    assert Clock(0.5, mended=False).at(0, 1, Fraction(1, 3)) == 30_000 - 45_000
