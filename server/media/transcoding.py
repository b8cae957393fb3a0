"""A transcoding child as the server has it: sent coded pictures, heard from, watched, and ended.

The server is never held up: what the child has not taken waits in a buffer, and `writable` says whether there is room
left. Who sends in spite of it makes the buffer grow.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from server import clock
from server.media.child import ChildFailed, Children, Limits
from server.media.codings import HARDWARE, SOFTWARE
from server.media.wire import Incoming, Message, WireError, encode

MODULE = "server.media.transcoder"
PROBE_MODULE = "server.media.encoder_probe"

MAX_UNSENT_BYTES = 2 << 20  # about three seconds at 5 Mbit/s, beside what the socket and the child hold
RESUME_BYTES = MAX_UNSENT_BYTES // 4
SILENT_S = 15.0  # it speaks every second; one that hangs, or was stopped, is killed
FINISH_S = 5.0  # after the last word to it, until it has ended
FOREVER_S = 10 * 366 * 86400.0
PROBE_S = 30.0

MEMORY_BYTES = 4 << 30  # address space: a decoder of 4K and three encoders, with their threads' stacks
HARDWARE_MEMORY_BYTES = 1 << 46  # drivers reserve as much as a graphics card could ever need


@dataclass(frozen=True, slots=True)
class Settings:
    encoder: str = SOFTWARE
    nice: int = 5

    @property
    def limits(self) -> Limits:
        memory = MEMORY_BYTES if self.encoder == SOFTWARE else HARDWARE_MEMORY_BYTES
        # CPU time is what it is there to use; it writes no files
        return Limits(memory_bytes=memory, cpu_s=int(64 * FOREVER_S), file_bytes=0, files=256, nice=self.nice)


class Transcoding(asyncio.Protocol):
    """One child, from `run` until that returns. `on_message` is called on the loop, in order."""

    def __init__(self, children: Children, settings: Settings, on_message: Callable[[Message], None]) -> None:
        self._children = children
        self._settings = settings
        self._on_message = on_message
        self._incoming = Incoming()
        self._transport: asyncio.Transport | None = None
        self._theirs: socket.socket | None = None
        self._fault: str | None = None
        self._heard = 0.0
        self._lost = asyncio.Event()
        self._finished_at: float | None = None
        self._early: list[bytes | memoryview] = []  # said before the socket was there
        self.writable = True  # until the child takes no more, or is gone

    def send(self, *messages: Message) -> None:
        """After `finish` nothing is sent. Raises WireError at a picture that is too large."""
        if self._finished_at is not None:
            return
        pieces = [piece for message in messages for piece in encode(message)]
        if self._transport is not None:
            self._transport.writelines(pieces)
        elif self.writable:
            self._early += pieces
            self.writable = sum(map(len, self._early)) < MAX_UNSENT_BYTES

    def finish(self) -> None:
        """Nothing more is sent: the child says what is left, and ends."""
        self.writable = False
        self._finished_at = clock.monotonic()
        if self._transport is not None:
            self._transport.write_eof()

    async def run(self) -> None:
        """Starts the child and stays with it. Raises ChildFailed; cancelling kills it."""
        ours, self._theirs = socket.socketpair()
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
            await self._live(self._theirs.fileno())
            await asyncio.wait_for(self._lost.wait(), FINISH_S)  # all that it said has been heard
        except TimeoutError:
            raise ChildFailed("protocol", "its socket stayed open") from None
        finally:
            self.writable = False
            self._let_go()
            if self._transport is not None:
                self._transport.abort()
        if self._fault is not None:
            raise ChildFailed("protocol", self._fault)

    async def _live(self, link: int) -> None:
        arguments = {"link": link, "encoder": self._settings.encoder}
        limits = self._settings.limits
        child = asyncio.ensure_future(
            self._children.run(MODULE, arguments, [link], limits, FOREVER_S, on_line=lambda _: self._let_go())
        )
        self._heard = clock.monotonic()
        try:
            while not child.done():
                await asyncio.wait([child], timeout=1.0)
                self._check()
            child.result()
        finally:
            if not child.done():
                child.cancel()
                await asyncio.wait([child])

    def _check(self) -> None:
        now = clock.monotonic()
        if now - self._heard > SILENT_S:
            raise ChildFailed("timeout", f"nothing was heard of it for {SILENT_S:g} s")
        if self._finished_at is not None and now - self._finished_at > FINISH_S:
            raise ChildFailed("timeout", f"not done {FINISH_S:g} s after its last picture")

    def _let_go(self) -> None:
        """The child has its end of the socket: with ours closed, its going shows."""
        if self._theirs is not None:
            self._theirs.close()
            self._theirs = None

    # --- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = self._transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it
        transport.set_write_buffer_limits(MAX_UNSENT_BYTES, RESUME_BYTES)
        self.writable = self._finished_at is None
        early, self._early = self._early, []
        transport.writelines(early)
        if self._finished_at is not None:
            transport.write_eof()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = self._finished_at is None

    def data_received(self, data: bytes) -> None:
        self._heard = clock.monotonic()
        try:
            for message in self._incoming.feed(data):
                self._on_message(message)
        except WireError as error:
            self._fault = str(error)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.writable = False
        self._transport = None
        self._lost.set()


async def usable_encoder(children: Children, wanted: str) -> tuple[str, list[str]]:
    """The encoder to use where `wanted` (a name, or "auto") is asked for, and what was found wrong with others."""
    if wanted == SOFTWARE:
        return SOFTWARE, []
    names = HARDWARE if wanted == "auto" else (wanted,)
    faults: list[str] = []
    for name in names:
        if (fault := await _fault_of(children, name)) is None:
            return name, faults
        faults.append(fault)
    return SOFTWARE, faults


async def _fault_of(children: Children, name: str) -> str | None:
    """A child for each: a driver may crash."""
    found: list[str | None] = []
    limits = Settings(name).limits
    try:
        await children.run(
            PROBE_MODULE, {"encoder": name}, (), limits, PROBE_S, on_line=lambda event: found.append(event["fault"])
        )
    except ChildFailed as failure:
        return f"{name}: trying it {failure}"
    return found[0] if found else f"{name}: trying it told nothing"
