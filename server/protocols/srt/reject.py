"""Why a handshake is refused: the codes of the field, with words. On the wire 1000 is added (the draft, 4.3, Table 7).

Codes below 1000 are the protocol's own; 1000 and above are the application's, the HTTP statuses of SRT Access Control
plus 1000 (libsrt, access_control.h).
"""

from collections.abc import Mapping
from enum import IntEnum

WIRE_OFFSET = 1000
"""Handshake Type of a refusal is this plus the code."""


class Code(IntEnum):
    UNKNOWN = 0
    SYSTEM = 1
    PEER = 2
    RESOURCE = 3
    ROGUE = 4
    BACKLOG = 5
    INTERNAL = 6
    CLOSE = 7
    VERSION = 8
    RENDEZVOUS_COOKIE = 9
    BAD_SECRET = 10
    UNSECURE = 11
    MESSAGE_API = 12
    CONGESTION = 13
    FILTER = 14
    GROUP = 15
    TIMEOUT = 16
    CRYPTO = 17
    BAD_REQUEST = 1400
    UNAUTHORIZED = 1401
    OVERLOAD = 1402
    FORBIDDEN = 1403
    NOT_FOUND = 1404
    BAD_MODE = 1405
    UNACCEPTABLE = 1406
    CONFLICT = 1409
    MEDIA_TYPE = 1415
    LOCKED = 1423
    SERVER_ERROR = 1500
    NOT_IMPLEMENTED = 1501
    UNAVAILABLE = 1503


WORDS: Mapping[int, str] = {
    Code.UNKNOWN: "no reason given",
    Code.SYSTEM: "the peer's system failed",
    Code.PEER: "the peer refused",
    Code.RESOURCE: "out of resources",
    Code.ROGUE: "the handshake is malformed",
    Code.BACKLOG: "too many callers are waiting",
    Code.INTERNAL: "the peer's program failed",
    Code.CLOSE: "the listener is closing",
    Code.VERSION: "the version of SRT is too old: 1.3 (HSv5) or newer is needed",
    Code.RENDEZVOUS_COOKIE: "rendezvous is not supported",
    Code.BAD_SECRET: "the passphrase is wrong",
    Code.UNSECURE: "one side has a passphrase and the other has none",
    Code.MESSAGE_API: "the stream (buffer) mode is not supported, only live mode",
    Code.CONGESTION: "the congestion control is not that of live mode",
    Code.FILTER: "packet filters (FEC) are not supported",
    Code.GROUP: "groups (bonding) are not supported",
    Code.TIMEOUT: "the handshake took too long",
    Code.CRYPTO: "the cipher is not supported: AES-CTR is",
    Code.BAD_REQUEST: "the stream id is malformed",
    Code.UNAUTHORIZED: "the key or token is not valid",
    Code.OVERLOAD: "the server is overloaded",
    Code.FORBIDDEN: "this is not allowed",
    Code.NOT_FOUND: "there is no such stream",
    Code.BAD_MODE: "the mode is not supported",
    Code.UNACCEPTABLE: "the request can't be satisfied",
    Code.CONFLICT: "the stream is being published already",
    Code.MEDIA_TYPE: "the type of media is not supported",
    Code.LOCKED: "the stream is locked",
    Code.SERVER_ERROR: "the server failed to answer",
    Code.NOT_IMPLEMENTED: "this is not implemented",
    Code.UNAVAILABLE: "the service is down",
}
"""Code → a sentence for logs and for people."""


def words(code: int) -> str:
    """The sentence of a code, known or not."""
    return WORDS.get(code, f"refused with code {code}")
