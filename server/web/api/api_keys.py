"""API keys over the API: a secret is shown once, when it is made, and never again."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server import clock
from server.catalog import keys
from server.catalog.database import Transaction
from server.catalog.models import DEFAULT_PROJECT, ApiKey
from server.errors import Problem
from server.web import scopes, validation
from server.web.api.projects import named_project
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, DateTime, Moment, Text
from server.web.typed import Call, Operations

KEYS_LIMIT = 1000  # of a project
SCOPES_LIMIT = 100
OVERLAP_S = 3600
MAX_OVERLAP_S = 30 * 86400
RATE_LIMIT = 10_000_000

operations = Operations("API keys")


def _scope(text: str) -> str:
    if text not in scopes.names():
        raise PydanticCustomError("scope", "There is no such scope.")
    return text


Scope = Annotated[
    str, AfterValidator(_scope), Field(json_schema_extra={"enum": sorted(scopes.names())})
]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=SCOPES_LIMIT)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
PerMinute = Annotated[int, Field(ge=1, le=RATE_LIMIT)]


class RateLimits(Body):
    """Calls a minute; without one, what the server's configuration allows."""

    read: PerMinute | None = None
    write: PerMinute | None = None
    upload: PerMinute | None = None


class ApiKeyCreation(Body):
    name: Name
    scopes: Annotated[
        Scopes, Field(description="What the key may do: not more than the one that it is made with.")
    ]
    expires_at: Annotated[DateTime | None, Field(description="When it opens nothing any more.")] = None
    rate_limits: RateLimits | None = None
    project_id: Annotated[
        str | None, Field(description="Whose it is; another project's only with a key of the default project.")
    ] = None


class ApiKeyChanges(Changes):
    name: Name = ABSENT
    scopes: Scopes = ABSENT
    expires_at: DateTime | None = ABSENT
    rate_limits: RateLimits | None = ABSENT


class Rotation(Body):
    overlap: Annotated[
        int, Field(ge=0, le=MAX_OVERLAP_S, description="Seconds that the old secret is good for beside the new one.")
    ] = OVERLAP_S


class RateLimitsAnswer(Answer):
    read: int | None
    write: int | None
    upload: int | None


class ApiKeyAnswer(Answer):
    api_key_id: str
    project_id: str
    name: str
    scopes: list[str]
    rate_limits: RateLimitsAnswer
    created_at: Moment
    last_used_at: Annotated[Moment | None, Field(description="To about a minute.")]
    expires_at: Moment | None
    rotated_at: Moment | None
    previous_secret_expires_at: Moment | None


class ApiKeySecret(ApiKeyAnswer):
    secret: Annotated[str, Field(description="The API key itself: it is shown only now.")]


class ApiKeyList(Answer):
    data: list[ApiKeyAnswer]
    pagination: Pagination


class ApiKeyQuery(PageQuery):
    sort_by: Literal["createdAt", "name", "lastUsedAt"] | None = None
    project_id: Annotated[str | None, Field(description="Another project's, with a key of the default project.")] = None


@operations.post(
    "/api-keys", "Make an API key", scope="keys:write", status=201, errors=["conflict"],
    example={"name": "uploads of the app", "scopes": ["uploads:create"]},
)  # fmt: skip
async def create(call: Call, body: ApiKeyCreation) -> ApiKeySecret:
    """Its secret is in this answer alone, and kept as a hash. A key gives at most the scopes of the one that makes
    it."""
    _may_give(call, body.scopes)
    if body.expires_at is not None and body.expires_at <= clock.now():
        raise validation.of_attribute("expiresAt", "This time is over: the key would open nothing.")
    async with call.services.database.write() as transaction:
        project_id = await named_project(transaction, call, body.project_id, validation.of_attribute)
        if await keys.count_of_project(transaction, project_id) >= KEYS_LIMIT:
            raise Problem("conflict", f"A project has {KEYS_LIMIT} API keys at most.")
        limits = _limits(body.rate_limits)
        row, secret = await keys.create(
            transaction, project_id, body.name, body.scopes, expires_at=body.expires_at, limits=limits
        )
    return ApiKeySecret(**_answer(row).model_dump(by_alias=False), secret=secret)


@operations.get("/api-keys", "List API keys", scope="keys:read")
async def list_all(call: Call, query: ApiKeyQuery) -> ApiKeyList:
    """Without their secrets, which nobody can read any more."""
    async with call.services.database.read() as transaction:
        project_id = await named_project(transaction, call, query.project_id, validation.of_parameter)
        page = await keys.page(transaction, project_id, query.paging(query.sort_by))
    return ApiKeyList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/api-keys/{apiKeyId}", "Show an API key", scope="keys:read")
async def show(call: Call, api_key_id: str) -> ApiKeyAnswer:
    """Without its secret, which nobody can read again."""
    async with call.services.database.read() as transaction:
        return _answer(await _find(transaction, call, api_key_id))


@operations.patch(
    "/api-keys/{apiKeyId}", "Change an API key", scope="keys:write", example={"scopes": ["videos:read"]}
)
async def change(call: Call, api_key_id: str, body: ApiKeyChanges) -> ApiKeyAnswer:
    """Its secret stays."""
    given = body.model_fields_set
    if "scopes" in given:
        _may_give(call, body.scopes)
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, api_key_id)
        if "name" in given:
            row.name = body.name
        if "scopes" in given:
            row.scopes = list(body.scopes)
        if "expires_at" in given:
            row.expires_at = body.expires_at
        if "rate_limits" in given:
            row.limits = _limits(body.rate_limits)
        await keys.tell_updated(transaction, row, sorted(given))
    return _answer(row)


@operations.post("/api-keys/{apiKeyId}/rotate", "Rotate an API key", scope="keys:write", example={"overlap": 86400})
async def rotate(call: Call, api_key_id: str, body: Rotation) -> ApiKeySecret:
    """A new secret; the old one is good for `overlap` more seconds, and so are access tokens that were had for it."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, api_key_id)
        _may_give(call, row.scopes)
        secret = await keys.rotate(transaction, row, timedelta(seconds=body.overlap))
    return ApiKeySecret(**_answer(row).model_dump(by_alias=False), secret=secret)


@operations.delete("/api-keys/{apiKeyId}", "Revoke an API key", scope="keys:write", status=204)
async def revoke(call: Call, api_key_id: str) -> None:
    """It opens nothing any more, nor do the access tokens that were had for it."""
    async with call.services.database.write() as transaction:
        await keys.revoke(transaction, await _find(transaction, call, api_key_id))


def _may_give(call: Call, wanted: list[str]) -> None:
    """Raises Problem: nobody makes a key that may do more than their own."""
    if call.caller is not None:
        for at, scope in enumerate(wanted):
            if not call.caller.may(scope):
                raise Problem("forbidden", f"The API key lacks the scope {scope} itself.", name=f"scopes[{at}]")


async def _find(transaction: Transaction, call: Call, api_key_id: str) -> ApiKey:
    """One of the caller's project; the organisation's keys reach those of every project. Raises Problem."""
    row = await keys.of_project(transaction, call.project_id, api_key_id)
    if row is None and call.project_id == DEFAULT_PROJECT:
        row = await keys.living(transaction, api_key_id)
    if row is None:
        raise Problem("resource-not-found", name="apiKeyId")
    return row


def _limits(given: RateLimits | None) -> dict[str, int]:
    return given.model_dump(exclude_none=True) if given else {}


def _answer(row: ApiKey) -> ApiKeyAnswer:
    overlapping = row.previous_until is not None and row.previous_until > clock.now()
    return ApiKeyAnswer(
        api_key_id=row.id,
        project_id=row.project_id,
        name=row.name,
        scopes=[str(scope) for scope in row.scopes],
        rate_limits=RateLimitsAnswer(**{kind: row.limits.get(kind) for kind in ("read", "write", "upload")}),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        rotated_at=row.rotated_at,
        previous_secret_expires_at=row.previous_until if overlapping else None,
    )
