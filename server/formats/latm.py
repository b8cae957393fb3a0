"""LATM in LOAS: AAC frames multiplexed by bits, as MPEG-TS of stream type 0x11 carries them.

Source: ISO/IEC 14496-3 1.7.2 (LOAS), 1.7.3 (LATM). One program with one layer of AAC is read, which is what encoders
send.
"""

from dataclasses import dataclass

from server.formats.aac import AacError, AudioSpecificConfig, read_embedded
from server.formats.bits import BitReader, BitsError

SYNC = 0x2B7  # eleven bits
HEADER = 3  # bytes: sync word and audioMuxLengthBytes
MAX_OTHER_BYTES = 255  # of otherDataLenBits' escapes: a loop over a peer's bits ends


class LatmError(ValueError):
    """The bytes are no LATM, or of a kind that is not read."""


@dataclass(frozen=True, slots=True)
class _Mux:
    """StreamMuxConfig, what of it is needed."""

    asc: bytes
    config: AudioSpecificConfig
    sub_frames: int


def element_size(data: bytes | memoryview) -> int:
    """Bytes of the LOAS frame at the first byte of `data`, of which three are needed. Raises LatmError."""
    if len(data) < HEADER or data[0] << 3 | data[1] >> 5 != SYNC:
        raise LatmError("no LOAS sync word")
    return HEADER + ((data[1] & 0x1F) << 8 | data[2])


class LatmReader:
    """Remembers the configuration, which not every frame carries."""

    def __init__(self) -> None:
        self._mux: _Mux | None = None

    @property
    def asc(self) -> bytes:
        """AudioSpecificConfig; empty before one came."""
        return self._mux.asc if self._mux else b""

    @property
    def config(self) -> AudioSpecificConfig | None:
        return self._mux.config if self._mux else None

    def frames(self, element: bytes) -> list[bytes]:
        """Raw AAC frames of one LOAS frame; none before a configuration. Raises LatmError."""
        bits = BitReader(element[HEADER:])
        try:
            if not bits.flag():  # useSameStreamMux
                self._mux = _read_mux(bits)
            if self._mux is None:
                return []
            return [_read_payload(bits) for _ in range(self._mux.sub_frames)]
        except (BitsError, AacError) as error:
            raise LatmError(f"LATM: {error}") from None


def _read_payload(bits: BitReader) -> bytes:
    """PayloadLengthInfo and PayloadMux of the one layer (1.7.3.1)."""
    size = 0
    while True:
        step = bits.u(8)
        size += step
        if step != 255:
            break
    return bits.u(8 * size).to_bytes(size, "big")


def _read_mux(bits: BitReader) -> _Mux:
    version = bits.u(1)
    if version and bits.u(1):
        raise LatmError("audioMuxVersionA 1")
    if version:
        _latm_value(bits)  # taraBufferFullness
    if not bits.flag():
        raise LatmError("streams of different framing")
    sub_frames, programs, layers = bits.u(6) + 1, bits.u(4) + 1, bits.u(3) + 1
    if (programs, layers) != (1, 1):
        raise LatmError(f"{programs} programs, {layers} layers")
    asc, config = _read_config(bits, version)
    if bits.u(3):
        raise LatmError("frames of fixed length")
    bits.skip(8)  # latmBufferFullness
    if bits.flag():
        _skip_other(bits, version)
    if bits.flag():
        bits.skip(8)  # crcCheckSum
    return _Mux(asc, config, sub_frames)


def _read_config(bits: BitReader, version: int) -> tuple[bytes, AudioSpecificConfig]:
    if not version:
        return read_embedded(bits)
    size = _latm_value(bits)
    whole, left = divmod(size, 8)
    asc = bits.u(8 * whole).to_bytes(whole, "big")
    if left:
        asc += bytes((bits.u(left) << 8 - left,))
    return asc, AudioSpecificConfig.parse(asc)


def _skip_other(bits: BitReader, version: int) -> None:
    """otherDataLenBits: of what follows the payloads, which nobody reads."""
    if version:
        _latm_value(bits)
        return
    for _ in range(MAX_OTHER_BYTES):
        more = bits.flag()
        bits.skip(8)
        if not more:
            return


def _latm_value(bits: BitReader) -> int:
    """1.7.3.2.3: the number of bytes in two bits, then those."""
    return bits.u(8 * (bits.u(2) + 1))
