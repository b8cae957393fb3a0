"""The simple handshake (the specification, 5.2), server side.

    peer  C0 version   C1 time 4, zero 4, random 1528             C2 echo of S1
    here                          S0 version, S1 as C1, S2 echo of C1

C2 is read and not compared: encoders exist that send anything. The digest handshake of Flash Player is not
spoken; S1 says so by its zeros, and publishers that could use it then do without.
"""

import os

from server.protocols.rtmp.errors import HandshakeError

VERSION = 3
PACKET = 1536  # bytes of C1, C2, S1 and S2

_TLS_HANDSHAKE = 0x16
_RTMPE = (6, 8, 9)
_HTTP = frozenset(b"GPHDOCT")  # first letters of the methods


class Handshake:
    """Feed it until `done`; whatever follows the handshake comes back."""

    __slots__ = ("_answered", "_buffer", "_out", "done")

    def __init__(self) -> None:
        self.done = False
        self._answered = False
        self._buffer = bytearray()  # at most C0 and C1, and what came with them
        self._out = b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes; the ones behind C2 are returned, b"" before that. HandshakeError by the first byte."""
        self._buffer += data
        if not self._answered:
            self._read_c1()
        if not self._answered or len(self._buffer) < PACKET:
            return b""
        self.done = True
        rest = bytes(self._buffer[PACKET:])
        self._buffer.clear()
        return rest

    def data_to_send(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def _read_c1(self) -> None:
        if self._buffer and self._buffer[0] != VERSION:
            raise HandshakeError(_why_not(self._buffer[0]))
        if len(self._buffer) <= PACKET:
            return
        c1 = bytes(self._buffer[1 : 1 + PACKET])
        del self._buffer[: 1 + PACKET]
        self._out = bytes((VERSION,)) + bytes(8) + os.urandom(PACKET - 8) + c1
        self._answered = True


def _why_not(first: int) -> str:
    """Names what a wrong first byte most likely means, because the log line is all an operator gets."""
    if first == _TLS_HANDSHAKE:
        return "the peer speaks TLS: rtmps:// has a port of its own"
    if first in _HTTP:
        return "the peer speaks HTTP, not RTMP"
    if first in _RTMPE:
        return "the peer speaks RTMPE, which is not supported"
    return f"the first byte is 0x{first:02x}, not an RTMP version 3"
