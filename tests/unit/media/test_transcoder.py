"""A real transcoding child, fed with the pictures of small files."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import uvloop

from server.formats.avc import has_idr, video_config
from server.media.child import ChildFailed, Children
from server.media.ladder import Wish
from server.media.transcoding import Settings, Transcoding
from server.media.wire import Config, Dropped, Flush, Message, Status, Unit
from tests.harness.media import clip
from tests.unit.media.coded import coded, decoded
from tests.unit.media.heard import PATIENCE_S, Heard, config_of


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(2) as running:
        yield running


async def transcoded(children: Children, *messages: Message, settings: Settings | None = None) -> Heard:
    """What a child makes of these, from its start to its end."""
    heard = Heard()
    child = Transcoding(children, settings or Settings(), heard)
    running = asyncio.ensure_future(child.run())
    async with asyncio.timeout(PATIENCE_S):
        child.send(*messages)
        child.finish()
        child.send(Flush(99))  # too late
        await running
    assert 99 not in heard.flushed
    return heard


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_renditions_have_the_sources_pictures_and_key_frames(children: Children, b_frames: int) -> None:
    source = coded(clip(3, size="320x180", gop_s=1, b_frames=b_frames))
    heard = await transcoded(children, config_of(source, 7), *source.units, Flush(1))
    shown = sorted(unit.pts for unit in source.units)
    for track, (name, size, every) in enumerate([("144p", (256, 144), 1), ("90p", (160, 90), 2)]):
        (config,), units = heard.configs[track], heard.units[track]
        assert (config.generation, config.facts["name"]) == (7, name)
        assert (parsed := video_config(config.extradata)).sar == (1, 1)
        assert (parsed.width, parsed.height) == size
        assert [unit.pts for unit in units] == shown[::every]
        assert [unit.dts for unit in units] == shown[::every]
        assert [unit.pts for unit in units if unit.key] == source.keys
        assert [unit.pts for unit in units if has_idr(unit.data)] == source.keys
        frames = decoded(config.extradata, units)
        assert [frame.pts for frame in frames] == shown[::every]
        assert {(frame.width, frame.height) for frame in frames} == {size}
    assert heard.configs[1][0].facts["frameRate"] == pytest.approx(15, rel=0.01)
    assert heard.dropped == []


async def test_bits_stay_under_the_ceiling_and_under_the_source(children: Children) -> None:
    low = ("-b:v", "120k", "-maxrate", "130k", "-bufsize", "130k")
    source = coded(clip(10, size="320x180", extra=low))
    wishes = [Wish(180, bitrate=2_000_000), Wish(90, bitrate=50_000)]
    heard = await transcoded(children, config_of(source, wishes=wishes), *source.units)
    assert bits_from(heard.units[0], 4) < bits_from(source.units, 4)  # once the source is known
    assert bits_from(heard.units[1], 0) / 10 < 1.3 * 50_000
    assert [len(heard.configs[track]) for track in (0, 1)] == [1, 1]  # of which viewers notice nothing
    assert [unit.pts for unit in heard.units[0] if unit.key] == source.keys


def bits_from(units: Sequence[Unit], second: int) -> int:
    return sum(len(unit.data) * 8 for unit in units if unit.pts >= second * 90_000)


async def test_generations_one_after_the_other_in_one_child(children: Children) -> None:
    first, second = coded(clip(2, size="320x180", gop_s=1)), coded(clip(2, size="256x144", gop_s=1))
    later = [unit._replace(pts=unit.pts + 900_000, dts=unit.dts + 900_000) for unit in second.units]
    heard = await transcoded(
        children, config_of(first, 1), *first.units, Flush(5), config_of(second, 2), *later, Flush(6)
    )
    assert [config.generation for config in heard.configs[0]] == [1, 2]
    assert heard.flushed == [5, 6]
    before_flush = [type(message) for message in heard.messages[: heard.messages.index(Flush(5))]]
    assert before_flush.count(Unit) == 60 + 30  # all of both, though nothing had followed
    assert [unit.pts for unit in heard.units[0] if unit.key] == [0, 90_000, 900_000, 990_000]


async def test_a_short_stream_comes_out_whole(children: Children) -> None:
    source = coded(clip(2, size="320x180"))
    heard = await transcoded(children, config_of(source), *source.units[:3])
    assert [unit.pts for unit in heard.units[0]] == [unit.pts for unit in source.units[:3]]


async def test_damage_is_left_out_and_a_lost_key_frame_made_up_for(children: Children) -> None:
    source = coded(clip(3, size="320x180", gop_s=1))
    units = list(source.units)
    units[10] = units[10]._replace(data=b"\0\0\0\4\x41nil")
    units[30] = units[30]._replace(data=b"\xff\xff\xff\xff")  # the second key frame
    heard = await transcoded(children, config_of(source), *units)
    keys = [unit.pts for unit in heard.units[0] if unit.key]
    assert keys[0] == 0
    assert 90_000 < keys[1] < 180_000  # the decoder's next good picture
    assert keys[2] == 180_000
    assert len(decoded(heard.configs[0][0].extradata, heard.units[0])) == len(heard.units[0]) > 70


async def test_a_codec_without_a_decoder_gives_all_renditions_up(children: Children) -> None:
    source = coded(clip(2, size="320x180"))
    config = config_of(source)._replace(extradata=b"\0\0\0\x08nope")
    heard = await transcoded(children, config, *source.units, Flush(1))
    assert heard.dropped == [Dropped("144p", "no decoder for nope"), Dropped("90p", "no decoder for nope")]
    assert heard.flushed == [1]


async def test_an_encoder_that_is_not_there_is_stood_in_for(children: Children) -> None:
    source = coded(clip(2, size="320x180"))
    heard = await transcoded(
        children, config_of(source), *source.units, settings=Settings(encoder="h264_videotoolbox")
    )
    assert len(heard.units[0]) == 60


async def test_it_speaks_every_second_and_counts(children: Children) -> None:
    source = coded(clip(2, size="320x180"))
    heard = Heard()
    child = Transcoding(children, Settings(), heard)
    running = asyncio.ensure_future(child.run())
    async with asyncio.timeout(PATIENCE_S):
        child.send(config_of(source), *source.units, Flush(1))
        await heard.until_flushed(1)
        heard.messages.clear()
        while not any(isinstance(message, Status) for message in heard.messages):
            await asyncio.sleep(0.05)
        (status,) = [message for message in heard.messages if isinstance(message, Status)]
        assert status.facts == {"behindMs": 0, "pictures": 60, "damaged": 0}
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert not child.writable


async def test_a_child_that_is_killed_says_so(children: Children) -> None:
    heard = Heard()
    child = Transcoding(children, Settings(), heard)
    running = asyncio.ensure_future(child.run())
    async with asyncio.timeout(PATIENCE_S):
        child.send(Config(0, 0, {}, b""))
        with pytest.raises(ChildFailed, match="crashed"):
            await running
    assert not child.writable


def test_with_the_servers_own_event_loop() -> None:
    """Its transports are of other classes."""
    source = coded(clip(2, size="320x180"))

    async def main() -> Heard:
        async with Children(1) as children:
            return await transcoded(children, config_of(source, wishes=[Wish(90)]), *source.units)

    assert len(uvloop.run(main()).units[0]) == 60
