"""A track of sound within a generation: laid along the pictures, replaced by silence where it stays away."""

from server.formats.sample import AudioConfig
from server.stream.audience import Audience
from server.stream.grid import AudioGrid

AUDIO_PATIENCE_MS = 1_500  # sound this far behind the pictures is taken as absent, silence stands in
MAX_AUDIO_PATIENCE_MS = 4_000  # raised up to here where sound does come, only late
STRAY_MS = 5_000  # media further than this from the pictures belongs to no clock of ours
MAX_STRAYS = 100  # so many in a row are a clock of their own (two seconds): laid along the pictures


class Sound:
    """`offset` leads from timestamps to output time, in the publisher's ticks of `rate` a second."""

    def __init__(
        self, track: str, config: AudioConfig, audience: Audience, rate: int, offset: int, start_ms: int
    ) -> None:
        self.track = track
        self.grid = AudioGrid(config, start_ms * config.timescale // 1000)
        self.offset = offset
        self.at_ms = start_ms  # of the last frame by its own timestamp, wherever it was laid
        self._audience = audience
        self._rate = rate
        self._strays = 0
        self._patience = self.grid.ticks(AUDIO_PATIENCE_MS)
        self._absent = False  # silence stands in

    def at(self, timestamp: int) -> int:
        """The output time of a timestamp, milliseconds."""
        return (timestamp + self.offset) * 1000 // self._rate

    def write(self, timestamp: int, data: bytes | memoryview, last_ms: int) -> None:
        """A frame beside media that has reached `last_ms`; one that belongs to another clock is dropped."""
        at_ms = (timestamp + self.offset) * 1000 // self._rate
        if not last_ms - STRAY_MS <= at_ms <= last_ms + STRAY_MS:
            self._strays += 1
            if self._strays < MAX_STRAYS:
                self._audience.statistics.dropped += 1
                return
            self.offset = last_ms * self._rate // 1000 - timestamp
            at_ms = last_ms
            self._strays = 0
        elif self._strays:
            self._strays = 0
        self.at_ms = at_ms
        self.lay(timestamp, data, last_ms)

    def lay(self, timestamp: int, data: bytes | memoryview, last_ms: int) -> None:
        """A frame whose timestamp is of this clock."""
        grid = self.grid
        at = (timestamp + self.offset) * grid.rate // self._rate
        silent = grid.place(at)
        if silent == AudioGrid.LATE:
            self._late(at, last_ms)
            return
        self._absent = False
        if silent:
            self._silence(silent)
        sample = grid.lay(data)
        for reader in self._audience.readers:
            reader.write(self.track, sample)

    def _late(self, at: int, last_ms: int) -> None:
        """Sound whose place is taken: if silence stood in for it, it gets more time from now on."""
        self._audience.statistics.late_audio += 1
        if self._absent:
            grid = self.grid
            behind = grid.ticks(last_ms + AUDIO_PATIENCE_MS // 3) - at
            self._patience = min(grid.ticks(MAX_AUDIO_PATIENCE_MS), max(self._patience, behind))
            self._absent = False

    def cover(self, last_ms: int) -> None:
        """Silence up to the pictures where sound stays away, or players would wait for it."""
        grid = self.grid
        behind = last_ms * grid.rate // 1000 - grid.next
        if behind > 0 and (self._absent or behind > self._patience):
            self._absent = True
            self._silence(grid.silent_frames_until(grid.next + behind))

    def _silence(self, frames: int) -> None:
        self._audience.statistics.silent_frames += frames
        for _ in range(frames):
            self._audience.write(self.track, self.grid.lay_silence())
