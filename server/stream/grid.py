"""Where frames of sound lie: one after the other, whatever the jitter of their timestamps."""

from collections.abc import Callable
from contextlib import suppress

from server.formats import aac, flac, opus
from server.formats.sample import AudioConfig, Sample

RESYNC_MS = 60  # drift of sound against its timestamps that nobody hears as such
A_TICK = 1  # what a frame lasts at least where neither the configuration nor the frame itself tells

Length = Callable[[bytes | memoryview], int]

# Codecs whose frames tell how long they are, and need not be as long as the one before.
LENGTHS: dict[str, Length] = {"Opus": opus.packet_samples, "fLaC": flac.frame_samples}


class AudioGrid:
    """Sound frames of one track and generation, on a grid of frame lengths.

    Frames are laid at `next`. Where the timestamps run more than RESYNC_MS ahead, silent frames are due first; where
    they fall behind, frames are left out until the grid is met again. Of a codec without known silence holes stay.
    """

    LATE = -1

    def __init__(self, config: AudioConfig, start: int) -> None:
        """`start` is the earliest time of the first frame, in ticks."""
        self.rate = config.timescale
        self.next = start
        self._length = LENGTHS.get(config.codec)
        self._timed = not config.frame_length and self._length is None
        self.frame = config.frame_length or A_TICK
        self._silence, self._silent_ticks = silence(config)
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
            if self._timed and drift > 0:
                self.next = at
            return 0
        if drift < 0:
            self._late = True
            return self.LATE
        if self._silence is None:  # the hole stays
            self.next = at
            return 0
        return (drift + self._silent_ticks // 2) // self._silent_ticks

    def lay(self, data: bytes | memoryview) -> Sample:
        """The next frame."""
        sample = Sample(self.next, 0, True, data)
        self.next += self.frame if self._length is None else self._length_of(data)
        return sample

    def _length_of(self, data: bytes | memoryview) -> int:
        with suppress(ValueError):  # a damaged one is as long as the one before
            self.frame = self._length(data) if self._length else self.frame
        return self.frame

    def lay_silence(self) -> Sample:
        self._begun = True
        sample = Sample(self.next, 0, True, self._silence or b"")
        self.next += self._silent_ticks
        return sample

    def silent_frames_until(self, at: int) -> int:
        """Frames of silence that reach `at` at most; 0 where there is no silence to be had."""
        return max(0, (at - self.next) // self._silent_ticks) if self._silence is not None else 0

    @property
    def end_ms(self) -> int:
        return -(-self.next * 1000 // self.rate)


def silence(config: AudioConfig) -> tuple[bytes | None, int]:
    """A frame of digital silence and its length in ticks; None where the codec or the layout has none here."""
    if config.codec == "Opus":
        return opus.SILENCE.get(config.channels), opus.FRAME_20_MS
    if config.codec.startswith("mp4a.40.") and config.frame_length:
        return aac.silent_frame(config), config.frame_length
    return None, config.frame_length or A_TICK
