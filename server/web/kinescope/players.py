"""Players: the same that the API at the root has, with the settings and advertisements of the dialect kept beside."""

from typing import Annotated, Any

from pydantic import Field

from server import clock
from server.catalog import players
from server.catalog.control_models import Player
from server.catalog.database import Transaction
from server.errors import Problem
from server.web import asset_urls
from server.web.api.players import MAX_BYTES, MOST, PICTURES, version
from server.web.bodies import chunks
from server.web.forms import SMALL_FILE_ERRORS, of_one_file, small_file
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.shapes import DONE, Answer, Body, Changes, Data, Done, Id, Listed, Moment
from server.web.kinescope.values import Kept, Name, there
from server.web.shapes import ABSENT
from server.web.typed import Call

ADS_LIMIT = 50
_PICTURE = {
    **of_one_file("A PNG, JPEG or WebP picture."),
    "image/*": {"type": "string", "format": "binary", "description": "The picture by itself."},
}

operations = kinescope_operations("Players")

Ads = Annotated[list[Kept], Field(max_length=ADS_LIMIT, description="Kept; no advertisements are shown.")]


class PlayerCreation(Body):
    name: Name
    settings: Kept = Field(default_factory=dict)
    ads: Ads = Field(default_factory=list)


class PlayerChanges(Changes):
    name: Name = ABSENT
    settings: Kept = ABSENT
    ads: Ads = ABSENT


class PlayerAnswer(Answer):
    id: Id
    workspace_id: Id
    name: str
    settings: dict[str, Any]
    ads: list[dict[str, Any]]
    logo: Annotated[str | None, Field(description="URL of its picture.")]
    created_at: Moment
    updated_at: Moment


class PlayerQuery(PageQuery):
    SORTABLE = {"created_at": "createdAt", "name": "name", "updated_at": "updatedAt"}  # noqa: RUF012  # never changed


@operations.get("/v1/players", "List players", scope="players:read")
async def list_all(call: Call, query: PlayerQuery) -> Listed[PlayerAnswer]:
    async with call.services.database.read() as transaction:
        page = await players.page(transaction, call.project_id, query.paging())
    return listed(query, page, [_answer(call, row) for row in page.rows])


@operations.post(
    "/v1/players", "Make a player", scope="players:write", errors=["limit-reached"], example={"name": "my player 1"}
)
async def create(call: Call, body: PlayerCreation) -> Data[PlayerAnswer]:
    """What it looks like is set at `PATCH /players/{playerId}`."""
    row = Player(project_id=call.project_id, name=body.name, settings=body.settings, ads=body.ads)
    async with call.services.database.write() as transaction:
        if await players.count(transaction, call.project_id) >= MOST:
            raise Problem("limit-reached", f"There are {MOST} players at most.")
        await players.add(transaction, row)
    return Data(data=_answer(call, row))


@operations.get("/v1/players/{player_id}", "Show a player", scope="players:read")
async def show(call: Call, player_id: str) -> Data[PlayerAnswer]:
    async with call.services.database.read() as transaction:
        return Data(data=_answer(call, await _find(transaction, call, player_id)))


@operations.put(
    "/v1/players/{player_id}", "Change a player", scope="players:write", example={"name": "my player 1.1"}
)
async def change(call: Call, player_id: str, body: PlayerChanges) -> Data[PlayerAnswer]:
    """What is left out stays as it is."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, player_id)
        if "settings" in given:
            row.settings = body.settings
        if "ads" in given:
            row.ads = body.ads
        await players.change(transaction, row, body.name if "name" in given else None, {})
    return Data(data=_answer(call, row))


@operations.post(
    "/v1/players/{player_id}/logo", "Upload a logo", scope="players:write", kind="upload", raw=_PICTURE,
    errors=SMALL_FILE_ERRORS,
)  # fmt: skip
async def upload_logo(call: Call, player_id: str) -> Data[PlayerAnswer]:
    """As a form, or as the body itself."""
    async with call.services.database.read() as transaction:
        await _find(transaction, call, player_id)
    pictures = call.request.app[PICTURES]
    logo = await pictures.logo(await _picture(call))
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, player_id)
        row.logo_bytes = await pictures.put(row.id, logo)
        await players.set_logo(transaction, row, clock.now(), row.logo_link)
    return Data(data=_answer(call, row))


@operations.delete("/v1/players/{player_id}/logo", "Delete a logo", scope="players:write")
async def delete_logo(call: Call, player_id: str) -> Done:
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, player_id)
        if row.logo_at is None:
            raise Problem("resource-not-found", "The player has no logo.", name="player_id")
        await players.set_logo(transaction, row, None, None)
    await call.request.app[PICTURES].remove(player_id)
    return DONE


async def _picture(call: Call) -> bytes:
    """Raises Problem."""
    if call.request.content_type.startswith("multipart/"):
        return await small_file(call.request, MAX_BYTES)
    found = bytearray()
    async for chunk in chunks(call.request):
        found += chunk
        if len(found) > MAX_BYTES:
            raise Problem("uploaded-file-too-large", f"At most {MAX_BYTES} bytes are taken.")
    if not found:
        raise Problem("uploaded-file-no-file")
    return bytes(found)


async def _find(transaction: Transaction, call: Call, player_id: str) -> Player:
    return there(await players.get(transaction, call.project_id, player_id), "player_id")


def _answer(call: Call, row: Player) -> PlayerAnswer:
    return PlayerAnswer(
        id=row.id,
        workspace_id=row.project_id,
        name=row.name,
        settings=row.settings,
        ads=row.ads,
        logo=asset_urls.of_logo(call.base_url, row.id, version(row)) if row.logo_at else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
