"""Signing keys: products mint playback tokens with them by themselves, without calling us."""

import asyncio
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from server import ids
from server.catalog import signing_keys
from server.catalog.database import Transaction
from server.catalog.playback_models import SigningKey
from server.errors import Problem
from server.playback.signing_keys import generate
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Text
from server.web.typed import Call, Operations

MOST = 50  # of a project: two are enough to rotate

operations = Operations("Signing keys")

Name = Annotated[Text, StringConstraints(max_length=100)]
Algorithm = Literal["RS256", "ES256", "EdDSA"]
PEM = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n"
)


class SigningKeyCreation(Body):
    name: Name = ""
    algorithm: Annotated[Algorithm, Field(description="The only one that its tokens may have.")] = "RS256"


class SigningKeyChanges(Changes):
    name: Name = ABSENT


class SigningKeyAnswer(Answer):
    signing_key_id: Annotated[str, Field(description="The `kid` of its tokens' header.")]
    name: str
    algorithm: Algorithm
    public_key: Annotated[str, Field(description="PEM.", examples=[PEM])]
    created_at: Moment


class SigningKeySecret(SigningKeyAnswer):
    private_key: Annotated[
        str,
        Field(
            description="PEM, PKCS #8: it is shown only now, and not kept.",
            examples=["-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n"],
        ),
    ]


class SigningKeyList(Answer):
    data: list[SigningKeyAnswer]
    pagination: Pagination


class SigningKeyQuery(PageQuery):
    sort_by: Literal["createdAt", "name"] | None = None


@operations.post(
    "/signing-keys",
    "Create a signing key",
    scope="signing-keys:write",
    status=201,
    errors=("conflict",),
    example={"name": "our shop", "algorithm": "ES256"},
)
async def create(call: Call, body: SigningKeyCreation) -> SigningKeySecret:
    """Tokens that are signed with it open playback of the project's videos and live streams: JWTs with the key's id as
    `kid` in the header, `sub` (the id of a video or live stream, or a playback id), `aud` (playback or thumbnail) and
    `exp`, no more than seven days ahead, and where wanted `nbf`, `jti`, `iat` and the claims of our own tokens.

    To rotate, make another key, sign with that, and delete the old one when its last token has expired.
    """
    private, public = await asyncio.to_thread(generate, body.algorithm)
    row = SigningKey(
        id=ids.new("sk_"), project_id=call.project_id, name=body.name, algorithm=body.algorithm, public_key=public
    )
    async with call.services.database.write() as transaction:
        if await signing_keys.count(transaction, call.project_id) >= MOST:
            raise Problem("conflict", f"A project has {MOST} signing keys at most.")
        await signing_keys.add(transaction, row)
    return SigningKeySecret(**_answer(row).model_dump(by_alias=False), private_key=private)


@operations.get("/signing-keys", "List signing keys", scope="signing-keys:read")
async def list_all(call: Call, query: SigningKeyQuery) -> SigningKeyList:
    """Without their private halves, which nobody here has."""
    async with call.services.database.read() as transaction:
        page = await signing_keys.page(transaction, call.project_id, query.paging(query.sort_by))
    return SigningKeyList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/signing-keys/{signingKeyId}", "Show a signing key", scope="signing-keys:read")
async def show(call: Call, signing_key_id: str) -> SigningKeyAnswer:
    """Its public half."""
    async with call.services.database.read() as transaction:
        return _answer(await _find(transaction, call, signing_key_id))


@operations.patch(
    "/signing-keys/{signingKeyId}", "Rename a signing key", scope="signing-keys:write", example={"name": "old shop"}
)
async def change(call: Call, signing_key_id: str, body: SigningKeyChanges) -> SigningKeyAnswer:
    """All else of it stays."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, signing_key_id)
        if "name" in body.model_fields_set:
            await signing_keys.rename(transaction, row, body.name)
    return _answer(row)


@operations.delete("/signing-keys/{signingKeyId}", "Delete a signing key", scope="signing-keys:write", status=204)
async def delete(call: Call, signing_key_id: str) -> None:
    """Its tokens open nothing any more, and the sessions that they began end."""
    async with call.services.database.write() as transaction:
        await signing_keys.remove(transaction, await _find(transaction, call, signing_key_id))


async def _find(transaction: Transaction, call: Call, signing_key_id: str) -> SigningKey:
    """Raises Problem."""
    row = await signing_keys.get(transaction, call.project_id, signing_key_id)
    if row is None:
        raise Problem("resource-not-found", name="signingKeyId")
    return row


def _answer(row: SigningKey) -> SigningKeyAnswer:
    return SigningKeyAnswer(
        signing_key_id=row.id,
        name=row.name,
        algorithm=row.algorithm,  # type: ignore[arg-type]  # the column holds no other
        public_key=row.public_key,
        created_at=row.created_at,
    )
