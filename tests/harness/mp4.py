"""Progressive MP4 files written box by box, so that every table can be made to lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import pack

from server.formats.aac import audio_config
from server.formats.fmp4.box import box, full_box, visual_sample_entry

AVCC = bytes.fromhex(  # constrained baseline, 320×240, 4-byte lengths
    "0142c00dffe100166742c00dd90141fb011000003e90000ea600f142a48001000568cb83cb20"
)
ASC = bytes.fromhex("1190")  # AAC-LC, 48 kHz, stereo
UPRIGHT = (1, 0, 0, 1)
MATRICES = {0: UPRIGHT, 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}

Runs = Sequence[tuple[int, int]]  # (count, value)


@dataclass
class FakeTrack:
    """One track; sample i holds `size` bytes that tell the track and i. `tables` replaces whole stbl boxes."""

    kind: str = "video"
    count: int = 10
    size: int = 100
    timescale: int = 30
    deltas: Runs | None = None  # None: `delta` for each
    delta: int = 1
    cts: Runs | None = None
    sync: Sequence[int] | None = None  # numbers from 1; None: no stss
    per_chunk: int = 1
    edits: Sequence[tuple[int, int]] | None = None  # (length in movie ticks, media time)
    rate: int = 0x10000
    rotation: int = 0
    enabled: bool = True
    language: str = "und"
    entry: bytes | None = None
    entries: int = 1
    outside: bool = False
    tables: Mapping[bytes, bytes | None] = field(default_factory=dict)

    def samples(self, number: int) -> list[bytes]:
        return [pack(">BI", number, i).ljust(self.size, b"\xaa") for i in range(self.count)]


def video_entry(avcc: bytes = AVCC, kind: bytes = b"avc1", *extra: bytes) -> bytes:
    return visual_sample_entry(kind, 320, 240, box(b"avcC", avcc), *extra)


def audio_entry(asc: bytes = ASC) -> bytes:
    return audio_config(asc).sample_entry


def mp4(*tracks: FakeTrack, movie_timescale: int = 1000, moov_first: bool = True, extra: bytes = b"") -> bytes:
    """The file: chunks of the tracks by turns in mdat; `extra` goes into moov."""
    start = len(_ftyp()) + 8
    if moov_first:
        start += len(_moov(tracks, [[] for _ in tracks], movie_timescale, extra))
        start += sum(4 * _chunks(track) for track in tracks)
    media, offsets = _interleaved(tracks, start)
    moov, mdat = _moov(tracks, offsets, movie_timescale, extra), box(b"mdat", media)
    return _ftyp() + (moov + mdat if moov_first else mdat + moov)


def moov_of(*tracks: FakeTrack, movie_timescale: int = 1000) -> bytes:
    """The payload of a moov whose media is elsewhere."""
    return _moov(tracks, [[0] * _chunks(track) for track in tracks], movie_timescale, b"")[8:]


def _ftyp() -> bytes:
    return box(b"ftyp", b"isom", bytes(4), b"isom")


def _chunks(track: FakeTrack) -> int:
    return -(-track.count // track.per_chunk)


def _interleaved(tracks: Sequence[FakeTrack], start: int) -> tuple[bytes, list[list[int]]]:
    pieces: list[bytes] = []
    units = [track.samples(number) for number, track in enumerate(tracks)]
    offsets: list[list[int]] = [[] for _ in tracks]
    for turn in range(max(map(_chunks, tracks), default=0)):
        for number, track in enumerate(tracks):
            chunk = b"".join(units[number][turn * track.per_chunk : (turn + 1) * track.per_chunk])
            if chunk:
                offsets[number].append(start)
                start += len(chunk)
                pieces.append(chunk)
    return b"".join(pieces), offsets


def _moov(tracks: Sequence[FakeTrack], offsets: list[list[int]], timescale: int, extra: bytes) -> bytes:
    mvhd = full_box(b"mvhd", 0, 0, pack(">IIII", 0, 0, timescale, 0), bytes(80))
    traks = (_trak(track, places) for track, places in zip(tracks, offsets, strict=True))
    return box(b"moov", mvhd, *traks, extra)


def _trak(track: FakeTrack, offsets: list[int]) -> bytes:
    a, b, c, d = (value << 16 for value in MATRICES[track.rotation])
    matrix = pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    tkhd = full_box(b"tkhd", 0, int(track.enabled), bytes(36), matrix, bytes(8))
    first, second, third = (ord(letter) - 0x60 for letter in track.language)
    mdhd = full_box(b"mdhd", 0, 0, pack(">IIIIHH", 0, 0, track.timescale, 0, first << 10 | second << 5 | third, 0))
    hdlr = full_box(b"hdlr", 0, 0, pack(">I4s12x", 0, {"video": b"vide", "audio": b"soun"}.get(track.kind, b"text")))
    dref = full_box(b"dref", 0, 0, pack(">I", 1), full_box(b"url ", 0, 0 if track.outside else 1))
    minf = box(b"minf", box(b"dinf", dref), _stbl(track, offsets))
    return box(b"trak", tkhd, _edts(track), box(b"mdia", mdhd, hdlr, minf))


def _edts(track: FakeTrack) -> bytes:
    if track.edits is None:
        return b""
    rows = b"".join(pack(">IiI", length, start, track.rate) for length, start in track.edits)
    return box(b"edts", full_box(b"elst", 0, 0, pack(">I", len(track.edits)), rows))


def _stbl(track: FakeTrack, offsets: list[int]) -> bytes:
    entry = track.entry or (audio_entry() if track.kind == "audio" else video_entry())
    deltas = [(track.count, track.delta)] if track.deltas is None else track.deltas
    boxes: dict[bytes, bytes | None] = {
        b"stsd": full_box(b"stsd", 0, 0, pack(">I", track.entries), entry * track.entries),
        b"stts": runs(b"stts", deltas),
        b"ctts": None if track.cts is None else runs(b"ctts", track.cts),
        b"stss": None if track.sync is None else numbers(b"stss", track.sync),
        b"stsc": full_box(b"stsc", 0, 0, pack(">IIII", 1, 1, track.per_chunk, 1)),
        b"stsz": full_box(b"stsz", 0, 0, pack(">II", track.size, track.count)),
        b"stco": numbers(b"stco", offsets),
        **track.tables,
    }
    return box(b"stbl", *(table for table in boxes.values() if table is not None))


def runs(kind: bytes, rows: Runs) -> bytes:
    """A run-length table: stts, ctts."""
    pairs = (pack(">II", count, value & 0xFFFFFFFF) for count, value in rows)
    return full_box(kind, 0, 0, pack(">I", len(rows)), *pairs)


def numbers(kind: bytes, values: Sequence[int]) -> bytes:
    """A table of one column: stss, stco."""
    return full_box(kind, 0, 0, pack(f">I{len(values)}I", len(values), *values))
