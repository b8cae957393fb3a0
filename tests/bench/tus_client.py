"""A tus 1.0.0 client that costs little: bodies go out by sendfile."""

import asyncio
import base64
import socket
import struct
import time
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

VERSION = {"Tus-Resumable": "1.0.0"}
BODY_TYPE = "application/offset+octet-stream"
READ_SIZE = 1 << 16


class Refused(Exception):
    """An answer that tus does not have for a good request."""


class Connection:
    """Kept alive between requests."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = parts.hostname or "", parts.port or 80
        self.sock: socket.socket | None = None
        self.body_sent_at: float | None = None  # the last body's end, on the monotonic clock

    async def request(
        self, method: str, url: str, headers: dict[str, str], body: tuple[BinaryIO, int, int] | None = None
    ) -> tuple[int, dict[str, str]]:
        """`body` is a file, an offset and a count; the status and headers, names in lower case."""
        sock = await self.send_head(method, url, {**headers, "Content-Length": str(body[2] if body else 0)})
        if body:
            await asyncio.get_running_loop().sock_sendfile(sock, *body)
            self.body_sent_at = time.monotonic()
        return await self._read_answer(sock, method)

    async def send_head(self, method: str, url: str, headers: dict[str, str]) -> socket.socket:
        if self.sock is None:
            self.sock = socket.create_connection(self._to)
            self.sock.setblocking(False)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._to[0]}:{self._to[1]}"]
        lines += [f"{name}: {value}" for name, value in {**VERSION, **headers}.items()]
        await asyncio.get_running_loop().sock_sendall(self.sock, "\r\n".join(lines).encode() + b"\r\n\r\n")
        return self.sock

    async def _read_answer(self, sock: socket.socket, method: str) -> tuple[int, dict[str, str]]:
        loop, data = asyncio.get_running_loop(), b""
        while b"\r\n\r\n" not in data:
            data += await self._received(loop, sock)
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        left = int(headers.get("content-length", 0)) - len(rest)
        while left > 0 and method != "HEAD":
            left -= len(await self._received(loop, sock))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(lines[0].split()[1]), headers

    @staticmethod
    async def _received(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
        data = await loop.sock_recv(sock, READ_SIZE)
        if not data:
            raise ConnectionError("closed by the server")
        return data

    def close(self, *, reset: bool = False) -> None:
        if self.sock is not None:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
            self.sock = None


class Upload:
    """One upload on a connection of its own."""

    def __init__(self, endpoint: str, file: BinaryIO, size: int, headers: dict[str, str]) -> None:
        self._endpoint, self._file, self.size, self._headers = endpoint, file, size, headers
        self.connection = Connection(endpoint)
        self.url = ""
        self.sent = 0  # by `send_to`
        self.video_id: str | None = None

    async def create(self) -> None:
        pairs = {"filename": "bench.mp4", "filetype": "video/mp4"}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
        sent = {"Upload-Length": str(self.size), "Upload-Metadata": metadata, **self._headers}
        status, headers = await self.connection.request("POST", self._endpoint, sent)
        if status != 201:
            raise Refused(f"POST {status}")
        self.url = urljoin(self._endpoint, headers["location"])
        self.video_id = headers.get("sluice-video-id")

    async def offset(self) -> int:
        status, headers = await self.connection.request("HEAD", self.url, self._headers)
        if status not in (200, 204):
            raise Refused(f"HEAD {status}")
        return int(headers["upload-offset"])

    def patch_headers(self, offset: int) -> dict[str, str]:
        return {"Upload-Offset": str(offset), "Content-Type": BODY_TYPE, **self._headers}

    async def send(self, offset: int = 0, chunk: int = 0) -> None:
        """PATCHes the rest from `offset` on, `chunk` bytes at a time; 0 is all at once."""
        while offset < self.size:
            count = min(chunk or self.size, self.size - offset)
            status, headers = await self.connection.request(
                "PATCH", self.url, self.patch_headers(offset), (self._file, offset, count)
            )
            if status != 204 or int(headers["upload-offset"]) != offset + count:
                raise Refused(f"PATCH {status}")
            offset += count

    async def send_to(self, end: int) -> None:
        """PATCHes the next piece of it."""
        headers, body = self.patch_headers(self.sent), (self._file, self.sent, end - self.sent)
        status, _ = await self.connection.request("PATCH", self.url, headers, body)
        if status != 204:
            raise Refused(f"PATCH {status}")
        self.sent = end

    async def send_and_break(self, count: int) -> None:
        """Begins to PATCH all of it; the connection is reset after `count` bytes."""
        headers = {**self.patch_headers(0), "Content-Length": str(self.size)}
        sock = await self.connection.send_head("PATCH", self.url, headers)
        await asyncio.get_running_loop().sock_sendfile(sock, self._file, 0, count)
        self.connection.close(reset=True)

    async def delete(self) -> None:
        self.connection.close()  # it was idle while stored bytes were compared
        await self.connection.request("DELETE", self.url, self._headers)
        self.connection.close()
