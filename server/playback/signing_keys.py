"""Keys that products sign playback tokens with: made here, and their public halves kept in memory to check with.

The private half is given out once, when it is made, and not stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from server import clock, ids
from server.catalog import signing_keys
from server.catalog.database import Database, Transaction
from server.playback.kept import Kept

RS256, ES256, EDDSA = "RS256", "ES256", "EdDSA"
RSA_BITS = 2048  # RFC 7518 3.3: "a key of size 2048 bits or larger"
RSA_EXPONENT = 65537
CACHE_SIZE = 2000  # keys, about 2 KiB each

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

# what there is, and all that a token's header may name beside our own
ALGORITHMS: Mapping[str, Callable[[], PrivateKey]] = {
    RS256: lambda: rsa.generate_private_key(RSA_EXPONENT, RSA_BITS),
    ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
    EDDSA: ed25519.Ed25519PrivateKey.generate,
}


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half."""

    id: str
    project_id: str
    algorithm: str
    key: PublicKey


def generate(algorithm: str) -> tuple[str, str]:
    """(private, public) of a new key, as PEM. Takes up to a second of CPU for RS256."""
    private = ALGORITHMS[algorithm]()
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return secret.decode(), public.decode()


class SigningKeys(Kept[VerifyingKey]):
    """The cache. One for each process."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = clock.monotonic) -> None:
        super().__init__(database, _read, CACHE_SIZE, monotonic)

    async def prepare(self, kid: str) -> None:
        """Brings it into memory, for `find`, if there is one."""
        if id := _canonical(kid):
            await self.get(id)

    def find(self, kid: str) -> VerifyingKey | None:
        """What is in memory, by any spelling of its id."""
        id = _canonical(kid)
        return self.peek(id) if id else None


def _canonical(kid: str) -> str | None:
    try:
        return ids.canonical("sk_", kid)
    except ids.InvalidId:
        return None


async def _read(transaction: Transaction, id: str) -> VerifyingKey | None:
    row = await signing_keys.find(transaction, id)
    if row is None:
        return None
    key = load_pem_public_key(row.public_key.encode())
    return VerifyingKey(row.id, row.project_id, row.algorithm, key) if isinstance(key, PublicKey) else None
