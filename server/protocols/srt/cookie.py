"""SYN cookies (the draft, 4.3.1.1): a listener remembers nothing of an induction, and knows its own answer again."""

import hashlib
import hmac
import secrets

from server.protocols.srt.packet import Address

_LIFE_US = 60_000_000  # this minute and the one before are good


class Cookies:
    def __init__(self, secret: bytes | None = None) -> None:
        """`secret` of at most 32 bytes; random if left out."""
        self._secret = secret or secrets.token_bytes(32)

    def make(self, address: Address, now_us: int) -> int:
        return self._of(address, now_us // _LIFE_US)

    def good(self, cookie: int, address: Address, now_us: int) -> bool:
        minute = now_us // _LIFE_US
        given = cookie.to_bytes(4, "big")
        return any(
            hmac.compare_digest(given, self._of(address, age).to_bytes(4, "big")) for age in (minute, minute - 1)
        )

    def _of(self, address: Address, minute: int) -> int:
        text = f"{address[0]} {address[1]} {minute}".encode()
        digest = hashlib.blake2s(text, key=self._secret, digest_size=4).digest()
        return int.from_bytes(digest, "big") or 1  # callers take 0 for no cookie
