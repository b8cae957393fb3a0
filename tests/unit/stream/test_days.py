"""Publishers that stay for days: clocks that run fast or slow, and that start again when their bits are used up."""

from collections.abc import Callable

import pytest

from server.formats.sample import Sample, TrackConfig, VideoConfig
from server.stream.drift import WallClock
from server.stream.stream import Stream
from server.stream.timeline import MPEG_TS_CLOCK, RTMP_CLOCK, PublisherClock

VIDEO = VideoConfig("avc1.64001f", 90_000, 1280, 720, b"v")
NOW = 1_700_000_000_000
DAY_MS = 86_400_000
GOP_MS = 2000


class Dated:
    """A reader that notes when each key frame is said to have been taken, and what the clock was then."""

    def __init__(self) -> None:
        self.dates_ms: list[int] = []
        self.times: list[int] = []
        self._epoch_ms = 0

    def configure(self, track: str, config: TrackConfig, generation: int) -> None: ...

    def anchor(self, generation: int, epoch_ms: int) -> None:
        self._epoch_ms = epoch_ms

    def write(self, track: str, sample: Sample) -> None:
        self.times.append(sample.dts)
        self.dates_ms.append(self._epoch_ms + sample.dts // 90)

    def flush(self) -> None: ...

    def end(self) -> None: ...


def send(
    hours: float, clock: PublisherClock = RTMP_CLOCK, first: int = 0, wall: Callable[[int], int] = lambda at_ms: at_ms
) -> tuple[Stream, Dated]:
    stream, reader = Stream("br1"), Dated()
    stream.attach(reader)
    stream.begin(NOW, clock)
    stream.configure(VIDEO, NOW)
    for at_ms in range(0, round(hours * 3_600_000), GOP_MS):
        stamp = (first + at_ms * clock.rate // 1000) % clock.wrap
        stream.write_video(stamp, 0, True, b"picture", NOW + wall(at_ms))
    return stream, reader


@pytest.mark.parametrize("ppm", [-100, 100, 900])
def test_dates_follow_the_wall_clock_over_a_day_in_small_steps(ppm: int) -> None:
    """The publisher's clock is off by 8.6 s in the end."""

    def wall(at_ms: int) -> int:
        network_ms = at_ms // GOP_MS * 7919 % 60
        return at_ms + at_ms * ppm // 1_000_000 + network_ms

    stream, reader = send(24, wall=wall)
    steps = {after - before for before, after in zip(reader.dates_ms, reader.dates_ms[1:], strict=False)}
    assert max(steps) - GOP_MS <= 2
    assert GOP_MS - min(steps) <= 2
    assert abs(reader.dates_ms[-1] - NOW - DAY_MS - DAY_MS * ppm // 1_000_000) <= 100 + GOP_MS
    assert stream.statistics.generations == 1


def test_a_network_that_slows_down_for_a_while_moves_no_date() -> None:
    _, reader = send(2, wall=lambda at_ms: at_ms + (900 if at_ms % 60_000 > 45_000 else 0))
    assert [date_ms - NOW for date_ms in reader.dates_ms] == list(range(0, 7_200_000, GOP_MS))


def test_a_return_after_a_drift_is_dated_by_the_wall_clock() -> None:
    stream, reader = send(10, wall=lambda at_ms: at_ms + at_ms // 10_000)
    stream.interrupt()
    later_ms = NOW + 11 * 3_600_000
    stream.begin(later_ms)
    stream.configure(VIDEO, later_ms)
    stream.write_video(0, 0, True, b"picture", later_ms)
    assert reader.dates_ms[-1] == later_ms


def test_the_epoch_waits_until_enough_is_known() -> None:
    wall = WallClock(1000, 0)
    assert not any(wall.observe(at_ms, at_ms + 5000) for at_ms in range(0, 30_000, 1000))
    assert wall.observe(30_000, 35_000)
    assert wall.epoch_ms == 1001


@pytest.mark.parametrize(("clock", "first"), [(MPEG_TS_CLOCK, 12_345), (MPEG_TS_CLOCK, MPEG_TS_CLOCK.wrap - 1)])
def test_a_broadcast_longer_than_the_26_hours_of_its_clock(clock: PublisherClock, first: int) -> None:
    stream, reader = send(27, clock, first)
    assert stream.statistics.generations == 1
    assert reader.times == [at_ms * 90 for at_ms in range(0, 27 * 3_600_000, GOP_MS)]


def test_a_broadcast_over_the_end_of_49_days() -> None:
    stream, reader = send(2, RTMP_CLOCK, RTMP_CLOCK.wrap - 3_600_001)
    assert stream.statistics.generations == 1
    assert reader.times == [at_ms * 90 for at_ms in range(0, 7_200_000, GOP_MS)]
