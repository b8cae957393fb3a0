"""Signatures of webhooks.

`X-Api-Video-Signature`: hex HMAC-SHA256 of the body, as api.video signs.
`Sluice-Signature`: `t=<Unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, one v1 for each secret that holds, so that
a receiver who checks the time can't be shown an old call, and a secret can be changed without a call being refused.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

SECRET_PREFIX = "sig_sec_"
TOLERANCE_S = 300  # that a receiver should allow: its clock, ours, and the way
MAX_SIGNATURES = 8  # looked at in one header


def new_secret() -> str:
    """192 random bits."""
    return SECRET_PREFIX + secrets.token_urlsafe(24)


def of_body(body: bytes, secret: str) -> str:
    """The value of X-Api-Video-Signature."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def timed(body: bytes, keys: Sequence[str], at_s: int) -> str:
    """The value of Sluice-Signature: one v1 for each key."""
    signed = f"{at_s}.".encode() + body
    return ",".join([f"t={at_s}", *(f"v1={of_body(signed, key)}" for key in keys)])


def holds(header: str, body: bytes, secret: str, now_s: int, tolerance_s: int = TOLERANCE_S) -> bool:
    """Whether a Sluice-Signature was made with the secret, lately."""
    at, found = None, []
    for name, _, value in (part.strip().partition("=") for part in header.split(",")[: MAX_SIGNATURES + 1]):
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 12:
            at = int(value)
        elif name == "v1":
            found.append(value)
    if at is None or abs(now_s - at) > tolerance_s:
        return False
    wanted = of_body(f"{at}.".encode() + body, secret).encode()
    return any(hmac.compare_digest(each.encode(), wanted) for each in found)
