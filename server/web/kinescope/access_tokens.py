"""Access tokens: API keys of ours, whose scopes are made of the dialect's.

    api.permissions               all that there is: to read, to write, to delete
    upload.permissions            videos: to see them, to upload them, to delete them; nothing where entities are named
    upload.entities[].permissions write: to upload into these projects and folders, and nowhere else

A token is the key's secret, in the form of a UUID. It is in the answer that makes it and nowhere else.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from server.catalog import keys
from server.catalog.database import Transaction
from server.catalog.models import ApiKey
from server.errors import Problem
from server.web import validation
from server.web.api.api_keys import KEYS_LIMIT
from server.web.kinescope.identifiers import kinescope_operations, uuid_of
from server.web.kinescope.locations import location
from server.web.kinescope.paging import PageQuery
from server.web.kinescope.shapes import DONE, Answer, Body, Data, Done, GivenId, Id, Meta, Moment, Pagination
from server.web.kinescope.values import Name, there
from server.web.typed import Call

ENTITIES_LIMIT = 100  # projects and folders of a token

# permission -> our scopes
API: Mapping[str, Sequence[str]] = {
    "read": ("*:read",),
    "write": ("*:write", "uploads:create", "playback-tokens:mint", "playback-tokens:revoke"),
    "delete": ("*:delete",),
}
UPLOAD: Mapping[str, Sequence[str]] = {
    "read": ("videos:read",),
    "write": ("uploads:create",),
    "delete": ("videos:delete",),
}
# of places: what can't be kept to them is not given
PLACED: Mapping[str, Sequence[str]] = {"read": (), "write": ("uploads:placed",), "delete": ()}

operations = kinescope_operations("Access tokens")

Permission = Literal["read", "write", "delete"]
Permissions = Annotated[list[Permission], Field(max_length=3)]


class Entity(Body):
    id: GivenId
    permissions: Permissions


class UploadScope(Body):
    permissions: Permissions = Field(default_factory=list)
    entities: Annotated[list[Entity], Field(max_length=ENTITIES_LIMIT)] = Field(default_factory=list)


class ApiScope(Body):
    permissions: Permissions = Field(default_factory=list)


class Scope(Body):
    api: ApiScope = Field(default_factory=ApiScope)
    upload: UploadScope = Field(default_factory=UploadScope)


class TokenCreation(Body):
    name: Name
    scope: Scope


class TokenAnswer(Answer):
    id: Id
    name: str
    workspace_id: Id
    scope: dict[str, Any]
    created_at: Moment
    last_used_at: Moment | None
    expired_at: Moment | None


class NewToken(TokenAnswer):
    token: Annotated[str, Field(description="The token itself: it is shown only now.")]


class TokenQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {"name": "name"}
    DEFAULT: ClassVar[Sequence[tuple[str, str]]] = (("name", "asc"),)


class TokenMeta(Meta):
    """This list alone says it in two ways."""

    offset: int
    limit: int
    total: int
    parent_id: None = None


class TokenList(Answer):
    meta: TokenMeta
    data: list[TokenAnswer]


@operations.post(
    "/v1/access-tokens", "Make an access token", scope="keys:write", errors=["limit-reached"],
    example={"name": "uploads", "scope": {"upload": {"permissions": ["write"]}}},
)  # fmt: skip
async def create(call: Call, body: TokenCreation) -> Data[NewToken]:
    """`token` in the answer is what is sent as `Authorization: Bearer`. A token may do what its maker may, at most.
    One of `entities` uploads into these and does nothing else with videos, whatever `upload.permissions` are."""
    scopes, secret = _scopes(body.scope), str(uuid.uuid4())
    if not scopes:
        raise validation.of_attribute("scope", "The token would be good for nothing.")
    _check_own(call, scopes)
    async with call.services.database.write() as transaction:
        if await keys.count_of_project(transaction, call.project_id) >= KEYS_LIMIT:
            raise Problem("limit-reached", f"There are {KEYS_LIMIT} tokens at most.")
        kept = await _kept(transaction, call, body.scope)
        row, _ = await keys.create(transaction, call.project_id, body.name, scopes, secret)
        row.dialect_scope = kept
    return Data(data=NewToken(**dict(_answer(row)), token=secret))


@operations.get("/v1/access-tokens", "List access tokens", scope="keys:read")
async def list_all(call: Call, query: TokenQuery) -> TokenList:
    """API keys that were made otherwise, too. None of them shows the token itself."""
    async with call.services.database.read() as transaction:
        page = await keys.page(transaction, call.project_id, query.paging())
    pagination = Pagination(page=query.page, per_page=query.per_page, total=page.total)
    order = {column: "desc" if direction == "desc" else "asc" for column, direction in query.orders()}
    meta = TokenMeta(
        pagination=pagination, order=order, offset=(query.page - 1) * query.per_page, limit=query.per_page,  # type: ignore[arg-type]
        total=page.total,
    )  # fmt: skip
    return TokenList(meta=meta, data=[_answer(row) for row in page.rows])


@operations.get("/v1/access-tokens/{token_id}", "Show an access token", scope="keys:read")
async def show(call: Call, token_id: str) -> Data[TokenAnswer]:
    async with call.services.database.read() as transaction:
        return Data(data=_answer(await _find(transaction, call, token_id)))


@operations.delete("/v1/access-tokens/{token_id}", "Revoke an access token", scope="keys:write")
async def delete(call: Call, token_id: str) -> Done:
    """It opens nothing any more."""
    async with call.services.database.write() as transaction:
        await keys.revoke(transaction, await _find(transaction, call, token_id))
    return DONE


def _scopes(given: Scope) -> list[str]:
    """Ours, each once."""
    api = [scope for each in given.api.permissions for scope in API[each]]
    return list(dict.fromkeys(api + _upload_scopes(given.upload)))


def _upload_scopes(given: UploadScope) -> list[str]:
    """Entities restrict: beside them, what is said of uploads as a whole would open every other place too."""
    if given.entities:
        return [scope for one in given.entities for each in one.permissions for scope in PLACED[each]]
    return [scope for each in given.permissions for scope in UPLOAD[each]]


def _check_own(call: Call, scopes: Sequence[str]) -> None:
    """Raises Problem: nobody makes a token that may do more than their own."""
    for scope in scopes:
        if call.caller is not None and not call.caller.may(scope):
            raise Problem("forbidden", f"The API key lacks the scope {scope} itself.", name="scope")


async def _kept(transaction: Transaction, call: Call, given: Scope) -> dict[str, Any]:
    """In the words of the dialect, with our ids of places. Raises Problem."""
    found = given.model_dump()
    for at, one in enumerate(found["upload"]["entities"]):
        one["id"] = await location(transaction, call, one["id"], f"scope[upload][entities][{at}][id]")
    return found


async def _find(transaction: Transaction, call: Call, token_id: str) -> ApiKey:
    return there(await keys.of_project(transaction, call.project_id, token_id), "token_id")


def _answer(row: ApiKey) -> TokenAnswer:
    return TokenAnswer(
        id=row.id,
        name=row.name,
        workspace_id=row.project_id,
        scope=_shown(row),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expired_at=row.expires_at,
    )


def _shown(row: ApiKey) -> dict[str, Any]:
    """As it was given; of a key that was made otherwise what its scopes come to."""
    if row.dialect_scope is None:
        api = [word for word, scopes in API.items() if {"*", *scopes} & set(row.scopes)]
        upload = [word for word, scopes in UPLOAD.items() if set(scopes) & set(row.scopes)]
        return {"api": {"permissions": api}, "upload": {"permissions": upload, "entities": []}}
    upload = row.dialect_scope["upload"]
    entities = [{**each, "id": uuid_of(each["id"])} for each in upload["entities"]]
    return {**row.dialect_scope, "upload": {**upload, "entities": entities}}
