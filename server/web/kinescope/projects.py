"""Projects as the dialect has them: groups of videos within the key's tenant, which are libraries of ours."""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from server.catalog import folders, libraries, players, video_details
from server.catalog.database import Transaction
from server.catalog.folders import NotEmpty, TreeError
from server.catalog.libraries import Library
from server.catalog.organisation_models import Folder
from server.catalog.video_details import TooMany
from server.errors import Problem
from server.web.kinescope import identifiers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.paging import PageQuery, enveloped
from server.web.kinescope.shapes import (
    DONE,
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
from server.web.kinescope.values import there
from server.web.shapes import ABSENT, Title
from server.web.typed import Call

SETTINGS = frozenset({"privacy_type", "privacy_domains", "player_id", "encrypted"})
DOMAINS_LIMIT = 100  # of a library or a video; more are no list that a person keeps

operations = kinescope_operations("Projects")

Name = Annotated[Title, StringConstraints(max_length=255)]
Domains = Annotated[list[Domain], Field(max_length=DOMAINS_LIMIT)]
PlayerId = Annotated[GivenId | None, Field(description="Of the player that its videos are shown with.")]


class ProjectCreation(Body):
    name: Name
    privacy_type: Privacy = "anywhere"
    privacy_domains: Domains = Field(default_factory=list)
    player_id: PlayerId = None
    encrypted: bool = False
    catalog_type: Literal["vod", "live"] = "vod"


class ProjectChanges(Changes):
    name: Name = ABSENT
    privacy_type: Privacy = ABSENT
    privacy_domains: Domains = ABSENT
    player_id: PlayerId = ABSENT
    encrypted: bool = ABSENT
    apply_to_videos: Annotated[bool, Field(description="Its videos get its privacy and its player, too.")] = ABSENT


class FolderAnswer(Answer):
    id: Id
    name: str
    project_id: Id
    parent_id: Id | None
    created_at: Moment
    updated_at: Moment
    deleted_at: None = None


class ProjectAnswer(Answer):
    id: Id
    name: str
    privacy_type: Privacy
    privacy_domains: list[str]
    player_id: str | None
    encrypted: bool
    catalog_type: Literal["vod"] = "vod"
    folders: Annotated[list[FolderAnswer], Field(description="Those that are directly in it.")]
    created_at: Moment
    updated_at: Moment | None


class ProjectQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {"name": "name", "created_at": "createdAt"}
    DEFAULT: ClassVar[Sequence[tuple[str, str]]] = (("name", "asc"),)

    catalog_type: Annotated[str | None, Field(description="Taken and passed over: projects hold everything.")] = None


@operations.get("/v1/projects", "List projects", scope="folders:read")
async def list_all(call: Call, query: ProjectQuery) -> Listed[ProjectAnswer]:
    """First comes the default one, which has the videos that are in no other. The others are the folders at the top of
    the tree (`GET /folders`)."""
    orders = query.ordering()
    async with call.services.database.read() as transaction:
        rows, total = await libraries.page(transaction, call.project_id, query.page, query.per_page, orders)
        answers = await _answers(transaction, rows)
    return enveloped(query, total, answers)


@operations.post(
    "/v1/projects", "Make a project", scope="folders:write", errors=["conflict"],
    example={"name": "Lessons", "privacy_type": "anywhere", "privacy_domains": []},
)  # fmt: skip
async def create(call: Call, body: ProjectCreation) -> Data[ProjectAnswer]:
    """`encrypted` is kept and comes back. Privacy and player hold for videos that are put into it from then on."""
    async with call.services.database.write() as transaction:
        with within_the_tree():
            folder = await folders.add(transaction, Folder(project_id=call.project_id, name=body.name))
            await _set(transaction, await found(transaction, call, folder.id), body, set(ProjectCreation.model_fields))
        return await _answer(transaction, call, folder.id)


@operations.get("/v1/projects/{project_id}", "Show a project", scope="folders:read")
async def show(call: Call, project_id: str) -> Data[ProjectAnswer]:
    async with call.services.database.read() as transaction:
        return await _answer(transaction, call, project_id)


@operations.put(
    "/v1/projects/{project_id}", "Change a project", scope="folders:write", errors=["conflict"],
    example={"name": "Lessons", "privacy_type": "custom", "privacy_domains": ["example.com"]},
)  # fmt: skip
async def change(call: Call, project_id: str, body: ProjectChanges) -> Data[ProjectAnswer]:
    """What is left out stays as it is."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        library = await found(transaction, call, project_id)
        with within_the_tree():
            if "name" in given:
                await folders.rename(transaction, await libraries.folder_of(transaction, library), body.name)
            await _set(transaction, await found(transaction, call, project_id), body, set(given))
            if body.apply_to_videos:
                await video_details.apply(transaction, await found(transaction, call, project_id))
        await transaction.flush()
        return await _answer(transaction, call, project_id)


@operations.delete("/v1/projects/{project_id}", "Delete an empty project", scope="folders:write", errors=["conflict"])
async def delete(call: Call, project_id: str) -> Done:
    """Only one that has neither folders nor videos, and not the default one."""
    async with call.services.database.write() as transaction:
        library = await found(transaction, call, project_id)
        if library.is_default or library.folder is None:
            raise Problem("conflict", "The default project stays.", name="project_id")
        try:
            with within_the_tree():
                await folders.remove(transaction, library.folder)
        except NotEmpty:
            raise Problem("conflict", "The project is not empty.", name="project_id") from None
    return DONE


async def found(transaction: Transaction, call: Call, library_id: str) -> Library:
    """The caller's. Raises Problem."""
    return there(await libraries.get(transaction, call.project_id, library_id), "project_id")


def folder_answer(row: Folder, library_id: str) -> FolderAnswer:
    return FolderAnswer(
        id=row.id,
        name=row.name,
        project_id=library_id,
        parent_id=None if row.parent_id == library_id else row.parent_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


@contextmanager
def within_the_tree() -> Iterator[None]:
    """What would be no tree any more, or is too much at once, is a conflict."""
    try:
        yield
    except (TreeError, TooMany) as error:
        raise Problem("conflict", str(error)) from None


async def _set(
    transaction: Transaction, library: Library, body: ProjectCreation | ProjectChanges, given: Set[str]
) -> None:
    """Settings that are given. Raises Problem, folders.TreeError."""
    if not given & SETTINGS:
        return
    row = await libraries.settings_of(transaction, library)
    if "privacy_type" in given:
        row.privacy = body.privacy_type
    if "privacy_domains" in given:
        row.domains = list(body.privacy_domains)
    if "encrypted" in given:
        row.encrypted = body.encrypted
    if "player_id" in given:
        row.player_id = await player_of(transaction, library.project_id, body.player_id)


async def player_of(transaction: Transaction, project_id: str, text: str | None) -> str | None:
    """The player that a body names, by whatever spelling of its id; "" and "..." are how examples leave it out."""
    if text in (None, "", "..."):
        return None
    player_id = identifiers.canonical("pl", text or "", "player_id")
    if await players.get(transaction, project_id, player_id) is None:
        raise Problem("resource-not-found", "There is no such player.", name="player_id")
    return player_id


async def _answer(transaction: Transaction, call: Call, library_id: str) -> Data[ProjectAnswer]:
    await transaction.flush()
    return Data(data=(await _answers(transaction, [await found(transaction, call, library_id)]))[0])


async def _answers(transaction: Transaction, rows: Sequence[Library]) -> list[ProjectAnswer]:
    inside = await libraries.below(transaction, [row.id for row in rows])
    return [_project(row, inside[row.id]) for row in rows]


def _project(row: Library, inside: Sequence[Folder]) -> ProjectAnswer:
    own = row.settings
    return ProjectAnswer(
        id=row.id,
        name=row.name,
        privacy_type=own.privacy if own else "anywhere",  # type: ignore[arg-type]  # written as that
        privacy_domains=own.domains if own else [],
        player_id=identifiers.uuid_or_text(own.player_id) if own else None,
        encrypted=own.encrypted if own else False,
        folders=[folder_answer(each, row.id) for each in inside],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
