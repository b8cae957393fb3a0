"""A small origin for tests of the player alone: the built page under the product's Content-Security-Policy,
real media made by ffmpeg, and answers that a test scripts."""

import asyncio
import html
import json
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from server.web.embed import POLICY
from server.web.problems import type_of
from tests.harness.media import FOLDER, clip, ffmpeg

DIST = Path(__file__).parents[2] / "player" / "dist"

PLAYLIST = "application/vnd.apple.mpegurl"
LIVE_SEGMENT_S = 1


def hls_vod(*, captions: bool = False) -> Path:
    """A folder with a 20 s ladder of two heights in fMP4, the audio a rendition of its own."""
    return _made("player-vod", _make_vod)


def hls_pieces() -> Path:
    """A folder with 90 one-second segments, to be listed as if they were made now."""
    return _made("player-live", _make_pieces)


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """The folder, filled when it isn't there yet; never seen half filled."""
    folder = FOLDER / name
    if not folder.exists():
        making = FOLDER / f"making-{name}-{os.getpid()}"
        making.mkdir(parents=True, exist_ok=True)
        make(making)
        making.replace(folder)
    return folder


def _make_vod(folder: Path) -> None:
    ffmpeg(
        "-i", clip(20, size="640x360"), "-filter_complex", "[0:v]split[a][b];[a]scale=320:180[low];[b]copy[high]",
        "-map", "[low]", "-map", "[high]", "-map", "0:a", "-c:v", "libx264", "-preset", "ultrafast",
        "-b:v:0", "200k", "-b:v:1", "600k", "-maxrate:v:0", "250k", "-maxrate:v:1", "700k", "-bufsize", "800k",
        "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-c:a", "aac", "-b:a", "64k",
        "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
        "-hls_fmp4_init_filename", "init_%v.mp4", "-hls_segment_filename", folder / "s%v_%d.m4s",
        "-var_stream_map", "v:0,agroup:sound v:1,agroup:sound a:0,agroup:sound,default:yes",
        "-master_pl_name", "manifest.m3u8", folder / "r%v.m3u8",
    )  # fmt: skip
    captions = (
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",AUTOSELECT=YES,'
        'DEFAULT=NO,URI="subs.m3u8"\n#EXT-X-STREAM-INF'
    )
    master = (folder / "manifest.m3u8").read_text().replace("AUDIO=", 'SUBTITLES="subs",AUDIO=')
    (folder / "captioned.m3u8").write_text(master.replace("#EXT-X-STREAM-INF", captions, 1))
    (folder / "subs.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:20\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:20,\nsubs.vtt\n#EXT-X-ENDLIST\n"
    )
    (folder / "subs.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:15.000\nWater finds its way.\n")


def growing(*listed: str) -> "Answer":
    """The ladder's playlist with the pictures in `listed` alone, which says that more will come."""

    def answer(_: web.Request) -> web.StreamResponse:
        lines = (hls_vod() / "manifest.m3u8").read_text().splitlines()
        pairs = [(line, lines[at + 1]) for at, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF")]
        left_out = {line for pair in pairs for line in pair if pair[1] not in listed}
        text = "\n".join(line for line in lines if line not in left_out) + "\n"
        return web.Response(text=text, content_type=PLAYLIST, headers={"Sluice-Growing": "1"})

    return answer


def _make_pieces(folder: Path) -> None:
    ffmpeg(
        "-i", clip(90, gop_s=1), "-c", "copy", "-f", "hls", "-hls_time", str(LIVE_SEGMENT_S),
        "-hls_segment_type", "fmp4", "-hls_list_size", "0", "-hls_segment_filename", folder / "%d.m4s",
        folder / "v.m3u8",
    )  # fmt: skip


@dataclass(slots=True)
class Live:
    """A plain HLS live stream whose playlist grows with the clock, can stop growing, and can end."""

    broadcast: str = "b1"
    head_start: int = 12
    """segments that are there already when the stream is made"""
    began: float = field(default_factory=time.time)
    held_s: float = 0.0
    ended: bool = False
    _held_at: float | None = None

    def hold(self) -> None:
        """The publisher falls silent."""
        self._held_at = time.time()

    def go_on(self) -> None:
        assert self._held_at is not None
        self.held_s += time.time() - self._held_at
        self._held_at = None

    def count(self) -> int:
        now = self._held_at or time.time()
        return self.head_start + int((now - self.began - self.held_s) / LIVE_SEGMENT_S)

    def master(self) -> str:
        return (
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            '#EXT-X-STREAM-INF:BANDWIDTH=600000,RESOLUTION=320x180,FRAME-RATE=30.000,CODECS="avc1.42c00d,mp4a.40.2"\n'
            f"{self.broadcast}/v.m3u8\n"
        )

    def media(self) -> str:
        start = self.began - self.head_start * LIVE_SEGMENT_S
        lines = [
            "#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{LIVE_SEGMENT_S}", "#EXT-X-MEDIA-SEQUENCE:0",
            f"#EXT-X-SERVER-CONTROL:HOLD-BACK={3 * LIVE_SEGMENT_S:.1f}", '#EXT-X-MAP:URI="init.mp4"',
        ]  # fmt: skip
        for number in range(self.count()):
            at = time.gmtime(start + number * LIVE_SEGMENT_S)
            part = f"{(start % 1):.3f}"[1:]
            lines += [
                f"#EXT-X-PROGRAM-DATE-TIME:{time.strftime('%Y-%m-%dT%H:%M:%S', at)}{part}Z",
                f"#EXTINF:{LIVE_SEGMENT_S:.3f},",
                f"{number}.m4s",
            ]
        return "\n".join(lines + (["#EXT-X-ENDLIST"] if self.ended else [])) + "\n"


Answer = Callable[[web.Request], web.StreamResponse]


def not_ready(retry_after_s: float = 1) -> Answer:
    """202: there is nothing to play yet."""
    return lambda _: web.Response(status=202, headers={"Retry-After": f"{retry_after_s:g}"})


def picture(_: web.Request) -> web.StreamResponse:
    """A poster of one pixel."""
    return web.Response(body=b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\0;", content_type="image/gif")


def problem(status: int, code: str, title: str = "") -> Answer:
    """An error in the product's one shape."""
    body = {"type": type_of(code), "title": title or code, "status": status}
    return lambda _: web.json_response(body, status=status)


class Origin:
    """`async with Origin() as origin`: `origin.url`; `scripted[path]` is answered first, one answer per request."""

    def __init__(self) -> None:
        self.pages: dict[str, Mapping[str, Any]] = {}
        self.scripted: dict[str, deque[Answer]] = {}
        self.live: Live | None = None
        self.requests: list[str] = []
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        assert self._runner
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def add_vod(self, video: str = "vi1", **more: Any) -> str:
        """The path of a page that plays the ladder."""
        return self.add(video, {"kind": "vod", "live": False, "manifest": "/media/vod/manifest.m3u8", **more})

    def add_live(self, stream: str = "li1", **more: Any) -> str:
        return self.add(stream, {"kind": "live", "live": True, "manifest": "/media/live/manifest.m3u8", **more})

    def add(self, name: str, config: Mapping[str, Any]) -> str:
        defaults = {
            "id": name, "title": "", "poster": None, "latencyMode": "low", "targetLatency": None, "public": True,
        }  # fmt: skip
        self.pages[name] = config if "problem" in config else {**defaults, **config}
        return f"/embed/{name}"

    def script(self, path: str, *answers: Answer) -> None:
        self.scripted[path] = deque(answers)

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._script])
        app.router.add_get("/embed/{name}", self._page)
        app.router.add_static("/player", DIST)
        app.router.add_get("/media/vod/{file}", self._vod_file)
        app.router.add_get("/media/live/manifest.m3u8", self._live_master)
        app.router.add_get("/media/live/{broadcast}/v.m3u8", self._live_media)
        app.router.add_get("/media/live/{broadcast}/{file}", self._piece)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._runner
        await self._runner.cleanup()

    @web.middleware
    async def _script(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(request.path)
        waiting = self.scripted.get(request.path)
        answer: web.StreamResponse = waiting.popleft()(request) if waiting else await handler(request)
        return answer

    async def _page(self, request: web.Request) -> web.StreamResponse:
        config = json.dumps(self.pages[request.match_info["name"]])
        page = (DIST / "index.html").read_text().replace("__SLUICE_CONFIG__", html_safe(config))
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def _vod_file(self, request: web.Request) -> web.StreamResponse:
        return self._file(hls_vod(), request)

    async def _piece(self, request: web.Request) -> web.StreamResponse:
        return self._file(hls_pieces(), request)

    def _file(self, folder: Path, request: web.Request) -> web.StreamResponse:
        path = folder / request.match_info["file"]
        if not path.is_file():
            raise web.HTTPNotFound
        kind = PLAYLIST if path.suffix == ".m3u8" else "text/vtt" if path.suffix == ".vtt" else "video/mp4"
        return web.FileResponse(path, headers={"Content-Type": kind})

    async def _live_master(self, _: web.Request) -> web.StreamResponse:
        if self.live is None:
            return not_ready()(_)
        return web.Response(text=self.live.master(), content_type=PLAYLIST)

    async def _live_media(self, _: web.Request) -> web.StreamResponse:
        assert self.live
        return web.Response(text=self.live.media(), content_type=PLAYLIST, headers={"Cache-Control": "no-store"})


def html_safe(text: str) -> str:
    """JSON that can't end the element that holds it."""
    return text.replace("<", "\\u003c").replace("&", "\\u0026").replace(">", "\\u003e")


def frame(url: str, attributes: str = "") -> str:
    """A page of another site that embeds the player."""
    return f'<!doctype html><iframe src="{html.escape(url)}" width=640 height=360 {attributes}></iframe>'


async def main() -> None:
    """Serves the pages by hand: `python -m tests.player.origin`."""
    async with Origin() as origin:
        print(origin.url + origin.add_vod(title="A video"))  # noqa: T201
        origin.live = Live()
        print(origin.url + origin.add_live(title="A live stream"))  # noqa: T201
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main())
