"""Renditions of videos: what there is to choose from at a revision, and how far each is."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from server import clock
from server.catalog import usage, videos
from server.catalog.database import Transaction
from server.catalog.models import Rendition, Video
from server.catalog.prepared import Prepared

# state -> states it may move to. What was cut off goes on in the state that it was in.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "waiting": frozenset({"encoding", "ready", "failed"}),
    "encoding": frozenset({"ready", "failed"}),
    "ready": frozenset(),
    "failed": frozenset({"waiting"}),  # its job is redriven
}
SIZE = ("width", "height", "bitrate", "language")  # facts that events tell
ENDED = frozenset({"ready", "failed"})

_OF_VIDEO: Prepared[Rendition] = Prepared(
    select(Rendition)
    .where(Rendition.video_id == bindparam("video_id"), Rendition.revision == bindparam("revision"))
    .order_by(Rendition.name)
)


class WrongState(Exception):
    """The row can't move to the wanted state from where it is."""


async def add(transaction: Transaction, rendition: Rendition) -> Rendition:
    transaction.add(rendition)
    await transaction.flush()
    return rendition


async def get(transaction: Transaction, video_id: str, revision: int, name: str) -> Rendition | None:
    return await transaction.get(Rendition, (video_id, revision, name))


async def of_video(transaction: Transaction, video_id: str, revision: int) -> list[Rendition]:
    """All of a revision, by name."""
    return await _OF_VIDEO.all(transaction, video_id=video_id, revision=revision)


async def of_videos(transaction: Transaction, video_ids: Sequence[str]) -> list[Rendition]:
    """Of several videos, at all of their revisions, by name."""
    wanted = select(Rendition).where(Rendition.video_id.in_(video_ids)).order_by(Rendition.name)
    return list(await transaction.scalars(wanted))


async def move(transaction: Transaction, video: Video, rendition: Rendition, state: str, **payload: Any) -> None:
    """Moves the state on; the video's events tell of it. Raises WrongState."""
    if state not in TRANSITIONS[rendition.state]:
        raise WrongState(f"{rendition.name} of {video.id} is {rendition.state}, it can't become {state}")
    rendition.state, rendition.stored_bytes = state, None
    if state == "ready" and rendition.origin != "source" and video.duration_s:
        await usage.encoded(transaction, video.project_id, video.duration_s, clock.now())
    await tell(transaction, video, rendition, **payload)


async def tell(transaction: Transaction, video: Video, rendition: Rendition, **payload: Any) -> None:
    """Records the state that it is in."""
    told = {**videos.links(video), "rendition": rendition.name, "revision": rendition.revision, "kind": rendition.kind}
    size = {name: rendition.facts[name] for name in SIZE if rendition.facts.get(name) is not None}
    await videos.tell(transaction, video, f"rendition.{rendition.state}", {**told, **size, **payload})


async def unweighed(transaction: Transaction, limit: int) -> list[Rendition]:
    """Some of those that ended, whose bytes nobody counted."""
    wanted = select(Rendition).where(Rendition.stored_bytes.is_(None), Rendition.state.in_(ENDED))
    return list(await transaction.scalars(wanted.limit(limit)))


async def weighed(transaction: Transaction, rendition: Rendition, stored_bytes: int) -> None:
    """Keeps what there is of it, unless it went on meanwhile."""
    same = (Rendition.video_id == rendition.video_id, Rendition.revision == rendition.revision,
            Rendition.name == rendition.name, Rendition.state == rendition.state)  # fmt: skip
    known = update(Rendition).where(*same, Rendition.stored_bytes.is_(None))
    values = {"stored_bytes": stored_bytes, "updated_at": Rendition.updated_at}
    await transaction.execute(known.values(values), execution_options={"synchronize_session": False})


async def remove(transaction: Transaction, video_id: str, revision: int) -> None:
    """Rows only; the bytes are the caller's to delete after the commit."""
    await transaction.execute(
        delete(Rendition).where(Rendition.video_id == video_id, Rendition.revision == revision)
    )
