"""What watching has to know of a video or live stream, kept in memory, by its own id and by its playback ids.

The own id has the policy of the object (`public`), a playback id one of its own.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from server import clock, ids
from server.catalog import annotations, live_streams, playback_ids, text_tracks, video_details, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import LiveStream, TextTrack, Video
from server.playback import zones
from server.playback.kept import Kept
from server.playback.zones import Zone

Kind = Literal["video", "live"]

FILE, BROADCAST = "upload", "live"  # sources of material
CACHE_SIZE = 10_000  # assets, about 1 KiB each
ID_LIMIT = 40  # characters; no spelling of an id is longer

PREFIXES: dict[Kind, str] = {"video": "vi", "live": "li"}
PLAYBACK_ID = "pb"


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
    lines: int | None = None  # of the pictures in an uploaded file, 0 without any; None: not known
    material_id: str | None = None  # of a video: whose files are shown; None: its own
    poster_given: bool = False  # of a video: it has a poster of its owner's
    before: tuple["Material", ...] = ()  # of a video: what was shown under earlier revisions, the newest last
    archived: bool = False
    recording: Recording | None = None  # of a recording that shows a part of itself, which is a file
    texts: tuple[Text, ...] = ()
    annotated: bool = False
    name: str | None = None  # the playback id that it is watched by
    restriction_id: str | None = None  # of that
    pages: tuple[str, ...] = ()  # of a video that is not public: domains whose pages may play it all the same

    @property
    def known_as(self) -> str:
        """The id in its URLs."""
        return self.name or self.id

    @property
    def shared(self) -> bool:
        """Whether caches may give it to everybody."""
        return self.public and self.restriction_id is None

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


@dataclass(frozen=True, slots=True)
class Name:
    """A playback id."""

    id: str
    project_id: str
    object_id: str
    public: bool
    restriction_id: str | None
    ends_at: float | None  # seconds since the epoch


class _Named(NamedTuple):
    """An asset as it is watched by a playback id, and what it was made of."""

    name: Name
    asset: Asset
    made: Asset


class Assets:
    """The cache. One for each process; `database.on_commit(assets.forget)` keeps it true."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._rows = Kept(database, _asset, CACHE_SIZE, monotonic)
        self._names = Kept(database, _name, CACHE_SIZE, monotonic)
        self._zones = Kept(database, zones.read, zones.CACHE_SIZE, monotonic)
        self._named: OrderedDict[str, _Named] = OrderedDict()

    @property
    def misses(self) -> int:
        return self._rows.misses

    async def find(self, text: str, kind: Kind | None = None) -> Asset | None:
        """The asset that `text` names, in any spelling of an id; a bare one means the `kind`, or either (None)."""
        for id in spellings(text, kind) if len(text) <= ID_LIMIT else ():
            asset = await self.get(id)
            if asset is not None and kind in (None, asset.kind):
                return asset
        return None

    def peek(self, text: str, kind: Kind) -> Asset | None:
        """As `find`, of what is in memory and fresh; None says nothing about the rest."""
        for id in spellings(text, kind) if len(text) <= ID_LIMIT else ():
            if id.startswith(PLAYBACK_ID):
                name = self._names.peek(id)
                asset = _as_named(self._named, name, self._rows.peek(name.object_id)) if name else None
            else:
                asset = self._rows.peek(id)
            if asset is not None and asset.kind == kind:
                return asset
        return None

    async def get(self, id: str) -> Asset | None:
        """The asset of a canonical id; of a playback id, as it is watched by that."""
        if not id.startswith(PLAYBACK_ID):
            return await self._rows.get(id)
        name = await self._names.get(id)
        return _as_named(self._named, name, await self._rows.get(name.object_id)) if name else None

    def forget(self, changed: Collection[str]) -> None:
        """Drops the entries of changed rows; other ids mean nothing here."""
        self._rows.forget(changed)
        self._names.forget(changed)
        self._zones.forget(changed)

    async def zone(self, project_id: str) -> Zone:
        return await self._zones.get(project_id) or zones.NONE

    def peek_zone(self, project_id: str) -> Zone | None:
        """As `zone`, where it is in memory and fresh."""
        return self._zones.peek(project_id)


def _as_named(made: OrderedDict[str, _Named], name: Name, asset: Asset | None) -> Asset | None:
    """Made once, and again when one of both was read again."""
    if asset is None or asset.project_id != name.project_id:
        return None
    if name.ends_at is not None and name.ends_at <= clock.wall_ms() / 1000:
        return None
    found = made.get(name.id)
    if found is None or found.name is not name or found.asset is not asset:
        shown = replace(asset, public=name.public, name=name.id, restriction_id=name.restriction_id, pages=())
        found = made[name.id] = _Named(name, asset, shown)
        made.move_to_end(name.id)
        if len(made) > CACHE_SIZE:
            made.popitem(last=False)
    return found.made


async def _asset(transaction: Transaction, id: str) -> Asset | None:
    if id.startswith(PREFIXES["video"]):
        video = await videos.find(transaction, id)
        if video is None or video.discarded_at is not None or video.version_of:
            return None
        texts, annotated = await text_tracks.to_watch(transaction, id), await annotations.has(transaction, id)
        return of_video(video, texts, annotated, () if video.public else await video_details.pages(transaction, id))
    stream = await live_streams.find(transaction, id)
    return of_live_stream(stream) if stream else None


async def _name(transaction: Transaction, id: str) -> Name | None:
    row = await playback_ids.find(transaction, id)
    if row is None:
        return None
    ends_at = row.ends_at.timestamp() if row.ends_at else None
    return Name(row.id, row.project_id, row.object_id, row.policy == playback_ids.PUBLIC, row.restriction_id, ends_at)


def of_video(
    video: Video, texts: Iterable[TextTrack] = (), annotated: bool = False, pages: Iterable[str] = ()
) -> Asset:
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
        lines=_lines(video),
        material_id=video.material_id,
        poster_given=video.poster_given,
        before=tuple(
            Material(each["revision"], each["material"], each["facts"]["source_revision"])
            for each in video.previous or ()
            if each["revision"]
        ),
        archived=video.archived_at is not None,
        texts=tuple(Text(row.kind, row.language, row.version, row.default) for row in texts),
        annotated=annotated,
        pages=tuple(pages),
    )


def _lines(video: Video) -> int | None:
    """The shorter side of the largest of its pictures, in square pixels, as they were found in the file."""
    streams = (video.media or {}).get("streams")
    if not streams:
        return None
    pictures = [stream for stream in streams if stream["kind"] == "video"]
    if not all(stream.get("width") and stream.get("height") for stream in pictures):
        return None
    return max((_shorter_side(stream) for stream in pictures), default=0)


def _shorter_side(stream: Mapping[str, Any]) -> int:
    across, down = stream.get("sar") or (1, 1)
    width, height = int(stream["width"]), int(stream["height"])
    return min(round(width * across / down), height)


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
    """The canonical ids that `text` may mean; none when it is no id. A bare id is a video's first, and a playback
    id's last."""
    found = []
    for prefix in (*(PREFIXES[each] for each in PREFIXES if kind in (None, each)), PLAYBACK_ID):
        try:
            found.append(ids.canonical(prefix, text))
        except ids.InvalidId:
            continue
    return tuple(found)
