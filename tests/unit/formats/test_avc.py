from contextlib import suppress
from fractions import Fraction
from io import BytesIO

import av
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.avc import (
    HIGH_PROFILES,
    AvcDecoderConfiguration,
    AvcError,
    SequenceParameterSet,
    four_byte_lengths,
    has_idr,
    nal_units,
    video_config,
)
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import video_part
from tests.unit.formats.bit_writer import BitWriter, escaped
from tests.unit.formats.encoded import TICKS, Encoded, h264

SPS_320X180 = bytes.fromhex("674d400deca0a0cfcf08000003000800000301e078a14cb0")
PPS = bytes.fromhex("68ce0fc8")


def avcc(sps: tuple[bytes, ...] = (SPS_320X180,), pps: tuple[bytes, ...] = (PPS,), length_size: int = 4) -> bytes:
    def sets(units: tuple[bytes, ...]) -> bytes:
        return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)

    head = bytes((1, *sps[0][1:4], 0xFC | length_size - 1, 0xE0 | len(sps)))
    return head + sets(sps) + bytes((len(pps),)) + sets(pps)


# --- the record


def test_parses_the_record() -> None:
    record = AvcDecoderConfiguration.parse(avcc(length_size=2) + b"\xfd\xf8\xf8\0")
    assert record == AvcDecoderConfiguration(77, 64, 13, 2, (SPS_320X180,), (PPS,))
    assert record.codec == "avc1.4d400d"


def test_several_parameter_sets_are_kept() -> None:
    record = AvcDecoderConfiguration.parse(avcc((SPS_320X180, SPS_320X180), (PPS, PPS, PPS)))
    assert (len(record.sps), len(record.pps)) == (2, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "avcC of 0 bytes"),
        (b"\0" + avcc()[1:], "avcC version 0, not 1"),
        (b"\0\0\0\x01" + SPS_320X180, "avcC version 0, not 1"),  # Annex B in its place
        (avcc(length_size=3), "avcC with NAL unit lengths of 3 bytes"),
        (bytes.fromhex("014d400dffe00100"), "avcC without SPS"),
        (avcc(pps=()), "avcC without PPS"),
        (avcc()[:20], "avcC ends within its SPS"),
        (avcc()[:-1], "avcC ends within its PPS"),
        (avcc(pps=(b"",)), "avcC ends within its PPS"),
        (avcc()[: 8 + len(SPS_320X180)], "avcC ends before its picture parameter sets"),
        (avcc(pps=(SPS_320X180,)), "avcC holds NAL unit type 7 in place of a PPS"),
    ],
)
def test_a_broken_record_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(AvcError) as caught:
        AvcDecoderConfiguration.parse(data)
    assert str(caught.value) == message


@given(st.binary(max_size=80))
@example(avcc())
def test_any_bytes_parse_or_raise_avc_error(data: bytes) -> None:
    with suppress(AvcError):
        video_config(data)


@given(st.integers(0, len(avcc()) - 1), st.integers(0, 255))
def test_a_damaged_record_parses_or_raises_avc_error(at: int, byte: int) -> None:
    damaged = bytearray(avcc())
    damaged[at] = byte
    try:
        config = video_config(damaged)
    except AvcError:
        return
    assert 0 < config.width <= 16880
    assert 0 < config.height <= 2 * 16880


# --- the SPS


@pytest.mark.parametrize(
    ("width", "height", "x264", "pixels"),
    [
        (128, 96, "bframes=0", "yuv420p"),
        (1920, 1080, "fps=30000/1001:force-cfr=1", "yuv420p"),
        (1280, 720, "sar=4/3", "yuv420p"),
        (720, 576, "sar=64/45:interlaced=1", "yuv420p"),
        (1920, 1080, "interlaced=1", "yuv420p"),
        (130, 98, "cqm=jvt", "yuv420p"),
        (640, 360, "cqm=jvt:bluray-compat=1:vbv-maxrate=1000:vbv-bufsize=1000:nal-hrd=vbr", "yuv420p"),
        (322, 182, "cqm=jvt", "yuv422p"),
        (321, 181, "cqm=jvt", "yuv444p"),
        (320, 180, "colorprim=bt709:transfer=bt709:colormatrix=bt709:fullrange=on:overscan=show", "yuv420p"),
        (320, 180, "chromaloc=2:videoformat=pal", "yuv420p"),
        (320, 180, "colorprim=bt2020:transfer=smpte2084", "yuv420p10le"),
    ],
)
def test_sizes_are_what_libavcodec_sees(width: int, height: int, x264: str, pixels: str) -> None:
    coded = h264(1, width, height, x264, pixels)
    config = video_config(coded.header)
    with av.open(BytesIO(one_picture(coded))) as container:
        stream = container.streams.video[0]
        seen = next(container.decode(stream))
        assert (config.width, config.height) == (width, height) == (seen.width, seen.height)
        assert Fraction(*config.sar) == (stream.codec_context.sample_aspect_ratio or 1)
    sps = SequenceParameterSet.parse(AvcDecoderConfiguration.parse(coded.header).sps[0])
    assert sps.frame_rate == (Fraction(30000, 1001) if "fps=" in x264 else 30)
    assert sps.interlaced == ("interlaced" in x264)


def one_picture(coded: Encoded) -> bytes:
    config = video_config(coded.header)
    return init_segment(config) + video_part(1, 0, [TICKS], [0], [True], [coded.samples[0].data])


@st.composite
def sequence_parameter_sets(draw: st.DrawFn) -> tuple[bytes, SequenceParameterSet]:
    """An SPS of any profile with what it says."""
    small, signed = st.integers(0, 300), st.integers(-200, 200)
    profile = draw(st.sampled_from([66, 77, 88, *sorted(HIGH_PROFILES)]))
    level, chroma, separate = draw(st.integers(0, 255)), 1, False
    bits = BitWriter().u(8, profile).u(8, 0).u(8, level).ue(draw(st.integers(0, 31)))
    if profile in HIGH_PROFILES:
        chroma = draw(st.integers(0, 3))
        bits.ue(chroma)
        if chroma == 3:
            separate = draw(st.booleans())
            bits.u(1, separate)
        bits.ue(draw(st.integers(0, 6))).ue(draw(st.integers(0, 6))).u(1, draw(st.booleans()))
        write_scaling_lists(draw, bits, chroma)
    bits.ue(draw(st.integers(0, 12)))
    order = draw(st.integers(0, 2))
    bits.ue(order)
    if order == 0:
        bits.ue(draw(st.integers(0, 12)))
    elif order == 1:
        offsets = draw(st.lists(signed, max_size=255))
        bits.u(1, 0).se(draw(signed)).se(draw(signed)).ue(len(offsets))
        for offset in offsets:
            bits.se(offset)
    bits.ue(draw(st.integers(0, 16))).u(1, draw(st.booleans()))
    columns, rows, progressive = draw(st.integers(40, 300)), draw(st.integers(40, 300)), draw(st.booleans())
    bits.ue(columns - 1).ue(rows - 1).u(1, progressive)
    if not progressive:
        bits.u(1, 1)
    bits.u(1, 1)
    width, height = columns * 16, rows * 16 * (1 if progressive else 2)
    crop = draw(st.none() | st.tuples(*[st.integers(0, 50)] * 4))
    bits.u(1, crop is not None)
    if crop:
        for edge in crop:
            bits.ue(edge)
        width -= (crop[0] + crop[1]) * (2 if chroma in (1, 2) and not separate else 1)
        height -= (crop[2] + crop[3]) * (2 if chroma == 1 else 1) * (1 if progressive else 2)
    sar, rate = write_vui(draw, bits, small)
    unit = b"\x67" + escaped(bits.u(1, 1).bytes())
    return unit, SequenceParameterSet(profile, level, width, height, sar, rate, not progressive)


def write_scaling_lists(draw: st.DrawFn, bits: BitWriter, chroma: int) -> None:
    present = draw(st.booleans())
    bits.u(1, present)
    for index in range((12 if chroma == 3 else 8) if present else 0):
        listed = draw(st.booleans())
        bits.u(1, listed)
        scale = 8
        for _ in range((16 if index < 6 else 64) if listed else 0):
            delta = draw(st.integers(-128, 127))
            bits.se(delta)
            scale = (scale + delta) % 256
            if not scale:
                break


def write_vui(
    draw: st.DrawFn, bits: BitWriter, small: st.SearchStrategy[int]
) -> tuple[tuple[int, int], Fraction | None]:
    sar, rate = (1, 1), None
    present = draw(st.booleans())
    bits.u(1, present)
    if not present:
        return sar, rate
    ratio = draw(st.none() | st.tuples(st.integers(1, 65535), st.integers(1, 65535)))
    bits.u(1, ratio is not None)
    if ratio:
        bits.u(8, 255).u(16, ratio[0]).u(16, ratio[1])
        sar = ratio
    for flag, width in ((draw(st.booleans()), 1), (draw(st.booleans()), 4)):
        bits.u(1, flag)
        if flag:
            bits.u(width, 0)
            if width == 4:
                described = draw(st.booleans())
                bits.u(1, described)
                if described:
                    bits.u(24, 0x010101)
    located = draw(st.booleans())
    bits.u(1, located)
    if located:
        bits.ue(draw(small)).ue(draw(small))
    timed = draw(st.none() | st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)))
    bits.u(1, timed is not None)
    if timed:
        bits.u(32, timed[0]).u(32, timed[1])
        rate = Fraction(timed[1], 2 * timed[0])
    return sar, rate


@given(sequence_parameter_sets())
def test_any_sps_reads_as_it_was_written(case: tuple[bytes, SequenceParameterSet]) -> None:
    unit, expected = case
    assert SequenceParameterSet.parse(unit) == expected


def hostile(fields: BitWriter) -> bytes:
    return b"\x67" + escaped(fields.u(1, 1).bytes())


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (b"", "not an SPS"),
        (PPS + bytes(8), "not an SPS"),
        (SPS_320X180[:6], "SPS: needs 5 bits, 4 are left"),
        (b"\x67\x42\0\x1f" + bytes(64), "SPS: Exp-Golomb code longer than 32 bits"),
        (hostile(BitWriter().u(24, 0x420028).ue(32)), "SPS id out of range"),
        (hostile(BitWriter().u(24, 0x640028).ue(0).ue(4)), "chroma format 4"),
        (hostile(BitWriter().u(24, 0x420028).ue(0).ue(0).ue(3)), "picture order count type 3"),
        (
            hostile(BitWriter().u(24, 0x420028).ue(0).ue(0).ue(1).u(1, 0).se(0).se(0).ue(1 << 31)),
            "picture order cycle of 2147483648 frames",
        ),
        (
            hostile(BitWriter().u(24, 0x420028).ue(0).ue(0).ue(2).ue(0).u(1, 0).ue(1055)),
            "picture side of 1056 macroblocks, more than 1055",
        ),
        (
            hostile(
                BitWriter().u(24, 0x420028).ue(0).ue(0).ue(2).ue(0).u(1, 0).ue(7).ue(7).u(3, 0b111).ue(32).ue(32)
                .ue(0).ue(0).u(1, 0)
            ),
            "SPS crops the whole picture away",
        ),
    ],
)  # fmt: skip
def test_a_hostile_sps_is_refused(unit: bytes, message: str) -> None:
    with pytest.raises(AvcError) as caught:
        SequenceParameterSet.parse(unit)
    assert str(caught.value) == message


@given(st.binary(max_size=300))
def test_any_sps_bytes_parse_or_raise_avc_error(data: bytes) -> None:
    with suppress(AvcError):
        SequenceParameterSet.parse(b"\x67" + data)


def test_an_unknown_aspect_ratio_is_square() -> None:
    for index, width, height in ((17, 0, 0), (0, 0, 0), (255, 0, 5)):
        bits = BitWriter().u(24, 0x420028).ue(0).ue(0).ue(2).ue(0).u(1, 0).ue(7).ue(7).u(2, 0b11).u(1, 0)
        bits.u(1, 1).u(1, 1).u(8, index)
        if index == 255:
            bits.u(16, width).u(16, height)
        assert SequenceParameterSet.parse(hostile(bits.u(4, 0))).sar == (1, 1)


# --- the track


def test_the_sample_entry_declares_four_byte_lengths() -> None:
    config = video_config(memoryview(avcc(length_size=2)), timescale=1000)
    assert (config.codec, config.timescale, config.width, config.height) == ("avc1.4d400d", 1000, 320, 180)
    assert avcc(length_size=4) in config.sample_entry
    assert config == video_config(avcc(), timescale=1000)


# --- access units


def unit(*nals: bytes, length_size: int = 4) -> bytes:
    return b"".join(len(nal).to_bytes(length_size, "big") + nal for nal in nals)


@pytest.mark.parametrize("length_size", [1, 2, 4])
@given(nals=st.lists(st.binary(min_size=1, max_size=60), max_size=6))
def test_lengths_are_rewritten(length_size: int, nals: list[bytes]) -> None:
    short = unit(*nals, length_size=length_size)
    assert [bytes(nal) for nal in nal_units(short, length_size)] == nals
    assert four_byte_lengths(short, length_size) == unit(*nals)


def test_four_byte_lengths_are_left_alone() -> None:
    data = memoryview(unit(b"\x65abc"))
    assert four_byte_lengths(data, 4) is data


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0", unit(b"\x65abc")[:-1], unit(b"\x09\xf0") + b"\0\0\1"])
def test_a_cut_off_unit_is_refused(data: bytes) -> None:
    with pytest.raises(AvcError, match="access unit ends within a NAL unit"):
        list(nal_units(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (unit(b"\x09\xf0", SPS_320X180, PPS, b"\x06\1", b"\x65\x88"), True),
        (unit(b"\x09\xf0", b"\x41\x9a"), False),
        (unit(b"\x06\1", b"\x01\x9a"), False),  # a B picture
        (unit(b"\x41\x9a", b"\x65\x88"), False),  # the first slice decides
        (unit(b"", b"\x65\x88"), True),
        (unit(b"\x09\xf0"), False),
        (unit(b"\x09\xf0") + b"\0\0\1\0\x65", False),
        (b"", False),
        (b"\0\0", False),
    ],
)
def test_idr(data: bytes, expected: bool) -> None:
    assert has_idr(data) is expected


def test_idr_agrees_with_the_encoder() -> None:
    samples = h264().samples
    assert [has_idr(sample.data) for sample in samples] == [sample.key for sample in samples]
    assert sum(sample.key for sample in samples) == 3


@given(st.binary(max_size=64), st.sampled_from([1, 2, 4]))
def test_idr_never_raises(data: bytes, length_size: int) -> None:
    assert has_idr(data, length_size) in (True, False)
