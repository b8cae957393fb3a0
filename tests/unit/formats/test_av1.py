from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.av1 import (
    UNSPECIFIED,
    Av1Error,
    Obu,
    SequenceHeader,
    config_header,
    descriptor_record,
    has_key_frame,
    header_config,
    obus,
    sequence_header,
    video_config,
    without_delimiters,
)
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import video_part
from tests.unit.formats.bit_writer import BitWriter
from tests.unit.formats.encoded import TICKS, Coded, child, decode, file, packets, sample_entry

RECORD = bytes.fromhex("81000c000a0b000000043cfecc02f80040")  # 320x180
HEADER = RECORD[4:]

WIDE = BitWriter().u(5, 3).u(5, 0).u(4, 15).u(4, 15).u(16, 0xFFFF).u(16, 0).u(6, 0).bytes()
TOO_WIDE = b"\x0a" + bytes((len(WIDE),)) + WIDE


def svt(pixels: str = "yuv420p", width: int = 320, height: int = 180) -> Coded:
    options = (("preset", "12"), ("svtav1-params", "keyint=6"))
    return Coded("libsvtav1", options, pixels, width, height)


@pytest.mark.parametrize(
    ("track", "codec"),
    [
        (svt(), "av01.0.00M.08"),
        (svt("yuv420p10le", 640, 360), "av01.0.01M.10"),
        (svt(width=1280, height=718), "av01.0.05M.08"),
    ],
    ids=["8 bit", "10 bit", "720"],
)
def test_the_track_is_that_of_libav(track: Coded, codec: str) -> None:
    mp4 = file("mp4", track)
    record = child(sample_entry(mp4), b"av1C")
    config = video_config(record)
    assert child(config.sample_entry, b"av1C") == record
    assert config.sample_entry[4:86] == sample_entry(mp4)[4:86]
    assert (config.width, config.height) == (track.width, track.height)
    assert config.codec.startswith(codec)
    (key, _), *_ = packets(mp4)
    in_band = sequence_header(key)
    assert in_band
    assert header_config(in_band).codec == config.codec


def test_units_of_rtmp_lose_their_delimiters_and_decode() -> None:
    sent = packets(file("flv", svt()))
    assert all(data.startswith(b"\x12\0") for data, _ in sent)
    units = [without_delimiters(data) for data, _ in sent]
    assert all(found.type != 2 for unit in units for found in obus(unit))
    assert [has_key_frame(unit) for unit in units] == [key for _, key in sent]
    first = sequence_header(units[0])
    assert first
    part = video_part(1, 0, [TICKS] * len(units), [0] * len(units), [key for _, key in sent], units)
    assert len(decode(init_segment(header_config(first)) + part)) == len(units)


def test_what_has_no_delimiter_stays_as_it_is() -> None:
    assert without_delimiters(HEADER) is HEADER
    assert sequence_header(b"\x12\0\x32\x01\x10") is None
    assert not has_key_frame(b"\x12\0\x32\x01\x10")  # a key frame that came without its sequence header
    assert not has_key_frame(HEADER + b"\x32\x01\x90")  # an earlier frame shown again
    assert not has_key_frame(HEADER + b"\x32\x01\x30")
    assert not has_key_frame(HEADER + b"\x32\x05\x10")


def test_units_are_found_with_and_without_sizes_and_extensions() -> None:
    assert list(obus(b"\x12\0\x36\x08\x02ab\x30cd")) == [Obu(2, 0, 2, 2), Obu(6, 2, 5, 7), Obu(6, 7, 8, 10)]
    assert list(obus(b"\x32\x82\0ab")) == [Obu(6, 0, 3, 5)]


# --- records


def test_the_header_may_be_left_to_the_first_key_frame() -> None:
    assert config_header(RECORD) == HEADER
    assert config_header(RECORD[:4]) is None
    assert descriptor_record(b"\x80\x04" + RECORD) == RECORD[:4]
    with pytest.raises(Av1Error, match="av1C without a sequence header"):
        video_config(RECORD[:4])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "av1C of 0 bytes"),
        (b"\x01" + RECORD[1:], "av1C begins with 0x01, not 0x81"),
        (RECORD[:-1], "a temporal unit ends within an OBU"),
        (RECORD[:4] + b"\x8a\0", "forbidden bit of an OBU header is set"),
        (RECORD[:4] + b"\x0a\xff\xff\xff\xff\xff", "an OBU size that does not end"),
        (RECORD[:4] + b"\x0a\xff", "an OBU size that does not end"),
        (RECORD[:4] + b"\x12\0" * 513, "more than 512 OBUs in a temporal unit"),
        (RECORD[:4] + b"\x0a\x04\0\0\0\x04", "sequence header: needs 4 bits, 3 are left"),
        (RECORD[:4] + b"\x0a\x01\x60", "profile 3"),
        (RECORD[:4] + TOO_WIDE, "frames of 65536x1 pixels, a side longer than 65535"),
    ],
)
def test_a_broken_record_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(Av1Error) as caught:
        video_config(data)
    assert str(caught.value) == message


@pytest.mark.parametrize("data", [b"", b"\x80\x04\x81", b"\x80\x05\x81\0\0\0\0"])
def test_what_is_no_descriptor_is_refused(data: bytes) -> None:
    with pytest.raises(Av1Error, match="not an AV1 video descriptor"):
        descriptor_record(data)


def test_another_unit_is_no_sequence_header() -> None:
    for data in (b"", b"\x12\0"):
        with pytest.raises(Av1Error, match="not a sequence header"):
            SequenceHeader.parse(data)


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda rest: RECORD[:6] + rest))
@example(RECORD)
def test_any_bytes_parse_or_raise_av1_error(data: bytes) -> None:
    with suppress(Av1Error):
        config = video_config(data)
        assert 1 <= config.width <= 65_535
    with suppress(Av1Error):
        sequence_header(without_delimiters(data))
    has_key_frame(data)


# --- the sequence header


@st.composite
def sequence_headers(draw: st.DrawFn) -> tuple[bytes, SequenceHeader]:
    """One with what it says."""
    flag = st.booleans()
    profile, reduced = draw(st.integers(0, 2)), draw(flag)
    bits = BitWriter().u(3, profile).u(1, reduced).u(1, reduced)
    level, tier = draw(st.integers(0, 31)), 0
    if reduced:
        bits.u(5, level)
    else:
        tier = write_operating_points(draw, bits, level)
    width, height = draw(st.integers(1, 65_535)), draw(st.integers(1, 65_535))
    bits.u(4, 15).u(4, 15).u(16, width - 1).u(16, height - 1)
    if not reduced:
        named = draw(flag)
        bits.u(1, named).u(7 if named else 0, 5)
    bits.u(3, 5)
    if not reduced:
        write_inter_tools(draw, bits)
    bits.u(3, 3)
    header = SequenceHeader(profile, level, tier, width, height, *write_colour(draw, bits, profile))
    payload = bits.u(2, 1).u(1, 1).bytes()
    return b"\x08" + payload, header


def write_operating_points(draw: st.DrawFn, bits: BitWriter, level: int) -> int:
    timed, equal, model = (draw(st.booleans()) for _ in range(3))
    bits.u(1, timed)
    delay = draw(st.integers(1, 32))
    if timed:
        bits.u(32, 1).u(32, 30).u(1, equal)
        if equal:
            bits.ue(draw(st.integers(0, 300)))
        bits.u(1, model)
        if model:
            bits.u(5, delay - 1).u(32, 7).u(10, 0)
    shown = draw(st.booleans())
    count = draw(st.integers(1, 4))
    bits.u(1, shown).u(5, count - 1)
    tiers = []
    for index in range(count):
        this = level if index == 0 else 9
        tiers.append(draw(st.integers(0, 1)) if this > 7 else 0)
        bits.u(12, 0xFFF).u(5, this).u(1 if this > 7 else 0, tiers[-1])
        if timed and model:
            present = draw(st.booleans())
            bits.u(1, present).u(2 * delay + 1 if present else 0, 1)
        if shown:
            bits.u(1, 1).u(4, 9)
    return tiers[0]


def write_inter_tools(draw: st.DrawFn, bits: BitWriter) -> None:
    order, chosen, forced, integer = (draw(st.booleans()) for _ in range(4))
    bits.u(4, 9).u(1, order).u(2 if order else 0, 1).u(1, chosen)
    if not chosen:
        bits.u(1, forced)
    if chosen or forced:
        bits.u(1, integer).u(0 if integer else 1, 1)
    bits.u(3 if order else 0, 6)


def write_colour(draw: st.DrawFn, bits: BitWriter, profile: int) -> tuple[object, ...]:
    high, twelve, mono, described, full = (draw(st.booleans()) for _ in range(5))
    bits.u(1, high)
    if profile == 2 and high:
        bits.u(1, twelve)
    depth = 12 if profile == 2 and high and twelve else 10 if high else 8
    if profile != 1:
        bits.u(1, mono)
    mono = mono and profile != 1
    colour = draw(st.sampled_from([(1, 1, 1), (9, 16, 9), (1, 13, 0)])) if described else UNSPECIFIED
    bits.u(1, described)
    for code in colour if described else ():
        bits.u(8, code)
    if mono:
        bits.u(1, full)
        return depth, True, (1, 1), 0, colour, full
    if colour == (1, 13, 0):
        return depth, False, (0, 0), 0, colour, True
    bits.u(1, full)
    subsampling = ((1, 1), (0, 0), (1, 0))[profile]
    if profile == 2 and depth == 12:
        subsampling = draw(st.sampled_from([(1, 1), (1, 0), (0, 0)]))
        bits.u(1, subsampling[0]).u(subsampling[0], subsampling[1])
    position = draw(st.integers(0, 2)) if subsampling == (1, 1) else 0
    bits.u(2 if subsampling == (1, 1) else 0, position)
    return depth, False, subsampling, position, colour, full


@given(sequence_headers())
def test_any_sequence_header_reads_as_it_was_written(case: tuple[bytes, SequenceHeader]) -> None:
    obu, expected = case
    assert SequenceHeader.parse(obu) == expected
    config = header_config(obu)
    assert config.codec == expected.codec
    assert config_header(child(config.sample_entry, b"av1C")) == obu


@pytest.mark.parametrize(
    ("header", "codec"),
    [
        (SequenceHeader(0, 5, 0, 8, 8, 8, False, (1, 1), 0, UNSPECIFIED, False), "av01.0.05M.08"),
        (SequenceHeader(0, 13, 1, 8, 8, 10, False, (1, 1), 2, (9, 16, 9), False), "av01.0.13H.10.0.112.09.16.09.0"),
        (SequenceHeader(0, 31, 0, 8, 8, 8, True, (1, 1), 0, UNSPECIFIED, True), "av01.0.31M.08.1.110.02.02.02.1"),
        (SequenceHeader(1, 0, 0, 8, 8, 8, False, (0, 0), 0, (1, 13, 0), True), "av01.1.00M.08.0.000.01.13.00.1"),
    ],
)
def test_the_codec_string_says_what_is_unusual(header: SequenceHeader, codec: str) -> None:
    assert header.codec == codec
