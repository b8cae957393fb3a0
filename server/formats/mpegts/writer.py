"""Samples to MPEG-TS: for readers over SRT, and for targets that take it.

H.264 and HEVC become byte streams with their parameter sets before every key frame, AAC gets ADTS headers, Opus its
control headers; AC-3 and E-AC-3 go as they are. Other codecs have no place in MPEG-TS here: `configure` says so.

    writer = TsWriter()
    writer.configure("video", config)
    packets = writer.write("video", sample)    # whole packets, the tables among them where they are due
    for datagram in groups(packets): …
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from server.formats import adts, annexb, avc
from server.formats.aac import AacError, AudioSpecificConfig, asc_of
from server.formats.avc import AvcDecoderConfiguration, AvcError
from server.formats.fmp4.box import BoxError, find
from server.formats.hevc import HevcDecoderConfiguration, HevcError
from server.formats.mpegts import CLOCK, PACKET, SYNC, WRAP, pes, psi
from server.formats.mpegts.psi import ElementaryStream, ProgramMap
from server.formats.sample import AudioConfig, Sample, TrackConfig, VideoConfig

GROUP = 7 * PACKET  # bytes in one datagram: the most that fits an Ethernet frame
MAP_PID, FIRST_PID = 0x1000, 0x100
PROGRAM = 1
TABLES_TICKS = CLOCK * 4 // 10  # DVB asks for the tables every half a second (ETSI TR 101 290 1.3, 1.5)
DELAY_TICKS = CLOCK * 7 // 10  # timestamps run ahead of the clock by so much: room for a decoder's buffer
CLOCK_TICKS = CLOCK * 35 // 1000  # PCR at least every 40 ms (TR 101 290 2.3)
PAYLOAD = PACKET - 4

PICTURE_CHILDREN = 86  # where the boxes within a sample entry of pictures begin (ISO/IEC 14496-12 12.1.3)
# Access unit delimiters that allow for any slice (H.264 7.3.2.4, H.265 7.3.2.5).
DELIMITERS = {"h264": b"\0\0\0\x01\x09\xf0", "hevc": b"\0\0\0\x01\x46\x01\x50"}
VIDEO_CODECS = {"avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc"}
AUDIO_CODECS = {"mp4a": "aac", "Opus": "opus", "ac-3": "ac3", "ec-3": "eac3"}

Wrap = Callable[[Sample], bytes]  # a sample as a PES packet carries it


class TsError(ValueError):
    """The track can't be carried; the text is for the log."""


def groups(packets: bytes) -> Iterator[bytes]:
    """The packets in datagrams of seven, the last one perhaps shorter."""
    return (packets[at : at + GROUP] for at in range(0, len(packets), GROUP))


class TsWriter:
    """One program, whose clock goes with its pictures or, without any, with its first track."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._tables = _Tables()
        self._clock_at: int | None = None  # ticks
        self._next_pid = FIRST_PID

    def configure(self, track: str, config: TrackConfig) -> None:
        """What a track sends from now on. Raises TsError for what has no place in MPEG-TS."""
        known = self._tracks.get(track)
        if known is not None and known.config == config:
            return
        codec = _codec(config)
        wrap = _wrap_pictures(codec, config) if isinstance(config, VideoConfig) else _wrap_sound(codec, config)
        channels = min(config.channels, 8) if isinstance(config, AudioConfig) else 2
        pid, self._next_pid = (known.stream.pid, self._next_pid) if known else (self._next_pid, self._next_pid + 1)
        found = _Track(ElementaryStream(pid, codec, config.language, channels), config, wrap)
        found.continuity = known.continuity if known else 0
        self._tracks[track] = found
        self._changed()

    def drop(self, track: str) -> None:
        """The track has ended."""
        if self._tracks.pop(track, None) is not None:
            self._changed()

    def write(self, track: str, sample: Sample) -> bytes:
        """Packets of one sample; none for a track that was not configured."""
        found = self._tracks.get(track)
        if found is None:
            return b""
        dts = sample.dts * CLOCK // found.config.timescale
        pts = dts + sample.cts * CLOCK // found.config.timescale
        body = found.wrap(sample)
        if not body:
            return b""
        stamps = (pts + DELAY_TICKS) % WRAP, (dts + DELAY_TICKS) % WRAP
        clock = dts % WRAP if found is self._leader() and self._clock_due(dts, sample.key) else None
        leads_in = sample.key and found.config.kind == "video"
        out = self._tables.due(dts, leads_in and found is self._leader())
        return out + found.packets(pes.write(found.stream_id, *stamps, len(body)) + body, leads_in, clock)

    def _leader(self) -> "_Track":
        return self._tracks.get("video") or next(iter(self._tracks.values()))

    def _changed(self) -> None:
        streams = tuple(track.stream for track in self._tracks.values())
        self._tables.change(ProgramMap(PROGRAM, self._leader().stream.pid if streams else psi.NULL_PID, streams))

    def _clock_due(self, dts: int, key: bool) -> bool:
        if not key and self._clock_at is not None and 0 <= dts - self._clock_at < CLOCK_TICKS:
            return False
        self._clock_at = dts
        return True


class _Tables:
    """What is said again and again."""

    def __init__(self) -> None:
        self._sections: tuple[tuple[int, bytes], ...] = ()
        self._continuity = {psi.PAT_PID: 0, MAP_PID: 0}
        self._version = -1
        self._at: int | None = None  # ticks

    def change(self, table: ProgramMap) -> None:
        self._version = self._version + 1 & 31
        pat, pmt = psi.write_pat([(PROGRAM, MAP_PID)]), psi.write_pmt(table, self._version)
        self._sections = ((psi.PAT_PID, pat), (MAP_PID, pmt))
        self._at = None

    def due(self, dts: int, now: bool) -> bytes:
        """Their packets, where it is time; `now`: a reader may begin here."""
        if not now and self._at is not None and 0 <= dts - self._at < TABLES_TICKS:
            return b""
        self._at = dts
        return b"".join(self._packets(pid, section) for pid, section in self._sections)

    def _packets(self, pid: int, section: bytes) -> bytes:
        data, out = b"\0" + section, b""  # a pointer_field of 0
        for at in range(0, len(data), PAYLOAD):
            start = 0x4000 if at == 0 else 0
            head = bytes((SYNC,)) + (start | pid).to_bytes(2, "big") + bytes((0x10 | self._continuity[pid],))
            out += head + data[at : at + PAYLOAD].ljust(PAYLOAD, b"\xff")
            self._continuity[pid] = self._continuity[pid] + 1 & 15
        return out


@dataclass(slots=True)
class _Track:
    stream: ElementaryStream
    config: TrackConfig
    wrap: Wrap
    continuity: int = 0

    @property
    def stream_id(self) -> int:
        if self.config.kind == "video":
            return pes.VIDEO_ID
        return pes.AUDIO_ID if self.stream.codec == "aac" else pes.PRIVATE_ID

    def packets(self, data: bytes, random_access: bool, clock: int | None) -> bytes:
        """One PES packet. The first packet says whether one may begin here, and the clock; the last one is stuffed."""
        out: list[bytes] = []
        at, size = 0, len(data)
        if random_access or clock is not None:
            fields = _fields(random_access, clock)
            at = min(size, PAYLOAD - 1 - len(fields))
            out.append(self._stuffed(0x4000, data[:at], fields))
        start = 0 if at else 0x4000
        while size - at >= PAYLOAD:
            out += (self._head(start, 0x10), data[at : at + PAYLOAD])
            at, start = at + PAYLOAD, 0
        if at < size:
            out.append(self._stuffed(start, data[at:], b""))
        return b"".join(out)

    def _head(self, start: int, control: int) -> bytes:
        head = (SYNC << 24 | (start | self.stream.pid) << 8 | control | self.continuity).to_bytes(4, "big")
        self.continuity = self.continuity + 1 & 15
        return head

    def _stuffed(self, start: int, payload: bytes, fields: bytes) -> bytes:
        """A packet with an adaptation field (2.4.3.4), which fills what the payload leaves."""
        room = PAYLOAD - 1 - len(payload)
        if not room:
            return self._head(start, 0x30) + b"\0" + payload
        return self._head(start, 0x30) + bytes((room,)) + (fields or b"\0").ljust(room, b"\xff") + payload


def _fields(random_access: bool, clock: int | None) -> bytes:
    flags = 0x40 if random_access else 0
    if clock is None:
        return bytes((flags,))
    return bytes((flags | 0x10,)) + (clock << 15 | 0x7E00).to_bytes(6, "big")  # reserved bits set, extension 0


# --- codecs


def _codec(config: TrackConfig) -> str:
    """libav's name of what the track carries. Raises TsError."""
    four = config.codec.partition(".")[0]
    known = VIDEO_CODECS if isinstance(config, VideoConfig) else AUDIO_CODECS
    if four not in known:
        raise TsError(f"{config.codec} has no place in MPEG-TS")
    return known[four]


def _wrap_pictures(codec: str, config: VideoConfig) -> Wrap:
    sets = annexb.byte_stream(_parameter_sets(codec, config))
    delimiter = DELIMITERS[codec]

    def wrap(sample: Sample) -> bytes:
        try:
            units = annexb.byte_stream(avc.nal_units(sample.data))
        except AvcError:
            return b""  # a picture that can't be read is not passed on
        return delimiter + (sets if sample.key else b"") + units

    return wrap


def _parameter_sets(codec: str, config: VideoConfig) -> tuple[bytes, ...]:
    kind = b"avcC" if codec == "h264" else b"hvcC"
    try:
        box = find(config.sample_entry, kind, start=PICTURE_CHILDREN)
        if box is None:
            raise TsError(f"{config.codec} without {kind.decode()}")
        record = config.sample_entry[box.start : box.end]
        if codec == "hevc":
            return HevcDecoderConfiguration.parse(record).units
        parsed = AvcDecoderConfiguration.parse(record)
    except (BoxError, AvcError, HevcError) as error:
        raise TsError(str(error)) from None
    return parsed.sps + parsed.pps


def _wrap_sound(codec: str, config: AudioConfig) -> Wrap:
    if codec == "opus":
        return lambda sample: _opus_header(len(sample.data)) + sample.data
    if codec != "aac":
        return lambda sample: bytes(sample.data)
    try:
        core = AudioSpecificConfig.parse(asc_of(config.sample_entry))
        adts.write_header(core, 0)
    except AacError as error:
        raise TsError(str(error)) from None
    return lambda sample: _with_adts(core, sample)


def _with_adts(core: AudioSpecificConfig, sample: Sample) -> bytes:
    try:
        return adts.write_header(core, len(sample.data)) + sample.data
    except AacError:
        return b""  # longer than ADTS can say


def _opus_header(size: int) -> bytes:
    """opus_control_header: its mark, no trimming, the size in steps of 255 (ETSI TS 103 491, Opus in MPEG-TS)."""
    return b"\x7f\xe0" + b"\xff" * (size // 255) + bytes((size % 255,))
