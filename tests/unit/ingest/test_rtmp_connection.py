"""RTMP connections on a real loopback socket: publishers as encoders send, and everything that is none."""

import os
from collections.abc import AsyncIterator

import pytest
import structlog

from server.catalog import live_streams
from server.config import RtmpConfig
from server.formats import flv
from server.ingest import admission, rtmp_connection
from server.ingest.reading import Reading
from server.ingest.rtmp import Listener
from server.ingest.rtmp_media import MAX_BROKEN
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.message import USER_CONTROL, VIDEO
from tests.unit.ingest.conftest import KEY, Studio, until
from tests.unit.ingest.encoder import PICTURE, SORENSON, Encoder
from tests.unit.protocols.rtmp.client import avc

# --- publishers


async def test_a_publisher_goes_live_and_its_end_ends_the_broadcast(studio: Studio, listener: Listener) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        assert await encoder.publish() == "NetStream.Publish.Start"
        encoder.media(3)
        broadcast_id = studio.showing(live).broadcast_id
        await until(lambda: studio.state_is(broadcast_id, "live"))
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 75)
        assert listener.connections == 1
        assert listener.received > 75 * len(PICTURE)

        encoder.send(encoder.client.end(KEY))
        await until(lambda: studio.over(broadcast_id))
    await until(lambda: listener.connections == 0)
    row = await studio.row(broadcast_id)
    assert row
    assert row.end_reason == "ended by the publisher (FCUnpublish)"
    renditions = studio.showing(live).packager.renditions
    assert {name: rendition.window.next_msn for name, rendition in renditions.items()} == {"video": 2, "audio": 2}


async def test_a_wrong_key_is_told_before_the_end(studio: Studio, listener: Listener) -> None:
    async with Encoder.connect(listener.port) as encoder:
        assert await encoder.publish("no-such-key") == "NetStream.Publish.BadName"
        assert encoder.told == "unknown stream key"
        await until(lambda: encoder.ended)
        assert not encoder.reset
    await until(lambda: listener.connections == 0)


async def test_a_busy_key_is_told_and_the_first_goes_on(studio: Studio, listener: Listener) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as first, Encoder.connect(listener.port) as second:
        await first.publish()
        first.media(1)
        assert await second.publish() == "NetStream.Publish.BadName"
        assert second.told == "the stream key is in use by another publisher"
        first.media(1, start_ms=1000)
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 50)
        assert not first.ended


async def test_a_silent_publisher_is_taken_over(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "SILENT_S", 0.0)
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as first, Encoder.connect(listener.port) as second:
        await first.publish()
        first.media(1)
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 25)
        assert await second.publish() == "NetStream.Publish.Start"
        second.media(1)

        await until(lambda: first.ended)
        assert first.told == "taken over by a new publisher with the same key"
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 50)
        assert listener.connections == 1
        assert await studio.state(studio.showing(live).broadcast_id) == "live"


async def test_a_lost_connection_interrupts_and_who_returns_goes_on(studio: Studio, listener: Listener) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(2)
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 50)
        broadcast_id = studio.showing(live).broadcast_id
        encoder.abort()
    await until(lambda: studio.state_is(broadcast_id, "interrupted"))
    await until(lambda: listener.connections == 0)

    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(2)
        await until(lambda: studio.state_is(broadcast_id, "live"))


async def test_media_before_the_answer_is_not_lost(studio: Studio, listener: Listener) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        encoder.send(encoder.client.until_publish(KEY))
        encoder.media(1)

        await until(lambda: studio.broadcasts.get(live))
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 25)


@pytest.mark.parametrize(
    ("payload", "codec"), [(SORENSON, "Sorenson H.263"), (b"\x90vp08" + bytes(20), "VP8 (vp08)")], ids=["H.263", "VP8"]
)
async def test_an_unsupported_codec_is_told(studio: Studio, listener: Listener, payload: bytes, codec: str) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        broadcast_id = studio.showing(live).broadcast_id
        encoder.send(encoder.client.video(0, payload))

        await until(lambda: encoder.ended)
        assert encoder.told == f"video codec {codec} is not supported; send H.264, HEVC, AV1 or VP9"
    await until(lambda: studio.over(broadcast_id))
    assert "live-stream.rejected" in await studio.event_types(live)


async def test_malformed_media_is_told(studio: Studio, listener: Listener) -> None:
    await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.send(encoder.client.video(0, b"\x17\x00\x00\x00\x00\x01"))
        for at_ms in range(0, 40 * MAX_BROKEN, 40):
            encoder.send(encoder.client.video(at_ms, avc(PICTURE)))

        await until(lambda: encoder.ended)
        assert encoder.told == "the media is malformed: pictures come without a decoder configuration"


async def test_completion_over_the_api_closes_the_connection(studio: Studio, listener: Listener) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(1)
        await until(lambda: studio.showing(live).stream.statistics.video_frames)
        await studio.broadcasts.complete(live)

        await until(lambda: encoder.ended)
        assert encoder.told == "completed over the API"
    assert (await studio.stream(live)).state == "idle"


async def test_a_publisher_that_falls_silent_is_dropped_and_may_return(studio: Studio, listener: Listener) -> None:
    listener.limits = Limits(idle_timeout_s=0.05)
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(1)
        await until(lambda: studio.showing(live).state == "live")

        await until(lambda: encoder.ended)
    assert studio.showing(live).state == "interrupted"
    await until(lambda: listener.connections == 0)


async def test_a_fault_of_ours_cuts_one_publisher_off(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, _ = await studio.live_stream(), await studio.live_stream("other")
    async with Encoder.connect(listener.port) as first, Encoder.connect(listener.port) as second:
        await first.publish()
        await second.publish("other")
        first.media(1)
        second.media(1)
        await until(lambda: sum(on_air.state == "live" for on_air in studio.broadcasts.all()) == 2)
        monkeypatch.setattr(studio.showing(live).stream, "write_video", _fail)
        first.media(1, start_ms=1000)
        second.media(1, start_ms=1000)

        await until(lambda: first.ended)
        other = next(on_air for on_air in studio.broadcasts.all() if on_air.live_stream_id != live)
        await until(lambda: other.stream.statistics.video_frames == 50)
    assert studio.showing(live).state == "interrupted"


def _fail(*_: object) -> None:
    raise RuntimeError("a bug")


async def test_a_catalogue_that_fails_is_told(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    await studio.live_stream()
    monkeypatch.setattr(studio.broadcasts, "_begin", _fail)
    async with Encoder.connect(listener.port) as encoder:
        assert await encoder.publish() == "NetStream.Publish.BadName"
        assert encoder.told == "the server can't take the stream now, try again"
        await until(lambda: encoder.ended)


async def test_who_leaves_before_the_answer_leaves_no_publisher(studio: Studio, listener: Listener) -> None:
    live = await studio.live_stream()
    async with studio.broadcasts._registry.lock(live):
        async with Encoder.connect(listener.port) as encoder:
            encoder.send(encoder.client.until_publish(KEY))
            await until(lambda: studio.broadcasts._registry.lock(live)._waiters)
            encoder.abort()
        await until(lambda: listener.connections == 0)

    await until(lambda: studio.broadcasts.get(live) and studio.showing(live).stated)
    assert studio.broadcasts.publishers() == 0


# --- what is no publisher


@pytest.mark.parametrize(
    "data",
    [
        os.urandom(3000),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01" + bytes(3000),
        b"\x03" + bytes(1536) + b"x",
    ],
    ids=["noise", "HTTP", "TLS", "half a handshake"],
)
async def test_garbage_is_closed(
    listener: Listener, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp_connection, "WATCH_S", 0.01)
    listener.limits = Limits(publish_timeout_s=0.1)
    async with Encoder.connect(listener.port) as encoder:
        encoder.send(data)
        await until(lambda: encoder.ended)
    await until(lambda: listener.connections == 0)


async def test_the_log_tells_who_was_refused(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = structlog.testing.LogCapture()
    monkeypatch.setattr(rtmp_connection, "_log", structlog.wrap_logger(None, processors=[lines]))
    async with Encoder.connect(listener.port) as encoder:
        encoder.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: encoder.ended)
    await until(lambda: listener.connections == 0)

    assert (lines.entries[-1]["event"], lines.entries[-1]["peer"]) == ("closed", "127.0.0.1")


async def test_silence_is_closed(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtmp_connection, "WATCH_S", 0.01)
    listener.limits = Limits(publish_timeout_s=0.05)
    async with Encoder.connect(listener.port) as encoder:
        await until(lambda: encoder.ended)
    await until(lambda: listener.connections == 0)


async def test_who_stays_after_the_end_is_sent_away(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp_connection, "WATCH_S", 0.01)
    listener.limits = Limits(publish_timeout_s=0.3)
    await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(1)
        encoder.send(encoder.client.end(KEY))

        await until(lambda: encoder.ended)


# --- players


@pytest.fixture
async def playing(studio: Studio) -> AsyncIterator[Listener]:
    """A listener that lets players in, by key or by the token `good`."""

    async def may_watch(name: str, token: str, address: str) -> str | None:
        return name if (token, address) == ("good", "127.0.0.1") else None

    reading = Reading(studio.database, studio.broadcasts, may_watch)
    config = RtmpConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config, reading) as listener:
        yield listener


async def test_players_get_the_stream_as_it_was_sent(studio: Studio, playing: Listener) -> None:
    live = await studio.live_stream()
    async with (
        Encoder.connect(playing.port) as encoder,
        Encoder.connect(playing.port) as by_key,
        Encoder.connect(playing.port) as by_token,
    ):
        await encoder.publish()
        encoder.media(1)
        await until(lambda: studio.showing(live).state == "live")
        assert await by_key.play(KEY) == "NetStream.Play.Start"
        assert await by_token.play(f"{live}?token=good") == "NetStream.Play.Start"
        encoder.media(2, start_ms=1000)

        assert (playing.players, playing.dropped, playing.unplayed) == (2, 0, 0)
        for player in (by_key, by_token):
            await until(lambda player=player: len(player.seen) >= 2 + 50 + 40)  # type: ignore[misc]
            video = [flv.parse_video(message.payload) for message in player.seen if message.type == VIDEO]
            assert isinstance(video[0], list)
            first = video[1]
            assert isinstance(first, flv.VideoFrame)
            assert (first.key, bytes(first.data)) == (True, PICTURE)
            times = [message.timestamp for message in player.seen if message.type == VIDEO][1:]
            assert times[:3] == [1000, 1040, 1080]

        by_key.send(by_key.client.command("deleteStream", None, 1.0))
        encoder.send(encoder.client.end(KEY))
        await until(lambda: by_token.ended)
        assert by_token.told == "the broadcast has ended"
        await until(lambda: by_key.statuses[-1]["code"] == "NetStream.Play.Stop")
    await until(lambda: playing.connections == 0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no-such-key", "unknown stream key"),
        ("li1?token=bad", "the token does not open this"),
        (KEY, "the live stream is not on air"),
    ],
)
async def test_a_player_who_may_not_is_told(studio: Studio, playing: Listener, name: str, reason: str) -> None:
    await studio.live_stream()
    async with Encoder.connect(playing.port) as player:
        assert await player.play(name) == "NetStream.Play.StreamNotFound"
        assert player.told == reason
        await until(lambda: player.ended)
    await until(lambda: playing.connections == 0)


async def test_without_a_door_nothing_is_played(listener: Listener) -> None:
    async with Encoder.connect(listener.port) as player:
        assert await player.play(KEY) == "NetStream.Play.StreamNotFound"
        assert player.told == "streams are watched over HTTP, not RTMP"


async def test_a_player_whose_door_fails_is_told(
    studio: Studio, playing: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_streams, "by_key", _fail)
    async with Encoder.connect(playing.port) as player:
        assert await player.play(KEY) == "NetStream.Play.StreamNotFound"
        assert player.told == "the server can't take the stream now, try again"


async def test_a_player_that_goes_costs_the_publisher_nothing(studio: Studio, playing: Listener) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(playing.port) as encoder:
        await encoder.publish()
        encoder.media(1)
        await until(lambda: studio.showing(live).state == "live")
        async with Encoder.connect(playing.port) as player:
            await player.play(KEY)
            encoder.media(1, start_ms=1000)
            await until(lambda: player.seen)
            player.abort()
        await until(lambda: playing.connections == 1)
        encoder.media(1, start_ms=2000)
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 75)
        assert not encoder.ended


async def test_who_asks_and_reads_nothing_is_let_go(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp_connection, "MAX_UNREAD", 32 << 10)
    await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.writer.transport.pause_reading()  # type: ignore[attr-defined]
        ping = encoder.client.send(2, USER_CONTROL, 0, 0, (6).to_bytes(2, "big") + bytes(4))

        async def gone() -> bool:
            encoder.send(ping * 500)
            return listener.connections == 0

        await until(gone, 10)
