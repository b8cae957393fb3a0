"""AC-3 and E-AC-3: the header of a sync frame, the sample entries that carry them.

Source: ETSI TS 102 366: 4.3 and 4.4 (AC-3 syncinfo, BSI), E.1.2 (E-AC-3 BSI), F.4 (dac3), F.6 (dec3).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from server.formats.bits import BitReader, BitsError
from server.formats.fmp4.box import audio_sample_entry, box
from server.formats.sample import AudioConfig

SYNC = b"\x0b\x77"
RATES = (48_000, 44_100, 32_000)
REDUCED_RATES = (24_000, 22_050, 16_000)  # E-AC-3 only
# Kilobits a second by frmsizecod // 2 (table 4.13).
BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)  # full-range channels by acmod (table 4.3)
BLOCKS = (1, 2, 3, 6)  # by numblkscod
BLOCK_SAMPLES = 256
FRAME_SAMPLES = 6 * BLOCK_SAMPLES  # of AC-3, and of a sample of E-AC-3 in MP4
AC3_BSID, EAC3_BSID = 8, 16  # the greatest bit stream identifications of each; 9 and 10 are Annex C variants
MIN_EAC3_BSID = 11
INDEPENDENT, DEPENDENT, CONVERTED = 0, 1, 2  # strmtyp
MAX_SYNC_FRAMES = 6 * 16  # in a packet: six of one block, of eight programs with dependents

# Loudspeaker locations of a dependent substream by its custom channel map (table E.1.4), as dec3's chan_loc
# numbers them (table F.6.1): the other locations are those of the independent substream.
_CHANNEL_LOCATIONS = ((5, 0), (6, 1), (7, 2), (8, 3), (9, 4), (10, 5), (11, 6), (12, 7), (14, 8))


class Ac3Error(ValueError):
    """The bytes are no AC-3 or E-AC-3 frame."""


@dataclass(frozen=True, slots=True)
class SyncFrame:
    """What the head of one sync frame says."""

    enhanced: bool  # E-AC-3
    rate: int  # hertz
    samples: int  # a channel: 1536 of AC-3, 256 to 1536 of E-AC-3
    size: int  # bytes of the whole frame
    channels: int  # with the low-frequency one
    fscod: int
    bsid: int
    bsmod: int  # 0 where it is not told
    acmod: int
    lfe: int
    bit_rate_code: int  # frmsizecod // 2, of AC-3
    stream_type: int = INDEPENDENT
    substream: int = 0
    channel_map: int = 0  # chanmap of a dependent substream

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "SyncFrame":
        """The frame that begins at the first byte of `data`; its body may be missing. Raises Ac3Error."""
        head = bytes(data[:32])
        if head[:2] != SYNC:
            raise Ac3Error("no sync word")
        if len(head) < 6:
            raise Ac3Error("a frame ends within its header")
        bsid = head[5] >> 3
        try:
            if bsid <= AC3_BSID + 2:
                return _read_ac3(BitReader(head[4:]))
            if MIN_EAC3_BSID <= bsid <= EAC3_BSID:
                return _read_eac3(BitReader(head[2:]))
        except BitsError:
            raise Ac3Error("a frame ends within its header") from None
        raise Ac3Error(f"bit stream identification {bsid}")


def _read_ac3(bits: BitReader) -> SyncFrame:
    fscod, size_code = bits.u(2), bits.u(6)
    if fscod == 3 or size_code >> 1 >= len(BIT_RATES):
        raise Ac3Error(f"sample rate code {fscod}, frame size code {size_code}")
    bsid, bsmod, acmod = bits.u(5), bits.u(3), bits.u(3)
    if acmod & 1 and acmod != 1:
        bits.skip(2)  # centre mix level
    if acmod & 4:
        bits.skip(2)  # surround mix level
    if acmod == 2:
        bits.skip(2)  # Dolby surround mode
    lfe, rate = bits.u(1), RATES[fscod] >> max(0, bsid - AC3_BSID)
    bits_a_second = BIT_RATES[size_code >> 1] * 1000
    words = bits_a_second * FRAME_SAMPLES // (RATES[fscod] * 16) + (size_code & 1 if fscod == 1 else 0)
    return SyncFrame(
        False, rate, FRAME_SAMPLES, 2 * words, CHANNELS[acmod] + lfe, fscod, bsid, bsmod, acmod, lfe, size_code >> 1
    )


def _read_eac3(bits: BitReader) -> SyncFrame:
    stream_type, substream, words = bits.u(2), bits.u(3), bits.u(11) + 1
    fscod = bits.u(2)
    if fscod == 3:
        reduced = bits.u(2)
        if reduced == 3:
            raise Ac3Error("sample rate code 3, twice")
        rate, blocks = REDUCED_RATES[reduced], 6
    else:
        rate, blocks = RATES[fscod], BLOCKS[bits.u(2)]
    acmod, lfe, bsid = bits.u(3), bits.u(1), bits.u(5)
    for _ in range(1 if acmod else 2):  # dual mono says these twice
        bits.skip(5)  # dialogue normalisation
        if bits.flag():
            bits.skip(8)  # compression gain
    channel_map = bits.u(16) if stream_type == DEPENDENT and bits.flag() else 0
    samples, channels = blocks * BLOCK_SAMPLES, CHANNELS[acmod] + lfe
    return SyncFrame(
        True, rate, samples, 2 * words, channels, fscod, bsid, 0, acmod, lfe, 0, stream_type, substream, channel_map
    )


def sync_frames(packet: bytes | memoryview) -> Iterator[SyncFrame]:
    """The heads of the frames in a packet, which may be several of E-AC-3. Raises Ac3Error."""
    at = 0
    for _ in range(MAX_SYNC_FRAMES):
        if at >= len(packet):
            return
        frame = SyncFrame.parse(packet[at : at + 32])
        at += frame.size
        if at > len(packet):
            raise Ac3Error("a packet ends within a frame")
        yield frame
    raise Ac3Error(f"more than {MAX_SYNC_FRAMES} frames in a packet")


def audio_config(packet: bytes | memoryview) -> AudioConfig:
    """The track that this packet is of; there is no record apart from the frames. Raises Ac3Error."""
    frames = list(sync_frames(packet))
    if not frames:
        raise Ac3Error("an empty packet")
    first = frames[0]
    if not first.enhanced:
        if first.bsid > AC3_BSID:
            raise Ac3Error(f"AC-3 of half the sample rate (bit stream identification {first.bsid})")
        entry = audio_sample_entry(b"ac-3", first.channels, first.rate, box(b"dac3", dac3(first)))
        return AudioConfig("ac-3", first.rate, first.channels, FRAME_SAMPLES, entry)
    program = _program(frames)
    samples = sum(f.samples for f in frames if f.stream_type != DEPENDENT and f.substream == 0)
    channels = first.channels + sum(_added_channels(f) for f in program[1:])
    kilobits = sum(f.size for f in program) * 8 * first.rate // first.samples // 1000
    entry = audio_sample_entry(b"ec-3", channels, first.rate, box(b"dec3", dec3(program, kilobits)))
    return AudioConfig("ec-3", first.rate, channels, samples, entry)


def _program(frames: list[SyncFrame]) -> list[SyncFrame]:
    """The first independent substream's first frame and those of its dependents."""
    first, *rest = frames
    if first.stream_type == DEPENDENT:
        raise Ac3Error("a packet begins with a dependent substream")
    program = [first]
    for frame in rest:
        if frame.stream_type != DEPENDENT:
            break
        program.append(frame)
    return program


def dac3(frame: SyncFrame) -> bytes:
    """F.4: fscod 2, bsid 5, bsmod 3, acmod 3, lfeon 1, bit_rate_code 5, reserved 5."""
    value = frame.fscod << 5 | frame.bsid
    value = (value << 3 | frame.bsmod) << 3 | frame.acmod
    value = (value << 1 | frame.lfe) << 5 | frame.bit_rate_code
    return (value << 5).to_bytes(3, "big")


def dec3(program: list[SyncFrame], kilobits: int) -> bytes:
    """F.6, of one independent substream and its dependents.

    data_rate 13, num_ind_sub 3 | fscod 2, bsid 5, reserved 1, asvc 1, bsmod 3, acmod 3, lfeon 1, reserved 3,
    num_dep_sub 4, chan_loc 9 or reserved 1
    """
    first, dependents = program[0], program[1:]
    value = first.fscod << 5 | first.bsid
    value = (value << 5 | first.bsmod) << 3 | first.acmod
    value = (value << 4 | first.lfe << 3) << 4 | len(dependents)
    if dependents:
        value = value << 9 | _locations(dependents)
    else:
        value <<= 1
    size = 4 if dependents else 3
    return (min(kilobits, 0x1FFF) << 3).to_bytes(2, "big") + value.to_bytes(size, "big")


def _locations(dependents: list[SyncFrame]) -> int:
    found = 0
    for frame in dependents:
        for location, bit in _CHANNEL_LOCATIONS:
            if frame.channel_map >> 15 - location & 1:
                found |= 1 << bit
    return found


_PAIRS = frozenset((5, 6, 9, 10, 11, 13))  # locations of two loudspeakers


def _added_channels(frame: SyncFrame) -> int:
    """Channels that a dependent substream adds to the independent one's."""
    return sum(
        2 if location in _PAIRS else 1 for location in range(5, 16) if frame.channel_map >> 15 - location & 1
    )
