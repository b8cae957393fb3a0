"""A file that is read while it still comes: the parent adds up how many bytes are there, a child waits for those that
it wants.

    parent   Growth     an eventfd(2), to which the count of new bytes is added
    child    Source     reads what is there, and waits at the end of it; at the file's own end it is as any other

The file is known to become `total` bytes long, and what is there does not change any more; should it, the child is
killed and what it made is thrown away.
"""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

# Who asks for bytes so far ahead while it opens a file has jumped there, for what files keep at their ends: lengths,
# tables, tags. Waiting for that would mean to wait for all of it. Nearer ones may lie behind something passed over.
FAR_BYTES = 2 << 20


class Growth:
    """For one child: `fd` is given to it with what `told` says."""

    def __init__(self, size: int, total: int) -> None:
        """`size` bytes are there."""
        self.total = total
        self._size = self._first = min(size, total)
        self.fd = os.eventfd(0, os.EFD_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)
        self.fd = -1

    def grew(self, size: int) -> None:
        """`size` bytes are there now."""
        size = min(size, self.total)
        if self.fd >= 0 and size > self._size:
            os.eventfd_write(self.fd, size - self._size)
            self._size = size

    @property
    def told(self) -> dict[str, int]:
        return {"news": self.fd, "size": self._first, "total": self.total}


class Source:
    """The file behind `fd`; whole, unless there is a `growth` (as Growth.told has it)."""

    def __init__(self, fd: int, growth: Mapping[str, Any] | None = None) -> None:
        self._fd = fd
        self._news: int | None = growth["news"] if growth else None
        self._here: int = growth["size"] if growth else os.fstat(fd).st_size
        self.size: int = growth["total"] if growth else self._here
        self.opening = False  # set while what is far ahead is said not to be there
        self.denied = False  # that was said

    @property
    def growing(self) -> bool:
        """Whether it came bit by bit; also once it is whole."""
        return self._news is not None

    def read(self, offset: int, length: int) -> bytes:
        """Fewer bytes only at the end of the whole file."""
        self._wait(min(offset + length, self.size))
        return os.pread(self._fd, length, offset)

    def some(self, offset: int, length: int) -> bytes:
        """Fewer bytes where fewer are there by now; none at the end, and when `opening` far ahead."""
        if offset + length > self._here < self.size:
            if offset >= self.size:
                return b""
            if self.opening and offset > self._here + (0 if self.denied else FAR_BYTES):
                self.denied = True
                return b""
            self._wait(offset + 1)
            length = min(length, self._here - offset)
        return os.pread(self._fd, length, offset)

    def _wait(self, end: int) -> None:
        while self._here < end and self._news is not None:
            self._here += os.eventfd_read(self._news)


def source_of(fd: "int | Source") -> Source:
    return fd if isinstance(fd, Source) else Source(fd)
