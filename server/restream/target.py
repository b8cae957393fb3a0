"""One target of one broadcast: connects when there is media, sends, and connects again when that ends.

A publisher who is lost for a moment does not end the connection: nothing is sent until he is back, and timestamps go
on. A target that gives up meanwhile is called again with the media.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from server import clock, log
from server.protocols.backoff import Backoff, Pace
from server.protocols.rtmp.url import RtmpUrl
from server.protocols.rtmp.url import of_target as rtmp_target
from server.protocols.srt.url import SrtUrl
from server.protocols.srt.url import parse as srt_url
from server.restream.link import Link, LinkFailed
from server.restream.state import State, Status
from server.restream.waiting import Waiting
from server.stream.stream import Stream

OURS = "the server failed to send"
PACE = Pace()

_log = log.get("restream")


@dataclass(frozen=True, slots=True)
class Address:
    """A target as its owner describes it. `key` is a secret, and so may be parts of the URL."""

    id: str
    name: str
    server_url: str = field(repr=False)
    key: str = field(repr=False)
    enabled: bool = True

    def read(self) -> RtmpUrl | SrtUrl:
        """Raises UrlError, SrtUrlError: both are ValueError, with a sentence."""
        if self.server_url.startswith("srt:"):
            return srt_url(self.server_url, self.key)
        return rtmp_target(self.server_url, self.key)


class Target:
    """`run` is one life of it, to be cancelled; `told` hears of each new state."""

    def __init__(
        self,
        address: Address,
        stream: Stream,
        connect: Callable[[RtmpUrl | SrtUrl], Link],
        told: Callable[["Target"], None],
        pace: Pace = PACE,
    ) -> None:
        self.address = address
        self.status = Status()
        self._stream = stream
        self._connect = connect
        self._told = told
        self._backoff = Backoff(pace)
        self._link: Link | None = None
        self._since: float | None = None  # when it was last connected
        self._connected = 0  # times
        self._log = _log.bind(broadcast=stream.broadcast_id, restream=address.id)

    @property
    def sent(self) -> int:
        return self.status.bytes + (self._link.sent if self._link else 0)

    @property
    def dropped(self) -> int:
        return self.status.dropped + (self._link.dropped if self._link else 0)

    async def run(self) -> None:
        """Until the broadcast is over."""
        try:
            while not await self._try():
                pass
        finally:
            self._move("idle")

    async def _try(self) -> bool:
        """One connection, and the wait behind it; True when there is nothing more to send."""
        await Waiting.media(self._stream)
        self._since = None
        try:
            self._move("connecting")
            await self._live()
            return True
        except LinkFailed as failure:
            reason, lasting = str(failure), failure.lasting
        except ValueError as error:  # a URL that was kept before there were such rules
            reason, lasting = str(error), True
        except Exception as error:  # a fault of ours must not end a target for good
            self._log.error("restreaming failed", exc_info=error)
            reason, lasting = OURS, False
        self._move("errored", reason)
        await asyncio.sleep(self._backoff.wait_s(self._held_s, lasting=lasting))
        return False

    @property
    def _held_s(self) -> float:
        """For how long the last connection was of use."""
        return 0.0 if self._since is None else clock.monotonic() - self._since

    async def _live(self) -> None:
        link = self._link = self._connect(self.address.read())
        try:
            await link.run(self._stream, self._begun)
        finally:
            self._link = None
            self.status.bytes += link.sent
            self.status.dropped += link.dropped

    def _begun(self) -> None:
        self._since = clock.monotonic()
        self._connected += 1
        self.status.reconnects = self._connected - 1
        self._move("broadcasting")

    def _move(self, state: State, reason: str = "") -> None:
        if self.status.move(state, reason):
            facts = {"reason": reason} if reason else {}
            self._log.info(state, bytes=self.sent, dropped=self.dropped, **facts)
            self._told(self)
