"""The drawn picture, read back by hand: its dots are the word's."""

import struct
import zlib

from server.vod import sandbox


def chunks(png: bytes) -> dict[bytes, bytes]:
    found, at = {}, 8
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        data = png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size)[0] == zlib.crc32(kind + data)
        found[kind] = data
        at += 12 + size
    return found


def test_the_picture_is_a_png_of_the_word() -> None:
    png = sandbox.picture()
    parts = chunks(png)
    width, height, depth, kind = struct.unpack_from(">IIBB", parts[b"IHDR"])
    rows = zlib.decompress(parts[b"IDAT"])
    stride = 1 + 4 * width
    dots = [
        "".join(
            "#" if rows[y * stride + 1 + 4 * x :][:4] == sandbox.INK else "." for x in range(0, width, sandbox.SCALE)
        )
        for y in range(0, height, sandbox.SCALE)
    ]

    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert (depth, kind, len(rows)) == (8, 6, stride * height)
    assert dots[0] == "." * (7 * 6 + 1)
    assert dots[1] == "..###...###..#...#.####..####...###..#...#."
