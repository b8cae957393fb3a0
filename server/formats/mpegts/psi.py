"""Program specific information: the tables that say which PID carries what, read and written.

Source: the standard, 2.4.4 (tables), 2.6 (descriptors), Annex A (CRC); ETSI EN 300 468 (DVB's descriptors).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PAT_PID, NULL_PID = 0, 0x1FFF
PAT_TABLE, PMT_TABLE = 0, 2
MAX_SECTION = 1021 + 3  # 2.4.4.3: section_length stays below 1022
MAX_STREAMS = 64  # of one program; real ones have a handful

# Descriptor tags: 2.6.8, 2.6.18; EN 300 468 table 12.
REGISTRATION, LANGUAGE, DVB_AC3, DVB_EAC3, EXTENSION = 0x05, 0x0A, 0x6A, 0x7A, 0x7F
OPUS_CONFIG = 0x80  # extension tag of Opus's channel_config_code

CODECS = {
    0x01: "mpeg2video", 0x02: "mpeg2video", 0x03: "mp2", 0x04: "mp2", 0x0F: "aac", 0x11: "aac_latm", 0x10: "mpeg4",
    0x1B: "h264", 0x24: "hevc", 0x2D: "mpegh_3d_audio", 0x2E: "mpegh_3d_audio", 0x33: "vvc", 0x81: "ac3", 0x87: "eac3",
    0xC1: "ac3", 0xC2: "eac3",
}  # fmt: skip
"""By stream_type (table 2-34; ATSC A/52 annex A for 0x81 and 0x87)."""
PRIVATE = 0x06  # what it is the descriptors tell
REGISTERED = {b"Opus": "opus", b"AC-3": "ac3", b"EAC3": "eac3", b"HEVC": "hevc", b"AV01": "av1"}
VIDEO = frozenset({"h264", "hevc", "mpeg2video", "mpeg4", "vvc", "av1"})
AUDIO = frozenset({"aac", "aac_latm", "mp2", "opus", "ac3", "eac3"})
STREAM_TYPES = {"h264": 0x1B, "hevc": 0x24, "aac": 0x0F, "ac3": 0x81, "eac3": 0x87, "opus": PRIVATE}


class PsiError(ValueError):
    """The section is damaged, or is not the table it is read as."""


@dataclass(frozen=True, slots=True)
class ElementaryStream:
    """One line of a program map."""

    pid: int
    codec: str  # libav's name; "" for one that is not sound nor pictures, or unknown
    language: str = ""  # ISO 639-2, as sent
    channel_config: int = 2  # of Opus

    @property
    def kind(self) -> str:
        """video, audio or ""."""
        return "video" if self.codec in VIDEO else "audio" if self.codec in AUDIO else ""


@dataclass(frozen=True, slots=True)
class ProgramMap:
    program: int
    clock_pid: int
    streams: tuple[ElementaryStream, ...]


# --- reading


def section_body(section: bytes, table: int) -> bytes:
    """What lies between the header of a section in force and its CRC. Raises PsiError."""
    if len(section) < 12 or section[0] != table or not section[1] & 0x80:
        raise PsiError("not the section that belongs here")
    if crc32(section):
        raise PsiError("CRC")
    if not section[5] & 1:
        raise PsiError("a table for later")
    return section[8:-4]


def program_pids(section: bytes) -> dict[int, int]:
    """program_number → PID of its map (2.4.4.3). Raises PsiError."""
    body = section_body(section, PAT_TABLE)
    words = [int.from_bytes(body[at : at + 4], "big") for at in range(0, len(body) - 3, 4)]
    return {word >> 16: word & 0x1FFF for word in words if word >> 16}


def program_map(section: bytes) -> ProgramMap:
    """2.4.4.8. Raises PsiError."""
    body = section_body(section, PMT_TABLE)
    if len(body) < 4:
        raise PsiError("a program map without its head")
    at = 4 + (int.from_bytes(body[2:4], "big") & 0xFFF)
    streams: list[ElementaryStream] = []
    while at + 5 <= len(body) and len(streams) < MAX_STREAMS:
        end = at + 5 + (int.from_bytes(body[at + 3 : at + 5], "big") & 0xFFF)
        pid = int.from_bytes(body[at + 1 : at + 3], "big") & 0x1FFF
        streams.append(_stream(body[at], pid, body[at + 5 : end]))
        at = end
    return ProgramMap(int.from_bytes(section[3:5], "big"), int.from_bytes(body[:2], "big") & 0x1FFF, tuple(streams))


def _stream(stream_type: int, pid: int, descriptors: bytes) -> ElementaryStream:
    codec, language, channel_config = CODECS.get(stream_type, ""), "", 2
    for tag, data in _descriptors(descriptors):
        if tag == LANGUAGE and len(data) >= 3:
            language = _language(data[:3])
        elif stream_type == PRIVATE and tag == REGISTRATION:
            codec = REGISTERED.get(data[:4], codec)
        elif stream_type == PRIVATE and tag in (DVB_AC3, DVB_EAC3):
            codec = "ac3" if tag == DVB_AC3 else "eac3"
        elif tag == EXTENSION and data[:1] == bytes((OPUS_CONFIG,)) and len(data) > 1:
            channel_config = data[1]
    return ElementaryStream(pid, codec, language, channel_config)


def _descriptors(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(data):
        end = at + 2 + data[at + 1]
        if end > len(data):
            return
        yield data[at], data[at + 2 : end]
        at = end


def _language(code: bytes) -> str:
    """Letters only: anything else is rubbish. "und" says nothing."""
    text = code.decode("latin-1").lower()
    return text if text.isascii() and text.isalpha() and text != "und" else ""


class Sections:
    """Puts the sections of one PID together out of packet payloads."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def feed(self, payload: bytes, start: bool) -> list[bytes]:
        """Whole sections; `start`: the payload begins with a pointer_field (2.4.4.1)."""
        if not start:
            if not self._data:
                return []
            self._data += payload
            return self._take()
        pointer = payload[0] + 1 if payload else 1
        found: list[bytes] = []
        if self._data:
            self._data += payload[1:pointer]
            found = self._take()
        self._data = payload[pointer:]
        return found + self._take()

    def _take(self) -> list[bytes]:
        data, found = self._data, []
        while len(data) >= 3 and data[0] != 0xFF:
            size = 3 + (int.from_bytes(data[1:3], "big") & 0xFFF)
            if size > MAX_SECTION:
                data = b""
                break
            if len(data) < size:
                break
            found.append(data[:size])
            data = data[size:]
        self._data = b"" if data[:1] == b"\xff" else data
        return found


# --- writing


def write_pat(programs: Sequence[tuple[int, int]], version: int = 0) -> bytes:
    """A section of program_number and map PID pairs."""
    body = b"".join(number.to_bytes(2, "big") + (0xE000 | pid).to_bytes(2, "big") for number, pid in programs)
    return _section(PAT_TABLE, 1, version, body)


def write_pmt(table: ProgramMap, version: int = 0) -> bytes:
    lines = []
    for stream in table.streams:
        descriptors = _written_descriptors(stream)
        lines.append(
            bytes((STREAM_TYPES[stream.codec],))
            + (0xE000 | stream.pid).to_bytes(2, "big")
            + (0xF000 | len(descriptors)).to_bytes(2, "big")
            + descriptors
        )
    head = (0xE000 | table.clock_pid).to_bytes(2, "big") + b"\xf0\0"
    return _section(PMT_TABLE, table.program, version, head + b"".join(lines))


def _written_descriptors(stream: ElementaryStream) -> bytes:
    found = b""
    if stream.codec in ("opus", "ac3", "eac3"):
        mark = {"opus": b"Opus", "ac3": b"AC-3", "eac3": b"EAC3"}[stream.codec]
        found += bytes((REGISTRATION, 4)) + mark
    if stream.codec == "opus":
        found += bytes((EXTENSION, 2, OPUS_CONFIG, stream.channel_config))
    if len(stream.language) == 3 and stream.language.isascii():
        found += bytes((LANGUAGE, 4)) + stream.language.encode() + b"\0"
    return found


def _section(table: int, number: int, version: int, body: bytes) -> bytes:
    head = bytes((table,)) + (0xB000 | len(body) + 9).to_bytes(2, "big") + number.to_bytes(2, "big")
    section = head + bytes((0xC1 | (version & 31) << 1, 0, 0)) + body
    return section + crc32(section).to_bytes(4, "big")


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x8000_0000 else value << 1) & 0xFFFF_FFFF
        table.append(value)
    return tuple(table)


_CRC = _crc_table()


def crc32(data: bytes) -> int:
    """Annex A; 0 for a section with its CRC behind it."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc = (crc << 8 & 0xFFFF_FFFF) ^ _CRC[crc >> 24 ^ byte]
    return crc
