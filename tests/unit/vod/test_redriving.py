"""That a failed job that is run again has something to do, and that what it opens is closed again by somebody."""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from server.catalog import jobs as rows
from server.catalog import renditions, versions, videos
from server.catalog.database import Transaction
from server.catalog.models import DEFAULT_PROJECT, Job, Video
from server.jobs.errors import NotAgain
from server.media.ladder import Rung
from server.media.orders import TIMESCALE
from server.storage.journal import TrackEntry
from server.storage.renditions import RenditionStore, entry
from server.vod import encoding, making, measuring, pipeline, plans
from server.vod.plan import Plan, SoundPlan, grid
from server.vod.redriving import Redriving
from tests.unit.vod.conftest import Archive

LARGE = Rung("360p", 640, 360, (1, 1), 700_000, 1, 30.0)
SMALL = Rung("240p", 426, 240, (1, 1), 400_000, 1, 30.0)
PLAN = Plan(60.0, grid(60 * TIMESCALE), (LARGE, SMALL), (SoundPlan("audio-aac", 1, 2),))
QUICK = 4  # segments of the first share: eight seconds
ALL = range(30)
Hook = Callable[[Transaction, Job], Awaitable[None]]


class House:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.store = RenditionStore(archive.layout)
        self.again = Redriving(archive.layout, self.store, archive.enqueue, 20.0)

    async def video(self, state: str = "done", failed: Sequence[str] = ("360p", "240p"), **fields: Any) -> str:
        """One that ended although some of its renditions did not come to be."""
        id = await self.archive.video(state="processing", playable=state == "done", **fields)
        plans.keep(self.archive.layout, id, 1, PLAN)
        async with self.archive.database.write() as transaction:
            video = await self.find(transaction, id)
            await making.list_planned(transaction, video, PLAN, [])
            for row in await renditions.of_video(transaction, id, 1):
                row.state = "failed" if row.name in failed else "ready"
                row.error, row.facts = ("why", {"problem": "failed"}) if row.name in failed else (None, {})
            video.state = state
        return id

    async def find(self, transaction: Transaction, id: str) -> Video:
        video = await videos.find(transaction, id)
        assert video is not None
        return video

    def make(self, id: str, name: str, numbers: range) -> None:
        self.store.describe(id, 1, name, b"init", TrackEntry(0, "video", "avc1", 90_000, 0, 0))
        with self.store.begin(id, 1, name, numbers.start) as run:
            os.write(run.descriptor, bytes(len(numbers)))
            run.add(*(entry(number, number * 180_000, 180_000, 90_000, 1) for number in numbers))

    async def job(self, kind: str, id: str, ended: bool = True, **arguments: Any) -> Job:
        async with self.archive.database.write() as transaction:
            job = await rows.add(transaction, DEFAULT_PROJECT, kind, id, {"revision": 1, **arguments})
            if ended:
                await rows.finish(transaction, job, "internal-error: it crashed")
        return job

    async def redrive(self, hook: Hook, job: Job) -> None:
        async with self.archive.database.write() as transaction:
            await hook(transaction, job)

    async def states(self, id: str) -> dict[str, str]:
        async with self.archive.database.read() as transaction:
            return {row.name: row.state for row in await renditions.of_video(transaction, id, 1)}

    @property
    def ordered(self) -> list[tuple[list[str], int, int]]:
        assert all(kind == encoding.SHARE for kind, _ in self.archive.ordered)
        return [(told["renditions"], told["first"], told["last"]) for _, told in self.archive.ordered]


@pytest.fixture
def house(archive: Archive) -> House:
    return House(archive)


def share(first: int, last: int, *names: str) -> dict[str, Any]:
    return {"renditions": list(names or ("360p", "240p")), "first": first, "last": last}


async def test_what_a_failed_job_left_out_is_made_and_nothing_else(house: House) -> None:
    id = await house.video()
    for name in ("360p", "240p"):
        house.make(id, name, range(4))
        house.make(id, name, range(14, 30))
    job = await house.job(encoding.SHARE, id, **share(4, 13))

    await house.redrive(house.again.renditions, job)

    assert await house.states(id) == {"360p": "encoding", "240p": "encoding", "audio-aac": "ready"}
    assert (await house.archive.row(id)).state == "processing"
    assert house.ordered == []
    types = await house.archive.event_types(id)
    assert types[-5:] == ["video.processing", *["video.rendition.waiting", "video.rendition.encoding"] * 2]
    async with house.archive.database.read() as transaction:
        row = await renditions.get(transaction, id, 1, "360p")
        assert row is not None
        assert (row.error, row.facts) == (None, {})


async def test_what_found_the_video_ended_is_ordered_with_it(house: House) -> None:
    """The shares after the one that failed had nothing to do, and are done."""
    id = await house.video()
    for name, there in (("360p", range(4)), ("240p", range(6))):
        house.make(id, name, there)
    job = await house.job(encoding.SHARE, id, **share(4, 13))

    await house.redrive(house.again.renditions, job)

    assert house.ordered == [(["360p", "240p"], 14, 23), (["360p", "240p"], 24, 29)]


async def test_what_runs_while_the_video_has_ended_is_waited_for(house: House) -> None:
    """It may have found nothing to do already."""
    id = await house.video()
    other = await house.job(encoding.FIRST, id, ended=False, **share(0, QUICK - 1, "240p"))
    async with house.archive.database.write() as transaction:
        assert (await rows.claim(transaction, "worker", "encode", suspects=True)) is not None
    job = await house.job(encoding.SHARE, id, **share(4, 13))

    with pytest.raises(NotAgain, match="is ending: try again when it has"):
        await house.redrive(house.again.renditions, job)
    assert (await house.archive.row(id)).state == "done"

    async with house.archive.database.write() as transaction:
        found = await rows.locked(transaction, other.id)
        assert found is not None
        await rows.finish(transaction, found)
    await house.redrive(house.again.renditions, job)
    assert (await house.archive.row(id)).state == "processing"


async def test_others_that_have_not_ended_are_left_to_theirs(house: House) -> None:
    id = await house.video("processing")
    await house.job(encoding.SHARE, id, ended=False, **share(14, 23))
    job = await house.job(encoding.SHARE, id, **share(4, 13))

    await house.redrive(house.again.renditions, job)

    assert house.ordered == [(["360p", "240p"], 0, 3), (["360p", "240p"], 24, 29)]
    assert await house.states(id) == {"360p": "waiting", "240p": "waiting", "audio-aac": "ready"}
    assert (await house.archive.row(id)).state == "processing"


@pytest.mark.parametrize("kind", [encoding.SHARE, measuring.JOB])
async def test_what_another_job_was_ordered_to_make_is_left_to_it(house: House, kind: str) -> None:
    id = await house.video("processing", [])
    await house.job(encoding.SHARE, id, ended=False, **share(4, 29))
    job = await house.job(kind, id, **share(14, 23))

    with pytest.raises(NotAgain, match="Other jobs are at it already"):
        await house.redrive(house.again.measure if kind == measuring.JOB else house.again.renditions, job)


async def test_a_title_that_is_looked_at_orders_the_bulk_by_itself(house: House) -> None:
    id = await house.video("processing", ["240p"])
    await house.job(measuring.JOB, id, ended=False)
    job = await house.job(encoding.FIRST, id, **share(0, QUICK - 1, "240p"))

    await house.redrive(house.again.renditions, job)

    assert house.ordered == []


async def test_sound_is_encoded_again(house: House) -> None:
    id = await house.video("error", ["audio-aac"])
    job = await house.job(encoding.SOUND, id, rendition="audio-aac")

    await house.redrive(house.again.renditions, job)

    assert (await house.states(id))["audio-aac"] == "waiting"
    row = await house.archive.row(id)
    assert (row.state, row.error) == ("pre-processing", None)
    assert house.archive.ordered == []


async def test_a_title_is_looked_at_again(house: House) -> None:
    id = await house.video()
    job = await house.job(measuring.JOB, id)

    await house.redrive(house.again.measure, job)

    assert house.ordered == [(["240p"], 0, QUICK - 1)]
    assert (await house.archive.row(id)).state == "processing"


async def test_a_file_is_examined_again(house: House, archive: Archive) -> None:
    id = await archive.video(state="error", error={"code": "failed"})
    await house.redrive(house.again.video, await house.job(pipeline.JOB, id))

    row = await archive.row(id)
    assert (row.state, row.error) == ("pre-processing", None)
    await house.redrive(house.again.video, await house.job(pipeline.JOB, id))  # nothing else is to be opened


async def test_a_version_that_is_shown_goes_on_and_its_video_with_it(house: House) -> None:
    shown = await house.archive.video(state="done")
    id = await house.video(version_of=shown, edit={"reason": versions.REMAKE})
    async with house.archive.database.write() as transaction:
        (await house.find(transaction, shown)).material_id = id
    job = await house.job(encoding.SHARE, id, **share(4, 13))

    await house.redrive(house.again.renditions, job)

    assert [(await house.archive.row(each)).state for each in (id, shown)] == ["processing", "processing"]


Spoil = Callable[[House, str], Awaitable[None]]


async def _delete(house: House, id: str) -> None:
    async with house.archive.database.write() as transaction:
        await videos.remove(transaction, await house.find(transaction, id))


async def _replace(house: House, id: str) -> None:
    async with house.archive.database.write() as transaction:
        (await house.find(transaction, id)).source_revision = 2


async def _show_another(house: House, id: str) -> None:
    async with house.archive.database.write() as transaction:
        (await house.find(transaction, id)).material_id = "vi2"


async def _archive(house: House, id: str) -> None:
    async with house.archive.database.write() as transaction:
        video = await house.find(transaction, id)
        video.archived_at = video.created_at


async def _drop(house: House, id: str) -> None:
    house.archive.layout.video_plan(id, 1).unlink()


async def _make_all(house: House, id: str) -> None:
    async with house.archive.database.write() as transaction:
        for row in await renditions.of_video(transaction, id, 1):
            row.state = "ready"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_delete, "The video is deleted."),
        (_replace, "The video has another file since. POST /videos/{id}/remake makes it anew."),
        (_show_another, "Another version of the video is shown. POST /videos/{id}/remake makes it anew."),
        (_archive, "The video is archived. POST /videos/{id}/remake makes it anew."),
        (_drop, "What was made of the video is not there any more. POST /videos/{id}/remake makes it anew."),
        (_make_all, "All that it is to {do} is there."),
    ],
)
async def test_what_would_do_nothing_says_what_to_do(house: House, spoil: Spoil, sentence: str) -> None:
    id = await house.video()
    of_kinds: list[tuple[Hook, Job, str]] = [
        (house.again.renditions, await house.job(encoding.SHARE, id, **share(4, 13)), "make"),
        (house.again.measure, await house.job(measuring.JOB, id), "order"),
    ]
    await spoil(house, id)
    for hook, job, do in of_kinds:
        with pytest.raises(NotAgain) as refused:
            await house.redrive(hook, job)
        assert str(refused.value) == sentence.format(id=id, do=do)
    assert house.archive.ordered == []


async def test_a_video_that_ended_well_or_has_lost_its_file_is_not_examined_again(house: House) -> None:
    done = await house.video()
    gone = await house.archive.video(None, state="error")
    for id, sentence in ((done, "The video is done."), (gone, "not there any more: upload it again.")):
        with pytest.raises(NotAgain, match=sentence):
            await house.redrive(house.again.video, await house.job(pipeline.JOB, id))


@pytest.mark.parametrize(("state", "fields"), [("error", {"deletes_at": True}), ("done", {})])
async def test_a_version_that_is_not_wanted_stays_as_it_is(house: House, state: str, fields: dict[str, Any]) -> None:
    shown = await house.archive.video(state="done")
    id = await house.video(state, version_of=shown, edit={"reason": versions.REMAKE})
    if fields:
        async with house.archive.database.write() as transaction:
            version = await house.find(transaction, id)
            version.deletes_at = version.created_at
    with pytest.raises(NotAgain, match=f"POST /videos/{shown}/remake"):
        await house.redrive(house.again.renditions, await house.job(encoding.SHARE, id, **share(4, 13)))
