"""DASH manifests as text."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from server.formats.mpd import AdaptationSet, Live, Mpd, Period, Representation, TextSet, Timed

NS = {"": "urn:mpeg:dash:schema:mpd:2011"}
VIDEO = Representation(
    id="video", codec="avc1.64001f", bandwidth=5_000_000, timescale=90_000, init="video/init-0.mp4",
    media="video/$Number$.m4s", first=7, segments=[Timed(900_000 + n * 180_000, 180_000) for n in range(3)],
    offset=900_000, width=1280, height=720, frame_rate=29.97,
)  # fmt: skip
AUDIO = Representation(
    id="audio", codec="mp4a.40.2", bandwidth=128_000, timescale=48_000, init="audio/init-0.mp4",
    media="audio/$Number$.m4s", first=7, segments=[Timed(480_000, 96_256), Timed(576_256, 95_232)],
    offset=480_000, sampling_rate=48_000, channels=2,
)  # fmt: skip
PERIOD = Period("0", 10.0, [AdaptationSet("video", [VIDEO]), AdaptationSet("audio", [AUDIO], "de", "Ton & Bild")])
LIVE = Live(available_ms=1_700_000_000_000, now_ms=1_700_000_016_250, update_s=2, window_s=60, latency_s=1.5)


def parsed(mpd: Mpd) -> ElementTree.Element:
    return ElementTree.fromstring(mpd.render())


def template(mpd: Mpd, id: str) -> ElementTree.Element:
    found = parsed(mpd).find(f".//Representation[@id='{id}']/SegmentTemplate", NS)
    assert found is not None
    return found


def timeline(mpd: Mpd, id: str) -> list[dict[str, str]]:
    return [dict(s.attrib) for s in template(mpd, id).iterfind("SegmentTimeline/S", NS)]


def test_what_changes_says_when_to_ask_again() -> None:
    root = parsed(Mpd([PERIOD], 1.0, base="li1/br1/", live=LIVE))

    assert root.attrib == {
        "profiles": "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019",
        "type": "dynamic",
        "minBufferTime": "PT1S",
        "availabilityStartTime": "2023-11-14T22:13:20.000Z",
        "publishTime": "2023-11-14T22:13:36.250Z",
        "minimumUpdatePeriod": "PT2S",
        "timeShiftBufferDepth": "PT60S",
        "suggestedPresentationDelay": "PT1.5S",
    }
    assert root.findtext("BaseURL", None, NS) == "li1/br1/"
    clock, latency = root.find("UTCTiming", NS), root.find("ServiceDescription/Latency", NS)
    assert clock is not None
    assert latency is not None
    assert clock.attrib["value"] == "2023-11-14T22:13:36.250Z"
    assert latency.attrib == {"target": "1500"}


def test_what_is_over_says_how_long_it_is() -> None:
    root = parsed(Mpd([replace(PERIOD, duration_s=6.0)], 2.0, duration_s=16.0))

    assert root.attrib["type"] == "static"
    assert root.attrib["mediaPresentationDuration"] == "PT16S"
    assert "minimumUpdatePeriod" not in root.attrib
    assert root.find("UTCTiming", NS) is None
    period = root.find("Period", NS)
    assert period is not None
    assert period.attrib == {"id": "0", "start": "PT10S", "duration": "PT6S"}


def test_representations() -> None:
    root = parsed(Mpd([PERIOD], 1.0))
    video, audio = root.findall(".//Representation", NS)

    assert video.attrib == {
        "id": "video", "codecs": "avc1.64001f", "bandwidth": "5000000", "width": "1280", "height": "720",
        "frameRate": "30000/1001",
    }  # fmt: skip
    assert audio.attrib["audioSamplingRate"] == "48000"
    sets = root.findall(".//AdaptationSet", NS)
    assert [each.attrib["mimeType"] for each in sets] == ["video/mp4", "audio/mp4"]
    assert sets[1].attrib["lang"] == "de"
    assert sets[1].findtext("Label", None, NS) == "Ton & Bild"
    assert template(Mpd([PERIOD], 1.0), "video").attrib == {
        "timescale": "90000", "initialization": "video/init-0.mp4", "media": "video/$Number$.m4s", "startNumber": "7",
        "presentationTimeOffset": "900000",
    }  # fmt: skip


def test_a_segment_that_comes_as_it_is_made() -> None:
    early = replace(VIDEO, early_s=1.667)
    mpd = Mpd([replace(PERIOD, sets=[AdaptationSet("video", [early])])], 1.0, live=LIVE)

    found = template(mpd, "video").attrib
    assert (found["availabilityTimeOffset"], found["availabilityTimeComplete"]) == ("1.667", "false")


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([], []),
        ([(0, 10)], [{"t": "0", "d": "10"}]),
        ([(5, 10), (15, 10), (25, 10)], [{"t": "5", "d": "10", "r": "2"}]),
        ([(0, 10), (10, 10), (20, 12)], [{"t": "0", "d": "10", "r": "1"}, {"d": "12"}]),
        ([(0, 10), (30, 10)], [{"t": "0", "d": "10"}, {"t": "30", "d": "10"}]),
        ([(0, 10), (10, 12), (22, 10)], [{"t": "0", "d": "10"}, {"d": "12"}, {"d": "10"}]),
    ],
)
def test_timelines(segments: list[tuple[int, int]], expected: list[dict[str, str]]) -> None:
    video = replace(VIDEO, segments=[Timed(*each) for each in segments])

    assert timeline(Mpd([replace(PERIOD, sets=[AdaptationSet("video", [video])])], 1.0), "video") == expected


def test_names_do_not_break_out() -> None:
    audio = AdaptationSet("audio", [AUDIO], 'x"><evil/>', "</Label><evil/>")

    root = parsed(Mpd([replace(PERIOD, sets=[audio])], 1.0, title="<b>&</b>"))

    assert root.find(".//evil", NS) is None
    assert root.findtext("ProgramInformation/Title", None, NS) == "<b>&</b>"


@pytest.mark.parametrize(("rate", "text"), [(0.0, None), (25.0, "25"), (59.94, "60000/1001"), (23.976, "24000/1001")])
def test_frame_rates(rate: float, text: str | None) -> None:
    root = parsed(Mpd([replace(PERIOD, sets=[AdaptationSet("video", [replace(VIDEO, frame_rate=rate)])])], 1.0))

    found = root.find(".//Representation", NS)
    assert found is not None
    assert found.attrib.get("frameRate") == text


def test_captions_are_sets_of_their_own() -> None:
    texts = [TextSet("text-de-1", "text-de/1/0.vtt", 1000, "de", "Ton & Text", main=True)]
    found = parsed(Mpd([replace(PERIOD, texts=texts)], 1.0, duration_s=6.0)).findall(".//AdaptationSet", NS)[-1]

    assert found.attrib == {"id": "2", "contentType": "text", "mimeType": "text/vtt", "lang": "de"}
    assert found.findtext("Label", None, NS) == "Ton & Text"
    assert [role.attrib["value"] for role in found.iterfind("Role", NS)] == ["subtitle", "main"]
    assert found.findtext("Representation/BaseURL", None, NS) == "text-de/1/0.vtt"
