"""The child that fetches an HLS source: its first picture and sound tracks as MPEG-TS, as fast as they are played.

    arguments  {"link": fd,     a socket: the URL and a line end come in, MPEG-TS goes out until the source ends
                "private": whether its files may be in private networks,
                "cafile", "capath": authorities of certificates, null: the system's}
    events     {"event": "started"}
               {"event": "problem", "detail", "lasting"}   the source can't be had, or has failed

The URL comes over the socket because arguments show in the list of processes. libav opens nothing by itself: every
file of the source is fetched by `hls_fetch`.
"""

import os
import select
import socket
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from server import clock
from server.media import guard
from server.media.hls_fetch import Fetcher, FetchFailed, context_of

MAX_URL = 4096
STILL_S = 60.0  # opening may take so long, and the wait for what a live playlist has next
AHEAD_S = 2.0  # media that is sent before it is due: what a source on demand is held back to
ERRNOS = 200  # the system's are below; libav has its own beside them
OPTIONS = {
    "protocol_whitelist": "http,https,tcp,tls,crypto",
    "http_persistent": "0",  # files are ours, not connections of libav's
    "http_multiple": "0",
    "max_reload": "20",  # of a live playlist that does not grow
    "m3u8_hold_counters": "20",
}


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    say({"event": "started"})
    av.logging.set_level(None)  # it would say URLs
    with socket.socket(fileno=arguments["link"]) as link:
        try:
            fetcher = Fetcher(context_of(arguments["cafile"], arguments["capath"]), arguments["private"], _wait)
            with av.open(
                _url(link), format="hls", options=OPTIONS, timeout=(STILL_S, STILL_S), io_open=fetcher.open
            ) as source:
                _pass_on(source, link)
        except FetchFailed as failed:
            say({"event": "problem", "detail": str(failed), "lasting": failed.lasting})
        except FFmpegError as error:
            number = error.errno or 0
            detail = os.strerror(number) if 0 < number < ERRNOS else "no HLS"
            say({"event": "problem", "detail": detail, "lasting": False})
        except ConnectionError:
            pass  # the server wants no more of it


def _url(link: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n") and len(text) <= MAX_URL:
        piece = link.recv(MAX_URL)
        if not piece:
            break
        text += piece
    return text.decode().strip()


def _pass_on(source: InputContainer, link: socket.socket) -> None:
    chosen = [*source.streams.video[:1], *source.streams.audio[:1]]
    with link.makefile("wb", buffering=0) as out:
        target: OutputContainer = av.open(_Sink(out), "w", format="mpegts", options={"flush_packets": "1"})
        streams = {each.index: target.add_stream_from_template(each) for each in chosen}
        pace = _Pace()
        for packet in source.demux(chosen):
            if packet.dts is None:
                continue
            pace.wait(packet)
            packet.stream = streams[packet.stream.index]
            target.mux(packet)
        target.close()


class _Sink:
    """What libav writes to: a socket that takes all of it."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._out.write(view) :]
        return len(data)


class _Pace:
    """Keeps media back until AHEAD_S before its time."""

    def __init__(self) -> None:
        self._began = 0.0
        self._first: float | None = None

    def wait(self, packet: "Packet[Any]") -> None:
        at_s = float((packet.dts or 0) * (packet.time_base or 0))
        now = clock.monotonic()
        if self._first is None or not -1.0 < at_s - self._first - (now - self._began) < 3600.0:
            self._first, self._began = at_s, now
        early_s = at_s - self._first - (now - self._began) - AHEAD_S
        if early_s > 0:
            _wait(early_s)


def _wait(seconds: float) -> None:
    select.select([], [], [], seconds)


if __name__ == "__main__":
    guard.run(work, "network")
