"""Every warning: a table of measures and sentences."""

from dataclasses import replace
from typing import Any

import pytest

from server.ingest.health.gauge import Measures
from server.ingest.health.reading import Link, Reading
from server.ingest.health.rules import RULES, warnings

WELL = Reading(
    at=100.0, has_video=True, has_audio=True, keyless_s=1.0, announced_frame_rate=30.0,
    announced_bitrate=3e6, codec="avc1.64001f", link=Link(rtt_ms=40, latency_ms=200),
)  # fmt: skip
FINE = Measures(
    WELL, frame_rate=30.0, bitrate=3e6, bitrate_minute=2.9e6, key_interval_s=2.0, key_shortest_s=2.0,
    key_longest_s=2.0, loss_percent=0.2, skew_ms=20,
)  # fmt: skip

# code, what is different of the reading, of the measures, sentence
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("no-data", {"silent_s": 3.2}, {}, "Nothing has come for 3 s."),
    ("no-key-frame", {"keyless_s": 13}, {}, "No key frame for 13 s: set a key-frame interval of 2 s in your encoder."),
    ("key-frames-rare", {}, {"key_interval_s": 8.0}, "Key frame every 8 s: set 2 s in your encoder."),
    (
        "key-frames-irregular",
        {},
        {"key_shortest_s": 0.4, "key_longest_s": 4.0},
        "Key frames come 0.4 to 4.0 s apart: set a fixed interval of 2 s, without scene-cut detection.",
    ),
    ("no-video", {}, {"video_missing": True, "frame_rate": 0.0}, "No pictures come."),
    ("no-audio", {}, {"audio_missing": True}, "No sound comes."),
    (
        "frame-rate-low",
        {},
        {"frame_rate": 18.2},
        "Measured 18 pictures a second of 30 announced: the encoder may be overloaded.",
    ),
    ("bitrate-low", {}, {"bitrate_minute": 0.36e6}, "Bit rate 12 % of what you announced."),
    ("audio-behind", {}, {"skew_ms": -300}, "Sound is 300 ms behind the pictures."),
    ("audio-ahead", {}, {"skew_ms": 250}, "Sound is 250 ms ahead of the pictures."),
    ("packets-lost", {}, {"loss_percent": 2.13}, "2.1 % of packets lost on the way."),
    (
        "packets-dropped",
        {},
        {"lost_for_good": 7},
        "7 packets did not come in time in the last minute: raise the SRT latency in your encoder.",
    ),
    (
        "latency-low",
        {"link": Link(rtt_ms=100, latency_ms=120)},
        {},
        "Round trip 100 ms: set an SRT latency of 400 ms or more.",
    ),
    ("undecryptable", {}, {"undecryptable": 3}, "Packets can't be decrypted: check the passphrase."),
    ("timestamps-repaired", {}, {"repaired": 12}, "12 timestamps out of order were repaired in the last minute."),
    ("clock-jumped", {}, {"jumps": 1}, "The encoder's clock or configuration changed within a minute."),
    ("silence-inserted", {}, {"silence_ms": 1500}, "1500 ms of silence stand in for missing sound in the last minute."),
    (
        "pictures-repeated",
        {},
        {"stand_ins": 2},
        "Pictures stayed away: the last one was shown again 2 times in the last minute.",
    ),
    ("samples-dropped", {}, {"dropped": 4, "late_audio": 2},
     "6 pictures or sounds of the last minute could not be placed."),
    ("reconnects", {}, {"reconnects": 3}, "The encoder reconnected 3 times in ten minutes: check its network."),
    ("backup-gone", {"backup_gone": True}, {}, "The second encoder is not connected."),
    ("codec-reach", {"codec": "hvc1.1.6.L93"}, {},
     "Not every browser plays hvc1.1.6.L93: add renditions, or send H.264."),
    ("recording-incomplete", {"incomplete": True}, {},
     "The disk could not take every segment: the recording has gaps."),
    ("renditions-given-up", {"given_up": "480p, 720p"}, {},
     "The server could not make 480p, 720p: left out until the next broadcast."),
]  # fmt: skip


@pytest.mark.parametrize(("code", "reading", "measures", "sentence"), CASES, ids=[case[0] for case in CASES])
def test_a_warning(code: str, reading: dict[str, Any], measures: dict[str, Any], sentence: str) -> None:
    found = warnings(replace(FINE, latest=replace(WELL, **reading), **measures))

    assert [(warning.code, warning.message) for warning in found] == [(code, sentence)]


def test_every_rule_has_a_case() -> None:
    assert [case[0] for case in CASES] == [rule.code for rule in RULES]


@pytest.mark.parametrize(
    "measures",
    [
        FINE,
        Measures(Reading(at=1.0)),
        replace(FINE, latest=replace(WELL, has_video=False, codec="", keyless_s=60.0), frame_rate=None),
        replace(FINE, frame_rate=27.0, bitrate_minute=1.5e6, key_interval_s=4.1, loss_percent=0.99, repaired=9),
        replace(FINE, latest=replace(WELL, codec="vp09.00.10.08"), skew_ms=-199),
    ],
    ids=["fine", "nothing known", "sound alone", "just so", "VP9"],
)
def test_nothing_to_say(measures: Measures) -> None:
    assert warnings(measures) == []
