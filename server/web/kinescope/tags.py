"""Tags: those that were made, and those that only videos have."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from server.catalog import tag_names
from server.catalog.database import Transaction
from server.catalog.tag_names import Known
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.paging import PageQuery, enveloped
from server.web.kinescope.shapes import DONE, Answer, Body, Data, Done, Id, Listed, Moment
from server.web.kinescope.values import REFUSED, made, there
from server.web.shapes import Text, Title
from server.web.typed import Call

operations = kinescope_operations("Tags")

TagText = Annotated[Title, StringConstraints(max_length=255)]


class TagCreation(Body):
    tag: TagText


class TagChanges(Body):
    tag: TagText
    archived: bool = False


class TagAnswer(Answer):
    id: Id
    workspace_id: Id
    tag: str
    archived: bool
    archived_at: Moment | None
    created_at: Annotated[Moment | None, Field(description="Null of one that only videos have.")]
    video_count: int


class TagQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {"tag": "tag", "video_count": "video_count"}
    DEFAULT: ClassVar[Sequence[tuple[str, str]]] = (("tag", "asc"),)

    q: Annotated[Text | None, Field(max_length=255, description="Contained in the tag.")] = None


@operations.get("/v1/tags", "List tags", scope="videos:read")
async def list_all(call: Call, query: TagQuery) -> Listed[TagAnswer]:
    """Those that are put away, too."""
    orders = query.orders()
    async with call.services.database.read() as transaction:
        found = await tag_names.every(transaction, call.project_id)
    wanted = (query.q or "").casefold()
    found = [each for each in found if wanted in each.value.casefold()]
    for column, direction in reversed(orders):  # the last sort is the first in rank
        found.sort(key=_key(column), reverse=direction == "desc")
    start = (query.page - 1) * query.per_page
    return enveloped(query, len(found), [_answer(call, each) for each in found[start : start + query.per_page]])


@operations.post("/v1/tags", "Make a tag", scope="videos:write", errors=REFUSED, example={"tag": "tag1"})
async def create(call: Call, body: TagCreation) -> Data[TagAnswer]:
    async with call.services.database.write() as transaction:
        with made("tag"):
            found = await tag_names.add(transaction, call.project_id, body.tag)
    return Data(data=_answer(call, found))


@operations.put(
    "/v1/tags/{tag_id}", "Change a tag", scope="videos:write", errors=REFUSED,
    example={"tag": "tag1", "archived": True},
)  # fmt: skip
async def change(call: Call, tag_id: str, body: TagChanges) -> Data[TagAnswer]:
    """Videos that have it have its new words from then on."""
    async with call.services.database.write() as transaction:
        known = await _find(transaction, call, tag_id)
        with made("tag"):
            found = await tag_names.change(transaction, call.project_id, known, body.tag, body.archived)
    return Data(data=_answer(call, found))


@operations.delete("/v1/tags/{tag_id}", "Delete a tag", scope="videos:write", errors=REFUSED)
async def delete(call: Call, tag_id: str) -> Done:
    """Videos lose it."""
    async with call.services.database.write() as transaction:
        known = await _find(transaction, call, tag_id)
        with made("tag"):
            await tag_names.remove(transaction, call.project_id, known)
    return DONE


def _key(column: str) -> Callable[[Known], Any]:
    return (lambda each: each.value) if column == "tag" else (lambda each: each.videos)


async def _find(transaction: Transaction, call: Call, tag_id: str) -> Known:
    return there(await tag_names.get(transaction, call.project_id, tag_id), "tag_id")


def _answer(call: Call, known: Known) -> TagAnswer:
    return TagAnswer(
        id=known.id,
        workspace_id=call.project_id,
        tag=known.value,
        archived=known.archived_at is not None,
        archived_at=known.archived_at,
        created_at=known.created_at,
        video_count=known.videos,
    )
