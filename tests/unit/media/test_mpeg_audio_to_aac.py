import itertools

import av
import pytest

from server.formats.mpegts import WRAP
from server.media.mpeg_audio_to_aac import ToAac, TranscodingError
from server.media.mpegts_sounds import Sound
from tests.harness import media

STEP = 2160  # ticks of an MP2 frame of 1152 samples at 48 kHz


def frames(*options: str) -> list[bytes]:
    with av.open(str(media.clip(2, video=False, extension="ts", extra=("-c:a", "mp2", *options)))) as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


@pytest.mark.parametrize("start", [9000, WRAP - 50_000])
def test_sound_keeps_its_time(start: int) -> None:
    transcoder, made = ToAac(), []
    for number, data in enumerate(frames()):
        made += transcoder.read(Sound((start + number * STEP) % WRAP, data))

    assert transcoder.config is not None
    assert transcoder.config.codec == "mp4a.40.2"
    assert made[0].timestamp == (start - 1920) % WRAP  # the encoder's run-up
    assert {(after.timestamp - before.timestamp) % WRAP for before, after in itertools.pairwise(made)} == {1920}
    assert len(made) >= 88


def test_a_jump_is_followed() -> None:
    transcoder, made = ToAac(), []
    for number, data in enumerate(frames()):
        made += transcoder.read(Sound(number * STEP + (900_000 if number > 40 else 0), data))

    assert made[-1].timestamp > 900_000


def test_another_rate_or_layout_is_followed() -> None:
    transcoder, configs, made = ToAac(), [], 0
    for data in (*frames()[:20], *frames("-ac", "1")[:20], *frames("-ar", "32000")[:20]):
        made += len(transcoder.read(Sound(0, data)))
        if transcoder.config and transcoder.config not in configs:
            configs.append(transcoder.config)

    assert [(config.timescale, config.channels) for config in configs] == [(48_000, 2), (48_000, 1), (32_000, 2)]
    assert made >= 3 * 18


def test_rubbish_raises_its_own_error() -> None:
    transcoder = ToAac()

    with pytest.raises(TranscodingError):
        transcoder.read(Sound(0, b"no frame at all " * 20))
