"""Videos as files: the source, and progressive files that are put together of renditions."""

import os
from dataclasses import replace
from typing import Any

import pytest

from server.formats.fmp4.init import init_segment
from server.formats.fmp4.movie import read_index
from server.formats.fmp4.part import audio_part, video_part
from server.formats.sample import AudioConfig, VideoConfig
from server.media.orders import TIMESCALE
from server.playback.tokens import Limits
from server.storage.journal import TrackEntry
from server.storage.renditions import RenditionStore, entry
from server.vod import movies as module
from server.vod.plan import Plan
from server.web.hls import movies
from server.web.hls.gate import WATCHING
from tests.harness.mp4 import audio_entry, video_entry
from tests.unit.packager import publishing
from tests.unit.web.cinema import UPLOAD, Cinema
from tests.unit.web.kit import Client, problem

PICTURE = VideoConfig("avc1.42c00d", 90_000, 320, 240, video_entry())
SOUND = AudioConfig("mp4a.40.2", 48_000, 2, 1024, audio_entry())
SEGMENTS = 4  # of two seconds


def file(id: str, name: str) -> str:
    return f"/vod/{id}/mp4/{name}"


def write(cinema: Cinema, id: str, name: str, config: VideoConfig | AudioConfig, *, whole: bool = True) -> None:
    """A rendition of two runs, 30 pictures or 47 frames of sound a second; bytes of sample n are n."""
    store = RenditionStore(cinema.layout)
    store.describe(id, 1, name, init_segment(config), TrackEntry.of(config, 0, 0, 0, 30.0))
    for first, last in ((0, 2), (2, SEGMENTS)):
        with store.begin(id, 1, name, first) as run:
            for number in range(first, last):
                data, start, duration = segment(config, number)
                os.write(run.descriptor, data)
                run.add(entry(number, start, duration, config.timescale, len(data)))
    if whole:
        store.finish(id, 1, name)


def segment(config: VideoConfig | AudioConfig, number: int) -> tuple[bytes, int, int]:
    if isinstance(config, VideoConfig):
        begin = number * 60
        samples = [payload("v", begin + i) for i in range(60)]
        cts = [0, *([3000, -3000] * 30)][:60]  # two of each pair change places
        part = video_part(number + 1, begin * 3000, [3000] * 60, cts, [True] + [False] * 59, samples)
        return part, begin * 3000, 180_000
    begin, end = round(number * 93.75), round((number + 1) * 93.75)
    samples = [payload("a", i) for i in range(begin, end)]
    return audio_part(number + 1, begin * 1024, 1024, samples), begin * 1024, (end - begin) * 1024


def payload(kind: str, number: int) -> bytes:
    return f"{kind}{number:06}".encode() * (1 + number % 5)


def plan(cinema: Cinema, id: str) -> None:
    cuts = tuple(number * 2 * TIMESCALE for number in range(SEGMENTS + 1))
    path = cinema.layout.video_plan(id, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Plan(2.0 * SEGMENTS, cuts).to_bytes())


@pytest.fixture
async def encoded(cinema: Cinema) -> str:
    """A video with one encoded rendition and sound, and one of which more is to come."""
    id = await cinema.make_video(state="processing", playable=True, source="upload", title="A film")
    cinema.layout.video(id).mkdir(parents=True)
    plan(cinema, id)
    write(cinema, id, "240p", PICTURE)
    write(cinema, id, "480p", PICTURE, whole=False)
    write(cinema, id, "audio-aac", SOUND)
    return id


async def get(viewer: Client, path: str, **headers: str) -> tuple[int, bytes, Any]:
    response = await viewer.get(path, headers=headers)
    return response.status, await response.read(), response.headers


# --- progressive files


async def test_every_sample_is_where_the_file_says(encoded: str, viewer: Client) -> None:
    status, data, headers = await get(viewer, file(encoded, "240p.mp4"))

    assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "video/mp4", "bytes")
    assert headers["Cache-Control"] == "no-cache"
    assert int(headers["Content-Length"]) == len(data)
    index = read_index(lambda at, size: data[at : at + size], len(data))
    assert index.video is not None
    assert index.audio is not None
    for track, kind, count in ((index.video, "v", 240), (index.audio, "a", 375)):
        samples = track.samples
        assert len(samples) == count
        found = [data[at : at + size] for n in range(count) for at, size in samples.ranges(n, n + 1)]
        assert found == [payload(kind, number) for number in range(count)]
    shown = [index.video.shown(number) for number in range(240)]
    cts = [0, *([3000, -3000] * 30)][:60]
    expected = [number * 3000 + cts[number % 60] for number in range(240)]
    assert shown == expected
    assert list(index.video.keys) == [0, 60, 120, 180]
    assert [index.audio.shown(number) for number in (0, 374)] == [0, 374 * 1024]
    assert index.duration_s == pytest.approx(8, abs=0.05)


async def test_any_range_is_a_part_of_the_whole(encoded: str, viewer: Client) -> None:
    path = file(encoded, "240p.mp4")
    _, data, headers = await get(viewer, path)
    size = len(data)
    for wanted, (start, stop) in {
        "bytes=0-0": (0, 1),
        "bytes=0-": (0, size),
        "bytes=100-4999": (100, 5000),
        "bytes=4000-9000": (4000, 9001),
        "bytes=-77": (size - 77, size),
        f"bytes={size - 1}-": (size - 1, size),
        f"bytes=10-{size + 1000}": (10, size),
    }.items():
        status, part, answered = await get(viewer, path, Range=wanted)
        assert part == data[start:stop], wanted
        if wanted != "bytes=0-":
            assert (status, answered["Content-Range"]) == (206, f"bytes {start}-{stop - 1}/{size}")
    refused = await viewer.get(path, headers={"Range": f"bytes={size}-"})
    assert refused.headers["Content-Range"] == f"bytes */{size}"
    await problem(refused, 416, "range-not-satisfiable")
    changed = await get(viewer, path, Range="bytes=0-9", **{"If-Range": '"another"'})
    assert (changed[0], len(changed[1])) == (200, size)
    same = await get(viewer, path, Range="bytes=0-9", **{"If-Range": headers["ETag"]})
    assert (same[0], len(same[1])) == (206, 10)
    assert (await get(viewer, path, **{"If-None-Match": headers["ETag"]}))[:2] == (304, b"")
    head = await viewer.head(path)
    assert (head.status, head.headers["Content-Length"], await head.read()) == (200, str(size), b"")


async def test_sound_alone(encoded: str, viewer: Client) -> None:
    status, data, headers = await get(viewer, file(encoded, "audio.m4a"))

    index = read_index(lambda at, size: data[at : at + size], len(data))
    assert (status, headers["Content-Type"], data[8:12]) == (200, "audio/mp4", b"M4A ")
    assert index.video is None
    assert index.audio is not None
    assert len(index.audio.samples) == 375


async def test_what_is_not_whole_is_asked_for_again(encoded: str, viewer: Client, cinema: Cinema) -> None:
    response = await viewer.get(file(encoded, "480p.mp4"))
    assert (response.status, response.headers["Retry-After"]) == (202, "1")

    await cinema.change(encoded, state="done")
    viewer.app[WATCHING].presentations.forget(encoded)  # type: ignore[union-attr]

    for name in ("480p.mp4", "1080p.mp4", "240p.m4a", "audio.mp4"):
        await problem(await viewer.get(file(encoded, name)), 404, "resource-not-found")
    assert (await get(viewer, file(encoded, "240p.mp4")))[0] == 200


async def test_what_waits_for_its_upload_is_asked_for_again(cinema: Cinema, viewer: Client) -> None:
    pending, failed = await cinema.make_video(), await cinema.make_video(state="error")
    assert (await viewer.get(file(pending, "720p.mp4"))).status == 202
    await problem(await viewer.get(file(failed, "720p.mp4")), 404, "resource-not-found")


async def test_an_upload_is_called_as_its_pictures_are_large(cinema: Cinema, viewer: Client) -> None:
    """The passthrough, cut by its index, put together again."""
    id = await cinema.video()

    _, by_size, _ = await get(viewer, file(id, "240p.mp4"))
    _, by_name, _ = await get(viewer, file(id, "video.mp4"))

    assert by_size == by_name
    ours = read_index(lambda at, size: by_size[at : at + size], len(by_size))
    theirs = read_index(lambda at, size: UPLOAD[at : at + size], len(UPLOAD))
    for mine, source in zip(ours.tracks, theirs.tracks, strict=True):
        assert len(mine.samples) == len(source.samples)
        for n in range(0, len(mine.samples), 7):
            (at, size), (where, _) = mine.samples.ranges(n, n + 1)[0], source.samples.ranges(n, n + 1)[0]
            assert by_size[at : at + size] == UPLOAD[where : where + size]
            assert mine.shown(n) == source.shown(n)
    ranged = await get(viewer, file(id, "video.mp4"), Range="bytes=3000-12000")
    assert ranged[1] == by_size[3000:12001]


async def test_a_recording(cinema: Cinema, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "VIDEO", replace(publishing.VIDEO, sample_entry=video_entry()))
    id = await cinema.recording(9)

    _, data, headers = await get(viewer, file(id, "source.mp4?dl=1"))

    index = read_index(lambda at, size: data[at : at + size], len(data))
    assert headers["Content-Disposition"].startswith("attachment; ")
    assert (len(index.video.samples), len(index.audio.samples)) == (270, 422)  # type: ignore[union-attr]
    first = [data[at : at + 4] for at, _ in (index.video.samples.ranges(n, n + 1)[0] for n in range(270))]  # type: ignore[union-attr]
    assert first == [number.to_bytes(4, "big") for number in range(270)]
    assert index.duration_s == pytest.approx(9, abs=0.05)
    assert (await get(viewer, file(id, "720p.mp4")))[1] == data


async def test_the_head_is_made_once_and_outlives_a_restart(
    encoded: str, cinema: Cinema, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data, headers = await get(viewer, file(encoded, "240p.mp4"))
    folder = cinema.layout.video(encoded) / "mp4"
    (saved,) = folder.iterdir()

    def never(*_: object) -> None:
        raise AssertionError("it was made again")

    monkeypatch.setattr(module.progressive, "movie", never)
    viewer.app[movies.MOVIES]._kept.clear()  # type: ignore[union-attr]
    assert (await get(viewer, file(encoded, "240p.mp4")))[1] == data
    monkeypatch.undo()

    saved.write_bytes(saved.read_bytes()[:-1])
    viewer.app[movies.MOVIES]._kept.clear()  # type: ignore[union-attr]
    again = await get(viewer, file(encoded, "240p.mp4"))
    assert (again[1], again[2]["ETag"]) == (data, headers["ETag"])


async def test_heads_of_a_source_that_was_replaced_go(encoded: str, cinema: Cinema, viewer: Client) -> None:
    await get(viewer, file(encoded, "240p.mp4"))
    await cinema.change(encoded, revision=2)
    await get(viewer, file(encoded, "audio.m4a"))
    assert [path.name[:4] for path in (cinema.layout.video(encoded) / "mp4").iterdir()] == ["2-1-"]


async def test_nobody_waits_in_too_long_a_line(
    encoded: str, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    response = await viewer.get(file(encoded, "240p.mp4"))
    assert response.headers["Retry-After"] == "5"
    await problem(response, 503, "unavailable")


async def test_what_is_in_memory_is_bounded(encoded: str, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_CHUNKS", 5)
    for name in ("240p.mp4", "audio.m4a"):
        await get(viewer, file(encoded, name))
    kept = viewer.app[movies.MOVIES]._kept  # type: ignore[union-attr]
    assert [made.movie.renditions for made in kept.values()] == [("audio-aac",)]


async def test_a_film_whose_segments_vanish_breaks_off(
    encoded: str, cinema: Cinema, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole, _ = await get(viewer, file(encoded, "240p.mp4"))
    monkeypatch.setattr(module, "BLOCK_BYTES", 2048)
    RenditionStore(cinema.layout).path(encoded, 1, "240p", 2).unlink()

    with pytest.raises(Exception) as broken:  # noqa: PT011 - whichever the client makes of it
        await (await viewer.get(file(encoded, "240p.mp4"))).read()

    assert "payload" in str(broken.value).lower() or "disconnect" in str(broken.value).lower()
    assert len(whole) > 4096


# --- the source


async def test_the_file_itself(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(title='A "title"/with\r\nall: sörts')

    response = await viewer.get(file(id, "source.mp4"))
    ranged = await viewer.get(file(id, "source.mp4"), headers={"Range": "bytes=-10"})
    download = await viewer.get(file(id, "source.mp4?dl=1"))

    assert (await response.read(), response.headers["Content-Type"]) == (UPLOAD, "video/mp4")
    assert response.headers["Cache-Control"] == "no-cache"
    assert "Content-Disposition" not in response.headers
    assert (ranged.status, await ranged.read()) == (206, UPLOAD[-10:])
    assert download.headers["Content-Disposition"] == (
        'attachment; filename="A _title__with__all_ s_rts.mp4"; '
        "filename*=UTF-8''A%20_title__with__all_%20s%C3%B6rts.mp4"
    )


@pytest.mark.parametrize(
    ("head", "type_", "ending"),
    [
        (UPLOAD[:8] + b"qt  ", "video/quicktime", "mov"),
        (bytes.fromhex("1a45dfa39f4282847765626d"), "video/webm", "webm"),
        (bytes.fromhex("1a45dfa3a34282886d6174726f736b61"), "video/x-matroska", "mkv"),
        (b"FLV\x01", "video/x-flv", "flv"),
        (b"fLaC", "audio/flac", "flac"),
        (b"something", "application/octet-stream", "bin"),
    ],
)
async def test_a_source_is_called_what_it_is(
    cinema: Cinema, viewer: Client, head: bytes, type_: str, ending: str
) -> None:
    id = await cinema.video(title="Film")
    cinema.layout.video_source(id).write_bytes(head)

    _, data, headers = await get(viewer, file(id, "source.mp4?dl=1"))

    assert (data, headers["Content-Type"]) == (head, type_)
    assert headers["Content-Disposition"] == f'attachment; filename="Film.{ending}"'


async def test_files_are_not_given_out_where_they_may_not_or_can_not(cinema: Cinema, viewer: Client) -> None:
    without, pending = await cinema.video(mp4_support=False), await cinema.make_video()
    vanished = await cinema.video()
    cinema.layout.video_source(vanished).unlink()

    for id in (without, pending, vanished):
        response = await viewer.get(file(id, "source.mp4"))
        assert response.headers["Cache-Control"] == "no-store"
        await problem(response, 404, "resource-not-found")
    await problem(await viewer.get(file(without, "240p.mp4")), 404, "resource-not-found")


async def test_a_private_video_asks_for_a_token(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(public=False)
    for name in ("source.mp4", "240p.mp4", "audio.m4a"):
        await problem(await viewer.get(file(id, name)), 403, "playback-token-missing")
        assert (await viewer.get(f"/vod/{id}/token/{cinema.token(id)}/mp4/{name}")).status == 200
        assert (await viewer.get(f"{file(id, name)}?token={cinema.token(id)}")).status == 200


UHD = {"streams": [{"kind": "audio"}, {"kind": "video", "width": 3840, "height": 2160}]}
TALL = {"streams": [{"kind": "video", "width": 608, "height": 1080, "sar": [1, 1]}]}
SQUEEZED = {"streams": [{"kind": "video", "width": 1280, "height": 1080, "sar": [1, 2]}]}


@pytest.mark.parametrize(
    ("media", "most", "status"),
    [(UHD, 1080, 403), (UHD, 2160, 200), (TALL, 608, 200), (TALL, 607, 403), (SQUEEZED, 640, 200),
     ({"streams": [{"kind": "audio"}]}, 144, 200), ({"streams": [{"kind": "video"}]}, 4320, 403), (None, 4320, 403)],
)  # fmt: skip
async def test_a_file_that_is_better_than_all_that_is_made_of_it_is_not_given_out(
    cinema: Cinema, viewer: Client, media: dict[str, Any] | None, most: int, status: int
) -> None:
    id = await cinema.make_video(state="done", playable=True, source="upload", media=media)
    cinema.layout.video(id).mkdir(parents=True)
    cinema.layout.video_source(id).write_bytes(UPLOAD)
    plan(cinema, id)
    write(cinema, id, "240p", PICTURE)

    answers = [
        await viewer.get(f"/vod/{id}/token/{cinema.session(id, limits=Limits(**limits))}/mp4/source.mp4")
        for limits in ({"max_quality": most}, {})
    ]

    assert [answer.status for answer in answers] == [status, 200]
