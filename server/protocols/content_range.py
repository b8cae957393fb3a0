"""The Content-Range header of an upload by requests, and the pieces so far.

`part i/N`, `bytes a-b/T`, and with a total that is not known yet, which the last piece has to tell: `part i/*`,
`bytes a-b/*`.

Pieces come in any order, and again when an answer was lost. A piece's key orders it: its number, or its first byte.
Source: api.video, progressive uploads; what its SDKs send is in their code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from server.errors import Problem

MAX_PIECES = 10_000  # the dialect's own limit

_PART = re.compile(r"part\s+([0-9]{1,9})\s*/\s*([0-9]{1,9}|\*)", re.IGNORECASE)
_BYTES = re.compile(r"bytes\s+([0-9]{1,18})\s*-\s*([0-9]{1,18})\s*/\s*([0-9]{1,18}|\*)", re.IGNORECASE)

Unit = Literal["part", "bytes"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A request's place: `total` counts parts or bytes (None: not known yet); `size` is told by bytes only."""

    unit: Unit
    key: int
    total: int | None
    size: int | None = None

    @property
    def whole(self) -> bool:
        """There is no other piece."""
        return self.total == 1 if self.unit == "part" else self.size == self.total


@dataclass(frozen=True, slots=True)
class Pieces:
    """What has come of an upload: `received` is key -> bytes."""

    unit: Unit
    total: int | None
    received: Mapping[int, int]

    @classmethod
    def first(cls, piece: Piece) -> Self:
        return cls(piece.unit, piece.total, {})

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Of the value that `to_row` made."""
        received = {int(key): size for key, size in row["received"].items()}
        return cls(row["unit"], row["total"], received)

    def to_row(self) -> dict[str, Any]:
        """JSON: {"unit", "total", "received": {key: bytes}}."""
        return {"unit": self.unit, "total": self.total, "received": {str(k): v for k, v in self.received.items()}}

    def with_piece(self, piece: Piece, size: int) -> Self:
        """These pieces and one more of `size` bytes; the same ones if it was there. Raises Problem (400)."""
        if piece.unit != self.unit:
            raise _refused(f"The upload was started with {self.unit}.")
        if piece.total is not None and self.total not in (None, piece.total):
            raise _refused(f"The total was {self.total} before.")
        if piece.size is not None and piece.size != size:
            raise _refused(f"The range names {piece.size} bytes, {size} have come.")
        if piece.key in self.received:
            return self
        pieces = replace(
            self,
            total=self.total if piece.total is None else piece.total,
            received=dict(sorted({**self.received, piece.key: size}.items())),
        )
        pieces._check()
        return pieces

    @property
    def bytes_received(self) -> int:
        return sum(self.received.values())

    @property
    def complete(self) -> bool:
        if self.unit == "bytes":
            return self.bytes_received == self.total
        return len(self.received) == self.total

    def prefix(self) -> dict[int, int]:
        """The pieces from the first one on that leave no gap between them."""
        found: dict[int, int] = {}
        expected = 1 if self.unit == "part" else 0
        for key, size in self.received.items():
            if key != expected:
                break
            found[key] = size
            expected += 1 if self.unit == "part" else size
        return found

    def _check(self) -> None:
        if len(self.received) > MAX_PIECES:
            raise _refused(f"At most {MAX_PIECES} pieces are taken.")
        if self.unit == "part" and self.total is not None and max(self.received) > self.total:
            raise _refused(f"Part {max(self.received)} lies beyond the total of {self.total}.")
        last, size = max(self.received.items())
        if self.unit == "bytes" and self.total is not None and last + size > self.total:
            raise _refused(f"Byte {last + size - 1} lies beyond the total of {self.total}.")
        if self.unit == "bytes" and self._overlap():
            raise _refused("The range overlaps one that came before.")

    def _overlap(self) -> bool:
        end = 0
        for first, size in self.received.items():
            if first < end:
                return True
            end = first + size
        return False


def parse(header: str | None) -> Piece | None:
    """The piece a request brings; None for a whole file, which needs no header. Raises Problem (400)."""
    if header is None or not header.strip():
        return None
    if found := _PART.fullmatch(header.strip()):
        return _part(int(found[1]), None if found[2] == "*" else int(found[2]))
    if found := _BYTES.fullmatch(header.strip()):
        return _bytes(int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3]))
    raise _malformed("It must read 'part i/N', 'part i/*', 'bytes a-b/total' or 'bytes a-b/*'.")


def _part(number: int, total: int | None) -> Piece:
    if number == 0 or total == 0:
        raise _malformed("Parts are counted from 1.")
    if number > MAX_PIECES or (total or 0) > MAX_PIECES:
        raise _malformed(f"At most {MAX_PIECES} parts are taken.")
    if total is not None and number > total:
        raise _malformed(f"Part {number} lies beyond the total of {total}.")
    return Piece("part", number, total)


def _bytes(first: int, last: int, total: int | None) -> Piece:
    if first > last or (total is not None and last >= total):
        raise _malformed("The range must lie within the total.")
    return Piece("bytes", first, total, last - first + 1)


def _malformed(detail: str) -> Problem:
    return Problem("video-content-range-malformed", detail=detail, name="Content-Range")


def _refused(detail: str) -> Problem:
    return Problem("video-content-range-mismatch", detail=detail, name="Content-Range")
