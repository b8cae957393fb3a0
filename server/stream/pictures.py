"""A track of pictures beside the master, on the same clock: another camera, another quality."""

from server.formats.sample import Sample, VideoConfig
from server.stream.audience import Audience
from server.stream.sound import MAX_STRAYS, STRAY_MS
from server.stream.timeline import PublisherClock, VideoClock

EARLY_MS = 50  # its first key frame may come so much before the master's


class Pictures:
    """`offset` leads from timestamps to output time, in ticks of the publisher's clock."""

    def __init__(
        self, track: str, config: VideoConfig, audience: Audience, clock: PublisherClock, offset: int, start_ms: int
    ) -> None:
        self.track = track
        self.offset = offset
        self._config = config
        self._audience = audience
        self._clock = clock
        self._start_ms = start_ms
        self._video: VideoClock | None = None  # from the first key frame on
        self._strays = 0

    def write(
        self, timestamp: int, cts: int, key: bool, data: bytes | memoryview, last_ms: int
    ) -> None:
        """A picture beside a master that has reached `last_ms`. One that fits nowhere is dropped."""
        at_ms = (timestamp + cts + self.offset) * 1000 // self._clock.rate
        if not last_ms - STRAY_MS <= at_ms <= last_ms + STRAY_MS:
            self._stray(timestamp, cts, last_ms)
            return
        sample = self._place(timestamp, cts, key, data, at_ms)
        if sample is None:
            self._audience.statistics.dropped += 1
            return
        self._strays = 0
        self._audience.write(self.track, sample)

    def _place(self, timestamp: int, cts: int, key: bool, data: bytes | memoryview, at_ms: int) -> Sample | None:
        """None for a picture before the first key frame, or after a step too far: it begins again with the next."""
        sample = self._video.place(timestamp, cts, key, data) if self._video else None
        if sample is not None:
            return sample
        if self._video is not None:
            self._start_ms = max(self._start_ms, self._video.last_ms + 1)
            self._video = None
        if not key or at_ms < self._start_ms - EARLY_MS:
            return None
        self._video = VideoClock(self._config, self._clock, max(self._start_ms, at_ms), self.offset, cts)
        return self._video.place(timestamp, cts, key, data)

    def _stray(self, timestamp: int, cts: int, last_ms: int) -> None:
        """Many in a row are a clock of their own, which is laid along the master's."""
        self._audience.statistics.dropped += 1
        self._strays += 1
        if self._strays >= MAX_STRAYS:
            self._strays = 0
            self.offset = last_ms * self._clock.rate // 1000 - timestamp - cts
            self._video = None
