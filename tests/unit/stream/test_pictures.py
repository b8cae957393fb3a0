"""Pictures beside the master: on its clock, from a key frame on, whatever their own timestamps do."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from server.formats.sample import Sample, VideoConfig
from server.stream.audience import Audience
from server.stream.pictures import Pictures
from server.stream.reader import Reader
from server.stream.sound import MAX_STRAYS
from server.stream.timeline import RTMP_CLOCK

VIDEO = VideoConfig("avc1.64001f", 90_000, 640, 360, b"v")


@dataclass
class Shown:
    samples: list[Sample] = field(default_factory=list)

    def write(self, track: str, sample: Sample) -> None:
        assert track == "video2"
        self.samples.append(sample)

    @property
    def times_ms(self) -> list[int]:
        return [sample.dts // 90 for sample in self.samples]


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def audience(shown: Shown) -> Audience:
    return Audience((cast(Reader, shown),))


@pytest.fixture
def pictures(audience: Audience) -> Pictures:
    return Pictures("video2", VIDEO, audience, RTMP_CLOCK, -1000, 0)  # timestamp 1000 is output time 0


def test_it_begins_with_a_key_frame_at_the_masters_start(pictures: Pictures, shown: Shown) -> None:
    for at, key in ((900, True), (940, False), (980, True), (1020, False)):
        pictures.write(at, 0, key, b"", 0)
    assert shown.times_ms == [0, 20]
    assert [sample.pts // 90 for sample in shown.samples] == [-20, 20]


def test_it_joins_a_running_master(pictures: Pictures, shown: Shown) -> None:
    pictures.write(60_990, 0, False, b"", 60_000)
    pictures.write(61_030, 67, True, b"", 60_000)
    pictures.write(61_070, 27, False, b"", 60_040)
    assert [(sample.dts, sample.pts) for sample in shown.samples] == [
        (60_097 * 90, 60_097 * 90), (60_137 * 90, 60_097 * 90),
    ]  # fmt: skip


def test_after_a_pause_it_begins_again_with_a_key_frame(pictures: Pictures, shown: Shown) -> None:
    for at, key in ((1000, True), (1040, False), (6000, False), (7000, True), (7040, False)):
        pictures.write(at, 0, key, b"", at - 1000)
    assert shown.times_ms == [0, 40, 6000, 6040]


def test_a_clock_of_its_own_is_laid_along_the_master(pictures: Pictures, shown: Shown, audience: Audience) -> None:
    for index in range(MAX_STRAYS + 50):
        pictures.write(9_000_000 + index * 40, 0, index % 50 == 0, b"", index * 40)
    assert shown.times_ms[0] == pytest.approx(MAX_STRAYS * 40, abs=41)
    assert audience.statistics.dropped == MAX_STRAYS


def test_time_never_goes_back(pictures: Pictures, shown: Shown) -> None:
    for at, key in ((3000, True), (3040, False), (2000, True), (2040, False), (3500, True)):
        pictures.write(at, 0, key, b"", 2000)
    assert shown.times_ms == sorted(shown.times_ms)
