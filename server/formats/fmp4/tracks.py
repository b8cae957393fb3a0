"""What a moov says of each of its tracks, before their samples are read (ISO/IEC 14496-12, 8.3 to 8.6)."""

from collections.abc import Iterator
from dataclasses import dataclass

from server.formats.fmp4.foreign import ForeignBox, Mp4Error
from server.formats.fmp4.samples import sample_count

# Films have one to ten; cameras add timecode, location and depth.
MAX_TRACKS = 64
MAX_EDITS = 4096
NORMAL_RATE = 0x10000  # media_rate of an edit, 16.16

KINDS = {b"vide": "video", b"soun": "audio"}

# Sample entries by the name people know them by; PCM has more spellings than a table should list.
CODEC_NAMES = {
    b"avc1": "H.264", b"avc3": "H.264", b"hvc1": "HEVC", b"hev1": "HEVC", b"dvh1": "Dolby Vision",
    b"dvhe": "Dolby Vision", b"av01": "AV1", b"vp08": "VP8", b"vp09": "VP9", b"mp4v": "MPEG-4 Visual",
    b"s263": "H.263", b"h263": "H.263", b"jpeg": "JPEG", b"mjpa": "Motion JPEG", b"apch": "ProRes", b"apcn": "ProRes",
    b"apcs": "ProRes", b"apco": "ProRes", b"ap4h": "ProRes", b"ap4x": "ProRes", b"encv": "encrypted",
    b"mp4a": "MPEG-4", b"Opus": "Opus", b"fLaC": "FLAC", b"alac": "ALAC", b"ac-3": "AC-3", b"ec-3": "E-AC-3",
    b"ac-4": "AC-4", b"dtsc": "DTS", b"dtsh": "DTS-HD", b"dtsl": "DTS-HD", b"dtse": "DTS Express",
    b"mlpa": "Dolby TrueHD", b"mhm1": "MPEG-H", b"mha1": "MPEG-H", b"iamf": "IAMF", b"samr": "AMR",
    b"sawb": "AMR-WB", b"ipcm": "PCM", b"fpcm": "PCM", b"sowt": "PCM", b"twos": "PCM", b"lpcm": "PCM",
    b"in24": "PCM", b"in32": "PCM", b"fl32": "PCM", b"fl64": "PCM", b"raw ": "PCM", b"ulaw": "µ-law",
    b"alaw": "A-law", b".mp3": "MP3", b"enca": "encrypted",
}  # fmt: skip

# objectTypeIndication of mp4a (mp4ra.org/registered-types/object-types).
OBJECT_NAMES = {
    0x40: "AAC", 0x66: "AAC", 0x67: "AAC", 0x68: "AAC", 0x69: "MP3", 0x6B: "MP3", 0xA5: "AC-3", 0xA6: "E-AC-3",
    0xA9: "DTS", 0xAA: "DTS-HD", 0xAB: "DTS-HD", 0xAC: "DTS Express", 0xDD: "Vorbis",
}  # fmt: skip

# (a, b, c, d) of the tkhd matrix by their signs -> degrees clockwise; mirrored pictures are shown unmirrored.
ROTATIONS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}


@dataclass(frozen=True, slots=True)
class Edits:
    """One track's edit list: `delay` of silence or blackness, then the media from `start` for `length`."""

    delay: int = 0  # movie ticks
    start: int = 0  # track ticks, by presentation time
    length: int | None = None  # movie ticks; None: to the end of the track
    oddity: str | None = None  # what the list does beyond that


@dataclass(frozen=True, slots=True)
class TrackHeader:
    """One trak, as found."""

    kind: str  # video, audio, or the handler's four characters
    enabled: bool
    rotation: int  # degrees clockwise
    timescale: int  # ticks a second
    language: str  # ISO 639-2/T, "und" when not told
    edits: Edits
    entries: tuple[ForeignBox, ...]  # sample descriptions
    outside: bool  # the samples lie in another file
    stbl: ForeignBox
    count: int  # samples

    @property
    def codec(self) -> bytes:
        return self.entries[0].kind

    @property
    def words(self) -> str:
        """Such as "HEVC video 1920×1080" or "AAC audio"."""
        name = CODEC_NAMES.get(self.codec, f"“{self.codec.decode('latin-1')}”")
        if self.codec == b"mp4a":
            name = OBJECT_NAMES.get(object_type(self.entries[0]), name)
        size = f" {self.entries[0].u16(24)}×{self.entries[0].u16(26)}" if self.kind == "video" else ""
        return f"{name} {self.kind}{size}"


def track_headers(moov: ForeignBox) -> Iterator[TrackHeader]:
    """The video and audio tracks of a moov, in order; others are passed over."""
    traks = [box for box in moov.children() if box.kind == b"trak"]
    if len(traks) > MAX_TRACKS:
        raise Mp4Error(f"the file has {len(traks)} tracks; the limit is {MAX_TRACKS}")
    for trak in traks:
        mdia = trak.need(b"mdia")
        kind = KINDS.get(bytes(mdia.need(b"hdlr").part(8, 4)))
        if kind is not None:
            yield _header(trak, mdia, kind)


def movie_timescale(moov: ForeignBox) -> int:
    """Ticks a second of edit lists' lengths."""
    return _timescale(moov.need(b"mvhd"))


def _timescale(header: ForeignBox) -> int:
    """Of mvhd or mdhd, which begin alike."""
    ticks = header.u32(20 if header.u8(0) else 12)
    if ticks == 0:
        raise Mp4Error(f"the {header.name} box has a clock of zero ticks a second")
    return ticks


def _header(trak: ForeignBox, mdia: ForeignBox, kind: str) -> TrackHeader:
    tkhd, mdhd, minf = trak.need(b"tkhd"), mdia.need(b"mdhd"), mdia.need(b"minf")
    stbl = minf.need(b"stbl")
    count = sample_count(stbl)
    entries = tuple(stbl.need(b"stsd").children(8))
    if not entries:
        raise Mp4Error(f"a track of {kind} does not say how it is coded")
    return TrackHeader(
        kind=kind,
        enabled=bool(tkhd.u32(0) & 1),
        rotation=_rotation(tkhd),
        timescale=_timescale(mdhd),
        language=_language(mdhd.u16(32 if mdhd.u8(0) else 20)),
        edits=_edits(trak.find(b"edts", b"elst")),
        entries=entries,
        outside=_outside(minf, entries[0].u16(6)),
        stbl=stbl,
        count=count,
    )


def _rotation(tkhd: ForeignBox) -> int:
    at = 52 if tkhd.u8(0) else 40
    a, b, c, d = (_sign(tkhd.i32(at + offset)) for offset in (0, 4, 12, 16))
    return ROTATIONS.get((a, b, c, d), 0)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _language(packed: int) -> str:
    """Three letters of five bits (8.4.2.3); QuickTime's own numbers lie below 0x400."""
    letters = "".join(chr(0x60 + (packed >> shift & 31)) for shift in (10, 5, 0))
    return letters if packed >= 0x400 and letters.isalpha() else "und"


def _outside(minf: ForeignBox, reference: int) -> bool:
    """Whether the data reference that the sample description names lies in another file (8.7.2)."""
    dref = minf.find(b"dinf", b"dref")
    if dref is None:
        return False
    references = list(dref.children(8))
    if not 1 <= reference <= len(references):
        return False
    self_contained = 1
    return not references[reference - 1].u32(0) & self_contained


def _edits(elst: ForeignBox | None) -> Edits:
    if elst is None:
        return Edits()
    wide, count = elst.u8(0) == 1, elst.u32(4)
    if count > MAX_EDITS:
        raise Mp4Error(f"the file has an edit list of {count} entries; the limit is {MAX_EDITS}")
    delay, pieces = 0, []
    for at in range(8, 8 + count * (20 if wide else 12), 20 if wide else 12):
        length, start = (elst.u64(at), elst.i64(at + 8)) if wide else (elst.u32(at), elst.i32(at + 4))
        if start != -1:
            pieces.append((start, length, elst.u32(at + (16 if wide else 8))))
        elif not pieces:
            delay += length
    return _one_piece(delay, pieces)


def _one_piece(delay: int, pieces: list[tuple[int, int, int]]) -> Edits:
    """The edit list as one piece of media, from (start, length, rate) of each."""
    if not pieces:
        return Edits(delay)
    start, length, rate = pieces[0]
    if start < 0:
        raise Mp4Error("the file's edit list begins before its media")
    oddity = None
    if len(pieces) > 1:
        oddity = f"an edit list that puts {len(pieces)} pieces together"
    elif rate != NORMAL_RATE:
        oddity = "an edit list that changes the speed"
    return Edits(delay, start, length or None, oddity)


def entry_children(entry: ForeignBox) -> dict[bytes, ForeignBox]:
    """The boxes inside a sample entry, after its fixed fields (12.1.3, 12.2.3; QuickTime's versions 1 and 2)."""
    at = 78
    if entry.kind not in {b"avc1", b"avc3", b"hvc1", b"hev1"}:
        at = 28 + {1: 16, 2: 36}.get(entry.u16(8), 0)
    return {box.kind: box for box in entry.children(at)}


def object_type(entry: ForeignBox) -> int:
    """objectTypeIndication of an mp4a entry, 0 when it has none; QuickTime puts its esds inside `wave`.

    ISO/IEC 14496-1, 7.2.6: ES_Descriptor (tag 3) holds DecoderConfigDescriptor (tag 4), which begins with it.
    """
    boxes = entry_children(entry)
    esds = boxes.get(b"esds") or (boxes[b"wave"].find(b"esds") if b"wave" in boxes else None)
    if esds is None:
        return 0
    at = _enter(esds, 4, 3)
    flags = esds.u8(at + 2)
    at += 3
    at += 2 if flags & 0x80 else 0  # dependsOn_ES_ID
    at += 1 + esds.u8(at) if flags & 0x40 else 0  # URL
    at += 2 if flags & 0x20 else 0  # OCR_ES_Id
    return esds.u8(_enter(esds, at, 4))


def _enter(esds: ForeignBox, at: int, tag: int) -> int:
    """Where the content of the descriptor `tag` at `at` begins, after its size of one to four bytes (8.3.3)."""
    if esds.u8(at) != tag:
        raise Mp4Error("the esds box is damaged")
    for after in range(at + 2, at + 6):
        if not esds.u8(after - 1) & 0x80:
            return after
    raise Mp4Error("the esds box is damaged")
