"""What an HLS source is made of, fetched over HTTP: playlists, keys, segments. Runs in the child that reads the source.

libav's own HTTP client neither verifies the certificates of what a playlist leads to nor looks at where redirects go,
so it is given files of ours: opened over http and https alone, certificates verified, every address looked at before it
is called, sizes, times and redirects limited. Playlists are handed on with absolute addresses, because libav would not
learn of a redirect.
"""

import base64
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from server import clock
from server.protocols.destinations import PUBLIC

MAX_REDIRECTS = 5
MAX_PLAYLIST = 2 << 20  # bytes: a day of two-second segments with long names
MAX_FILE = 1 << 30  # bytes of one segment, or of a source in one file
TIMEOUT_S = 10.0  # of connecting, and of each read
MAX_FILE_S = 120.0  # of all of one file, which is played meanwhile
TRIES = 3  # of a file that can't be had just now
PAUSE_S = 0.5
BLOCK = 16  # bytes of AES
PLAYLIST = b"#EXTM3U"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
URI_ATTRIBUTE = re.compile(r'(\bURI=")([^"]*)(")')
SAFE = "%/:=&?~#+!$,;'@()*[]"  # what stands in a URL's path and query as it is


class FetchFailed(Exception):
    """A file can't be had; the text holds no address. `lasting`: it will hardly pass by itself."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


class File:
    """What libav reads from."""

    def __init__(self, read: Callable[[int], bytes], close: Callable[[], None], head: bytes = b"") -> None:
        self._read = read
        self._close = close
        self._head = head
        self._left = MAX_FILE
        self._deadline = clock.monotonic() + MAX_FILE_S

    def read(self, size: int) -> bytes:
        """Raises FetchFailed."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        if clock.monotonic() > self._deadline:
            raise FetchFailed(f"a file was not had within {MAX_FILE_S:g} s")
        try:
            data = self._read(size)
        except (OSError, HTTPException, ValueError) as error:
            raise _failure(error) from None
        self._left -= len(data)
        if self._left < 0:
            raise FetchFailed("a file is too large", lasting=True)
        return data

    def close(self) -> None:
        self._close()


class Fetcher:
    """`open` is what PyAV calls for every file of a source."""

    def __init__(self, context: ssl.SSLContext, private: bool, wait: Callable[[float], None]) -> None:
        """`private`: whether files may be in private networks. `wait` lets so many seconds pass."""
        self._context = context
        self._private = private
        self._wait = wait

    def open(self, url: str, flags: int, options: Mapping[str, str]) -> File:
        """Raises FetchFailed."""
        encrypted, url = url.startswith("crypto"), url.removeprefix("crypto+").removeprefix("crypto:")
        for attempt in range(TRIES):
            try:
                response, at = self._get(url, _range(options))
                file = _file(response, at)
                return _decrypted(file, options) if encrypted else file
            except FetchFailed as failed:
                if failed.lasting or attempt == TRIES - 1:
                    raise
            self._wait(PAUSE_S)
        raise AssertionError("unreachable")

    def _get(self, url: str, headers: Mapping[str, str]) -> tuple[HTTPResponse, str]:
        """The answer, and the address that it came from in the end."""
        for _ in range(MAX_REDIRECTS + 1):
            try:
                response = self._ask(_parts(url), headers)
            except (OSError, HTTPException, ValueError) as error:
                raise _failure(error) from None
            location = response.getheader("Location")
            if response.status not in REDIRECTS or not location:
                return _accepted(response, headers), url
            response.close()
            onward = urljoin(url, location)
            if url.startswith("https:") and not onward.startswith("https:"):
                raise FetchFailed("a redirect leads from https to something else", lasting=True)
            url = onward
        raise FetchFailed(f"more than {MAX_REDIRECTS} redirects", lasting=True)

    def _ask(self, parts: SplitResult, headers: Mapping[str, str]) -> HTTPResponse:
        host = parts.hostname or ""
        tls = parts.scheme == "https"
        connection: HTTPConnection
        if tls:
            connection = HTTPSConnection(host, parts.port or 443, timeout=TIMEOUT_S, context=self._context)
        else:
            connection = HTTPConnection(host, parts.port or 80, timeout=TIMEOUT_S)
        sock = self._dial(host, connection.port)
        try:
            connection.sock = sock = self._context.wrap_socket(sock, server_hostname=host) if tls else sock
            path = quote(parts.path or "/", SAFE) + (f"?{quote(parts.query, SAFE)}" if parts.query else "")
            sent = {"User-Agent": "Sluice", "Accept": "*/*", "Connection": "close", **headers}
            connection.request("GET", path, headers=sent | _credentials(parts))
            return connection.getresponse()
        finally:
            sock.close()  # the answer, if there is one, holds it open until it is closed itself

    def _dial(self, host: str, port: int) -> socket.socket:
        """A connection to an address that was looked at. Raises OSError, FetchFailed."""
        found = [address for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not self._private and not all(PUBLIC.allows_address(str(at[0])) for at in found):
            raise FetchFailed("it leads to a private address, which this server does not allow", lasting=True)
        failure: OSError = ConnectionError("the host has no address")
        for address in found:
            try:
                return socket.create_connection((str(address[0]), port), TIMEOUT_S)
            except OSError as error:
                failure = error
        raise failure


def context_of(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    """Verifies by these authorities, else by the system's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if cafile or capath:
        context.load_verify_locations(cafile, capath)
    else:
        context.load_default_certs()
    return context


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchFailed("it leads to something that is neither http nor https", lasting=True)
    return parts


def _credentials(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _range(options: Mapping[str, str]) -> dict[str, str]:
    """Of EXT-X-BYTERANGE, as libav says it."""
    start, end = int(options.get("offset", "0")), int(options.get("end_offset", "0"))
    return {"Range": f"bytes={start}-{end - 1}"} if end > start else {}


def _accepted(response: HTTPResponse, headers: Mapping[str, str]) -> HTTPResponse:
    """Raises FetchFailed."""
    if response.status == (206 if "Range" in headers else 200):
        return response
    response.close()
    if response.status == 200:
        raise FetchFailed("the host gives no ranges of a file", lasting=True)
    raise FetchFailed(f"the host answered {response.status}", lasting=response.status in (401, 403))


def _file(response: HTTPResponse, url: str) -> File:
    file = File(response.read1, response.close)
    head = b""
    while len(head) < len(PLAYLIST) and PLAYLIST.startswith(head) and (data := file.read(len(PLAYLIST) - len(head))):
        head += data
    if head != PLAYLIST:
        return File(response.read1, response.close, head)
    text = bytearray(head)
    while data := file.read(1 << 16):
        text += data
        if len(text) > MAX_PLAYLIST:
            file.close()
            raise FetchFailed("a playlist is too long", lasting=True)
    file.close()
    return File(lambda size: b"", lambda: None, absolute(text.decode(errors="replace"), url).encode())


def absolute(playlist: str, url: str) -> str:
    """The playlist with every address in it made absolute."""
    lines = []
    for line in playlist.splitlines():
        if line.startswith("#"):
            lines.append(URI_ATTRIBUTE.sub(lambda found: found[1] + urljoin(url, found[2]) + found[3], line))
        else:
            lines.append(urljoin(url, line.strip()) if line.strip() else "")
    return "\n".join(lines) + "\n"


def _decrypted(file: File, options: Mapping[str, str]) -> File:
    """AES-128 as RFC 8216 4.3.2.4 has it: CBC, the last block padded."""
    try:
        cipher = Cipher(AES(bytes.fromhex(options["key"])), CBC(bytes.fromhex(options["iv"]))).decryptor()
    except (KeyError, ValueError):
        raise FetchFailed("a segment's key can't be used", lasting=True) from None
    held, ended = b"", False  # the last block may be padding

    def read(size: int) -> bytes:
        nonlocal held, ended
        while not ended and len(held) <= BLOCK:
            data = file.read(size)
            ended = not data
            held += cipher.update(data)  # keeps what is not a whole block yet
        if ended:
            padding = held[-1] if held else 0
            out, held = held[: len(held) - padding] if padding <= BLOCK else held, b""
        else:
            out, held = held[:-BLOCK], held[-BLOCK:]
        return out

    return File(read, file.close)


def _failure(error: Exception) -> FetchFailed:
    """Errors of the network and of the protocol, without their addresses."""
    if isinstance(error, FetchFailed):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchFailed("the certificate of the host is not valid", lasting=True)
    if isinstance(error, TimeoutError):
        return FetchFailed("the host did not answer in time")
    if isinstance(error, socket.gaierror | UnicodeError):
        return FetchFailed("the host can't be resolved")
    if isinstance(error, OSError):
        return FetchFailed(error.strerror or "the connection failed")
    return FetchFailed("the host does not speak HTTP as it should")
