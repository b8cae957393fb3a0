"""Versions of a video: rows that are never listed, whose material takes the place of what the video showed.

    new ── uploaded or made, then processed as any upload ──► playable or done ──► shown: the video's `material_id`
     └── superseded by a newer one ──► gone                 refused ──► gone; the video stays as it is

Why one is made is its `edit`: {"reason"}, and "wait" where the old is shown until all of the new is there. Of a trimmed
video the whole file stays with whom `trim["of"]` names. One that is joined of the video and others moves what hangs on
the video's times: its `edit` tells more of that (vod.lengthening), which calls `show` once it is done.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from server import clock
from server.catalog import videos
from server.catalog.database import Transaction
from server.catalog.models import Video

REPLACE, REMAKE, TRIM, UNTRIM, CONCAT = "replace", "remake", "trim", "untrim", "concat"
OF_RECORDINGS = (TRIM, UNTRIM, CONCAT)  # a file is made of them first
# What the making of a version goes by, taken from its video.
TAKEN = ("project_id", "title", "language", "poster_s", "mp4_support", "crop", "watermark")
LOOKS = ("crop", "watermark")  # of those, what the video takes over with the version
# What is the material's, and told of the video that shows it.
TOLD = ("duration_s", "media", "source_name", "source_bytes", "upload_id", "source_revision")


class NotNow(Exception):
    """The video can't get another version as it is; a sentence why."""


async def new(transaction: Transaction, video: Video, reason: str, **edit: Any) -> Video:
    """A version that waits for its file; one that was on its way is given up. Raises NotNow."""
    check(video, recorded=reason in OF_RECORDINGS)
    return await begin(transaction, video, reason, **edit)


async def begin(transaction: Transaction, video: Video, reason: str, **edit: Any) -> Video:
    """The same of a video whatever it is at."""
    for other in await unfinished(transaction, video):
        other.deletes_at = clock.now()
    version = Video(
        **{name: getattr(video, name) for name in TAKEN},
        version_of=video.id,
        edit={"reason": reason, **edit},
        tags=[],
        meta=[],
        public=False,
    )
    return await videos.add(transaction, version)


def check(video: Video, recorded: bool = False) -> None:
    """Raises NotNow unless the video has a file of its own that nothing is being made of; or is `recorded`, where that
    does too."""
    if (video.source != "upload" or video.broadcast_id is not None) and not (recorded and video.broadcast_id):
        raise NotNow("Only a video that was uploaded has a file.")
    if video.state != "done":
        raise NotNow("The video is still being processed.")


async def show_recording(transaction: Transaction, video: Video) -> None:
    """All of it again, of which a part was shown."""
    for other in await unfinished(transaction, video):
        other.deletes_at = clock.now()
    trim = video.trim or {}
    duration_s = trim.get("duration")
    _put_aside(video, None)
    video.revision += 1
    video.material_id = video.trim = video.own_bytes = None
    video.duration_s, video.media, video.source_bytes = duration_s, trim.get("media"), trim.get("bytes")
    told = {**videos.links(video), "changed": ["source"], "reason": UNTRIM, "duration": duration_s}
    await videos.tell(transaction, video, "updated", told)


async def archive(transaction: Transaction, video: Video) -> None:
    """Its file stays, and what was made of it goes. Raises NotNow."""
    check(video)
    if video.archived_at is not None:
        return
    for other in await unfinished(transaction, video):
        other.deletes_at = clock.now()
    aside = {"material": video.material, "revision": None, "since": 0.0}
    video.previous = [*({**each, "revision": None, "since": 0.0} for each in video.previous or ()), aside]
    video.previous_since = datetime.fromtimestamp(0, UTC)
    video.revision += 1
    video.archived_at, video.playable = clock.now(), False
    await videos.tell(transaction, video, "archived", videos.links(video))


async def unfinished(transaction: Transaction, video: Video) -> list[Video]:
    """Versions that are on their way."""
    found = await videos.versions(transaction, video.id)
    return [each for each in found if each.deletes_at is None and not was_shown(video, each.id)]


async def give_up(transaction: Transaction, video: Video, reason: str) -> bool:
    """Whether one of that reason was on its way, which now comes to nothing."""
    coming = [each for each in await unfinished(transaction, video) if each.state != "failed"]
    found = [each for each in coming if (each.edit or {}).get("reason") == reason]
    for version in found:
        version.deletes_at = clock.now()
    return bool(found)


def was_shown(video: Video, version_id: str) -> bool:
    """Or is, or a part of it."""
    held = [video.material, (video.trim or {}).get("of"), *(each["material"] for each in video.previous or ())]
    return version_id in held


async def shown_of_file(transaction: Transaction, row: Video) -> Video | None:
    """The video that shows the file of the row, a version's or its own, whole or a part of it."""
    video = row if row.version_of is None else await videos.find(transaction, row.version_of)
    if video is None:
        return None
    return video if row.id in (video.material, (video.trim or {}).get("of")) else None


def own_source_revision(video: Video) -> int | None:
    """Of the file of the row itself, while a version is shown too; None where that is forgotten."""
    if video.material_id is None:
        return video.source_revision
    own = (each for each in video.previous or () if each["material"] == video.id and "facts" in each)
    return next((each["facts"]["source_revision"] for each in own), None)


async def came_on(transaction: Transaction, version: Video) -> bool:
    """More of the version is there than before: shows it as soon as it is to be shown; says when it is done. Whether
    somebody is to call `show` for it."""
    video = await videos.find(transaction, version.version_of or "")
    if video is None or version.deletes_at is not None:
        return False
    edit = version.edit or {}
    if video.material_id != version.id:
        if not version.playable or (edit.get("wait", False) and version.state != "done"):
            return False
        if edit["reason"] == CONCAT:
            return True
    await show(transaction, video, version)
    return False


async def show(transaction: Transaction, video: Video, version: Video) -> None:
    """From now on, if it is not shown yet; with what is known of it by now."""
    if video.material_id != version.id:
        await _show(transaction, video, version)
    _take(video, {name: getattr(version, name) for name in TOLD})
    if version.state == "done" and video.state == "processing":
        await videos.move(transaction, video, "done", duration=video.duration_s)


async def _show(transaction: Transaction, video: Video, version: Video) -> None:
    """In one step: from now on it is what is watched, under a new revision."""
    edit = version.edit or {}
    _put_aside(video, edit.get("trim"))
    if video.material_id is None:
        video.own_bytes = video.source_bytes
    video.revision += 1
    video.material_id, video.playable, video.error, video.archived_at = version.id, True, None, None
    video.trim = edit.get("trim")
    for name in LOOKS:
        setattr(video, name, getattr(version, name))
    if video.poster_s is not None and video.poster_s == version.poster_s and edit["reason"] != CONCAT:
        video.poster_given = False  # the version has a picture of that moment, unless it was chosen meanwhile
    if not video.poster_given:
        video.poster_at = version.poster_at
    if video.state in ("pre-processing", "done") and version.state != "done":
        await videos.move(transaction, video, "processing")
    elif video.state == "pre-processing":
        await videos.move(transaction, video, "done")
    _take(video, {name: getattr(version, name) for name in TOLD})
    told = {**videos.links(video), "changed": ["source"], "reason": edit["reason"], "duration": video.duration_s}
    await videos.tell(transaction, video, "updated", told)


def _put_aside(video: Video, trim: Mapping[str, Any] | None) -> None:
    """What is shown, and the whole file of what is trimmed unless the next is cut out of it too."""
    now = clock.now()
    facts = {name: getattr(video, name) for name in TOLD}
    shown = {"material": video.material, "revision": video.revision, "trim": video.trim, "facts": facts}
    shown["looks"] = {name: getattr(video, name) for name in LOOKS}
    aside = [{**shown, "since": now.timestamp()}]
    if video.trim is not None and (trim is None or trim["of"] != video.trim["of"]):
        aside.insert(0, {"material": video.trim["of"], "revision": None, "since": now.timestamp()})
    video.previous = [*(video.previous or ()), *aside]
    video.previous_since = video.previous_since or now


def _take(video: Video, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        if value is not None:
            setattr(video, name, value)


async def refused(transaction: Transaction, version: Video) -> None:
    """It can't be watched after all. Where it is shown already, what was shown before is again; call it before the
    version's own state tells."""
    video = await videos.find(transaction, version.version_of or "")
    if video is None:
        return
    if video.material_id != version.id:
        if video.state in ("pre-processing", "processing"):  # there is nothing else to show
            await _fail(transaction, video, version)
        return
    before = next((each for each in reversed(video.previous or ()) if each["revision"]), None)
    if before is None:
        await _fail(transaction, video, version)
        return
    forget(video, before)
    video.material_id = before["material"] if before["material"] != video.id else None
    if video.material_id is None:
        video.own_bytes = None
    video.trim = before["trim"]
    for name, look in before.get("looks", {}).items():
        setattr(video, name, look)
    video.revision += 1
    _take(video, before["facts"])
    if video.state == "processing":
        await videos.move(transaction, video, "done", duration=video.duration_s)


async def _fail(transaction: Transaction, video: Video, version: Video) -> None:
    video.playable, video.error = False, version.error
    await videos.move(transaction, video, "error", error=version.error)


async def outlived(transaction: Transaction, before: datetime, limit: int) -> list[Video]:
    """Videos with material that was put aside then or earlier. While more is to come of what is shown instead, it may
    have to be shown again."""
    aside = select(Video).where(Video.previous_since <= before, Video.state != "processing")
    return list(await transaction.scalars(aside.order_by(Video.previous_since, Video.id).limit(limit)))


def forget(video: Video, material: Mapping[str, Any]) -> None:
    """It is no longer put aside."""
    left = [each for each in video.previous or () if each != material]
    video.previous = left or None
    since = min((each["since"] for each in left), default=None)
    video.previous_since = None if since is None else datetime.fromtimestamp(since, UTC)
