"""Who calls the REST API: an API key, or an access token that one was exchanged for.

    Authorization: Basic base64(<API key>:)      what the SDK for Node sends with every call
    Authorization: Bearer <access token>         from POST /auth/api-key; what the other SDKs send
    Authorization: Bearer <API key>
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import jwt

from server import clock
from server.catalog import keys
from server.catalog.database import Database, Transaction
from server.catalog.models import ApiKey
from server.errors import Problem
from server.tally import Counts
from server.web.scopes import allow

ACCESS_TTL_S = 3600
GRANT_TTL_S = 900  # of OAuth's tokens, which programs fetch anew by themselves
REFRESH_TTL_S = 30 * 86400  # SDKs refresh when they start or stop, which may be weeks apart
LEEWAY_S = 5
PROGRAM = "program"  # audience of the refresh tokens of programs that act for people
ALGORITHM = "HS256"
CREDENTIAL_LIMIT = 2048  # characters of the header's value

KEY_TTL_S = 5.0  # a key that another process revoked is refused after this at the latest
KEYS_CACHED = 4096  # found or not; a scan of wrong keys pushes out the oldest

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Sluice"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is. `scopes` holds "videos:read", "videos:*", "*:read" or "*"."""

    project_id: str
    key_id: str
    scopes: frozenset[str]
    limits: tuple[tuple[str, int], ...] = ()  # (kind of call, how many a minute) where they are the key's own
    narrowed: frozenset[str] | None = None  # the scopes of the token, where it has some of its own

    def may(self, scope: str) -> bool:
        return allow(self.scopes, scope) and (self.narrowed is None or allow(self.narrowed, scope))


@dataclass(frozen=True, slots=True)
class Pair:
    """What POST /auth/api-key and /auth/refresh give."""

    access_token: str
    refresh_token: str
    expires_in: int = ACCESS_TTL_S


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has shown a secret of a key."""

    key_id: str
    generation: str  # of the secret


@dataclass(frozen=True, slots=True)
class _Claims:
    """Of a token of ours that has not expired."""

    key_id: str
    generation: str  # of the key's secret
    token_id: str
    scopes: frozenset[str] | None
    grant_id: str | None = None  # of a program of others
    number: int = 0  # of its refresh tokens
    epoch: str | None = None  # of the program


@dataclass(frozen=True, slots=True)
class _Known:
    """A key as it was last read; None when there is no such key or it may not be used. Times in Unix seconds."""

    caller: Caller | None
    expires_at: float | None
    fresh_until: float
    generation: str = ""  # of the key's secret
    previous: str = ""  # the generation of the secret before, whose tokens end at `previous_until`
    previous_until: float = 0.0
    age: int = 0  # of the cache when it began to be read

    def takes(self, generation: str, now_s: float) -> bool:
        """Whether tokens that were had for this secret are good."""
        return generation == self.generation or (generation == self.previous and now_s < self.previous_until)


def _is_text(value: str) -> bool:
    """Whether it came as UTF-8: what did not is kept in surrogates, which nothing can encode."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


class Credentials:
    """Checks them against the catalogue, and remembers for KEY_TTL_S.

    `database.on_commit(credentials.forget)` makes a revocation count at once.
    """

    def __init__(
        self,
        database: Database,
        secret: str | bytes,
        wall_ms: Callable[[], int] = clock.wall_ms,
        monotonic: Callable[[], float] = clock.monotonic,
        revoked: Container[str] = frozenset(),
    ) -> None:
        """`secret` is the server's token secret; a key of its own is derived from it. `revoked`: ids of tokens."""
        raw = secret.encode() if isinstance(secret, str) else secret
        # so that a product that signs playback tokens itself can't sign calls of the API
        self._secret = hmac.digest(raw, b"sluice api access", hashlib.sha256)
        self._database = database
        self._revoked = revoked
        self._wall_ms = wall_ms
        self._monotonic = monotonic
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._age = 0  # what was read in an earlier one is read again
        self.refused = Counts()  # calls that were not let in, by reason
        self._used: dict[str, datetime] = {}

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who the headers say it is. Raises Problem, 401."""
        value = headers.get("Authorization")
        if not value:
            raise Problem("authentication-missing-authorization-header", headers=CHALLENGE)
        scheme, _, credential = value.partition(" ")
        credential = credential.strip()
        if not credential or len(credential) > CREDENTIAL_LIMIT or not _is_text(credential):
            raise Problem("authentication-invalid-authorization-header-value", headers=CHALLENGE)
        match scheme.lower():
            case "basic":
                return await self._by_key(_basic_user(credential))
            case "bearer" if credential.count(".") == 2:
                return await self._by_access_token(credential)
            case "bearer":
                return await self._by_key(credential)
            case _:
                raise Problem("authentication-invalid-authorization-header-value", headers=CHALLENGE)

    async def exchange(self, api_key: str) -> Pair:
        """Tokens for an API key. Raises Problem, 400."""
        caller = await self._find_key(api_key)
        if caller is None:
            raise Problem("authentication-invalid-user-credentials", name="apiKey")
        return self._pair(caller.key_id, self._generation(keys.hashed(api_key)))

    async def refresh(self, refresh_token: str) -> Pair:
        """Fresh tokens for a refresh token, while its key is good. Raises Problem, 400."""
        caller = await self._find_bearer(refresh_token, "refresh")
        if caller is None:
            raise Problem("authentication-invalid-refresh-token", name="refreshToken")
        found = self._read(refresh_token, "refresh")
        return self._pair(caller.key_id, found.generation if found else "")

    async def of_key(self, api_key: str) -> Caller | None:
        """Whose key it is."""
        return await self._find_key(api_key) if _is_text(api_key) else None

    def grant(self, caller: Caller, api_key: str, scopes: Sequence[str]) -> Pair:
        """A short-lived access token with some of the key's scopes, and no other to refresh it with."""
        generation = self._generation(keys.hashed(api_key))
        claims = {"sub": caller.key_id, "gen": generation, "scope": " ".join(scopes)}
        return Pair(self._sign(claims, "api", GRANT_TTL_S), "", GRANT_TTL_S)

    def for_program(self, holder: "Holder", scopes: Sequence[str], grant_id: str, number: int, epoch: str) -> Pair:
        """An access token for a program that acts for the holder of a key, and the refresh token of that number.
        `epoch`: as `epoch_of` names it."""
        claims = {"sub": holder.key_id, "gen": holder.generation, "grant": grant_id}
        access = self._sign({**claims, "epoch": epoch, "scope": " ".join(scopes)}, "api", GRANT_TTL_S)
        return Pair(access, self._sign({**claims, "num": number}, PROGRAM, REFRESH_TTL_S), GRANT_TTL_S)

    def of_program(self, refresh_token: str) -> tuple[str, int] | None:
        """(grant, number) of a refresh token that has not expired."""
        found = self._read(refresh_token, PROGRAM)
        return (found.grant_id, found.number) if found is not None and found.grant_id else None

    def of_grant(self, access_token: str) -> tuple[str, str] | None:
        """(grant, id) of a program's access token that has not expired."""
        found = self._read(access_token, "api")
        return (found.grant_id, found.token_id) if found is not None and found.grant_id else None

    def is_token(self, token: str) -> bool:
        """Whether it is one of a key's, and has not expired."""
        return (self._read(token, "api") or self._read(token, "refresh")) is not None

    def holder(self, caller: Caller, api_key: str) -> "Holder":
        return Holder(caller.key_id, self._generation(keys.hashed(api_key)))

    async def still_holds(self, holder: "Holder") -> bool:
        """Whether the key, and the secret of it that was shown, are good."""
        known = await self._find(holder.key_id, lambda transaction: _of_id(transaction, holder.key_id))
        return known.takes(holder.generation, self._wall_ms() / 1000) and self._usable(known) is not None

    def sealed(self, text: str) -> str:
        """What nobody else can make of the text."""
        return hmac.digest(self._secret, b"seal " + text.encode(), hashlib.sha256).hex()

    def token_of(self, caller: Caller, token: str) -> str | None:
        """The id of a token that was had for the caller's key, and has not expired."""
        found = self._read(token, "api") or self._read(token, "refresh")
        return found.token_id if found is not None and found.key_id == caller.key_id else None

    def forget(self, changed: Set[str]) -> None:
        """Called with the ids of rows that a commit changed; keys among them are read again. They stay known: whose
        address is not listened to otherwise would be shut out by whatever changes any key."""
        if any(id.startswith("key_") for id in changed):
            self._age += 1

    async def _by_key(self, api_key: str) -> Caller:
        caller = await self._find_key(api_key)
        if caller is None:
            raise Problem("authentication-invalid-api-key", headers=CHALLENGE)
        return caller

    async def _by_access_token(self, token: str) -> Caller:
        caller = await self._find_bearer(token, "api")
        if caller is None:
            raise Problem("authentication-invalid-access-token", headers=CHALLENGE)
        return caller

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether the credential is no guess: an API key that was found good before and is remembered, or a token that
        we signed."""
        scheme, _, credential = headers.get("Authorization", "").partition(" ")
        if len(credential) > CREDENTIAL_LIMIT or not _is_text(credential):
            return False
        try:
            key = _basic_user(credential.strip()) if scheme.lower() == "basic" else credential.strip()
        except Problem:
            return False
        known = self._known.get(keys.hashed(key))
        if known is not None:
            return known.caller is not None
        return scheme.lower() == "bearer" and self._read(key, "api") is not None

    def knows_key(self, secret: str) -> bool:
        """Whether it is an API key that was found good before and is remembered."""
        # by its hash, as in `_find_key`
        known = self._known.get(keys.hashed(secret)) if _is_text(secret) else None
        return known is not None and known.caller is not None

    async def note_uses(self, transaction: Transaction, _: datetime) -> None:
        """Writes down when keys were used since the last time; called now and then."""
        used, self._used = self._used, {}
        await keys.used(transaction, used)

    async def _find_key(self, api_key: str) -> Caller | None:
        # looked up by its hash: how long a look-up takes says nothing of the key
        async def read(transaction: Transaction) -> tuple[ApiKey | None, datetime | None]:
            key = await keys.by_secret(transaction, api_key)
            return key, keys.ends_at(key, api_key) if key else None

        return self._usable(await self._find(keys.hashed(api_key), read))

    async def _find_bearer(self, token: str, audience: str) -> Caller | None:
        """Of a token that was had for a key."""
        found = self._read(token, audience)
        if found is None or any(name in self._revoked for name in (found.token_id, found.grant_id, found.epoch)):
            return None
        known = await self._find(found.key_id, lambda transaction: _of_id(transaction, found.key_id))
        if not known.takes(found.generation, self._wall_ms() / 1000):
            return None
        caller = self._usable(known)
        return replace(caller, narrowed=found.scopes) if caller and found.scopes is not None else caller

    async def _find(
        self, name: str, read: Callable[[Transaction], Awaitable[tuple[ApiKey | None, datetime | None]]]
    ) -> _Known:
        known = self._known.get(name)
        if known is None or known.age != self._age or known.fresh_until <= self._monotonic():
            age = self._age  # a change that is committed meanwhile is not missed
            async with self._database.read() as transaction:
                known = self._keep(name, age, *await read(transaction))
        return known

    def _usable(self, known: _Known) -> Caller | None:
        if known.expires_at is not None and known.expires_at <= self._wall_ms() / 1000:
            return None
        if known.caller is not None:
            self._used[known.caller.key_id] = clock.now()
        return known.caller

    def _keep(self, name: str, age: int, key: ApiKey | None, ends_at: datetime | None) -> _Known:
        fresh_until = self._monotonic() + KEY_TTL_S
        known = _Known(None, None, fresh_until, age=age)
        if key is not None and keys.usable(key):
            scopes = frozenset(str(scope) for scope in key.scopes)
            caller = Caller(key.project_id, key.id, scopes, tuple(sorted(key.limits.items())))
            generation = self._generation(key.hash)
            previous = self._generation(key.previous_hash) if key.previous_hash else ""
            until = _unix(key.previous_until)
            known = _Known(caller, _unix(ends_at) or None, fresh_until, generation, previous, until, age)
        self._known[name] = known
        self._known.move_to_end(name)
        if len(self._known) > KEYS_CACHED:
            self._known.popitem(last=False)
        return known

    def _pair(self, key_id: str, generation: str) -> Pair:
        claims = {"sub": key_id, "gen": generation}
        return Pair(self._sign(claims, "api", ACCESS_TTL_S), self._sign(claims, "refresh", REFRESH_TTL_S))

    def _sign(self, claims: Mapping[str, Any], audience: str, ttl_s: int) -> str:
        now_s = self._wall_ms() // 1000
        times = {"iat": now_s, "exp": now_s + ttl_s}
        made = {**claims, **times, "aud": audience, "jti": secrets.token_hex(16)}
        return jwt.encode(made, self._secret, ALGORITHM)

    def _generation(self, hash: str) -> str:
        """Tells secrets of a key apart, and nothing about them."""
        return hmac.digest(self._secret, hash.encode(), hashlib.sha256).hex()[:16]

    def _read(self, token: str, audience: str) -> _Claims | None:
        """What a token of ours says; None when it is none, or has expired."""
        if len(token) > CREDENTIAL_LIMIT:
            return None
        options: Any = {"require": ["sub", "aud", "exp", "gen", "jti"], "verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(token, self._secret, [ALGORITHM], options, audience=audience)
        except (jwt.PyJWTError, ValueError):
            return None
        texts = [claims["sub"], claims["gen"], claims["jti"], claims.get("scope", "")]
        if not all(isinstance(text, str) for text in texts) or type(claims["exp"]) is not int:
            return None
        if claims["exp"] + LEEWAY_S <= self._wall_ms() / 1000:
            return None
        scopes = frozenset(claims["scope"].split()) if "scope" in claims else None
        of_program = claims.get("grant"), claims.get("num", 0), claims.get("epoch")
        return _Claims(claims["sub"], claims["gen"], claims["jti"], scopes, *of_program)


def epoch_of(app_id: str, epoch: int) -> str:
    """As the access tokens are revoked that a program had until it was to have less."""
    return f"{app_id}.{epoch}"


async def _of_id(transaction: Transaction, key_id: str) -> tuple[ApiKey | None, datetime | None]:
    key = await keys.get(transaction, key_id)
    return key, key.expires_at if key else None


def _unix(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _basic_user(credential: str) -> str:
    """The user of `user:`; the password has to be empty. Raises Problem."""
    try:
        user, colon, password = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon, user, password = "", "", ""
    if not colon or not user or password:
        raise Problem(
            "authentication-invalid-authorization-header-value",
            "Send the API key as the user, with an empty password.",
            headers=CHALLENGE,
        )
    return user
