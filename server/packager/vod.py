"""An uploaded MP4 as a presentation, cut on request by its own index: nothing is re-muxed, no payload byte changes."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from server.formats.fmp4.index import MovieIndex
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.samples import NOWHERE
from server.formats.m3u8.media import Map, MediaPlaylist, Segment
from server.formats.sample import AudioConfig, VideoConfig
from server.packager.dash import Listed, recorded_mpd
from server.packager.dash import within as listed_within
from server.packager.master import AudioFacts, VideoFacts, master, within
from server.packager.presentation import (
    AUDIO,
    MEDIA_PLAYLIST,
    VIDEO,
    NoSuchMediaError,
    Piece,
    SegmentPlan,
    Whole,
    init_name,
    segment_name,
)
from server.packager.texts import TextFacts
from server.packager.vod_track import CutTrack, cut_tracks
from server.storage.journal import SegmentEntry, TrackEntry

TARGET_S = 4.0
# Two samples nearer than this in the file are read in one go: a read costs about as much as copying this.
READ_GAP = 16 * 1024


class IndexedVideo:
    """The presentation of an upload.

    Making one costs a few milliseconds for ten minutes; keep it, it is immutable.
    """

    def __init__(self, index: MovieIndex, target_s: float = TARGET_S, hidden: Container[str] = ()) -> None:
        """Raises ValueError where all renditions are `hidden`."""
        self._cut = {name: cut for name, cut in cut_tracks(index, target_s).items() if name not in hidden}
        if not self._cut:
            raise ValueError("all of it is hidden")
        sizes = {name: cut.sizes for name, cut in self._cut.items()}
        self._independent = all(cut.independent for cut in self._cut.values())
        self._media = _media_playlists(self._cut, self._independent)
        video, audio = self._cut.get(VIDEO), self._cut.get(AUDIO)
        self._video = None if video is None else _video_facts(video, sizes[VIDEO])
        self._audio = None if audio is None else _audio_facts(audio, sizes[AUDIO])

    @property
    def duration_s(self) -> float:
        return max(cut.times[-1] / cut.config.timescale for cut in self._cut.values())

    @property
    def renditions(self) -> tuple[str, ...]:
        return tuple(self._cut)

    @property
    def target_s(self) -> int:
        """TARGETDURATION of its playlists."""
        return _target_s(self._cut.values())

    @property
    def independent(self) -> bool:
        """Whether every segment can be decoded by itself."""
        return self._independent

    @property
    def growing(self) -> bool:
        return False

    @property
    def unfinished(self) -> Mapping[str, float]:
        return {}

    @property
    def version(self) -> int:
        return 0

    @property
    def cuts(self) -> tuple[int, ...]:
        """Where the pictures are cut, in their own ticks: the beginning of each segment and the end of the last."""
        return tuple(self._cut[VIDEO].times) if VIDEO in self._cut else ()

    def picture_times(self, timescale: int) -> list[int]:
        """When each picture is shown, in the order they are coded; none where there are no pictures."""
        cut = self._cut.get(VIDEO)
        if cut is None:
            return []
        samples, scale = cut.track.samples, cut.config.timescale
        return [(samples.pts(n) + cut.offset) * timescale // scale for n in range(cut.bounds[0], cut.bounds[-1])]

    def timescale(self, rendition: str) -> int:
        """Ticks a second. Raises NoSuchMediaError."""
        return self._rendition(rendition).config.timescale

    def offset(self, rendition: str) -> int:
        """From a sample's time in the index to the presentation's, ticks of the track. Raises NoSuchMediaError."""
        return self._rendition(rendition).offset

    def pictures(self, prefix: str = "") -> list[VideoFacts]:
        return [replace(facts, uri=prefix + facts.uri) for facts in (self._video,) if facts]

    def sounds(self, prefix: str = "") -> list[AudioFacts]:
        return [replace(facts, uri=prefix + facts.uri) for facts in (self._audio,) if facts]

    def listed(self) -> list[Listed]:
        """As manifests of DASH have it."""
        return [_listed(name, cut) for name, cut in self._cut.items()]

    @property
    def clock_start_s(self) -> float:
        return 0.0

    def master(self, prefix: str = "", texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        return master(within(self.pictures(prefix), most), self.sounds(prefix), self._independent, texts, prefix)

    def mpd(self, base: str, texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        return recorded_mpd(listed_within(self.listed(), most), base, texts)

    def lines(self, rendition: str) -> int:
        self._rendition(rendition)
        return self._video.lines if rendition == VIDEO and self._video else 0

    def media(self, rendition: str) -> str:
        self._rendition(rendition)
        return self._media[rendition]

    def init(self, rendition: str, generation: int = 0) -> bytes:
        if generation:
            raise NoSuchMediaError(f"{rendition} has one generation")
        return init_segment(self._rendition(rendition).config)

    def segment(self, rendition: str, number: int) -> SegmentPlan:
        cut = self._rendition(rendition)
        if not 0 <= number < len(cut.bounds) - 1:
            raise NoSuchMediaError(f"{rendition} has {len(cut.bounds) - 1} segments")
        return _plan(cut, number)

    def whole(self, rendition: str) -> Whole:
        cut = self._rendition(rendition)
        return Whole(init_segment(cut.config), [(number, 0) for number in range(len(cut.bounds) - 1)])

    def _rendition(self, name: str) -> CutTrack:
        if name not in self._cut:
            raise NoSuchMediaError(f"there is no {name}")
        return self._cut[name]


def _plan(cut: CutTrack, number: int) -> SegmentPlan:
    header = cut.header(number)
    reads: list[tuple[int, int]] = []
    pieces: list[Piece | bytes] = []
    length = len(header)
    for offset, size in cut.track.samples.ranges(cut.bounds[number], cut.bounds[number + 1]):
        length += size
        if offset == NOWHERE:
            pieces.append(cut.silence(size))
            continue
        start, extent = reads[-1] if reads else (0, 0)
        if reads and start <= offset <= start + extent + READ_GAP:
            reads[-1] = (start, max(extent, offset + size - start))
        else:
            reads.append((offset, size))
            start = offset
        pieces.append(Piece(len(reads) - 1, offset - start, offset - start + size))
    return SegmentPlan(header, tuple(reads), tuple(pieces), length)


def _media_playlists(cuts: Mapping[str, CutTrack], independent: bool) -> dict[str, str]:
    """The playlist of each rendition.

    "The EXTINF duration of each Media Segment, when rounded to the nearest integer, MUST be less than or equal to the
    Target Duration" (RFC 8216bis 4.4.3.1), which is the same in all renditions (6.2.4).
    """
    target_s = _target_s(cuts.values())
    return {
        name: MediaPlaylist(
            target_duration_s=target_s,
            playlist_type="VOD",
            independent_segments=independent,
            map=Map(init_name()),
            segments=tuple(Segment(segment_name(n), duration) for n, duration in enumerate(cut.durations_s)),
            ended=True,
        ).render()
        for name, cut in cuts.items()
    }


def _target_s(cuts: Iterable[CutTrack]) -> int:
    return max(1, int(max(max(cut.durations_s) for cut in cuts) + 0.5))


def _video_facts(cut: CutTrack, sizes: list[int]) -> VideoFacts:
    config = cut.config
    return VideoFacts(
        uri=f"{VIDEO}/{MEDIA_PLAYLIST}",
        codec=config.codec,
        peak=_peak(cut, sizes),
        average=_average(cut, sizes),
        resolution=_resolution(config) if isinstance(config, VideoConfig) else None,
        frame_rate=_frame_rate(cut),
    )


def _audio_facts(cut: CutTrack, sizes: list[int]) -> AudioFacts:
    config, language = cut.config, cut.track.language
    return AudioFacts(
        uri=f"{AUDIO}/{MEDIA_PLAYLIST}",
        codec=config.codec,
        peak=_peak(cut, sizes),
        average=_average(cut, sizes),
        channels=config.channels if isinstance(config, AudioConfig) else None,
        language=None if language == "und" else language,
    )


def _listed(name: str, cut: CutTrack) -> Listed:
    """Segments as a broadcast's journal would have them."""
    config, sizes, language = cut.config, cut.sizes, cut.track.language
    if language != "und":
        config = replace(config, language=language)
    entries = [
        SegmentEntry(number, start, stop - start, config.timescale, 0, 0, False, True, size)
        for number, ((start, stop), size) in enumerate(zip(pairwise(cut.times), sizes, strict=True))
    ]
    rate = _frame_rate(cut) if isinstance(config, VideoConfig) else 0.0
    return Listed(name, {0: TrackEntry.of(config, 0, 0, 0, rate)}, entries, _peak(cut, sizes))


def _peak(cut: CutTrack, sizes: list[int]) -> int:
    """Bits a second of the heaviest segment; a short one counts as half the longest, they never come in a row."""
    durations = cut.durations_s
    shortest = max(durations) / 2
    rates = (size * 8 / max(time, shortest, 0.001) for size, time in zip(sizes, durations, strict=True))
    return max(1, round(max(rates)))


def _average(cut: CutTrack, sizes: list[int]) -> int:
    """Bits a second of the whole track."""
    return max(1, round(sum(sizes) * 8 / max(sum(cut.durations_s), 0.001)))


def _resolution(config: VideoConfig) -> tuple[int, int]:
    """The picture as shown: square pixels, turned upright."""
    width = max(1, round(config.width * config.sar[0] / config.sar[1]))
    return (config.height, width) if config.rotation in (90, 270) else (width, config.height)


def _frame_rate(cut: CutTrack) -> float:
    """Pictures a second on average."""
    first, last = cut.bounds[0], cut.bounds[-1]
    ticks = cut.track.samples.dts[last] - cut.track.samples.dts[first]
    return round((last - first) * cut.config.timescale / max(1, ticks), 3)
