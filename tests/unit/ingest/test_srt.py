"""The SRT listener with a caller of our own core on loopback, and a broadcast on real files."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import update

from server import clock
from server.catalog.models import LiveStream
from server.config import SrtConfig
from server.ingest.on_air import OnAir
from server.ingest.srt import SrtListener
from server.protocols.srt.caller import Caller
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Closed, Connected, Data, Event
from server.protocols.srt.reject import Code
from tests.harness import media
from tests.unit.ingest.conftest import KEY, Studio

CONFIG = SrtConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
TICK_S = 0.005
LIMIT_S = 40.0
PASSPHRASE = "a secret of ours"


class Peer:
    """A caller on a socket of its own."""

    def __init__(self, port: int, stream_id: str, passphrase: str = "", key_bits: int = 128) -> None:
        self.events: list[Event] = []
        self.received = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.core = Caller(
            ("127.0.0.1", port), now_us(), stream_id=stream_id, passphrase=passphrase, key_bits=key_bits
        )
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            datagrams: list[tuple[bytes, Any]] = []
            with suppress(BlockingIOError):
                while True:
                    datagrams.append(self.socket.recvfrom(2048))
            for event in self.core.receive_many(datagrams, now_us()) + self.core.handle_timeout(now_us()):
                if isinstance(event, Data):
                    self.received += b"".join(event.messages)
                else:
                    self.events.append(event)
            self.flush()
            await asyncio.sleep(TICK_S)

    def flush(self) -> None:
        for datagram, address in self.core.datagrams_to_send():
            self.socket.sendto(datagram, address)

    async def connected(self) -> Connection:
        await until(lambda: bool(self.events))
        (event,) = self.events
        assert isinstance(event, Connected), event
        return event.connection

    async def code(self) -> int:
        """Of its refusal."""
        await until(lambda: bool(self.events))
        (event,) = self.events
        assert isinstance(event, Closed)
        return event.code

    async def send(self, data: bytes) -> None:
        connection = await self.connected()
        for at in range(0, len(data), 1316):
            assert connection.send(data[at : at + 1316], now_us())
            if at % 131_600 == 0:
                await asyncio.sleep(TICK_S)

    async def end(self, *, silently: bool = False) -> None:
        self._task.cancel()
        if not silently:
            self.core.close(now_us())
            self.flush()
        self.socket.close()


def now_us() -> int:
    return int(clock.monotonic() * 1e6)


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not what():
            await asyncio.sleep(TICK_S)


@asynccontextmanager
async def calling(listener: SrtListener, stream_id: str, *more: Any) -> AsyncIterator[Peer]:
    assert listener.port
    peer = Peer(listener.port, stream_id, *more)
    try:
        yield peer
    finally:
        await peer.end()


async def change(studio: Studio, **values: Any) -> None:
    async with studio.database.write() as transaction:
        await transaction.execute(update(LiveStream).values(**values))


@pytest.fixture
async def listener(studio: Studio) -> AsyncIterator[SrtListener]:
    await studio.live_stream()
    async with SrtListener.open(studio.broadcasts, studio.database, CONFIG) as opened:
        yield opened


def only(studio: Studio) -> OnAir:
    (on_air,) = studio.broadcasts.all()
    return on_air


def source() -> bytes:
    return media.clip(2, b_frames=2, extension="ts").read_bytes()


async def test_media_of_a_publisher_reaches_its_broadcast(studio: Studio, listener: SrtListener) -> None:
    async with calling(listener, KEY) as peer:
        await peer.send(source())
        on_air = only(studio)
        await until(lambda: on_air.stream.statistics.video_frames >= 59)

        assert on_air.state == "live"
        assert set(on_air.packager.renditions) == {"video", "audio"}
        publisher = on_air.publisher
        assert publisher is not None
        await until(lambda: publisher.connection.facts().link.received > 0)  # type: ignore[union-attr]
        facts = publisher.connection.facts()
        assert (facts.peer, facts.encoder) == ("127.0.0.1", f"SRT {(await peer.connected()).version}")
        assert facts.counters["ts_gaps"] == 0
        assert clock.monotonic() - publisher.connection.last_heard() < 5


async def test_a_shutdown_ends_the_broadcast(studio: Studio, listener: SrtListener) -> None:
    async with calling(listener, f"#!::r={KEY},m=publish") as peer:
        await peer.send(source())
        on_air = only(studio)
        await until(lambda: on_air.state == "live")
    await until(lambda: on_air.state == "ended")


@pytest.mark.parametrize(
    ("stream_id", "code"),
    [
        ("nobody", Code.UNAUTHORIZED),
        ("", Code.BAD_REQUEST),
        (f"#!::r={KEY},m=bidirectional", Code.BAD_REQUEST),
        (f"#!::r={KEY},m=request", Code.NOT_FOUND),
        ("#!::r=nobody,m=request", Code.UNAUTHORIZED),
        (f"#!::r={KEY},m=request,t=token", Code.UNAUTHORIZED),
    ],
)
async def test_callers_are_refused(stream_id: str, code: Code, studio: Studio, listener: SrtListener) -> None:
    async with calling(listener, stream_id) as peer:
        assert await peer.code() == code
    assert listener.refused == {code.name.lower(): 1}
    assert not list(studio.broadcasts.all())


@pytest.mark.parametrize(
    ("passphrase", "bits", "code"),
    [("", 0, Code.FORBIDDEN), ("another secret", 256, Code.BAD_SECRET), (PASSPHRASE, 128, Code.FORBIDDEN)],
)
async def test_the_secret_is_checked_before_anything_happens(
    passphrase: str, bits: int, code: Code, studio: Studio, listener: SrtListener
) -> None:
    await change(studio, srt_passphrase=PASSPHRASE, srt_min_key_bits=256)
    async with calling(listener, KEY, passphrase, bits or 128) as peer:
        assert await peer.code() == code
    assert not list(studio.broadcasts.all())

    async with calling(listener, KEY, PASSPHRASE, 256) as peer:
        await peer.connected()


async def test_a_key_in_use_and_a_disabled_stream(studio: Studio, listener: SrtListener) -> None:
    async with calling(listener, KEY) as first:
        await first.send(source())
        async with calling(listener, KEY) as second:
            assert await second.code() == Code.CONFLICT
    await change(studio, state="disabled")
    async with calling(listener, KEY) as third:
        assert await third.code() == Code.FORBIDDEN


async def test_completing_a_broadcast_hangs_up(studio: Studio, listener: SrtListener) -> None:
    async with calling(listener, KEY) as peer:
        await peer.send(source())
        on_air = only(studio)
        await until(lambda: on_air.state == "live")
        await studio.broadcasts.complete(on_air.live_stream_id)
        await until(lambda: len(peer.events) == 2)
    await until(lambda: listener.connections == 0)


async def test_a_reader_gets_mpeg_ts_from_the_next_key_frame(studio: Studio, listener: SrtListener) -> None:
    async with calling(listener, f"#!::r={KEY},m=request") as early:
        assert await early.code() == Code.NOT_FOUND
    async with calling(listener, KEY) as publisher:
        await publisher.connected()
        async with calling(listener, f"play:{KEY}") as reader:
            await reader.connected()
            await publisher.send(source() * 1)
            await until(lambda: len(reader.received) > 30_000)
            assert reader.received[:3] == b"\x47\x40\0"
            await publisher.end()
            await until(lambda: len(reader.events) == 2)  # the broadcast has ended


async def test_a_codec_that_is_not_taken_ends_with_a_reason(studio: Studio, listener: SrtListener) -> None:
    async with calling(listener, KEY) as peer:
        await peer.send(media.clip(1, extension="ts", extra=("-c:v", "mpeg2video")).read_bytes())
        await until(lambda: len(peer.events) == 2)
    on_air = only(studio)
    await until(lambda: on_air.state == "ended")


async def test_a_port_in_use_is_said(studio: Studio) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        config = CONFIG.model_copy(update={"port": taken.getsockname()[1]})
        with pytest.raises(OSError, match="SRT can't listen on UDP"):
            async with SrtListener.open(studio.broadcasts, studio.database, config):
                pass


async def test_nothing_listens_where_it_is_not_enabled(studio: Studio) -> None:
    config = CONFIG.model_copy(update={"enabled": False})
    async with SrtListener.open(studio.broadcasts, studio.database, config) as closed:
        assert closed.port is None


async def test_numbers(studio: Studio, listener: SrtListener) -> None:
    assert listener.receive_buffer > 0
    assert listener.alive
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        noise.sendto(b"rubbish", ("127.0.0.1", listener.port or 0))
        await until(lambda: listener.ignored()["malformed"] == 1)
    async with calling(listener, KEY) as peer:
        await peer.send(source())
        await until(lambda: listener.packets()["received"] > 100)
        assert listener.connections == 1
    assert listener.received > 0
