"""The header Idempotency-Key: a call that is sent again has its effect once, and gets the same answer.

    same key, same call     the stored answer, for a day, with `Idempotent-Replayed: true`
    same key, another call  409 idempotency-key-reused
    while the first runs    waits for it; after TWIN_WAIT_S 409 idempotency-key-in-use

What a call does is committed in one transaction with its answer, so that a crash leaves both or neither. Only what
succeeded is stored: a call that was refused did nothing, and may be mended and sent again under its key.

Keys belong to a project. The catalogue has their hashes, and answers, which may hold secrets that are shown once,
sealed by them.
"""

import asyncio
import hashlib
import hmac
import os
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import orjson
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server import clock
from server.catalog import stored_answers
from server.catalog.access_models import StoredAnswer
from server.catalog.database import Database, Transaction
from server.catalog.undertakings import undertaking
from server.errors import Problem

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
KEPT = timedelta(hours=24)
TWIN_WAIT_S = 10.0  # as long as a call may hold the catalogue, and less than a client's patience
NONCE_BYTES = 12  # of AES-GCM

Run = Callable[[], Awaitable[web.StreamResponse]]


class Idempotency:
    """The calls of all projects. `secret` is the server's token secret; a key of its own is derived from it."""

    def __init__(self, database: Database, secret: str | bytes, twin_wait_s: float = TWIN_WAIT_S) -> None:
        raw = secret.encode() if isinstance(secret, str) else secret
        self._secret = hmac.digest(raw, b"sluice stored answers", hashlib.sha256)
        self._database = database
        self._twin_wait_s = twin_wait_s
        self._running: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def answer(self, project_id: str, key: str, call: bytes, run: Run) -> web.StreamResponse:
        """What `run` answers, or has once answered; `call` tells calls apart. Raises Problem: 400, 409, and run's."""
        if not KEY.fullmatch(key):
            raise Problem("invalid-attribute", "Send 1 to 255 visible ASCII characters.", name=HEADER)
        sheet = _Sheet(project_id, key, hashlib.sha256(call).hexdigest(), self._secret)
        known = await self._known(sheet)
        if known is not None:
            return known
        done = self._running[sheet.name] = asyncio.get_running_loop().create_future()
        try:
            return await self._first(sheet, run)
        finally:
            del self._running[sheet.name]
            done.set_result(None)

    async def _known(self, sheet: "_Sheet") -> web.Response | None:
        """The stored answer; None, when the call is this one's to do, with no wait in between."""
        deadline = clock.monotonic() + self._twin_wait_s
        while True:
            async with self._database.read() as transaction:
                known = await sheet.known(transaction)
            twin = self._running.get(sheet.name)
            if known is not None or twin is None:
                return known
            left_s = deadline - clock.monotonic()
            if left_s <= 0:
                raise Problem("idempotency-key-in-use", headers={"Retry-After": "1"})
            await asyncio.wait([twin], timeout=left_s)

    async def _first(self, sheet: "_Sheet", run: Run) -> web.StreamResponse:
        try:
            async with undertaking(begun=sheet.refuse_known, together=True):
                response = await run()
                if isinstance(response, web.Response) and response.status < 300:
                    async with self._database.write() as transaction:
                        await stored_answers.keep(transaction, sheet.row(response))
        except _Known as known:
            return known.response
        except TimeoutError:
            raise Problem("unavailable", headers={"Retry-After": "1"}) from None
        return response


class _Known(Exception):
    """Another process has answered the call."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


class _Sheet:
    """One call under one key."""

    def __init__(self, project_id: str, key: str, fingerprint: str, secret: bytes) -> None:
        self._project_id = project_id
        self._fingerprint = fingerprint
        self._key_hash = hashlib.sha256(key.encode()).hexdigest()
        self._box = AESGCM(hmac.digest(secret, f"{project_id} {key}".encode(), hashlib.sha256))

    @property
    def name(self) -> tuple[str, str]:
        return self._project_id, self._key_hash

    async def known(self, transaction: Transaction) -> web.Response | None:
        """The stored answer. Raises Problem when it is another call's."""
        row = await stored_answers.find(transaction, self._project_id, self._key_hash, clock.now())
        if row is None:
            return None
        if row.fingerprint != self._fingerprint:
            raise Problem("idempotency-key-reused", "Its URL or its body was another.", name=HEADER)
        try:
            kept = self._box.decrypt(row.sealed[:NONCE_BYTES], row.sealed[NONCE_BYTES:], row.fingerprint.encode())
        except InvalidTag:  # the server's secret was changed
            raise Problem("idempotency-key-reused", "Its answer can't be read any more.", name=HEADER) from None
        headers, _, body = kept.partition(b"\n")
        return web.Response(status=row.status, headers={**orjson.loads(headers), REPLAYED: "true"}, body=body or None)

    async def refuse_known(self, transaction: Transaction) -> None:
        """Where several processes serve: what another has committed meanwhile counts, and nothing is done again."""
        known = await self.known(transaction)
        if known is not None:
            raise _Known(known)

    def row(self, response: web.Response) -> StoredAnswer:
        body = response.body or b""
        if not isinstance(body, bytes):
            raise TypeError("the answer to a call with an Idempotency-Key has to be whole")
        headers = orjson.dumps({str(name): value for name, value in response.headers.items()})
        nonce, now = os.urandom(NONCE_BYTES), clock.now()
        return StoredAnswer(
            project_id=self._project_id,
            key_hash=self._key_hash,
            fingerprint=self._fingerprint,
            status=response.status,
            sealed=nonce + self._box.encrypt(nonce, headers + b"\n" + body, self._fingerprint.encode()),
            created_at=now,
            expires_at=now + KEPT,
        )
