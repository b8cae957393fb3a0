"""Sample tables: right ones by arithmetic, and every way to lie in one, quickly and without memory."""

import time
import tracemalloc
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.box import full_box
from server.formats.fmp4.foreign import ForeignBox, Mp4Error
from server.formats.fmp4.samples import MAX_CHUNK, MAX_SAMPLE_BYTES, MAX_SAMPLES, SampleTable, sample_table
from tests.harness.mp4 import FakeTrack, mp4, numbers, runs


def table(track: FakeTrack, file_size: int | None = None) -> SampleTable:
    data = mp4(track)
    moov = ForeignBox(b"file", memoryview(data)).need(b"moov")
    stbl = moov.need(b"trak", b"mdia", b"minf", b"stbl")
    return sample_table(stbl, len(data) if file_size is None else file_size)


def cut(data: bytes, samples: SampleTable, first: int, last: int) -> bytes:
    return b"".join(data[offset : offset + size] for offset, size in samples.ranges(first, last))


def test_times_from_runs() -> None:
    samples = table(FakeTrack(count=5, deltas=[(2, 10), (1, 0), (2, 5)], cts=[(1, 3), (3, -2), (1, 0)]))
    assert samples.dts.tolist() == [0, 10, 20, 20, 25, 30]
    assert [samples.pts(i) for i in range(5)] == [3, 8, 18, 18, 25]
    assert [samples.duration(i) for i in range(5)] == [10, 10, 0, 5, 5]


def test_composition_offsets_of_zero_are_none() -> None:
    assert len(table(FakeTrack(cts=[(10, 0)])).cts) == 0


@pytest.mark.parametrize("per_chunk", [1, 3, 10, 1000])
def test_ranges_give_the_bytes_of_the_samples(per_chunk: int) -> None:
    track = FakeTrack(count=1000, size=9, per_chunk=per_chunk)
    other = FakeTrack(kind="audio", count=700, size=5)
    data = mp4(track, other)
    moov = ForeignBox(b"file", memoryview(data)).need(b"moov")
    samples = sample_table(moov.need(b"trak", b"mdia", b"minf", b"stbl"), len(data))
    units = track.samples(0)
    assert max(b - a for a, b in zip(samples.chunk_first, samples.chunk_first[1:], strict=False)) <= MAX_CHUNK
    for first, last in ((0, 1), (0, 1000), (1, 2), (299, 301), (998, 1000), (255, 257), (5, 5)):
        assert cut(data, samples, first, last) == b"".join(units[first:last])


def test_adjoining_chunks_are_one_read() -> None:
    assert len(table(FakeTrack(count=1000, per_chunk=7)).ranges(3, 900)) == 1


@pytest.mark.parametrize(("bits", "typecode", "sizes"), [(8, "B", [1, 2, 255]), (16, "H", [1, 2, 999])])
def test_compact_sizes(bits: int, typecode: str, sizes: list[int]) -> None:
    stz2 = full_box(b"stz2", 0, 0, pack(f">II{len(sizes)}{typecode}", bits, len(sizes), *sizes))
    assert table(FakeTrack(count=3, size=1000, tables={b"stsz": None, b"stz2": stz2})).sizes.tolist() == sizes


def test_compact_sizes_of_four_bits() -> None:
    stz2 = full_box(b"stz2", 0, 0, pack(">II", 4, 3), b"\x12\xf0")
    assert table(FakeTrack(count=3, tables={b"stsz": None, b"stz2": stz2})).sizes.tolist() == [1, 2, 15]


def test_more_times_than_samples_are_ignored() -> None:
    assert len(table(FakeTrack(count=3, deltas=[(0xFFFFFFFF, 1)])).dts) == 4


HUGE = 0xFFFFFFFF
LIES = {
    "fixed sizes without end": ({b"stsz": full_box(b"stsz", 0, 0, pack(">II", 1, HUGE))}, "claims 4294967295"),
    "sizes that are not there": ({b"stsz": full_box(b"stsz", 0, 0, pack(">II", 0, 4_000_000))}, "stsz box is too"),
    "a sample larger than any": (
        {b"stsz": full_box(b"stsz", 0, 0, pack(">II", MAX_SAMPLE_BYTES + 1, 10))},
        "claims a sample of",
    ),
    "more bytes than the file": ({b"stsz": full_box(b"stsz", 0, 0, pack(">II", 1 << 20, 10))}, "its samples need"),
    "no sizes": ({b"stsz": None}, "the stsz box is missing"),
    "compact sizes of odd bits": (
        {b"stsz": None, b"stz2": full_box(b"stz2", 0, 0, pack(">II", 5, 1))},
        "sizes of 5 bits",
    ),
    "compact sizes without end": (
        {b"stsz": None, b"stz2": full_box(b"stz2", 0, 0, pack(">II", 4, HUGE))},
        "claims 4294967295",
    ),
    "times that are not there": ({b"stts": full_box(b"stts", 0, 0, pack(">I", HUGE))}, "stts box is too short"),
    "too few times": ({b"stts": runs(b"stts", [(3, 1)])}, "times for 3 of 10 samples"),
    "times that run backwards": ({b"stts": runs(b"stts", [(10, -1)])}, "run backwards"),
    "no times": ({b"stts": None}, "the stts box is missing"),
    "too few offsets": ({b"ctts": runs(b"ctts", [(3, 1)])}, "composition offsets for 3 of 10 samples"),
    "offsets that are not there": ({b"ctts": full_box(b"ctts", 0, 0, pack(">I", 1 << 31))}, "ctts box is too short"),
    "key frames out of order": ({b"stss": numbers(b"stss", [1, 5, 5])}, "key frames is out of order"),
    "key frames outside": ({b"stss": numbers(b"stss", [1, 11])}, "points outside its samples"),
    "key frame 0": ({b"stss": numbers(b"stss", [0, 1])}, "points outside its samples"),
    "chunks of nothing": ({b"stsc": numbers(b"stsc", [])}, "places 0 of 10 samples"),
    "empty chunks": ({b"stsc": full_box(b"stsc", 0, 0, pack(">IIII", 1, 1, 0, 1))}, "contradicts itself"),
    "chunks that begin at 2": ({b"stsc": full_box(b"stsc", 0, 0, pack(">IIII", 1, 2, 1, 1))}, "contradicts itself"),
    "chunks that go back": (
        {b"stsc": full_box(b"stsc", 0, 0, pack(">I6I", 2, 1, 1, 1, 1, 1, 1))},
        "contradicts itself",
    ),
    "chunks beyond their offsets": (
        {b"stsc": full_box(b"stsc", 0, 0, pack(">I6I", 2, 1, 1, 1, HUGE, 1, 1))},
        "contradicts itself",
    ),
    "too few chunks": ({b"stco": numbers(b"stco", [100] * 9)}, "places 9 of 10 samples"),
    "no chunks": ({b"stco": numbers(b"stco", [])}, "contradicts itself"),
    "no offsets": ({b"stco": None}, "the co64 box is missing"),
    "a place outside": ({b"stco": numbers(b"stco", [*[100] * 9, HUGE])}, "its samples reach"),
    "a place far outside": (
        {b"stco": None, b"co64": full_box(b"co64", 0, 0, pack(">I10Q", 10, *[(1 << 64) - 1] * 10))},
        "its samples reach",
    ),
}


@pytest.mark.parametrize(("tables", "reason"), LIES.values(), ids=LIES.keys())
def test_lies_are_refused_at_once(tables: dict[bytes, bytes | None], reason: str) -> None:
    track = FakeTrack(count=10, sync=[1], tables=tables)
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(Mp4Error, match=reason):
        table(track)
    assert time.process_time() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


def test_a_run_of_2_32_samples_in_one_chunk() -> None:
    tables = {
        b"stts": runs(b"stts", [(HUGE, 1)]),
        b"stsc": full_box(b"stsc", 0, 0, pack(">IIII", 1, 1, HUGE, 1)),
        b"ctts": runs(b"ctts", [(HUGE, 1)]),
    }
    samples = table(FakeTrack(count=10, tables=tables))
    assert len(samples) == 10
    assert samples.cts.tolist() == [1] * 10


def test_the_limit_is_shared() -> None:
    data = mp4(FakeTrack(count=10))
    stbl = ForeignBox(b"file", memoryview(data)).need(b"moov", b"trak", b"mdia", b"minf", b"stbl")
    assert len(sample_table(stbl, len(data), 10)) == 10
    with pytest.raises(Mp4Error, match="the limit is 9"):
        sample_table(stbl, len(data), 9)
    assert MAX_SAMPLES < 1 << 23  # 20 bytes each have to fit a child's memory


@given(st.data())
def test_altered_tables_are_read_or_refused(data: st.DataObject) -> None:
    original = bytearray(mp4(FakeTrack(count=20, size=20, sync=[1, 11], cts=[(10, 1), (10, 2)], per_chunk=3)))
    begin = original.index(b"stbl")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(begin, original.index(b"mdat") - 5))
        original[at] = data.draw(st.integers(0, 255))
    try:
        stbl = ForeignBox(b"file", memoryview(original)).need(b"moov", b"trak", b"mdia", b"minf", b"stbl")
        samples = sample_table(stbl, len(original), 10_000)
    except Mp4Error:
        return
    for offset, size in samples.ranges(0, len(samples)):
        assert 0 <= offset <= offset + size <= len(original)
