"""Publishers over RTMP: many looped streams from one process, each at its own pace, cheaply."""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.bench.flv import AUDIO, SCRIPT, VIDEO, Flv

CHUNK_SIZE = 4096  # as OBS
EXTENDED = 0xFFFFFF  # timestamps from here on stand behind the header
REPLY_S = 15
AHEAD_S = 0.002  # not worth a sleep


class RtmpError(Exception):
    """The server refused, or is gone."""


# --- AMF0


def amf(*values: Any) -> bytes:
    out = b""
    for value in values:
        if value is None:
            out += b"\x05"
        elif isinstance(value, str):
            out += b"\x02" + _amf_name(value)
        elif isinstance(value, dict):
            out += b"\x03" + b"".join(_amf_name(name) + amf(item) for name, item in value.items()) + b"\0\0\x09"
        else:
            out += b"\0" + struct.pack(">d", value)
    return out


def _amf_name(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _amf_values(data: bytes) -> Iterator[Any]:
    at = 0
    while at < len(data):
        value, at = _amf_value(data, at)
        yield value


def _amf_value(data: bytes, at: int) -> tuple[Any, int]:
    kind, at = data[at], at + 1
    if kind == 0:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if kind == 1:
        return bool(data[at]), at + 1
    if kind == 2:
        return _amf_text(data, at)
    if kind in (3, 8):
        return _amf_object(data, at + (4 if kind == 8 else 0))
    if kind in (5, 6):
        return None, at
    raise RtmpError(f"AMF type {kind}")


def _amf_text(data: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from(">H", data, at)[0]
    return data[at + 2 : at + 2 + size].decode(errors="replace"), at + 2 + size


def _amf_object(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    items: dict[str, Any] = {}
    while data[at : at + 3] != b"\0\0\x09":
        name, at = _amf_text(data, at)
        items[name], at = _amf_value(data, at)
    return items, at + 3


# --- RTMP


class RtmpPublisher:
    """One publishing connection. What the server sends is read for its commands only."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        path, _, key = parts.path.strip("/").rpartition("/")
        self.host, self.port = parts.hostname, parts.port or 1935
        self.app, self.key = unquote(path), unquote(key)
        self.tc_url = f"rtmp://{parts.netloc}/{self.app}"
        self.stream_id = 0
        self.error: str | None = None
        self._replies: asyncio.Queue[tuple[Any, ...] | None] = asyncio.Queue()

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        self.writer.write(b"\x03" + bytes(8) + bytes(range(256)) * 5 + bytes(248))
        await self.reader.readexactly(1)
        self.writer.write(await self.reader.readexactly(1536))
        await self.reader.readexactly(1536)
        self._task = asyncio.create_task(self._read())
        self._message(2, 1, 0, 0, struct.pack(">I", CHUNK_SIZE), chunk=128)
        self._command("connect", 1, {"app": self.app, "type": "nonprivate",
                                     "flashVer": "FMLE/3.0 (compatible; bench)", "tcUrl": self.tc_url})  # fmt: skip
        await self._reply("_result")
        self._command("releaseStream", 2, None, self.key)
        self._command("FCPublish", 3, None, self.key)
        self._command("createStream", 4, None)
        while (reply := await self._reply("_result"))[1] != 4:
            pass
        self.stream_id = int(reply[-1])
        self._command("publish", 5, None, self.key, "live", stream=self.stream_id)
        while (await self._reply("onStatus"))[-1] != "NetStream.Publish.Start":
            pass

    async def _reply(self, name: str) -> tuple[Any, ...]:
        while True:
            async with asyncio.timeout(REPLY_S):
                reply = await self._replies.get()
            if reply is None:
                raise RtmpError(self.error or "closed by the server")
            if reply[0] == name:
                return reply

    def _command(self, *values: Any, stream: int = 0) -> None:
        self._message(3, 20, stream, 0, amf(*values))

    def _message(
        self, channel: int, kind: int, stream: int, stamp: int, payload: bytes, chunk: int = CHUNK_SIZE
    ) -> None:
        extended = struct.pack(">I", stamp) if stamp >= EXTENDED else b""
        sizes = min(stamp, EXTENDED).to_bytes(3, "big") + len(payload).to_bytes(3, "big")
        head = bytes([channel]) + sizes + bytes([kind]) + struct.pack("<I", stream) + extended
        more = bytes([0xC0 | channel]) + extended
        pieces = [head, payload[:chunk]]
        for at in range(chunk, len(payload), chunk):
            pieces += [more, payload[at : at + chunk]]
        self.writer.write(b"".join(pieces))

    def send(self, kind: int, stamp: int, payload: bytes) -> None:
        if self.error:
            raise RtmpError(self.error)
        if kind == SCRIPT and not payload.startswith(amf("@setDataFrame")):
            payload = amf("@setDataFrame") + payload
        self._message({AUDIO: 4, VIDEO: 6}.get(kind, 5), kind, self.stream_id, stamp, payload)

    async def drain(self) -> None:
        await self.writer.drain()

    async def close(self, *, politely: bool) -> None:
        """`politely` says that the broadcast is over; else the connection just goes."""
        self._task.cancel()
        if politely:
            with contextlib.suppress(Exception):
                self._command("FCUnpublish", 6, None, self.key)
                self._command("deleteStream", 7, None, self.stream_id)
                await self.writer.drain()
        self.writer.close()

    # --- what the server says

    async def _read(self) -> None:
        try:
            await self._read_messages()
        except (OSError, asyncio.IncompleteReadError):
            self.error = self.error or "closed by the server"
        self._replies.put_nowait(None)

    async def _read_messages(self) -> None:
        size, exactly = 128, self.reader.readexactly
        channels: dict[int, dict[str, Any]] = {}
        while True:
            first = (await exactly(1))[0]
            channel, form = first & 63, first >> 6
            if channel < 2:
                channel = 64 + int.from_bytes(await exactly(channel + 1), "little")
            state = channels.setdefault(channel, {"length": 0, "kind": 0, "data": b"", "extended": False})
            if form < 3:
                header = await exactly((11, 7, 3)[form])
                state["extended"] = header[:3] == b"\xff\xff\xff"
                if form < 2:
                    state["length"], state["kind"] = int.from_bytes(header[3:6], "big"), header[6]
            if state["extended"]:
                await exactly(4)
            state["data"] += await exactly(min(size, state["length"] - len(state["data"])))
            if len(state["data"]) < state["length"]:
                continue
            data, state["data"] = state["data"], b""
            if state["kind"] == 1:
                size = int.from_bytes(data, "big") & 0x7FFFFFFF
            else:
                self._understand(state["kind"], data)

    def _understand(self, kind: int, data: bytes) -> None:
        if kind == 4 and data[:2] == b"\0\x06":  # a ping
            self._message(2, 4, 0, 0, b"\0\x07" + data[2:6])
        if kind != 20:
            return
        values = list(_amf_values(data))
        if values[0] == "_error" or (values[0] == "onStatus" and values[-1].get("level") == "error"):
            self.error = str(values[-1])
            self._replies.put_nowait(None)
        elif values[0] == "onStatus":
            self._replies.put_nowait((*values[:-1], values[-1].get("code")))
        else:
            self._replies.put_nowait(tuple(values))


# --- streams


class Stream:
    """One live stream. `sent[n]` is the wall clock when picture n of the file last went out."""

    def __init__(self, url: str, flv: Flv, *, politely: bool = True) -> None:
        self.url, self.flv, self._politely = url, flv, politely
        self.sent: dict[int, float] = {}
        self.began_at: float | None = None  # when the clip's time is zero, on the monotonic clock
        self.first_at: float | None = None  # of the first key frame, on the same
        self.late_s = 0.0
        self.failed: str | None = None

    async def run(self) -> None:
        """Until cancelled."""
        out = RtmpPublisher(self.url)
        try:
            await out.open()
            await self._send(out)
        except (OSError, RtmpError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.failed = f"{self.url}: {error!r}"
        finally:
            with contextlib.suppress(Exception):
                await out.close(politely=self._politely)

    async def _send(self, out: RtmpPublisher) -> None:
        for kind, payload in self.flv.headers:
            out.send(kind, 0, payload)
        began = self.began_at = time.monotonic()
        for kind, stamp, payload, frame in self.flv.loop():
            ahead = began + stamp / 1000 - time.monotonic()
            if ahead > AHEAD_S:
                await asyncio.sleep(ahead)
            else:
                self.late_s = max(self.late_s, -ahead)
            if frame is not None:
                self.sent[frame] = time.time()
                self.first_at = self.first_at or time.monotonic()
            out.send(kind, stamp, payload)
            await out.drain()


@contextlib.asynccontextmanager
async def publishing(urls: Sequence[str], flv: Flv, *, politely: bool = True) -> AsyncIterator[list[Stream]]:
    """A stream to each URL; their starts are spread over one GOP, so that they don't all cut at once."""
    streams = [Stream(url, flv, politely=politely) for url in urls]
    tasks: list[asyncio.Task[None]] = []
    try:
        for stream in streams:
            if tasks:
                await asyncio.sleep(flv.gop_ms / 1000 / len(urls))
            tasks.append(asyncio.create_task(stream.run()))
        yield streams
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
