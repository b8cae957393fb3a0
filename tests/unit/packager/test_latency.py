"""Latency modes: whatever frame rate and sound come, every part is legal (RFC 8216bis 4.4.4.9, 4.4.3.8)."""

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest

from server.formats.opus import OpusHead, track
from server.formats.sample import AudioConfig
from server.packager.latency import LATENCY_MODES, LiveSettings
from server.packager.rendition import Rendition
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.stream.timeline import MPEG_TS_CLOCK, RTMP_CLOCK, PublisherClock
from tests.unit.packager.publishing import AUDIO, AUDIO_44, START_MS, VIDEO, Broadcast, check

RATES = {
    "24": Fraction(24), "25": Fraction(25), "29.97": Fraction(30_000, 1001), "30": Fraction(30), "50": Fraction(50),
    "59.94": Fraction(60_000, 1001), "60": Fraction(60), "23.976": Fraction(24_000, 1001), "15": Fraction(15),
    "120": Fraction(120),
}  # fmt: skip
SOUNDS = {
    "AAC 48": AUDIO,
    "AAC 44.1": AUDIO_44,
    "Opus 20": track(OpusHead.of(2)),
    "Opus 10": track(OpusHead.of(2), 480),
    "FLAC": AudioConfig("fLaC", 48_000, 2, 4096, b"\0\0\0\x08fLaC"),
    "AC-3": AudioConfig("ac-3", 48_000, 6, 1536, b"\0\0\0\x08ac-3"),
}
FRAMES = {"Opus 20": b"\xf8", "Opus 10": b"\xf0", "FLAC": b"\xff\xf8\xc9\x18\x00\x00"}
CLOCKS = {"RTMP": RTMP_CLOCK, "MPEG-TS": MPEG_TS_CLOCK}
ROUNDING_S = 1e-5  # of five decimals in a playlist


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SegmentStore]:
    with SegmentStore(Layout(tmp_path)) as running:
        yield running


def send(
    broadcast: Broadcast, times_s: list[float], gop_s: float, sound: str | None, clock: PublisherClock, seconds: float
) -> None:
    stream = broadcast.stream
    stream.begin(START_MS, clock)
    stream.configure(VIDEO, START_MS)
    events = [(at, "video", at >= 0 and _is_key(times_s, index, gop_s)) for index, at in enumerate(times_s)]
    config = SOUNDS[sound] if sound else None
    if config is not None:
        stream.configure(config, START_MS)
        frame_s = config.frame_length / config.timescale
        events += [(count * frame_s, "audio", True) for count in range(int(seconds / frame_s))]
    for at, kind, key in sorted(events, key=lambda event: (event[0], event[1] == "audio")):
        stamp, now_ms = int(at * clock.rate + 1e-6), START_MS + int(at * 1000)
        if kind == "video":
            stream.write_video(stamp, 0, key, b"picture", now_ms)
        else:
            stream.write_audio(stamp, FRAMES.get(sound or "", b"sound"), now_ms)


def _is_key(times_s: list[float], index: int, gop_s: float) -> bool:
    return index == 0 or times_s[index] // gop_s != times_s[index - 1] // gop_s


def parts_are_legal(rendition: Rendition) -> None:
    window = rendition.window
    target = window.part_target_s or 0
    for entry in window.closed:
        parts = window.parts(entry.msn)
        assert parts
        for index, part in enumerate(parts):
            length = part.duration / entry.timescale
            where = f"{rendition.name} {entry.msn}.{index}: {length:.5f} of {target:.5f}"
            assert length <= target + ROUNDING_S, where
            if index + 1 < len(parts) and not part.independent:
                assert length >= 0.85 * target - ROUNDING_S, where


def playlist_is_legal(rendition: Rendition, mode: str) -> None:
    playlist = m3u8.loads(rendition.playlist.text().decode())
    assert all(round(segment.duration) <= playlist.target_duration for segment in playlist.segments if segment.duration)
    if mode == "standard":
        assert not playlist.part_inf
        return
    target, hold_back = playlist.part_inf.part_target, playlist.server_control.part_hold_back
    wanted = LATENCY_MODES[mode].part_s
    assert target <= wanted * 1.25 + 0.085  # a frame of FLAC more at most
    assert hold_back >= 2 * target
    assert playlist.server_control.hold_back >= 3 * playlist.target_duration


def legal(broadcast: Broadcast, mode: str) -> None:
    broadcast.stream.interrupt()
    check(broadcast)
    for rendition in broadcast.packager.renditions.values():
        if mode != "standard":
            parts_are_legal(rendition)
        playlist_is_legal(rendition, mode)
    assert broadcast.packager.irregular_parts == 0


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("mode", LATENCY_MODES)
def test_every_frame_rate(store: SegmentStore, mode: str, rate: str, clock: str) -> None:
    broadcast = Broadcast.on(store, mode)
    times = [float(count / RATES[rate]) for count in range(round(9 * RATES[rate]))]
    send(broadcast, times, 2.0, None, CLOCKS[clock], 9)
    legal(broadcast, mode)


@pytest.mark.parametrize("rate", ["25", "29.97"])
@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("mode", LATENCY_MODES)
def test_every_sound(store: SegmentStore, mode: str, sound: str, rate: str) -> None:
    broadcast = Broadcast.on(store, mode)
    times = [float(count / RATES[rate]) for count in range(round(9 * RATES[rate]))]
    send(broadcast, times, 2.0, sound, RTMP_CLOCK, 9)
    legal(broadcast, mode)


@pytest.mark.parametrize("gop_s", [0.5, 1.0, 1.9, 2.4, 3.0, 3.7])
@pytest.mark.parametrize("mode", LATENCY_MODES)
def test_every_key_frame_interval(store: SegmentStore, mode: str, gop_s: float) -> None:
    broadcast = Broadcast.on(store, mode)
    send(broadcast, [count / 30 for count in range(450)], gop_s, "AAC 48", RTMP_CLOCK, 15)
    legal(broadcast, mode)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", LATENCY_MODES)
def test_variable_frame_rates(store: SegmentStore, mode: str, seed: int) -> None:
    """A screen that is shared: pictures of 60 a second, of which any three in a row may be left out.

    There need not be a picture between 85 % and all of a part target, so some parts can't be legal; they are few, and
    as little too short or too long as the pictures allow.
    """
    choice = random.Random(seed)
    broadcast = Broadcast.on(store, mode)
    at, times = 0, []
    while at < 15 * 60:
        times.append(at / 60)
        at += choice.choice([1, 1, 1, 2, 2, 3, 4])
    send(broadcast, times, 2.0, "AAC 48", RTMP_CLOCK, 15)
    broadcast.stream.interrupt()
    check(broadcast)
    parts = sum(rendition.parts_cut for rendition in broadcast.packager.renditions.values())
    assert broadcast.packager.irregular_parts <= parts // (5 if mode == "ultra-low" else 8)
    for rendition in broadcast.packager.renditions.values():
        playlist_is_legal(rendition, mode)
        longest = max(p.duration / e.timescale for e in rendition.window.closed for p in rendition.window.parts(e.msn))
        assert longest <= (rendition.window.part_target_s or 0) + 4 / 60


@pytest.mark.parametrize("mode", LATENCY_MODES)
def test_the_settings_of_a_mode(mode: str) -> None:
    settings = LiveSettings.of(mode)
    hold_back = settings.mode.part_hold_back_s
    assert (hold_back is None) == (mode == "standard")
    assert hold_back is None or hold_back == pytest.approx(3 * settings.mode.part_s)
