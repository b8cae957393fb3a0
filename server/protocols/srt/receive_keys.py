"""The keys that a connection receives with, as its peer announces them (the draft, 6.1.6)."""

from server.protocols.srt import key_material
from server.protocols.srt.errors import KeyMaterialError
from server.protocols.srt.key_material import Keyring, StreamCipher
from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import WORD

NO_SECRET = WORD.pack(key_material.NO_SECRET)
"""The answer of a connection in plain."""

_BAD_SECRET = WORD.pack(key_material.BAD_SECRET)


class ReceiveKeys:
    """take() a key message and send what it returns."""

    __slots__ = ("_derived_us", "_keyring", "_limits", "_message", "_size", "ciphers")

    def __init__(self, keyring: Keyring, ciphers: dict[int, StreamCipher], size: int, limits: Limits) -> None:
        """`ciphers` by EVEN and ODD, changed in place; `size` is that of a key in bytes, agreed in the handshake."""
        self.ciphers = ciphers
        self._keyring = keyring
        self._size = size
        self._limits = limits
        self._message: bytes | None = None  # the last that could be read
        self._derived_us: int | None = None  # when the last key was derived from the passphrase

    def take(self, message: bytes, now_us: int) -> bytes | None:
        """The answer: the same message, also when it comes again; a word when the keys can't be had. None: no answer,
        for a key of another length than agreed, and for one that would cost too much now (it comes again)."""
        if message != self._message:
            try:
                self._unwrap(message, now_us)
            except KeyMaterialError:
                return _BAD_SECRET
        return message if message == self._message else None

    def _unwrap(self, message: bytes, now_us: int) -> None:
        wrapped = key_material.parse(message)
        if wrapped.key_size != self._size:
            return
        if not self._keyring.knows(wrapped):
            since = None if self._derived_us is None else now_us - self._derived_us
            if since is not None and since < self._limits.key_derivations_s * 1e6:
                return
            self._derived_us = now_us
        self.ciphers.update(self._keyring.unwrap(wrapped))
        self._message = message
