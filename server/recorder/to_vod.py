"""The end of a broadcast: its video, stated in the same transaction, made of the segments that are there."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from server import clock
from server.catalog import broadcasts, live_events, video_details, videos
from server.catalog.database import Transaction
from server.catalog.models import Broadcast, LiveStream, Video
from server.packager.presentation import VIDEO, Presentation, Span, Stored
from server.packager.qualities import NO_FILE
from server.packager.recorded import RecordedRendition, RecordedVideo
from server.storage.journal import Journal, SegmentEntry, TrackEntry
from server.storage.layout import Layout, RenditionFolder

SOURCE = "live"


class Recorder:
    """Makes a video row of each recorded broadcast, and the presentation of such a video."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def record(
        self, transaction: Transaction, broadcast: Broadcast, live: LiveStream, span: Span | None = None
    ) -> Presentation | None:
        """Called in the transaction that ends a broadcast, or a recording of a part of it, whose files are closed.

        One without media leaves nothing. What it read is the presentation of the new video, `broadcast.video_id`.
        """
        try:
            recording = await asyncio.to_thread(self.load, broadcast.id, span)
        except ValueError:
            return None
        video = _video(broadcast, live, recording)
        video.folder_id = await live_events.folder_of_recordings(transaction, live)
        video.segments = span._asdict() if span else None
        await videos.add(transaction, video)
        if await live_events.known(transaction, live):
            await video_details.take_over_from_library(transaction, video)
            video.player_id = live.player_id or video.player_id
        broadcast.video_id = video.id
        await videos.move(transaction, video, "done", playable=True, duration=video.duration_s)
        if broadcast.state == "ended":
            await broadcasts.move(transaction, broadcast, "recorded", videoId=video.id)
        return recording

    def load(self, broadcast_id: str, span: Span | None = None, clip_id: str | None = None) -> RecordedVideo:
        """All of a broadcast, or a part of it, with the edges that a clip has of its own.

        Blocks on the disk. Raises ValueError when nothing was recorded.
        """
        layout, found = self._layout, {}
        for name in layout.renditions(broadcast_id):
            edges = layout.clip_edges(clip_id, name) if clip_id else None
            found[name] = _read(layout.rendition(broadcast_id, name), span, edges)
        return RecordedVideo({name: rendition for name, rendition in found.items() if rendition is not None})

    def presentation(self, stored: Stored) -> Presentation:
        """The loader of `vod.presentations` for videos of this source."""
        if stored.broadcast_id is None:
            raise ValueError("the video has no broadcast")
        return self.load(stored.broadcast_id, stored.span, stored.video_id if stored.exact else None)


def _read(folder: RenditionFolder, span: Span | None, edges: RenditionFolder | None) -> RecordedRendition | None:
    """None for a rendition that has nothing there."""
    journal = Journal.read(folder.journal)
    segments = [entry for entry in journal.segments if span is None or span.first <= entry.msn <= span.last]
    inits = _inits(folder, journal)
    if edges is not None:
        made = Journal.read(edges.journal)
        segments = with_edges(segments, made)
        journal.tracks.update(made.tracks)
        inits.update(_inits(edges, made))
    present = {entry.generation for entry in segments if not entry.gap}
    tracks = {generation: track for generation, track in journal.tracks.items() if generation in present}
    if not tracks:
        return None
    read = {generation: path.read_bytes() for generation, path in inits.items() if generation in tracks}
    return RecordedRendition(tracks, segments, read)


def _inits(folder: RenditionFolder, journal: Journal) -> dict[int, Path]:
    """The init segments that are there, by generation."""
    paths = {generation: folder.init(generation) for generation in journal.tracks}
    return {generation: path for generation, path in paths.items() if path.exists()}


def with_edges(segments: Sequence[SegmentEntry], edges: Journal) -> list[SegmentEntry]:
    """The segments of a clip, its own in the places of their originals; a discontinuity parts them."""
    made = {entry.msn: entry for entry in edges.segments}
    found: list[SegmentEntry] = []
    for entry in segments:
        before = found[-1].generation if found else None
        entry = made.get(entry.msn, entry)
        parted = before is not None and before != entry.generation
        found.append(replace(entry, discontinuity=entry.discontinuity or parted))
    return found


def _video(broadcast: Broadcast, live: LiveStream, recording: RecordedVideo) -> Video:
    """Title, metadata, tags, visibility, player and project are the live stream's."""
    began = broadcast.live_at or broadcast.started_at
    return Video(
        project_id=live.project_id,
        title=f"{live.name} {began:%Y-%m-%d %H:%M}",
        public=live.public,
        tags=list(live.tags),
        meta=list(live.meta),
        player_id=live.player_id,
        source=SOURCE,
        live_stream_id=live.id,
        broadcast_id=broadcast.id,
        playable=True,
        duration_s=recording.duration_s,
        source_bytes=recording.size,
        published_at=clock.now(),
        media=facts(recording),
    )


def facts(recording: RecordedVideo) -> dict[str, Any]:
    """What is in it, in the words of the probe."""
    tracks = [track for name in recording.renditions if (track := recording.track(name))]
    told = {"container": "broadcast", "duration": recording.duration_s, "streams": [_stream(track) for track in tracks]}
    return told if recording.makes_a_file else {**told, NO_FILE: True}


def _stream(track: TrackEntry) -> dict[str, Any]:
    told = {"kind": track.kind, "codec": track.codec}
    if track.kind == VIDEO:
        return {**told, "width": track.width, "height": track.height, "frame_rate": track.frame_rate}
    return {**told, "sample_rate": track.timescale, "channels": track.channels}
