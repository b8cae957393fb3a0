"""Watching over real HTTP: assets of a real catalogue, real windows, files and indexes; publishers are arithmetic."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

import pytest
from aiohttp import ClientResponse, web

from server import ids
from server.catalog import live_streams, videos
from server.catalog.database import Database
from server.formats.fmp4.movie import read_index
from server.ingest.broadcasts import Broadcasts
from server.ingest.on_air import OnAir
from server.media.child import ChildFailed, Children
from server.packager.live import LivePackager, LiveSettings
from server.playback.themes import Themes
from server.playback.tokens import Minted, Tokens
from server.recorder.to_vod import Recorder
from server.storage.image_cache import ImageCache
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
from server.storage.segments import SegmentStore
from server.stream.stream import Stream
from server.vod.images import Images
from server.vod.movies import Movies
from server.vod.posters import Posters
from server.vod.presentations import Presentations, uploaded
from server.vod.texts import Texts
from server.web import dash, embed
from server.web.api.text_tracks import TEXTS
from server.web.hls import annotations, captions, images, live, movies, quick, texts, vod
from server.web.hls.gate import WATCHING, Watching
from server.web.rates import Rates
from server.web.services import Services
from tests.harness.mp4 import FakeTrack, mp4
from tests.unit.packager.publishing import Publisher
from tests.unit.web.kit import Client, Connect, Make, door

PAGE = '<!doctype html><script type="application/json" id="sluice-config">__SLUICE_CONFIG__</script>'
UPLOAD = mp4(FakeTrack(count=300, sync=range(1, 300, 60)), FakeTrack("audio", 480, 20, 48_000, delta=1024))  # 10 s
JPEG = b"\xff\xd8a picture\xff\xd9"


@dataclass
class FakeBroadcasts:
    """What is on air, by live stream."""

    shown: dict[str, OnAir] = field(default_factory=dict)

    def get(self, live_stream_id: str) -> OnAir | None:
        return self.shown.get(live_stream_id)

    def all(self) -> Iterable[OnAir]:
        return self.shown.values()


@dataclass
class FakePosters:
    """Live posters: a picture, or None."""

    picture: bytes | None = JPEG
    segments: list[bytes] = field(default_factory=list)

    async def live(self, broadcast_id: str, init: bytes, read: Callable[[], Awaitable[bytes]]) -> bytes | None:
        self.segments.append(await read())
        return self.picture


IMAGES_PER_MINUTE = 20


@dataclass
class FakeChildren:
    """Makers of images: `orders` are what they were told to make, and each file is its own name."""

    orders: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, Any] = field(
        default_factory=lambda: {"at_s": 0.0, "tile_width": 192, "tile_height": 108, "columns": 10, "tiles": 10}
    )
    problem: str | None = None
    failure: ChildFailed | None = None
    meanwhile: Callable[[], Awaitable[None]] | None = None  # happens while the child runs
    waiting: int = 0

    async def run(
        self, module: str, arguments: dict[str, Any], fds: Sequence[int], *, on_line: Callable[..., None], **_: object
    ) -> None:
        assert module == "server.media.images"
        for fd in fds:
            os.fstat(fd)  # open
        self.orders.append({"where": arguments["where"]["kind"], **arguments["make"]})
        if self.meanwhile:
            await self.meanwhile()
        if self.failure:
            raise self.failure
        if self.problem:
            on_line({"event": "problem", "code": "invalid", "detail": self.problem})
            return
        for name, fd in arguments["outputs"].items():
            os.write(fd, f"{name} of {len(self.orders)}".encode())
        on_line({"event": "made", **self.told})


class Cinema:
    """Everything to be watched, and who may."""

    def __init__(
        self, database: Database, store: SegmentStore, tokens: Tokens, make_video: Make, make_live: Make
    ) -> None:
        self.database = database
        self.store = store
        self.layout = store.layout
        self.tokens = tokens
        self.broadcasts = FakeBroadcasts()
        self.posters = FakePosters()
        self.children = FakeChildren()
        self.make_video = make_video
        self.make_live = make_live

    async def video(self, **fields: Any) -> str:
        """An upload that can be watched."""
        known = {"state": "done", "playable": True, "source": "upload", "duration_s": 10.0}
        id = await self.make_video(**{**known, **fields})
        self.layout.video(id).mkdir(parents=True)
        self.layout.video_source(id).write_bytes(UPLOAD)
        index = read_index(lambda offset, size: UPLOAD[offset : offset + size], len(UPLOAD))
        self.layout.video_index(id).write_bytes(index.to_bytes())
        return id

    def images(self, presentations: Presentations) -> Images:
        children = cast(Children, self.children)
        return Images(self.database, self.layout, children, presentations, ImageCache(self.layout, 1 << 20))

    async def on_air(self, seconds: float = 5, mode: str = "low", window_s: float = 1800, **fields: Any) -> "Air":
        """A live stream, and a broadcast of it with so much media."""
        id = await self.make_live(state="broadcasting", latency_mode=mode, **fields)
        stream = Stream(broadcast_id := ids.new("br"))
        packager = LivePackager(id, broadcast_id, LiveSettings.of(mode, dvr_window_s=window_s), self.store)
        stream.attach(packager)
        on_air = OnAir(
            live_stream_id=id, broadcast_id=broadcast_id, state="live", reconnect_window_s=60, stream=stream,
            packager=packager,
        )  # fmt: skip
        self.broadcasts.shown[id] = on_air
        air = Air(self, on_air, Publisher(stream))
        if seconds:
            air.publisher.connect().send(seconds)
        return air

    async def recording(self, seconds: float = 5, **fields: Any) -> str:
        """The video of a broadcast that has ended."""
        air = await self.on_air(seconds)
        air.end()
        del self.broadcasts.shown[air.id]
        return await self.make_video(
            **{"state": "done", "playable": True, "source": "live", "broadcast_id": air.broadcast_id, **fields}
        )

    def token(self, id: str, **more: Any) -> str:
        return self.tokens.mint(id, **more).token

    def session(self, id: str, **more: Any) -> str:
        """A session token, as an opening one is exchanged for."""
        grant = self.tokens.verify(self.tokens.mint(id, **more).token, id)
        minted: Minted = self.tokens.mint_session(grant)
        return minted.token

    async def change(self, id: str, **fields: Any) -> None:
        find: Any = videos.find if id.startswith("vi") else live_streams.find
        async with self.database.write() as transaction:
            row = await find(transaction, id)
            for name, value in fields.items():
                setattr(row, name, value)

    async def delete(self, id: str) -> None:
        async with self.database.write() as transaction:
            row = await videos.find(transaction, id)
            assert row
            await videos.remove(transaction, row)


@dataclass
class Air:
    """A broadcast on air."""

    cinema: Cinema
    on_air: OnAir
    publisher: Publisher

    @property
    def id(self) -> str:
        return self.on_air.live_stream_id

    @property
    def broadcast_id(self) -> str:
        return self.on_air.broadcast_id

    def window(self, rendition: str = "video") -> Any:
        return self.on_air.packager.renditions[rendition].window

    def path(self, file: str = "media.m3u8", rendition: str = "video") -> str:
        return f"/live/{self.id}/{self.broadcast_id}/{rendition}/{file}"

    @property
    def manifest(self) -> str:
        return f"/live/{self.id}.m3u8"

    def end(self) -> None:
        self.on_air.stream.end()
        self.on_air.state = "ended"
        self.written()

    def written(self) -> None:
        self.cinema.store.flush().result(30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SegmentStore]:
    with SegmentStore(Layout(tmp_path)) as store:
        yield store


@pytest.fixture
def cinema(database: Database, store: SegmentStore, services: Services, make_video: Make, make_live: Make) -> Cinema:
    return Cinema(database, store, services.tokens, make_video, make_live)


@pytest.fixture
def player(tmp_path: Path) -> Path:
    folder = tmp_path / "player"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "main-3f2a.js").write_text("export {}")
    (folder / "secret.txt").write_text("not for everybody")
    return folder


@pytest.fixture
async def viewer(cinema: Cinema, connect: Connect, services: Services, player: Path) -> AsyncIterator[Client]:
    """A client without credentials that does not follow redirects by itself."""
    layout = cinema.layout
    loaders = {"upload": uploaded(layout, RenditionStore(layout), 4.0), "live": Recorder(layout).presentation}
    with Presentations(layout, loaders) as presentations:
        watching = Watching(
            services.assets,
            door(services),
            cast(Broadcasts, cinema.broadcasts),
            presentations,
            cast(Posters, cinema.posters),
            layout,
            player,
        )

        def mount(app: web.Application) -> None:
            app[WATCHING] = watching
            app[images.IMAGES] = images.Desk(cinema.images(presentations), Rates({"image": IMAGES_PER_MINUTE}))
            app[movies.MOVIES] = Movies(layout, presentations)
            app[TEXTS] = Texts(cinema.database, layout)
            app[embed.THEMES] = Themes(cinema.database)
            for part in (live, vod, movies, annotations, captions, texts, images, embed, dash):
                part.add_routes(app.router)
            quick.mount(app)
            app.on_shutdown.append(live.let_go)

        yield await connect(key=None, mounts=[mount])


async def follow(viewer: Client, path: str, **more: Any) -> tuple[str, ClientResponse]:
    """Where redirects lead to, and what is there."""
    for _ in range(3):
        response = await viewer.get(path, allow_redirects=False, **more)
        if response.status != 302:
            return path, response
        path = urljoin(path, response.headers["Location"])
    raise AssertionError("redirected in a circle")


def uris(text: str) -> list[str]:
    """All URIs of a playlist, in order, but for that of the part to come."""
    text = re.sub(r"#EXT-X-PRELOAD-HINT.*", "", text)
    return [a or b for a, b in re.findall(r'URI="([^"]+)"|^(?!#)(\S+)$', text, re.M)]


async def crawl(viewer: Client, path: str, **more: Any) -> dict[str, ClientResponse]:
    """Everything that a manifest leads to, by path; playlists are not asked for twice."""
    found: dict[str, ClientResponse] = {}
    waiting = [path]
    while waiting:
        path, response = await follow(viewer, waiting.pop(), **more)
        found[path] = response
        if path.endswith(".m3u8"):
            for uri in uris(await response.text()):
                reached = urljoin(path, uri)
                if reached not in found and reached not in waiting:
                    waiting.append(reached)
    return found
