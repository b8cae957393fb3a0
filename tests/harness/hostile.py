"""Files made to do harm: to crash a reader, to fill memory, to take for ever, to reach what is not theirs.

Each is made of few bytes in little time, the same at each run.
"""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack

from server.formats.fmp4.box import box, full_box
from tests.harness.media import FOLDER, clip, ffmpeg
from tests.harness.mp4 import FakeTrack, mp4, runs

SIDE = 20_000  # pixels
MOST = 0xFFFFFFFF
PRIVATE = "http://169.254.169.254/latest/meta-data"

# container -> how ffmpeg makes a small file of it
CONTAINERS: dict[str, tuple[str, ...]] = {
    "mp4": (),
    "mkv": (),
    "ts": (),
    "flv": (),
    "avi": ("-c:v", "mpeg4", "-c:a", "mp2"),
    "webm": ("-c:v", "libvpx", "-c:a", "libopus", "-deadline", "realtime", "-cpu-used", "8"),
    "mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "ogg": ("-vn", "-c:a", "libopus"),
    "flac": ("-vn", "-c:a", "flac"),
    "mp3": ("-vn", "-c:a", "libmp3lame"),
    "wav": ("-vn", "-c:a", "pcm_s16le"),
}
FUZZED_BYTES = 4096  # of a file's beginning, where its headers are
SEEDS = range(1)


def sound(extension: str) -> Path:
    """A small file with nothing wrong."""
    source = clip(1)
    path = FOLDER / f"smallest.{extension}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name("making-" + path.name)
        ffmpeg("-i", source, *(CONTAINERS[extension] or ("-c", "copy")), made)
        made.replace(path)
    return path


def fuzzed(extension: str, seed: int) -> bytes:
    """One in sixty-four bytes of the headers changed: to anything, to the least or to the most."""
    chance = random.Random(f"{extension} {seed}")
    data = bytearray(sound(extension).read_bytes())
    end = min(len(data), FUZZED_BYTES)
    for _ in range(end // 64):
        data[chance.randrange(16, end)] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(data)


# --- MP4


def deep_boxes() -> bytes:
    depth = 100_000
    sizes = range(8 * depth + 8, 8, -8)
    return box(b"ftyp", b"isom", bytes(4)) + b"".join(pack(">I4s", size, b"moov") for size in sizes)


def million_tracks() -> bytes:
    return box(b"ftyp", b"isom", bytes(4)) + box(b"moov", box(b"trak") * 1_000_000)


def many_whole_tracks() -> bytes:
    one = mp4(FakeTrack(count=1), moov_first=False)
    at = one.index(b"moov") - 4
    moov = one[at + 8 :]
    trak = moov[moov.index(b"trak") - 4 :]
    return one[:at] + box(b"moov", moov.removesuffix(trak), trak * 4000)


def endless() -> bytes:
    return mp4(FakeTrack(tables={b"stts": runs(b"stts", [(MOST, MOST)])}))


def huge_sizes() -> bytes:
    return mp4(FakeTrack(tables={b"stsz": full_box(b"stsz", 0, 0, pack(">II", 1, MOST))}))


def huge_offsets() -> bytes:
    return mp4(FakeTrack(tables={b"ctts": runs(b"ctts", [(MOST, 1)] * 1000)}))


def lying_count() -> bytes:
    return mp4(FakeTrack(tables={b"stco": full_box(b"stco", 0, 0, pack(">I", MOST))}))


def elsewhere(location: bytes) -> bytes:
    """Its samples are said to be in another file."""
    data = mp4(FakeTrack(outside=True), moov_first=False)
    reference = full_box(b"url ", 0, 0, location)
    return _replaced(data, [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"], pack(">II", 0, 1) + reference)


def _replaced(data: bytes, path: list[bytes], payload: bytes) -> bytes:
    made, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        inner = data[at + 8 : at + size]
        if kind == path[0]:
            inner = payload if len(path) == 1 else _replaced(inner, path[1:], payload)
        made += box(kind, inner)
        at += size
    return made


# --- Matroska


def element(id: str, *payload: bytes, size: int | None = None) -> bytes:
    """`size` lies about the payload's."""
    joined = b"".join(payload)
    length = len(joined) if size is None else size
    return bytes.fromhex(id) + (1 << 56 | length).to_bytes(8, "big") + joined


def matroska(*tracks: bytes, blocks: tuple[bytes, ...] = (), more: bytes = b"", unknown: bool = False) -> bytes:
    header = element("1a45dfa3", element("4282", b"matroska"), element("4287", b"\x04"), element("4285", b"\x02"))
    info = element("1549a966", element("2ad7b1", (1_000_000).to_bytes(4, "big")))
    cluster = element("1f43b675", element("e7", b"\0"), *blocks, size=(1 << 56) - 1 if unknown else None)
    body = (info, element("1654ae6b", *tracks), more, cluster)
    return header + element("18538067", *body, size=(1 << 56) - 1 if unknown else None)


def track(number: int, *more: bytes, codec: bytes = b"V_MPEG4/ISO/AVC") -> bytes:
    picture = element("e0", element("b0", pack(">H", 320)), element("ba", pack(">H", 240)))
    return element(
        "ae", element("d7", pack(">I", number)), element("73c5", pack(">I", number)), element("83", b"\x01"),
        element("86", codec), picture, *more,
    )  # fmt: skip


def block(data: bytes) -> bytes:
    return element("a3", b"\x81\0\0\x80", data)


def compressed_bomb() -> bytes:
    """Blocks of which each is a thousand times as large unpacked."""
    packed = zlib.compress(bytes(64 << 20), 9)
    compression = element("6d80", element("6240", element("5034", element("4254", b"\0"))))
    return matroska(track(1, compression), blocks=tuple(block(packed) for _ in range(40)))


def header_compression() -> bytes:
    """A megabyte is said to stand before each of very many empty blocks."""
    stripped = element("5034", element("4254", b"\x03"), element("4255", bytes(1 << 20)))
    return matroska(track(1, element("6d80", element("6240", stripped))), blocks=(block(b""),) * 20_000)


def deep_chapters() -> bytes:
    depth = 20_000
    nested = b""
    for _ in range(200):
        nested = element("b6", nested)
    opened = b"".join(bytes.fromhex("b6") + (1 << 56 | 9 * (depth - at)).to_bytes(8, "big") for at in range(depth))
    return matroska(track(1), more=element("1043a770", element("45b9", opened, nested)))


def huge_picture(extension: str, codec: str, side: int = SIDE) -> bytes:
    """A picture of a side of very many pixels, said in some bytes."""
    path = FOLDER / f"square-{codec}.{extension}"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        ffmpeg("-f", "lavfi", "-i", "color=black:s=300x300:r=1:d=3", "-c:v", codec, path)
    data = path.read_bytes()
    for layout in (">H", ">I", "<I"):
        data = data.replace(pack(layout, 300) * 2, pack(layout, side) * 2)
    for width_or_height in (b"\xb0\x82", b"\xba\x82"):
        data = data.replace(width_or_height + pack(">H", 300), width_or_height + pack(">H", side))
    return data


def attached() -> bytes:
    path, attachment = FOLDER / "attached.mkv", FOLDER / "attachment.ttf"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        attachment.write_bytes(b"a font that is none" * 50_000)
        ffmpeg("-i", clip(2), "-c", "copy", "-attach", attachment, "-metadata:s:t", "mimetype=font/ttf",
               "-metadata:s:t", "filename=../../../../etc/cron.d/x", path)  # fmt: skip
    return path.read_bytes()


# --- others


def endless_programs() -> bytes:
    """MPEG-TS whose program map names other streams in each packet."""
    chance = random.Random(7)
    packets = [_section(0, bytes.fromhex("00b00d0001c1000000" "01e100"))]
    for version in range(2000):
        numbers = [(chance.randrange(32), chance.randrange(256)) for _ in range(30)]
        streams = b"".join(bytes((0x1B, 0xE0 | high, low, 0xF0, 0)) for high, low in numbers)
        length, current = 0xB000 | 13 + len(streams), 0xC1 | version % 32 << 1
        header = pack(">BHHBBBHH", 2, length, 1, current, 0, 0, 0xE101, 0xF000)
        packets.append(_section(0x100, header + streams))
    return b"".join(packets) * 20


def _section(pid: int, section: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in section:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc >> 31 else crc << 1) & MOST
    return (pack(">BHBB", 0x47, 0x4000 | pid, 0x10, 0) + section + pack(">I", crc)).ljust(188, b"\xff")


def deep_metadata() -> bytes:
    """FLV whose onMetaData holds objects within objects."""
    nested = b"\0\x01a\x03" * 100_000
    script = b"\x02\0\x0aonMetaData\x03" + nested
    tag = b"\x12" + len(script).to_bytes(3, "big") + bytes(7) + script
    return b"FLV\x01\x05" + pack(">II", 9, 0) + tag + pack(">I", len(tag))


def huge_palette() -> bytes:
    """AVI of eight bits a pixel whose palette is said to have four thousand million colours."""
    strf = pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 0, MOST, 0, 0, MOST, MOST)
    strh = b"vidsDIB " + pack("<IHHIIIIIIIIhhhh", 0, 0, 0, 0, 1, 25, 0, MOST, MOST, 0, 0, 0, 0, 0, 0)
    strl = _riff(b"LIST", b"strl" + _riff(b"strh", strh) + _riff(b"strf", strf))
    avih = _riff(b"avih", pack("<14I", 40000, 0, 0, 0x10, MOST, 0, 1, 0, SIDE, SIDE, 0, 0, 0, 0))
    movi = _riff(b"LIST", b"movi" + _riff(b"00db", bytes(1000)) * 10)
    return _riff(b"RIFF", b"AVI " + _riff(b"LIST", b"hdrl" + avih + strl) + movi)


def _riff(kind: bytes, payload: bytes) -> bytes:
    return kind + pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def long_tag() -> bytes:
    """MP3 behind a tag that is said to be longer than the file."""
    return b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + sound("mp3").read_bytes()


def huge_cover() -> bytes:
    """FLAC with a picture of 65,535 by 65,535 pixels that isn't there."""
    picture = pack(">II", 3, 9) + b"image/png" + pack(">IIIIII", 0, 65535, 65535, 32, 0, MOST)
    head = sound("flac").read_bytes()
    block = b"\x06" + len(picture).to_bytes(3, "big") + picture
    return head[:4] + bytes((head[4] & 0x7F,)) + head[5:42] + block + head[42:]


PLAYLIST = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{PRIVATE}\n#EXTINF:2,\nfile:///etc/passwd\n".encode()

BUILT: dict[str, Callable[[], bytes]] = {
    "mp4 of boxes within boxes": deep_boxes,
    "mp4 of a million tracks": million_tracks,
    "mp4 of three thousand whole tracks": many_whole_tracks,
    "mp4 without an end": endless,
    "mp4 of four thousand million samples": huge_sizes,
    "mp4 of endless offsets": huge_offsets,
    "mp4 with a count that lies": lying_count,
    "mp4 that names a file": lambda: elsewhere(b"file:///etc/passwd\0"),
    "mp4 that names a host": lambda: elsewhere(PRIVATE.encode() + b"\0"),
    "mp4 that is a playlist": lambda: box(b"ftyp", b"isom", bytes(4)) + PLAYLIST,
    "mp4 with nothing in it": lambda: box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", bytes(1000)),
    "matroska of unknown sizes": lambda: matroska(track(1), blocks=(block(bytes(100)),) * 1000, unknown=True),
    "matroska that unpacks": compressed_bomb,
    "matroska of stripped headers": header_compression,
    "matroska of chapters within chapters": deep_chapters,
    "matroska of many tracks": lambda: matroska(*(track(number) for number in range(1, 20_000))),
    "matroska with attachments": attached,
    "matroska of a huge png": lambda: huge_picture("mkv", "png"),
    "matroska of a huge jpeg": lambda: huge_picture("mkv", "mjpeg"),
    "avi of a huge jpeg": lambda: huge_picture("avi", "mjpeg"),
    "mov of a huge png": lambda: huge_picture("mov", "png"),
    "matroska of a large png": lambda: huge_picture("mkv", "png", 12_000),
    "avi of a large jpeg": lambda: huge_picture("avi", "mjpeg", 12_000),
    "avi of a huge palette": huge_palette,
    "ts of endless programs": endless_programs,
    "flv of objects within objects": deep_metadata,
    "mp3 behind a long tag": long_tag,
    "flac with a huge cover": huge_cover,
    "playlist": lambda: PLAYLIST,
    "concat script": lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "session description": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "dash manifest": lambda: f"<MPD><BaseURL>{PRIVATE}</BaseURL></MPD>".encode(),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "xml": lambda: b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "zeros": lambda: bytes(1 << 20),
}


def all_files() -> Iterator[tuple[str, bytes]]:
    """(name, content)"""
    for name, build in BUILT.items():
        yield name, build()
    for extension in CONTAINERS:
        yield f"half a {extension}", (whole := sound(extension).read_bytes())[: len(whole) // 2]
        for seed in SEEDS:
            yield f"fuzzed {extension} {seed}", fuzzed(extension, seed)
