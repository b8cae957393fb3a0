"""The simple handshake (the specification, 5.2), as who calls speaks it.

    here  C0 version   C1 time 4, zero 4, random 1528                             C2 echo of S1
    peer                              S0 version, S1 as C1, S2 echo of C1

S2 is read and not compared: servers exist that send anything.
"""

import os

from server.protocols.rtmp.errors import HandshakeError
from server.protocols.rtmp.handshake import PACKET, VERSION

_ANSWER = 1 + 2 * PACKET


class ClientHandshake:
    """Feed it until `done`; whatever follows the handshake comes back."""

    __slots__ = ("_buffer", "_out", "done")

    def __init__(self) -> None:
        self.done = False
        self._buffer = bytearray()  # at most S0, S1 and S2, and what came with them
        self._out = bytes((VERSION,)) + bytes(8) + os.urandom(PACKET - 8)

    def receive(self, data: bytes) -> bytes:
        """Take bytes; the ones behind S2 are returned, b"" before that. HandshakeError by the first byte."""
        self._buffer += data
        if self._buffer and self._buffer[0] != VERSION:
            raise HandshakeError("the peer does not answer as an RTMP server")
        if len(self._buffer) < _ANSWER:
            return b""
        self._out += self._buffer[1 : 1 + PACKET]
        self.done = True
        rest = bytes(self._buffer[_ANSWER:])
        self._buffer.clear()
        return rest

    def data_to_send(self) -> bytes:
        out, self._out = self._out, b""
        return out
