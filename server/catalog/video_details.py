"""What is kept of a video beside its row: who may see it where, a second title, its chapters as a list."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from server.catalog import libraries, videos
from server.catalog.database import Transaction
from server.catalog.libraries import Library
from server.catalog.library_models import LibrarySettings, VideoDetails
from server.catalog.models import TextTrack, Video

ANYWHERE, NOWHERE, CUSTOM = "anywhere", "nowhere", "custom"
MOST_CHAPTERS = 1000  # of a video's list
APPLIED = 500  # videos that get a library's settings at once: each has an event of its own


class TooMany(Exception):
    """There are more videos than can be changed at once."""


async def of_videos(transaction: Transaction, video_ids: Sequence[str]) -> Mapping[str, VideoDetails]:
    """Of those that have any."""
    rows = await transaction.scalars(select(VideoDetails).where(VideoDetails.video_id.in_(video_ids)))
    return {row.video_id: row for row in rows}


async def own(transaction: Transaction, video: Video) -> VideoDetails:
    """To be changed; made where there are none yet."""
    row = await transaction.get(VideoDetails, video.id)
    if row is None:
        row = VideoDetails(video_id=video.id, project_id=video.project_id)
        transaction.add(row)
        await transaction.flush()
    return row


def in_order(tracks: Sequence[TextTrack], details: VideoDetails | None) -> list[TextTrack]:
    """Captions as their owner ordered them."""
    order = {language: place for place, language in enumerate(details.captions_order if details else ())}
    return sorted(tracks, key=lambda track: (order.get(track.language, len(order)), track.language))


def privacy(video: Video, details: VideoDetails | None) -> str:
    """anywhere | nowhere | custom. That the video is public, or not, goes before what was once said of it."""
    if video.public:
        return ANYWHERE
    return CUSTOM if details is not None and details.privacy == CUSTOM else NOWHERE


async def pages(transaction: Transaction, video_id: str) -> Sequence[str]:
    """Domains whose pages may play a video that is not public."""
    row = await transaction.get(VideoDetails, video_id)
    return row.domains if row is not None and row.privacy == CUSTOM else ()


async def set_privacy(transaction: Transaction, video: Video, word: str, domains: Sequence[str] | None) -> None:
    """`custom`: pages of these domains may play it, and who brings a token; `nowhere`: the latter alone."""
    details = await own(transaction, video)
    details.privacy = word
    if domains is not None:
        details.domains = list(domains)
    if video.public and word != ANYWHERE:
        video.revision += 1  # what caches hold under the old URLs is not what we would give out now
    video.public = word == ANYWHERE
    transaction.announce(video.id)  # the row itself may be as it was


async def inherit(transaction: Transaction, video: Video, *origins: Video) -> None:
    """A new video's, that is made of the origins: pages of the domains that are named for all that are not public."""
    if not video.public and (domains := _common(await named(transaction, origins))):
        await set_privacy(transaction, video, CUSTOM, domains)


async def named(transaction: Transaction, origins: Sequence[Video]) -> list[list[str]]:
    """Of each that is not public, the domains whose pages may play it."""
    kept = [origin.id for origin in origins if not origin.public]
    details = await of_videos(transaction, kept)
    return [list(row.domains) if (row := details.get(id)) and row.privacy == CUSTOM else [] for id in kept]


async def narrow(transaction: Transaction, video: Video, others: Sequence[Sequence[str]]) -> None:
    """The video shows others too by now, as `named` tells of them: nobody sees it who may not see those."""
    own = await named(transaction, [video])
    domains = _common([*own, *others])
    if others and (video.public or domains != own[0]):
        await set_privacy(transaction, video, CUSTOM if domains else NOWHERE, domains or None)
        await videos.tell(transaction, video, "updated", {**videos.links(video), "changed": ["public"]})


def _common(named: Sequence[Sequence[str]]) -> list[str]:
    return [domain for domain in named[0] if all(domain in each for each in named[1:])] if named else []


async def move(
    transaction: Transaction, video: Video, moved: Callable[[int, int], tuple[int, int]],
    others: Sequence[Mapping[str, Any]] = (),
) -> None:  # fmt: skip
    """Its chapters and its preview, by when they were, milliseconds; `others`: chapters that come to them."""
    row = await transaction.get(VideoDetails, video.id)
    if row is None and not others:
        return
    row = row or await own(transaction, video)
    if not row.chapters:
        row.chapters_shown = row.chapters_shown or bool(others)
    chapters = [{**each, "time": moved(each["time"], each["time"])[0]} for each in row.chapters]
    by_time = {each["time"]: each for each in [*others, *chapters]}
    row.chapters = [by_time[time] for time in sorted(by_time)][:MOST_CHAPTERS]
    if row.preview is not None:
        start = round(row.preview["start"] * 1000)
        row.preview = {**row.preview, "start": moved(start, start)[0] / 1000}


async def take_over(transaction: Transaction, video: Video, settings: LibrarySettings | None) -> None:
    """A new video's, of the library that it is put into."""
    if settings is None:
        return
    if settings.player_id:
        video.player_id = settings.player_id
    if settings.privacy != ANYWHERE:
        await set_privacy(transaction, video, settings.privacy, settings.domains)


async def take_over_from_library(transaction: Transaction, video: Video) -> None:
    """A new video's, of the library that its folder is in. What the library keeps back is kept back, whatever its
    sender said."""
    found = await libraries.of_folders(transaction, video.project_id, [video.folder_id])
    await take_over(transaction, video, await transaction.get(LibrarySettings, found[video.folder_id]))


async def apply(transaction: Transaction, library: Library) -> None:
    """All videos in the library get its settings. Raises TooMany."""
    rows = select(Video).where(
        Video.project_id == library.project_id, Video.version_of.is_(None), Video.discarded_at.is_(None),
        libraries.within(library),
    )  # fmt: skip
    found = list(await transaction.scalars(rows.limit(APPLIED + 1)))
    if len(found) > APPLIED:
        raise TooMany(f"More than {APPLIED} videos can't be changed at once.")
    settings = await libraries.settings_of(transaction, library)
    for video in found:
        video.player_id = settings.player_id
        await set_privacy(transaction, video, settings.privacy, settings.domains)
        await videos.tell(transaction, video, "updated", {**videos.links(video), "changed": ["player_id", "public"]})
