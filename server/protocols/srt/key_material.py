"""Key material messages (the draft, 3.2.2 and 6): stream keys, wrapped with a key derived from the passphrase.

    0x12 | 0x2029 | KK | KEKI:32 | cipher auth SE 0 | 0:16 SLen/4 KLen/4 | salt | wrapped key(s), even before odd
"""

import hashlib
import secrets
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from server.protocols.srt.errors import KeyMaterialError
from server.protocols.srt.packet import EVEN, ODD
from server.protocols.srt.reject import Code

PASSPHRASE_MIN, PASSPHRASE_MAX = 10, 79
"""Characters of a passphrase (libsrt, SRTO_PASSPHRASE)."""

NO_SECRET, BAD_SECRET = 3, 4
"""What a key response of a single word says instead of the keys (libsrt, SRT_KM_STATE)."""

_FIXED = struct.Struct(">BHBIBBBBHBB")
_VERSION_TYPE = 0x12  # version 1, keying material
_SIGNATURE = 0x2029
_AES_CTR, _NO_AUTH, _MPEG_TS_SRT = 2, 0, 2
_KEK_EVEN, _KEK_ODD = 1, 2
_SALT = 16
_ITERATIONS = 2048
_INTEGRITY = 8  # bytes that RFC 3394 adds


class StreamCipher:
    """AES-CTR with one stream key: the same for both directions of the work."""

    __slots__ = ("_context", "_iv", "key")

    def __init__(self, key: bytes, salt: bytes) -> None:
        self.key = key
        self._iv = int.from_bytes(salt[:14], "big") << 16
        # One context for all packets: a new counter costs a third of a new context.
        self._context = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def apply(self, sequence: int, payload: bytes | memoryview) -> bytes:
        """Encrypt, or decrypt, the payload of a packet. The counter: the top 112 bits of the salt, xor the sequence
        number, then 16 bits that count blocks (the draft, 6.1.2)."""
        context = self._context
        context.reset_nonce((self._iv ^ sequence << 16).to_bytes(16, "big"))
        return context.update(payload)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key material message, parsed."""

    flags: int
    """EVEN, ODD or both."""
    salt: bytes
    key_size: int
    """Bytes of one key: 16, 24, 32."""
    keys: bytes
    """Wrapped, even before odd."""

    def pack(self) -> bytes:
        flags = (self.flags & EVEN and _KEK_EVEN) | (self.flags & ODD and _KEK_ODD)
        fixed = _FIXED.pack(
            _VERSION_TYPE, _SIGNATURE, flags, 0, _AES_CTR, _NO_AUTH, _MPEG_TS_SRT, 0, 0, _SALT // 4, self.key_size // 4
        )
        return fixed + self.salt + self.keys


def parse(message: bytes) -> Wrapped:
    """KeyMaterialError with ROGUE when malformed, CRYPTO when it is for another cipher."""
    if len(message) < _FIXED.size + _SALT:
        raise KeyMaterialError(Code.ROGUE, "the key message is too short")
    kind, signature, flags, _, cipher, auth, _, _, _, salt_words, key_words = _FIXED.unpack_from(message)
    if kind != _VERSION_TYPE or signature != _SIGNATURE:
        raise KeyMaterialError(Code.ROGUE, "the key message is malformed")
    if cipher != _AES_CTR or auth != _NO_AUTH:
        raise KeyMaterialError(Code.CRYPTO)
    flags &= _KEK_EVEN | _KEK_ODD
    size, salt_end = 4 * key_words, _FIXED.size + _SALT
    count = flags.bit_count()
    if not count or size not in (16, 24, 32) or 4 * salt_words != _SALT:
        raise KeyMaterialError(Code.ROGUE, "the key message is malformed")
    wrapped = message[salt_end : salt_end + count * size + _INTEGRITY]
    if len(wrapped) < count * size + _INTEGRITY:
        raise KeyMaterialError(Code.ROGUE, "the key message is too short")
    which = (EVEN if flags & _KEK_EVEN else 0) | (ODD if flags & _KEK_ODD else 0)
    return Wrapped(which, message[_FIXED.size : salt_end], size, wrapped)


class Keyring:
    """A passphrase, and the last key derived from it: deriving one takes 0.6 ms."""

    __slots__ = ("_derived", "_passphrase")

    def __init__(self, passphrase: str) -> None:
        self._passphrase = passphrase.encode()
        self._derived: tuple[bytes, int, bytes] | None = None

    def knows(self, wrapped: Wrapped) -> bool:
        """Unwrapping needs no derivation."""
        return self._derived is not None and self._derived[:2] == (wrapped.salt, wrapped.key_size)

    def unwrap(self, wrapped: Wrapped) -> dict[int, StreamCipher]:
        """EVEN and ODD → ciphers, those that the message has. KeyMaterialError with BAD_SECRET."""
        kek = self._kek(wrapped.salt, wrapped.key_size)
        try:
            keys = aes_key_unwrap(kek, wrapped.keys)
        except InvalidUnwrap:
            raise KeyMaterialError(Code.BAD_SECRET) from None
        which = [flag for flag in (EVEN, ODD) if wrapped.flags & flag]
        size = wrapped.key_size
        return {
            flag: StreamCipher(keys[at * size : (at + 1) * size], wrapped.salt) for at, flag in enumerate(which)
        }

    def wrap(self, ciphers: dict[int, StreamCipher], salt: bytes) -> Wrapped:
        """The message that tells a peer these keys (all of one size)."""
        keys = [ciphers[flag].key for flag in (EVEN, ODD) if flag in ciphers]
        wrapped = aes_key_wrap(self._kek(salt, len(keys[0])), b"".join(keys))
        return Wrapped(sum(ciphers), salt, len(keys[0]), wrapped)

    def _kek(self, salt: bytes, size: int) -> bytes:
        """KEK = PBKDF2(HMAC-SHA1, passphrase, the last 64 bits of the salt, 2048) (the draft, 6.1.4)."""
        if self._derived is None or self._derived[:2] != (salt, size):
            kek = hashlib.pbkdf2_hmac("sha1", self._passphrase, salt[8:], _ITERATIONS, size)
            self._derived = salt, size, kek
        return self._derived[2]


def new_salt() -> bytes:
    return secrets.token_bytes(_SALT)


def new_cipher(key_size: int, salt: bytes) -> StreamCipher:
    """With a random key of so many bytes."""
    return StreamCipher(secrets.token_bytes(key_size), salt)
