"""The picture that is put over the videos of sandbox projects: the word, drawn here, as a PNG that can be seen through.

Source: PNG (ISO/IEC 15948): signature, IHDR, one IDAT of rows with filter 0, IEND.
"""

import struct
import zlib
from functools import cache

WORD = "SANDBOX"
SCALE = 16  # pixels of a dot
MARGIN = 1  # dots around the word
INK, GROUND = b"\xff\xff\xff\xff", b"\x00\x00\x00\x80"  # red, green, blue, alpha

# five dots wide, seven high
_LETTERS = {
    "S": (".###.", "#...#", "#....", ".###.", "....#", "#...#", ".###."),
    "A": (".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "N": ("#...#", "##..#", "##..#", "#.#.#", "#..##", "#..##", "#...#"),
    "D": ("####.", "#...#", "#...#", "#...#", "#...#", "#...#", "####."),
    "B": ("####.", "#...#", "#...#", "####.", "#...#", "#...#", "####."),
    "O": (".###.", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."),
    "X": ("#...#", "#...#", ".#.#.", "..#..", ".#.#.", "#...#", "#...#"),
}


@cache
def picture() -> bytes:
    """The PNG."""
    dots = _dots()
    rows = [b"\0" + b"".join((INK if dot == "#" else GROUND) * SCALE for dot in row) for row in dots]
    width, height = len(dots[0]) * SCALE, len(dots) * SCALE
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(b"".join(row * SCALE for row in rows)))
        + _chunk(b"IEND", b"")
    )


def _dots() -> list[str]:
    side = "." * MARGIN
    rows = [side + ".".join(_LETTERS[letter][at] for letter in WORD) + side for at in range(7)]
    empty = ["." * len(rows[0])] * MARGIN
    return [*empty, *rows, *empty]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
