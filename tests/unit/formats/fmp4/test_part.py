from io import BytesIO

import av
import pytest

from server.formats.aac import audio_config
from server.formats.avc import video_config
from server.formats.fmp4.box import find, walk
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_header, audio_part, video_header, video_part
from server.formats.fmp4.read import read_parts, read_samples
from server.formats.sample import Sample
from tests.unit.formats.encoded import TICKS, aac, decode, h264


def parts_of(samples: tuple[Sample, ...], length: int, base: int = 0) -> bytes:
    """Samples of TICKS each, in parts of `length`."""
    pieces = [samples[at : at + length] for at in range(0, len(samples), length)]
    return b"".join(
        video_part(
            number + 1,
            base + piece[0].dts,
            [TICKS] * len(piece),
            [sample.cts for sample in piece],
            [sample.key for sample in piece],
            [sample.data for sample in piece],
        )
        for number, piece in enumerate(pieces)
    )


def test_the_bytes_of_a_video_part() -> None:
    part = video_part(7, 1 << 40, [3000, 3001], [0, -5], [True, False], [b"abc", memoryview(b"defg")])
    assert part == bytes.fromhex(
        "00000078 6d6f6f66"
        "00000010 6d666864 00000000 00000007"
        "00000060 74726166"
        "00000014 74666864 00020020 00000001 01010000"
        "00000014 74666474 01000000 0000010000000000"
        "00000030 7472756e 01000b05 00000002 00000080 02000000"
        "00000bb8 00000003 00000000"
        "00000bb9 00000004 fffffffb"
        "0000000f 6d646174 616263 64656667"
    )


def test_the_bytes_of_a_part_with_a_key_frame_inside() -> None:
    part = video_part(1, 0, [10, 10], [0, 0], [False, True], [b"a", b"b"])
    trun = find(part, b"moof", b"traf", b"trun")
    assert trun is not None
    assert part[trun.start : trun.end] == bytes.fromhex(
        "01000f01 00000002 00000084 0000000a 00000001 01010000 00000000 0000000a 00000001 02000000 00000000"
    )


def test_the_bytes_of_an_audio_part() -> None:
    part = audio_part(2, 48000, 1024, [b"abc", b"de"])
    assert part == bytes.fromhex(
        "00000068 6d6f6f66"
        "00000010 6d666864 00000000 00000002"
        "00000050 74726166"
        "00000018 74666864 00020028 00000001 00000400 02000000"
        "00000014 74666474 01000000 000000000000bb80"
        "0000001c 7472756e 00000201 00000002 00000070 00000003 00000002"
        "0000000d 6d646174 616263 6465"
    )


@pytest.mark.parametrize("length", [1, 4, 10, 30])
def test_video_reads_back_bit_exact(length: int) -> None:
    samples = h264().samples
    assert read_samples(parts_of(samples, length)) == list(samples)


@pytest.mark.parametrize("base", [0, 90_000, (1 << 33) + 7, (1 << 64) - 100_000])
def test_base_is_64_bits(base: int) -> None:
    samples = h264().samples
    (info,) = read_parts(parts_of(samples, 30, base))
    assert info.base == base


def test_all_intra_keeps_every_key_frame() -> None:
    samples = h264(10, 128, 96, "keyint=1").samples
    data = parts_of(samples, 5)
    assert all(sample.key for sample in read_samples(data))
    with av.open(BytesIO(init_segment(video_config(h264(10, 128, 96, "keyint=1").header)) + data)) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size) == 10


def test_libavformat_reads_the_same_samples() -> None:
    coded = h264()
    config = video_config(coded.header)
    with av.open(BytesIO(init_segment(config) + parts_of(coded.samples, 7))) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [bytes(packet) for packet in packets] == [sample.data for sample in coded.samples]
    assert [packet.is_keyframe for packet in packets] == [sample.key for sample in coded.samples]
    shift = (packets[0].pts or 0) - coded.samples[0].pts
    assert [(packet.pts or 0) - shift for packet in packets] == [sample.pts for sample in coded.samples]
    assert all(packet.duration == TICKS for packet in packets)


def test_every_picture_decodes() -> None:
    coded = h264()
    frames = decode(init_segment(video_config(coded.header)) + parts_of(coded.samples, 4))
    assert len(frames) == len(coded.samples)


def test_audio_with_durations_of_its_own() -> None:
    coded = aac()
    payload = [sample.data for sample in coded.samples]
    durations = [1024] * (len(payload) - 1) + [500]
    data = audio_part(1, 5, durations, payload)
    (info,) = read_parts(data)
    assert (info.base, info.duration, info.samples, info.independent) == (5, sum(durations), len(payload), True)
    assert [sample.data for sample in read_samples(data)] == payload
    assert len(decode(init_segment(audio_config(coded.header)) + data)) == len(payload)


def test_equal_durations_may_be_one_number() -> None:
    payload = [b"ab", b"c"]
    assert read_samples(audio_part(1, 9, 1024, payload)) == read_samples(audio_part(1, 9, [1024, 1024], payload))


def test_pieces_may_hold_several_samples() -> None:
    columns = [10, 10, 10], [0, 0, 0], [True, False, False]
    apart = video_part(1, 0, *columns, [b"a", b"bc", b"def"])
    assert video_part(1, 0, *columns, [memoryview(b"abcd"), b"ef"], sizes=[1, 2, 3]) == apart
    assert audio_part(1, 0, 10, [b"abcdef"], sizes=[1, 2, 3]) == audio_part(1, 0, 10, [b"a", b"bc", b"def"])


def test_the_header_alone_is_the_part_without_its_payload() -> None:
    columns = [10, 10], [0, 4], [True, False]
    assert video_header(3, 1, [2, 1], *columns) + b"abc" == video_part(3, 1, *columns, [b"ab", b"c"])
    assert audio_header(3, 1, [2, 1], 1024) + b"abc" == audio_part(3, 1, 1024, [b"ab", b"c"])


def test_the_sequence_number_wraps_at_32_bits() -> None:
    (info,) = read_parts(audio_part((1 << 32) + 5, 0, 1024, [b"a"]))
    assert info.sequence == 5


def test_boxes_fill_the_part() -> None:
    for keys in ([True, False], [True, True]):
        part = video_part(1, 0, [1, 1], [0, 0], keys, [b"a", b"b"])
        assert [found.type for found in walk(part)] == [b"moof", b"mdat"]
        moof = find(part, b"moof")
        assert moof is not None
        assert [found.type for found in walk(part, moof.start, moof.end)] == [b"mfhd", b"traf"]
