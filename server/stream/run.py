"""A generation under way: the clocks of its tracks."""

from dataclasses import dataclass, field

from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.stream.audience import Audience
from server.stream.held import Early
from server.stream.pictures import Pictures
from server.stream.reader import VIDEO
from server.stream.sound import STRAY_MS, Sound
from server.stream.timeline import PublisherClock, VideoClock

VIDEO_PATIENCE_MS = 2_000  # pictures this far behind the sound are taken as absent, the last key frame stands in
STAND_IN_MS = 200  # how long it is shown each time: no part needs more than one, and each may begin a part
STAND_IN_AT_MOST_MS = 10_000  # at a time: sound that is further ahead has another clock
JUMP_AUDIO_MS = 10_000  # a longer hole in sound alone is not filled: another clock, or another broadcast


@dataclass(slots=True)
class Run:
    """Its master is `video`, or else the sound of the track `alone`."""

    audience: Audience
    clock: PublisherClock
    start_ms: int
    offset: int  # from timestamps to output time, in ticks of the publisher's clock
    video: VideoClock | None = None
    alone: str = ""
    sounds: dict[str, Sound] = field(default_factory=dict)
    pictures: dict[str, Pictures] = field(default_factory=dict)  # of other tracks than the master
    key_frame: bytes | memoryview = b""  # the last one
    shown_ms: int = 0  # wall clock at the last picture
    standing_in: bool = False  # the last key frame is repeated until another comes

    @property
    def last_ms(self) -> int:
        """What the master has reached."""
        return self.video.last_ms if self.video else self.sounds[self.alone].grid.end_ms

    @property
    def end_ms(self) -> int:
        ends = [sound.grid.end_ms for sound in self.sounds.values()]
        return max([*ends, self.video.end_ms] if self.video else ends, default=self.start_ms)

    # --- tracks

    def join(self, track: str, config: TrackConfig, timestamp: int | None = None) -> None:
        """A track of sound or of further pictures, from the start on, or from `timestamp` where it joins later."""
        start_ms = self.start_ms
        if timestamp is not None:
            start_ms = max(start_ms, (timestamp + self.offset) * 1000 // self.clock.rate)
        if isinstance(config, AudioConfig):
            self.sounds[track] = Sound(track, config, self.audience, self.clock.rate, self.offset, start_ms)
        elif track != VIDEO:
            self.pictures[track] = Pictures(track, config, self.audience, self.clock, self.offset, self.start_ms)

    def cover(self, last_ms: int) -> None:
        for sound in self.sounds.values():
            sound.cover(last_ms)

    def follow(self, track: str, config: TrackConfig, sample: Early, now_ms: int) -> None:
        """A sample of any track but the master."""
        if isinstance(config, VideoConfig):
            if self.video is None:
                self.audience.statistics.dropped += 1
                return
            if track not in self.pictures:
                self.join(track, config)
            self.pictures[track].write(*sample, self.video.last_ms)
        else:
            self.hear(track, config, sample.timestamp, sample.data, now_ms)

    def hear(self, track: str, config: TrackConfig, timestamp: int, data: bytes | memoryview, now_ms: int) -> bool:
        """A frame of sound; False where the clock of sound alone has jumped."""
        sound = self.sounds.get(track)
        if sound is None:  # configured after the generation had begun
            self.join(track, config, timestamp)
            sound = self.sounds[track]
        video = self.video
        if video is not None:
            last_ms = video.last_ms
            if now_ms - self.shown_ms > STAND_IN_MS:
                self._look(video, sound.at(timestamp) - last_ms, now_ms)
                last_ms = video.last_ms
            sound.write(timestamp, data, last_ms)
        elif track == self.alone:
            return self._hear_alone(sound, timestamp, data)
        else:
            sound.write(timestamp, data, self.last_ms)
        return True

    def _hear_alone(self, sound: Sound, timestamp: int, data: bytes | memoryview) -> bool:
        ahead_ms = sound.at(timestamp) - sound.grid.end_ms
        if not -STRAY_MS < ahead_ms < JUMP_AUDIO_MS:
            return False
        sound.lay(timestamp, data, sound.grid.end_ms)
        if len(self.sounds) > 1:
            self.cover(sound.grid.end_ms)
        return True

    # --- pictures that stay away

    def _look(self, video: VideoClock, ahead_ms: int, now_ms: int) -> None:
        """Shows the last key frame where sound is ahead of pictures that don't come: nothing would be published."""
        if self.standing_in:
            patience_ms = 2 * STAND_IN_MS
        elif now_ms - self.shown_ms > VIDEO_PATIENCE_MS:
            patience_ms = VIDEO_PATIENCE_MS
        else:
            return
        if not patience_ms < ahead_ms <= STAND_IN_AT_MOST_MS:
            return
        self.standing_in = True
        for _ in range((ahead_ms - STAND_IN_MS) // STAND_IN_MS):
            self.audience.statistics.stand_ins += 1
            self.audience.write(VIDEO, video.repeat(self.key_frame, STAND_IN_MS))
        self.cover(video.last_ms)

    def sees_again(self, timestamp: int, key: bool) -> bool | None:
        """Whether this picture ends a time without any, by being a key frame after what was shown meanwhile.

        None: it is of another clock.
        """
        if not key or self.video is None:
            return False
        at_ms, last_ms = self.video.at_ms(timestamp), self.video.last_ms
        if not last_ms - STRAY_MS <= at_ms <= last_ms + STRAY_MS:
            return None
        if at_ms <= last_ms:  # its place is taken
            return False
        self.standing_in = False
        return True
