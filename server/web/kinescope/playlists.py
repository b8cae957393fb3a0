"""Playlists and the videos in them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from server.catalog import playlists
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.catalog.playlists import ENTRIES_LIMIT
from server.catalog.sharing_models import Playlist, PlaylistEntry
from server.errors import Problem
from server.web.kinescope import identifiers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.locations import location
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.shapes import (
    DONE,
    All,
    Answer,
    Body,
    Changes,
    Data,
    Domain,
    Done,
    GivenId,
    Id,
    Listed,
    Moment,
    Privacy,
)
from server.web.kinescope.values import REFUSED, Name, Note, made, there
from server.web.shapes import ABSENT, Tag
from server.web.typed import Call

DOMAINS_LIMIT = 100  # of a playlist, and tags
POSITION_LIMIT = 1_000_000  # any position behind the last one is the last one

operations = kinescope_operations("Playlists")

Domains = Annotated[list[Domain], Field(max_length=DOMAINS_LIMIT)]
Entities = Annotated[list[GivenId], Field(max_length=ENTRIES_LIMIT, description="Ids of videos.")]
Tags = Annotated[list[Tag], Field(max_length=DOMAINS_LIMIT)]


class Settings(Body):
    """How its videos are sorted; custom: as they were placed."""

    sort_field: Literal["custom", "title", "duration", "created_at", "updated_at"] = "custom"
    sort_order: Literal["asc", "desc"] = "asc"
    ignore_interactive_tools: bool = False


class PlaylistCreation(Body):
    name: Name
    description: Note = ""
    parent_id: GivenId | None = None
    player_id: GivenId | None = None
    entity_ids: Entities = Field(default_factory=list)
    privacy_type: Privacy = "anywhere"
    privacy_domains: Domains = Field(default_factory=list)
    tags: Tags = Field(default_factory=list)
    settings: Settings = Field(default_factory=Settings)


class PlaylistChanges(Changes):
    name: Name = ABSENT
    description: Note = ABSENT
    parent_id: GivenId | None = ABSENT
    player_id: GivenId | None = ABSENT
    privacy_type: Privacy = ABSENT
    privacy_domains: Domains = ABSENT
    tags: Tags = ABSENT
    settings: Settings = ABSENT


class EntitiesBody(Body):
    entity_ids: Entities


class MoveBody(Body):
    position: Annotated[int, Field(ge=1, le=POSITION_LIMIT, description="From 1.")]


class SettingsAnswer(Answer):
    sort_field: str
    sort_order: str
    ignore_interactive_tools: bool


class PlaylistAnswer(Answer):
    id: Id
    workspace_id: Id
    player_id: Id | None
    parent_id: Id | None
    name: str
    description: str
    privacy_type: Privacy
    privacy_domains: list[str]
    privacy_share: dict[str, str] = Field(default_factory=dict)
    tags: list[str]
    settings: SettingsAnswer
    play_link: str
    embed_link: str
    created_at: Moment
    updated_at: Moment


class EntityAnswer(Answer):
    id: Id
    position: int
    status: str
    title: str
    description: str
    duration: float
    created_at: Moment
    updated_at: Moment


class PlaylistQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {name: name for name in playlists.SORT_COLUMNS}


@operations.get("/v1/playlists", "List playlists", scope="videos:read")
async def list_all(call: Call, query: PlaylistQuery) -> Listed[PlaylistAnswer]:
    async with call.services.database.read() as transaction:
        page = await playlists.page(transaction, call.project_id, query.paging())
    return listed(query, page, [_answer(call, row) for row in page.rows])


@operations.post(
    "/v1/playlists", "Make a playlist", scope="videos:write", errors=REFUSED,
    example={"name": "Playlist 1", "entity_ids": []},
)  # fmt: skip
async def create(call: Call, body: PlaylistCreation) -> Data[PlaylistAnswer]:
    async with call.services.database.write() as transaction:
        values = await _values(transaction, call, body, set(PlaylistCreation.model_fields) - {"entity_ids"})
        ids = await _videos(transaction, call, body.entity_ids)
        with made("entity_ids"):
            row = await playlists.add(transaction, Playlist(project_id=call.project_id, **values))
            await playlists.append(transaction, row, ids)
        return Data(data=_answer(call, row))


@operations.get("/v1/playlists/{playlist_id}", "Show a playlist", scope="videos:read")
async def show(call: Call, playlist_id: str) -> Data[PlaylistAnswer]:
    async with call.services.database.read() as transaction:
        return Data(data=_answer(call, await _find(transaction, call, playlist_id)))


@operations.patch(
    "/v1/playlists/{playlist_id}", "Change a playlist", scope="videos:write", example={"name": "Playlist updated"}
)
async def change(call: Call, playlist_id: str, body: PlaylistChanges) -> Data[PlaylistAnswer]:
    """What is left out stays as it is."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, playlist_id)
        for name, value in (await _values(transaction, call, body, set(body.model_fields_set))).items():
            setattr(row, name, value)
        await transaction.flush()
        await playlists.tell(transaction, row, "updated", changed=sorted(body.model_fields_set))
        return Data(data=_answer(call, row))


@operations.delete("/v1/playlists/{playlist_id}", "Delete a playlist", scope="videos:write")
async def delete(call: Call, playlist_id: str) -> Done:
    """Its videos stay."""
    async with call.services.database.write() as transaction:
        await playlists.remove(transaction, await _find(transaction, call, playlist_id))
    return DONE


@operations.get("/v1/playlists/{playlist_id}/entities", "List the videos of a playlist", scope="videos:read")
async def list_entities(call: Call, playlist_id: str) -> All[EntityAnswer]:
    """All of them, as the settings of the playlist sort them."""
    async with call.services.database.read() as transaction:
        row = await _find(transaction, call, playlist_id)
        entries = await playlists.entries(transaction, row)
    return All(data=[_entity(entry, video) for entry, video in entries])


@operations.post(
    "/v1/playlists/{playlist_id}/entities", "Add videos to a playlist", scope="videos:write", errors=REFUSED,
    example={"entity_ids": []},
)  # fmt: skip
async def add_entities(call: Call, playlist_id: str, body: EntitiesBody) -> Data[PlaylistAnswer]:
    """At its end. Those that are in it stay where they are."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, playlist_id)
        with made("entity_ids"):
            await playlists.append(transaction, row, await _videos(transaction, call, body.entity_ids))
        return Data(data=_answer(call, row))


@operations.delete(
    "/v1/playlists/{playlist_id}/entities", "Take videos out of a playlist", scope="videos:write",
    example={"entity_ids": []},
)  # fmt: skip
async def remove_entities(call: Call, playlist_id: str, body: EntitiesBody) -> Data[PlaylistAnswer]:
    """Those that are not in it are passed over."""
    ids = [identifiers.canonical("vi", each, f"entity_ids[{at}]") for at, each in enumerate(body.entity_ids)]
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, playlist_id)
        await playlists.take_out(transaction, row, ids)
        return Data(data=_answer(call, row))


@operations.put(
    "/v1/playlists/{playlist_id}/entities/{media_id}/move", "Move a video within a playlist", scope="videos:write",
    example={"position": 2},
)  # fmt: skip
async def move_entity(call: Call, playlist_id: str, media_id: str, body: MoveBody) -> Data[PlaylistAnswer]:
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, playlist_id)
        if not await playlists.move(transaction, row, media_id, body.position):
            raise Problem("resource-not-found", "The video is not in the playlist.", name="media_id")
        return Data(data=_answer(call, row))


async def _find(transaction: Transaction, call: Call, playlist_id: str) -> Playlist:
    return there(await playlists.get(transaction, call.project_id, playlist_id), "playlist_id")


async def _videos(transaction: Transaction, call: Call, texts: Sequence[str]) -> list[str]:
    """Our ids of videos that there are. Raises Problem."""
    ids = [identifiers.canonical("vi", text, f"entity_ids[{at}]") for at, text in enumerate(texts)]
    known = await playlists.known_videos(transaction, call.project_id, ids)
    for at, each in enumerate(ids):
        if each not in known:
            raise Problem("resource-not-found", "There is no such video.", name=f"entity_ids[{at}]")
    return ids


async def _values(
    transaction: Transaction, call: Call, body: PlaylistCreation | PlaylistChanges, given: set[str]
) -> dict[str, Any]:
    """Columns for what is given. Raises Problem."""
    found = {name: getattr(body, name) for name in given}
    if "parent_id" in found:
        found["parent_id"] = await location(transaction, call, found["parent_id"], "parent_id")
    if found.get("player_id"):
        found["player_id"] = identifiers.canonical("pl", found["player_id"], "player_id")
    if "settings" in found:
        found["settings"] = found["settings"].model_dump()
    return found


def _answer(call: Call, row: Playlist) -> PlaylistAnswer:
    short = row.id.removeprefix("py")
    return PlaylistAnswer(
        id=row.id,
        workspace_id=row.project_id,
        player_id=row.player_id,
        parent_id=row.parent_id,
        name=row.name,
        description=row.description,
        privacy_type=row.privacy_type,  # type: ignore[arg-type]  # written as that
        privacy_domains=row.privacy_domains,
        tags=row.tags,
        settings=SettingsAnswer(**row.settings),
        play_link=f"{call.base_url}/pl/{short}",
        embed_link=f"{call.base_url}/embed/pl/{short}",
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _entity(entry: PlaylistEntry, video: Video) -> EntityAnswer:
    return EntityAnswer(
        id=video.id,
        position=entry.position,
        status=video.state,
        title=video.title,
        description=video.description,
        duration=video.duration_s or 0.0,
        created_at=video.created_at,
        updated_at=video.updated_at,
    )
