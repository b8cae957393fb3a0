"""Frames across payloads, rubbish between them, and their times."""

import pytest

from server.formats.aac import AudioSpecificConfig
from server.formats.adts import write_header
from server.formats.mpegts.demuxer import Unit
from server.formats.opus import SILENCE
from server.media.mpegts_sounds import AdtsCodec, Framer, OpusCodec

CORE = AudioSpecificConfig.parse(bytes.fromhex("1190"))
STEP = 1920  # ticks of a frame at 48 kHz


def frame(number: int, size: int = 300) -> bytes:
    return write_header(CORE, size) + bytes((number,)) * size


def unit(data: bytes, pts: int | None, damaged: bool = False) -> Unit:
    return Unit(0x101, pts, pts, data, damaged)


def test_frames_of_a_payload_follow_each_other() -> None:
    sounds = Framer(AdtsCodec()).read(unit(frame(1) + frame(2) + frame(3), 9000))

    assert [(sound.timestamp, sound.data[0]) for sound in sounds] == [(9000, 1), (9000 + STEP, 2), (9000 + 2 * STEP, 3)]


@pytest.mark.parametrize("cut", range(1, 600, 37))
def test_a_frame_in_two_payloads(cut: int) -> None:
    framer, data = Framer(AdtsCodec()), frame(1) + frame(2) + frame(3)
    # the time of the second payload is that of the first frame that begins in it
    first = -(-cut // len(frame(0)))

    sounds = framer.read(unit(data[:cut], 9000)) + framer.read(unit(data[cut:], 9000 + first * STEP))

    assert [(sound.timestamp, sound.data[0]) for sound in sounds] == [(9000, 1), (9000 + STEP, 2), (9000 + 2 * STEP, 3)]
    assert framer.broken == 0


def test_a_payload_without_a_time_goes_on_counting() -> None:
    framer = Framer(AdtsCodec())
    framer.read(unit(frame(1), 9000))

    (sound,) = framer.read(unit(frame(2), None))

    assert sound.timestamp == 9000 + STEP


def test_nothing_comes_before_a_time() -> None:
    assert Framer(AdtsCodec()).read(unit(frame(1), None)) == []


def test_rubbish_is_skipped_and_counted() -> None:
    framer = Framer(AdtsCodec())

    sounds = framer.read(unit(b"\xff\x00rubbish\xff" + frame(1) + frame(2), 9000))

    assert [sound.data[0] for sound in sounds] == [1, 2]
    assert framer.broken == 1
    assert framer.read(unit(b"\xff" * 60_000, 9000)) == []


def test_a_hole_forgets_what_was_begun() -> None:
    framer = Framer(AdtsCodec())
    framer.read(unit(frame(1) + frame(2)[:100], 9000))

    (sound,) = framer.read(unit(frame(3), 20_000, damaged=True))

    assert (sound.timestamp, sound.data[0]) == (20_000, 3)


def test_opus_that_is_trimmed_or_extended() -> None:
    packet, framer = SILENCE[2], Framer(OpusCodec(2))
    plain = b"\x7f\xe0" + bytes((len(packet),)) + packet
    trimmed = b"\x7f\xf8" + bytes((len(packet),)) + b"\0\x0a\0\x0b" + packet
    extended = b"\x7f\xe4" + bytes((len(packet),)) + b"\x02ab" + packet

    sounds = framer.read(unit(plain + trimmed + extended, 0))

    assert [(sound.timestamp, sound.data) for sound in sounds] == [(0, packet), (1800, packet), (3600, packet)]
    assert framer.broken == 0
