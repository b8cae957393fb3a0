"""Coded pictures and sounds as libav's decoders take them. Runs in children only: it imports av."""

from typing import Any

from av.packet import Packet


def packet(data: bytes | memoryview) -> "Packet[Any]":
    """A packet with a copy of `data` behind it, in memory of libav's own.

    One around bytes of Python's lacks the zeros that decoders read past the end, and is let go of by whichever thread
    of a decoder has done with it, which needs the interpreter's lock for that: a decoder that ends in the middle of a
    stream waits for those threads while it holds the lock, for good.
    """
    made: Packet[Any] = Packet(len(data))
    if data:
        made.update(bytes(data))
    return made
