"""From a publisher's timestamps to the broadcast's own clock. Pure arithmetic on integers.

A publisher counts milliseconds in 32 bits from anywhere. The output clock starts at zero with the broadcast's first
sample and never goes back. Pictures are placed by their timestamps; sound is counted in samples, because a timestamp
in milliseconds is too coarse for frames of 21.33 ms, and only checked against them.
"""

from typing import NamedTuple

from server.formats.sample import AudioConfig, Sample, VideoConfig

WRAP = 1 << 32  # RTMP timestamps, milliseconds
HALF = WRAP >> 1

JUMP_FORWARD_MS = 3_000  # longer can't be one picture: with it no segment keeps the shortest target duration, 4 s
JUMP_BACK_MS = 200  # less is an encoder's disorder, repaired in place; more is another clock
MAX_CTS_MS = 10_000  # composition offsets are a few pictures long; a larger one is noise, taken as none

RESYNC_MS = 60  # drift of sound against its timestamps that nobody hears as such
JUMP_AUDIO_MS = 10_000  # a longer hole is not filled: another clock, or another broadcast


class Position(NamedTuple):
    """Where a broadcast's clock stands: what goes on after a restart."""

    generation: int  # the last one used
    end_ms: int  # output time that the media reaches
    epoch_ms: int  # wall clock at output time zero, milliseconds since 1970


class Unwrapper:
    """Timestamps that grow past 32 bits; steps are read as the shorter way around."""

    def __init__(self) -> None:
        self._last: int | None = None

    def __call__(self, timestamp: int) -> int:
        last = self._last
        if last is None:
            value = timestamp
        else:
            value = last + (timestamp - last + HALF) % WRAP - HALF
        self._last = value
        return value


class VideoClock:
    """Pictures of one generation: from milliseconds to ticks, decode times that only grow.

    The first picture is shown at `start_ms`. Decode times are moved later by its composition offset, so that they
    begin at its presentation time and offsets are signed: a segment's tfdt is when its first picture is shown.
    """

    def __init__(self, config: VideoConfig, start_ms: int, timestamp_ms: int, cts_ms: int) -> None:
        self.offset_ms = start_ms - timestamp_ms - cts_ms  # from timestamps to output time
        self.repaired = 0
        self._timescale = config.timescale
        self._lead_ms = cts_ms
        self._forward = JUMP_FORWARD_MS * config.timescale // 1000
        self._back = -JUMP_BACK_MS * config.timescale // 1000
        self._step = 0
        self.last = start_ms * config.timescale // 1000 - 1  # decode time of the picture before, ticks

    def place(self, timestamp_ms: int, cts_ms: int, key: bool, data: bytes | memoryview) -> Sample | None:
        """The picture on the output clock, or None where its timestamp is a jump."""
        timescale, last = self._timescale, self.last
        dts = (timestamp_ms + self.offset_ms + self._lead_ms) * timescale // 1000
        cts = (cts_ms - self._lead_ms) * timescale // 1000
        step = dts - last
        if step <= 0:
            if step < self._back:
                return None
            self.repaired += 1
            cts -= 1 - step  # shown when it would have been
            dts, step = last + 1, 1
        elif step > self._forward:
            return None
        self._step = step
        self.last = dts
        return Sample(dts, cts, key, data)

    @property
    def last_ms(self) -> int:
        return self.last * 1000 // self._timescale

    @property
    def end_ms(self) -> int:
        """When the last picture ends if it lasts as long as the one before."""
        return -(-(self.last + self._step) * 1000 // self._timescale)


class AudioGrid:
    """Sound frames of one generation, one after the other on a grid of frame lengths.

    Frames are laid at `next` whatever their timestamps' jitter. Where the timestamps run more than RESYNC_MS ahead,
    silent frames are due first; where they fall behind, frames are left out until the grid is met again.
    """

    LATE = -1

    def __init__(self, config: AudioConfig, start: int, silence: bytes | None) -> None:
        """`start` is the earliest time of the first frame, in ticks; `silence` a frame to fill holes with."""
        self.rate = config.timescale
        self.frame = config.frame_length
        self.next = start
        self._silence = silence
        self._tolerance = RESYNC_MS * config.timescale // 1000
        self._begun = False
        self._late = False

    def ticks(self, ms: int) -> int:
        return ms * self.rate // 1000

    def place(self, at: int) -> int:
        """How many silent frames are due before the frame of time `at`, or LATE to leave it out."""
        drift = at - self.next
        if self._late or not self._begun:
            if drift < -self.frame // 2:
                return self.LATE
            self._late = False
        if not self._begun:
            self._begun = True
            if drift <= self._tolerance:
                self.next = max(at, self.next)
                return 0
        if -self._tolerance <= drift <= self._tolerance:
            return 0
        if drift < 0:
            self._late = True
            return self.LATE
        if self._silence is None:  # no silence in this channel layout: the hole stays
            self.next = at
            return 0
        return (drift + self.frame // 2) // self.frame

    def lay(self, data: bytes | memoryview) -> Sample:
        """The next frame."""
        sample = Sample(self.next, 0, True, data)
        self.next += self.frame
        return sample

    def lay_silence(self) -> Sample:
        self._begun = True
        return self.lay(self._silence or b"")

    def silent_frames_until(self, at: int) -> int:
        """Frames of silence that reach `at` at most; 0 where there is no silence to be had."""
        return max(0, (at - self.next) // self.frame) if self._silence is not None else 0

    @property
    def end_ms(self) -> int:
        return -(-self.next * 1000 // self.rate)
