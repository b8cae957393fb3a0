"""The RTMP listener: the ports that publishers and players connect to, their number, their certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Self

from server import log
from server.config import RtmpConfig
from server.errors import in_words
from server.ingest.broadcasts import Broadcasts
from server.ingest.certificate import Certificate
from server.ingest.reading import Reading
from server.ingest.rtmp_connection import RtmpConnection
from server.ingest.ticker import Ticker
from server.protocols.rtmp.connection import CLOSE_DELAY_S
from server.protocols.rtmp.limits import Limits

BACKLOG = 512
TLS_TIMEOUT_S = 5.0  # of the TLS handshake, before which a connection is not even counted
WAITING_PER_HOST = 128  # connections from one address that neither publish nor play (yet): it can't keep others out
ADMISSION_S = 2.0  # a stopping server waits this long for the catalogue's word on who came last

_log = log.get("rtmp")


class Listener:
    """The ports that publishers connect to. `async with Listener.open(…)`."""

    def __init__(self, broadcasts: Broadcasts, config: RtmpConfig, reading: Reading | None) -> None:
        self.broadcasts = broadcasts
        self.reading = reading
        self.ticker = Ticker()
        self.limits = Limits(idle_timeout_s=config.idle_timeout_s)
        self.refused = 0  # connections over the limit
        self.received = 0  # bytes, of all connections
        self._dropped = self._unplayed = 0  # of connections that are over
        self._most = config.max_publishers
        self._connections: set[RtmpConnection] = set()
        self._servers: list[asyncio.AbstractServer] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._certificate: Certificate | None = None
        self.port: int | None = None
        self.tls_port: int | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, broadcasts: Broadcasts, config: RtmpConfig, reading: Reading | None = None
    ) -> AsyncIterator[Self]:
        """Players are let in where `reading` says who may be."""
        listener = cls(broadcasts, config, reading)
        try:
            if config.enabled:
                listener.port = await listener._listen(config.host, config.port)
                if config.certificate:
                    certificate = listener._certificate = Certificate(config)
                    listener.tls_port = await listener._listen(config.host, config.tls_port, certificate.context)
            yield listener
        finally:
            await listener._close()

    async def _listen(self, host: str, port: int, context: ssl.SSLContext | None = None) -> int:
        loop = asyncio.get_running_loop()
        timeout_s = TLS_TIMEOUT_S if context else None
        factory: Callable[[], RtmpConnection] = lambda: RtmpConnection(self)  # noqa: E731
        try:
            server = await loop.create_server(
                factory, host, port, ssl=context, backlog=BACKLOG, ssl_handshake_timeout=timeout_s
            )
        except OSError as error:
            name = "RTMPS" if context else "RTMP"
            raise OSError(f"{name} can't listen on {host}:{port}: {in_words(error)}") from None
        self._servers.append(server)
        found: int = server.sockets[0].getsockname()[1]
        return found

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close("the server is stopping")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ADMISSION_S)
        if self._connections:
            await asyncio.sleep(CLOSE_DELAY_S)  # the reason is read before the end
        for connection in list(self._connections):
            connection.lost(None)
        await asyncio.sleep(0)  # transports close in the loop's next round

    def reload(self) -> None:
        """Reads the certificate again, for connections that come from now on."""
        if self._certificate:
            self._certificate.reload()

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def players(self) -> int:
        return sum(connection.plays for connection in self._connections)

    @property
    def dropped(self) -> int:
        """Messages of publishers that were not passed on: broken, of codecs that are not taken, or not expected."""
        return self._dropped + sum(connection.dropped for connection in self._connections)

    @property
    def unplayed(self) -> int:
        """Samples that players were too slow for."""
        return self._unplayed + sum(connection.unplayed for connection in self._connections)

    def enter(self, connection: RtmpConnection) -> bool:
        """False when there are too many already, in all or of this host."""
        waiting = sum(other.waits and other.host == connection.host for other in self._connections)
        if len(self._connections) >= self._most or waiting >= WAITING_PER_HOST:
            self.refused += 1
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: RtmpConnection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._dropped += connection.dropped
            self._unplayed += connection.unplayed
        self.ticker.remove(connection)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("an admission failed", exc_info=error)
