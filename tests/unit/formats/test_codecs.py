import pytest

from server.formats.aac import audio_config
from server.formats.avc import video_config
from server.formats.codecs import BY_FOURCC, BY_NAME, CODECS, codec_of, codecs_attribute
from tests.unit.formats.encoded import h264


@pytest.mark.parametrize(
    ("rfc6381", "name"),
    [
        ("avc1.64001f", "h264"),
        ("avc3.42e01e", "h264"),
        ("hvc1.1.6.L93.B0", "hevc"),
        ("av01.0.04M.08", "av1"),
        ("mp4a.40.2", "aac"),
        ("mp4a.40.29", "aac"),
        ("mp4a.40.34", "mp3"),
        ("mp4a.6B", "mp3"),
        ("Opus", "opus"),
        ("opus", "opus"),
        ("flac", "flac"),
        ("ec-3", "eac3"),
        ("wvtt", "webvtt"),
    ],
)
def test_strings_name_their_codec(rfc6381: str, name: str) -> None:
    assert codec_of(rfc6381) is BY_NAME[name]


@pytest.mark.parametrize("rfc6381", ["", ".", "avc1x", "xxxx.1", "AVC1.64001f"])
def test_unknown_strings(rfc6381: str) -> None:
    assert codec_of(rfc6381) is None


def test_names_and_fourccs_are_unique() -> None:
    assert len(BY_NAME) == len(CODECS)
    assert len(BY_FOURCC) == sum(len(codec.fourccs) for codec in CODECS)
    assert all(len(fourcc) == 4 for fourcc in BY_FOURCC)


def test_the_codecs_attribute_lists_each_once_and_pictures_first() -> None:
    video, audio = video_config(h264().header), audio_config(bytes.fromhex("1190"))
    assert codecs_attribute([audio, video, audio]) == (video.codec, "mp4a.40.2")
    assert codecs_attribute([]) == ()
