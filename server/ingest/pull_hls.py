"""A source over HLS: fetched by a child, whose MPEG-TS is taken apart and published here.

Playlists and segments are opened by native code, so that happens in the child only. It looks at where each of them is,
and verifies certificates by the authorities of this process (SSL_CERT_FILE, SSL_CERT_DIR).
"""

import asyncio
import socket
import ssl
from typing import Any

from server import clock, ids, log
from server.ingest.on_air import Facts, Publisher
from server.ingest.pull import Admit
from server.ingest.pull_source import HlsUrl
from server.ingest.pull_state import SourceFailed
from server.media.child import ChildFailed, Children, Limits
from server.media.mpegts import Item, Picture, Sound, TsInput, Unsupported

MODULE = "server.media.hls_source"
FOREVER_S = 10 * 365 * 86_400.0
LIMITS = Limits(memory_bytes=2 << 30, cpu_s=10**8, file_bytes=0, files=64, nice=5)
SILENT_S = 30.0  # segments are seconds long, and a playlist may wait for its server
READ_BYTES = 1 << 18
END_S = 1.0  # between the end of its media and a child's own

_log = log.get("pull")


class HlsPull:
    """One child, used once; to its broadcast it is a publisher's connection."""

    protocol = "hls"

    def __init__(self, url: HlsUrl, private: bool, children: Children) -> None:
        self.id = ids.new("")[:8]
        self._url = url
        self._private = private
        self._children = children
        self._heard = clock.monotonic()
        self._input = TsInput()
        self._publisher: Publisher | None = None
        self._problem = ""  # what the child says
        self._lasting = False
        self._closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    # --- for the broadcast

    def last_heard(self) -> float:
        return self._heard

    def facts(self) -> Facts:
        return Facts(encoder="pulled", peer=self._url.host)

    def close(self, reason: str) -> None:
        """Ended from our side."""
        if not self._closed.done():
            self._closed.set_result(reason)

    # --- its life

    async def run(self, admit: Admit) -> None:
        """Raises SourceFailed, sooner or later."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        paths = ssl.get_default_verify_paths()
        authorities = {"cafile": paths.cafile, "capath": paths.capath}
        arguments, fds = {"link": theirs.fileno(), "private": self._private, **authorities}, [theirs.fileno()]
        child = asyncio.ensure_future(
            self._children.run(
                MODULE, arguments, fds, LIMITS, FOREVER_S, on_line=lambda event: self._said(event, theirs)
            )
        )
        media = asyncio.ensure_future(self._read(ours, admit))
        ends: list[asyncio.Future[Any]] = [media, child, self._closed]
        reason = "the source was let go"
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._closed.done():
                raise SourceFailed(self._closed.result(), lasting=True)
            if media.done():
                media.result()
            await asyncio.wait([child], timeout=END_S)
            raise SourceFailed(self._word_of(child), lasting=self._lasting)
        except SourceFailed as failure:
            reason = str(failure)
            raise
        finally:
            media.cancel()
            child.cancel()
            await asyncio.wait(ends[:2])
            _forget(media, child)
            if self._publisher is not None:
                self._publisher.closed(reason, ended=False)
            ours.close()
            theirs.close()

    def _word_of(self, child: "asyncio.Future[Any]") -> str:
        """Why there is no more."""
        failure = child.exception() if child.done() and not child.cancelled() else None
        if failure is None or self._problem:
            return self._problem or "the source has ended"
        detail = failure.stderr if isinstance(failure, ChildFailed) else ""
        _log.error("the child of a source failed", reason=str(failure), stderr=detail)
        return "the source could not be read: its reader failed"

    def _said(self, event: dict[str, Any], theirs: socket.socket) -> None:
        if event["event"] == "started":
            theirs.close()  # with ours alone open, the child's going shows
        elif event["event"] == "problem":
            self._problem, self._lasting = f"the source can't be read: {event['detail']}", bool(event["lasting"])

    async def _read(self, ours: socket.socket, admit: Admit) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(ours, self._url.text.encode() + b"\n")
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    data = await loop.sock_recv(ours, READ_BYTES)
            except TimeoutError:
                raise SourceFailed(f"nothing came for {SILENT_S:g} s") from None
            except ConnectionError:
                data = b""
            if not data:
                return  # the child says why
            self._heard = clock.monotonic()
            items = self._input.feed(data)
            if items and self._publisher is None:
                self._publisher = await admit(self)
            for item in items:
                self._take(item)

    def _take(self, item: Item) -> None:
        publisher = self._publisher
        if publisher is None:
            return
        if isinstance(item, Picture):
            publisher.video(item.timestamp, item.cts, item.key, item.data, item.track)
        elif isinstance(item, Sound):
            publisher.audio(item.timestamp, item.data, item.track)
        elif not isinstance(item, Unsupported):
            publisher.configure(item.config, item.track)
        elif item.kind == "video":
            raise SourceFailed(f"video codec {item.codec} is not supported", lasting=True)


def _forget(*tasks: "asyncio.Future[Any]") -> None:
    """How they ended has been said, or does not matter any more."""
    for task in tasks:
        if not task.cancelled() and not isinstance(error := task.exception(), SourceFailed | ChildFailed | type(None)):
            raise error
