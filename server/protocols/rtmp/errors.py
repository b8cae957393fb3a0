"""What a peer can do wrong. str() of each is a sentence for the log and for the event Closed.

    RtmpError
    ├─ HandshakeError   the peer speaks something else, or a kind of RTMP that Sluice does not
    ├─ ChunkError       a chunk header that cannot be right
    ├─ MessageError     a control or aggregate message that does not parse
    ├─ CommandError     a command that does not parse
    └─ LimitError       more of something than `limits` allows

All of them are the peer's fault; what a caller asks for at the wrong moment is answered by a return value.
"""


class RtmpError(Exception):
    """The connection cannot go on."""


class HandshakeError(RtmpError):
    """The first bytes are not those of RTMP."""


class ChunkError(RtmpError):
    """A chunk header contradicts the ones before it."""


class MessageError(RtmpError):
    """The body of a protocol message does not parse."""


class CommandError(RtmpError):
    """The body of a command message does not parse."""


class LimitError(RtmpError):
    """The peer wants more memory or work than any publisher needs."""
