"""Playback tokens: JWTs (RFC 7519) that open one asset for a while, and what they grant.

Signed with the server's own secret, or by a product with a signing key of its project (`kid` in the header). Two
kinds, told apart by the claim `ses`:

  opening token   minted over the API or the command line, or by the product; its `exp` bounds the *start* of playback
  session token   made by the server when an opening token is used; carries its limits on, and outlives it, so that
                  a 15-minute link does not stop a two-hour film. It keeps the opening token's `jti`, so that one
                  revocation ends both, and names the opening token's signing key, so that its deletion ends both too.
"""

import hashlib
import ipaddress
import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jwt

from server import clock, ids
from server.errors import Problem
from server.playback.signing_keys import VerifyingKey
from server.tally import OTHER, Counts

PLAYBACK = "playback"  # every byte of an asset
THUMBNAIL = "thumbnail"  # its images only
AUDIENCES = (PLAYBACK, THUMBNAIL)

# Of what we sign; a signing key has one of its own. Pinned: what a token's header says of itself is compared with
# this, never obeyed.
ALGORITHM = "HS256"
MIN_SECRET_BYTES = 32  # RFC 7518 3.2: an HS256 key has at least the size of the hash

DEFAULT_TTL_S = 3600
MAX_TTL_S = 7 * 86400
SESSION_S = 12 * 3600  # a session's least life: an evening with pauses
LEEWAY_S = 5  # clocks of the servers that mint and check

TOKEN_LIMIT = 4096  # characters; it has to fit a request line (8 KiB) beside the path
CACHE_SIZE = 4096  # verified tokens kept, about 1.5 KiB each
NAMED_BY = 32  # characters of a token's hash, which names it where it doesn't name itself
LIST_LIMIT = 50  # entries of `origins` and `countries`
TEXT_LIMIT = 256  # characters of any one claim
COUNT_LIMIT = (1 << 31) - 1
SESSIONS_LIMIT = 1000  # who watch at once with one token: each is remembered while it watches
RESTRICTION = "restriction_"  # begins the ids of playback restrictions

# scheme://host[:port], or a host, either with *. in front of its name for every host below it
_ORIGIN = re.compile(r"(https?://)?(\*\.)?[a-z0-9_]([a-z0-9._-]{0,250}[a-z0-9_])?(:[0-9]{1,5})?")
_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What narrows a grant; the claims of the same names. All given ones must hold."""

    origins: tuple[str, ...] = ()  # pages that may play: https://example.com, example.com, *.example.com
    ip: str | None = None  # an address or a network
    countries: tuple[str, ...] = ()  # ISO 3166-1 alpha-2
    max_quality: int | None = None  # height of the best rendition, pixels
    viewer: str | None = None  # the product's own id of who watches, for analytics
    sessions: int | None = None  # how many may watch at once
    restriction: str | None = None  # id of a playback restriction of the project

    def claims(self) -> dict[str, Any]:
        """Only those that are set."""
        found = {
            "origins": list(self.origins),
            "ip": self.ip,
            "countries": list(self.countries),
            "max_quality": self.max_quality,
            "viewer": self.viewer,
            "sessions": self.sessions,
            "restriction": self.restriction,
        }
        return {name: value for name, value in found.items() if value not in (None, [])}


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Grant:
    """What a verified token allows. Times are seconds since the epoch."""

    subject: str
    audience: str
    expires_at: float
    issued_at: float = 0.0  # 0: it doesn't say
    not_before: float = 0.0
    token_id: str | None = None
    session: str | None = None  # id of the playback session, in a session token
    limits: Limits = NO_LIMITS
    key_id: str | None = None  # the signing key that it, or what began the session, was signed with
    page: str | None = None  # the domain, as the asset names it, whose page began the session without a token


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh token and when it ends, seconds since the epoch."""

    token: str
    expires_at: int
    token_id: str


def known(audience: str) -> str:
    """What is counted of it: a product's own token may say anything."""
    return audience if audience in AUDIENCES else OTHER


def _no_key(_: str) -> VerifyingKey | None:
    return None


class Tokens:
    """Mints with the server's own secret; verifies with that and with signing keys."""

    def __init__(
        self,
        secret: str | bytes,
        wall_ms: Callable[[], int] = clock.wall_ms,
        keys: Callable[[str], VerifyingKey | None] = _no_key,
    ) -> None:
        """`secret` has at least MIN_SECRET_BYTES bytes (else ValueError); `wall_ms` is the clock; `keys` finds the
        signing key of a `kid` in memory."""
        self._keys = keys
        self._secret = secret.encode() if isinstance(secret, str) else secret
        if len(self._secret) < MIN_SECRET_BYTES:
            raise ValueError(f"the token secret is shorter than {MIN_SECRET_BYTES} bytes")
        self._wall_ms = wall_ms
        self._grants: OrderedDict[str, Grant] = OrderedDict()
        self.minted = Counts()  # by audience, and whether it opens or carries a session

    def mint(
        self, subject: str, *, audience: str = PLAYBACK, ttl_s: int = DEFAULT_TTL_S, limits: Limits = NO_LIMITS
    ) -> Minted:
        """An opening token. The time to live and the limits are the caller's to have checked (`check_limits`)."""
        self.minted.add(known(audience), "opening")
        return self._sign(subject, audience, ttl_s, limits, secrets.token_urlsafe(12))

    def mint_session(self, grant: Grant, duration_s: float | None = None) -> Minted:
        """A session token for who holds `grant`, of an asset of `duration_s` (None: live, or not known)."""
        ttl_s = max(SESSION_S, math.ceil(2 * (duration_s or 0)))
        token_id = grant.token_id or secrets.token_urlsafe(12)
        session = grant.session or ids.new("ps")
        self.minted.add(known(grant.audience), "session")
        return self._sign(
            grant.subject, grant.audience, ttl_s, grant.limits, token_id, session, grant.key_id, grant.page
        )

    def key_of(self, token: str) -> str | None:
        """The `kid` that has to be found in memory when the token is verified; None for those without."""
        grant = self._grants.get(token)
        if grant is not None:
            return grant.key_id
        return _header(token)[1] if len(token) <= TOKEN_LIMIT else None

    def verify(
        self,
        token: str,
        subject: str,
        audiences: Collection[str] = (PLAYBACK,),
        *,
        name: str | None = None,
        project_id: str | None = None,
    ) -> Grant:
        """What the token allows on `subject`, a video or live stream of the project, or on the playback id `name` that
        it is watched by. Raises Problem: playback-token-invalid or -expired."""
        grant = self._grants.get(token)
        if grant is None:
            grant = self._remember(token, self._read(token))
        else:
            self._grants.move_to_end(token)
        now_s = self._wall_ms() / 1000
        if grant.expires_at + LEEWAY_S <= now_s:
            self._grants.pop(token, None)
            raise Problem("playback-token-expired")
        if grant.not_before - LEEWAY_S > now_s:
            raise Problem("playback-token-invalid", "The token is not valid yet.")
        if grant.subject not in (subject, name) or grant.audience not in audiences:
            raise Problem("playback-token-invalid", "The token is for something else.")
        if grant.key_id is not None:
            key = self._keys(grant.key_id)
            if key is None or key.project_id != project_id:
                raise Problem("playback-token-invalid")
        return grant

    def forget(self) -> None:
        """Drops what is cached."""
        self._grants.clear()

    def _sign(
        self,
        subject: str,
        audience: str,
        ttl_s: int,
        limits: Limits,
        token_id: str,
        session: str | None = None,
        key_id: str | None = None,
        page: str | None = None,
    ) -> Minted:
        now_ms = self._wall_ms()
        expires_at = now_ms // 1000 + ttl_s
        claims = {
            "sub": subject,
            "aud": audience,
            "exp": expires_at,
            # with its fraction: a token made in the second in which older ones were made void is not one of them
            "iat": now_ms / 1000,
            "jti": token_id,
            **limits.claims(),
        }
        if session:
            claims["ses"] = session
        if page:
            claims["page"] = page
        headers = {"kid": key_id} if key_id else None
        return Minted(jwt.encode(claims, self._secret, ALGORITHM, headers), expires_at, token_id)

    def _remember(self, token: str, grant: Grant) -> Grant:
        self._grants[token] = grant
        if len(self._grants) > CACHE_SIZE:
            self._grants.popitem(last=False)
        return grant

    def _read(self, token: str) -> Grant:
        if len(token) > TOKEN_LIMIT:
            raise Problem("playback-token-invalid", f"The token is longer than {TOKEN_LIMIT} characters.")
        algorithm, kid = _header(token)
        signed = self._keys(kid) if kid is not None and algorithm != ALGORITHM else None
        try:
            claims = jwt.decode(
                token,
                signed.key if signed else self._secret,
                algorithms=[signed.algorithm if signed else ALGORITHM],
                # times and audience are checked by `verify`, on our clock, also when the token comes again
                options={
                    "require": ["sub", "aud", "exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
            grant = replace(_grant(claims, token), key_id=kid)
            return self._of_product(grant, signed) if signed else grant
        except (jwt.PyJWTError, ValueError):
            # one answer for all: which check failed is nothing to tell a forger
            raise Problem("playback-token-invalid") from None

    def _of_product(self, grant: Grant, key: VerifyingKey) -> Grant:
        """A grant that is not ours. Sessions are begun here alone. Raises Problem when it opens for too long."""
        now_s = self._wall_ms() / 1000
        if grant.expires_at > min(grant.issued_at or now_s, now_s) + MAX_TTL_S + LEEWAY_S:
            raise Problem("playback-token-invalid", f"The token lives longer than {MAX_TTL_S} seconds.")
        return replace(grant, session=None, page=None, token_id=named_by(key.project_id, grant.token_id or ""))


def named_by(project_id: str, token_id: str) -> str:
    """What a product's token is called here: projects choose their `jti` without knowing of each other."""
    return hashlib.sha256(f"{project_id}/{token_id}".encode()).hexdigest()[:NAMED_BY]


def _header(token: str) -> tuple[str, str | None]:
    """(`alg`, `kid`) as the token says, which may be a lie."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        return "", None
    algorithm, kid = header.get("alg"), header.get("kid")
    return algorithm if isinstance(algorithm, str) else "", kid if isinstance(kid, str) else None


def check_limits(limits: Limits) -> None:
    """Raises ValueError(claim, sentence) for a limit that can't be used."""
    if len(limits.origins) > LIST_LIMIT or not all(_ORIGIN.fullmatch(origin) for origin in limits.origins):
        raise ValueError("origins", f"Give up to {LIST_LIMIT} of https://example.com, example.com or *.example.com.")
    if len(limits.countries) > LIST_LIMIT or not all(_COUNTRY.fullmatch(code) for code in limits.countries):
        raise ValueError("countries", f"Give up to {LIST_LIMIT} two-letter codes, such as FR.")
    if limits.ip is not None:
        try:
            ipaddress.ip_network(limits.ip, strict=False)
        except ValueError:
            raise ValueError("ip", "Give an IP address or a network, such as 192.0.2.0/24.") from None
    if limits.viewer is not None and len(limits.viewer) > TEXT_LIMIT:
        raise ValueError("viewer", f"Give up to {TEXT_LIMIT} characters.")


def _grant(claims: Mapping[str, Any], token: str) -> Grant:
    """Raises ValueError where a claim is of the wrong type: a limit that can't be read must not be passed over."""
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    limits = Limits(
        origins=tuple(text.lower() for text in _texts(claims, "origins")),
        ip=_text(claims, "ip"),
        countries=tuple(text.upper() for text in _texts(claims, "countries")),
        max_quality=_count(claims, "max_quality"),
        viewer=_text(claims, "viewer"),
        sessions=_count(claims, "sessions", SESSIONS_LIMIT),
        restriction=_id(claims, "restriction", RESTRICTION),
    )
    check_limits(limits)
    return Grant(
        subject=_text(claims, "sub") or "",
        audience=_text({"aud": audience}, "aud") or "",
        expires_at=_moment(claims, "exp"),
        issued_at=_moment(claims, "iat"),
        not_before=_moment(claims, "nbf"),
        token_id=_text(claims, "jti") or hashlib.sha256(token.encode()).hexdigest()[:NAMED_BY],
        session=_text(claims, "ses"),
        limits=limits,
        page=_text(claims, "page"),
    )


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is None or (isinstance(value, str) and len(value) <= TEXT_LIMIT):
        return value
    raise ValueError(name)


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    value = claims.get(name, [])
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValueError(name)
    return value


def _id(claims: Mapping[str, Any], name: str, prefix: str) -> str | None:
    """Nothing else is looked for in the catalogue."""
    value = _text(claims, name)
    return value if value is None else ids.canonical(prefix, value)


def _count(claims: Mapping[str, Any], name: str, limit: int = COUNT_LIMIT) -> int | None:
    value = claims.get(name)
    if value is None or (type(value) is int and 0 < value <= limit):
        return value
    raise ValueError(name)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name, 0)
    if type(value) in (int, float) and 0 <= value < 1 << 40:  # also refuses NaN and infinities
        return float(value)
    raise ValueError(name)
