"""What is worth a warning: a table of codes, thresholds and sentences for the broadcaster.

A rule's `value` is the number that its sentence tells, None while all is well. Sentences say what to do where
something can be done in the encoder.
"""

from collections.abc import Callable
from dataclasses import dataclass

from server.ingest.health.gauge import Measures

SILENT_S = 2.0  # an encoder sends something every 40 ms
KEYLESS_S = 12.0  # key frames 10 s apart are rare, but come
KEY_INTERVAL_S = 4.2  # the shortest target duration is 4 s: longer groups cost latency and start-up
KEY_SPREAD_S = 1.0  # the longest of the last intervals less the shortest
FRAME_RATE_SHARE = 0.9  # of what was announced
BITRATE_SHARE = 0.5  # encoders announce the rate that they are allowed, and send less of a still picture
SKEW_MS = 200  # ITU-R BT.1359: seen by everybody from 185 ms on
LOSS_PERCENT = 1.0
RTT_SHARE = 3.0  # round trips that the SRT latency must hold to repair a loss, and its repair's loss
REPAIRED = 10  # a minute
SILENCE_MS = 500  # a minute
DROPPED = 5  # samples a minute
RECONNECTS = 3  # in ten minutes
WIDELY_PLAYED = ("avc1", "avc3", "vp09")  # beginnings of codec strings


@dataclass(frozen=True, slots=True)
class Warning:
    """One that holds now."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    value: Callable[[Measures], float | None]
    sentence: str  # formatted with `value` and `measures`


def _over(number: float | None, limit: float) -> float | None:
    return number if number is not None and number >= limit else None


def _frame_rate(m: Measures) -> float | None:
    announced = m.latest.announced_frame_rate
    if not announced or m.frame_rate is None or m.video_missing:
        return None
    return m.frame_rate if m.frame_rate < FRAME_RATE_SHARE * announced else None


def _bitrate(m: Measures) -> float | None:
    announced = m.latest.announced_bitrate
    if not announced or m.bitrate_minute is None:
        return None
    share = m.bitrate_minute / announced
    return 100 * share if share < BITRATE_SHARE else None


def _spread(m: Measures) -> float | None:
    if m.key_longest_s is None or m.key_shortest_s is None:
        return None
    return m.key_longest_s if m.key_longest_s - m.key_shortest_s > KEY_SPREAD_S else None


def _latency(m: Measures) -> float | None:
    """What the SRT latency should be."""
    link = m.latest.link
    if link is None or not link.rtt_ms or link.rtt_ms * RTT_SHARE <= link.latency_ms:
        return None
    return round(link.rtt_ms * (RTT_SHARE + 1), -1)


def _unplayed(m: Measures) -> float | None:
    codec = m.latest.codec
    return 1.0 if codec and not codec.startswith(WIDELY_PLAYED) else None


RULES = (
    Rule("no-data", lambda m: _over(m.latest.silent_s, SILENT_S), "Nothing has come for {value:.0f} s."),
    Rule(
        "no-key-frame",
        lambda m: _over(m.latest.keyless_s, KEYLESS_S) if m.latest.has_video else None,
        "No key frame for {value:.0f} s: set a key-frame interval of 2 s in your encoder.",
    ),
    Rule(
        "key-frames-rare",
        lambda m: _over(m.key_interval_s, KEY_INTERVAL_S),
        "Key frame every {value:.0f} s: set 2 s in your encoder.",
    ),
    Rule(
        "key-frames-irregular",
        _spread,
        "Key frames come {measures.key_shortest_s:.1f} to {value:.1f} s apart: "
        "set a fixed interval of 2 s, without scene-cut detection.",
    ),
    Rule("no-video", lambda m: 1.0 if m.latest.has_video and m.video_missing else None, "No pictures come."),
    Rule("no-audio", lambda m: 1.0 if m.audio_missing else None, "No sound comes."),
    Rule(
        "frame-rate-low",
        _frame_rate,
        "Measured {value:.0f} pictures a second of {measures.latest.announced_frame_rate:.0f} announced: "
        "the encoder may be overloaded.",
    ),
    Rule("bitrate-low", _bitrate, "Bit rate {value:.0f} % of what you announced."),
    Rule(
        "audio-behind",
        lambda m: _over(-m.skew_ms if m.skew_ms is not None else None, SKEW_MS),
        "Sound is {value:.0f} ms behind the pictures.",
    ),
    Rule(
        "audio-ahead",
        lambda m: _over(m.skew_ms, SKEW_MS),
        "Sound is {value:.0f} ms ahead of the pictures.",
    ),
    Rule("packets-lost", lambda m: _over(m.loss_percent, LOSS_PERCENT), "{value:.1f} % of packets lost on the way."),
    Rule(
        "packets-dropped",
        lambda m: _over(m.lost_for_good, 1),
        "{value:.0f} packets did not come in time in the last minute: raise the SRT latency in your encoder.",
    ),
    Rule(
        "latency-low",
        _latency,
        "Round trip {measures.latest.link.rtt_ms:.0f} ms: set an SRT latency of {value:.0f} ms or more.",
    ),
    Rule("undecryptable", lambda m: _over(m.undecryptable, 1), "Packets can't be decrypted: check the passphrase."),
    Rule(
        "timestamps-repaired",
        lambda m: _over(m.repaired, REPAIRED),
        "{value:.0f} timestamps out of order were repaired in the last minute.",
    ),
    Rule("clock-jumped", lambda m: _over(m.jumps, 1), "The encoder's clock or configuration changed within a minute."),
    Rule(
        "silence-inserted",
        lambda m: _over(m.silence_ms, SILENCE_MS),
        "{value:.0f} ms of silence stand in for missing sound in the last minute.",
    ),
    Rule(
        "pictures-repeated",
        lambda m: _over(m.stand_ins, 1),
        "Pictures stayed away: the last one was shown again {value:.0f} times in the last minute.",
    ),
    Rule(
        "samples-dropped",
        lambda m: _over(m.dropped + m.late_audio, DROPPED),
        "{value:.0f} pictures or sounds of the last minute could not be placed.",
    ),
    Rule(
        "reconnects",
        lambda m: _over(m.reconnects, RECONNECTS),
        "The encoder reconnected {value:.0f} times in ten minutes: check its network.",
    ),
    Rule("backup-gone", lambda m: 1.0 if m.latest.backup_gone else None, "The second encoder is not connected."),
    Rule(
        "codec-reach",
        _unplayed,
        "Not every browser plays {measures.latest.codec}: add renditions, or send H.264.",
    ),
    Rule(
        "recording-incomplete",
        lambda m: 1.0 if m.latest.incomplete else None,
        "The disk could not take every segment: the recording has gaps.",
    ),
    Rule(
        "renditions-given-up",
        lambda m: 1.0 if m.latest.given_up else None,
        "The server could not make {measures.latest.given_up}: left out until the next broadcast.",
    ),
)


def warnings(measures: Measures) -> list[Warning]:
    """Those that hold, in the order of the table."""
    found = []
    for rule in RULES:
        value = rule.value(measures)
        if value is not None:
            found.append(Warning(rule.code, rule.sentence.format(value=value, measures=measures)))
    return found
