"""Sound out of MPEG-TS: from PES payloads to frames, each with its time.

A payload holds some frames, and the last one may go on in the next payload. The time of a payload is that of the first
frame that begins in it (ISO/IEC 13818-1 2.4.3.7).
"""

from typing import NamedTuple, Protocol

from server.formats import aac, ac3, adts, latm, opus
from server.formats.aac import AacError
from server.formats.ac3 import Ac3Error, SyncFrame
from server.formats.latm import LatmReader
from server.formats.mpeg_audio import FrameHeader, MpegAudioError
from server.formats.mpegts import CLOCK
from server.formats.mpegts.demuxer import Unit
from server.formats.opus import OpusError, OpusHead
from server.formats.sample import AudioConfig

MAX_REST = 1 << 16  # bytes kept of a frame that goes on: longer than any frame
MAX_TRIES = 32  # places in one payload that are tried after rubbish: looking on would cost more than it finds
NEEDED = 16  # bytes from which every header here can be read

# Opus with more than two channels (RFC 7845 5.1.1.2): streams, coupled ones, and the order of channels by their number.
_SURROUND = {
    3: (2, 1, (0, 2, 1)), 4: (2, 2, (0, 1, 2, 3)), 5: (3, 2, (0, 4, 1, 2, 3)), 6: (4, 2, (0, 4, 1, 2, 3, 5)),
    7: (4, 3, (0, 4, 1, 2, 3, 5, 6)), 8: (5, 3, (0, 6, 1, 2, 3, 4, 5, 7)),
}  # fmt: skip


class Frame(NamedTuple):
    """What begins at one place of a payload."""

    size: int  # bytes of all of it
    samples: int  # how long it lasts …
    rate: int  # … in hertz
    packets: tuple[bytes, ...]  # raw frames in it, of equal length


class Sound(NamedTuple):
    timestamp: int  # 90 kHz, 33 bits
    data: bytes


class Codec(Protocol):
    """How frames of one codec are found. `frame` and `config` raise ValueError."""

    sync: bytes  # what every frame begins with, to look for after rubbish

    def frame(self, data: bytes, at: int) -> Frame | None:
        """The frame at `at`; None for one that is not all there."""
        ...

    def config(self) -> AudioConfig | None:
        """Of the frame read last."""
        ...


class Framer:
    """Frames of one track."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.broken = 0  # payloads with rubbish in them
        self._rest = b""
        self._stamp: int | None = None  # when the time was last told, and what has come since
        self._since = 0  # samples

    def read(self, unit: Unit) -> list[Sound]:
        """Whole frames, as far as their time is known."""
        if unit.damaged:
            self._rest = b""
        carried, data = len(self._rest), self._rest + unit.data
        at, sounds, told, tries = 0, list[Sound](), False, 0
        while at < len(data):
            if not told and at >= carried:
                told = True
                self._tell(unit.pts)
            try:
                frame = self.codec.frame(data, at)
            except ValueError:
                tries += 1
                at = self._next(data, at + 1) if tries < MAX_TRIES else len(data)
                continue
            if frame is None:
                break
            at += frame.size
            sounds += self._sounds(frame)
        self.broken += tries > 0
        self._rest = data[at:] if len(data) - at <= MAX_REST else b""
        return sounds

    def _tell(self, pts: int | None) -> None:
        if pts is not None:
            self._stamp, self._since = pts, 0

    def _next(self, data: bytes, at: int) -> int:
        found = data.find(self.codec.sync, at) if self.codec.sync else -1
        return len(data) if found < 0 else found

    def _sounds(self, frame: Frame) -> list[Sound]:
        if self._stamp is None or not frame.packets:
            return []
        found = []
        for packet in frame.packets:
            found.append(Sound(self._stamp + self._since * CLOCK // frame.rate & (1 << 33) - 1, packet))
            self._since += frame.samples // len(frame.packets)
        return found


class AdtsCodec:
    sync = b"\xff"

    def __init__(self) -> None:
        self._shape = b""
        self._header: adts.AdtsHeader | None = None
        self._config: AudioConfig | None = None

    def frame(self, data: bytes, at: int) -> Frame | None:
        """Raises AacError."""
        if len(data) - at < adts.HEADER:
            return None
        header = adts.AdtsHeader.parse(data[at : at + adts.HEADER])
        end = at + header.size
        if end > len(data):
            return None
        if end < len(data) and data[end] != 0xFF:
            raise AacError("no frame follows: this was none")
        self._header = header
        packets = (data[at + header.header : end],) if header.size > header.header else ()
        return Frame(header.size, adts.FRAME_SAMPLES, header.rate, packets)

    def config(self) -> AudioConfig | None:
        """Raises AacError."""
        if self._header is not None and self._header.asc != self._shape:
            self._shape = self._header.asc
            self._config = None
            self._config = aac.audio_config(self._shape)
        return self._config


class LatmCodec:
    sync = b"\x56"

    def __init__(self) -> None:
        self._reader = LatmReader()
        self._asc = b""
        self._config: AudioConfig | None = None

    def frame(self, data: bytes, at: int) -> Frame | None:
        """Raises LatmError."""
        if len(data) - at < latm.HEADER:
            return None
        size = latm.element_size(data[at : at + latm.HEADER])
        if at + size > len(data):
            return None
        packets = tuple(self._reader.frames(data[at : at + size]))
        core = self._reader.config
        if core is None:
            return Frame(size, 0, CLOCK, ())
        return Frame(size, core.frame_length * len(packets), core.rate, packets)

    def config(self) -> AudioConfig | None:
        """Raises AacError."""
        if self._reader.asc != self._asc:
            self._asc = self._reader.asc
            self._config = None
            self._config = aac.audio_config(self._asc)
        return self._config


class OpusCodec:
    sync = b"\x7f"

    def __init__(self, channel_config: int) -> None:
        self._head = _opus_head(channel_config)
        self._samples = 0
        self._config: AudioConfig | None = None

    def frame(self, data: bytes, at: int) -> Frame | None:
        """A control header and its packet. Raises OpusError."""
        if len(data) - at < 3:
            return None
        if data[at] != 0x7F or data[at + 1] & 0xE0 != 0xE0:
            raise OpusError("no Opus control header")
        flags, body, size = data[at + 1], at + 2, 0
        while body < len(data):
            size += data[body]
            body += 1
            if data[body - 1] != 255:
                break
        body += 2 * bool(flags & 0x10) + 2 * bool(flags & 0x08)
        if flags & 0x04 and body < len(data):
            body += 1 + data[body]
        if body + size > len(data):
            return None
        packet = data[body : body + size]
        samples = opus.packet_samples(packet)
        if samples != self._samples:
            self._samples, self._config = samples, opus.track(self._head, samples)
        return Frame(body + size - at, samples, opus.RATE, (packet,))

    def config(self) -> AudioConfig | None:
        return self._config


def _opus_head(channel_config: int) -> OpusHead:
    """Of channel_config_code: 1 and 2 are mono and stereo, more are as in Vorbis; 0 is two of mono, taken as stereo."""
    if channel_config not in _SURROUND:
        return OpusHead.of(1 if channel_config == 1 else 2)
    streams, coupled, order = _SURROUND[channel_config]
    return OpusHead(channel_config, 0, opus.RATE, 0, bytes((1, streams, coupled, *order)))


class Ac3Codec:
    """AC-3 and E-AC-3. A packet of the latter is six blocks of all substreams (ISO/IEC 14496-12 F.5 of its group)."""

    sync = b"\x0b\x77"

    def __init__(self) -> None:
        self._shape = b""
        self._packet = b""
        self._config: AudioConfig | None = None

    def frame(self, data: bytes, at: int) -> Frame | None:
        """Raises Ac3Error."""
        end, samples, rate = at, 0, 0
        while end < len(data):
            if len(data) - end < NEEDED:
                return None
            head = SyncFrame.parse(data[end : end + 32])
            leads = head.stream_type != ac3.DEPENDENT and head.substream == 0
            if end > at and leads and samples >= ac3.FRAME_SAMPLES:
                break
            if end == at and not leads:
                raise Ac3Error("a packet begins with a dependent substream")
            samples += head.samples if leads else 0
            rate = head.rate
            end += head.size
            if not head.enhanced:
                break
        if end > len(data) or samples < ac3.FRAME_SAMPLES:
            return None
        self._packet = data[at:end]
        return Frame(end - at, samples, rate, (self._packet,))

    def config(self) -> AudioConfig | None:
        """Raises Ac3Error."""
        shape = self._packet[2:7]
        if self._packet and shape != self._shape:
            self._shape = shape
            self._config = ac3.audio_config(self._packet)
        return self._config


class MpegAudioCodec:
    """MP1, MP2 and MP3, which browsers do not play in MP4: somebody else makes AAC of the frames."""

    sync = b"\xff"

    def frame(self, data: bytes, at: int) -> Frame | None:
        """Raises MpegAudioError."""
        if len(data) - at < 4:
            return None
        header = FrameHeader.parse(data[at : at + 4])
        if header.size < 4:
            raise MpegAudioError("a frame that makes no sense")
        end = at + header.size
        if end > len(data):
            return None
        return Frame(header.size, header.samples, header.rate, (data[at:end],))

    def config(self) -> AudioConfig | None:
        return None

