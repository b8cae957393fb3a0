"""One broadcast: a publisher writes, readers read, and between them the timeline.

    begin ─ configure* ─ write* ─ interrupt ─┐
      ▲                                      ├─ end
      └──────────────────────────────────────┘

A *generation* is a stretch of one publisher, one clock and one configuration of each track. It runs from its first
key frame, or from its first sound when no video comes. The next one begins with a new publisher, a changed
configuration, video that joins sound, or a jump of the clock; readers must treat it as a discontinuity.

Tracks have names: `video` is the master clock. Sound is laid along it, cut to begin with it, and replaced by silence
where it stays away; `video2` and so on are placed on the same clock. Where the pictures of `video` stay away and sound
goes on, the last key frame is shown until another comes.
"""

from collections.abc import Iterable

from server.formats.sample import TrackConfig, VideoConfig
from server.stream.audience import Audience
from server.stream.held import Early, Waiting
from server.stream.output import OutputClock
from server.stream.reader import AUDIO, TRACKS, VIDEO, Reader
from server.stream.run import STAND_IN_MS, Run
from server.stream.statistics import Statistics
from server.stream.timeline import MAX_CTS_MS, RTMP_CLOCK, Position, PublisherClock, Unwrapper, VideoClock

__all__ = ["Reader", "Statistics", "Stream"]

ALONE_MS = 1_000  # sound without a video configuration for so long is a stream of sound only
KEY_PATIENCE_MS = 10_000  # video is configured, but no key frame comes: sound goes on without it,
AGAIN_PATIENCE_MS = 3_000  # sooner where viewers are watching already
KEYLESS_MS = 15_000  # pictures come, of which none can be shown: the publisher is told
QUIET_MS = 5_000  # unless they have stopped
HELD_JUMP_MS = 10_000  # what waits is of one clock


class Stream:
    """`broadcast_id` is for logs only."""

    def __init__(self, broadcast_id: str) -> None:
        self.broadcast_id = broadcast_id
        self._audience = Audience()
        self.statistics = self._audience.statistics
        self._configs: dict[str, TrackConfig] = {}
        self._clock = RTMP_CLOCK
        self._max_cts = MAX_CTS_MS
        self._output = OutputClock()
        self._unwrap = Unwrapper()
        self._run: Run | None = None
        self._held = Waiting()
        self._alone = False  # this publisher sends sound only
        self._keyless_ms: int | None = None  # wall clock when pictures came for which a key frame is missing

    # --- readers

    def attach(self, reader: Reader) -> None:
        """A reader that comes later is told the configurations in force; its first picture may be no key frame."""
        self._audience.readers = (*self._audience.readers, reader)
        for track, config in self._configs.items():
            reader.configure(track, config, self._output.generation)
        if self._run is not None:
            reader.anchor(self._output.generation, self._output.epoch_ms)

    def detach(self, reader: Reader) -> None:
        self._audience.readers = tuple(other for other in self._audience.readers if other is not reader)

    # --- life

    @property
    def has_video(self) -> bool:
        """Whether the publisher announced video."""
        return VIDEO in self._configs

    @property
    def position(self) -> Position:
        output = self._output
        end_ms = max(output.end_ms, self._run.end_ms) if self._run else output.end_ms
        return Position(output.generation, end_ms, output.epoch_ms)

    @property
    def skew_ms(self) -> int | None:
        """By how much the sound's timestamps are ahead of the pictures'; None without either."""
        run = self._run
        if run is None or run.video is None or AUDIO not in run.sounds:
            return None
        return run.sounds[AUDIO].at_ms - run.video.last_ms

    @property
    def repaired(self) -> int:
        """Timestamps of this generation's pictures that were moved to keep their order."""
        return self._run.video.repaired if self._run and self._run.video else 0

    def trouble(self, now_ms: int) -> str | None:
        """Why this publisher can't be shown, for it to be told and sent away; None while all is well."""
        since_ms = self._keyless_ms
        if since_ms is None or now_ms - since_ms < KEYLESS_MS:
            return None
        if now_ms - self.statistics.last_video_ms > QUIET_MS:
            return None
        return f"no key frame in {KEYLESS_MS // 1000} s: set a key-frame interval of 2 s in the encoder"

    def restore(self, position: Position) -> None:
        """Goes on where a broadcast stood before a restart."""
        self._output.restore(position)

    def begin(self, now_ms: int, clock: PublisherClock = RTMP_CLOCK) -> None:
        """A publisher connects, or comes back; its first media sets the output clock, not `now_ms`.

        Its timestamps are those of `clock`.
        """
        if self._run is not None:
            self.interrupt()
        self._clock = clock
        self._max_cts = MAX_CTS_MS * clock.rate // 1000
        self._forget_publisher()
        self._output.generation += 1

    def interrupt(self) -> None:
        """The publisher is gone; another may begin."""
        self._stop()
        self._forget_publisher()
        for reader in self._audience.readers:
            reader.flush()

    def end(self) -> None:
        self.interrupt()
        for reader in self._audience.readers:
            reader.end()

    def _forget_publisher(self) -> None:
        self._configs.clear()
        self._held.clear()
        self._unwrap = Unwrapper(self._clock.wrap)
        self._alone = False
        self._keyless_ms = None

    def _stop(self) -> None:
        if self._run is not None:
            self._output.stop(self._run.end_ms)
            self._run = None

    # --- generations

    def configure(self, config: TrackConfig, now_ms: int, track: str | None = None) -> None:
        """What a track will send from now on; the same again changes nothing, and a name that is none is ignored.

        Without a name it is the main track of its kind.
        """
        track = track or config.kind
        known = self._configs.get(track)
        if known == config or track not in TRACKS:
            return
        self._configs[track] = config
        run = self._run
        if known is not None or (run is not None and run.video is None and track == VIDEO):
            self._next_generation()
        else:
            self._announce({track: config}.items())

    def _next_generation(self) -> None:
        self._stop()
        self._output.generation += 1
        self._held.clear()
        self._alone = self._alone and not self.has_video
        self._announce(self._configs.items())

    def _announce(self, configs: Iterable[tuple[str, TrackConfig]]) -> None:
        for track, config in configs:
            for reader in self._audience.readers:
                reader.configure(track, config, self._output.generation)

    def _start(self, now_ms: int) -> int:
        """Sets the clock of a generation whose first sample comes now: its output time in milliseconds."""
        start_ms = self._output.start(now_ms)
        self.statistics.generations += 1
        self._anchor()
        return start_ms

    def _anchor(self) -> None:
        for reader in self._audience.readers:
            reader.anchor(self._output.generation, self._output.epoch_ms)

    # --- pictures

    def write_video(
        self, timestamp: int, cts: int, key: bool, data: bytes | memoryview, now_ms: int, track: str = VIDEO
    ) -> None:
        """A picture with the publisher's timestamp (decode time, wrapping) and composition offset, in its ticks."""
        statistics = self.statistics
        timestamp = self._unwrap(timestamp)
        if not -self._max_cts <= cts <= self._max_cts:
            cts = 0
        if track != VIDEO:
            self._write_other(track, Early(timestamp, cts, key, data), now_ms)
            return
        statistics.video_frames += 1
        statistics.last_video_ms = now_ms
        statistics.count(len(data), now_ms)
        run = self._run
        if run is None or run.video is None or run.standing_in:
            run = self._run_of(timestamp, cts, key, now_ms)
        if run is None or run.video is None:
            self._drop_picture(now_ms)
            return
        sample = run.video.place(timestamp, cts, key, data)
        if sample is None:
            self._jumped(timestamp, cts, key, data, now_ms)
            return
        if key:
            self._key_frame(run, run.video, data, now_ms)
        run.shown_ms = now_ms
        for reader in self._audience.readers:
            reader.write(VIDEO, sample)
        if self._held:
            self._release(run, now_ms)
            return
        last_ms = run.video.last_ms
        for sound in run.sounds.values():
            sound.cover(last_ms)

    def _run_of(self, timestamp: int, cts: int, key: bool, now_ms: int) -> Run | None:
        """The generation that a picture belongs to, which may begin with it; None where it can't be shown."""
        run = self._run
        if run is None or run.video is None:
            return self._run_from(timestamp, cts, now_ms) if key else None
        seen = run.sees_again(timestamp, key)
        if seen is None:
            self._next_generation()
            return self._run_from(timestamp, cts, now_ms)
        return run if seen else None

    def _run_from(self, timestamp: int, cts: int, now_ms: int) -> Run | None:
        """A generation that begins with this key frame; None before a configuration."""
        config = self._configs.get(VIDEO)
        if not isinstance(config, VideoConfig):
            return None
        if self._run is not None:  # sound was running without pictures
            self._next_generation()
        start_ms = self._start(now_ms)
        video = VideoClock.master(config, self._clock, start_ms, timestamp, cts)
        return self._begin_run(Run(self._audience, self._clock, start_ms, video.offset, video))

    def _begin_run(self, run: Run) -> Run:
        for track, config in self._configs.items():
            run.join(track, config)
        self._run = run
        return run

    def _key_frame(self, run: Run, video: VideoClock, data: bytes | memoryview, now_ms: int) -> None:
        run.key_frame, self._keyless_ms = data, None
        if self._output.observe(video.last_ms, now_ms):
            self._anchor()

    def _jumped(self, timestamp: int, cts: int, key: bool, data: bytes | memoryview, now_ms: int) -> None:
        self._next_generation()
        run = self._run_from(timestamp, cts, now_ms) if key else None
        sample = run.video.place(timestamp, cts, key, data) if run and run.video else None
        if run is None or sample is None:
            self._drop_picture(now_ms)
            return
        run.key_frame, run.shown_ms = data, now_ms
        self._audience.write(VIDEO, sample)

    def _drop_picture(self, now_ms: int) -> None:
        """It needs a key frame that has not come."""
        self.statistics.dropped += 1
        if self._keyless_ms is None and self.has_video:
            self._keyless_ms = now_ms

    # --- other tracks

    def write_audio(self, timestamp: int, data: bytes | memoryview, now_ms: int, track: str = AUDIO) -> None:
        """A sound frame with the publisher's timestamp."""
        statistics = self.statistics
        statistics.audio_frames += 1
        statistics.last_audio_ms = now_ms
        statistics.count(len(data), now_ms)
        timestamp = self._unwrap(timestamp)
        run = self._run
        if run is not None and run.video is not None and now_ms - run.shown_ms <= STAND_IN_MS and track in run.sounds:
            run.sounds[track].write(timestamp, data, run.video.last_ms)  # as nearly always
        else:
            self._write_sound(run, track, timestamp, data, now_ms)

    def _write_sound(
        self, run: Run | None, track: str, timestamp: int, data: bytes | memoryview, now_ms: int
    ) -> None:
        config = self._configs.get(track)
        if config is None:
            self.statistics.dropped += 1
        elif run is None:
            self._hold(track, Early(timestamp, 0, True, data), now_ms)
        elif not run.hear(track, config, timestamp, data, now_ms):
            self._next_generation()
            self._hold(track, Early(timestamp, 0, True, data), now_ms)
        elif run.video is None and track == run.alone and self._output.observe(run.last_ms, now_ms):
            self._anchor()

    def _write_other(self, track: str, sample: Early, now_ms: int) -> None:
        """A picture of another track than the master."""
        self.statistics.count(len(sample.data), now_ms)
        run, config = self._run, self._configs.get(track)
        if config is None:
            self.statistics.dropped += 1
        elif run is None:
            self._hold(track, sample, now_ms)
        else:
            run.follow(track, config, sample, now_ms)

    def _hold(self, track: str, sample: Early, now_ms: int) -> None:
        """Keeps a sample until its generation begins, which sound does itself where no pictures come."""
        rate = self._clock.rate
        pictures = isinstance(self._configs[track], VideoConfig)
        held = self._held.add(track, sample, HELD_JUMP_MS * rate // 1000, pictures=pictures)
        span_ms = held.span * 1000 // rate
        if pictures or (span_ms < self._wait_ms and not held.full) or (first := self._held.first_sound()) is None:
            return
        alone, timestamp = first
        self._alone = not self.has_video
        start_ms = self._start(now_ms - min(span_ms, KEY_PATIENCE_MS))
        run = Run(self._audience, self._clock, start_ms, start_ms * rate // 1000 - timestamp, alone=alone)
        self._release(self._begin_run(run), now_ms)

    @property
    def _wait_ms(self) -> int:
        """How long sound waits for pictures."""
        if not self.has_video:
            return 0 if self._alone else ALONE_MS
        return AGAIN_PATIENCE_MS if self.statistics.generations else KEY_PATIENCE_MS

    def _release(self, run: Run, now_ms: int) -> None:
        for track, sample in self._held.take(run.alone):
            run.follow(track, self._configs[track], sample, now_ms)
