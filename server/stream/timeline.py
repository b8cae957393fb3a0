"""From a publisher's timestamps to the broadcast's own clock. Pure arithmetic on integers.

A publisher counts ticks of its own clock from anywhere, and starts again when its bits are used up. The output clock
starts at zero with the broadcast's first sample and never goes back. Pictures are placed by their timestamps; sound is
counted in samples (`sound`), because a timestamp is too coarse for frames of 21.33 ms, and only checked against them.
"""

from typing import NamedTuple

from server.formats.sample import Sample, VideoConfig

JUMP_FORWARD_MS = 3_000  # longer can't be one picture: with it no segment keeps the shortest target duration, 4 s
JUMP_BACK_MS = 200  # less is an encoder's disorder, repaired in place; more is another clock
MAX_CTS_MS = 10_000  # composition offsets are a few pictures long; a larger one is noise, taken as none


class PublisherClock(NamedTuple):
    """What a publisher's timestamps count."""

    rate: int  # ticks a second
    wrap: int  # they are of this modulus


RTMP_CLOCK = PublisherClock(1000, 1 << 32)  # starts again after 49.7 days
MPEG_TS_CLOCK = PublisherClock(90_000, 1 << 33)  # after 26.5 hours (ISO/IEC 13818-1 2.4.3.7)


class Position(NamedTuple):
    """Where a broadcast's clock stands: what goes on after a restart."""

    generation: int  # the last one used
    end_ms: int  # output time that the media reaches
    epoch_ms: int  # wall clock at output time zero, milliseconds since 1970


class Unwrapper:
    """Timestamps that grow past their bits; steps are read as the shorter way around."""

    def __init__(self, wrap: int = RTMP_CLOCK.wrap) -> None:
        self._wrap = wrap
        self._half = wrap >> 1
        self._last: int | None = None

    def __call__(self, timestamp: int) -> int:
        last = self._last
        if last is None:
            value = timestamp
        else:
            value = last + (timestamp - last + self._half) % self._wrap - self._half
        self._last = value
        return value


class VideoClock:
    """Pictures of one track and generation: from the publisher's ticks to the track's, decode times that only grow.

    Decode times are moved later by the composition offset of the first picture, so that they begin at its presentation
    time and offsets are signed: a segment's tfdt is when its first picture is shown. Nothing is rounded where the
    publisher's clock and the track count the same ticks.
    """

    def __init__(self, config: VideoConfig, clock: PublisherClock, start_ms: int, offset: int, lead: int) -> None:
        """Decode times are `start_ms` at least. `offset` leads from timestamps to output time and `lead` is the first
        picture's composition offset, both in the publisher's ticks."""
        self.offset = offset
        self.repaired = 0
        self._rate = clock.rate
        self._timescale = config.timescale
        self._lead = lead
        self._shift = offset + lead
        self._forward = JUMP_FORWARD_MS * config.timescale // 1000
        self._back = -JUMP_BACK_MS * config.timescale // 1000
        self._step = 0
        self.last = start_ms * config.timescale // 1000 - 1  # decode time of the picture before, ticks

    @classmethod
    def master(
        cls, config: VideoConfig, clock: PublisherClock, start_ms: int, timestamp: int, cts: int
    ) -> "VideoClock":
        """The clock whose first picture, this one, is shown at `start_ms`."""
        return cls(config, clock, start_ms, start_ms * clock.rate // 1000 - timestamp - cts, cts)

    def place(self, timestamp: int, cts: int, key: bool, data: bytes | memoryview) -> Sample | None:
        """The picture on the output clock, or None where its timestamp is a jump."""
        timescale, last, rate = self._timescale, self.last, self._rate
        dts = (timestamp + self._shift) * timescale // rate
        cts = (cts - self._lead) * timescale // rate
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

    def repeat(self, data: bytes | memoryview, step_ms: int) -> Sample:
        """A key frame shown once more, `step_ms` after the picture before."""
        self._step = step_ms * self._timescale // 1000
        self.last += self._step
        return Sample(self.last, 0, True, data)

    def at_ms(self, timestamp: int) -> int:
        """The output time of a decode timestamp, wherever that lies."""
        return (timestamp + self._shift) * 1000 // self._rate

    @property
    def last_ms(self) -> int:
        return self.last * 1000 // self._timescale

    @property
    def end_ms(self) -> int:
        """When the last picture ends if it lasts as long as the one before."""
        return -(-(self.last + self._step) * 1000 // self._timescale)
