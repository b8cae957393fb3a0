"""The sample tables of one MP4 track: where each sample lies, when it is decoded and shown.

From stsz, stts, ctts, stss, stsc and stco/co64 (ISO/IEC 14496-12, 8.6 and 8.7). A run-length entry may claim
2^32 samples in eight bytes, so nothing is expanded before its sum is known to fit.
"""

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from operator import add, sub

from server.formats.fmp4.foreign import ForeignBox, Mp4Error

# Twenty hours of 60 fps video, or eighteen of video and sound; 20 bytes of memory each.
MAX_SAMPLES = 5_000_000
# One sample of intra-only 8K stays under this; anything larger is a broken size.
MAX_SAMPLE_BYTES = 64 * 1024 * 1024
# Ticks between two samples: with 2^31 a broken (negative) delta is told from a long pause.
MAX_DELTA = 1 << 31
# Samples in one chunk: a file written without interleaving has one chunk of all, and finding a sample in it
# would add up every size before it.
MAX_CHUNK = 256

# The offset of a chunk that is in no file: made up by whoever cuts the track.
NOWHERE = (1 << 64) - 1

Chunks = tuple["array[int]", "array[int]"]  # first samples, file offsets


@dataclass(frozen=True, slots=True)
class SampleTable:
    """`count` samples in decoding order; all times in ticks of the track's timescale.

    A chunk is a stretch of samples that lie back to back in the file: `chunk_first[k]` is its first sample,
    `chunk_offset[k]` its place in the file.
    """

    sizes: "array[int]"  # u32, bytes
    dts: "array[int]"  # i64, count + 1 of them: the last is the end of the last sample
    cts: "array[int]"  # i32 composition offsets, or empty when all are zero
    sync: "array[int] | None"  # u32 numbers of the samples decoding can start at; None: every one
    chunk_first: "array[int]"  # u32
    chunk_offset: "array[int]"  # u64

    def __len__(self) -> int:
        return len(self.sizes)

    def pts(self, sample: int) -> int:
        return self.dts[sample] + (self.cts[sample] if self.cts else 0)

    def duration(self, sample: int) -> int:
        return self.dts[sample + 1] - self.dts[sample]

    def ranges(self, first: int, last: int) -> list[tuple[int, int]]:
        """Where samples first..last-1 lie in the file, as (offset, size), adjoining ones merged."""
        out: list[tuple[int, int]] = []
        chunk = bisect_right(self.chunk_first, first) - 1
        at = self.chunk_offset[chunk]
        if at != NOWHERE:  # the first chunk may begin before `first`
            at += sum(self.sizes[self.chunk_first[chunk] : first])
        while first < last:
            following = chunk + 1
            stop = self.chunk_first[following] if following < len(self.chunk_first) else last
            size = sum(self.sizes[first : min(stop, last)])
            if out and out[-1][0] + out[-1][1] == at:
                out[-1] = (out[-1][0], out[-1][1] + size)
            else:
                out.append((at, size))
            first, chunk = min(stop, last), following
            if first < last:
                at = self.chunk_offset[chunk]
        return out


def sample_table(stbl: ForeignBox, file_size: int, limit: int = MAX_SAMPLES) -> SampleTable:
    """Read the tables under `stbl` of a file of `file_size` bytes; more than `limit` samples are an error."""
    boxes = {box.kind: box for box in stbl.children()}
    sizes = _sizes(boxes, limit)
    first, offset = _placed(sizes, *_chunks(boxes, len(sizes)), file_size)
    return SampleTable(
        sizes=sizes,
        dts=_decode_times(_box(boxes, b"stts"), len(sizes)),
        cts=_composition_offsets(boxes.get(b"ctts"), len(sizes)),
        sync=_sync(boxes.get(b"stss"), len(sizes)),
        chunk_first=first,
        chunk_offset=offset,
    )


def sample_count(stbl: ForeignBox) -> int:
    """How many samples the track has, without reading them."""
    for kind in (b"stsz", b"stz2"):
        box = stbl.find(kind)
        if box is not None:
            return box.u32(8)
    return 0


def _box(boxes: dict[bytes, ForeignBox], kind: bytes) -> ForeignBox:
    if kind not in boxes:
        raise Mp4Error(f"the {kind.decode('latin-1')} box is missing")
    return boxes[kind]


def _sizes(boxes: dict[bytes, ForeignBox], limit: int) -> "array[int]":
    if b"stsz" not in boxes and b"stz2" in boxes:
        return _compact_sizes(boxes[b"stz2"], limit)
    box = _box(boxes, b"stsz")
    fixed, count = box.u32(4), box.u32(8)
    if count > limit:
        raise Mp4Error(f"the file claims {count} samples in one track; the limit is {limit}")
    sizes = array("I", [fixed]) * count if fixed else box.numbers(12, count)
    if count and max(sizes) > MAX_SAMPLE_BYTES:
        raise Mp4Error(f"the file claims a sample of {max(sizes)} bytes; the limit is {MAX_SAMPLE_BYTES}")
    return sizes


def _compact_sizes(box: ForeignBox, limit: int) -> "array[int]":
    """stz2 (8.7.3.3): sizes of 4, 8 or 16 bits."""
    bits, count = box.u8(7), box.u32(8)
    if count > limit:
        raise Mp4Error(f"the file claims {count} samples in one track; the limit is {limit}")
    if bits == 4:
        packed = box.numbers(12, (count + 1) // 2, "B")
        return array("I", [half for byte in packed for half in (byte >> 4, byte & 15)][:count])
    if bits not in (8, 16):
        raise Mp4Error(f"the stz2 box has sizes of {bits} bits")
    return array("I", box.numbers(12, count, "B" if bits == 8 else "H"))


def _runs(box: ForeignBox) -> tuple["array[int]", "array[int]"]:
    """The (counts, values) of a run-length table: entry count at payload byte 4, then pairs of u32."""
    entries = box.numbers(8, 2 * box.u32(4))
    return entries[0::2], entries[1::2]


def _decode_times(box: ForeignBox, count: int) -> "array[int]":
    """Decoding times from stts: count + 1 of them, from zero."""
    dts = array("q")
    now = 0
    for samples, delta in zip(*_runs(box), strict=True):
        samples = min(samples, count - len(dts))
        if delta >= MAX_DELTA:
            raise Mp4Error("the file's decoding times run backwards")
        if samples == 1:
            dts.append(now)
        else:
            dts.extend(range(now, now + samples * delta, delta) if delta else [now] * samples)
        now += samples * delta
        if len(dts) == count:
            break
    if len(dts) < count:
        raise Mp4Error(f"the file has times for {len(dts)} of {count} samples")
    dts.append(now)
    return dts


def _composition_offsets(box: ForeignBox | None, count: int) -> "array[int]":
    """Offsets from ctts; version 0 says unsigned, but writers put negative ones there too."""
    if box is None:
        return array("i")
    entries = box.numbers(8, 2 * box.u32(4), "i")
    offsets = array("i")
    for samples, offset in zip(entries[0::2], entries[1::2], strict=True):
        if samples == 1:  # with B-frames nearly all of them
            offsets.append(offset)
            continue
        left = count - len(offsets)
        # The counts were read as signed too: a negative one is 2^31 or more samples.
        offsets.extend(array("i", [offset]) * (min(samples, left) if samples >= 0 else left))
        if len(offsets) >= count:
            break
    if len(offsets) < count:
        raise Mp4Error(f"the file has composition offsets for {len(offsets)} of {count} samples")
    del offsets[count:]
    return offsets if any(offsets) else array("i")


def _sync(box: ForeignBox | None, count: int) -> "array[int] | None":
    if box is None:
        return None
    numbers = box.numbers(8, box.u32(4))
    if any(map(int.__le__, numbers[1:], numbers)):
        raise Mp4Error("the file's list of key frames is out of order")
    if numbers and (numbers[0] < 1 or numbers[-1] > count):
        raise Mp4Error("the file's list of key frames points outside its samples")
    return array("I", [number - 1 for number in numbers])


def _chunks(boxes: dict[bytes, ForeignBox], count: int) -> Chunks:
    """(first sample, file offset) of each chunk that holds samples, from stsc and stco or co64."""
    offsets = _chunk_offsets(boxes)
    table = _box(boxes, b"stsc").numbers(8, 3 * _box(boxes, b"stsc").u32(4))
    numbers, per_chunk = table[0::3], table[1::3]
    followings = [*numbers[1:], len(offsets) + 1]
    firsts = array("I")
    sample, expected, last = 0, 1, len(offsets) + 1
    for number, following, samples in zip(numbers, followings, per_chunk, strict=False):
        if number != expected or samples == 0 or not number < following <= last:
            raise Mp4Error("the file's chunk table (stsc box) contradicts itself")
        chunks = following - number
        if chunks == 1:  # interleaved by the sample: a row for each
            firsts.append(sample)
        else:
            chunks = min(chunks, -(-(count - sample) // samples))
            firsts.extend(range(sample, sample + chunks * samples, samples))
        expected += chunks
        sample += chunks * samples
        if sample >= count:
            break
    if sample < count:
        raise Mp4Error(f"the file places {sample} of {count} samples")
    return firsts, offsets[: len(firsts)]


def _chunk_offsets(boxes: dict[bytes, ForeignBox]) -> "array[int]":
    if b"stco" in boxes:
        return array("Q", boxes[b"stco"].numbers(8, boxes[b"stco"].u32(4)))
    box = _box(boxes, b"co64")
    return box.numbers(8, box.u32(4), "Q")


def _placed(sizes: "array[int]", firsts: "array[int]", offsets: "array[int]", file_size: int) -> Chunks:
    """Check that all samples lie inside the file, and split long chunks."""
    before = array("Q", accumulate(sizes, initial=0))
    if before[-1] > file_size:
        # Samples that overlap would let a small file make large segments.
        raise Mp4Error(f"the file is cut short: its samples need {before[-1]} bytes, it has {file_size}")
    starts = array("Q", map(before.__getitem__, firsts))
    ends = map(add, offsets, map(sub, [*starts[1:], before[-1]], starts))
    end = max(ends, default=0)
    if end > file_size:
        raise Mp4Error(f"the file is cut short: its samples reach to byte {end}, it has {file_size}")
    return _split(firsts, offsets, before)


def _split(firsts: "array[int]", offsets: "array[int]", before: "array[int]") -> Chunks:
    """Chunks of at most MAX_CHUNK samples; `before[i]` is the sum of the sizes before sample i."""
    stops = [*firsts[1:], len(before) - 1]
    if max(map(sub, stops, firsts), default=0) <= MAX_CHUNK:
        return firsts, offsets
    first_out, offset_out = array("I"), array("Q")
    for first, stop, offset in zip(firsts, stops, offsets, strict=True):
        for piece in range(first, stop, MAX_CHUNK):
            first_out.append(piece)
            offset_out.append(offset + before[piece] - before[first])
    return first_out, offset_out
