"""Addresses that are asked before a key is given out: one of the workspace, and one for each project that has its own.

They are kept here; what gives keys out asks them.
"""

from typing import Annotated

from pydantic import Field

from server.catalog import drm_callbacks
from server.catalog.database import Transaction
from server.catalog.sharing_models import DrmCallback
from server.errors import Problem
from server.outbound.target import Target
from server.web.api.webhook_shapes import EndpointUrl, Login
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.locations import location
from server.web.kinescope.shapes import DONE, Answer, Body, Data, Done, Moment
from server.web.typed import Call

READ, WRITE = "projects:read", "projects:write"
EXAMPLE = {"url": "https://example.io/auth/kinescope", "username": "", "password": "", "strict": True}

operations = kinescope_operations("DRM authorisation")


class CallbackBody(Body):
    url: EndpointUrl
    username: Login = ""
    password: Annotated[Login, Field(description="Never shown again.")] = ""
    strict: Annotated[bool, Field(description="An address that does not answer gives out no key.")] = True


class CallbackAnswer(Answer):
    url: str
    username: str
    password: Annotated[str, Field(description="Always empty.")] = ""
    strict: bool
    created_at: Moment
    updated_at: Moment | None


@operations.get("/v1/drm/auth", "Show the address that is asked for keys", scope=READ, errors=["resource-not-found"])
async def show(call: Call) -> Data[CallbackAnswer]:
    return await _show(call, None)


@operations.put("/v1/drm/auth", "Set the address that is asked for keys", scope=WRITE, example=EXAMPLE)
async def put(call: Call, body: CallbackBody) -> Data[CallbackAnswer]:
    """Of all projects that have none of their own."""
    return await _put(call, None, body)


@operations.delete(
    "/v1/drm/auth", "Delete the address that is asked for keys", scope=WRITE, errors=["resource-not-found"]
)
async def delete(call: Call) -> Done:
    return await _delete(call, None)


@operations.get("/v1/drm/auth/{project_id}", "Show the address of a project", scope=READ)
async def show_of_project(call: Call, project_id: str) -> Data[CallbackAnswer]:
    return await _show(call, project_id)


@operations.put("/v1/drm/auth/{project_id}", "Set the address of a project", scope=WRITE, example=EXAMPLE)
async def put_of_project(call: Call, project_id: str, body: CallbackBody) -> Data[CallbackAnswer]:
    return await _put(call, project_id, body)


@operations.delete("/v1/drm/auth/{project_id}", "Delete the address of a project", scope=WRITE)
async def delete_of_project(call: Call, project_id: str) -> Done:
    """The one of the workspace counts for it from then on."""
    return await _delete(call, project_id)


async def _show(call: Call, place: str | None) -> Data[CallbackAnswer]:
    async with call.services.database.read() as transaction:
        return Data(data=_answer(await _find(transaction, call, place)))


async def _put(call: Call, place: str | None, body: CallbackBody) -> Data[CallbackAnswer]:
    target = Target.parse(body.url)
    inside = target.username is not None  # credentials in the URL are kept apart from it
    values = {
        "url": target.url if inside else body.url,
        "login": target.username if inside else body.username,
        "password": (target.password or "") if inside else body.password,
        "strict": body.strict,
    }
    async with call.services.database.write() as transaction:
        parent_id = await location(transaction, call, place, "project_id") or ""
        row = await drm_callbacks.put(transaction, call.project_id, parent_id, **values)
        return Data(data=_answer(row))


async def _delete(call: Call, place: str | None) -> Done:
    async with call.services.database.write() as transaction:
        await drm_callbacks.remove(transaction, await _find(transaction, call, place))
    return DONE


async def _find(transaction: Transaction, call: Call, place: str | None) -> DrmCallback:
    parent_id = await location(transaction, call, place, "project_id") or ""
    row = await drm_callbacks.get(transaction, call.project_id, parent_id)
    if row is None:
        raise Problem("resource-not-found", "There is no such address.", name="project_id" if place else None)
    return row


def _answer(row: DrmCallback) -> CallbackAnswer:
    return CallbackAnswer(
        url=row.url, username=row.login, strict=row.strict, created_at=row.created_at, updated_at=row.updated_at
    )
