"""The RTMP listener on a real loopback socket: publishers as encoders send, and everything that is none."""

import asyncio
import contextlib
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.config import ConfigError, RtmpConfig
from server.formats.amf0 import Value
from server.ingest import broadcasts, rtmp
from server.ingest.rtmp import Listener
from server.protocols.rtmp.limits import Limits
from tests.unit.ingest.conftest import KEY, Studio, until
from tests.unit.protocols.rtmp.client import AAC_CONFIG, AVC_CONFIG, Client, aac, avc

HEVC_CONFIG = b"\x90hvc1" + bytes(24)  # E-RTMP: a key frame, sequence start, FourCC
PICTURE = (30).to_bytes(4, "big") + b"\x65" + bytes(29)


class Encoder:
    """A publisher over a socket; `said` holds the server's commands as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.client = Client()
        self.said: list[list[Value]] = []
        self.ended = False
        self.reset = False
        self.writer = writer
        self._reader = reader
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int | None, context: ssl.SSLContext | None = None) -> AsyncIterator["Encoder"]:
        encoder = cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
        try:
            yield encoder
        finally:
            encoder._reading.cancel()
            encoder.writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await encoder.writer.wait_closed()

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                self.said += self.client.answers(data)
            self.ended = True
        except ConnectionError:
            self.ended = self.reset = True

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def publish(self, key: str = KEY) -> str:
        """Up to the server's word on it: its code."""
        self.send(self.client.until_publish(key))
        return await self.status()

    async def status(self) -> str:
        await until(lambda: self.statuses)
        return str(self.statuses[-1]["code"])

    @property
    def statuses(self) -> list[dict[str, Value]]:
        return [said[3] for said in self.said if said[0] == "onStatus" and isinstance(said[3], dict)]

    @property
    def told(self) -> str:
        """What the encoder's user reads."""
        return str(self.statuses[-1]["description"])

    def media(self, seconds: float = 1.0, start_ms: int = 0) -> None:
        self.send(self.client.video(start_ms, AVC_CONFIG) + self.client.audio(start_ms, AAC_CONFIG))
        for index in range(round(seconds * 25)):
            at_ms = start_ms + index * 40
            self.send(self.client.video(at_ms, avc(PICTURE, key=index % 25 == 0)))
            self.send(self.client.audio(at_ms, aac(b"\x21")))

    def abort(self) -> None:
        """As a crash of the encoder, or a cable: no word."""
        self.writer.transport.abort()


@pytest.fixture
async def listener(studio: Studio) -> AsyncIterator[Listener]:
    config = RtmpConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener:
        yield listener


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
    monkeypatch.setattr(broadcasts, "SILENT_S", 0.0)
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
    ("payload", "codec"),
    [
        (HEVC_CONFIG, "HEVC (hvc1)"),
        (b"\x22" + bytes(20), "Sorenson H.263"),
        (b"\x90av01" + bytes(20), "AV1 (av01)"),
    ],
    ids=["E-RTMP HEVC", "H.263", "E-RTMP AV1"],
)
async def test_an_unsupported_codec_is_told(studio: Studio, listener: Listener, payload: bytes, codec: str) -> None:
    live = await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        broadcast_id = studio.showing(live).broadcast_id
        encoder.send(encoder.client.video(0, payload))

        await until(lambda: encoder.ended)
        assert encoder.told == f"video codec {codec} is not supported; send H.264"
    await until(lambda: studio.over(broadcast_id))
    assert "live-stream.rejected" in await studio.event_types(live)


async def test_malformed_media_is_told(studio: Studio, listener: Listener) -> None:
    await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.send(encoder.client.video(0, b"\x17\x00\x00\x00\x00\x01"))

        await until(lambda: encoder.ended)
        assert encoder.told.startswith("the media is malformed: ")


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
    monkeypatch.setattr(rtmp, "WATCH_S", 0.01)
    listener.limits = Limits(publish_timeout_s=0.1)
    async with Encoder.connect(listener.port) as encoder:
        encoder.send(data)
        await until(lambda: encoder.ended)
    await until(lambda: listener.connections == 0)


async def test_silence_is_closed(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtmp, "WATCH_S", 0.01)
    listener.limits = Limits(publish_timeout_s=0.05)
    async with Encoder.connect(listener.port) as encoder:
        await until(lambda: encoder.ended)
    await until(lambda: listener.connections == 0)


async def test_who_stays_after_the_end_is_sent_away(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp, "WATCH_S", 0.01)
    listener.limits = Limits(publish_timeout_s=0.3)
    await studio.live_stream()
    async with Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(1)
        encoder.send(encoder.client.end(KEY))

        await until(lambda: encoder.ended)


async def test_more_connections_than_allowed_are_refused(studio: Studio) -> None:
    config = RtmpConfig(host="127.0.0.1", port=0, max_publishers=2)  # type: ignore[call-arg]
    async with (
        Listener.open(studio.broadcasts, config) as listener,
        Encoder.connect(listener.port),
        Encoder.connect(listener.port),
        Encoder.connect(listener.port) as third,
    ):
        await until(lambda: third.ended)
        assert (listener.connections, listener.refused) == (2, 1)


# --- the listener


async def test_a_stop_tells_the_publishers_and_keeps_their_broadcasts(studio: Studio) -> None:
    live = await studio.live_stream()
    config = RtmpConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener, Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(1)
        await until(lambda: studio.showing(live).state == "live")
        await listener._close()
        await until(lambda: encoder.ended)
        assert encoder.told == "the server is stopping"
        await studio.stop()
    assert await studio.state(studio.showing(live).broadcast_id) == "interrupted"


async def test_no_socket_is_left(studio: Studio, listener: Listener) -> None:
    await studio.live_stream()
    before = _sockets()
    for end in ("abort", "end", "codec"):
        async with Encoder.connect(listener.port) as encoder:
            await encoder.publish()
            encoder.media(1)
            await until(lambda: studio.broadcasts.publishers())
            if end == "abort":
                encoder.abort()
            else:
                encoder.send(encoder.client.video(2000, HEVC_CONFIG) if end == "codec" else encoder.client.end(KEY))
        await until(lambda: listener.connections == 0 and not studio.broadcasts.publishers())
    await until(lambda: _sockets() == before)


def _sockets() -> int:
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)


async def test_a_port_in_use_is_an_error_that_names_it_and_leaves_none_open(studio: Studio) -> None:
    config = RtmpConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener:
        taken = RtmpConfig(host="127.0.0.1", port=listener.port or 0)  # type: ignore[call-arg]
        with pytest.raises(OSError, match=str(listener.port)):
            async with Listener.open(studio.broadcasts, taken):
                pass


async def test_disabled_it_listens_nowhere(studio: Studio) -> None:
    async with Listener.open(studio.broadcasts, RtmpConfig(enabled=False)) as listener:  # type: ignore[call-arg]
        assert listener.port is None
        assert listener.tls_port is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Self-signed, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return certificate, key


async def test_a_publisher_over_tls(studio: Studio, certificate: tuple[Path, Path]) -> None:
    live = await studio.live_stream()
    config = RtmpConfig(host="127.0.0.1", port=0, tls_port=0, certificate=certificate[0], key=certificate[1])  # type: ignore[call-arg]
    context = ssl.create_default_context(cafile=str(certificate[0]))
    async with Listener.open(studio.broadcasts, config) as listener:
        assert listener.tls_port != listener.port
        async with Encoder.connect(listener.tls_port, context) as encoder:
            assert await encoder.publish() == "NetStream.Publish.Start"
            encoder.media(2)
            await until(lambda: studio.showing(live).stream.statistics.video_frames == 50)
            encoder.send(encoder.client.end(KEY))
            await until(lambda: studio.showing(live).stated)
        await until(lambda: listener.connections == 0)


async def test_a_tls_handshake_that_never_comes_is_given_up(
    studio: Studio, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp, "TLS_TIMEOUT_S", 0.05)
    config = RtmpConfig(host="127.0.0.1", port=0, tls_port=0, certificate=certificate[0], key=certificate[1])  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener, Encoder.connect(listener.tls_port) as encoder:
        await until(lambda: encoder.ended)


def test_a_certificate_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for name in ("bad.pem", "absent.pem"):
        config = RtmpConfig(certificate=tmp_path / name)  # type: ignore[call-arg]
        with pytest.raises(ConfigError, match=f"rtmp.certificate: .*{name}"):
            rtmp.tls_context(config)
