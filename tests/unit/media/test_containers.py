import pytest

from server.media.containers import (
    ADTS,
    AVI,
    FLAC,
    FLV,
    HEAD_BYTES,
    MATROSKA,
    MP3,
    MP4,
    MPEG_PS,
    MPEG_TS,
    OGG,
    WAV,
    Container,
    container_of,
    words_for,
)

TS_PACKET = b"\x47" + bytes(187)
ADTS_FRAME = bytes.fromhex("fff15080029ffc") + bytes(13)  # 20 bytes
MP3_FRAME = bytes.fromhex("fffb9000") + bytes(413)  # 128 kbit/s, 44.1 kHz
MP3_FRAME_2 = bytes.fromhex("fff39000") + bytes(257)  # MPEG-2, 80 kbit/s, 22.05 kHz


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\0\0\0\x20ftypisom", MP4),
        (b"\0\0\0\x08wide\0\0\0\0mdat", MP4),
        (b"\x1a\x45\xdf\xa3\x01", MATROSKA),
        (TS_PACKET * 5, MPEG_TS),
        ((b"\0\0\0\0" + TS_PACKET) * 5, MPEG_TS),
        (b"\x00\x00\x01\xba\x44", MPEG_PS),
        (b"FLV\x01\x05", FLV),
        (b"RIFF\0\0\0\0AVI LIST", AVI),
        (b"RIFF\0\0\0\0WAVEfmt ", WAV),
        (b"RF64\xff\xff\xff\xffWAVEds64", WAV),
        (b"OggS\0", OGG),
        (b"fLaC\0", FLAC),
        (b"ID3\x04", MP3),
        (ADTS_FRAME * 3, ADTS),
        (MP3_FRAME * 3, MP3),
        (MP3_FRAME_2 * 3, MP3),
        (b"", None),
        (b"\x47", None),
        (TS_PACKET + b"no other packet" * 30, None),
        (ADTS_FRAME + b"no other frame", None),
        (MP3_FRAME + b"no other frame" * 9, None),
        (b"\xff\xff\xff\xff" * 100, None),
        (b"#EXTM3U\n", None),
    ],
)
def test_told_by_the_bytes(head: bytes, container: Container | None) -> None:
    assert container_of(head[:HEAD_BYTES]) is container


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"#EXTM3U\n#EXT-X-VERSION:3", "an HLS playlist, not a media file"),
        (b"\xef\xbb\xbf\r\n #extm3u", "an HLS playlist, not a media file"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "a concat script, not a media file"),
        (b"<?xml version='1.0'?><MPD", "an XML document, not a media file"),
        (b"v=0\r\no=-", "a session description, not a media file"),
        (b"<!DOCTYPE html>", "a web page, not a media file"),
        (b"\xff\xd8\xff\xe0", "a JPEG picture, not a media file"),
        (b"\x89PNG\r\n", "a PNG picture, not a media file"),
        (b"PK\x03\x04", "a ZIP archive, not a media file"),
        (b"hello", "nothing that is known here as video or audio"),
        (b"", "nothing that is known here as video or audio"),
    ],
)
def test_words_for_what_is_none(head: bytes, words: str) -> None:
    assert container_of(head) is None
    assert words_for(head) == words
