from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import av
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.aac import SILENCE, AacError, AudioSpecificConfig, asc_of, audio_config, silent_frame
from server.formats.fmp4.box import audio_sample_entry, box, full_box
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_part
from tests.unit.formats.bit_writer import BitWriter
from tests.unit.formats.encoded import aac, decode

STEREO_48K = bytes.fromhex("1190")


def bits(*fields: tuple[int, int]) -> bytes:
    writer = BitWriter()
    for width, value in fields:
        writer.u(width, value)
    return writer.bytes()


SBR_WITHIN_SBR = bits((5, 5), (4, 7), (4, 2), (4, 4), (5, 5), (4, 4), (5, 2), (3, 0))


def program_config(front: int, side: int, back: int, low: int, pairs: tuple[bool, ...], comment: bytes) -> bytes:
    """An AAC-LC configuration at 48 kHz whose channels a program config element describes."""
    writer = BitWriter().u(5, 2).u(4, 3).u(4, 0).u(3, 0).u(4, 0).u(2, 1).u(4, 3)
    writer.u(4, front).u(4, side).u(4, back).u(2, low).u(3, 1).u(4, 1).u(1, 1).u(4, 0).u(1, 0).u(1, 1).u(3, 0)
    for pair in pairs:
        writer.u(1, pair).u(4, 0)
    writer.u(4 * low + 4 + 5, 0)
    return writer.bytes() + bytes((len(comment),)) + comment


# asc, object type, rate, channel configuration, channels, frame length, sbr, ps, output rate, codec
CONFIGS = [
    ("1190", 2, 48000, 2, 2, 1024, False, False, None, "mp4a.40.2"),
    ("1210", 2, 44100, 2, 2, 1024, False, False, None, "mp4a.40.2"),
    ("1194", 2, 48000, 2, 2, 960, False, False, None, "mp4a.40.2"),
    ("11b0", 2, 48000, 6, 6, 1024, False, False, None, "mp4a.40.2"),
    ("11b8", 2, 48000, 7, 8, 1024, False, False, None, "mp4a.40.2"),
    ("0990", 1, 48000, 2, 2, 1024, False, False, None, "mp4a.40.1"),
    ("119056e500", 2, 48000, 2, 2, 1024, False, False, None, "mp4a.40.2"),  # says: no SBR
    ("131056e59d48", 2, 24000, 2, 2, 1024, True, False, 48000, "mp4a.40.5"),  # backward compatible HE-AAC
    ("138856e5a54880", 2, 22050, 1, 1, 1024, True, True, 44100, "mp4a.40.29"),  # and HE-AAC v2
    ("2b8a0800", 2, 22050, 1, 1, 1024, True, False, 44100, "mp4a.40.5"),  # explicit HE-AAC
    ("eb8a0800", 2, 22050, 1, 1, 1024, True, True, 44100, "mp4a.40.29"),  # explicit HE-AAC v2
]


@pytest.mark.parametrize("case", CONFIGS, ids=lambda case: case[0])
def test_parses_configurations(case: tuple[str, int, int, int, int, int, bool, bool, int | None, str]) -> None:
    *fields, codec = case[1:]
    config = AudioSpecificConfig.parse(bytes.fromhex(case[0]))
    assert config == AudioSpecificConfig(*fields)  # type: ignore[arg-type]
    assert config.codec == codec


def test_a_rate_of_24_bits() -> None:
    config = AudioSpecificConfig.parse(bits((5, 2), (4, 15), (24, 44_056), (4, 2), (3, 0)))
    assert (config.rate, config.channels) == (44_056, 2)


def test_an_escaped_object_type_is_named() -> None:
    xhe = bits((5, 31), (6, 42 - 32), (4, 3), (4, 2), (3, 0))
    with pytest.raises(AacError, match="audio object type 42 is no AAC that is known here"):
        AudioSpecificConfig.parse(xhe)


@pytest.mark.parametrize(("kind", "short", "length"), [(2, 0, 1024), (2, 1, 960), (23, 0, 512), (23, 1, 480)])
def test_frame_lengths(kind: int, short: int, length: int) -> None:
    config = AudioSpecificConfig.parse(bits((5, kind), (4, 3), (4, 2), (1, short), (1, 1), (14, 0), (1, 1), (4, 0)))
    assert config.frame_length == length


@pytest.mark.parametrize(
    ("asc", "channels"),
    [
        (program_config(1, 0, 0, 0, (True,), b""), 2),
        (program_config(2, 0, 1, 1, (False, True, True), b"5.1, as a comment"), 6),
    ],
)
def test_a_program_config_counts_channels(asc: bytes, channels: int) -> None:
    config = AudioSpecificConfig.parse(asc)
    assert (config.channels, config.channel_configuration) == (channels, 0)
    assert silent_frame(audio_config(asc)) is None


@pytest.mark.parametrize(
    ("asc", "message"),
    [
        ("", "AudioSpecificConfig: needs 5 bits, 0 are left"),
        ("11", "AudioSpecificConfig: needs 4 bits, 3 are left"),
        ("1690", "sampling frequency index 13"),
        ("11d0", "channel configuration 10"),
        ("1780000010", "sample rate 0 Hz"),
        ("17ffffff90", "sample rate 16777215 Hz"),
        ("0010", "audio object type 0 is no AAC that is known here"),
        (SBR_WITHIN_SBR.hex(), "audio object type 5 is no AAC that is known here"),
        ("00" * 65, "AudioSpecificConfig of 65 bytes"),
        (program_config(0, 0, 0, 0, (), b"").hex(), "program config without channels"),
        (program_config(1, 0, 0, 0, (True,), b"").hex()[:-2], "AudioSpecificConfig: needs 8 bits, 0 are left"),
    ],
)
def test_a_broken_configuration_is_refused(asc: str, message: str) -> None:
    with pytest.raises(AacError) as caught:
        AudioSpecificConfig.parse(bytes.fromhex(asc))
    assert str(caught.value) == message


def test_low_delay_is_not_carried() -> None:
    with pytest.raises(AacError, match="audio object type 23 is not played by browsers"):
        audio_config(bits((5, 23), (4, 3), (4, 2), (3, 0)))


@given(st.binary(max_size=70))
@example(program_config(15, 15, 15, 3, (True,) * 45, bytes(5)))
def test_any_bytes_parse_or_raise_aac_error(data: bytes) -> None:
    try:
        config = audio_config(data)
    except AacError:
        return
    assert 7_350 <= config.timescale <= 96_000
    assert config.channels > 0


# --- the track


def test_the_track_of_a_stereo_stream() -> None:
    config = audio_config(memoryview(STEREO_48K))
    assert (config.codec, config.timescale, config.channels, config.frame_length) == ("mp4a.40.2", 48000, 2, 1024)
    assert asc_of(config.sample_entry) == STEREO_48K


@pytest.mark.parametrize("asc", ["2b8a0800", "131056e59d48"])
def test_high_efficiency_counts_the_core_rate(asc: str) -> None:
    core = AudioSpecificConfig.parse(bytes.fromhex(asc))
    assert audio_config(bytes.fromhex(asc)).timescale == core.rate == (core.extension_rate or 0) // 2


def test_parametric_stereo_has_two_channels() -> None:
    config = audio_config(bytes.fromhex("eb8a0800"))
    assert config.channels == 2
    assert silent_frame(config) == SILENCE[1]


@pytest.mark.parametrize("rate", [48000, 44100, 22050])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_libavcodec_reads_the_track(rate: int, layout: str) -> None:
    coded = aac(8, rate, layout)
    config = audio_config(coded.header)
    data = init_segment(config) + audio_part(1, 0, 1024, [sample.data for sample in coded.samples])
    with av.open(BytesIO(data)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels, stream.codec_context.name) == (rate, config.channels, "aac")
        assert bytes(stream.codec_context.extradata or b"") == coded.header
        assert [bytes(packet) for packet in container.demux(stream) if packet.size] == [
            sample.data for sample in coded.samples
        ]


# --- the sample entry of others


def test_asc_of_quicktime_entries() -> None:
    esds = audio_config(STEREO_48K).sample_entry[36:]
    fields = audio_sample_entry(b"mp4a", 2, 48000)[8:]
    for version, more in ((1, 16), (2, 36)):
        head = fields[:8] + version.to_bytes(2, "big") + fields[10:] + bytes(more)
        assert asc_of(box(b"mp4a", head, esds)) == STEREO_48K
        assert asc_of(box(b"mp4a", head, box(b"wave", box(b"frma", b"mp4a"), esds))) == STEREO_48K


def test_asc_behind_long_descriptor_lengths_and_optional_fields() -> None:
    def descriptor(tag: int, body: bytes) -> bytes:
        return bytes((tag, 0x80, 0x80, 0x80, len(body))) + body

    decoder = descriptor(4, b"\x40\x15" + bytes(11) + descriptor(5, STEREO_48K))
    stream = b"\0\1" + b"\xe0" + b"\0\2" + b"\3url" + b"\0\4" + decoder + descriptor(6, b"\2")
    assert asc_of(audio_sample_entry(b"mp4a", 2, 48000, full_box(b"esds", 0, 0, descriptor(3, stream)))) == STEREO_48K


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (b"", "not a sound sample entry"),
        (audio_sample_entry(b"mp4a", 2, 48000), "sample entry without esds"),
        (audio_sample_entry(b"mp4a", 2, 48000, b"\0\0\0\x99esds"), "sample entry: box at 36 does not fit"),
        (audio_sample_entry(b"mp4a", 2, 48000, full_box(b"esds", 0, 0)), "esds without descriptor 3"),
        (audio_sample_entry(b"mp4a", 2, 48000, full_box(b"esds", 0, 0, b"\3\1\0")), "esds ends within its descriptor"),
        (
            audio_sample_entry(b"mp4a", 2, 48000, full_box(b"esds", 0, 0, bytes.fromhex("0307000000 0402 6b15"))),
            "object type 6b is not AAC",
        ),
    ],
)
def test_asc_of_a_broken_entry(entry: bytes, message: str) -> None:
    with pytest.raises(AacError) as caught:
        asc_of(entry)
    assert str(caught.value).startswith(message)


@given(st.data())
def test_asc_of_damaged_entries(data: st.DataObject) -> None:
    entry = bytearray(audio_config(STEREO_48K).sample_entry)
    for _ in range(data.draw(st.integers(1, 4))):
        entry[data.draw(st.integers(0, len(entry) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(entry)))
    with suppress(AacError):
        asc_of(entry[:length])


# --- silence


@pytest.mark.parametrize("channels", sorted(SILENCE))
@pytest.mark.parametrize("asc_head", [0x1180, 0x1200, 0x1300], ids=["48000", "44100", "24000"])
def test_silent_frames_are_silent(channels: int, asc_head: int) -> None:
    config = audio_config((asc_head | channels << 3).to_bytes(2, "big"))
    frame = silent_frame(config)
    assert frame is not None
    frames = decode(init_segment(config) + audio_part(1, 0, config.frame_length, [frame] * 5))
    assert [decoded.samples for decoded in frames] == [1024] * 5
    for decoded in frames:
        assert len(decoded.layout.channels) == channels
        assert all(not any(bytes(plane)) for plane in decoded.planes)


def test_silence_of_short_frames() -> None:
    config = audio_config(bytes.fromhex("1194"))
    frame = silent_frame(config)
    assert frame is not None
    frames = decode(init_segment(config) + audio_part(1, 0, config.frame_length, [frame] * 3))
    assert [decoded.samples for decoded in frames] == [960] * 3


def test_silence_joins_sound_without_an_error() -> None:
    coded = aac(12, 48000, "stereo")
    config = audio_config(coded.header)
    silence = silent_frame(config)
    assert silence is not None
    payload = [sample.data for sample in coded.samples]
    frames = decode(init_segment(config) + audio_part(1, 0, 1024, [*payload[:6], *[silence] * 10, *payload[6:]]))
    assert len(frames) == len(payload) + 10


def test_no_silence_for_layouts_without_a_frame() -> None:
    config = audio_config(bytes.fromhex("11b8"))
    assert config.channels == 8
    assert silent_frame(config) is None
    assert silent_frame(replace(config, sample_entry=b"rubbish")) is None
