"""Images made by real children of real clips, looked at by decoding them again."""

import io
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import pytest

from server.formats.fmp4.movie import read_index
from server.media.calls import Images, images
from server.media.child import Children
from server.media.orders import Treatment
from server.media.problems import MediaProblem
from server.media.watermarks import Watermark
from server.packager.vod import IndexedVideo
from tests.harness.media import clip, ffmpeg

Where = tuple[dict[str, Any], list[int]]


@pytest.fixture(scope="module")
def film() -> Path:
    """Four seconds, each of a grey of its own, a key frame every two; B-frames in between."""
    path = clip(1).parent / "greys.mp4"
    if not path.exists():
        shade = "geq=lum='40+floor(T)*50':cb=128:cr=128"
        ffmpeg(
            "-f", "lavfi", "-i", "color=black:size=320x180:rate=10:duration=4", "-vf", shade, "-c:v", "libx264",
            "-preset", "veryfast", "-bf", "2", "-g", "20", "-sc_threshold", "0", "-pix_fmt", "yuv420p", path,
        )  # fmt: skip
    return path


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


@contextmanager
def stored(path: Path, kind: str, tmp_path: Path) -> Iterator[Where]:
    """The clip as an upload with an index or without, or as segments."""
    data = path.read_bytes()
    index = read_index(lambda at, size: data[at : at + size], len(data))
    fds: list[int] = []

    def opened(name: str, content: bytes) -> int:
        (tmp_path / name).write_bytes(content)
        fds.append(os.open(tmp_path / name, os.O_RDONLY))
        return fds[-1]

    try:
        source = opened("source", data)
        if kind == "file":
            yield {"kind": kind, "source": source}, fds
        elif kind == "indexed":
            yield {"kind": kind, "source": source, "index": opened("index", index.to_bytes())}, fds
        else:
            video = IndexedVideo(index, 2.0)
            plans = [video.segment("video", number) for number in range(2)]
            built = [plan.build([data[at : at + size] for at, size in plan.reads]) for plan in plans]
            init = opened("init", video.init("video"))
            segments = [(opened(f"{number}", each), 0, 2.0 * number) for number, each in enumerate(built)]
            yield {"kind": kind, "inits": [init], "segments": segments}, fds
    finally:
        for fd in fds:
            os.close(fd)


def thumbnail(at_s: float, exact: bool = False, **more: Any) -> dict[str, Any]:
    box = {"width": None, "height": None, "fit": "preserve"}
    return {"kind": "thumbnail", "at_s": at_s, "exact": exact, **box, **more}


def decoded(data: bytes, format: str | None = None) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(data), format=format) as opened:
        return list(opened.decode(video=0))


def grey(frame: av.VideoFrame) -> int:
    """The luma in the middle, in steps of the film's seconds."""
    plane = frame.reformat(64, 36, "gray").planes[0]
    return round((bytes(plane)[18 * plane.line_size + 32] - 40) / 50)


@pytest.mark.parametrize("kind", ["indexed", "file", "segments"])
async def test_pictures_at_a_time(children: Children, film: Path, tmp_path: Path, kind: str) -> None:
    with stored(film, kind, tmp_path) as (where, fds):
        seen = {}
        for at_s, exact in ((0.0, True), (1.5, True), (3.95, True), (99.0, True), (2.2, False)):
            made = await images(children, where, fds, thumbnail(at_s, exact), ["jpg"])
            assert isinstance(made, Images), made
            seen[at_s] = grey(decoded(made.files["jpg"], "mjpeg")[0])

    assert seen == {0.0: 0, 1.5: 1, 3.95: 3, 99.0: 3, 2.2: 2}


async def test_the_nearest_key_frame_may_come_after(children: Children, film: Path, tmp_path: Path) -> None:
    with stored(film, "indexed", tmp_path) as (where, fds):
        made = await images(children, where, fds, thumbnail(1.4), ["webp"])

    assert isinstance(made, Images)
    assert made.told["at_s"] == 2.0
    assert made.files["webp"][8:12] == b"WEBP"


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        ({}, (320, 180)),
        ({"width": 160}, (160, 90)),
        ({"height": 60}, (106, 60)),
        ({"width": 1000, "height": 1000}, (320, 180)),
        ({"width": 100, "height": 100, "fit": "crop"}, (100, 100)),
        ({"width": 100, "height": 100, "fit": "pad"}, (100, 100)),
        ({"width": 640, "height": 100, "fit": "stretch"}, (640, 100)),
    ],
)
async def test_sizes(
    children: Children, film: Path, tmp_path: Path, wanted: dict[str, Any], size: tuple[int, int]
) -> None:
    with stored(film, "indexed", tmp_path) as (where, fds):
        made = await images(children, where, fds, thumbnail(0, **wanted), ["jpg"])

    assert isinstance(made, Images)
    shown = decoded(made.files["jpg"], "mjpeg")[0]
    assert (shown.width, shown.height) == size


@pytest.mark.parametrize("kind", ["indexed", "segments"])
async def test_a_storyboard(children: Children, film: Path, tmp_path: Path, kind: str) -> None:
    order = {"kind": "storyboard", "times": [0.0, 2.0, 3.9]}
    with stored(film, kind, tmp_path) as (where, fds):
        made = await images(children, where, fds, order, ["jpg", "webp"])

    assert isinstance(made, Images)
    told = {name: made.told[name] for name in ("tile_width", "tile_height", "columns", "tiles")}
    assert told == {"tile_width": 192, "tile_height": 108, "columns": 3, "tiles": 3}
    sheet = decoded(made.files["jpg"], "mjpeg")[0].reformat(format="gray")
    assert (sheet.width, sheet.height) == (576, 108)
    row = bytes(sheet.planes[0])[54 * sheet.planes[0].line_size :]
    assert [round((row[x] - 40) / 50) for x in (96, 288, 480)] == [0, 2, 2]


@pytest.mark.parametrize("output", ["gif", "webp", "mp4"])
async def test_an_animated_preview(children: Children, film: Path, tmp_path: Path, output: str) -> None:
    order = {
        "kind": "animated", "start_s": 0.5, "end_s": 3.5, "width": 80, "height": None, "fit": "preserve", "fps": 5,
    }  # fmt: skip
    with stored(film, "indexed", tmp_path) as (where, fds):
        made = await images(children, where, fds, order, [output])

    assert isinstance(made, Images)
    assert made.told["pictures"] == 15
    assert made.files[output][: 12 if output == "webp" else 6].endswith(
        {"gif": b"GIF89a", "webp": b"WEBP", "mp4": b"ft"}[output]
    )
    if output != "webp":  # libav writes what it can't read
        shown = decoded(made.files[output], output)
        assert [grey(frame) for frame in shown] == [0] * 3 + [1] * 5 + [2] * 5 + [3] * 2


async def test_candidates_are_neither_flat_nor_many(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "mixed.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:size=320x180:rate=10:duration=2",
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=8",
        "-filter_complex", "concat", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", path,
    )  # fmt: skip
    order = {"kind": "candidates", "times": [float(second) for second in range(10)]}
    with stored(path, "indexed", tmp_path) as (where, fds):
        made = await images(children, where, fds, order, [])

    assert isinstance(made, Images)
    found = made.told["candidates"]
    assert len(found) == 5
    assert all(one["at_s"] >= 2 for one in found)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)


async def test_sound_has_no_picture(children: Children, tmp_path: Path) -> None:
    with stored(clip(2, video=False, extension="m4a"), "indexed", tmp_path) as (where, fds):
        made = await images(children, where, fds, thumbnail(0), ["jpg"])
        assert isinstance(made, MediaProblem)
        made = await images(children, {"kind": "file", "source": fds[0]}, fds, thumbnail(0), ["jpg"])
        assert isinstance(made, MediaProblem)


@pytest.mark.parametrize(
    "data", [b"", b"#EXTM3U\n", b"\xff\xd8\xff\xe0garbage", b"\x89PNG\r\n\x1a\n" + bytes(64)], ids=repr
)
async def test_what_is_no_picture(children: Children, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "picture").write_bytes(data)
    with (tmp_path / "picture").open("rb") as file:
        where = {"kind": "picture", "source": file.fileno()}
        made = await images(children, where, [file.fileno()], thumbnail(0), ["jpg"])

    assert isinstance(made, MediaProblem)


async def test_sound_alone_is_drawn(children: Children, tmp_path: Path) -> None:
    """Half a second of a tone, then silence."""
    path = tmp_path / "sound.m4a"
    tone = "sine=frequency=440:sample_rate=48000:duration=0.5"
    ffmpeg("-f", "lavfi", "-i", tone, "-af", "apad=whole_dur=2", "-c:a", "aac", path)
    with path.open("rb") as file:
        where = {"kind": "file", "source": file.fileno()}
        made = await images(children, where, [file.fileno()], {"kind": "waveform"}, ["jpg"])

    assert isinstance(made, Images), made
    shown = decoded(made.files["jpg"], "mjpeg")[0].reformat(format="gray")
    assert (shown.width, shown.height) == (1280, 720)
    row = bytes(shown.planes[0])[200 * shown.planes[0].line_size :][:1280]
    assert max(row[:310]) > 150
    assert max(row[360:]) < 60


async def test_the_best_of_candidates_makes_a_poster(children: Children, film: Path, tmp_path: Path) -> None:
    with stored(film, "file", tmp_path) as (where, fds):
        made = await images(children, where, fds, {"kind": "poster", "times": [0.5, 2.5]}, ["jpg"])

    assert isinstance(made, Images), made
    assert made.files["jpg"].startswith(b"\xff\xd8")


async def test_children_started_in_advance_do_one_piece_of_work_each(film: Path, tmp_path: Path) -> None:
    async with Children(2) as running:
        with stored(film, "indexed", tmp_path) as (where, fds):
            for _ in range(4):
                made = await images(running, where, fds, thumbnail(1.5, True), ["jpg"])
                assert isinstance(made, Images), made
                assert grey(decoded(made.files["jpg"], "mjpeg")[0]) == 1
                (ready,) = running._spares.values()
                assert len(ready) == 2
        pids = [spare.child.process.pid for spare in ready if spare.child.process]

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(
    ("extension", "source", "size", "seen"),
    [
        ("png", "color=red@0.5:size=40x20,format=rgba", (40, 20), (255, 0, 0, 128)),
        ("png", "color=white:size=41x21,format=gray,geq=lum=255", (41, 21), (255, 255, 255, 255)),
        ("jpg", "color=blue:size=30x30", (30, 30), (0, 0, 254, 255)),
        ("webp", "color=lime:size=16x8", (16, 8), (0, 255, 0, 255)),
        ("png", "color=black@0.0:size=7680x16,format=rgba", (3840, 8), (0, 0, 0, 0)),
    ],
)
async def test_a_watermark_becomes_a_png_that_can_be_seen_through(
    children: Children, tmp_path: Path, extension: str, source: str, size: tuple[int, int], seen: tuple[int, ...]
) -> None:
    path = tmp_path / f"mark.{extension}"
    ffmpeg("-f", "lavfi", "-i", source, "-frames:v", "1", path)
    with path.open("rb") as file:
        where = {"kind": "picture", "source": file.fileno()}
        made = await images(children, where, [file.fileno()], {"kind": "watermark"}, ["png"])

    assert isinstance(made, Images), made
    assert (made.told["width"], made.told["height"]) == size
    frame = decoded(made.files["png"], "png_pipe")[0]
    assert (frame.width, frame.height, frame.format.name) == (*size, "rgba")
    assert tuple(bytes(frame.planes[0])[:4]) == pytest.approx(seen, abs=3)


ALTERED = Treatment(crop=(80, 0, 160, 180), watermark=Watermark(right="0px", bottom="0px", width="25%"))


@pytest.mark.parametrize("kind", ["indexed", "file"])
@pytest.mark.parametrize("interlaced", [False, True])
async def test_stills_are_altered_as_their_video_is(
    children: Children, film: Path, tmp_path: Path, kind: str, interlaced: bool
) -> None:
    """The grey of the moment, cropped to an upright half, with a white mark in its corner."""
    ffmpeg("-f", "lavfi", "-i", "color=white:size=40x20", "-frames:v", "1", mark := tmp_path / "mark.png")
    with stored(film, kind, tmp_path) as (where, fds), mark.open("rb") as image:
        told = {**where, "treatment": asdict(replace(ALTERED, interlaced=interlaced)), "watermark": image.fileno()}
        shown = await images(children, told, [*fds, image.fileno()], thumbnail(1.5, True), ["jpg"])
        board = {"kind": "storyboard", "times": [0.0, 2.0]}
        sheet = await images(children, told, [*fds, image.fileno()], board, ["jpg"])

    assert isinstance(shown, Images), shown
    frame = decoded(shown.files["jpg"], "mjpeg")[0].reformat(format="gray")
    assert (frame.width, frame.height) == (160, 180)
    assert grey(frame) == 1
    plane = frame.planes[0]
    corner = bytes(plane)[170 * plane.line_size :][:160]
    assert min(corner[125:155]) > 230
    assert max(corner[:110]) < 120
    assert isinstance(sheet, Images), sheet
    tiles = decoded(sheet.files["jpg"], "mjpeg")[0].reformat(format="gray")
    assert tiles.width == 2 * sheet.told["tile_width"]
    last = bytes(tiles.planes[0])[(tiles.height - 4) * tiles.planes[0].line_size :][: tiles.width]
    assert last[sheet.told["tile_width"] - 6] > 220
    assert last[tiles.width - 6] > 220


async def test_a_still_without_its_watermark_is_none(children: Children, film: Path, tmp_path: Path) -> None:
    (tmp_path / "mark").write_bytes(b"rubbish")
    with stored(film, "indexed", tmp_path) as (where, fds), (tmp_path / "mark").open("rb") as image:
        told = {**where, "treatment": asdict(ALTERED), "watermark": image.fileno()}
        made = await images(children, told, [*fds, image.fileno()], thumbnail(0), ["jpg"])

    assert isinstance(made, MediaProblem)
