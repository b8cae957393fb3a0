"""The SRT listener: who may publish or read through its port, by the stream id, and under which passphrase.

A caller waits while the catalogue is asked; then its key is checked, then the broadcast, and only then it is accepted,
so that a refusal comes with its code: 1400 malformed stream id, 10 and 11 passphrase, 1401 unknown key, 1403 disabled
or too short a key, 1404 nothing to read, 1409 the key is in use, 1503 try again, 1402 too many connections.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from server import log
from server.catalog import live_streams
from server.catalog.database import Database
from server.catalog.models import LiveStream
from server.config import SrtConfig
from server.ingest.broadcasts import Broadcasts
from server.ingest.on_air import Cause, Refused
from server.ingest.srt_connection import SrtPublisher, SrtReader
from server.ingest.srt_port import RECEIVE_BUFFER, Peer, Port
from server.protocols.srt.events import ConnectionRequested
from server.protocols.srt.limits import Limits
from server.protocols.srt.listener import Listener as Core
from server.protocols.srt.listener import Refusal
from server.protocols.srt.reject import Code, words
from server.protocols.srt.stream_id import Mode, StreamId, StreamIdError, parse

ADMISSIONS = 16  # at once: a flood of callers must not take every connection to the database
STOP_S = 2.0  # a stopping server waits this long for the catalogue's word on who came last

CODES: Mapping[Cause, Code] = {
    "unknown": Code.UNAUTHORIZED,
    "disabled": Code.FORBIDDEN,
    "busy": Code.CONFLICT,
    "unavailable": Code.UNAVAILABLE,
}

# Live stream id in any spelling, playback token, address → the id, None for a token that does not open it.
MayWatch = Callable[[str, str, str], Awaitable[str | None]]

_log = log.get("srt")


class _Refused(Exception):
    """The caller is told this code."""

    def __init__(self, code: Code, reason: str = "") -> None:
        super().__init__(reason or words(code))
        self.code = code


@dataclass(frozen=True, slots=True)
class _Secrets:
    passphrase: str
    min_key_bits: int


async def _nobody(live_stream_id: str, token: str, address: str) -> str | None:
    return None


class SrtListener:
    """`async with SrtListener.open(…)`."""

    def __init__(self, broadcasts: Broadcasts, database: Database, config: SrtConfig, may_watch: MayWatch) -> None:
        self.refused: Counter[str] = Counter()  # callers, by the code's name
        self._broadcasts = broadcasts
        self._database = database
        self._config = config
        self._may_watch = may_watch
        limits = Limits(connections=config.max_connections)
        self._port = Port(Core(limits, offered_key_bits=config.min_key_bits), self._requested)
        self._connections: set[SrtPublisher | SrtReader] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(ADMISSIONS)
        self._closing = False
        self.port: int | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, broadcasts: Broadcasts, database: Database, config: SrtConfig, may_watch: MayWatch = _nobody
    ) -> AsyncIterator[Self]:
        """Raises OSError when the port is taken."""
        listener = cls(broadcasts, database, config, may_watch)
        if not config.enabled:
            yield listener
            return
        listener._port.open(config.host, config.port)
        listener.port = listener._port.port
        listener._say_buffer()
        listener._port.start()
        try:
            yield listener
        finally:
            await listener._close()

    def _say_buffer(self) -> None:
        got = self._port.receive_buffer
        if got >= RECEIVE_BUFFER:
            _log.info("SRT listens", port=self.port, receive_buffer=got)
            return
        _log.warning(
            "the receive buffer of SRT is small: packets will be lost while the machine is busy",
            port=self.port, receive_buffer=got, wanted=RECEIVE_BUFFER,
            remedy=f"sysctl -w net.core.rmem_max={RECEIVE_BUFFER}",
        )  # fmt: skip

    async def _close(self) -> None:
        self._closing = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_S)
        for connection in list(self._connections):
            connection.close("the server is stopping")
        await self._port.close()

    # --- for the connections

    def hang_up(self, peer: Peer) -> None:
        self._port.hang_up(peer)

    def leave(self, connection: SrtPublisher | SrtReader) -> None:
        self._connections.discard(connection)

    # --- numbers

    @property
    def received(self) -> int:
        """Bytes of media."""
        return self._port.received

    @property
    def alive(self) -> bool:
        return self._port.alive

    @property
    def connections(self) -> int:
        return self._port.connections

    @property
    def half_open(self) -> int:
        return self._port.pending

    @property
    def receive_buffer(self) -> int:
        """Bytes that the kernel gave."""
        return self._port.receive_buffer

    def ignored(self) -> Mapping[str, float]:
        """Datagrams that led to nothing, by reason."""
        counters = self._port.core_counters
        return {name: getattr(counters, name) for name in counters.__slots__ if name != "refused"} | {
            "unsent": self._port.unsent, "fault": self._port.faults,
        }  # fmt: skip

    def packets(self) -> Mapping[str, float]:
        """Of all connections, by what became of them."""
        return self._port.counts()

    # --- admission

    def _requested(self, request: ConnectionRequested) -> None:
        task = asyncio.ensure_future(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: ConnectionRequested) -> None:
        try:
            async with self._turns:
                await self._admit(request)
        except _Refused as refused:
            self.refused[refused.code.name.lower()] += 1
            host = request.address[0]
            _log.info("refused", peer=host, srt=request.version, code=int(refused.code), reason=str(refused))
            code = refused.code
            self._port.call(lambda now_us: self._port.core.reject(request, code, now_us))
        except Exception as error:
            _log.error("an admission failed", exc_info=error)
            self._port.call(lambda now_us: self._port.core.reject(request, Code.SERVER_ERROR, now_us))

    async def _admit(self, request: ConnectionRequested) -> None:
        if self._closing:
            raise _Refused(Code.UNAVAILABLE, "the server is stopping")
        try:
            wanted = parse(request.stream_id)
        except StreamIdError as error:
            raise _Refused(Code.BAD_REQUEST, str(error)) from None
        if wanted.mode is Mode.REQUEST:
            await self._admit_reader(request, wanted)
        else:
            await self._admit_publisher(request, wanted.resource)

    async def _admit_publisher(self, request: ConnectionRequested, key: str) -> None:
        secrets = self._secrets(await self._by_key(key))
        await self._check(request, secrets)
        connection = SrtPublisher(self, request.address, request.version)
        try:
            publisher = await self._broadcasts.publish(key, connection)
        except Refused as refused:
            raise _Refused(CODES[refused.cause], str(refused)) from None
        try:
            peer = await self._accept(request, secrets, connection, publishes=True)
        except BaseException:
            publisher.closed("the caller did not wait", ended=False)
            raise
        self._connections.add(connection)
        connection.open(peer, publisher)

    async def _admit_reader(self, request: ConnectionRequested, wanted: StreamId) -> None:
        live = await self._to_be_read(wanted, request.address[0])
        secrets = self._secrets(live)
        await self._check(request, secrets)
        on_air = self._broadcasts.get(live.id)
        if on_air is None or on_air.state == "ended":
            raise _Refused(Code.NOT_FOUND, "the live stream is not on air")
        reader = SrtReader(self, on_air, request.address)
        peer = await self._accept(request, secrets, reader, publishes=False)
        self._connections.add(reader)
        reader.open(peer)

    async def _to_be_read(self, wanted: StreamId, address: str) -> LiveStream:
        """By the stream key, or by the id with a playback token."""
        if not wanted.token:
            live = await self._by_key(wanted.resource)
        elif found := await self._may_watch(wanted.resource, wanted.token, address):
            async with self._database.read() as transaction:
                live = await live_streams.find(transaction, found)
        else:
            live = None
        if live is None:
            raise _Refused(Code.UNAUTHORIZED)
        return live

    async def _by_key(self, key: str) -> LiveStream | None:
        async with self._database.read() as transaction:
            return await live_streams.by_key(transaction, key)

    def _secrets(self, live: LiveStream | None) -> _Secrets:
        """Raises for a key that is nobody's."""
        if live is None:
            raise _Refused(Code.UNAUTHORIZED, "unknown stream key")
        least = max(self._config.min_key_bits, live.srt_min_key_bits)
        return _Secrets(live.srt_passphrase or "", least)

    async def _check(self, request: ConnectionRequested, secrets: _Secrets) -> None:
        if request.key_bits < secrets.min_key_bits:
            raise _Refused(Code.FORBIDDEN, f"the key has {request.key_bits} bits, {secrets.min_key_bits} are required")
        refusal = await self._port.ask(
            lambda now_us: self._port.core.check(
                request, now_us, passphrase=secrets.passphrase, min_key_bits=secrets.min_key_bits
            )
        )
        _raise(refusal)

    async def _accept(
        self, request: ConnectionRequested, secrets: _Secrets, sink: SrtPublisher | SrtReader, *, publishes: bool
    ) -> Peer:
        def accept(now_us: int) -> Peer | Refusal:
            made = self._port.core.accept(
                request, now_us, passphrase=secrets.passphrase, min_key_bits=secrets.min_key_bits,
                latency_ms=self._config.latency_ms,
            )  # fmt: skip
            return made if isinstance(made, Refusal) else self._port.accept(made, sink, publishes, now_us)

        found = await self._port.ask(accept)
        if isinstance(found, Refusal):
            _raise(found)
        assert isinstance(found, Peer)
        return found


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise _Refused(Code(refusal.code), refusal.reason)
