"""An uploaded MP4 as a presentation, cut on request by its own index; nothing is re-muxed, no payload byte changes.

The timeline: the movie's clock (edit lists applied) less the moment of the first picture or the first sound, whichever
comes first. Pictures that the edit list hides before the first shown one, back to its key frame, are shown: they are
needed to decode it. Decoding times are moved so that the first picture's equals the time it is shown, which makes
composition offsets signed (players stall on a hole at 0). A picture that begins after the sound is held from 0 on.
"""

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from operator import sub

from server.formats.fmp4.index import MAX_REORDER, MovieIndex, Track
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.movie import Unservable
from server.formats.fmp4.part import audio_header, video_header
from server.formats.m3u8.media import Map, MediaPlaylist, Segment
from server.formats.sample import AudioConfig, VideoConfig
from server.packager.master import AudioFacts, VideoFacts, master
from server.packager.presentation import (
    AUDIO,
    MEDIA_PLAYLIST,
    VIDEO,
    NoSuchMediaError,
    Piece,
    SegmentPlan,
    init_name,
    segment_name,
)
from server.packager.vod_cuts import MIN_SEGMENT_S, frame_cuts, key_cuts, steady_times

TARGET_S = 4.0
# A segment is put together in memory: ten seconds at 100 Mbit/s.
MAX_SEGMENT_BYTES = 128 * 1024 * 1024
# Two samples nearer than this in the file are read in one go: a read costs about as much as copying this.
READ_GAP = 16 * 1024
# A frame of sound this little before the first picture is not dropped but moved: clocks round.
SLACK_S = Fraction(2, 1000)


@dataclass(frozen=True, slots=True)
class CutTrack:
    """A track with its cuts. Sample i is shown at `samples.pts(i) + offset`, ticks from the presentation's start.

    Segment n is the samples bounds[n] to bounds[n + 1] - 1 and lasts from times[n] to times[n + 1].
    """

    track: Track
    offset: int
    bounds: "array[int]"
    times: "array[int]"

    @property
    def config(self) -> VideoConfig | AudioConfig:
        return self.track.config

    @property
    def durations_s(self) -> list[float]:
        """Of each segment."""
        timescale = self.config.timescale
        return [(stop - start) / timescale for start, stop in pairwise(self.times)]

    @property
    def sizes(self) -> list[int]:
        """Payload bytes of each segment."""
        before = array("Q", accumulate(self.track.samples.sizes, initial=0))
        return [before[stop] - before[start] for start, stop in pairwise(self.bounds)]

    @property
    def independent(self) -> bool:
        """Whether no picture of a segment needs the one before: no picture after a key frame is shown before it."""
        samples = self.track.samples
        if not samples.cts:
            return True
        for start, stop in pairwise(self.bounds):
            key = samples.pts(start)
            if any(samples.pts(i) < key for i in range(start + 1, min(start + 1 + MAX_REORDER, stop))):
                return False
        return True

    def header(self, number: int) -> bytes:
        """moof and the header of the mdat of segment `number`."""
        samples, first, last = self.track.samples, self.bounds[number], self.bounds[number + 1]
        sizes = samples.sizes[first:last]
        durations = list(map(sub, samples.dts[first + 1 : last + 1], samples.dts[first:last]))
        base = samples.dts[first] + self._delay + self.offset
        if number == 0:
            durations[0] += base - self.times[0]
            base = self.times[0]
        if isinstance(self.config, VideoConfig):
            cts = [offset - self._delay for offset in samples.cts[first:last]] or [0] * len(sizes)
            return video_header(number + 1, base, sizes, durations, cts, self._keys(first, last))
        steady = durations[0] if min(durations) == max(durations) else durations
        return audio_header(number + 1, base, sizes, steady)

    @property
    def _delay(self) -> int:
        """From the decoding of the first picture to its showing, taken out of all composition offsets."""
        samples = self.track.samples
        return samples.cts[self.bounds[0]] if samples.cts and self.config.kind == VIDEO else 0

    def _keys(self, first: int, last: int) -> list[bool]:
        sync = self.track.samples.sync
        if sync is None:
            return [True] * (last - first)
        keys = [False] * (last - first)
        for sample in sync[bisect_left(sync, first) : bisect_left(sync, last)]:
            keys[sample - first] = True
        return keys


class IndexedVideo:
    """The presentation of an upload. Raises Unservable when a segment would be larger than MAX_SEGMENT_BYTES.

    Making one costs a few milliseconds for ten minutes; keep it, it is immutable.
    """

    def __init__(self, index: MovieIndex, target_s: float = TARGET_S) -> None:
        origin = _origin(index.video, index.audio)
        self._cut: dict[str, CutTrack] = {}
        if index.video is not None:
            self._cut[VIDEO] = _cut_video(index.video, origin, target_s)
        if index.audio is not None:
            self._cut[AUDIO] = _cut_audio(index.audio, origin, target_s, self._cut.get(VIDEO))
        largest = max(size for cut in self._cut.values() for size in cut.sizes)
        if largest > MAX_SEGMENT_BYTES:
            raise Unservable(f"found: segments of {largest >> 20} MiB; the limit is {MAX_SEGMENT_BYTES >> 20} MiB")
        self._independent = all(cut.independent for cut in self._cut.values())
        self._media = {name: _media_playlist(cut, self._independent) for name, cut in self._cut.items()}

    @property
    def duration_s(self) -> float:
        return max(cut.times[-1] / cut.config.timescale for cut in self._cut.values())

    @property
    def renditions(self) -> tuple[str, ...]:
        return tuple(self._cut)

    def master(self, prefix: str = "") -> str:
        return _master_playlist(self._cut, prefix, self._independent)

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

    def _rendition(self, name: str) -> CutTrack:
        if name not in self._cut:
            raise NoSuchMediaError(f"there is no {name}")
        return self._cut[name]


def _origin(video: Track | None, audio: Track | None) -> Fraction:
    """The moment on the movie's clock, seconds, that the presentation begins at."""
    starts = []
    if video is not None:
        starts.append(Fraction(video.shown(_first_key(video)), video.config.timescale))
    if audio is not None:
        # Sound before 0 is the encoder's run-up, unless hidden pictures before 0 are shown too.
        earliest = min([Fraction(0), *starts])
        starts.append(max(earliest, Fraction(audio.shown(0), audio.config.timescale)))
    return min(starts)


def _first_key(track: Track) -> int:
    """The key frame to begin at: the last that is shown at 0 or before, give or take a picture; else the first."""
    keys = track.keys
    found = keys[0]
    for key in keys:
        if track.shown(key) > min(track.samples.duration(key), track.config.timescale):
            break
        found = key
    return found


def _last(track: Track, first: int) -> int:
    """One past the last sample that the edit list shows."""
    last = len(track.samples)
    if track.end is not None:
        while last > first + 1 and track.shown(last - 1) >= track.end:
            last -= 1
    return last


def _cut_video(track: Track, origin: Fraction, target_s: float) -> CutTrack:
    timescale, samples = track.config.timescale, track.samples
    offset = track.shift - round(origin * timescale)
    first = _first_key(track)
    last = _last(track, first)
    tail = range(max(first, last - MAX_REORDER), last)
    end = max(samples.pts(i) + samples.duration(i) for i in tail) + offset
    keys = [key for key in track.keys[bisect_left(track.keys, first) :] if key < last]
    times = [samples.pts(key) + offset for key in keys]
    cuts = key_cuts(times, end, timescale, target_s)
    begins = [0, *(times[cut] for cut in cuts[1:])]
    return CutTrack(track, offset, array("I", [*(keys[cut] for cut in cuts), last]), array("q", [*begins, end]))


def _cut_audio(track: Track, origin: Fraction, target_s: float, video: CutTrack | None) -> CutTrack:
    timescale, dts = track.config.timescale, track.samples.dts
    offset = track.shift - round(origin * timescale)
    first = min(bisect_left(dts, -offset - round(SLACK_S * timescale)), len(track.samples) - 1)
    if video is None or dts[first] + offset < 0:
        offset = -dts[first]
    last = _last(track, first)
    times = _sound_times(dts[first] + offset, dts[last] + offset, timescale, target_s, video)
    cuts = frame_cuts(dts, first, last, [time - offset for time in times])
    bounds = array("I", sorted({first, *cuts, last}))
    return CutTrack(track, offset, bounds, array("q", [dts[bound] + offset for bound in bounds]))


def _sound_times(start: int, end: int, timescale: int, target_s: float, video: CutTrack | None) -> list[int]:
    """Where to cut the sound: with the video, then at a steady pace; ticks of the sound's timescale."""
    if video is None:
        return steady_times(start, end, timescale, target_s)
    times = [time * timescale // video.config.timescale for time in video.times[1:]]
    beyond = times.pop()
    if end - beyond >= MIN_SEGMENT_S * timescale:
        times += [beyond, *steady_times(beyond, end, timescale, target_s)]
    return times


def _plan(cut: CutTrack, number: int) -> SegmentPlan:
    header = cut.header(number)
    ranges = cut.track.samples.ranges(cut.bounds[number], cut.bounds[number + 1])
    reads: list[tuple[int, int]] = []
    pieces: list[Piece | bytes] = []
    for offset, size in ranges:
        start, length = reads[-1] if reads else (0, 0)
        if reads and start <= offset <= start + length + READ_GAP:
            reads[-1] = (start, max(length, offset + size - start))
        else:
            reads.append((offset, size))
            start = offset
        pieces.append(Piece(len(reads) - 1, offset - start, offset - start + size))
    payload = sum(size for _, size in ranges)
    return SegmentPlan(header, tuple(reads), tuple(pieces), len(header) + payload)


def _media_playlist(cut: CutTrack, independent: bool) -> str:
    durations = cut.durations_s
    segments = (Segment(segment_name(number), duration) for number, duration in enumerate(durations))
    return MediaPlaylist(
        # "The EXTINF duration of each Media Segment, when rounded to the nearest integer, MUST be less than or
        # equal to the Target Duration" (RFC 8216bis 4.4.3.1).
        target_duration_s=max(1, int(max(durations) + 0.5)),
        playlist_type="VOD",
        independent_segments=independent,
        map=Map(init_name()),
        segments=tuple(segments),
        ended=True,
    ).render()


def _master_playlist(cuts: Mapping[str, CutTrack], prefix: str, independent: bool) -> str:
    video, audio = cuts.get(VIDEO), cuts.get(AUDIO)
    return master(
        _video_facts(video, f"{prefix}{VIDEO}/{MEDIA_PLAYLIST}") if video else None,
        _audio_facts(audio, f"{prefix}{AUDIO}/{MEDIA_PLAYLIST}") if audio else None,
        independent,
    )


def _video_facts(cut: CutTrack, uri: str) -> VideoFacts:
    config = cut.config
    return VideoFacts(
        uri=uri,
        codec=config.codec,
        peak=_peak(cut),
        average=_average(cut),
        resolution=_resolution(config) if isinstance(config, VideoConfig) else None,
        frame_rate=_frame_rate(cut),
    )


def _audio_facts(cut: CutTrack, uri: str) -> AudioFacts:
    config, language = cut.config, cut.track.language
    return AudioFacts(
        uri=uri,
        codec=config.codec,
        peak=_peak(cut),
        average=_average(cut),
        channels=config.channels if isinstance(config, AudioConfig) else None,
        language=None if language == "und" else language,
    )


def _peak(cut: CutTrack) -> int:
    """Bits a second of the heaviest segment; short ones count as half a target, they never come in a row."""
    durations = cut.durations_s
    shortest = max(durations) / 2
    rates = (size * 8 / max(time, shortest) for size, time in zip(cut.sizes, durations, strict=True))
    return max(1, round(max(rates)))


def _average(cut: CutTrack) -> int:
    """Bits a second of the whole track."""
    return max(1, round(sum(cut.sizes) * 8 / max(sum(cut.durations_s), 1e-3)))


def _resolution(config: VideoConfig) -> tuple[int, int]:
    """The picture as shown: square pixels, turned upright."""
    width = max(1, round(config.width * config.sar[0] / config.sar[1]))
    return (config.height, width) if config.rotation in (90, 270) else (width, config.height)


def _frame_rate(cut: CutTrack) -> float:
    """Pictures a second on average."""
    first, last = cut.bounds[0], cut.bounds[-1]
    ticks = cut.track.samples.dts[last] - cut.track.samples.dts[first]
    return round((last - first) * cut.config.timescale / max(1, ticks), 3)
