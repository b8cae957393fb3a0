"""What is kept of a video beside its row: who may see it where, a second title, its chapters as a list."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from server.catalog import libraries, videos
from server.catalog.database import Transaction
from server.catalog.libraries import Library
from server.catalog.library_models import LibrarySettings, VideoDetails
from server.catalog.models import TextTrack, Video

ANYWHERE, NOWHERE, CUSTOM = "anywhere", "nowhere", "custom"
MOST_CHAPTERS = 1000  # of a video's list
ORIGINS = "origins"  # of a video's `edit`: `pages_of` what it is made of, when that was ordered
APPLIED = 500  # videos that get a library's settings at once: each has an event of its own

Pages = list[str] | None  # domains whose pages may play a video; None: it is public


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
    then = await remember(transaction, video, origins)
    if not video.public and (domains := _common(then.values())):
        await set_privacy(transaction, video, CUSTOM, domains)


async def remember(transaction: Transaction, video: Video, origins: Sequence[Video]) -> Mapping[str, Pages]:
    """Who may see what the video is made of, as that is when it is ordered: see `look_again`."""
    then = await pages_of(transaction, origins)
    video.edit = {**(video.edit or {}), ORIGINS: then}
    return then


async def look_again(transaction: Transaction, video: Video, shown: bool = False) -> None:
    """More of the video can be seen from now on: where what it is made of is for fewer than when that was ordered, the
    video is so too. What was deleted meanwhile counts as it was. `shown`: from now on it goes its own way."""
    then: Mapping[str, Pages] = (video.edit or {}).get(ORIGINS, {})
    if not then:
        return
    now = await _pages_now(transaction, then)
    await _narrow(transaction, video, [pages for id, pages in now.items() if pages != then[id]])
    video.edit = {**(video.edit or {}), ORIGINS: {} if shown else now}


async def look_again_at_others(transaction: Transaction, video: Video, version: Video) -> None:
    """The video shows this version by now, which is made of others too: nobody sees it who may not see those."""
    await _narrow(transaction, video, (await _pages_now(transaction, (version.edit or {})[ORIGINS])).values())


async def pages_of(transaction: Transaction, origins: Sequence[Video]) -> dict[str, Pages]:
    """Domains whose pages may play each, by its id; None: it is public."""
    closed = [origin.id for origin in origins if not origin.public]
    details = await of_videos(transaction, closed)
    public: dict[str, Pages] = {origin.id: None for origin in origins if origin.public}
    return public | {
        id: list(row.domains) if (row := details.get(id)) and row.privacy == CUSTOM else [] for id in closed
    }


async def _pages_now(transaction: Transaction, then: Mapping[str, Pages]) -> dict[str, Pages]:
    """The same of all of which that was found before; those that were deleted are left as they were."""
    there = list(await transaction.scalars(select(Video).where(Video.id.in_(list(then)))))
    return {**then, **await pages_of(transaction, there)}


async def _narrow(transaction: Transaction, video: Video, others: Iterable[Pages]) -> None:
    """The video is for nobody who may not see the others, by their pages."""
    own = (await pages_of(transaction, [video]))[video.id]
    kept = [pages for pages in others if pages is not None]
    domains = _common([own, *kept])
    if kept and domains != own:
        await set_privacy(transaction, video, CUSTOM if domains else NOWHERE, domains or None)
        await videos.tell(transaction, video, "updated", {**videos.links(video), "changed": ["public"]})


def _common(named: Iterable[Pages]) -> list[str]:
    kept = [pages for pages in named if pages is not None]
    return [domain for domain in kept[0] if all(domain in each for each in kept[1:])] if kept else []


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
