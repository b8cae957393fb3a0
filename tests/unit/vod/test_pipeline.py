"""The job of an upload: what a child finds becomes states, files and events, also twice or for one that is gone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from server.catalog import renditions, videos
from server.catalog.database import Transaction
from server.catalog.models import Job, Video
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.media.child import ChildFailed, Children
from server.media.problems import MediaProblem
from server.vod import making
from server.vod import pipeline as module
from server.vod.ordering import Ordering, Wanted
from server.vod.pipeline import Pipeline
from server.vod.plan import Plan
from server.vod.posters import Posters
from tests.unit.vod.conftest import FACTS, FOUND, INDEX, JPEG, Archive

UNSERVED = {"event": "unserved", "detail": "it is fragmented"}
UNSUPPORTED = {"event": "problem", "code": "unsupported", "detail": "found: VP9"}


EXAMINED = {"examine 0": [True]}
TOLD = ["video.created", "video.processing", "video.playable", "video.rendition.ready", "video.done"]


@dataclass
class FakeJob:
    """A job of one video; `done` are the steps that a run before a crash had finished."""

    object_id: str
    done: dict[str, Any] = field(default_factory=dict)

    async def step(self, name: str, work: Callable[[], Awaitable[Any]], attempts: int = 1) -> Any:
        if name not in self.done:
            self.done[name] = await work()
        return self.done[name]


@pytest.fixture
def pipeline(archive: Archive) -> Pipeline:
    children = cast(Children, archive.children)
    posters = Posters(archive.database, archive.layout, children)
    ordering = Ordering(archive.enqueue, Wanted((), 4.0, 60.0))
    return Pipeline(archive.database, archive.layout, children, posters, ordering, 60.0)


async def run(pipeline: Pipeline, id: str, **done: Any) -> None:
    await pipeline.run(cast(JobContext, FakeJob(id, done)))


async def test_an_upload_becomes_playable_then_done_and_has_a_poster(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()

    await run(pipeline, id)

    row = await archive.row(id)
    assert (row.state, row.playable, row.source, row.duration_s) == ("done", True, "upload", 12.5)
    assert row.media == FACTS.media()
    assert row.error is None
    assert row.poster_at is not None
    assert archive.layout.video_index(id).read_bytes() == INDEX
    assert archive.layout.video_poster(id).read_bytes() == JPEG
    assert archive.children.runs == ["probe", "thumbnails"]
    assert await archive.event_types(id) == TOLD


async def test_it_is_playable_while_the_child_still_looks(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    seen: list[tuple[str, bool]] = []

    async def look() -> None:
        if not seen:
            while not (row := await archive.row(id)).playable:
                pass
            seen.append((row.state, archive.layout.video_index(id).exists()))

    archive.children.meanwhile = look
    await run(pipeline, id)

    assert seen == [("processing", True)]


INDEXED = {"event": "indexed"}
TITLES = {
    "unsupported": "The file can't be made watchable.",
    "invalid": "The file is not valid media.",
    "failed": "The file could not be processed.",
}


@pytest.mark.parametrize(
    ("events", "failure", "code", "detail", "probes"),
    [
        ([FOUND, UNSUPPORTED], None, "unsupported", "found: VP9", 1),
        ([INDEXED, FOUND, UNSUPPORTED], None, "unsupported", "found: VP9", 1),
        ([], "crashed", "invalid", "the file could not be read: it made the reader crash", 2),
        ([INDEXED], "timeout", "invalid", "the file could not be read in time", 1),
    ],
    ids=["unsupported", "unsupported after its index", "crash", "timeout after its index"],
)
async def test_what_can_not_be_watched_ends_in_an_error(
    archive: Archive, pipeline: Pipeline, events: list[dict[str, Any]], failure: Any, code: str, detail: str,
    probes: int,
) -> None:  # fmt: skip
    id = await archive.video()
    archive.children.events = events
    archive.children.failure = ChildFailed(failure, "for the log") if failure else None

    await run(pipeline, id)

    row = await archive.row(id)
    assert (row.state, row.playable) == ("error", False)
    assert row.error == {"code": code, "title": TITLES[code], "detail": detail}
    assert archive.children.runs == ["probe"] * probes
    assert (await archive.event_types(id))[-1] == "video.error"


async def test_what_its_index_does_not_serve_is_encoded(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    archive.children.events = [FOUND, UNSERVED]

    await run(pipeline, id)

    row = await archive.row(id)
    assert (row.state, row.playable) == ("processing", False)
    assert archive.ordered == [
        ("encode-first", {"revision": 1, "renditions": ["180p"], "first": 0, "last": 3}),
        ("encode", {"revision": 1, "renditions": ["180p"], "first": 4, "last": 6}),
    ]
    made = Plan.of_bytes(archive.layout.video_plan(id, 1).read_bytes())
    assert [cut / 90_000 for cut in made.cuts] == [0, 2, 4, 6, 8, 10, 12, 12.5]
    assert (made.passed, made.renditions, made.pictures.demuxer) == (False, ("180p",), "mov")
    async with archive.database.read() as transaction:
        rows = await renditions.of_video(transaction, id, 1)
    assert [(each.name, each.kind, each.state) for each in rows] == [("180p", "video", "waiting")]

    async with archive.database.write() as transaction:
        await making.begun(transaction, await found(transaction, id), "180p")
    assert (await archive.row(id)).playable
    async with archive.database.write() as transaction:
        await making.ended(transaction, await found(transaction, id), "180p")
    assert (await archive.row(id)).state == "done"
    assert (await archive.event_types(id))[-4:] == [
        "video.rendition.encoding", "video.playable", "video.rendition.ready", "video.done",
    ]  # fmt: skip


MARK = {"id": "watermark_1", "left": "0px", "right": None, "top": None, "bottom": None, "width": "initial",
        "height": "initial", "opacity": 1.0}  # fmt: skip
CROP = {"left": "0px", "top": "0px", "width": "50%", "height": "50%"}


@pytest.mark.parametrize(("altered", "name"), [({"watermark": MARK}, "180p"), ({"crop": CROP}, "90p")])
async def test_what_is_altered_is_not_shown_as_it_is(
    archive: Archive, pipeline: Pipeline, altered: dict[str, Any], name: str
) -> None:
    id = await archive.video(**altered)

    await run(pipeline, id)

    row = await archive.row(id)
    assert (row.state, row.playable) == ("processing", False)
    assert archive.layout.video_index(id).exists()
    assert "video.playable" not in await archive.event_types(id)
    async with archive.database.read() as transaction:
        rows = await renditions.of_video(transaction, id, 1)
    assert [(each.name, each.origin, each.state) for each in rows] == [(name, "encoded", "waiting")]
    assert {kind for kind, _ in archive.ordered} == {"encode-first", "encode"}
    made = Plan.of_bytes(archive.layout.video_plan(id, 1).read_bytes())
    assert made.pictures.indexed
    assert (made.treatment.crop is not None, made.treatment.watermark is not None) == (
        "crop" in altered, "watermark" in altered,
    )  # fmt: skip


async def test_a_crop_that_does_not_fit_is_an_error_that_says_so(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video(crop={**CROP, "left": "300px", "width": "300px"})

    await run(pipeline, id)

    row = await archive.row(id)
    assert (row.state, row.playable) == ("error", False)
    assert row.error == {
        "code": "crop",
        "title": "The crop does not fit the picture.",
        "detail": "crop.left 300px and crop.width 300px are more than the picture's 320 pixels",
    }
    assert archive.ordered == []


async def test_a_plan_is_made_once(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    archive.children.events = [FOUND, UNSERVED]
    for _ in range(2):  # a crash came between the commit and the end of the step
        await run(pipeline, id)
    assert len(archive.ordered) == 2


async def test_a_rendition_that_fails_takes_the_video_along_only_if_nothing_else_can_be_watched(
    archive: Archive, pipeline: Pipeline
) -> None:
    id = await archive.video()
    archive.children.events = [FOUND, UNSERVED]
    await run(pipeline, id)
    async with archive.database.write() as transaction:
        problem = MediaProblem("invalid", "no picture could be decoded")
        await making.ended(transaction, await found(transaction, id), "180p", problem)
    row = await archive.row(id)
    assert (row.state, row.playable) == ("error", False)
    assert row.error == {"code": "invalid", "title": TITLES["invalid"], "detail": "no picture could be decoded"}


async def found(transaction: Transaction, id: str) -> Video:
    row = await videos.find(transaction, id)
    assert row is not None
    return row


async def test_a_poster_that_fails_is_no_error_of_the_video(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    archive.layout.video_index(id).write_bytes(INDEX)
    archive.children.failure = ChildFailed("crashed", "")

    await run(pipeline, id, **EXAMINED)

    assert archive.children.runs == ["thumbnails"]
    assert (await archive.row(id)).poster_at is None


@pytest.mark.parametrize("crash", ["before the child", "after playable", "after the end"])
async def test_a_crash_in_the_middle_repeats_what_bears_it(archive: Archive, pipeline: Pipeline, crash: str) -> None:
    """A run that was cut off, then the run after the restart."""
    id = await archive.video()
    if crash == "after playable":
        await pipeline._publish(id, _written(archive, id))
    elif crash == "after the end":
        await pipeline._examine(id)

    await run(pipeline, id)

    assert (await archive.row(id)).state == "done"
    types = await archive.event_types(id)
    assert types == TOLD


def _written(archive: Archive, id: str) -> Any:
    path = archive.layout.video_index(id).with_suffix(".new")
    path.write_bytes(INDEX)
    return path


async def test_a_finished_step_is_not_done_again(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video(state="done", playable=True)
    archive.layout.video_index(id).write_bytes(INDEX)

    await run(pipeline, id, **EXAMINED)

    assert archive.children.runs == ["thumbnails"]


async def test_after_an_error_there_is_no_poster_and_no_second_probe(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video(state="error")

    await run(pipeline, id)

    assert archive.children.runs == []


async def test_the_job_of_a_deleted_video_ends_quietly(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    await archive.delete(id)

    await run(pipeline, id)

    assert archive.children.runs == []
    assert not archive.layout.video(id).exists()


async def test_a_video_deleted_while_a_child_looks_at_it_ends_quietly(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    archive.children.events = [FOUND, {"event": "indexed"}]
    archive.children.meanwhile = lambda: archive.delete(id)

    await run(pipeline, id)

    assert not archive.layout.video(id).exists()


async def test_a_source_that_is_gone_is_an_error_to_be_tried_again(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video(source=None)

    with pytest.raises(FileNotFoundError):
        await run(pipeline, id)
    assert (await archive.row(id)).state == "pre-processing"


async def test_a_job_that_gave_up_is_an_error_of_the_video(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    job = Job(project_id="pr", kind="vod", object_id=id)

    async with archive.database.write() as transaction:
        await pipeline.failed(transaction, job, JobFailed("crashing", "again and again"))

    row = await archive.row(id)
    assert row.state == "error"
    assert row.error == {
        "code": "failed",
        "title": "The file could not be processed.",
        "detail": "processing was given up after several tries",
    }


async def test_a_job_that_gave_up_on_a_deleted_video_has_nobody_to_tell(archive: Archive, pipeline: Pipeline) -> None:
    id = await archive.video()
    await archive.delete(id)

    async with archive.database.write() as transaction:
        await pipeline.failed(transaction, Job(kind="vod", object_id=id), JobFailed("crashing", ""))


@pytest.mark.parametrize(
    ("container", "length_s", "duration_s", "mended"),
    [("MPEG-TS", 25.0, 25.0, True), ("MPEG-TS", 13.0, 12.5, False), ("Matroska", 25.0, 12.5, False)],
)
def test_a_file_put_together_of_several_is_as_long_as_what_is_copied_of_it(
    container: str, length_s: float, duration_s: float, mended: bool
) -> None:
    found = module._joined(replace(FACTS, container=container), length_s)
    assert (found.duration_s, found.mended) == (duration_s, mended)
