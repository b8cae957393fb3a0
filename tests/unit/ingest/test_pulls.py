"""Sources that are pulled: from a listener in this process into a broadcast of it."""

import socket
from typing import Any

import pytest

from server.ingest.broadcasts import Broadcasts
from server.ingest.pull import MAX_HELD_BYTES, Held
from server.ingest.pull_source import read, resolve
from server.ingest.pull_state import PullStatus, SourceFailed
from server.ingest.pulls import Pulls
from server.ingest.reading import Reading
from server.ingest.rtmp import Listener
from server.protocols.backoff import Pace
from tests.unit.ingest.conftest import KEY, Studio, send, until

QUICK = Pace(first_s=0.02, longest_s=0.05, lasting_s=0.05)


def pulls(studio: Studio, **more: Any) -> Pulls:
    return Pulls(studio.database, studio.broadcasts, **{"private": True, "pace": QUICK, **more})


async def nobody(text: str, token: str, ip: str) -> None:
    return None


async def test_a_source_is_pulled_until_it_is_disabled(studio: Studio, listener: Listener) -> None:
    broadcasts: Broadcasts = studio.broadcasts
    listener.reading = Reading(studio.database, broadcasts, nobody)
    url = f"rtmp://127.0.0.1:{listener.port}/live/{KEY}"
    await studio.live_stream()
    pulled = await studio.live_stream("another-key", source_url=url)
    service = pulls(studio)
    async with service.running():
        await until(lambda: service.states()["errored"])
        found = service.status(pulled)
        assert found is not None
        assert "not on air" in found.reason
        assert KEY not in found.reason
        origin = await studio.publish()
        send(origin)
        sent_s = 3

        async def goes_on() -> bool:
            nonlocal sent_s
            send(origin, 0.4, start_ms=sent_s * 1000, gop_s=0.4)
            sent_s += 1
            on_air = broadcasts.get(pulled)
            return on_air is not None and on_air.stream.statistics.audio_frames > 0

        await until(goes_on, 10)
        assert service.states()["pulling"] == 1
        on_air = studio.showing(pulled)
        assert on_air.publisher is not None
        assert on_air.publisher.connection.facts().encoder == "pulled"
        await studio.change(pulled, state="disabled")
        service.changed(await studio.stream(pulled))
        assert service.status(pulled) is None
        await until(lambda: on_air.publisher is None)
    events = await studio.event_types(pulled)
    assert "live-stream.source.status" in events


async def test_a_publisher_with_the_key_goes_before(studio: Studio, listener: Listener) -> None:
    listener.reading = Reading(studio.database, studio.broadcasts, nobody)
    _, origin = await studio.on_air()
    url = f"rtmp://127.0.0.1:{listener.port}/live/{KEY}"
    pulled = await studio.live_stream("another-key", source_url=url)
    send(await studio.publish(key="another-key"))
    service = pulls(studio)
    async with service.running():
        await until(lambda: service.states()["errored"], 10)
        status = service.status(pulled)
        assert status is not None
        assert "in use" in status.reason
    assert origin.current


async def test_private_sources_may_be_refused(studio: Studio) -> None:
    pulled = await studio.live_stream("another-key", source_url="srt://127.0.0.1:9?streamid=x")
    service = pulls(studio, private=False)
    async with service.running():
        await until(lambda: service.states()["errored"])
        status = service.status(pulled)
        assert status is not None
        assert "private address" in status.reason


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "http://h/x", "http:///a.m3u8", "concat:rtmp://h/a/b", "rtmp://h/app", "srt://h"],
)
def test_only_what_is_known_is_opened(url: str) -> None:
    with pytest.raises(ValueError, match="the URL"):
        read(url)


@pytest.mark.parametrize("name", ["nowhere.invalid", "a..b", "a" * 70 + ".com"])
async def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(SourceFailed, match="can't be resolved"):
        await resolve(name, 1, socket.SOCK_STREAM, True)


def test_media_of_a_source_in_admission_is_bounded() -> None:
    held = Held()
    held.add("a", 10)
    assert held.release() == ["a"]
    held.add("b", MAX_HELD_BYTES)
    held.add("c", 1)
    assert held.release() == []


def test_states_follow_the_table() -> None:
    status = PullStatus()
    with pytest.raises(ValueError, match="idle can't become pulling"):
        status.move("pulling")


async def test_the_files_of_a_playlist_may_not_be_private_either(studio: Studio) -> None:
    pulled = await studio.live_stream("another-key", source_url="https://192.0.2.1/live.m3u8?token=x")
    service = pulls(studio, private=False)
    async with service.running():
        await until(lambda: service.states()["errored"])
        status = service.status(pulled)
        assert status is not None
        assert "private address" in status.reason


async def test_a_playlist_that_is_none_is_said(studio: Studio) -> None:
    pulled = await studio.live_stream("another-key", source_url="http://127.0.0.1:9/nothing.m3u8")
    service = pulls(studio)
    async with service.running():
        await until(lambda: service.states()["errored"], 20)
        status = service.status(pulled)
        assert status is not None
        assert "the source can't be read: Connection refused" in status.reason


async def test_a_fault_of_ours_is_not_the_end_of_a_source(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.reading = Reading(studio.database, studio.broadcasts, nobody)
    _, origin = await studio.on_air()
    url = f"rtmp://127.0.0.1:{listener.port}/live/{KEY}"
    await studio.live_stream("another-key", source_url=url)
    publish, failures = studio.broadcasts.publish, [RuntimeError("the catalogue is gone")]

    async def fails_once(key: str, connection: Any) -> Any:
        if failures:
            raise failures.pop()
        return await publish(key, connection)

    monkeypatch.setattr(studio.broadcasts, "publish", fails_once)
    service = pulls(studio)
    sent_s = 3

    async def goes_on() -> bool:
        nonlocal sent_s
        send(origin, 0.4, start_ms=sent_s * 1000, gop_s=0.4)
        sent_s += 1
        return bool(service.states()["pulling"])

    async with service.running():
        await until(goes_on, 10)
    assert not failures
