"""Which containers libav may open, told by a file's own bytes, never by its name.

Playlists and scripts (HLS, DASH, concat, SDP and the like) name other files and URLs; a demuxer for one of them is
never on the list, so an upload can't make the server read what is not its own.
"""

from dataclasses import dataclass

# Enough for three packets of MPEG-TS with M2TS's four extra bytes each.
HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Container:
    demuxer: str  # libav's name
    name: str  # people's name


MP4 = Container("mov", "MP4")
MATROSKA = Container("matroska", "Matroska")
MPEG_TS = Container("mpegts", "MPEG-TS")
MPEG_PS = Container("mpeg", "MPEG-PS")
FLV = Container("flv", "FLV")
AVI = Container("avi", "AVI")
WAV = Container("wav", "WAV")
OGG = Container("ogg", "Ogg")
FLAC = Container("flac", "FLAC")
MP3 = Container("mp3", "MP3")
ADTS = Container("aac", "AAC (ADTS)")

AMR = Container("amr", "AMR")
AIFF = Container("aiff", "AIFF")
CAF = Container("caf", "CAF")
ASF = Container("asf", "ASF")
AU = Container("au", "AU")
AC3 = Container("ac3", "AC-3")
EAC3 = Container("eac3", "E-AC-3")
BY_NAME = {
    each.name: each
    for each in (
        MP4, MATROSKA, MPEG_TS, MPEG_PS, FLV, AVI, WAV, OGG, FLAC, MP3, ADTS, AMR, AIFF, CAF, ASF, AU, AC3, EAC3,
    )
}  # fmt: skip

# (offset, bytes) -> container; the first that matches.
SIGNATURES: tuple[tuple[int, bytes, Container], ...] = (
    (4, b"ftyp", MP4),
    (4, b"moov", MP4),
    (4, b"mdat", MP4),
    (4, b"wide", MP4),
    (4, b"free", MP4),
    (4, b"skip", MP4),
    (4, b"styp", MP4),
    (4, b"pnot", MP4),
    (0, b"\x1a\x45\xdf\xa3", MATROSKA),
    (0, b"FLV\x01", FLV),
    (8, b"AVI ", AVI),
    (8, b"WAVE", WAV),
    (0, b"OggS", OGG),
    (0, b"fLaC", FLAC),
    (0, b"ID3", MP3),
    (0, b"\x00\x00\x01\xba", MPEG_PS),
    (0, b"#!AMR", AMR),
    (8, b"AIFF", AIFF),
    (8, b"AIFC", AIFF),
    (0, b"caff", CAF),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), ASF),
    (0, b".snd", AU),
)

# What people and attackers upload instead: text that begins so, white space aside, in lower case.
TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"#extm3u", "an HLS playlist"),
    (b"ffconcat", "a concat script"),
    (b"file ", "a concat script"),
    (b"<mpd", "a DASH manifest"),
    (b"<smil", "a SMIL playlist"),
    (b"<?xml", "an XML document"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"v=0", "a session description"),
    (b"[playlist]", "a playlist"),
    (b"[reference]", "a playlist"),
    (b"webvtt", "subtitles"),
    (b"{", "a JSON document"),
    (b"\x89png", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"gif8", "a GIF picture"),
    (b"%pdf", "a PDF document"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"\x7felf", "a program"),
)

TS_PACKET, TS_SYNC = 188, 0x47
AC3_SYNC = b"\x0b\x77"
LAST_AC3 = 10  # bit stream identification (ATSC A/52 E.2.3.1.6)
MPEG_AUDIO_RATES = (44100, 48000, 32000)
# kbit/s of layer III by version (1, then 2 and 2.5) and index.
LAYER_3_RATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def container_of(head: bytes) -> Container | None:
    """The container of a file that begins with `head` (HEAD_BYTES of it), or None when it is none we open."""
    for offset, signature, container in SIGNATURES:
        if head.startswith(signature, offset):
            return container
    if _is_transport_stream(head):
        return MPEG_TS
    if _frame_follows(head, _adts_length(head)):
        return ADTS
    if head.startswith(AC3_SYNC):
        return EAC3 if head[5] >> 3 > LAST_AC3 else AC3
    sound = head.lstrip(b"\0")  # what cutters of MP3 leave before the first frame
    if _frame_follows(sound, _layer_3_length(sound)):
        return MP3
    return None


def words_for(head: bytes) -> str:
    """What a file that is no container looks like, such as "an HLS playlist, not a media file"."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    words = next((words for prefix, words in TEXTS if text.startswith(prefix)), None)
    return f"{words}, not a media file" if words else "nothing that is known here as video or audio"


def _is_transport_stream(head: bytes) -> bool:
    """ISO/IEC 13818-1, 2.4.3.2: every packet begins with the sync byte; M2TS puts four bytes before."""
    return any(
        len(head) > start + 2 * packet and all(head[start + i * packet] == TS_SYNC for i in range(3))
        for start, packet in ((0, TS_PACKET), (4, TS_PACKET + 4))
    )


def _frame_follows(head: bytes, length: int) -> bool:
    """Whether a first frame of `length` bytes is followed by one that begins alike, or by the end of `head`."""
    return length > 0 and (head[length : length + 2] == head[:2] or length + 2 > len(head))


def _adts_length(head: bytes) -> int:
    """Bytes of the ADTS frame at the beginning (ISO/IEC 14496-3, 1.A.2.2), 0 when there is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


def _layer_3_length(head: bytes) -> int:
    """Bytes of the MPEG audio layer III frame at the beginning (ISO/IEC 11172-3, 2.4.1.3), 0 when there is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, rate_index, sampling = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or rate_index in (0, 15) or sampling == 3:
        return 0
    first_version = version == 3
    hertz = MPEG_AUDIO_RATES[sampling] >> {3: 0, 2: 1, 0: 2}[version]
    kilobits = LAYER_3_RATES[first_version][rate_index]
    return (144 if first_version else 72) * kilobits * 1000 // hertz + (head[2] >> 1 & 1)
