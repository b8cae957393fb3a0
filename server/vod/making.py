"""Renditions that are made of a source, as rows and as states of their video.

    waiting ── first segment ──► encoding ── last segment ──► ready        all ended ──► the video is done
       └──────────── its job gave up ─────────┴──────────────► failed      nothing can be watched ──► error
"""

from collections.abc import Mapping, Sequence

from server import log
from server.catalog import renditions, versions, video_details, videos
from server.catalog.database import Transaction
from server.catalog.models import Rendition, Video
from server.jobs import orders
from server.jobs.priorities import Lane, Priority
from server.media.problems import TITLES, MediaProblem
from server.packager.qualities import NO_FILE
from server.vod.plan import Plan

SOURCE = "upload"
MADE_ON_REQUEST = "request"  # a rendition's origin
UNFINISHED = ("pre-processing", "processing")
SHOW = "lengthen"  # the job that shows a version which is joined of its video and others
SHOW_LANE: Lane = "short"
GAVE_UP = MediaProblem("failed", "processing was given up after several tries")

_log = log.get("vod")


async def publish(transaction: Transaction, video: Video) -> None:
    """It can be watched from now on; said once."""
    if video.state == "pre-processing":
        await videos.move(transaction, video, "processing")
    if not video.playable:
        if video.version_of is None:
            await video_details.look_again(transaction, video, shown=True)
        video.source, video.playable = SOURCE, True
        await videos.tell(transaction, video, "playable", videos.links(video))
        _log.info("playable", video=video.id)


async def list_planned(transaction: Transaction, video: Video, plan: Plan, copied: Sequence[Rendition]) -> None:
    """Rows for all there is and will be; those that are there already stay as they are."""
    tell_of_file(video, plan)
    known = {row.name for row in await renditions.of_video(transaction, video.id, video.source_revision)}
    pictures = [
        _row(video, rung.name, "video", {"width": rung.width, "height": rung.height, "bitrate": rung.bitrate})
        for rung in plan.rungs
    ]
    for row in pictures:
        row.origin = MADE_ON_REQUEST if plan.on_request else row.origin
    sounds = [
        _row(video, sound.rendition, "audio", {"language": sound.language, "title": sound.title})
        for sound in plan.sounds
    ]
    for row in (*copied, *pictures, *sounds):
        if row.name not in known:
            await renditions.add(transaction, row)
            if row.state == "ready":
                await renditions.tell(transaction, video, row)


def tell_of_file(video: Video, plan: Plan) -> None:
    """Whether there will be a file of it: what is made on request is none, and an altered video's own is not shown."""
    media = {name: value for name, value in (video.media or {}).items() if name != NO_FILE}
    video.media = {**media, NO_FILE: True} if video.altered and plan.on_request else media


async def rate(transaction: Transaction, video: Video, plan: Plan, **facts: object) -> None:
    """The rows of a plan's pictures have the ceilings that the title deserves, and `facts`."""
    ceilings = {rung.name: rung.bitrate for rung in plan.fitted}
    for row in await renditions.of_video(transaction, video.id, video.source_revision):
        if row.name in ceilings:
            row.facts = {**row.facts, "bitrate": ceilings[row.name], **facts}


def copied(video: Video, name: str, kind: str, facts: Mapping[str, object]) -> Rendition:
    """The row of a rendition that is the source's own, and whole."""
    row = _row(video, name, kind, facts)
    row.origin, row.state = "source", "ready"
    return row


def _row(video: Video, name: str, kind: str, facts: Mapping[str, object]) -> Rendition:
    return Rendition(
        video_id=video.id,
        revision=video.source_revision,
        name=name,
        project_id=video.project_id,
        kind=kind,
        origin="encoded",
        state="waiting",
        facts=dict(facts),
    )


async def begun(transaction: Transaction, video: Video, name: str) -> None:
    """Its first segment is there."""
    rows = await renditions.of_video(transaction, video.id, video.source_revision)
    row = next((each for each in rows if each.name == name), None)
    if row is not None and row.state == "waiting":
        await renditions.move(transaction, video, row, "encoding")
        transaction.announce(video.id)  # there is more to choose from, at once
    if video.state in UNFINISHED and _watchable(rows):
        await publish(transaction, video)
    await _came_on(transaction, video)


async def grew(transaction: Transaction, video: Video, name: str, size: int) -> None:
    """There are so many bytes of it."""
    row = await renditions.get(transaction, video.id, video.source_revision, name)
    if row is not None and row.state not in renditions.ENDED:
        row.stored_bytes = max(size, row.stored_bytes or 0)  # another job may have looked later, and told earlier


async def ended(
    transaction: Transaction, video: Video, name: str, problem: MediaProblem | None = None, size: int | None = None
) -> None:
    """It is whole, of so many bytes; or, with a `problem`, it won't be."""
    row = await renditions.get(transaction, video.id, video.source_revision, name)
    if row is None or row.state in renditions.ENDED:
        return
    if problem is not None:
        row.error, row.facts = problem.detail, {**row.facts, "problem": problem.code}
        await renditions.move(transaction, video, row, "failed", error=problem.detail)
    else:
        await renditions.move(transaction, video, row, "ready")
        row.stored_bytes = size
    await settle(transaction, video)


async def settle(transaction: Transaction, video: Video) -> None:
    """The video is done once all have ended; it has failed if a kind of media can't be watched at all."""
    rows = await renditions.of_video(transaction, video.id, video.source_revision)
    if video.state not in UNFINISHED or any(row.state not in renditions.ENDED for row in rows):
        await _came_on(transaction, video)
        return
    if _watchable(rows):
        await publish(transaction, video)
        await videos.move(transaction, video, "done", duration=video.duration_s)
        await _came_on(transaction, video)
        return
    problems = [MediaProblem(row.facts.get("problem", "failed"), row.error) for row in rows if row.error]
    await fail(transaction, video, problems[0] if problems else GAVE_UP)


async def fail(transaction: Transaction, video: Video, problem: MediaProblem) -> None:
    video.playable = False
    video.error = {"code": problem.code, "title": TITLES[problem.code], "detail": problem.detail}
    if video.version_of is not None:
        await versions.refused(transaction, video)
    await videos.move(transaction, video, "error", error=video.error)
    _log.info("not watchable", video=video.id, code=problem.code, detail=problem.detail)


async def _came_on(transaction: Transaction, video: Video) -> None:
    if video.version_of is not None and await versions.came_on(transaction, video):
        await orders.once(transaction, video.project_id, SHOW, video.id, SHOW_LANE, Priority.SHORT)


def _watchable(rows: Sequence[Rendition]) -> bool:
    """Whether of each kind that there will be something has begun: what not every browser plays counts where nothing
    else may come."""
    kinds = {row.kind for row in rows}
    begun = [row for row in rows if row.state in ("encoding", "ready")]
    everywhere = {row.kind for row in begun if not row.facts.get("somewhere")}
    settled = {row.kind for row in begun} - {row.kind for row in rows if row.state == "waiting"}
    return bool(kinds) and kinds == everywhere | settled
