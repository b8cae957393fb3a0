"""Joins of real files by real children: what comes of every kind of part, and of steps that a crash repeats."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import av
import pytest

from server.catalog import videos
from server.jobs.context import JobContext
from server.media.child import Children
from server.vod import joining
from server.vod.editing import JOB, Editing
from server.vod.edits import Edits
from server.vod.joining import Joining
from tests.harness import media
from tests.unit.vod.conftest import Archive

FIRST = media.clip(3, size="320x180", b_frames=2)
WHITE = ("-f", "lavfi", "-i", "color=white:size=32x32", "-frames:v", "1", "-pix_fmt", "rgba", "-f", "apng")
HEVC = ("-c:v", "libx265", "-x265-params", "log-level=none", "-preset", "ultrafast", "-tag:v", "hvc1")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
FIELDS = ("-vf", "tinterlace=interleave_top", "-flags", "+ildct+ilme", "-x264-params", "tff=1")
SURROUND = ("-ac", "6", "-ar", "44100", "-c:a", "ac3")


class CrashError(BaseException):
    """The process is gone."""


class Job:
    """Steps that are remembered over crashes; `dies` counts them down."""

    def __init__(self, object_id: str, arguments: Any) -> None:
        self.object_id = object_id
        self.arguments = arguments
        self.known: dict[str, Any] = {}
        self.progress_told: list[float] = []
        self.dies: str | None = None

    @property
    def context(self) -> JobContext:
        given = SimpleNamespace(
            object_id=self.object_id, arguments=self.arguments, step=self.step, progress=self.progress
        )
        return cast(JobContext, given)

    def progress(self, fraction: float, message: str | None = None) -> None:
        self.progress_told.append(fraction)

    async def step(self, name: str, work: Callable[[], Awaitable[Any]], **_: Any) -> Any:
        if name not in self.known:
            result = await work()
            if name == self.dies:
                self.dies = None
                raise CrashError  # done, and not remembered
            self.known[name] = result
        return self.known[name]


class Room:
    def __init__(self, archive: Archive, children: Children) -> None:
        self.archive = archive
        self.edits = Edits(archive.database, archive.layout, archive.enqueue)
        self.editing = Editing(archive.database, archive.layout, children, archive.enqueue, "ultrafast")
        self.joining = Joining(archive.database, archive.layout, children, archive.enqueue)

    async def ordered(self, *paths: Path, looks: Mapping[int, Mapping[str, Any]] = MappingProxyType({})) -> str:
        """`looks`: columns of some of the parts."""
        ids = [await self.archive.video(path.read_bytes(), state="done") for path in paths]
        async with self.archive.database.write() as transaction:
            parts = [part for id in ids if (part := await videos.find(transaction, id))]
            for number, part in enumerate(parts):
                part.source = "upload"
                for name, value in looks.get(number, {}).items():
                    setattr(part, name, value)
                if part.watermark:
                    media.ffmpeg(*WHITE, self.archive.layout.video_watermark(part.id))
            joined = await self.edits.concat(transaction, parts, None)
        return joined.id

    async def joined(
        self, *paths: Path, dies: Sequence[str] = (), looks: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    ) -> tuple[Path, list[float]]:
        """The file that is handed over, and the progress that was told."""
        id = await self.ordered(*paths, looks=looks)
        kind, arguments = self.archive.ordered[-1]
        assert kind == JOB
        await self.editing.run(Job(id, arguments).context)
        kind, arguments = self.archive.ordered[-1]
        assert kind == joining.JOB, (await self.archive.row(id)).error
        job = Job(id, arguments)
        for job.dies in dies:
            with pytest.raises(CrashError):
                await self.joining.run(job.context)
        await self.joining.run(job.context)
        assert self.archive.ordered[-1][0] == "vod"
        assert not self.archive.layout.video_inputs(id).exists()
        return self.archive.layout.video_source(id), job.progress_told


@pytest.fixture
async def room(archive: Archive) -> Any:
    async with Children(2) as children:
        yield Room(archive, children)


def times(path: Path) -> list[float]:
    """When each picture is shown."""
    with av.open(str(path)) as opened:
        return [float(frame.time or 0) for frame in opened.decode(video=0)]


def sound_s(path: Path) -> tuple[int, int, float]:
    """Rate and channels, and how long it is heard."""
    with av.open(str(path)) as opened:
        stream = opened.streams.audio[0]
        samples = sum(frame.samples for frame in opened.decode(stream))
        return stream.rate, stream.channels, samples / stream.rate


async def test_parts_of_every_kind_follow_the_first_one(room: Room, tmp_path: Path) -> None:
    fields = media.clip(3, size="480x360", fps=50, extension="ts", extra=(*FIELDS, *SURROUND))
    turned = tmp_path / "turned.mp4"
    source = media.clip(2, size="640x360", fps=24, audio=False)
    media.ffmpeg("-i", source, "-c", "copy", "-metadata:s:v", "rotate=90", turned)
    path, told = await room.joined(FIRST, fields, turned, FIRST)

    own = media.frame_hashes(FIRST)
    found = media.frame_hashes(path)
    assert (found[:90], found[-90:]) == (own, own)
    shown = times(path)
    assert len(shown) == len(found) == 90 + 75 + 48 + 90
    assert shown == sorted(set(shown))
    assert [shown[90], shown[165], shown[213]] == pytest.approx([3, 6, 8], abs=0.15)
    with av.open(str(path)) as opened:
        assert (opened.streams.video[0].width, opened.streams.video[0].height) == (320, 180)
    rate, channels, lasts_s = sound_s(path)
    assert (rate, channels, lasts_s) == (48_000, 2, pytest.approx(11, abs=0.2))
    assert len(told) > 5
    assert (max(told), told[-1]) == (pytest.approx(1), pytest.approx(1))


@pytest.mark.parametrize("turned", [False, True])
async def test_sound_of_one_rate_in_containers_of_other_clocks(room: Room, turned: bool) -> None:
    other = media.clip(2, size="180x320", fps=25, extension="webm", extra=VP9)
    path, _ = await room.joined(*((other, FIRST) if turned else (FIRST, other)))
    assert sound_s(path)[1:] == (2, pytest.approx(5, abs=0.1))


def luma(path: Path, picture: int, x: int, y: int) -> int:
    with av.open(str(path)) as opened:
        frame = next(frame for number, frame in enumerate(opened.decode(video=0)) if number == picture)
        return bytes(frame.planes[0])[y * frame.planes[0].line_size + x]


async def test_what_is_shown_otherwise_is_joined_as_it_is_shown(room: Room) -> None:
    """An upright part of the second, with bars beside it; a white square over the third."""
    upright = {"crop": {"width": "90px", "height": "180px", "left": "0px", "top": "0px"}}
    marked = {"watermark": {"id": "watermark_1", "left": "10px", "top": "10px"}}
    path, _ = await room.joined(FIRST, FIRST, FIRST, looks={1: upright, 2: marked})
    assert media.frame_hashes(path)[:90] == media.frame_hashes(FIRST)
    assert len(times(path)) == 270
    assert (luma(path, 120, 20, 90), luma(path, 120, 300, 90)) == (pytest.approx(16, abs=4), pytest.approx(16, abs=4))
    assert luma(path, 120, 160, 90) > 24
    assert luma(path, 210, 20, 20) == pytest.approx(235, abs=12)


async def test_where_the_first_is_no_h264_all_is_encoded(room: Room) -> None:
    first = media.clip(2, size="320x180", extra=HEVC)
    path, _ = await room.joined(first, FIRST)
    with av.open(str(path)) as opened:
        assert opened.streams.video[0].codec_context.name == "h264"
    assert len(media.frame_hashes(path)) == 60 + 90
    assert sound_s(path)[2] == pytest.approx(5, abs=0.1)


async def test_steps_that_are_repeated_change_nothing(room: Room) -> None:
    other = media.clip(2, size="180x320", fps=25, audio=False)
    undisturbed, _ = await room.joined(FIRST, other)
    again, _ = await room.joined(FIRST, other, dies=("pictures 1-0", "sound", "file", "hand over"))
    assert again.read_bytes() == undisturbed.read_bytes()


async def test_what_cannot_be_joined_says_so(room: Room, archive: Archive) -> None:
    id = await room.ordered(FIRST, media.clip(2, video=False, extension="m4a"))
    await room.editing.run(Job(id, archive.ordered[-1][1]).context)
    row = await archive.row(id)
    assert row.error
    assert (row.state, row.error["detail"]) == ("error", "videos[1]: it has no pictures, and others have")
    assert not archive.layout.video_inputs(id).exists()
