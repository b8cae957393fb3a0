"""One track of an upload on the presentation's timeline, cut into segments.

The timeline: the movie's clock (edit lists applied) less the moment of the first picture or the first sound, whichever
comes first. Decoding times are moved so that the first picture's equals the time it is shown, which makes composition
offsets signed: players stall on a hole at 0. A picture that begins after the sound is held from 0 on.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from operator import sub

from server.formats.aac import silent_frame
from server.formats.fmp4.index import MAX_REORDER, MovieIndex, Track
from server.formats.fmp4.part import audio_header, video_header
from server.formats.sample import AudioConfig, VideoConfig
from server.packager.presentation import AUDIO, VIDEO
from server.packager.vod_cuts import MIN_SEGMENT_S, frame_cuts, key_cuts, steady_times
from server.packager.vod_edges import first_key, with_silence, without_hidden

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

    def silence(self, size: int) -> bytes:
        """`size` bytes of silent frames, which the sample table has put where there is no sound."""
        frame = silent_frame(self.config) if isinstance(self.config, AudioConfig) else None
        return frame * (size // len(frame)) if frame else b""

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


def cut_tracks(index: MovieIndex, target_s: float) -> dict[str, CutTrack]:
    """The tracks of an upload by their kind, video first, cut at the same times about `target_s` apart."""
    video = None if index.video is None else without_hidden(index.video)
    origin = _origin(video, index.audio)
    cuts: dict[str, CutTrack] = {}
    if video is not None:
        cuts[VIDEO] = _cut_video(video, origin, target_s)
    if index.audio is not None:
        cuts[AUDIO] = _cut_audio(index.audio, origin, target_s, cuts.get(VIDEO))
    return cuts


def _origin(video: Track | None, audio: Track | None) -> Fraction:
    """The moment on the movie's clock, seconds, that the presentation begins at."""
    starts = []
    if video is not None:
        starts.append(Fraction(video.shown(first_key(video)), video.config.timescale))
    if audio is not None:
        # Sound before 0 is the encoder's run-up, unless pictures from before 0 are shown too.
        earliest = min([Fraction(0), *starts])
        starts.append(max(earliest, Fraction(audio.shown(0), audio.config.timescale)))
    return min(starts)


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
    first = first_key(track)
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
    track, first, last = with_silence(track, first, _last(track, first), -offset)
    dts = track.samples.dts
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
