"""What DASH manifests list of a broadcast, of its recording and of an upload."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from server.formats.fmp4.movie import read_index
from server.packager.vod import IndexedVideo
from server.recorder.to_vod import Recorder
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.harness.media import clip
from tests.unit.packager.publishing import START_MS, Broadcast

NS = {"": "urn:mpeg:dash:schema:mpd:2011"}


@dataclass
class Read:
    """A manifest, read back."""

    root: ElementTree.Element

    @classmethod
    def of(cls, text: str | None) -> "Read":
        assert text
        return cls(ElementTree.fromstring(text))

    @property
    def periods(self) -> list[ElementTree.Element]:
        return self.root.findall("Period", NS)

    def numbers(self, rendition: str, period: int = 0) -> list[int]:
        """The numbers of a rendition's segments."""
        template = self.template(rendition, period)
        first = int(template.attrib["startNumber"])
        return list(range(first, first + len(self.segments(rendition, period))))

    def segments(self, rendition: str, period: int = 0) -> list[tuple[int, int]]:
        """Start and duration of each, ticks."""
        found: list[tuple[int, int]] = []
        for line in self.template(rendition, period).iterfind("SegmentTimeline/S", NS):
            duration = int(line.attrib["d"])
            start = int(line.attrib["t"]) if "t" in line.attrib else sum(found[-1])
            found += [(start + repeat * duration, duration) for repeat in range(int(line.attrib.get("r", 0)) + 1)]
        return found

    def template(self, rendition: str, period: int = 0) -> ElementTree.Element:
        found = self.periods[period].find(f".//Representation[@id='{rendition}']/SegmentTemplate", NS)
        assert found is not None
        return found


@pytest.fixture
def broadcast(tmp_path: Path) -> Iterator[Broadcast]:
    with SegmentStore(Layout(tmp_path)) as store:
        yield Broadcast.on(store)


def test_a_broadcast_on_air(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher().connect().send(7.1)

    read = Read.of(broadcast.packager.mpd(publisher.end_ms))

    assert read.root.attrib["type"] == "dynamic"
    assert read.root.attrib["availabilityStartTime"] == "2023-11-14T22:13:20.000Z"
    assert START_MS == 1_700_000_000_000
    assert [period.attrib["start"] for period in read.periods] == ["PT0S"]
    assert read.numbers("video") == [0, 1, 2, 3]  # the last one is open
    assert read.segments("video") == [(n * 180_000, 180_000) for n in range(4)]
    template = read.template("video").attrib
    assert (template["initialization"], template["media"]) == ("video/init-0.mp4", "video/$Number$.m4s")
    assert float(template["availabilityTimeOffset"]) == pytest.approx(1.66, abs=0.1)
    assert template["availabilityTimeComplete"] == "false"
    assert [len(read.numbers(name)) for name in ("video", "audio")] == [4, 4]


def test_without_parts_only_whole_segments_are_listed(tmp_path: Path) -> None:
    with SegmentStore(Layout(tmp_path)) as store:
        broadcast = Broadcast.on(store, mode="standard")
        publisher = broadcast.publisher().connect().send(7.1)

        read = Read.of(broadcast.packager.mpd(publisher.end_ms))

    assert read.numbers("video") == [0, 1, 2]
    assert "availabilityTimeOffset" not in read.template("video").attrib


def test_nothing_to_play_is_no_manifest(broadcast: Broadcast) -> None:
    assert broadcast.packager.mpd(START_MS) is None
    broadcast.publisher().connect().send(0.4)
    assert broadcast.packager.mpd(START_MS) is None


def test_a_dropout_begins_a_period(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher().connect().send(4)
    broadcast.stream.interrupt()
    publisher.now_ms += 10_000
    publisher.connect().send(4)

    read = Read.of(broadcast.packager.mpd(publisher.end_ms))

    assert len(read.periods) == 2
    starts = [float(period.attrib["start"][2:-1]) for period in read.periods]
    assert starts[0] == 0
    assert starts[1] == pytest.approx(14, abs=0.2)
    assert read.numbers("video", 0) == [0, 1]
    assert read.numbers("video", 1)[0] == 2
    template = read.template("video", 1).attrib
    assert template["initialization"] == "video/init-1.mp4"
    assert int(template["presentationTimeOffset"]) == read.segments("video", 1)[0][0]
    assert read.numbers("audio", 1)[0] == 2


def test_sound_that_joins_begins_a_period(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher(audio=False).connect().send(4)
    publisher.audio = True
    broadcast.stream.configure(publisher.audio_config, publisher.end_ms)
    publisher.send(4)

    read = Read.of(broadcast.packager.mpd(publisher.end_ms))

    assert len(read.periods) == 2
    assert [each.attrib["id"] for each in read.periods[0].iterfind(".//Representation", NS)] == ["video"]
    assert [each.attrib["id"] for each in read.periods[1].iterfind(".//Representation", NS)] == ["video", "audio"]
    assert read.numbers("video", 1)[0] == read.numbers("audio", 1)[0]


def test_a_recording_has_its_length(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher().connect().send(4)
    broadcast.stream.interrupt()
    publisher.now_ms += 10_000
    publisher.connect().send(4)
    broadcast.stream.end()
    broadcast.written()

    read = Read.of(Recorder(broadcast.layout).load("br1").mpd("../hls/r1/"))

    assert read.root.attrib["type"] == "static"
    assert float(read.root.attrib["mediaPresentationDuration"][2:-1]) == pytest.approx(8, abs=0.1)
    assert [float(period.attrib["start"][2:-1]) for period in read.periods] == [0, pytest.approx(4, abs=0.1)]
    assert read.root.findtext("BaseURL", None, NS) == "../hls/r1/"
    assert read.template("video").attrib["initialization"] == "video/init.mp4"
    assert read.template("video", 1).attrib["initialization"] == "video/init-1.mp4"
    assert read.numbers("video", 0) + read.numbers("video", 1) == [0, 1, 2, 3]


def test_an_upload() -> None:
    data = clip(10).read_bytes()
    video = IndexedVideo(read_index(lambda offset, size: data[offset : offset + size], len(data)), 4.0)

    read = Read.of(video.mpd("../hls/r2/"))

    assert [float(read.root.attrib["mediaPresentationDuration"][2:-1])] == [pytest.approx(10, abs=0.05)]
    assert len(read.periods) == 1
    timescale = int(read.template("video").attrib["timescale"])
    assert [duration / timescale for _, duration in read.segments("video")] == [4, 4, 2]
    found = read.root.find(".//Representation[@id='video']", NS)
    assert found is not None
    assert found.attrib["frameRate"] == "30"
    assert (found.attrib["width"], found.attrib["height"]) == ("320", "180")
