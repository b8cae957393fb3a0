"""One broadcast: a publisher writes, readers read, and between them the timeline.

    begin ─ configure* ─ write* ─ interrupt ─┐
      ▲                                      ├─ end
      └──────────────────────────────────────┘

A *generation* is a stretch of one publisher, one clock and one configuration of each track. It runs from its first
key frame, or from its first sound when no video comes. The next one begins with a new publisher, a changed
configuration, video that joins sound, or a jump of the clock; readers must treat it as a discontinuity.

Video is the master clock: sound is laid along it, cut to begin with it, and replaced by silence where it stays away.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from server.formats.aac import silent_frame
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.stream.reader import Kind, Reader
from server.stream.statistics import Statistics
from server.stream.timeline import JUMP_AUDIO_MS, MAX_CTS_MS, AudioGrid, Position, Unwrapper, VideoClock

__all__ = ["Kind", "Reader", "Statistics", "Stream"]

ALONE_MS = 1_000  # sound without a video configuration for so long is a stream of sound only
KEY_PATIENCE_MS = 10_000  # video is configured, but no key frame comes: sound goes on without it
MAX_HELD = 1_024  # sound frames held until a generation begins; 10 s at 96 kHz

AUDIO_PATIENCE_MS = 1_500  # sound this far behind the pictures is taken as absent, silence stands in
MAX_AUDIO_PATIENCE_MS = 4_000  # raised up to here where sound does come, only late
STRAY_MS = 5_000  # sound further than this from the pictures belongs to no clock of ours
MAX_STRAYS = 100  # so many in a row are a clock of their own (two seconds): laid along the pictures


@dataclass(slots=True)
class _Run:
    """A generation under way."""

    start_ms: int
    offset_ms: int  # from timestamps to output time, of sound
    video: VideoClock | None
    audio: AudioGrid | None
    patience_ms: int = AUDIO_PATIENCE_MS
    absent: bool = False  # silence stands in
    strays: int = 0

    @property
    def end_ms(self) -> int:
        return max(track.end_ms for track in (self.video, self.audio) if track is not None)


class Stream:
    """`broadcast_id` is for logs only."""

    def __init__(self, broadcast_id: str) -> None:
        self.broadcast_id = broadcast_id
        self.statistics = Statistics()
        self._readers: tuple[Reader, ...] = ()
        self._configs: dict[str, TrackConfig] = {}
        self._generation = -1
        self._origin_ms: int | None = None  # wall clock at output time zero, of the first generation
        self._epoch_ms = 0  # the same, of this one
        self._end_ms = 0  # output time that the last generation reached
        self._unwrap = Unwrapper()
        self._run: _Run | None = None
        self._held: deque[tuple[int, bytes | memoryview]] = deque(maxlen=MAX_HELD)
        self._alone = False  # this publisher sends sound only

    # --- readers

    def attach(self, reader: Reader) -> None:
        """A reader that comes later is told the configurations in force; its first picture may be no key frame."""
        self._readers = (*self._readers, reader)
        for config in self._configs.values():
            reader.configure(config, self._generation)
        if self._run is not None:
            reader.anchor(self._generation, self._epoch_ms)

    def detach(self, reader: Reader) -> None:
        self._readers = tuple(other for other in self._readers if other is not reader)

    # --- life

    @property
    def has_video(self) -> bool:
        """Whether the publisher announced video."""
        return "video" in self._configs

    @property
    def position(self) -> Position:
        end_ms = max(self._end_ms, self._run.end_ms) if self._run else self._end_ms
        return Position(self._generation, end_ms, self._epoch_ms)

    def restore(self, position: Position) -> None:
        """Goes on where a broadcast stood before a restart."""
        self._generation = position.generation
        if position.epoch_ms:
            self._origin_ms = self._epoch_ms = position.epoch_ms
        self._end_ms = position.end_ms

    def begin(self, now_ms: int) -> None:
        """A publisher connects, or comes back; its first media sets the clock, not `now_ms`."""
        if self._run is not None:
            self.interrupt()
        self._forget_publisher()
        self._generation += 1

    def interrupt(self) -> None:
        """The publisher is gone; another may begin."""
        self._stop()
        self._forget_publisher()
        for reader in self._readers:
            reader.flush()

    def end(self) -> None:
        self.interrupt()
        for reader in self._readers:
            reader.end()

    def _forget_publisher(self) -> None:
        self._configs.clear()
        self._held.clear()
        self._unwrap = Unwrapper()
        self._alone = False

    def _stop(self) -> None:
        if self._run is not None:
            self._end_ms = max(self._end_ms, self._run.end_ms)
            self._run = None

    # --- generations

    def configure(self, config: TrackConfig, now_ms: int) -> None:
        """What a track will send from now on; the same again changes nothing."""
        known = self._configs.get(config.kind)
        if known == config:
            return
        self._configs[config.kind] = config
        run = self._run
        if known is not None or (run is not None and run.video is None):
            self._next_generation()
        else:
            self._announce((config,))

    def _next_generation(self) -> None:
        self._stop()
        self._generation += 1
        self._held.clear()
        self._alone = self._alone and not self.has_video
        self._announce(self._configs.values())

    def _announce(self, configs: Iterable[TrackConfig]) -> None:
        for config in configs:
            for reader in self._readers:
                reader.configure(config, self._generation)

    def _start(self, now_ms: int) -> int:
        """Sets the clock of a generation whose first sample comes now; its output time in milliseconds.

        The output clock follows the wall clock over an interruption, so that one epoch dates the whole broadcast,
        unless the media is ahead of it.
        """
        if self._origin_ms is None:
            self._origin_ms = now_ms
        start_ms = max(self._end_ms, now_ms - self._origin_ms)
        self._epoch_ms = now_ms - start_ms
        self.statistics.generations += 1
        for reader in self._readers:
            reader.anchor(self._generation, self._epoch_ms)
        return start_ms

    # --- pictures

    def write_video(
        self, timestamp_ms: int, cts_ms: int, key: bool, data: bytes | memoryview, now_ms: int
    ) -> None:
        """A picture with the publisher's timestamp (decode time, 32 bits) and composition offset."""
        statistics = self.statistics
        statistics.video_frames += 1
        statistics.last_video_ms = now_ms
        statistics.count(len(data), now_ms)
        timestamp_ms = self._unwrap(timestamp_ms)
        if not -MAX_CTS_MS <= cts_ms <= MAX_CTS_MS:
            cts_ms = 0
        run = self._run
        if run is None or run.video is None:
            run = self._run_from(timestamp_ms, cts_ms, now_ms) if key else None
        if run is None or run.video is None:
            statistics.dropped += 1
            return
        sample = run.video.place(timestamp_ms, cts_ms, key, data)
        if sample is None:
            self._jumped(timestamp_ms, cts_ms, key, data, now_ms)
            return
        for reader in self._readers:
            reader.write("video", sample)
        if self._held:
            self._release()
        elif run.audio is not None:
            self._cover(run, run.audio, run.video.last_ms)

    def _run_from(self, timestamp_ms: int, cts_ms: int, now_ms: int) -> _Run | None:
        """A generation that begins with this key frame; None before a configuration."""
        config = self._configs.get("video")
        if not isinstance(config, VideoConfig):
            return None
        if self._run is not None:  # sound was running without pictures
            self._next_generation()
        start_ms = self._start(now_ms)
        video = VideoClock(config, start_ms, timestamp_ms, cts_ms)
        self._run = _Run(start_ms, video.offset_ms, video, self._grid(start_ms))
        return self._run

    def _jumped(self, timestamp_ms: int, cts_ms: int, key: bool, data: bytes | memoryview, now_ms: int) -> None:
        self._next_generation()
        run = self._run_from(timestamp_ms, cts_ms, now_ms) if key else None
        sample = run.video.place(timestamp_ms, cts_ms, key, data) if run and run.video else None
        if sample is None:
            self.statistics.dropped += 1
            return
        for reader in self._readers:
            reader.write("video", sample)

    # --- sound

    def write_audio(self, timestamp_ms: int, data: bytes | memoryview, now_ms: int) -> None:
        """A sound frame with the publisher's timestamp."""
        statistics = self.statistics
        statistics.audio_frames += 1
        statistics.last_audio_ms = now_ms
        statistics.count(len(data), now_ms)
        timestamp_ms = self._unwrap(timestamp_ms)
        run = self._run
        if "audio" not in self._configs:
            statistics.dropped += 1
        elif run is None:
            self._hold(timestamp_ms, data, now_ms)
        elif run.video is not None:
            self._write_beside(run, run.video, timestamp_ms, data)
        else:
            self._write_alone(run, timestamp_ms, data, now_ms)

    def _grid(self, start_ms: int) -> AudioGrid | None:
        config = self._configs.get("audio")
        if not isinstance(config, AudioConfig):
            return None
        return AudioGrid(config, start_ms * config.timescale // 1000, silent_frame(config))

    def _hold(self, timestamp_ms: int, data: bytes | memoryview, now_ms: int) -> None:
        """Keeps sound until its generation begins, which it does itself where no video comes."""
        held = self._held
        if held and not 0 <= timestamp_ms - held[-1][0] <= JUMP_AUDIO_MS:
            held.clear()
        held.append((timestamp_ms, data))
        span_ms = timestamp_ms - held[0][0]
        wait_ms = 0 if self._alone else KEY_PATIENCE_MS if self.has_video else ALONE_MS
        if span_ms < wait_ms and len(held) < MAX_HELD:
            return
        self._alone = not self.has_video
        start_ms = self._start(now_ms - min(span_ms, KEY_PATIENCE_MS))
        self._run = _Run(start_ms, start_ms - held[0][0], None, self._grid(start_ms))
        self._release()

    def _release(self) -> None:
        run, held = self._run, list(self._held)
        self._held.clear()
        for timestamp_ms, data in held:
            if run is not None and run.video is not None:
                self._write_beside(run, run.video, timestamp_ms, data)
            elif run is not None and run.audio is not None:
                self._lay(run, run.audio, timestamp_ms + run.offset_ms, data)

    def _write_beside(
        self, run: _Run, video: VideoClock, timestamp_ms: int, data: bytes | memoryview
    ) -> None:
        at_ms = timestamp_ms + run.offset_ms
        last_ms = video.last_ms
        if not last_ms - STRAY_MS <= at_ms <= last_ms + STRAY_MS:
            run.strays += 1
            if run.strays < MAX_STRAYS:
                self.statistics.dropped += 1
                return
            run.offset_ms = last_ms - timestamp_ms
            at_ms = last_ms
        run.strays = 0
        if run.audio is None:  # configured after the generation had begun
            run.audio = self._grid(at_ms)
        if run.audio is not None:
            self._lay(run, run.audio, at_ms, data)

    def _write_alone(self, run: _Run, timestamp_ms: int, data: bytes | memoryview, now_ms: int) -> None:
        grid, at_ms = run.audio, timestamp_ms + run.offset_ms
        if grid is None or -STRAY_MS < at_ms - grid.end_ms < JUMP_AUDIO_MS:
            if grid is not None:
                self._lay(run, grid, at_ms, data)
            return
        self._next_generation()
        self._hold(timestamp_ms, data, now_ms)

    def _lay(self, run: _Run, grid: AudioGrid, at_ms: int, data: bytes | memoryview) -> None:
        silent = grid.place(grid.ticks(at_ms))
        if silent == AudioGrid.LATE:
            self._late(run, at_ms)
            return
        run.absent = False
        if silent:
            self._silence(grid, silent)
        sample = grid.lay(data)
        for reader in self._readers:
            reader.write("audio", sample)

    def _late(self, run: _Run, at_ms: int) -> None:
        """Sound whose place is taken: if silence stood in for it, it gets more time from now on."""
        self.statistics.late_audio += 1
        if run.absent and run.video is not None:
            behind_ms = run.video.last_ms - at_ms
            run.patience_ms = min(MAX_AUDIO_PATIENCE_MS, max(run.patience_ms, behind_ms + 500))
            run.absent = False

    def _cover(self, run: _Run, grid: AudioGrid, video_ms: int) -> None:
        """Silence up to the pictures where sound stays away, or players would wait for it."""
        behind = grid.ticks(video_ms) - grid.next
        if behind <= 0:
            return
        if run.absent or behind > grid.ticks(run.patience_ms):
            run.absent = True
            self._silence(grid, grid.silent_frames_until(grid.next + behind))

    def _silence(self, grid: AudioGrid, frames: int) -> None:
        self.statistics.silent_frames += frames
        for _ in range(frames):
            sample = grid.lay_silence()
            for reader in self._readers:
                reader.write("audio", sample)
