"""The end of a broadcast: its video, stated in the same transaction, made of the segments that are there."""

import asyncio

from server import clock
from server.catalog import broadcasts, videos
from server.catalog.database import Transaction
from server.catalog.models import Broadcast, LiveStream, Video
from server.packager.presentation import VIDEO, Presentation, Span
from server.packager.recorded import RecordedRendition, RecordedVideo
from server.storage.journal import Journal
from server.storage.layout import Layout, RenditionFolder

SOURCE = "live"


class Recorder:
    """Makes a video row of each recorded broadcast, and the presentation of such a video."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def record(self, transaction: Transaction, broadcast: Broadcast, live: LiveStream) -> Presentation | None:
        """Called in the transaction that ends a broadcast whose files are closed; one without media leaves nothing.

        What it read is the presentation of the new video, `broadcast.video_id`.
        """
        try:
            recording = await asyncio.to_thread(self.load, broadcast.id)
        except ValueError:
            return None
        video = _video(broadcast, live, recording)
        await videos.add(transaction, video)
        broadcast.video_id = video.id
        await videos.move(transaction, video, "done", playable=True, duration=video.duration_s)
        await broadcasts.move(transaction, broadcast, "recorded", videoId=video.id)
        return recording

    def load(self, broadcast_id: str, span: Span | None = None) -> RecordedVideo:
        """All of a broadcast, or a part of it. Blocks on the disk. Raises ValueError when nothing was recorded."""
        found = {
            name: _read(self._layout.rendition(broadcast_id, name), span)
            for name in self._layout.renditions(broadcast_id)
        }
        return RecordedVideo({name: rendition for name, rendition in found.items() if rendition is not None})

    def presentation(self, broadcast_id: str, span: Span | None = None) -> Presentation:
        """The loader of `vod.presentations` for videos of this source."""
        return self.load(broadcast_id, span)


def _read(folder: RenditionFolder, span: Span | None) -> RecordedRendition | None:
    """None for a rendition that has nothing there."""
    journal = Journal.read(folder.journal)
    segments = [entry for entry in journal.segments if span is None or span.first <= entry.msn <= span.last]
    present = {entry.generation for entry in segments if not entry.gap}
    tracks = {generation: track for generation, track in journal.tracks.items() if generation in present}
    if not tracks:
        return None
    inits = {generation: folder.init(generation) for generation in tracks}
    read = {generation: path.read_bytes() for generation, path in inits.items() if path.exists()}
    return RecordedRendition(tracks, segments, read)


def _video(broadcast: Broadcast, live: LiveStream, recording: RecordedVideo) -> Video:
    """Title, metadata, tags, visibility, player and project are the live stream's."""
    track = recording.track(VIDEO)
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
        published_at=clock.now(),
        media={
            "container": "broadcast",
            "duration": recording.duration_s,
            "streams": [
                {
                    "kind": entry.kind,
                    "codec": entry.codec,
                    **({"width": entry.width, "height": entry.height, "frame_rate": entry.frame_rate} if entry is track
                       else {"sample_rate": entry.timescale, "channels": entry.channels}),
                }
                for name in recording.renditions
                if (entry := recording.track(name))
            ],
        },
    )
