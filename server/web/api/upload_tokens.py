"""Upload tokens: what a browser or an app is given to upload with, instead of the API key."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from server import clock
from server.catalog import uploads
from server.catalog.database import Transaction
from server.catalog.models import UploadToken
from server.errors import Problem
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, Body, Moment
from server.web.typed import Call, Operations

TTL_LIMIT_S = 2**31 - 1  # as in the dialect

operations = Operations("Upload tokens")


class UploadTokenBody(Body):
    ttl: Annotated[int, Field(ge=0, le=TTL_LIMIT_S, description="Seconds it is good for; 0 is for ever.")] = 0


class UploadTokenAnswer(Answer):
    token: str
    ttl: int
    created_at: Moment
    expires_at: Moment | None


class UploadTokenList(Answer):
    data: list[UploadTokenAnswer]
    pagination: Pagination


class UploadTokenQuery(PageQuery):
    sort_by: Literal["createdAt", "ttl"] | None = None


@operations.post("/upload-tokens", "Make an upload token", scope="upload-tokens:write", example={"ttl": 3600})
async def create(call: Call, body: UploadTokenBody) -> UploadTokenAnswer:
    """With it a page may upload to `POST /upload` without any other credentials. A `ttl` of 0 lasts until it is
    deleted."""
    now = clock.now()
    row = UploadToken(
        project_id=call.project_id,
        ttl_s=body.ttl,
        expires_at=now + timedelta(seconds=body.ttl) if body.ttl else None,
        created_at=now,
    )
    async with call.services.database.write() as transaction:
        await uploads.add_token(transaction, row)
    return answer(row)


@operations.get("/upload-tokens", "List upload tokens", scope="upload-tokens:read")
async def list_all(call: Call, query: UploadTokenQuery) -> UploadTokenList:
    """Newest first unless sorted, those that have expired among them."""
    async with call.services.database.read() as transaction:
        page = await uploads.tokens(transaction, call.project_id, query.paging(query.sort_by))
    return UploadTokenList(data=[answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/upload-tokens/{uploadToken}", "Show an upload token", scope="upload-tokens:read")
async def show(call: Call, upload_token: str) -> UploadTokenAnswer:
    """Until when it may be used."""
    async with call.services.database.read() as transaction:
        return answer(await _find(transaction, call, upload_token))


@operations.delete("/upload-tokens/{uploadToken}", "Delete an upload token", scope="upload-tokens:write", status=204)
async def delete(call: Call, upload_token: str) -> None:
    """Nothing begins with it any more."""
    async with call.services.database.write() as transaction:
        await uploads.remove_token(transaction, await _find(transaction, call, upload_token))


def answer(row: UploadToken) -> UploadTokenAnswer:
    return UploadTokenAnswer(token=row.id, ttl=row.ttl_s, created_at=row.created_at, expires_at=row.expires_at)


async def _find(transaction: Transaction, call: Call, token_id: str) -> UploadToken:
    row = await uploads.token(transaction, token_id)
    if row is None or row.project_id != call.project_id:
        raise Problem("resource-not-found", name="uploadToken")
    return row
