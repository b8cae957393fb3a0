"""Encoding of a source in children: times, seams, treatment, and what damage and rubbish come to."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.video.frame import VideoFrame

from server.formats.fmp4.movie import read_index
from server.media.child import ChildFailed, Children
from server.media.codings import CODINGS
from server.media.encoding import Encoded, encode_pictures, encode_sound
from server.media.ladder import Rung, Source, Wish, rungs
from server.media.orders import TIMESCALE, Described, PictureOrder, Reading, Segment, SoundOrder, Treatment
from server.media.watermarks import Watermark
from server.packager.vod_track import cut_tracks
from tests.harness import media

SECOND = TIMESCALE


class Shelf:
    """Files that children write, and what they said of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.described: dict[str, Described] = {}
        self.segments: list[Segment] = []

    @contextmanager
    def outputs(self, names: list[str]) -> Iterator[dict[str, int]]:
        with ExitStack() as stack:
            opened = {}
            for name in names:
                descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
                stack.callback(os.close, descriptor)
                opened[name] = descriptor
            yield opened

    async def pictures(
        self, source: Path, order: PictureOrder, index: bytes | None = None, image: Path | None = None
    ) -> Encoded:
        with ExitStack() as stack, self.outputs([rung.name for rung in order.rungs]) as outputs:
            opened = stack.enter_context(open(source, "rb"))
            mark = stack.enter_context(open(image, "rb")).fileno() if image else None
            at = None
            if index is not None:
                at = os.memfd_create("index")
                stack.callback(os.close, at)
                os.write(at, index)
            async with Children(1) as children:
                return await encode_pictures(
                    children, opened.fileno(), at, order, outputs, self._describe, self.segments.append, mark
                )

    async def sound(self, source: Path, order: SoundOrder) -> Encoded:
        with open(source, "rb") as opened, self.outputs([order.rendition]) as outputs:
            async with Children(1) as children:
                return await encode_sound(
                    children, opened.fileno(), None, order, outputs[order.rendition], self._describe,
                    self.segments.append,
                )  # fmt: skip

    def _describe(self, described: Described) -> None:
        self.described[described.rendition] = described

    def file(self, name: str) -> bytes:
        return self.described[name].init + (self.folder / name).read_bytes()

    def shown(self, name: str) -> list[VideoFrame]:
        with av.open(BytesIO(self.file(name)), "r") as opened:
            return list(opened.decode(video=0))

    def times_s(self, name: str) -> list[float]:
        frames = self.shown(name)
        return [round(float(frame.time or 0) - float(frames[0].time or 0), 3) for frame in frames]

    def of(self, name: str) -> list[tuple[int, int, int]]:
        return [(each.number, each.start, each.duration) for each in self.segments if each.rendition == name]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def small(*heights: int, size: tuple[int, int] = (320, 180), rate: float = 30.0) -> tuple[Rung, ...]:
    return rungs(Source(*size, frame_rate=rate), [Wish(height) for height in heights])


def cuts(*seconds: float) -> tuple[int, ...]:
    return tuple(round(each * SECOND) for each in seconds)


MOV = Reading("mov")


async def test_all_renditions_are_cut_at_the_same_times(shelf: Shelf) -> None:
    order = PictureOrder(MOV, small(180, 120), cuts(0, 2, 4, 5), 0)
    made = await shelf.pictures(media.clip(5, b_frames=2, audio=False), order)

    assert (made.pictures, made.damaged, made.problem) == (150, 0, None)
    expected = [(0, 0, 2 * SECOND), (1, 2 * SECOND, 2 * SECOND), (2, 4 * SECOND, SECOND)]
    assert shelf.of("180p") == shelf.of("120p") == expected
    assert [(frame.width, frame.height) for frame in shelf.shown("120p")[:1]] == [(214, 120)]
    assert shelf.times_s("180p") == [round(n / 30, 3) for n in range(150)]
    keys = [n for n, frame in enumerate(shelf.shown("180p")) if frame.key_frame]
    assert keys == [0, 60, 120]
    described = shelf.described["180p"]
    assert (described.width, described.height, described.codec[:5]) == (320, 180, "avc1.")


async def test_chunks_of_other_qualities_go_behind_one_init_segment(tmp_path: Path) -> None:
    """The first seconds do not wait for what their title needs."""
    source = media.clip(5, b_frames=2, audio=False)
    (plain,) = (replace(rung, finer=0) for rung in small(180))
    order = PictureOrder(MOV, (plain,), cuts(0, 2), 0)
    sizes, inits = [], []
    for number, (rung, first, part, quality) in enumerate([
        (plain, 0, cuts(0, 2), 23.0),
        (replace(plain, finer=7.0), 0, cuts(0, 2), 23.0),
        (plain, 0, cuts(0, 2), 16.0),
        (replace(plain, finer=7.0, bitrate=plain.bitrate // 2), 1, cuts(2, 4), 23.0),  # a later one, for a light title
    ]):  # fmt: skip
        folder = tmp_path / str(number)
        folder.mkdir()
        made = Shelf(folder)
        await made.pictures(source, replace(order, rungs=(rung,), cuts=part, first=first, quality=quality))
        sizes.append(made.segments[0].size)
        inits.append(made.described["180p"].init)
    assert sizes[0] * 1.2 < sizes[1] == sizes[2]
    assert inits == inits[:1] * 4


async def test_chunks_go_together_without_a_seam(shelf: Shelf, tmp_path: Path) -> None:
    """As the source's own index tells the times, and as libav does."""
    source = media.clip(5, b_frames=2, gop_s=1.5)
    content = source.read_bytes()
    index = read_index(lambda offset, size: content[offset : offset + size], len(content))
    indexed = Reading(indexed=True, offset=cut_tracks(index, 4.0)["video"].offset)
    whole = PictureOrder(MOV, small(180), cuts(0, 2, 4, 5), 0)
    for number, (reading, with_index) in enumerate([(indexed, index.to_bytes()), (MOV, None)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        chunked = Shelf(folder)
        for first, part in ((0, cuts(0, 2)), (1, cuts(2, 4, 5))):
            order = replace(whole, reading=reading, cuts=part, first=first)
            assert (await chunked.pictures(source, order, with_index)).problem is None
        assert [number for number, _, _ in chunked.of("180p")] == [0, 1, 2]
        assert chunked.times_s("180p") == [round(n / 30, 3) for n in range(150)]
        starts = [start for _, start, _ in chunked.of("180p")]
        ends = [start + duration for _, start, duration in chunked.of("180p")]
        assert starts[1:] == ends[:-1]


@pytest.mark.parametrize(("codec", "entry"), [("hevc", "hvc1."), ("av1", "av01.0.")])
async def test_other_codecs_have_the_same_seams(shelf: Shelf, codec: str, entry: str) -> None:
    source, coding = media.clip(5, b_frames=2, gop_s=1.5), CODINGS[codec]
    order = PictureOrder(
        MOV, small(180), cuts(0, 2), 0, encoder=coding.encoder, preset=coding.preset("ultrafast"),
        quality=coding.quality(28),
    )  # fmt: skip
    records = set()
    for first, part in ((0, cuts(0, 2)), (1, cuts(2, 4, 5))):
        made = await shelf.pictures(source, replace(order, cuts=part, first=first))
        assert made.problem is None
        assert shelf.described["180p"].codec.startswith(entry)
        records.add(shelf.described["180p"].init)
    assert len(records) == 1
    assert [(start, duration) for _, start, duration in shelf.of("180p")] == [
        (0, 2 * SECOND), (2 * SECOND, 2 * SECOND), (4 * SECOND, SECOND),
    ]  # fmt: skip
    assert shelf.times_s("180p") == [round(n / 30, 3) for n in range(150)]
    assert [n for n, frame in enumerate(shelf.shown("180p")) if frame.key_frame] == [0, 60, 120]


async def test_what_was_said_before_the_child_was_killed_is_whole(shelf: Shelf) -> None:
    """Killed at the second segment: what the file has beyond the segments that were told is nobody's."""
    source = media.clip(10, size="640x360", audio=False)
    order = PictureOrder(MOV, small(180), cuts(0, 2, 4, 6, 8, 10), 0)
    second = asyncio.Event()

    def take(segment: Segment) -> None:
        shelf.segments.append(segment)
        if segment.number == 1:
            second.set()

    with source.open("rb") as opened, shelf.outputs(["180p"]) as outputs:
        async with Children(1) as children:
            work = asyncio.create_task(
                encode_pictures(children, opened.fileno(), None, order, outputs, shelf._describe, take)
            )
            async with asyncio.timeout(30):
                await second.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
    told = sum(each.size for each in shelf.segments)
    with open(shelf.folder / "180p", "r+b") as file:
        assert file.seek(0, os.SEEK_END) >= told
        file.truncate(told)
    assert shelf.times_s("180p") == [round(n / 30, 3) for n in range(60 * len(shelf.segments))]


async def test_uneven_pictures_keep_their_times(shelf: Shelf) -> None:
    """Every third picture is missing, and for three seconds all are."""
    drop = "select='mod(n,3)*(lt(t,1)+gt(t,4))'"
    source = media.clip(5, audio=False, extra=("-vf", drop, "-fps_mode", "vfr"))
    order = PictureOrder(MOV, small(180), cuts(0, 2, 3, 5), 0)
    made = await shelf.pictures(source, order)
    assert made.problem is None
    assert [number for number, _, _ in shelf.of("180p")] == [0, 1, 2]
    assert [start / SECOND for _, start, _ in shelf.of("180p")] == [0, 2, 3]  # the last picture is shown again
    gaps = [round(b - a, 3) for a, b in pairwise(shelf.times_s("180p"))]
    assert set(gaps) <= {0.033, 0.067, 0.034, 0.066, 1.0} | {gap for gap in gaps if gap > 0.5}


@pytest.mark.parametrize(
    ("treatment", "size", "shown"),
    [
        (Treatment(rotation=90), (180, 320), (180, 320)),
        (Treatment(rotation=180), (320, 180), (320, 180)),
        (Treatment(crop=(10, 20, 160, 90)), (160, 90), (160, 90)),
        (Treatment(interlaced=True), (320, 180), (320, 180)),
    ],
)
async def test_pictures_are_treated_before_they_are_scaled(
    shelf: Shelf, treatment: Treatment, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    rung = rungs(Source(*size, frame_rate=30.0), [Wish(min(size))])
    order = PictureOrder(MOV, rung, cuts(0, 1), 0, treatment)
    made = await shelf.pictures(media.clip(1, audio=False), order)
    assert made.problem is None
    frames = shelf.shown(rung[0].name)
    assert (frames[0].width, frames[0].height) == shown
    assert len(frames) == 30


@pytest.mark.parametrize(
    ("pixels", "codec", "extension"),
    [
        ("yuv420p10le", ("-c:v", "libx264", "-profile:v", "high10"), "mkv"),
        ("yuva420p", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"), "webm"),
        ("yuv444p", ("-c:v", "ffv1"), "mkv"),
        ("rgb24", ("-c:v", "png"), "mkv"),
    ],
)
async def test_any_pixels_become_what_every_player_shows(
    shelf: Shelf, pixels: str, codec: tuple[str, ...], extension: str
) -> None:
    source = media.clip(1, audio=False, extension=extension, extra=(*codec, "-b:v", "300k", "-pix_fmt", pixels))
    made = await shelf.pictures(source, PictureOrder(Reading("matroska"), small(180), cuts(0, 1), 0))
    assert made.problem is None
    frames = shelf.shown("180p")
    assert {frame.format.name for frame in frames} == {"yuv420p"}
    assert len(frames) == 30


async def test_a_watermark_is_put_on(shelf: Shelf, tmp_path: Path) -> None:
    media.ffmpeg("-f", "lavfi", "-i", "color=white:size=40x20", "-frames:v", "1", image := tmp_path / "mark.png")
    treatment = Treatment(watermark=Watermark(right="0px", bottom="0px", width="50%"))
    order = PictureOrder(MOV, small(180), cuts(0, 1), 0, treatment)
    made = await shelf.pictures(media.clip(1, audio=False), order, image=image)
    assert made.problem is None
    for frame in shelf.shown("180p")[::10]:
        luma = frame.planes[0]
        row = bytes(luma)[luma.line_size * 150 :][:320]
        assert min(row[170:310]) > 220
        assert min(row[:150]) < 200


async def test_what_is_written_later_is_the_same(shelf: Shelf, tmp_path: Path) -> None:
    """A share that was cut off begins anew, without the rendition that is there, and leaves out segments that are."""
    media.ffmpeg("-f", "lavfi", "-i", "color=white:size=40x20", "-frames:v", "1", image := tmp_path / "mark.png")
    treatment = Treatment(watermark=Watermark(right="1px", width="33%"))
    both = PictureOrder(MOV, small(180, 120), cuts(0, 2, 4, 5), 0, treatment)
    later = replace(both, rungs=both.rungs[1:], begins=(1,), stage=(320, 180))
    source = media.clip(5, b_frames=2, audio=False)
    (again := Shelf(tmp_path / "again")).folder.mkdir()

    await shelf.pictures(source, both, image=image)
    await again.pictures(source, later, image=image)

    first = next(each for each in shelf.segments if each.rendition == "120p")
    assert (again.folder / "120p").read_bytes() == (shelf.folder / "120p").read_bytes()[first.size :]
    assert again.described["120p"] == shelf.described["120p"]
    assert again.of("120p") == shelf.of("120p")[1:]


async def test_a_disk_that_is_full_is_no_fault_of_the_file(shelf: Shelf) -> None:
    (shelf.folder / "180p").symlink_to("/dev/full")
    order = PictureOrder(MOV, small(180, 120), cuts(*range(0, 31, 2)), 0)
    with pytest.raises(ChildFailed, match="crashed") as failed:
        await shelf.pictures(media.clip(30, audio=False), order)
    assert "No space left" in failed.value.stderr


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"#EXTM3U\nhttp://127.0.0.1/a.ts\n"])
async def test_a_watermark_that_is_no_picture_is_said(shelf: Shelf, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mark").write_bytes(content)
    order = PictureOrder(MOV, small(180), cuts(0, 1), 0, Treatment(watermark=Watermark()))
    made = await shelf.pictures(media.clip(1, audio=False), order, image=tmp_path / "mark")
    assert made.problem is not None
    assert "watermark" in made.problem.detail
    assert shelf.segments == []


async def test_high_dynamic_range_becomes_standard(shelf: Shelf) -> None:
    """10 bits of PQ in HEVC, all of paper white, as an MP4 says it."""
    pq = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
    white = f"geq=lum=573:cb=512:cr=512,{pq}"
    source = media.clip(
        1, size="160x90", fps=10, audio=False,
        extra=("-pix_fmt", "yuv420p10le", "-vf", f"format=yuv420p10le,{white}", "-c:v", "libx265", "-tag:v", "hvc1"),
    )  # fmt: skip
    rung = small(90, size=(160, 90), rate=10.0)
    made = await shelf.pictures(source, PictureOrder(MOV, rung, cuts(0, 1), 0, Treatment(hdr="pq")))
    assert made.problem is None
    for frame in shelf.shown("90p"):
        assert 205 <= bytes(frame.planes[0])[80] <= 220
        assert (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)) == (1, 1, 1)


async def test_damage_in_the_middle_is_passed_over(shelf: Shelf, tmp_path: Path) -> None:
    content = bytearray(media.clip(4, audio=False, extension="ts").read_bytes())
    middle = len(content) // 2 // 188 * 188
    content[middle : middle + 188 * 40] = os.urandom(188 * 40)
    source = tmp_path / "damaged.ts"
    source.write_bytes(content)
    made = await shelf.pictures(source, PictureOrder(Reading("mpegts", start_s=1.4), small(180), cuts(0, 2, 4), 0))
    assert made.problem is None
    assert [number for number, _, _ in shelf.of("180p")] == [0, 1]
    assert 60 < made.pictures <= 120


async def test_pictures_that_become_too_large_are_left_out(shelf: Shelf, tmp_path: Path) -> None:
    """Each that a decoder keeps would take 57 MB; of those that libav would take, 400."""
    usual = media.clip(1, audio=False, extension="ts")
    large = media.clip(0.04, size="8192x4608", audio=False, extension="ts", extra=("-output_ts_offset", "1"))
    source = tmp_path / "grows.ts"
    source.write_bytes(usual.read_bytes() + large.read_bytes())
    made = await shelf.pictures(source, PictureOrder(Reading("mpegts", start_s=1.4), small(180), cuts(0, 2), 0))
    assert (made.pictures, made.problem) == (30, None)
    assert made.damaged == 1


async def test_a_file_put_together_of_two_is_shown_whole(shelf: Shelf, tmp_path: Path) -> None:
    """Its clock begins anew after four seconds; chunks find their place by what came before."""
    part = media.clip(4, extension="ts", extra=("-c:v", "mpeg2video", "-c:a", "mp2")).read_bytes()
    source = tmp_path / "joined.ts"
    source.write_bytes(part + part)
    reading = Reading("mpegts", 0, start_s=1.4 + 1 / 30, mended=True)  # of the first picture
    whole = PictureOrder(reading, small(180), cuts(0, 2, 4), 0)
    for order in (whole, replace(whole, cuts=cuts(4, 6, 8), first=2)):
        made = await shelf.pictures(source, order)
        assert (made.problem, made.damaged) == (None, 0)
    assert [start / SECOND for _, start, _ in shelf.of("180p")] == pytest.approx([0, 2, 4, 6], abs=0.04)
    frames = shelf.shown("180p")
    assert len(frames) == 240
    assert [bytes(frame.planes[0])[:2000] for frame in frames[:120:30]] != [bytes(frames[119].planes[0])[:2000]] * 4

    made = await shelf.sound(source, SoundOrder(replace(reading, stream=1), cuts(0, 2, 4, 6, 8), "aac", length_s=8.0))
    assert made.problem is None
    assert sum(duration for _, _, duration in shelf.of("aac")) / 48_000 == pytest.approx(8, abs=0.1)


async def test_nothing_to_decode_is_said(shelf: Shelf, tmp_path: Path) -> None:
    source = tmp_path / "rubbish.mp4"
    source.write_bytes(b"\0\0\0\x18ftypisom" + os.urandom(5000))
    made = await shelf.pictures(source, PictureOrder(MOV, small(180), cuts(0, 2), 0))
    assert made.problem is not None
    assert made.problem.code == "invalid"
    assert shelf.segments == []


async def test_sound_is_cut_with_the_pictures(shelf: Shelf) -> None:
    source = media.clip(5, video=False, extension="mp3", extra=("-c:a", "libmp3lame"))
    with av.open(str(source)) as opened:
        start_s = float(opened.streams.audio[0].start_time or 0) * float(opened.streams.audio[0].time_base or 0)
    order = SoundOrder(Reading("mp3", start_s=start_s), cuts(0, 2, 4, 5), "aac")
    made = await shelf.sound(source, order)
    assert made.problem is None
    starts = [start / 48_000 for _, start, _ in shelf.of("aac")]
    assert starts == pytest.approx([0, 2, 4], abs=0.011)
    with av.open(BytesIO(shelf.file("aac")), "r") as heard:
        frames = list(heard.decode(audio=0))
    assert sum(frame.samples for frame in frames) / 48_000 == pytest.approx(5, abs=0.06)
    assert shelf.described["aac"].channels == 2


async def test_sound_may_go_on_long_behind_the_pictures(shelf: Shelf) -> None:
    """Five minutes of it, of two seconds of pictures: a line for each segment comes to be said."""
    source = media.clip(300, video=False, extension="wav", extra=("-c:a", "pcm_s16le", "-ac", "1", "-ar", "48000"))
    made = await shelf.sound(source, SoundOrder(Reading("wav"), cuts(0, 2), "aac", channels=1, length_s=300.0))
    assert made.problem is None
    assert len(shelf.segments) > 140
    assert sum(duration for _, _, duration in shelf.of("aac")) / 48_000 == pytest.approx(300, abs=0.06)


async def test_a_hole_in_the_sound_is_silence(shelf: Shelf) -> None:
    mute = ("-af", "aselect='lt(t,1)+gt(t,2)'")
    source = media.clip(3, video=False, extension="mkv", extra=(*mute, "-c:a", "pcm_s16le"))
    made = await shelf.sound(source, SoundOrder(Reading("matroska"), cuts(0, 2, 3), "aac", channels=1))
    assert made.problem is None
    assert sum(duration for _, _, duration in shelf.of("aac")) / 48_000 == pytest.approx(3, abs=0.06)


async def test_what_is_there_already_is_not_written_again(shelf: Shelf, tmp_path: Path) -> None:
    source = media.clip(5, video=False, extension="wav", extra=("-c:a", "pcm_s16le"))
    order = SoundOrder(Reading("wav"), cuts(0, 2, 4, 5), "aac")
    await shelf.sound(source, order)
    (tmp_path / "again").mkdir()
    again = Shelf(tmp_path / "again")
    await again.sound(source, replace(order, first=1))
    assert again.segments == shelf.segments[1:]
    assert (shelf.folder / "aac").read_bytes().endswith((again.folder / "aac").read_bytes())
