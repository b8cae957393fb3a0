"""The init segment of a single-track CMAF file (ISO/IEC 14496-12 chapter 8, ISO/IEC 23000-19 7.3.1).

    ftyp
    moov
      mvhd
      trak  tkhd  mdia { mdhd  hdlr  minf { vmhd|smhd  dinf { dref }  stbl { stsd, the rest empty } } }
      mvex  trex
"""

from struct import pack

from server.formats.fmp4.box import BoxError, box, find, full_box
from server.formats.sample import TrackConfig, VideoConfig

TRACK_ID = 1
BRANDS = b"iso6", b"cmfc"
ONE, MINUS_ONE = 0x10000, 0xFFFF0000  # 16.16 fixed point
UNDETERMINED = 0x55C4  # "und", three letters of five bits (8.4.2.3)


def init_segment(config: TrackConfig) -> bytes:
    """ftyp and moov of a track; the parts of the track follow it in any number."""
    ftyp = box(b"ftyp", BRANDS[0], bytes(4), *BRANDS)
    mvex = box(b"mvex", full_box(b"trex", 0, 0, pack(">IIIII", TRACK_ID, 1, 0, 0, 0)))
    return ftyp + box(b"moov", _mvhd(config.timescale), box(b"trak", _tkhd(config), _mdia(config)), mvex)


def sample_entry(init: bytes) -> bytes:
    """The description of the track in an init segment. Raises BoxError."""
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    if stsd is None or stsd.end - stsd.start <= 8:
        raise BoxError("an init segment without a sample entry")
    return init[stsd.start + 8 : stsd.end]


def _matrix(rotation: int, width: int, height: int) -> bytes:
    """The transformation that turns the picture `rotation` degrees clockwise and into view (6.2.2)."""
    a, b, c, d, x, y = {
        0: (ONE, 0, 0, ONE, 0, 0),
        90: (0, ONE, MINUS_ONE, 0, height, 0),
        180: (MINUS_ONE, 0, 0, MINUS_ONE, width, height),
        270: (0, MINUS_ONE, ONE, 0, 0, width),
    }[rotation]
    return pack(">9I", a, b, 0, c, d, 0, x << 16, y << 16, 0x40000000)


def _mvhd(timescale: int) -> bytes:
    fields = pack(">IIIIIH10x", 0, 0, timescale, 0, ONE, 0x100)
    return full_box(b"mvhd", 0, 0, fields, _matrix(0, 0, 0), bytes(24), pack(">I", TRACK_ID + 1))


def _tkhd(config: TrackConfig) -> bytes:
    if isinstance(config, VideoConfig):
        width, height, volume = _square_width(config), config.height, 0
        matrix = _matrix(config.rotation, width, height)
    else:
        width, height, volume = 0, 0, 0x100
        matrix = _matrix(0, 0, 0)
    enabled_in_movie_and_preview = 7
    fields = pack(">IIIII8xHHHH", 0, 0, TRACK_ID, 0, 0, 0, 0, volume, 0)
    size = pack(">II", width << 16, height << 16)
    return full_box(b"tkhd", 0, enabled_in_movie_and_preview, fields, matrix, size)


def _square_width(config: VideoConfig) -> int:
    """The width to show, in pixels of the height's size; kept within the 16 bits that tkhd has."""
    return min(0xFFFF, round(config.width * config.sar[0] / config.sar[1]))


def _mdia(config: TrackConfig) -> bytes:
    mdhd = full_box(b"mdhd", 0, 0, pack(">IIIIHH", 0, 0, config.timescale, 0, packed_language(config.language), 0))
    if isinstance(config, VideoConfig):
        handler, name, media_header = b"vide", b"video\0", full_box(b"vmhd", 0, 1, bytes(8))
    else:
        handler, name, media_header = b"soun", b"sound\0", full_box(b"smhd", 0, 0, bytes(4))
    hdlr = full_box(b"hdlr", 0, 0, pack(">I4s12x", 0, handler), name)
    dinf = box(b"dinf", full_box(b"dref", 0, 0, pack(">I", 1), full_box(b"url ", 0, 1)))
    return box(b"mdia", mdhd, hdlr, box(b"minf", media_header, dinf, _stbl(config.sample_entry)))


def packed_language(code: str) -> int:
    """Three letters of ISO 639-2; a BCP 47 tag says it in the manifest alone."""
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        return UNDETERMINED
    first, second, third = (ord(letter) - 0x60 for letter in code.lower())
    return first << 10 | second << 5 | third


def _stbl(sample_entry: bytes) -> bytes:
    """The sample entry and the tables that a fragmented file leaves empty."""
    return box(
        b"stbl",
        full_box(b"stsd", 0, 0, pack(">I", 1), sample_entry),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
