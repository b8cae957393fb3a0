"""What a peer can send wrong. str() of each is a sentence for the log; the packet is dropped, or the caller refused.

    SrtError
    ├─ HandshakeError     a handshake that does not parse, or asks for what is not spoken: `code` of the refusal
    └─ KeyMaterialError   a key message that does not parse, or was wrapped with another passphrase: `code` as well
"""

from server.protocols.srt.reject import Code, words


class SrtError(Exception):
    """All of them are the peer's fault."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(detail or words(code))
        self.code = code


class HandshakeError(SrtError):
    """The connection can't be made."""


class KeyMaterialError(SrtError):
    """The keys can't be had."""
