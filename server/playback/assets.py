"""What watching has to know of a video or live stream, kept in memory: no database on the way of a segment.

Loaded from the catalogue on a miss, dropped when a committed transaction changed the row (`Database.on_commit`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from server import clock, ids
from server.catalog import live_streams, text_tracks, videos
from server.catalog.database import Database
from server.catalog.models import LiveStream, TextTrack, Video

Kind = Literal["video", "live"]

FILE, BROADCAST = "upload", "live"  # sources of material
CACHE_SIZE = 10_000  # assets, about 1 KiB each
ID_LIMIT = 40  # characters; no spelling of an id is longer
TTL_S = 60.0  # a row changed by another process on the same database is noticed within this
ABSENT_TTL_S = 2.0  # an id that names nothing is looked up again after this; long enough to blunt a scan

PREFIXES: dict[Kind, str] = {"video": "vi", "live": "li"}


class Text(NamedTuple):
    """Captions or chapters in one language."""

    kind: str
    language: str
    version: int
    default: bool = False

    @property
    def folder(self) -> str:
        """In immutable URLs."""
        return f"text-{self.language}/{self.version}"


@dataclass(frozen=True, slots=True)
class Recording:
    """The segments of a broadcast that are a video's own material; as of Asset."""

    broadcast_id: str
    segments: tuple[int, int] | None
    exact: int | None


@dataclass(frozen=True, slots=True)
class Material:
    """What a video showed under an earlier revision."""

    revision: int
    video_id: str
    source_revision: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A watchable thing at one moment."""

    id: str
    kind: Kind
    project_id: str
    title: str
    public: bool
    state: str
    playable: bool
    revision: int = 1  # of a video's renditions: part of its immutable URLs
    source: str | None = None  # of a video: upload | live, once it is known
    broadcast_id: str | None = None  # of a live stream: the one on air or the last one; of a recording: its origin
    segments: tuple[int, int] | None = None  # of a recording: the first and last of its broadcast that it shows
    exact: int | None = None  # of a clip: the revision since when it has a first and last segment of its own
    duration_s: float | None = None
    tokens_valid_after: float | None = None  # seconds since the epoch
    has_poster: bool = False
    latency_mode: str | None = None  # of a live stream
    player_id: str | None = None
    mp4: bool = True  # whether a video's file is given out as it is
    source_revision: int = 1  # of an upload: what is made of it lies there
    altered: bool = False  # an upload's own pictures are not to be seen, only what is made of them
    material_id: str | None = None  # of a video: whose files are shown; None: its own
    poster_given: bool = False  # of a video: it has a poster of its owner's
    before: tuple["Material", ...] = ()  # of a video: what was shown under earlier revisions, the newest last
    archived: bool = False
    recording: Recording | None = None  # of a recording that shows a part of itself, which is a file
    texts: tuple[Text, ...] = ()

    @property
    def captions(self) -> tuple[Text, ...]:
        return tuple(text for text in self.texts if text.kind == "captions")

    @property
    def chapters(self) -> tuple[Text, ...]:
        return tuple(text for text in self.texts if text.kind == "chapters")

    @property
    def live(self) -> bool:
        return self.kind == "live"

    @property
    def material(self) -> str:
        """The video whose files are shown."""
        return self.material_id or self.id

    @property
    def poster_of(self) -> str:
        """The video in whose folder the poster is."""
        return self.id if self.poster_given else self.material


@dataclass(slots=True)
class _Entry:
    asset: Asset | None
    fresh_until: float


class Assets:
    """The cache. One for each process; `database.on_commit(assets.forget)` keeps it true."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Asset | None]] = {}
        self.misses = 0

    async def find(self, text: str, kind: Kind | None = None) -> Asset | None:
        """The asset that `text` names, in any spelling of an id; a bare one means the `kind`, or either (None)."""
        if len(text) > ID_LIMIT:
            return None
        for id in spellings(text, kind):
            asset = await self.get(id)
            if asset is not None:
                return asset
        return None

    def peek(self, text: str, kind: Kind) -> Asset | None:
        """As `find`, of what is in memory and fresh; None says nothing about the rest."""
        for id in spellings(text, kind) if len(text) <= ID_LIMIT else ():
            entry = self._entries.get(id)
            if entry is not None and entry.asset is not None and entry.fresh_until > self._monotonic():
                return entry.asset
        return None

    async def get(self, id: str) -> Asset | None:
        """The asset of a canonical id."""
        entry = self._entries.get(id)
        if entry is not None and entry.fresh_until > self._monotonic():
            return entry.asset
        loading = self._loading.get(id)
        if loading is None:  # a thousand viewers at once make one query
            loading = asyncio.create_task(self._load(id))
            self._loading[id] = loading
            loading.add_done_callback(lambda done: self._loaded(id, done))
        return await asyncio.shield(loading)

    def forget(self, changed: Iterable[str]) -> None:
        """Drops the entries of changed rows; other ids mean nothing here."""
        for id in changed:
            self._entries.pop(id, None)
            self._loading.pop(id, None)  # those that wait get what they asked for; who comes now asks anew

    async def _load(self, id: str) -> Asset | None:
        self.misses += 1
        async with self._database.read() as transaction:
            if id.startswith("vi"):
                video = await videos.find(transaction, id)
                shown = video and video.discarded_at is None and not video.version_of
                texts = await text_tracks.to_watch(transaction, id) if shown else []
                asset = of_video(video, texts) if video and shown else None
            else:
                stream = await live_streams.find(transaction, id)
                asset = of_live_stream(stream) if stream else None
        if self._loading.get(id) is asyncio.current_task():  # else the row changed while it was read
            self._keep(id, asset)
        return asset

    def _loaded(self, id: str, loading: asyncio.Task[Asset | None]) -> None:
        if self._loading.get(id) is loading:
            del self._loading[id]
        if not loading.cancelled():
            loading.exception()  # who still waits is told; that nobody does is no fault of its own

    def _keep(self, id: str, asset: Asset | None) -> None:
        life_s = ABSENT_TTL_S if asset is None else TTL_S
        self._entries[id] = _Entry(asset, self._monotonic() + life_s)
        self._entries.move_to_end(id)
        if len(self._entries) > CACHE_SIZE:
            self._entries.popitem(last=False)


def of_video(video: Video, texts: Iterable[TextTrack] = ()) -> Asset:
    recording = _recording(video)
    shown = recording if video.material_id is None else None
    return Asset(
        id=video.id,
        kind="video",
        project_id=video.project_id,
        title=video.title,
        public=video.public,
        state=video.state,
        playable=video.playable,
        revision=video.revision,
        source=video.source if shown or not recording else FILE,
        broadcast_id=shown.broadcast_id if shown else None,
        segments=shown.segments if shown else None,
        exact=shown.exact if shown else None,
        recording=None if shown else recording,
        duration_s=video.duration_s,
        tokens_valid_after=video.tokens_valid_after.timestamp() if video.tokens_valid_after else None,
        has_poster=video.poster_at is not None,
        player_id=video.player_id,
        mp4=video.mp4_support,
        source_revision=video.source_revision,
        altered=video.altered,
        material_id=video.material_id,
        poster_given=video.poster_given,
        before=tuple(
            Material(each["revision"], each["material"], each["facts"]["source_revision"])
            for each in video.previous or ()
            if each["revision"]
        ),
        archived=video.archived_at is not None,
        texts=tuple(Text(row.kind, row.language, row.version, row.default) for row in texts),
    )


def _recording(video: Video) -> Recording | None:
    if video.broadcast_id is None:
        return None
    segments = video.segments or {}
    part = (segments["first"], segments["last"]) if segments else None
    return Recording(video.broadcast_id, part, segments.get("exact"))


def of_live_stream(stream: LiveStream) -> Asset:
    return Asset(
        id=stream.id,
        kind="live",
        project_id=stream.project_id,
        title=stream.name,
        public=stream.public,
        state=stream.state,
        playable=stream.state == "broadcasting",
        broadcast_id=stream.broadcast_id,
        tokens_valid_after=stream.tokens_valid_after.timestamp() if stream.tokens_valid_after else None,
        has_poster=stream.poster_at is not None,
        latency_mode=stream.latency_mode,
        player_id=stream.player_id,
    )


@lru_cache(maxsize=CACHE_SIZE)
def spellings(text: str, kind: Kind | None = None) -> tuple[str, ...]:
    """The canonical ids that `text` may mean; none when it is no id. A bare id is a video's first."""
    found = []
    for each, prefix in PREFIXES.items():
        if kind not in (None, each):
            continue
        try:
            found.append(ids.canonical(prefix, text))
        except ids.InvalidId:
            continue
    return tuple(found)
