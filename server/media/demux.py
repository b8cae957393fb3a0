"""Opening a stranger's file with libav, through its descriptor alone. Runs in children only: it imports av."""

import os
from typing import NoReturn

import av
from av.container import InputContainer

from server.media.containers import MPEG_TS, Container
from server.media.growing import Source, source_of

# What libav may read and decode to learn the streams of a file without a header that says so (MPEG-TS, FLV).
PROBE_BYTES = 5 << 20
PROBE_US = 5_000_000
READ_BYTES = 64 * 1024  # stays in the cache of a core until it is taken apart


class Descriptor:
    """A file object with a position of its own: the descriptor's is shared with the parent."""

    def __init__(self, source: int | Source) -> None:
        self._source = source_of(source)
        self._at = 0

    def read(self, size: int) -> bytes:
        data = self._source.some(self._at, size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._source.size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at


class Stream:
    """The same without a way back or ahead."""

    def __init__(self, source: Source) -> None:
        self._descriptor = Descriptor(source)

    def read(self, size: int) -> bytes:
        return self._descriptor.read(size)


def open_container(fd: int | Source, container: Container) -> InputContainer:
    """The file as that container and no other. Raises av.error.FFmpegError.

    Nothing else is opened: there is no protocol to open it with, and a demuxer that asks for one is refused.
    """
    return open_as(fd, container.demuxer, container.demuxer)


def open_as(fd: int | Source, demuxer: str | None, allowed: str) -> InputContainer:
    """The same with libav's own choice, for None, among the `allowed` demuxers."""
    source = source_of(fd)
    source.opening = True
    try:
        return av.open(
            # Transport streams are made for that: with a way to the end their last times are looked for there.
            Stream(source) if source.growing and demuxer == MPEG_TS.demuxer else Descriptor(source),
            "r",
            format=demuxer,
            container_options={
                "probesize": str(PROBE_BYTES),
                "analyzeduration": str(PROBE_US),
                "format_whitelist": allowed,
                "protocol_whitelist": "none",
            },
            metadata_errors="replace",
            buffer_size=READ_BYTES,
            io_open=_refuse,
        )
    finally:
        source.opening = False


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a file may not open another")
