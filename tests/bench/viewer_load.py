"""Many LL-HLS viewers in one process, cheaply: each rendition asks for the next playlist, then for the part it names.

    python -m tests.bench.viewer_load < ORDER        prints a JSON object

The order is JSON: {"host", "port", "from_s", "until_s", "tracks": [{"path", "timescale", "began_s"}, …]}; times are
those of the monotonic clock, which is one for all processes. A track's path is that of its media playlist, token and
all. Answers are counted from `from_s` until `until_s`.

A part is late by the time from when the publisher should have sent the picture that completes it, which is where the
next part begins, to its last byte here. With `began_s` null that isn't looked at.
"""

import asyncio
import json
import re
import sys
import time
import zlib
from typing import Any

import uvloop

GZIP = 31  # zlib's window with a gzip header
HEADERS = (
    "Host: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
    "Accept-Language: en\r\nOrigin: https://example.com\r\nReferer: https://example.com/\r\n\r\n"
)
_HINT = re.compile(rb'PRELOAD-HINT:TYPE=PART,URI="(\d+)\.(\d+)\.m4s"')
_PART = re.compile(rb'EXT-X-PART:[^\n]*URI="([^"]+)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Track(asyncio.Protocol):
    """One rendition of one viewer, on its own connection."""

    def __init__(self, order: dict[str, Any], tally: "Tally") -> None:
        self._path: str = order["path"]
        self._folder = self._path.rpartition("/")[0]
        self._timescale, self._began_s = order["timescale"], order["began_s"]
        self._tally = tally
        self._buffer = bytearray()
        self._wanted = 0  # bytes of the answer, once its head is there
        self._asked = b""  # the part that is on its way, if one is
        self._arrived_s: float | None = None  # the part before

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask(self._path)

    def connection_lost(self, error: Exception | None) -> None:
        self._tally.lost += 1

    def _ask(self, target: str) -> None:
        self._transport.write(f"GET {target} HTTP/1.1\r\n{HEADERS}".encode())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._wanted:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(buffer, 0, end + 2)
            self._wanted = end + 4 + int(length[1] if length else 0)
        if len(buffer) >= self._wanted:
            head, _, body = bytes(buffer).partition(b"\r\n\r\n")
            self._wanted = 0
            buffer.clear()
            self._answered(head, body)

    def _answered(self, head: bytes, body: bytes) -> None:
        self._tally.count(len(head) + len(body))
        if not head.startswith(b"HTTP/1.1 200"):
            self._tally.failed(head)
            self._asked = b""
            asyncio.get_running_loop().call_later(0.5, self._ask, self._path)
        elif self._asked:
            self._got_part(body)
        else:
            self._got_playlist(zlib.decompress(body, GZIP) if b"gzip" in head else body)

    def _got_playlist(self, text: bytes) -> None:
        parts, hint = _PART.findall(text), _HINT.search(text)
        if not parts or not hint:
            self._tally.failed(text[:200])
            return
        self._asked, self._next = parts[-1], hint
        self._ask(f"{self._folder}/{self._asked.decode()}")

    def _got_part(self, body: bytes) -> None:
        if self._began_s is not None:
            start_s = self._began_s + _decode_time(body) / self._timescale
            if self._arrived_s is not None:
                self._tally.late(self._arrived_s - start_s)
            self._arrived_s = time.monotonic()
        self._asked = b""
        msn, part = (int(number) for number in self._next.groups())
        self._ask(f"{self._path}?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES")


def _decode_time(part: bytes) -> int:
    """Of its first sample, from tfdt; ticks."""
    at = part.index(b"tfdt", 0, 200) + 8
    return int.from_bytes(part[at : at + 8], "big")


class Tally:
    """What all of them got."""

    def __init__(self, from_s: float, until_s: float) -> None:
        self._from_s, self._until_s = from_s, until_s
        self.answers = self.bytes = self.lost = 0
        self.faults: list[str] = []
        self.late_ms: list[float] = []

    def count(self, size: int) -> None:
        if self._counts():
            self.answers += 1
            self.bytes += size

    def late(self, seconds: float) -> None:
        if self._counts():
            self.late_ms.append(round(seconds * 1000, 1))

    def failed(self, answer: bytes) -> None:
        self.faults.append(answer[:200].decode("latin-1"))

    def _counts(self) -> bool:
        return self._from_s <= time.monotonic() < self._until_s


async def run(order: dict[str, Any]) -> dict[str, Any]:
    tally, loop = Tally(order["from_s"], order["until_s"]), asyncio.get_running_loop()
    for track in order["tracks"]:
        await loop.create_connection(lambda track=track: Track(track, tally), order["host"], order["port"])  # type: ignore[misc]
    await asyncio.sleep(max(0.0, order["until_s"] - time.monotonic()))
    return {
        "answers": tally.answers, "bytes": tally.bytes, "lost": tally.lost, "faults": tally.faults[:5],
        "failed": len(tally.faults), "late_ms": tally.late_ms,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
