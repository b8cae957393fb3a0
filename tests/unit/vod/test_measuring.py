"""The job that looks at a title: once, kept in the plan, and what it orders."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from server.catalog import renditions
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.media import title
from server.media.child import Children
from server.media.ladder import Rung
from server.media.orders import TIMESCALE, PictureOrder
from server.media.title import Measured
from server.vod import encoding, making, plans
from server.vod.measuring import Measuring, worth_while
from server.vod.plan import Plan, chunks, grid
from tests.unit.vod.conftest import Archive
from tests.unit.vod.test_pipeline import FakeJob, found

LARGE = Rung("360p", 640, 360, (1, 1), 700_000, 1, 30.0)
SMALL = Rung("240p", 426, 240, (1, 1), 400_000, 1, 30.0)
PLAN = Plan(60.0, grid(60 * TIMESCALE), (LARGE, SMALL))
RATES = (20_000, 30_000, 100_000, 40_000)


class Looks:
    """Stands in for the children that encode samples."""

    def __init__(self, rates: tuple[int, ...] = RATES) -> None:
        self.rates = rates
        self.orders: list[PictureOrder] = []

    async def __call__(
        self, children: Children, source: int, index: int | None, order: PictureOrder, end: int
    ) -> Measured:
        assert end == 60 * TIMESCALE
        self.orders.append(order)
        return Measured(SMALL, self.rates, 1.5)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    made = Looks()
    monkeypatch.setattr(title, "measure", made)
    return made


@pytest.fixture
def measuring(archive: Archive) -> Measuring:
    return Measuring(archive.database, archive.layout, cast(Children, archive.children), archive.enqueue, 20.0, 25.0)


async def planned(archive: Archive, plan: Plan = PLAN) -> str:
    id = await archive.video(state="processing")
    plans.keep(archive.layout, id, 1, plan)
    async with archive.database.write() as transaction:
        await making.list_planned(transaction, await found(transaction, id), plan, [])
    return id


@dataclass
class Run(FakeJob):
    arguments: dict[str, int] = field(default_factory=lambda: {"revision": 1})

    async def step(self, name: str, work: Any, attempts: int = 1) -> Any:
        return await super().step(name, work)


async def run(measuring: Measuring, id: str) -> None:
    await measuring.run(cast(JobContext, Run(id)))


async def facts(archive: Archive, id: str) -> dict[str, dict[str, Any]]:
    async with archive.database.read() as transaction:
        return {row.name: row.facts for row in await renditions.of_video(transaction, id, 1)}


async def test_the_ceilings_are_kept_and_the_rest_is_ordered(
    archive: Archive, measuring: Measuring, looks: Looks
) -> None:
    id = await planned(archive)
    await run(measuring, id)

    kept = plans.read(archive.layout, id, 1)
    assert kept.title == Measured(SMALL, RATES, 1.5)
    assert kept.rungs == PLAN.rungs  # the first seconds are made by it, before or after a crash
    assert kept.fitted == title.fitted(PLAN.rungs, kept.title)
    assert all(now.bitrate < before.bitrate for now, before in zip(kept.fitted, kept.rungs, strict=True))
    assert {name: told["bitrate"] for name, told in (await facts(archive, id)).items()} == {
        rung.name: rung.bitrate for rung in kept.fitted
    }
    assert [(kind, told["first"], told["last"]) for kind, told in archive.ordered] == [
        (encoding.SHARE, share.first, share.last) for share in chunks(PLAN.cuts, ["360p", "240p"], 20.0)[1:]
    ]
    (order,) = looks.orders
    assert (order.rungs, order.quality) == (PLAN.rungs, 25.0)


async def test_neither_a_restart_nor_another_worker_looks_again(
    archive: Archive, measuring: Measuring, looks: Looks
) -> None:
    id = await planned(archive, replace(PLAN, title=Measured(SMALL, RATES, 1.5)))
    for _ in range(2):  # cut off after the plan was kept; after the commit
        await run(measuring, id)
    assert looks.orders == []
    assert len(archive.ordered) == len(chunks(PLAN.cuts, ["360p", "240p"], 20.0)) - 1


async def test_where_nothing_could_be_told_all_is_made_as_usual(
    archive: Archive, measuring: Measuring, looks: Looks
) -> None:
    looks.rates = ()
    id = await planned(archive)
    await run(measuring, id)
    assert plans.read(archive.layout, id, 1).fitted == PLAN.rungs
    assert archive.ordered


@pytest.mark.parametrize("gone", ["deleted", "replaced"])
async def test_nothing_is_ordered_for_what_is_gone(
    archive: Archive, measuring: Measuring, looks: Looks, gone: str
) -> None:
    id = await planned(archive)
    if gone == "deleted":
        archive.layout.video_source(id).unlink()
        async with archive.database.write() as transaction:
            (await found(transaction, id)).state = "error"
    else:
        async with archive.database.write() as transaction:
            (await found(transaction, id)).source_revision = 2
    await run(measuring, id)
    assert archive.ordered == []


async def test_a_source_that_is_missing_is_an_error_to_be_tried_again(
    archive: Archive, measuring: Measuring, looks: Looks
) -> None:
    id = await planned(archive)
    archive.layout.video_source(id).unlink()
    with pytest.raises(FileNotFoundError):
        await run(measuring, id)


async def test_a_job_that_gave_up_ends_the_renditions_of_pictures(archive: Archive, measuring: Measuring) -> None:
    id = await planned(archive)
    async with archive.database.write() as transaction:
        job = Job(kind="measure", object_id=id, arguments={"revision": 1})
        await measuring.failed(transaction, job, JobFailed("crashing", "again and again"))
    assert (await archive.row(id)).state == "error"


@pytest.mark.parametrize(("seconds", "names", "wanted"), [
    (60, ["360p", "240p"], True),
    (60, ["240p"], True),
    (9, ["240p"], False),  # all of it is the first job's
    (11, ["360p", "240p"], False),  # shorter than what looking would take
])  # fmt: skip
def test_when_it_is_worth_while(seconds: int, names: list[str], wanted: bool) -> None:
    plan = replace(PLAN, cuts=grid(seconds * TIMESCALE))
    assert worth_while(plan, chunks(plan.cuts, names)) is wanted
