from contextlib import suppress
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats import annexb
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import video_part
from server.formats.hevc import (
    NAL_DELIMITER,
    HevcDecoderConfiguration,
    HevcError,
    has_irap,
    is_irap,
    nal_type,
    parameter_sets_config,
    video_config,
)
from server.formats.hevc_sps import NAL_SPS, ProfileTierLevel, SequenceParameterSet
from tests.unit.formats.bit_writer import BitWriter, escaped
from tests.unit.formats.encoded import TICKS, Coded, child, decode, file, packets, sample_entry

QUIET = "log-level=none:keyint=6"


def x265(parameters: str = "", **more: object) -> Coded:
    options = (("preset", "ultrafast"), ("x265-params", f"{QUIET}:{parameters}"), ("forced-idr", "1"))
    return Coded("libx265", options, **more)  # type: ignore[arg-type]


@cache
def hvcc() -> bytes:
    """As libav writes it."""
    return child(sample_entry(file("mp4", x265())), b"hvcC")


# --- the record


def test_the_record_that_libav_wrote_reads_and_is_written_again_but_for_the_advertisement() -> None:
    record = HevcDecoderConfiguration.parse(hvcc())
    assert [nal_type(unit) for unit in record.units] == [32, 33, 34]
    assert (record.chroma_format, record.bit_depth, record.chroma_bit_depth) == (1, 8, 8)
    assert (record.length_size, record.sub_layers, record.nested) == (4, 1, True)
    assert record.codec == "hvc1.1.6.L30.90"
    written = record.write()
    assert written[:22] == hvcc()[:22]
    assert HevcDecoderConfiguration.parse(written) == record


def test_the_record_of_a_raw_stream_is_that_of_the_file() -> None:
    stream = packets(file("hevc", x265()))
    units = annexb.nal_units(stream[0][0])
    assert HevcDecoderConfiguration.of(units) == HevcDecoderConfiguration.parse(hvcc())
    assert parameter_sets_config(units) == video_config(hvcc())


def _record(*arrays: tuple[int, list[bytes]], length_size: int = 4) -> bytes:
    body = b"".join(
        bytes((kind,)) + len(units).to_bytes(2, "big") + b"".join(len(u).to_bytes(2, "big") + u for u in units)
        for kind, units in arrays
    )
    return hvcc()[:21] + bytes((0xC | length_size - 1, len(arrays))) + body


VPS, SPS, PPS = b"\x40\x01vps", b"\x42\x01sps", b"\x44\x01pps"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "hvcC of 0 bytes"),
        (b"\0" * 23, "hvcC version 0, not 1"),
        (_record(length_size=3), "hvcC with NAL unit lengths of 3 bytes"),
        (_record(), "hvcC without VPS and SPS and PPS"),
        (_record((32, [VPS]), (33, [SPS]), (34, [])), "hvcC without PPS"),
        (_record((32, [SPS])), "hvcC holds NAL unit type 33 in the array of type 32"),
        (_record((32, [VPS]), (33, [SPS]))[:-1], "hvcC ends within a NAL unit"),
        (_record((32, [b"\x40"])), "hvcC ends within a NAL unit"),
        (_record((32, [VPS]), (33, [SPS]))[:-12], "hvcC ends within a NAL unit"),
        (_record((32, [VPS]))[:22] + b"\x02" + _record((32, [VPS]))[23:], "hvcC ends before its arrays"),
        (hvcc()[:22] + b"\xff", "hvcC with 255 arrays, more than 16"),
    ],
)
def test_a_broken_record_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(HevcError) as caught:
        video_config(data)
    assert str(caught.value) == message


def test_a_stream_without_parameter_sets_is_named() -> None:
    with pytest.raises(HevcError, match="stream without VPS and PPS"):
        parameter_sets_config([SPS, b"", b"\x26\x01slice"])


@given(st.binary(max_size=120))
@example(hvcc())
def test_any_bytes_parse_or_raise_hevc_error(data: bytes) -> None:
    with suppress(HevcError):
        video_config(data)
    with suppress(HevcError):
        parameter_sets_config(annexb.nal_units(data))
    has_irap(data)


@given(st.integers(0, 140), st.integers(0, 255))
def test_a_damaged_record_parses_or_raises_hevc_error(at: int, byte: int) -> None:
    damaged = bytearray(hvcc())
    damaged[at] = byte
    try:
        config = video_config(damaged)
    except HevcError:
        return
    assert 0 < config.width <= 16_888
    assert 0 < config.height <= 16_888


# --- what libav sees in the same stream


@pytest.mark.parametrize(
    ("track", "codec"),
    [
        (x265(), "hvc1.1.6.L30.90"),
        (x265("bframes=3:b-pyramid=1:ref=4", width=322, height=182), "hvc1.1.6.L60.90"),
        (x265("temporal-layers=3:bframes=4", width=640, height=360), "hvc1.1.6.L63.90"),
        (x265("scaling-list=default:hrd=1:vbv-maxrate=500:vbv-bufsize=500"), "hvc1.1.6.L60.90"),
        (x265("sar=4:overscan=show:colorprim=bt709:chromaloc=1:range=full"), "hvc1.1.6.L30.90"),
        (x265("high-tier=1:level-idc=40:vbv-maxrate=20000:vbv-bufsize=20000"), "hvc1.1.6.H120.90"),
        (x265(format="yuv420p10le"), "hvc1.2.4.L30.90"),
        (x265(format="yuv422p", width=130, height=98), "hvc1.4.10.L30.9D.8"),
        (x265(format="yuv444p", width=131, height=97), "hvc1.4.10.L30.9E.8"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.options[1][1][24:]} {value.format}",
)
def test_sizes_and_decoding_are_those_of_libav(track: Coded, codec: str) -> None:
    mp4 = file("mp4", track)
    config = video_config(child(sample_entry(mp4), b"hvcC"))
    assert config.codec.startswith(codec)
    (data, _), *_ = packets(mp4)
    ours = init_segment(config) + video_part(1, 0, [TICKS], [0], [True], [data])
    (seen,) = decode(ours)
    assert (config.width, config.height) == (track.width, track.height) == (seen.width, seen.height)
    expected = (16, 11) if "sar=4" in track.options[1][1] else (1, 1)
    assert config.sar == expected
    sps = SequenceParameterSet.parse(HevcDecoderConfiguration.parse(child(config.sample_entry, b"hvcC")).sps)
    assert sps.frame_rate == Fraction(30)


def test_pictures_to_begin_with_are_those_that_libav_marks() -> None:
    mp4 = packets(file("mp4", x265("bframes=2")))
    assert [has_irap(data) for data, _ in mp4] == [key for _, key in mp4]
    assert sum(key for _, key in mp4) >= 2
    raw = packets(file("hevc", x265("bframes=2:repeat-headers=1:aud=1")))
    units = annexb.nal_units(raw[0][0])
    assert nal_type(units[0]) == NAL_DELIMITER
    assert is_irap(units)


@pytest.mark.parametrize(("kind", "key"), [(15, False), (16, True), (19, True), (21, True), (23, True), (31, False)])
def test_the_first_slice_decides(kind: int, key: bool) -> None:
    assert is_irap([b"\x46\x01", b"", bytes((kind << 1, 1)), b"\x26\x01"]) is key
    assert not is_irap([b"\x46\x01"])
    assert not has_irap(b"\0\0\0\x09\x26\x01")


# --- the SPS


@st.composite
def sequence_parameter_sets(draw: st.DrawFn) -> tuple[bytes, SequenceParameterSet]:
    """An SPS with what it says."""
    small, flag = st.integers(0, 60), st.booleans()
    layers, nested = draw(st.integers(0, 6)), draw(flag)
    ptl = ProfileTierLevel(
        draw(st.integers(0, 3)), draw(st.integers(0, 1)), draw(st.integers(0, 31)), draw(st.integers(0, 2**32 - 1)),
        draw(st.binary(min_size=6, max_size=6)), draw(st.integers(0, 255)),
    )  # fmt: skip
    bits = BitWriter().u(4, 0).u(3, layers).u(1, nested)
    for byte in ptl.write():
        bits.u(8, byte)
    write_sub_layers(draw, bits, layers)
    chroma, separate = draw(st.integers(0, 3)), draw(flag)
    bits.ue(draw(st.integers(0, 15))).ue(chroma)
    if chroma == 3:
        bits.u(1, separate)
    width, height = draw(st.integers(500, 16_888)), draw(st.integers(500, 16_888))
    bits.ue(width).ue(height)
    window = draw(st.none() | st.tuples(*[st.integers(0, 50)] * 4))
    bits.u(1, window is not None)
    if window:
        for edge in window:
            bits.ue(edge)
        width -= (window[0] + window[1]) * (2 if chroma in (1, 2) else 1)
        height -= (window[2] + window[3]) * (2 if chroma == 1 else 1)
    luma, chroma_depth, poc = draw(st.integers(8, 15)), draw(st.integers(8, 15)), draw(st.integers(4, 16))
    bits.ue(luma - 8).ue(chroma_depth - 8).ue(poc - 4)
    ordered = draw(flag)
    bits.u(1, ordered)
    for _ in range(3 * (layers + 1 if ordered else 1) + 6):
        bits.ue(draw(small))
    write_scaling_lists(draw, bits)
    bits.u(2, 0)
    pcm = draw(flag)
    bits.u(1, pcm)
    if pcm:
        bits.u(8, 0x55).ue(0).ue(2).u(1, 1)
    write_reference_sets(draw, bits)
    long_term = draw(st.none() | st.integers(0, 32))
    bits.u(1, long_term is not None)
    if long_term is not None:
        bits.ue(long_term)
        for _ in range(long_term):
            bits.u(poc, 1).u(1, 0)
    bits.u(2, 1)
    sar, rate = write_vui(draw, bits)
    unit = b"\x42\x01" + escaped(bits.u(1, 1).bytes())
    return unit, SequenceParameterSet(
        ptl, layers + 1, nested, chroma, luma, chroma_depth, width, height, sar, rate
    )


def write_sub_layers(draw: st.DrawFn, bits: BitWriter, layers: int) -> None:
    present = [(draw(st.booleans()), draw(st.booleans())) for _ in range(layers)]
    for profile, level in present:
        bits.u(1, profile).u(1, level)
    if layers:
        bits.u(2 * (8 - layers), 0)
    for profile, level in present:
        bits.u(88 if profile else 0, 1).u(8 if level else 0, 1)


def write_scaling_lists(draw: st.DrawFn, bits: BitWriter) -> None:
    enabled, present = draw(st.booleans()), draw(st.booleans())
    bits.u(1, enabled)
    if enabled:
        bits.u(1, present)
    for size in range(4) if enabled and present else ():
        for _ in range(2 if size == 3 else 6):
            coded = draw(st.booleans())
            bits.u(1, coded)
            if not coded:
                bits.ue(1)
                continue
            for _ in range(min(64, 1 << (4 + (size << 1))) + (1 if size > 1 else 0)):
                bits.se(-1)


def write_reference_sets(draw: st.DrawFn, bits: BitWriter) -> None:
    sets, pictures = draw(st.integers(0, 6)), 0
    bits.ue(sets)
    for index in range(sets):
        predicted = index > 0 and draw(st.booleans())
        if index:
            bits.u(1, predicted)
        if predicted:
            bits.u(1, 0).ue(3)
            kept = 0
            for _ in range(pictures + 1):
                used = draw(st.booleans())
                delta = used or (kept < 15 and draw(st.booleans()))
                bits.u(1, used)
                if not used:
                    bits.u(1, delta)
                kept += delta
            pictures = kept
            continue
        negative, positive = draw(st.integers(0, 4)), draw(st.integers(0, 4))
        bits.ue(negative).ue(positive)
        for _ in range(negative + positive):
            bits.ue(2).u(1, 1)
        pictures = negative + positive


def write_vui(draw: st.DrawFn, bits: BitWriter) -> tuple[tuple[int, int], Fraction | None]:
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
    overscan, video, colour, located, window = (draw(st.booleans()) for _ in range(5))
    bits.u(1, overscan).u(1 if overscan else 0, 1).u(1, video)
    if video:
        bits.u(4, 5).u(1, colour).u(24 if colour else 0, 0x010203)
    bits.u(1, located)
    if located:
        bits.ue(1).ue(2)
    bits.u(3, 0).u(1, window)
    if window:
        bits.ue(1).ue(2).ue(3).ue(4)
    timed = draw(st.none() | st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)))
    bits.u(1, timed is not None)
    if timed:
        bits.u(32, timed[0]).u(32, timed[1])
        rate = Fraction(timed[1], timed[0])
    return sar, rate


@given(sequence_parameter_sets())
def test_any_sps_reads_as_it_was_written(case: tuple[bytes, SequenceParameterSet]) -> None:
    unit, expected = case
    assert nal_type(unit) == NAL_SPS
    assert SequenceParameterSet.parse(unit) == expected


def _sps(fields: BitWriter) -> bytes:
    return b"\x42\x01" + escaped(fields.u(1, 1).bytes())


def _head(layers: int = 0) -> BitWriter:
    return BitWriter().u(4, 0).u(3, layers).u(1, 0).u(96, 0)


def _sized() -> BitWriter:
    return _head().ue(0).ue(1).ue(640).ue(360).u(1, 0).ue(0).ue(0)


def _tools() -> BitWriter:
    bits = _sized().ue(0).u(1, 0)
    for _ in range(9):
        bits.ue(0)
    return bits.u(1, 0).u(2, 0).u(1, 0)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (b"", "not an SPS"),
        (PPS + bytes(9), "not an SPS"),
        (SPS, "SPS: needs 32 bits, 8 are left"),
        (_sps(_head(7)), "SPS with 8 temporal sub-layers"),
        (_sps(_head().ue(16)), "SPS id out of range"),
        (_sps(_head().ue(0).ue(4)), "chroma format 4"),
        (_sps(_head().ue(0).ue(1).ue(16_889).ue(8)), "picture of 16889x8 pixels, a side longer than 16888"),
        (_sps(_head().ue(0).ue(1).ue(8).ue(8).u(1, 1).ue(2).ue(2).ue(0).ue(0)), "SPS leaves no picture"),
        (_sps(_head().ue(0).ue(1).ue(8).ue(8).u(1, 0).ue(8).ue(0)), "bit depth 16"),
        (_sps(_sized().ue(13)), "picture order count of 17 bits"),
        (_sps(_tools().ue(65)), "65 reference picture sets, more than 64"),
        (_sps(_tools().ue(1).ue(9).ue(8)), "17 reference pictures in a set, more than 16"),
        (_sps(_tools().ue(0).u(1, 1).ue(33)), "33 long-term reference pictures, more than 32"),
    ],
)
def test_a_hostile_sps_is_refused(unit: bytes, message: str) -> None:
    with pytest.raises(HevcError) as caught:
        SequenceParameterSet.parse(unit)
    assert str(caught.value) == message
