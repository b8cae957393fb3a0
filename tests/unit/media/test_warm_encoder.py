"""Segments encoded one by one as they are asked for: what they hold, whoever came before, and what failures come to."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import pytest

from server.formats.fmp4.movie import read_index
from server.media.calls import memory_file
from server.media.child import ChildFailed, Children
from server.media.ladder import Rung, Source, Wish, rungs
from server.media.orders import TIMESCALE, PictureOrder, Reading
from server.media.warm_encoder import Answer, WarmEncoder
from server.packager.vod_track import cut_tracks
from tests.harness import media

RUNGS = rungs(Source(320, 180, frame_rate=30.0), [Wish(144), Wish(96)])
MOV = Reading("mov")
PICTURE = TIMESCALE // 30
CUTS = tuple(range(0, 6 * TIMESCALE + 1, 2 * TIMESCALE))


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(2) as children:
        yield children


def opened(children: Children, path: Path, reading: Reading = MOV, index: bytes | None = None) -> WarmEncoder:
    at = None
    if index is not None:
        at = os.memfd_create("index")
        os.write(at, index)
    return WarmEncoder(children, os.open(path, os.O_RDONLY | os.O_CLOEXEC), at, reading)


def order(number: int, cuts: Sequence[int] = CUTS, rung: Rung = RUNGS[0], slack: int = PICTURE // 2) -> PictureOrder:
    return PictureOrder(
        MOV, (rung,), tuple(cuts[number : number + 2]), number, preset="superfast", threads=2, lookahead=0, slack=slack
    )


async def make(encoder: WarmEncoder, wanted: PictureOrder) -> tuple[Answer, bytes]:
    """What is said, and the segment behind its init segment."""
    (rung,) = wanted.rungs
    with memory_file("segment") as output:
        answer = await encoder.make(wanted, {rung.name: output})
        data = os.pread(output, os.fstat(output).st_size, 0)
    return answer, answer.described[rung.name].init + data if answer.described else data


def times(data: bytes) -> list[int]:
    """When each picture is shown, ticks; a key frame is first and no other is one."""
    with av.open(BytesIO(data), "r") as container:
        frames = list(container.decode(video=0))
        assert [frame.key_frame for frame in frames] == [True] + [False] * (len(frames) - 1)
        base = frames[0].time_base
        assert base
        return sorted(round((frame.pts or 0) * base * TIMESCALE) for frame in frames)


async def test_each_segment_is_the_pictures_between_its_cuts(children: Children) -> None:
    encoder = opened(children, media.clip(6, b_frames=2, audio=False))
    for number in (1, 2, 0):
        answer, data = await make(encoder, order(number))
        segment = answer.segments["144p"]
        assert (segment.number, segment.start, segment.duration) == (number, CUTS[number], 2 * TIMESCALE)
        shown = times(data)
        assert len(shown) == 60
        assert {after - before for before, after in pairwise(shown)} == {PICTURE}
    encoder.end()
    await encoder.ended()


async def test_pictures_are_the_same_whatever_was_made_before(children: Children) -> None:
    """Told by their times: libx264 with threads and a ceiling does not repeat its bytes."""
    source = media.clip(6, b_frames=2, audio=False, gop_s=1.5)
    in_order = opened(children, source)
    made = {number: (await make(in_order, order(number)))[1] for number in (0, 1, 2)}
    alone = opened(children, source)
    for number in (2, 0, 1):
        assert times((await make(alone, order(number)))[1]) == times(made[number])
        await make(alone, order(0, rung=RUNGS[1]))
    assert in_order.orders == 3
    in_order.kill()
    alone.kill()


async def test_the_next_one_goes_on_where_decoding_is(children: Children) -> None:
    encoder = opened(children, media.clip(6, b_frames=2, audio=False, gop_s=6))
    assert (await make(encoder, order(1)))[0].skipped == 60
    assert (await make(encoder, order(2)))[0].skipped == 1, "the one that was on show"
    assert (await make(encoder, order(0)))[0].skipped == 0
    encoder.kill()


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_by_its_own_index(children: Children, b_frames: int) -> None:
    """Cuts lie on pictures, exactly; edit lists move them."""
    source = media.clip(6, b_frames=b_frames, gop_s=1.5)
    content = source.read_bytes()
    index = read_index(lambda offset, size: content[offset : offset + size], len(content))
    cut = cut_tracks(index, 4.0)["video"]
    encoder = opened(children, source, Reading(indexed=True, offset=cut.offset), index.to_bytes())
    shown = []
    for number in (2, 0, 1):
        answer, data = await make(encoder, order(number, slack=0))
        assert (answer.segments["144p"].start, len(times(data))) == (CUTS[number], 60)
        shown += times(data)
    assert len(shown) == 180
    encoder.kill()


async def test_by_an_index_too_the_next_one_goes_on_and_another_is_sought(children: Children) -> None:
    source = media.clip(6, b_frames=2, gop_s=6)
    content = source.read_bytes()
    index = read_index(lambda offset, size: content[offset : offset + size], len(content))
    reading = Reading(indexed=True, offset=cut_tracks(index, 4.0)["video"].offset)
    following, sought = (opened(children, source, reading, index.to_bytes()) for _ in range(2))
    (before, _), (_, seen) = [await make(following, order(number, slack=0)) for number in (0, 1)]
    answer, made = await make(sought, order(1, slack=0))
    assert (before.skipped, answer.skipped) == (0, 60)
    assert times(made) == times(seen)
    following.kill()
    sought.kill()


async def test_cuts_beside_pictures_lose_and_double_none(children: Children) -> None:
    """30 pictures a second, cut as if they came at another pace."""
    encoder = opened(children, media.clip(6, audio=False))
    cuts = [0, 2 * TIMESCALE + 700, 4 * TIMESCALE - 1400, 6 * TIMESCALE]
    counts = []
    for number in (1, 0, 2):
        answer, data = await make(encoder, order(number, cuts))
        segment = answer.segments["144p"]
        assert (segment.start, segment.duration) == (cuts[number], cuts[number + 1] - cuts[number])
        counts.append(len(times(data)))
    assert sum(counts) == 180
    encoder.kill()


async def test_where_nothing_new_is_shown_the_picture_before_is(children: Children) -> None:
    encoder = opened(children, media.clip(6, audio=False, fps=1))
    cuts = [0, TIMESCALE // 2 + 1, 3 * TIMESCALE // 2, 6 * TIMESCALE]
    for number in (1, 2, 0):
        answer, _ = await make(encoder, order(number, cuts, slack=100))
        assert answer.segments["144p"].start == cuts[number]
        assert answer.segments["144p"].duration == cuts[number + 1] - cuts[number]
    encoder.kill()


async def test_other_containers_are_sought_in(children: Children) -> None:
    for extension, demuxer, start_s in (("mkv", "matroska", 0.0), ("ts", "mpegts", 1.4)):
        source = media.clip(6, b_frames=2, audio=False, extension=extension)
        with av.open(str(source)) as container:
            start_s = (container.start_time or 0) / 1_000_000
        encoder = opened(children, source, Reading(demuxer, 0, start_s))
        for number in (2, 1):
            wanted = replace(order(number), reading=Reading(demuxer, 0, start_s))
            answer, data = await make(encoder, wanted)
            assert (answer.problem, len(times(data))) == (None, 60), extension
        encoder.kill()


async def test_what_can_not_be_decoded_is_said_and_the_next_may_be_better(
    children: Children, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.mp4"
    content = bytearray(media.clip(6, b_frames=2, audio=False).read_bytes())
    content[-len(content) // 3 :] = bytes(len(content) // 3)
    damaged.write_bytes(content)
    encoder = opened(children, damaged)
    with memory_file("segment") as output:
        await encoder.make(order(2), {"144p": output})  # whatever it comes to
    answer, data = await make(encoder, order(0))
    assert (answer.problem, len(times(data))) == (None, 60)
    encoder.kill()

    rubbish = tmp_path / "rubbish.mp4"
    rubbish.write_bytes(b"not a video" * 1000)
    encoder = opened(children, rubbish)
    answer, _ = await make(encoder, order(0))
    assert answer.problem is not None
    assert answer.problem.code == "invalid"
    assert encoder.usable
    encoder.kill()


async def test_a_child_that_dies_fails_what_is_waited_for(children: Children) -> None:
    encoder = opened(children, media.clip(6, b_frames=2, audio=False))
    await make(encoder, order(0))
    process = next(iter(children._running)).process
    assert process
    os.kill(process.pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(make(encoder, order(1)))
    await asyncio.sleep(0)
    os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(ChildFailed, match="crashed"):
        await waiting
    await encoder.ended()
    assert not encoder.usable
    with pytest.raises(ChildFailed):
        await make(encoder, order(1))


async def test_who_no_longer_waits_ends_it(children: Children) -> None:
    encoder = opened(children, media.clip(6, b_frames=2, audio=False))
    await make(encoder, order(0))
    waiting = asyncio.ensure_future(make(encoder, order(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await encoder.ended()
    assert not encoder.usable
