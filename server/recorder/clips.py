"""Clips: a stretch of a broadcast, running or over, that becomes a video of its own by reference to the segments.

It can be watched at once and is exact to the segment, which begins with a key frame; `edges` makes it exact to the
picture soon after.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from server import clock
from server.catalog import broadcasts, live_streams, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Video
from server.packager.presentation import AUDIO, VIDEO, Span
from server.packager.recorded import RecordedVideo
from server.recorder import edges
from server.recorder.moments import Choice, Moment, MomentError, NotYetError, choose
from server.recorder.to_vod import SOURCE, Recorder, facts
from server.recorder.upkeep import Upkeep
from server.storage.journal import Journal, SegmentEntry
from server.storage.layout import Layout

WAIT_MS = 10_000  # what a viewer sees live is no older than this, so its segment is closed by then
LOOK_S = 0.25
LAG_SEGMENTS = 3  # how far a transcoded rendition may be behind
# (transaction, project, kind, object): orders work in the transaction of the fact that asks for it
Enqueue = Callable[[Transaction, str, str, str], Awaitable[object]]

GONE = "What was recorded then is deleted."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a clip is asked to be; `title` None takes that of its origin."""

    start: Moment
    end: Moment | None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a clip is made of, and what it takes over."""

    broadcast_id: str
    span: Span | None
    video: Video  # not in the catalogue: the values that a clip begins with
    on_air: bool


class Clips:
    """Made under the lock of the upkeep: nothing is deleted between the choice and the clip's row."""

    def __init__(
        self, database: Database, layout: Layout, recorder: Recorder, upkeep: Upkeep, enqueue: Enqueue
    ) -> None:
        self._database = database
        self._enqueue = enqueue
        self._layout = layout
        self._recorder = recorder
        self._upkeep = upkeep

    async def of_live_stream(self, project_id: str, live_stream_id: str, wish: Wish) -> Video | None:
        """A clip of the broadcast on air or, if none is, of the last one; None when there has been none.

        Raises MomentError.
        """
        async with self._database.read() as transaction:
            live = await live_streams.get(transaction, project_id, live_stream_id)
            row = await broadcasts.get(transaction, live.broadcast_id) if live and live.broadcast_id else None
        if live is None or row is None:
            return None
        like = Video(
            project_id=project_id, title=live.name, public=live.public, tags=list(live.tags), meta=list(live.meta),
            player_id=live.player_id, live_stream_id=live.id,
        )  # fmt: skip
        return await self._make(_Origin(row.id, None, like, row.state in broadcasts.ON_AIR), wish)

    async def of_video(self, project_id: str, video_id: str, wish: Wish) -> Video | None:
        """A clip of a recording, or of a clip; None when the video is none. Raises MomentError."""
        async with self._database.read() as transaction:
            row = await videos.get(transaction, project_id, video_id)
        if row is None or row.source != SOURCE or row.broadcast_id is None:
            return None
        span = Span(row.segments["first"], row.segments["last"]) if row.segments else None
        like = Video(
            project_id=project_id, title=row.title, public=row.public, tags=list(row.tags), meta=list(row.meta),
            player_id=row.player_id, live_stream_id=row.live_stream_id, language=row.language,
        )  # fmt: skip
        return await self._make(_Origin(row.broadcast_id, span, like, on_air=False), wish)

    async def _make(self, origin: _Origin, wish: Wish) -> Video:
        choice = await self._choose(origin, wish)
        async with self._upkeep.lock:
            self._upkeep.spare(origin.broadcast_id, choice.span)
            recording = await asyncio.to_thread(self._load, origin, choice.span)
            clip = _row(origin, wish, choice, recording)
            async with self._database.write() as transaction:
                await _add(transaction, clip)
                if edges.cuts(clip.segments or {}):
                    await self._enqueue(transaction, clip.project_id, edges.JOB, clip.id)
        return clip

    def _load(self, origin: _Origin, span: Span) -> RecordedVideo:
        """Blocks. Raises MomentError when the segments went while they were chosen."""
        try:
            recording = self._recorder.load(origin.broadcast_id, span)
        except ValueError:
            raise MomentError("start", GONE) from None
        folder = self._layout.rendition(origin.broadcast_id, recording.renditions[0])
        if not folder.segment(span.first).exists():
            raise MomentError("start", GONE)
        return recording

    async def _choose(self, origin: _Origin, wish: Wish) -> Choice:
        """Waits for an end that is just being broadcast."""
        deadline = clock.monotonic() + WAIT_MS / 1000
        while True:
            segments = await asyncio.to_thread(self._segments, origin)
            try:
                return choose(segments, wish.start, wish.end)
            except NotYetError as error:
                left_ms = (deadline - clock.monotonic()) * 1000
                if not origin.on_air or left_ms <= 0 or error.wait_ms > WAIT_MS:
                    raise
            await asyncio.sleep(LOOK_S)

    def _segments(self, origin: _Origin) -> list[SegmentEntry]:
        """Of the rendition that sets the clock; those whose files went with the live window are left out. Blocks."""
        layout, id = self._layout, origin.broadcast_id
        journals = {name: Journal.read(layout.rendition(id, name).journal).segments for name in layout.renditions(id)}
        first, last = origin.span or Span(0, _common_end(list(journals.values()), origin.on_air))
        for name in (VIDEO, AUDIO):
            segments = [entry for entry in journals.get(name, ()) if first <= entry.msn <= last]
            for oldest, entry in enumerate(segments):
                if not entry.gap and layout.rendition(id, name).segment(entry.msn).exists():
                    return segments[oldest:]
        return []


def _common_end(journals: Sequence[Sequence[SegmentEntry]], on_air: bool) -> int:
    """The newest segment that every rendition has; one that fell far behind, or ended, is not waited for."""
    ends = [segments[-1].msn for segments in journals if segments]
    newest = max(ends, default=-1)
    return min((end for end in ends if end > newest - LAG_SEGMENTS), default=newest) if on_air else newest


def _row(origin: _Origin, wish: Wish, choice: Choice, recording: RecordedVideo) -> Video:
    clip = origin.video
    clip.title = wish.title or f"{clip.title} (clip)"
    clip.source, clip.broadcast_id, clip.shares_with = SOURCE, origin.broadcast_id, origin.broadcast_id
    clip.segments = {
        "first": choice.span.first, "last": choice.span.last, "head_ms": choice.head_ms, "tail_ms": choice.tail_ms,
    }  # fmt: skip
    clip.playable, clip.duration_s, clip.published_at = True, recording.duration_s, clock.now()
    clip.media, clip.source_bytes = facts(recording), recording.size
    return clip


async def _add(transaction: Transaction, clip: Video) -> None:
    await videos.add(transaction, clip)
    await videos.move(transaction, clip, "done", playable=True, duration=clip.duration_s)
    await videos.tell(transaction, clip, "clipped", {**videos.links(clip), "duration": clip.duration_s})
