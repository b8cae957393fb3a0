"""Captions and chapters of videos, one of each kind and language. Videos are found by the words of their captions."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import func, select, update

from server import clock
from server.catalog import events, listing, videos, words
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import TextTrack, Video
from server.catalog.organisation_models import VideoWords

Kind = Literal["captions", "chapters"]
MAX_TRACKS = 100  # of a kind: every language that anybody writes
AT_ONCE = 4  # tracks whose words are joined: 3 ms of the loop where they all say the same


async def get(transaction: Transaction, video_id: str, kind: Kind, language: str) -> TextTrack | None:
    return await transaction.get(TextTrack, (video_id, kind, language))


async def of_video(transaction: Transaction, video_id: str, kind: Kind) -> list[TextTrack]:
    """All of a kind, by language."""
    wanted = select(TextTrack).where(TextTrack.video_id == video_id, TextTrack.kind == kind)
    return list(await transaction.scalars(wanted.order_by(TextTrack.language)))


async def of_videos(transaction: Transaction, video_ids: Sequence[str], kind: Kind) -> list[TextTrack]:
    """All of a kind, of several videos, by language."""
    wanted = select(TextTrack).where(TextTrack.video_id.in_(video_ids), TextTrack.kind == kind)
    return list(await transaction.scalars(wanted.order_by(TextTrack.language)))


async def to_watch(transaction: Transaction, video_id: str) -> list[TextTrack]:
    """Of both kinds, by language."""
    wanted = select(TextTrack).where(TextTrack.video_id == video_id)
    return list(await transaction.scalars(wanted.order_by(TextTrack.kind, TextTrack.language)))


async def page(transaction: Transaction, video_id: str, kind: Kind, paging: Paging) -> Page[TextTrack]:
    query = select(TextTrack).where(TextTrack.video_id == video_id, TextTrack.kind == kind)
    columns = {"createdAt": TextTrack.created_at}
    return await listing.fetch(transaction, query, paging, columns, TextTrack.language, TextTrack.language)


async def put(
    transaction: Transaction, video: Video, kind: Kind, language: str, origin: str = "upload", title: str = "",
    spoken: str | None = None, after: int = 0,
) -> TextTrack:
    """A new track, or a new text of a known one. `spoken`: the words of captions, see catalog.words; `after`: the
    version that one of the language had which was removed."""
    row = await get(transaction, video.id, kind, language)
    new = row is None
    if row is None:
        row = TextTrack(
            video_id=video.id, kind=kind, language=language, project_id=video.project_id, origin=origin,
            version=after + 1,
        )  # fmt: skip
        transaction.add(row)
    else:
        row.version, row.origin, row.updated_at = row.version + 1, origin, clock.now()
    row.title, row.words = title, spoken
    await transaction.flush()
    await _find_by(transaction, video.id)
    await _tell(transaction, video, row, "created" if new else "updated")
    return row


async def set_default(transaction: Transaction, video: Video, row: TextTrack, default: bool) -> None:
    """One of a kind at most is the default."""
    for other in await of_video(transaction, video.id, "captions"):
        if other.default and other.language != row.language and default:
            other.default = False
            await _tell(transaction, video, other, "updated", default=False)
    if row.default != default:
        row.default = default
        await _tell(transaction, video, row, "updated", default=default)


async def set_title(transaction: Transaction, video: Video, row: TextTrack, title: str) -> None:
    """What viewers read."""
    row.title = title
    await _tell(transaction, video, row, "updated")


async def remove(transaction: Transaction, video: Video, row: TextTrack) -> None:
    """The row goes; the text is the caller's to delete after the commit."""
    await transaction.delete(row)
    await transaction.flush()
    await _find_by(transaction, video.id)
    await _tell(transaction, video, row, "deleted")


async def words_of(transaction: Transaction, row: TextTrack) -> str | None:
    """What is found of it by its words, which are not read with the row."""
    of_row = (TextTrack.video_id == row.video_id, TextTrack.kind == row.kind, TextTrack.language == row.language)
    found: str | None = await transaction.scalar(select(TextTrack.words).where(*of_row))
    return found


async def unread(transaction: Transaction, limit: int) -> list[TextTrack]:
    """Captions whose words nobody looked at: they are from before that was done."""
    wanted = select(TextTrack).where(TextTrack.kind == "captions", TextTrack.words.is_(None))
    return list(await transaction.scalars(wanted.limit(limit)))


async def was_read(transaction: Transaction, track: TextTrack, spoken: str) -> None:
    """Keeps the words of a track, unless there is another text by now."""
    same = (TextTrack.video_id == track.video_id, TextTrack.kind == track.kind, TextTrack.language == track.language)
    known = update(TextTrack).where(*same, TextTrack.version == track.version, TextTrack.words.is_(None))
    values = {"words": spoken, "updated_at": TextTrack.updated_at}
    await transaction.execute(known.values(values), execution_options={"synchronize_session": False})
    await _find_by(transaction, track.video_id)


async def _find_by(transaction: Transaction, video_id: str) -> None:
    """What its captions say now; nothing where it is a version, which is in no list."""
    spoken = await _spoken(transaction, video_id)
    known = update(VideoWords).where(VideoWords.video_id == video_id, VideoWords.spoken != spoken)
    await transaction.execute(known.values(spoken=spoken), execution_options={"synchronize_session": False})


async def _spoken(transaction: Transaction, video_id: str) -> str:
    """As much as is kept: of the track in the video's language first, then of the others, by language."""
    captions = (TextTrack.video_id == video_id, TextTrack.kind == "captions", TextTrack.words.is_not(None))
    found = select(TextTrack.language).join(Video, Video.id == TextTrack.video_id).where(*captions)
    order = (TextTrack.language != Video.language, TextTrack.language)
    languages = list(await transaction.scalars(found.order_by(*order)))
    said = func.substr(TextTrack.words, 1, words.SPOKEN_CHARS + 1).label("said")  # older releases kept more
    spoken = ""
    for start in range(0, len(languages), AT_ONCE):
        some = languages[start : start + AT_ONCE]
        rows = await transaction.execute(
            select(TextTrack.language, said).where(*captions, TextTrack.language.in_(some))
        )
        told: dict[str, str] = {row.language: row.said for row in rows}
        spoken = words.joined([spoken, *(told[each] for each in some)])
        if words.is_full(spoken):
            break
    return spoken


async def _tell(transaction: Transaction, video: Video, row: TextTrack, what: str, **payload: Any) -> None:
    transaction.announce(video.id)  # what is kept of the video to watch it says which texts it has
    told = {**videos.links(video), "language": row.language, **payload, **videos.metadata(video)}
    await events.record(transaction, video.project_id, video.id, f"video.{row.kind}.{what}", told)
