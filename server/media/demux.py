"""Opening a stranger's file with libav, through its descriptor alone. Runs in children only: it imports av."""

import os
from typing import NoReturn

import av
from av.container import InputContainer

from server.media.containers import Container

# What libav may read and decode to learn the streams of a file without a header that says so (MPEG-TS, FLV).
PROBE_BYTES = 5 << 20
PROBE_US = 5_000_000
READ_BYTES = 64 * 1024  # stays in the cache of a core until it is taken apart


class Descriptor:
    """A file object over `fd` with a position of its own: the descriptor's is shared with the parent."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size
        self._at = 0

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, size, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at


def open_container(fd: int, container: Container) -> InputContainer:
    """The file as that container and no other. Raises av.error.FFmpegError.

    Nothing else is opened: there is no protocol to open it with, and a demuxer that asks for one is refused.
    """
    return open_as(fd, container.demuxer, container.demuxer)


def open_as(fd: int, demuxer: str | None, allowed: str) -> InputContainer:
    """The same with libav's own choice, for None, among the `allowed` demuxers."""
    return av.open(
        Descriptor(fd),
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


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a file may not open another")
