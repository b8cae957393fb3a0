"""Players: named looks that videos and live streams can be shown with."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field, StringConstraints

from server import clock
from server.catalog import players
from server.catalog.control_models import Player
from server.catalog.database import Transaction
from server.errors import Problem
from server.vod.pictures import Pictures
from server.web import asset_urls, validation
from server.web.forms import SMALL_FILE_ERRORS, small_form
from server.web.hls import files
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Text
from server.web.typed import Call, Operations, path_value

PICTURES = web.AppKey("pictures", Pictures)
MAX_BYTES = 16 << 20  # of a logo: it is held in memory until it is coded
MOST = 1000  # players of a project: what a list shows on ten pages
LINK_CHARS = 2000
_FORM = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "A PNG, JPEG or WebP picture."},
            "link": {"type": "string", "description": "Where a click on the logo leads; http or https."},
        },
    }
}

operations = Operations("Players")

Name = Annotated[Text, StringConstraints(max_length=100)]
Colour = Annotated[
    Text,
    StringConstraints(max_length=100),
    Field(description="As in CSS. The page passes over what it can't read.", examples=["rgba(255, 255, 255, .95)"]),
]


class PlayerCreation(Body):
    """Colours that are not given are the player's own."""

    name: Name = ""
    text: Colour | None = None
    link: Colour | None = None
    link_hover: Colour | None = None
    link_active: Colour | None = None
    track_played: Colour | None = None
    track_unplayed: Colour | None = None
    track_background: Colour | None = None
    background_top: Colour | None = None
    background_bottom: Colour | None = None
    background_text: Colour | None = None
    enable_api: bool = True
    enable_controls: bool = True
    force_autoplay: bool = False
    hide_title: bool = False
    force_loop: bool = False


class PlayerChanges(Changes):
    """What is not there stays as it is."""

    name: Name = ABSENT
    text: Colour | None = ABSENT
    link: Colour | None = ABSENT
    link_hover: Colour | None = ABSENT
    link_active: Colour | None = ABSENT
    track_played: Colour | None = ABSENT
    track_unplayed: Colour | None = ABSENT
    track_background: Colour | None = ABSENT
    background_top: Colour | None = ABSENT
    background_bottom: Colour | None = ABSENT
    background_text: Colour | None = ABSENT
    enable_api: bool = ABSENT
    enable_controls: bool = ABSENT
    force_autoplay: bool = ABSENT
    hide_title: bool = ABSENT
    force_loop: bool = ABSENT


class PlayerAssets(Answer):
    """The logo; empty where there is none."""

    logo: str = ""
    link: str = ""


class PlayerAnswer(Answer):
    """A player. A colour that was not given is empty: the page uses its own."""

    player_id: str
    name: str
    text: str = ""
    link: str = ""
    link_hover: str = ""
    link_active: str = ""
    track_played: str = ""
    track_unplayed: str = ""
    track_background: str = ""
    background_top: str = ""
    background_bottom: str = ""
    background_text: str = ""
    enable_api: bool
    enable_controls: bool
    force_autoplay: bool
    hide_title: bool
    force_loop: bool
    assets: PlayerAssets
    created_at: Moment
    updated_at: Moment


class PlayerList(Answer):
    data: list[PlayerAnswer]
    pagination: Pagination


class PlayerQuery(PageQuery):
    sort_by: Literal["name", "createdAt", "updatedAt"] | None = None


@operations.post(
    "/players",
    "Create a player",
    scope="players:write",
    status=201,
    errors=("conflict",),
    example={"name": "Dark", "trackPlayed": "rgba(255, 90, 90, 1)", "hideTitle": True},
)
async def create(call: Call, body: PlayerCreation) -> PlayerAnswer:
    """A video or live stream with its id as `playerId` is shown with it."""
    row = Player(project_id=call.project_id, name=body.name, theme=_theme(body, set(PlayerCreation.model_fields)))
    async with call.services.database.write() as transaction:
        if await players.count(transaction, call.project_id) >= MOST:
            raise Problem("conflict", f"A project has {MOST} players at most.")
        await players.add(transaction, row)
    return _answer(call, row)


@operations.get("/players", "List players", scope="players:read")
async def list_all(call: Call, query: PlayerQuery) -> PlayerList:
    """Newest first unless sorted."""
    async with call.services.database.read() as transaction:
        page = await players.page(transaction, call.project_id, query.paging(query.sort_by))
    return PlayerList(data=[_answer(call, row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/players/{playerId}", "Show a player", scope="players:read")
async def show(call: Call, player_id: str) -> PlayerAnswer:
    """Its colours and switches, and where its logo is."""
    async with call.services.database.read() as transaction:
        return _answer(call, await _find(transaction, call, player_id))


@operations.patch("/players/{playerId}", "Change a player", scope="players:write", example={"hideTitle": False})
async def change(call: Call, player_id: str, body: PlayerChanges) -> PlayerAnswer:
    """What is left out stays as it is; a colour of null is again the page's own."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, player_id)
        await players.change(transaction, row, body.name if "name" in given else None, _theme(body, given))
    return _answer(call, row)


@operations.delete("/players/{playerId}", "Delete a player", scope="players:write", status=204)
async def delete(call: Call, player_id: str) -> None:
    """What names it is shown in the player's own colours from then on."""
    async with call.services.database.write() as transaction:
        await players.remove(transaction, await _find(transaction, call, player_id))
    await call.request.app[PICTURES].remove(player_id)


@operations.post(
    "/players/{playerId}/logo",
    "Upload a logo",
    scope="players:write",
    status=201,
    kind="upload",
    raw=_FORM,
    errors=(*SMALL_FILE_ERRORS, "invalid-attribute"),
)
async def upload_logo(call: Call, player_id: str) -> PlayerAnswer:
    """It is shown over the picture; a click on it opens `link`."""
    async with call.services.database.read() as transaction:
        await _find(transaction, call, player_id)
    form, pictures = await small_form(call.request, MAX_BYTES), call.request.app[PICTURES]
    link = _link(form.fields.get("link", ""))
    logo = await pictures.logo(form.file)
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, player_id)
        row.logo_bytes = await pictures.put(row.id, logo)
        await players.set_logo(transaction, row, clock.now(), link)
    return _answer(call, row)


@operations.delete("/players/{playerId}/logo", "Delete a logo", scope="players:write", status=204)
async def delete_logo(call: Call, player_id: str) -> None:
    """The player is shown without one from then on."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, player_id)
        if row.logo_at is None:
            raise Problem("resource-not-found", "The player has no logo.", name="playerId")
        await players.set_logo(transaction, row, None, None)
    await call.request.app[PICTURES].remove(player_id)


async def logo(request: web.Request) -> web.StreamResponse:
    """`/player/{playerId}/logo.png?v=`: for everybody, as it is on every page with the player."""
    path = request.app[PICTURES].path(path_value("playerId", request.match_info["playerId"]))
    if not path.is_file():
        raise Problem("resource-not-found", name="playerId")
    return web.FileResponse(path, headers={"Content-Type": "image/png", "Cache-Control": _keeping(request)})


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/player/{playerId}/logo.png", logo)


def _keeping(request: web.Request) -> str:
    return f"public, max-age={files.YEAR_S}, immutable" if "v" in request.query else files.REVALIDATED


def version(row: Player) -> int:
    """Of the logo, in its URL."""
    return int(row.logo_at.timestamp()) if row.logo_at else 0


async def _find(transaction: Transaction, call: Call, player_id: str) -> Player:
    """The caller's player. Raises Problem."""
    row = await players.get(transaction, call.project_id, player_id)
    if row is None:
        raise Problem("resource-not-found", name="playerId")
    return row


def _theme(body: PlayerCreation | PlayerChanges, given: set[str]) -> dict[str, Any]:
    """As rows keep it: by the names that JSON has."""
    told = body.model_dump(by_alias=True, include=given - {"name"})
    return {name: value for name, value in told.items() if name in players.COLOURS or value is not None}


def _link(text: str) -> str | None:
    """A page's address; the page makes a link of it. Raises Problem."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or len(text) > LINK_CHARS or not text.isprintable():
        raise validation.of_attribute("link", "This attribute must be a http or https URL.")
    return text


def _answer(call: Call, row: Player) -> PlayerAnswer:
    url = asset_urls.of_logo(call.base_url, row.id, version(row)) if row.logo_at else ""
    colours = {name: row.theme.get(name) or "" for name in players.COLOURS}
    switches = {name: row.theme.get(name, standard) for name, standard in players.SWITCHES.items()}
    return PlayerAnswer.model_validate(
        {
            "playerId": row.id,
            "name": row.name,
            **colours,
            **switches,
            "assets": {"logo": url, "link": row.logo_link or ""},
            "createdAt": row.created_at,
            "updatedAt": row.updated_at,
        }
    )
