"""The keys that a connection sends with, and their refresh (the draft, 6.1.6).

    packets with this key    refresh − announce         refresh                     refresh + announce
                             next key announced         switched to, if confirmed   old key forgotten
"""

from server.protocols.srt.key_material import Keyring, StreamCipher, new_cipher
from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import EVEN, ODD


class SendKeys:
    """Ask for_next() once a packet; send `announcement`, while there is one, until confirmed() takes it."""

    __slots__ = ("_active", "_ciphers", "_confirmed", "_keyring", "_limits", "_packets", "_salt", "announcement")

    def __init__(
        self, flag: int, ciphers: dict[int, StreamCipher], salt: bytes, keyring: Keyring, limits: Limits
    ) -> None:
        """`flag` (EVEN or ODD) names the one of `ciphers` to begin with."""
        self.announcement = b""
        """A key material message that the peer has not confirmed."""
        self._active = flag
        self._ciphers = {flag: ciphers[flag]}
        self._salt = salt
        self._keyring = keyring
        self._limits = limits
        self._packets = 0  # sent with the active key
        self._confirmed = False  # the next key

    def for_next(self) -> tuple[int, StreamCipher]:
        """The flag and the cipher of the next packet."""
        self._packets += 1
        if self._packets >= self._limits.key_announce_packets:
            self._refresh()
        return self._active, self._ciphers[self._active]

    def confirmed(self, message: bytes) -> None:
        """The peer has answered with this."""
        if self.announcement and message == self.announcement:
            self.announcement = b""
            self._confirmed = True

    def _refresh(self) -> None:
        limits, other = self._limits, EVEN + ODD - self._active
        if self._packets == limits.key_announce_packets < limits.key_refresh_packets:
            self._ciphers.pop(other, None)
        if self._packets >= limits.key_refresh_packets - limits.key_announce_packets and other not in self._ciphers:
            self._announce(other)
        # Without a confirmation the old key goes on, but not for ever.
        due = limits.key_refresh_packets * (1 if self._confirmed else 2)
        if self._packets > due and other in self._ciphers:
            self._active, self._packets, self._confirmed, self.announcement = other, 1, False, b""

    def _announce(self, other: int) -> None:
        current = self._ciphers[self._active]
        self._ciphers[other] = new_cipher(len(current.key), self._salt)
        self.announcement = self._keyring.wrap(self._ciphers, self._salt).pack()
