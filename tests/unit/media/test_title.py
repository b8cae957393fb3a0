"""Ceilings by what a title needs."""

from dataclasses import replace

import pytest

from server.media import title
from server.media.child import Children
from server.media.ladder import Rung
from server.media.orders import TIMESCALE, PictureOrder, Reading
from server.media.title import Measured, fitted, measure, moments
from tests.harness import media

LARGE = Rung("1080p", 1920, 1080, (1, 1), 5_000_000, 1, 30.0)
SMALL = Rung("360p", 640, 360, (1, 1), 800_000, 1, 30.0)
RUNGS = LARGE, SMALL


@pytest.mark.parametrize(
    ("rates", "ceilings"),
    [
        ((), [5_000_000, 800_000]),  # nothing is known
        ((10_000, 20_000), [1_750_000, 280_000]),  # as low as it goes
        ((300_000, 200_000), [2_338_269, 450_000]),  # nine times the pixels have 5.2 times the bits
        ((3_000_000,), [5_000_000, 800_000]),  # never more than usual
    ],
)
def test_ceilings(rates: tuple[int, ...], ceilings: list[int]) -> None:
    assert [rung.bitrate for rung in fitted(RUNGS, Measured(SMALL, rates, 0.0))] == ceilings
    assert [replace(rung, bitrate=0) for rung in fitted(RUNGS, Measured(SMALL, rates, 0.0))] == [
        replace(rung, bitrate=0) for rung in RUNGS
    ]


def test_quality_that_is_finer_takes_more_bits() -> None:
    found = Measured(replace(SMALL, finer=6.0), (600_000,), 0.0)
    assert [rung.bitrate for rung in fitted((LARGE, replace(SMALL, finer=6.0)), found)] == [2_338_269, 800_000]
    assert [rung.bitrate for rung in fitted((replace(LARGE, finer=6.0), SMALL), found)] == [4_676_537, 450_000]


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
