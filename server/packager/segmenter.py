"""Where parts and segments are cut. Samples in, cuts out; integers in the track's ticks; no byte is looked into.

    VideoSegmenter        the master: parts at the frame nearest an even division of the segment, segments at key frames
    AudioSegmenter        sound alone: the master then
    TimedAudioSegmenter   the same, of frames whose length may change

What follows a master is cut in `followers`.

A part needs the time of the sample after it, so a cut comes with the sample that begins the next part.
"""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from server.formats.sample import Sample
from server.packager.part_target import PartTarget, video_part_target

KEY_SLACK_PERCENT = 5  # a key frame so much before the wanted segment length is taken: 1.9 s for 2 s
# Also the most that sound is kept beyond the last picture.
TARGET_SLACK_MS = 250  # "EXTINF … rounded to the nearest integer … MUST be <= TARGETDURATION": a GOP of 4.004 s fits 4
RECENT_GOPS = 4  # the longest of these is expected next

# Timestamps that stand still must not make a part grow for ever.
MAX_PART_SAMPLES = 512  # 1.2 s at 400 pictures a second
MAX_PART_BYTES = 16 << 20  # twice the largest RTMP message
MAX_SEGMENT_BYTES = 64 << 20  # 4 s at 128 Mbit/s


class Cut(NamedTuple):
    """A part. Without samples it only closes the segment, if `last`."""

    samples: Sequence[Sample]
    end: int  # time at which the part ends and the next begins
    last: bool  # the segment ends with it


class Lengths(NamedTuple):
    """What the broadcast wants of its segments, in the track's ticks."""

    part: int
    segment: int
    target_duration: int
    slack: int

    @classmethod
    def of(cls, timescale: int, part_s: float, segment_s: float, target_duration_s: int) -> "Lengths":
        return cls(
            round(part_s * timescale),
            round(segment_s * timescale),
            target_duration_s * timescale,
            TARGET_SLACK_MS * timescale // 1000,
        )


class PictureParts:
    """Pictures of one generation in parts: those of the open segment divide it evenly. Decode times must grow."""

    def __init__(self, timescale: int, lengths: Lengths, part_target: PartTarget | None = None) -> None:
        """Without a part target one is chosen at the first cut, from the pictures seen by then."""
        self.part_target = part_target
        self.irregular_parts = 0  # longer or shorter than legal, because of pictures left out
        self._timescale = timescale
        self._lengths = lengths
        self._samples: list[Sample] = []
        self._step = 0  # duration of the last picture
        self._segment_start = 0
        self._part_index = 0
        self._part_bytes = 0
        self._segment_bytes = 0
        self._expected = lengths.segment  # length of a segment as the last one was

    def _ends_part(self, dts: int) -> bool:
        if self._part_bytes > MAX_PART_BYTES or len(self._samples) >= MAX_PART_SAMPLES:
            return True
        length = dts - self._samples[0].dts
        target = self.part_target
        if target is None:
            return length + self._step // 2 >= self._lengths.part
        if length >= target.shortest and length + self._step // 2 >= self._goal(target):
            return True
        excess = length + self._step - target.longest  # if the next picture is taken in
        if excess <= 0:
            return False
        # one is not legal: the lesser evil
        return length >= target.shortest or self._samples[0].key or excess > target.shortest - length

    def _goal(self, target: PartTarget) -> int:
        """Parts divide the segment evenly if it is as long as the last one: no runt at its end."""
        count = max(1, self._expected // target.nominal)
        if self._expected > count * target.longest:
            count += 1
        index = self._part_index + 1
        if index > count:
            return target.nominal
        goal = self._segment_start + self._expected * index // count - self._samples[0].dts
        return min(max(goal, target.shortest), target.longest)

    def _cut(self, end: int, *, last: bool) -> Cut:
        samples, self._samples = self._samples, []
        if samples:
            if self.part_target is None:
                self._choose_part_target(samples, end)
            self._judge(samples, end, last)
        self._part_index += 1
        self._segment_bytes += self._part_bytes
        self._part_bytes = 0
        if last:
            self._segment_bytes = 0
            length = end - self._segment_start
            if length * 2 >= self._lengths.segment:
                self._expected = length
            self._segment_start, self._part_index = end, 0
        return Cut(samples, end, last)

    def _choose_part_target(self, samples: Sequence[Sample], end: int) -> None:
        times = [*(sample.dts for sample in samples), end]
        durations = [after - before for before, after in pairwise(times)]
        self.part_target = video_part_target(self._lengths.part, self._timescale, durations)

    def _judge(self, samples: Sequence[Sample], end: int, last: bool) -> None:
        target = self.part_target
        if target is None:
            return
        length = end - samples[0].dts
        short = length < target.shortest and not last and not samples[0].key
        if short or length > target.longest:
            self.irregular_parts += 1


class VideoSegmenter(PictureParts):
    """Pictures that decide where segments end; the first must be a key frame."""

    def __init__(self, timescale: int, lengths: Lengths, part_target: PartTarget | None = None) -> None:
        super().__init__(timescale, lengths, part_target)
        self._longest_segment = lengths.target_duration + lengths.slack
        self._key_at: int | None = None
        self._gops: deque[int] = deque(maxlen=RECENT_GOPS)

    @property
    def longest_gop(self) -> int:
        """Of the recent ones; 0 before the second key frame."""
        return max(self._gops, default=0)

    def push(self, sample: Sample) -> Sequence[Cut]:
        samples = self._samples
        if not samples:
            self._segment_start = sample.dts
            cuts: Sequence[Cut] = ()
        else:
            self._step = sample.dts - samples[-1].dts
            cuts = self._cuts_before(sample)
        if sample.key:
            self._note_key(sample.dts)
        self._samples.append(sample)
        self._part_bytes += len(sample.data)
        return cuts

    def flush(self) -> Sequence[Cut]:
        """Closes the segment; the last picture lasts as long as the one before it."""
        if not self._samples:
            return ()
        end = self._samples[-1].dts + (self._step or self._timescale // 30)
        return (self._cut(end, last=True),)

    def _note_key(self, dts: int) -> None:
        if self._key_at is not None:
            self._gops.append(dts - self._key_at)
        self._key_at = dts

    def _cuts_before(self, sample: Sample) -> Sequence[Cut]:
        cuts = []
        if sample.dts - self._segment_start > self._longest_segment and self._samples[-1].dts > self._segment_start:
            cuts.append(self._cut_before_last())  # pictures were left out: the last one lasts too long for its segment
        if self._ends_segment(sample):
            cuts.append(self._cut(sample.dts, last=True))
        elif self._ends_part(sample.dts):
            cuts.append(self._cut(sample.dts, last=False))
        return cuts

    def _ends_segment(self, sample: Sample) -> bool:
        if self._segment_bytes + self._part_bytes > MAX_SEGMENT_BYTES:
            return True
        length = sample.dts - self._segment_start
        if sample.key:
            wanted = self._lengths.segment * (100 - KEY_SLACK_PERCENT) // 100
            if self.longest_gop > self._longest_segment:  # segments without a key frame are unavoidable: no runts
                return length >= wanted // 2
            return length >= wanted or length + self.longest_gop > self._longest_segment
        return length + self._step > self._longest_segment or length + self._step // 2 >= self._forced_length()

    def _forced_length(self) -> int:
        """Where to cut without a key frame: key frames too far apart are divided evenly, to the target duration."""
        gop, longest = self.longest_gop, self._longest_segment
        if gop <= longest:
            return longest
        target = self._lengths.target_duration
        return gop // -(-gop // target)

    def _cut_before_last(self) -> Cut:
        kept = self._samples.pop()
        cut = self._cut(kept.dts, last=True)
        self._samples.append(kept)
        self._part_bytes = len(kept.data)
        return cut


class AudioSegmenter:
    """Sound of one generation without pictures: equal parts, an equal number of them in a segment."""

    longest_gop = 0
    irregular_parts = 0

    def __init__(self, frame: int, lengths: Lengths, part_target: PartTarget) -> None:
        self.part_target = part_target
        self._frame = frame
        self._part_frames = max(1, part_target.nominal // frame)
        self._parts = max(1, round(lengths.segment / (self._part_frames * frame)))
        self._samples: list[Sample] = []
        self._part_index = 0

    def push(self, sample: Sample) -> Sequence[Cut]:
        samples = self._samples
        cuts: list[Cut] = []
        if samples and sample.dts != samples[-1].dts + self._frame:
            cuts.append(self._cut())
        self._samples.append(sample)
        if len(self._samples) == self._part_frames:
            cuts.append(self._cut())
        return cuts

    def flush(self) -> Sequence[Cut]:
        """Closes the segment, if there is one."""
        if not self._samples and not self._part_index:
            return ()
        self._part_index = self._parts - 1
        return (self._cut(),)

    def _cut(self) -> Cut:
        samples, self._samples = self._samples, []
        self._part_index += 1
        last = self._part_index == self._parts
        if last:
            self._part_index = 0
        return Cut(samples, samples[-1].dts + self._frame if samples else 0, last)


class TimedAudioSegmenter:
    """As AudioSegmenter, of frames that last until the next one: about equal parts and segments."""

    longest_gop = 0
    irregular_parts = 0

    def __init__(self, frame: int, lengths: Lengths, part_target: PartTarget) -> None:
        self.part_target = part_target
        self._frame = frame
        self._segment = max(1, round(lengths.segment / part_target.nominal)) * part_target.nominal
        self._samples: list[Sample] = []
        self._segment_start = 0
        self._step = frame  # how long the last frame was

    def push(self, sample: Sample) -> Sequence[Cut]:
        samples, target = self._samples, self.part_target
        if not samples:
            self._segment_start = sample.dts
        cuts: Sequence[Cut] = ()
        if samples:
            step = sample.dts - samples[-1].dts
            length = sample.dts - samples[0].dts
            if length > target.longest:  # a hole: the frame before it lasts as long as the one before that
                cuts = (self._cut(min(sample.dts, samples[-1].dts + self._step)),)
                self._segment_start += sample.dts - cuts[0].end
            elif length + step // 2 >= target.nominal or length + step > target.longest:
                cuts = (self._cut(sample.dts),)
            self._step = min(step, target.nominal)
        self._samples.append(sample)
        return cuts

    def flush(self) -> Sequence[Cut]:
        """Closes the segment, if there is one."""
        if not self._samples:
            return ()
        end = self._samples[-1].dts + self._step
        return (Cut(self._samples, end, last=True),)

    def _cut(self, end: int) -> Cut:
        samples, self._samples = self._samples, []
        last = end - self._segment_start + self.part_target.nominal // 2 >= self._segment
        if last:
            self._segment_start = end
        return Cut(samples, end, last)
