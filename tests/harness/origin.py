"""A web server that gives a file out, as well or as badly as a test wants; in its own thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Origin:
    """`faults` are used up one for each request, before it is answered well: a status, or how many bytes come until
    the connection breaks."""

    data: bytes = b""
    etag: str | None = '"one"'
    ranges: bool = True
    length: bool = True  # is told
    faults: list[int] = field(default_factory=list)
    location: str | None = None  # everything redirects there
    on_chunk: Callable[[int], None] = lambda sent: None  # called in the server's thread before each chunk
    chunk_bytes: int = 1 << 16
    requests: list[dict[str, str]] = field(default_factory=list)  # headers
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/film.mp4"


@contextmanager
def serving(origin: Origin) -> Iterator[Origin]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, origin)

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # the client went

    server = Quiet(("127.0.0.1", 0), Handler)
    origin.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
    thread.start()
    try:
        yield origin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, origin: Origin) -> None:
    origin.requests.append(dict(request.headers))
    fault = origin.faults.pop(0) if origin.faults else None
    if origin.location or (fault is not None and fault < 0):
        request.send_response(302 if origin.location else -(fault or 0))
        if origin.location:
            request.send_header("Location", origin.location)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    start = _start(request, origin)
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(origin.data) - 1}/{len(origin.data)}")
    if origin.etag:
        request.send_header("ETag", origin.etag)
    if origin.length:
        request.send_header("Content-Length", str(len(origin.data) - start))
    request.send_header("Connection", "close")
    request.end_headers()
    stop = len(origin.data) if fault is None else start + fault
    while start < stop:
        origin.on_chunk(start)
        sent = origin.data[start : min(stop, start + origin.chunk_bytes)]
        request.wfile.write(sent)
        start += len(sent)
    request.close_connection = True


def _start(request: BaseHTTPRequestHandler, origin: Origin) -> int:
    """The first byte that is asked for, 0 unless the file is still the one of If-Range."""
    wanted = request.headers.get("Range", "")
    if not origin.ranges or not wanted or request.headers.get("If-Range") != origin.etag:
        return 0
    return int(wanted.removeprefix("bytes=").removesuffix("-"))
