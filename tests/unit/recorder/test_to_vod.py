"""A broadcast's end becomes a video row, and its files a presentation."""

from pathlib import Path

import pytest

from server.catalog import broadcasts, events, folders, libraries, live_events, live_streams, videos
from server.catalog.database import Database
from server.catalog.library_models import LibrarySettings
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.catalog.models import Broadcast as BroadcastRow
from server.catalog.organisation_models import Folder
from server.packager.presentation import NoSuchMediaError, Span, Stored
from server.recorder.to_vod import Recorder
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.unit.packager.publishing import Broadcast


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def broadcast(layout: Layout, seconds: float = 5, **publisher: object) -> None:
    """The files of the broadcast br1, ended."""
    with SegmentStore(layout) as store:
        on_air = Broadcast.on(store)
        if seconds:
            on_air.publisher(**publisher).connect().send(seconds)
        on_air.stream.end()
        on_air.written()


async def record(
    database: Database, layout: Layout, live: LiveStream | None = None, **stream: object
) -> tuple[Video | None, BroadcastRow]:
    """What the end of br1 leaves: the video, if any, and the broadcast."""
    async with database.write() as transaction:
        if live is None:
            live = LiveStream(**{"project_id": DEFAULT_PROJECT, "name": "News", "stream_key": "key", **stream})
            await live_streams.add(transaction, live)
        row = BroadcastRow(
            id="br1", project_id=DEFAULT_PROJECT, live_stream_id=live.id, protocol="rtmp", latency_mode="low",
            target_duration_s=4, state="ended",
        )  # fmt: skip
        await broadcasts.add(transaction, row)
        presentation = await Recorder(layout).record(transaction, row, live)
        assert (presentation is None) is (row.video_id is None)
    async with database.read() as transaction:
        found = await videos.find(transaction, row.video_id) if row.video_id else None
    return found, row


async def test_a_broadcast_becomes_a_video(database: Database, layout: Layout) -> None:
    broadcast(layout, 5)

    video, row = await record(database, layout)

    assert video
    assert (video.state, video.playable, video.source, video.broadcast_id) == ("done", True, "live", "br1")
    assert video.live_stream_id == row.live_stream_id
    assert video.title == f"News {row.started_at:%Y-%m-%d %H:%M}"
    assert video.duration_s == pytest.approx(5, abs=0.1)
    assert row.state == "recorded"
    async with database.read() as transaction:
        told = [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, video.id)]
    assert told == ["video.created", "video.done"]


async def test_it_takes_over_what_the_stream_says_of_itself(database: Database, layout: Layout) -> None:
    broadcast(layout)
    told = {"public": False, "tags": ["a", "b"], "meta": [{"key": "k", "value": "v"}], "player_id": "pl1"}

    video, _ = await record(database, layout, **told)

    assert video
    assert {name: getattr(video, name) for name in told} == told


@pytest.mark.parametrize("place", ["folder", "default", "no event"])
@pytest.mark.parametrize("player_id", [None, "pl1"])
async def test_a_recording_of_an_event_is_as_its_library_has_it(
    database: Database, layout: Layout, place: str, player_id: str | None
) -> None:
    """Its player is that of the event, where it has one."""
    broadcast(layout)
    async with database.write() as transaction:
        id = {"id": libraries.default_id(DEFAULT_PROJECT)} if place == "default" else {}
        library = await folders.add(transaction, Folder(project_id=DEFAULT_PROJECT, name="L", **id))
        inner = await folders.add(transaction, Folder(project_id=DEFAULT_PROJECT, name="F", parent_id=library.id))
        transaction.add(
            LibrarySettings(id=library.id, project_id=DEFAULT_PROJECT, privacy="nowhere", player_id="pl2")
        )
        live = LiveStream(id="li1", project_id=DEFAULT_PROJECT, name="N", stream_key="k", player_id=player_id)
        await live_streams.add(transaction, live)
        if place != "no event":
            put = {"record_parent_id": inner.id if place == "folder" else None}
            await live_events.put(transaction, live, put)

    video, _ = await record(database, layout, live=live)

    assert video
    assert video.public is (place == "no event")
    assert video.folder_id == (inner.id if place == "folder" else None)
    assert video.player_id == (player_id if place == "no event" else player_id or "pl2")


async def test_it_says_what_is_in_it(database: Database, layout: Layout) -> None:
    broadcast(layout)

    video, _ = await record(database, layout)

    assert video
    assert video.media
    pictures, sound = video.media["streams"]
    assert (pictures["kind"], pictures["codec"], pictures["width"], pictures["height"]) == (
        "video", "avc1.64001f", 1280, 720
    )  # fmt: skip
    assert (sound["kind"], sound["codec"], sound["sample_rate"], sound["channels"]) == (
        "audio", "mp4a.40.2", 48_000, 2
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["video", "audio"])
async def test_one_kind_of_media_is_enough(database: Database, layout: Layout, kind: str) -> None:
    broadcast(layout, 5, video=kind == "video", audio=kind == "audio")

    video, _ = await record(database, layout)

    assert video
    assert video.media
    assert [stream["kind"] for stream in video.media["streams"]] == [kind]
    assert Recorder(layout).presentation(Stored("vi1", "br1")).renditions == (kind,)


async def test_a_broadcast_without_media_leaves_no_video(database: Database, layout: Layout) -> None:
    broadcast(layout, 0)

    video, row = await record(database, layout)

    assert video is None
    assert (row.state, row.video_id) == ("ended", None)


async def test_what_can_not_be_read_fails_the_whole_end(database: Database, layout: Layout) -> None:
    """So that it is stated again, with the recording, when the disk can be read."""
    broadcast(layout)
    journal = layout.rendition("br1", "video").journal
    journal.rename(journal.with_name("away"))
    journal.mkdir()  # reading a folder is an OSError

    with pytest.raises(OSError):  # noqa: PT011
        await record(database, layout)
    async with database.read() as transaction:
        assert await broadcasts.get(transaction, "br1") is None


def test_a_rendition_of_gaps_is_left_out(layout: Layout) -> None:
    broadcast(layout, 5, audio=False)
    folder = layout.rendition("br1", "audio")
    folder.path.mkdir()
    text = layout.rendition("br1", "video").journal.read_text()
    folder.journal.write_text(text.replace('"gap":false', '"gap":true'))

    assert Recorder(layout).load("br1").renditions == ("video",)


def test_a_part_of_a_broadcast_is_listed_as_it_lies(layout: Layout) -> None:
    broadcast(layout, 11)

    whole, part = Recorder(layout).load("br1"), Recorder(layout).load("br1", Span(1, 3))

    assert whole.duration_s == pytest.approx(11, abs=0.1)
    assert part.duration_s == pytest.approx(6, abs=0.1)
    playlist = part.media("video")
    assert "#EXT-X-MEDIA-SEQUENCE:1\n" in playlist
    assert [line for line in playlist.splitlines() if line.endswith(".m4s")] == ["1.m4s", "2.m4s", "3.m4s"]
    assert playlist.count("#EXT-X-MAP") == 1
    assert part.segment("audio", 3).source == "audio/3"
    with pytest.raises(NoSuchMediaError):
        part.segment("video", 4)


def test_a_part_without_media_is_none(layout: Layout) -> None:
    broadcast(layout, 5)

    with pytest.raises(ValueError, match="no media"):
        Recorder(layout).load("br1", Span(7, 9))


def test_the_presentation_is_the_files(layout: Layout) -> None:
    broadcast(layout)
    presentation = Recorder(layout).presentation(Stored("vi1", "br1"))

    plan = presentation.segment("video", 1)
    path = layout.rendition("br1", "video").segment(1)

    assert plan.size == path.stat().st_size
    assert presentation.init("video") == layout.rendition("br1", "video").init(0).read_bytes()
    with pytest.raises(ValueError, match="no media"):
        Recorder(layout).presentation(Stored("vi1", "br2"))
