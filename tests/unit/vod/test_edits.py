"""What an edit is asked for: the times, and what becomes of the rows."""

from typing import Any, cast

import pytest

from server import clock
from server.catalog import projects, sandboxes, versions, videos
from server.catalog.models import Project, Video
from server.catalog.versions import NotNow
from server.media.child import Children
from server.vod.edits import Edits, Span, SpanError, span_of
from server.vod.posters import Posters
from tests.unit.vod.conftest import Archive


@pytest.mark.parametrize(
    ("start_s", "end_s", "duration_s", "span"),
    [
        (0, None, 10, Span(0, None)),
        (2, 5, 10, Span(2, 5)),
        (-3, None, 10, Span(7, None)),
        (-30, -2, 10, Span(0, 8)),
        (2, 12, 10, Span(2, None)),
        (2, 12, None, Span(2, 12)),
    ],
)
def test_times_count_from_either_end(
    start_s: float, end_s: float | None, duration_s: float | None, span: Span
) -> None:
    assert span_of(start_s, end_s, duration_s) == span


@pytest.mark.parametrize(
    ("start_s", "end_s", "duration_s", "name", "sentence"),
    [
        (10, None, 10, "start", "The video is 10.000 s long."),
        (5, 5, 10, "end", "The end must lie after the start."),
        (5, -6, 10, "end", "The end must lie after the start."),
        (-1, None, None, "end", "The end must lie after the start."),
    ],
)
def test_times_that_leave_nothing(
    start_s: float, end_s: float | None, duration_s: float | None, name: str, sentence: str
) -> None:
    with pytest.raises(SpanError, match=sentence) as caught:
        span_of(start_s, end_s, duration_s)
    assert caught.value.name == name


async def done(archive: Archive) -> str:
    return await with_source(archive, await archive.video(state="done", playable=True, duration_s=10.0))


async def with_source(archive: Archive, id: str) -> str:
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        video.source = "upload"
    return id


async def test_a_version_is_shown_in_one_step_and_the_old_put_aside(archive: Archive) -> None:
    id = await done(archive)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        version = await versions.new(transaction, video, versions.REPLACE)
        version.state, version.playable, version.duration_s = "processing", True, 5.0
        await versions.came_on(transaction, version)
        assert (video.material, video.state, video.duration_s, video.revision) == (version.id, "processing", 5.0, 2)
        version.state = "done"
        await versions.came_on(transaction, version)
        assert video.state == "done"
        assert [each["material"] for each in video.previous or ()] == [id]
    assert await archive.event_types(id) == [
        "video.created", "video.version.created", "video.processing", "video.updated", "video.done",
    ]  # fmt: skip


async def test_one_that_fails_after_it_was_shown_gives_way_again(archive: Archive) -> None:
    id = await done(archive)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        version = await versions.new(transaction, video, versions.REPLACE)
        version.state, version.playable, version.duration_s = "processing", True, 5.0
        await versions.came_on(transaction, version)
        await versions.refused(transaction, version)
        await videos.move(transaction, version, "error")
        assert (video.material, video.state, video.duration_s, video.revision) == (id, "done", 10.0, 3)
        assert version.deletes_at is not None
    assert (await archive.event_types(id))[-1] == "video.version.error"


@pytest.mark.parametrize("meanwhile", [False, True])
async def test_a_poster_that_is_chosen_while_a_version_is_made_stays(archive: Archive, meanwhile: bool) -> None:
    """One that was chosen before gives way to the version's picture of that moment."""
    id = await done(archive)
    posters = Posters(archive.database, archive.layout, cast(Children, archive.children))
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        await posters.choose(transaction, video, b"at one second", 1.0)
        version = await versions.new(transaction, video, versions.TRIM, trim={"start": 1.0, "end": None, "of": id})
        if meanwhile:
            await posters.choose(transaction, video, b"at two seconds", 2.0)
        version.state, version.playable, version.poster_at = "done", True, clock.now()
        await versions.came_on(transaction, version)
    row = await archive.row(id)
    assert (row.material, row.poster_given) == (version.id, meanwhile)
    assert (row.poster_at == version.poster_at) is not meanwhile


MARK, CROP = {"id": "watermark_1", "opacity": 1.0}, {"left": "0px", "top": "0px", "width": "50%", "height": "50%"}


@pytest.mark.parametrize("fails", [False, True])
async def test_a_version_brings_its_looks_and_takes_them_away_again(archive: Archive, fails: bool) -> None:
    id = await done(archive)
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        video.watermark = MARK
        version = await edits.remake(transaction, video, {"crop": CROP, "watermark": None})
        assert (version.crop, version.watermark, video.crop, video.watermark) == (CROP, None, None, MARK)
        version.edit = {**(version.edit or {}), "wait": False}
        version.state, version.playable = "processing", True
        await versions.came_on(transaction, version)
        assert (video.crop, video.watermark) == (CROP, None)
        if fails:
            await versions.refused(transaction, version)
            assert (video.crop, video.watermark, video.altered) == (None, MARK, True)


async def test_what_is_left_out_stays_as_it_is(archive: Archive) -> None:
    id = await done(archive)
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        video.watermark, video.crop = MARK, CROP
        version = await edits.remake(transaction, video, {"crop": None})
        assert (version.crop, version.watermark) == (None, MARK)
        assert version.shares_with == id  # one file on disk


@pytest.mark.parametrize("wished", [None, MARK])
async def test_a_version_in_a_sandbox_bears_the_mark_whatever_was_wished(
    archive: Archive, wished: dict[str, Any] | None
) -> None:
    async with archive.database.write() as transaction:
        project = await projects.add(transaction, Project(name="Try", sandbox=True))
    id = await with_source(archive, await archive.video(state="done", playable=True, project_id=project.id))
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        version = await edits.remake(transaction, video, {"watermark": wished})
        assert version.watermark == sandboxes.MARK


async def test_a_recording_that_is_shown_whole_again_is_as_large_as_before(archive: Archive) -> None:
    recorded = {"broadcast_id": "br1", "source_bytes": 1000, "media": {"picture": 1}}
    id = await archive.video(state="done", playable=True, duration_s=10.0, **recorded)
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        for _ in range(2):
            version = await edits.trim(transaction, video, 2, 5)
            version.state, version.playable, version.source_bytes = "done", True, 300
            await versions.came_on(transaction, version)
            assert video.source_bytes == 300
        await edits.untrim(transaction, video)
        assert (video.trim, video.source_bytes, video.media) == (None, 1000, {"picture": 1})


async def test_a_newer_version_goes_before_one_on_its_way(archive: Archive) -> None:
    id = await done(archive)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        first = await versions.new(transaction, video, versions.REPLACE)
        second = await versions.new(transaction, video, versions.REPLACE)
        first.state, first.playable = "processing", True
        await versions.came_on(transaction, first)
        assert (video.material, first.deletes_at is not None, second.deletes_at) == (id, True, None)


async def test_a_trim_on_its_way_is_taken_back(archive: Archive) -> None:
    id = await done(archive)
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        version = await edits.trim(transaction, video, 2, 5)

        assert await edits.untrim(transaction, video) is video

        assert version.deletes_at is not None
        version.state, version.playable = "done", True
        await versions.came_on(transaction, version)
        assert (video.material, video.trim) == (id, None)
        with pytest.raises(NotNow, match="not trimmed"):
            await edits.untrim(transaction, video)


async def test_a_trim_that_failed_is_none(archive: Archive) -> None:
    id = await done(archive)
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        (await edits.trim(transaction, video, 2, 5)).state = "failed"
        with pytest.raises(NotNow, match="not trimmed"):
            await edits.untrim(transaction, video)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"state": "processing", "source": "upload"}, "still being processed"),
        ({"state": "done", "source": "live", "broadcast_id": "br1"}, "Only a video that was uploaded"),
    ],
)
async def test_not_every_video_can_be_edited(archive: Archive, fields: dict[str, str], sentence: str) -> None:
    with pytest.raises(NotNow, match=sentence):
        versions.check(Video(**fields))


async def test_a_clip_is_ordered_of_a_link(archive: Archive) -> None:
    id = await done(archive)
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        clip = await edits.clip(transaction, video, Span(1, 2), None)
    assert (clip.title, clip.state, clip.shares_with) == ("a video (clip)", "pre-processing", None)
    assert archive.ordered == [("edit", {"inputs": 1, "start": 1, "end": 2})]
    assert archive.layout.video_input(clip.id, 0).read_bytes() == b"an upload"


async def test_what_has_no_file_leaves_no_order(archive: Archive) -> None:
    id = await with_source(archive, await archive.video(source=None, state="done"))
    edits = Edits(archive.database, archive.layout, archive.enqueue)
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        with pytest.raises(NotNow):
            await edits.remake(transaction, video)
    assert archive.ordered == []
