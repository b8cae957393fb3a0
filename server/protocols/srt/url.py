"""srt://host:port?streamid=…&passphrase=…&latency=…&pbkeylen=… URLs, as people paste them.

`latency` is in milliseconds, as srt-live-transmit and vMix have it (ffmpeg's is in microseconds: from 100,000 on it
is taken for that). `mode` may say caller, and nothing else. Other parameters are passed over.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

MAX_URL = 2000  # characters
MAX_PARAMETERS = 32
LATENCY_MS = 200  # where the URL says none
MAX_LATENCY_MS = 8000
MICROSECONDS_FROM = 100_000
KEY_BITS: Final = {"": 0, "0": 0, "16": 128, "24": 192, "32": 256}
PASSPHRASE = range(10, 80)  # bytes
MAX_STREAM_ID = 512  # bytes


class SrtUrlError(ValueError):
    """Not a URL that can be called; the text, without the URL, is for its owner to read."""


@dataclass(frozen=True, slots=True)
class SrtUrl:
    """Whom to call, and with what."""

    host: str
    port: int
    stream_id: str
    """A secret, as the passphrase is."""
    passphrase: str = ""
    key_bits: int = 0
    latency_ms: int = LATENCY_MS

    def __repr__(self) -> str:
        return f"SrtUrl({self.host}:{self.port})"


def parse(text: str, stream_id: str = "") -> SrtUrl:
    """`stream_id` is used where the URL has none. Raises SrtUrlError."""
    if len(text) > MAX_URL or not text.isprintable():
        raise SrtUrlError("the URL is too long or has control characters")
    try:
        url = urlsplit(text)
        port = url.port
        values = dict(parse_qsl(url.query, max_num_fields=MAX_PARAMETERS))
    except ValueError:
        raise SrtUrlError("the URL can't be read") from None
    if url.scheme != "srt" or not url.hostname or not port:
        raise SrtUrlError("the URL is not srt://host:port")
    if values.get("mode", "caller") != "caller":
        raise SrtUrlError("the mode of an SRT URL can only be caller")
    return SrtUrl(
        url.hostname, port, _stream_id(values.get("streamid", stream_id)), _passphrase(values.get("passphrase", "")),
        _key_bits(values.get("pbkeylen", "")), _latency_ms(values.get("latency", "")),
    )  # fmt: skip


def _stream_id(text: str) -> str:
    if len(text.encode()) > MAX_STREAM_ID:
        raise SrtUrlError(f"the stream id has more than {MAX_STREAM_ID} bytes")
    return text


def _passphrase(text: str) -> str:
    if text and len(text.encode()) not in PASSPHRASE:
        raise SrtUrlError("the passphrase does not have 10 to 79 characters")
    return text


def _key_bits(text: str) -> int:
    if text not in KEY_BITS:
        raise SrtUrlError("pbkeylen is not 16, 24 or 32")
    return KEY_BITS[text]


def _latency_ms(text: str) -> int:
    if not text:
        return LATENCY_MS
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise SrtUrlError("the latency is not a number of milliseconds")
    value = int(text)
    return min(value // 1000 if value >= MICROSECONDS_FROM else value, MAX_LATENCY_MS)
