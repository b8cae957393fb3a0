"""Ceilings by what a title needs."""

from dataclasses import replace
from fractions import Fraction

import pytest

from server.media import title
from server.media.child import Children
from server.media.ladder import Rung
from server.media.orders import TIMESCALE, PictureOrder, Reading
from server.media.title import Measured, fitted, measure, moments
from tests.harness import media

LARGE = Rung("1080p", 1920, 1080, (1, 1), 5_000_000, 1, 30.0)
SMALL = Rung("360p", 640, 360, (1, 1), 800_000, 1, 30.0, 5)
RUNGS = LARGE, SMALL


@pytest.mark.parametrize(
    ("rates", "ceilings", "finer"),
    [
        ((), [5_000_000, 800_000], [0, 5]),  # nothing is known
        ((0,), [5_000_000, 800_000], [0, 5]),  # nothing to go by
        ((10_000, 20_000), [2_500_000, 400_000], [9, 14]),  # as low and as fine as it goes
        ((110_000,), [2_500_000, 622_254], [9, 14]),
        ((200_000, 300_000), [3_928_045, 600_000], [7, 5]),  # nine times the pixels: 5.2 × the bits, less 5 steps
        ((550_000,), [3_600_708, 800_000], [1, 5]),  # up to two fifths of the usual
        ((3_000_000,), [5_000_000, 800_000], [0, 5]),  # never more than usual
    ],
)
def test_what_a_title_deserves(rates: tuple[int, ...], ceilings: list[int], finer: list[int]) -> None:
    found = fitted(RUNGS, Measured(SMALL, rates, 0.0))
    assert [rung.bitrate for rung in found] == ceilings
    assert [rung.finer for rung in found] == finer
    assert [replace(rung, bitrate=0, finer=0) for rung in found] == [
        replace(rung, bitrate=0, finer=0) for rung in RUNGS
    ]


def test_other_codecs_need_fewer_bits() -> None:
    light = tuple(replace(rung, bitrate=rung.bitrate // 2) for rung in RUNGS)
    ours, theirs = (fitted(*order) for order in (
        (RUNGS, Measured(SMALL, (300_000,), 0.0)), (light, Measured(SMALL, (300_000,), 0.0), Fraction(1, 2)),
    ))  # fmt: skip
    assert [rung.bitrate for rung in theirs] == pytest.approx([rung.bitrate / 2 for rung in ours], abs=1)
    assert [rung.finer for rung in theirs] == [rung.finer for rung in ours]


def test_samples_lie_within_the_title() -> None:
    assert moments(10 * TIMESCALE) == ()
    assert [at / TIMESCALE for at in moments(12 * TIMESCALE)] == [2, 8]
    assert [at / TIMESCALE for at in moments(80 * TIMESCALE)] == [9, 29, 49, 69]


async def test_quiet_titles_need_less_than_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(title, "EACH_S", 2)
    monkeypatch.setattr(title, "SHORTEST_S", 4)
    found = []
    for noise in ((), ("-vf", "noise=alls=40:allf=t", "-b:v", "4M")):
        source = media.clip(5, audio=False, extra=noise)
        rungs = (Rung("180p", 320, 180, (1, 1), 400_000, 1, 30.0), Rung("90p", 160, 90, (1, 1), 200_000, 1, 30.0))
        order = PictureOrder(Reading("mov"), rungs, (0, TIMESCALE), 0)
        async with Children(1) as children:
            with source.open("rb") as opened:
                found.append(await measure(children, opened.fileno(), None, order, 5 * TIMESCALE))
    quiet, noisy = found
    assert len(quiet.rates) == len(noisy.rates) == 2
    assert quiet.rung.name == "90p"
    assert max(quiet.rates) * 1.5 < min(noisy.rates)
    assert quiet.cpu_s > 0


async def test_what_can_not_be_read_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(title, "SAMPLES", 1)
    async with Children(1) as children:
        with open(__file__, "rb") as opened:
            order = PictureOrder(Reading("mov"), RUNGS, (0, TIMESCALE), 0)
            found = await measure(children, opened.fileno(), None, order, 80 * TIMESCALE)
    assert found.rates == ()
    assert fitted(RUNGS, found) == RUNGS
