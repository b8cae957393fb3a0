"""An HTTP client that costs little: plain HTTP, one kept connection to each host."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

LINE_LIMIT = 1 << 20
REDIRECTS = 5
REDIRECTING = (301, 302, 303, 307, 308)


class HttpError(Exception):
    def __init__(self, status: int, url: str) -> None:
        super().__init__(f"{status} for {url}")
        self.status = status


@dataclass(slots=True)
class Response:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes
    url: str


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Http:
    """Close it after use."""

    def __init__(self, timeout_s: float = 15.0) -> None:
        self._timeout_s = timeout_s
        self._idle: dict[tuple[str, int], Connection] = {}

    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, ok: Collection[int] = (200, 206)
    ) -> Response:
        """Follows redirects. Raises HttpError."""
        for _ in range(REDIRECTS):
            response = await self.request("GET", url, headers)
            if response.status in REDIRECTING:
                url = urljoin(url, response.headers["location"])
                continue
            if response.status not in ok:
                raise HttpError(response.status, url)
            return response
        raise HttpError(310, url)

    async def request(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Response:
        parts = urlsplit(url)
        key = parts.hostname or "", parts.port or 80
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        data = "\r\n".join(lines).encode() + b"\r\n\r\n"
        async with asyncio.timeout(self._timeout_s):
            kept = self._idle.pop(key, None)
            if kept is not None:
                try:
                    return await self._exchange(kept, key, data, method, url)
                except (asyncio.IncompleteReadError, ConnectionError):
                    pass  # closed by the server meanwhile
            fresh = await asyncio.open_connection(*key, limit=LINE_LIMIT)
            return await self._exchange(fresh, key, data, method, url)

    async def _exchange(
        self, connection: Connection, key: tuple[str, int], data: bytes, method: str, url: str
    ) -> Response:
        reader, writer = connection
        kept = False
        try:
            writer.write(data)
            await writer.drain()
            status, headers = await _read_head(reader)
            body = b"" if method == "HEAD" else await _read_body(reader, status, headers)
            framed = "content-length" in headers or "transfer-encoding" in headers or status in (204, 304)
            kept = framed and headers.get("connection", "").lower() != "close"
        finally:
            if not kept:
                writer.close()
        if kept:
            self._idle[key] = connection
        return Response(status, headers, body, url)

    def close(self) -> None:
        for _, writer in self._idle.values():
            writer.close()
        self._idle.clear()


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(head[0].split(" ", 2)[1]), headers


async def _read_body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]) -> bytes:
    if status in (204, 304) or status < 200:
        return b""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read(-1)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while (await reader.readline()).strip():
        pass
    return b"".join(chunks)
