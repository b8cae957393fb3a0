"""One connection to an RTMP platform."""

import asyncio
import ssl
from pathlib import Path

import pytest

from server.formats import flv
from server.formats.sample import VideoConfig
from server.protocols.rtmp.events import VIDEO as VIDEO_TAG
from server.protocols.rtmp.url import of_target
from server.restream.link import LinkFailed
from server.restream.rtmp_link import RtmpLink, enhanced
from server.stream import flv_reader
from tests.harness.certificates import make_certificate
from tests.unit.restream.elsewhere import KEY, VIDEO, WRONG, Broadcast, Platform, until


async def linked(platform: Platform, broadcast: Broadcast, key: str = KEY) -> "asyncio.Task[None]":
    """A link that has begun, or has failed."""
    began = asyncio.Event()
    link = RtmpLink(of_target(platform.url, key), private=True)
    task = asyncio.create_task(link.run(broadcast.stream, began.set))
    await until(lambda: task.done() or began.is_set())
    return task


async def test_the_broadcast_arrives_from_a_key_frame_and_ends_as_it_should() -> None:
    broadcast, platform = Broadcast().begin().send(0.4), Platform()
    async with platform.running():
        task = await linked(platform, broadcast)
        broadcast.send(2)
        await until(lambda: len(platform.media) > 20)
        broadcast.stream.end()
        await task
        await until(lambda: platform.ended)
    assert platform.ended == ["FCUnpublish"]
    parsed = [flv.parse_video(each.payload) for each in platform.media if each.kind == VIDEO_TAG]
    first, second, *_ = [tag for tags in parsed for tag in (tags if isinstance(tags, list) else [tags])]
    assert isinstance(first, flv.VideoConfigRecord)
    assert isinstance(second, flv.VideoFrame)
    assert second.key


async def test_a_cancelled_link_says_goodbye() -> None:
    broadcast, platform = Broadcast().begin().send(), Platform()
    async with platform.running():
        task = await linked(platform, broadcast)
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: platform.ended)
    broadcast.send()  # nobody reads any more


async def test_a_wrong_key_is_lasting_and_not_repeated() -> None:
    broadcast, platform = Broadcast().begin().send(), Platform()
    async with platform.running():
        with pytest.raises(LinkFailed, match=r"BadName: who is \*\*\*\?") as failed:
            await (await linked(platform, broadcast, WRONG))
    assert failed.value.lasting


async def test_nobody_there() -> None:
    platform = Platform()
    async with platform.running():
        pass
    with pytest.raises(LinkFailed) as failed:
        await (await linked(platform, Broadcast()))
    assert not failed.value.lasting


async def test_a_platform_that_does_not_read_is_dropped_to_key_frames_and_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flv_reader, "STALLED_S", 0.05)
    broadcast, platform = Broadcast().begin().send(), Platform(deaf=True)
    async with platform.running():
        link = RtmpLink(of_target(platform.url, KEY), private=True)
        began = asyncio.Event()
        task = asyncio.create_task(link.run(broadcast.stream, began.set))
        await until(began.is_set)
        async with asyncio.timeout(10):
            while not task.done():
                broadcast.send(0.4, size=500_000)
                assert link.behind() < flv_reader.MOST_BEHIND + 2 * 500_000  # it was too much with the last picture
                await asyncio.sleep(0.01)
        with pytest.raises(LinkFailed, match="too slow"):
            await task
    assert link.dropped > 0


async def test_certificates_are_verified(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    broadcast, platform = Broadcast().begin().send(), Platform()
    async with platform.running(context):
        url = of_target(platform.url.replace("rtmp:", "rtmps:"), KEY)
        with pytest.raises(LinkFailed, match="TLS: CERTIFICATE_VERIFY_FAILED"):
            await RtmpLink(url, private=True).run(broadcast.stream, lambda: None)
        trusting = ssl.create_default_context(cafile=str(certificate))
        began = asyncio.Event()
        task = asyncio.create_task(RtmpLink(url, True, trusting).run(broadcast.stream, began.set))
        await until(began.is_set)
        task.cancel()
        await asyncio.wait([task])


def test_codecs_that_need_enhanced_rtmp_are_named() -> None:
    broadcast = Broadcast().begin()
    assert enhanced(broadcast.stream) == []
    entry = VIDEO.sample_entry[:4] + b"hvc1" + VIDEO.sample_entry[8:]
    broadcast.stream.configure(VideoConfig("hvc1.1.6.L93.B0", 90_000, 640, 360, entry), 0)
    assert enhanced(broadcast.stream) == ["hvc1"]
    broadcast.stream.configure(VideoConfig("dvh1.x", 90_000, 640, 360, entry[:4] + b"dvh1" + entry[8:]), 0)
    with pytest.raises(LinkFailed, match="can't carry") as failed:
        enhanced(broadcast.stream)
    assert failed.value.lasting
