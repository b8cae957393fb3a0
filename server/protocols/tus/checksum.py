"""Upload-Checksum: `algorithm base64(digest)`, of the bytes of one request.

Source: tus 1.0.0, Checksum. Not `checksum-trailer`: trailers are not passed on by aiohttp.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.errors import Problem

if TYPE_CHECKING:
    from hashlib import _Hash

HEADER = "Upload-Checksum"
DIGEST_BYTES: Mapping[str, int] = {"sha1": 20, "sha256": 32, "md5": 16}  # sha1 is the one that servers must know


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the sender says that the bytes give."""

    algorithm: str
    digest: bytes

    def hasher(self) -> "_Hash":
        """A new one, for the bytes."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def parse(header: str | None) -> Checksum | None:
    """None where there is none. Raises Problem (400)."""
    if header is None:
        return None
    # "The Upload-Checksum request header … MUST consist of the name of the used checksum algorithm and the Base64
    # encoded checksum separated by a space."
    algorithm, _, encoded = header.strip().partition(" ")
    size = DIGEST_BYTES.get(algorithm.lower())
    if size is None:
        raise _refused(f"The algorithms are {', '.join(DIGEST_BYTES)}.")
    try:
        digest = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise _refused("The checksum must be in Base64.") from None
    if len(digest) != size:
        raise _refused(f"A checksum by {algorithm.lower()} has {size} bytes.")
    return Checksum(algorithm.lower(), digest)


def _refused(detail: str) -> Problem:
    return Problem("invalid-attribute", detail=detail, name=HEADER)
