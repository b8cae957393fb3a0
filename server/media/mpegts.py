"""MPEG-TS in: bytes of one publisher to the configurations and samples of its tracks.

    Demuxer → Unit → mpegts_pictures | mpegts_sounds (→ mpeg_audio_to_aac) → Configured | Picture | Sound

The first stream of pictures in the program map is `video`, the next `video2`, and so on; of sound likewise. A stream
whose PID leaves the map frees its name for the next one of its kind. Streams of data and subtitles are left out.

Own demuxer, not libav's: measured at 5 Mbit/s it takes less CPU, gives the first picture without probing, needs no
thread that waits for input, and says what became of late tracks and changed PIDs.
Nothing that a publisher sends raises.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from server.formats.mpegts import WRAP
from server.formats.mpegts.demuxer import Demuxer, Unit
from server.formats.mpegts.psi import ElementaryStream, ProgramMap
from server.formats.sample import TrackConfig
from server.media.mpegts_pictures import AvcPictures, HevcPictures, Pictures
from server.media.mpegts_sounds import Ac3Codec, AdtsCodec, Codec, Framer, LatmCodec, MpegAudioCodec, OpusCodec

MAX_TRACKS = 8  # of a kind, as a stream takes
OPENING_TICKS = 45_000  # half a second: so long the first media waits for the configurations of all tracks
OPENING_BYTES = 4 << 20
MAX_CTS = 10 * 90_000  # ticks: pictures are shown within ten seconds of their decoding


class Configured(NamedTuple):
    track: str
    config: TrackConfig


class Picture(NamedTuple):
    """Times are ticks of MPEG_TS_CLOCK: decode time, and how much later it is shown."""

    track: str
    timestamp: int
    cts: int
    key: bool
    data: bytes


class Sound(NamedTuple):
    track: str
    timestamp: int
    data: bytes


class Unsupported(NamedTuple):
    """The main stream of a kind is of a codec that can't be taken."""

    kind: str
    codec: str


Item: TypeAlias = Configured | Picture | Sound | Unsupported


@dataclass(slots=True)
class Counters:
    """What was not passed on."""

    damaged: int = 0  # pictures and payloads with a hole in them
    broken: int = 0  # that make no sense
    unread: int = 0  # of streams that are not taken


class _Opening:
    """The first items, held until every track has told its configuration: who listens knows all tracks from the start.

    A track that is in the program map and sends nothing is not waited for beyond OPENING_TICKS.
    """

    def __init__(self) -> None:
        self._held: list[Item] = []
        self._size = 0
        self._first: dict[str, int] = {}

    def take(self, items: list[Item], tracks: Iterable["_Track"]) -> list[Item] | None:
        """All that was held, configurations first; None while it is to be held on."""
        self._held += items
        enough = False
        for item in items:
            if isinstance(item, Picture | Sound):
                self._size += len(item.data)
                since = (item.timestamp - self._first.setdefault(item.track, item.timestamp)) % WRAP
                enough = enough or since >= OPENING_TICKS or self._size >= OPENING_BYTES
        if not enough and not all(track.configured for track in tracks):
            return None
        return self.release()

    def release(self) -> list[Item]:
        return sorted(self._held, key=lambda item: not isinstance(item, Configured))


class TsInput:
    """`feed` it batches; a unit's items come when the next unit of its stream begins, or it says its length."""

    def __init__(self) -> None:
        self._opening: _Opening | None = _Opening()
        self.demuxer = Demuxer()
        self.counters = Counters()
        self._tracks: dict[int, _Track] = {}
        self._refused: set[str] = set()

    def feed(self, data: bytes) -> list[Item]:
        return self._items(self.demuxer.feed(data))

    def finish(self) -> list[Item]:
        """What is under way when the publisher ends."""
        items = self._items(self.demuxer.finish())
        return items if self._opening is None else self._opening.release()

    def _items(self, events: Sequence[ProgramMap | Unit]) -> list[Item]:
        items = self._read(events)
        if self._opening is None:
            return items
        opened = self._opening.take(items, self._tracks.values())
        if opened is None:
            return []
        self._opening = None
        return opened

    def _read(self, events: Sequence[ProgramMap | Unit]) -> list[Item]:
        items: list[Item] = []
        for event in events:
            if event.__class__ is Unit:
                track = self._tracks.get(event.pid)
                if track is None:
                    self.counters.unread += 1
                else:
                    items += track.read(event, self.counters)
            elif isinstance(event, ProgramMap):
                items += self._take_map(event)
        return items

    def _take_map(self, table: ProgramMap) -> list[Item]:
        kept = {
            stream.pid: self._tracks[stream.pid]
            for stream in table.streams
            if stream.pid in self._tracks and self._tracks[stream.pid].stream.codec == stream.codec
        }
        names = {track.name for track in kept.values()}
        free = {kind: [name for name in _names(kind) if name not in names] for kind in ("video", "audio")}
        items: list[Item] = []
        for stream in table.streams:
            if stream.pid in kept or not stream.kind or not free[stream.kind]:
                continue
            track = _track(stream, free[stream.kind][0])
            if track is not None:
                kept[stream.pid] = track
                del free[stream.kind][0]
        for kind, codec in _without_a_track(table, {track.stream.kind for track in kept.values()}):
            if codec not in self._refused:
                self._refused.add(codec)
                items.append(Unsupported(kind, codec))
        self._tracks = kept
        return items


def _names(kind: str) -> tuple[str, ...]:
    """video, video2, …"""
    return (kind, *(f"{kind}{number}" for number in range(2, MAX_TRACKS + 1)))


def _without_a_track(table: ProgramMap, kinds: set[str]) -> list[tuple[str, str]]:
    """Kind and codec of streams of which no one of their kind can be taken."""
    return [(stream.kind, stream.codec) for stream in table.streams if stream.kind and stream.kind not in kinds]


def _track(stream: ElementaryStream, name: str) -> "_Track | None":
    """None for a codec that is not taken."""
    match stream.codec:
        case "h264":
            return _PictureTrack(stream, name, AvcPictures())
        case "hevc":
            return _PictureTrack(stream, name, HevcPictures())
        case "mp2":
            return _TranscodedTrack(stream, name)
        case _:
            pass
    codec = _sound_codec(stream)
    return _SoundTrack(stream, name, codec) if codec else None


def _sound_codec(stream: ElementaryStream) -> Codec | None:
    match stream.codec:
        case "aac":
            return AdtsCodec()
        case "aac_latm":
            return LatmCodec()
        case "opus":
            return OpusCodec(stream.channel_config)
        case "ac3" | "eac3":
            return Ac3Codec()
        case _:
            return None


class _Track:
    """One elementary stream."""

    def __init__(self, stream: ElementaryStream, name: str) -> None:
        self.stream = stream
        self.name = name
        self._config: TrackConfig | None = None

    @property
    def configured(self) -> bool:
        return self._config is not None

    def read(self, unit: Unit, counters: Counters) -> list[Item]:
        raise NotImplementedError

    def _configured(self, config: TrackConfig | None) -> list[Item]:
        """The news, where there is any."""
        if config is None or config is self._config or config == self._config:
            return []
        self._config = config
        language = self.stream.language
        return [Configured(self.name, replace(config, language=language) if language else config)]


class _PictureTrack(_Track):
    def __init__(self, stream: ElementaryStream, name: str, pictures: Pictures) -> None:
        super().__init__(stream, name)
        self._pictures = pictures

    def read(self, unit: Unit, counters: Counters) -> list[Item]:
        if unit.damaged:
            counters.damaged += 1
            return []
        try:
            picture = self._pictures.read(unit.data)
        except ValueError:
            counters.broken += 1
            return []
        items = self._configured(picture.config)
        if picture.data and unit.dts is not None and unit.pts is not None and self._config is not None:
            items.append(Picture(self.name, unit.dts, _offset(unit.pts, unit.dts), picture.key, picture.data))
        return items


def _offset(pts: int, dts: int) -> int:
    offset = (pts - dts + (WRAP >> 1)) % WRAP - (WRAP >> 1)
    return offset if abs(offset) <= MAX_CTS else 0


class _SoundTrack(_Track):
    def __init__(self, stream: ElementaryStream, name: str, codec: Codec) -> None:
        super().__init__(stream, name)
        self._framer = Framer(codec)

    def read(self, unit: Unit, counters: Counters) -> list[Item]:
        counters.damaged += unit.damaged
        before = self._framer.broken
        sounds = self._framer.read(unit)
        counters.broken += self._framer.broken - before
        if not sounds:
            return []
        try:
            items = self._configured(self._framer.codec.config())
        except ValueError:
            counters.broken += 1
            return []
        if self._config is not None:
            items += [Sound(self.name, sound.timestamp, sound.data) for sound in sounds]
        return items


class _TranscodedTrack(_Track):
    def __init__(self, stream: ElementaryStream, name: str) -> None:
        from server.media.mpeg_audio_to_aac import ToAac  # loads libav, which nothing else here needs

        super().__init__(stream, name)
        self._framer = Framer(MpegAudioCodec())
        self._transcoder = ToAac()

    def read(self, unit: Unit, counters: Counters) -> list[Item]:
        counters.damaged += unit.damaged
        items: list[Item] = []
        for sound in self._framer.read(unit):
            try:
                made = self._transcoder.read(sound)
            except ValueError:
                counters.broken += 1
                continue
            items += self._configured(self._transcoder.config)
            items += [Sound(self.name, *each) for each in made]
        return items
