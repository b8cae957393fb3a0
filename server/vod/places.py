"""Where on disk a segment of a presentation lies."""

from pathlib import Path

from server.packager.presentation import SegmentPlan, Stored
from server.storage.layout import Layout


def place(layout: Layout, stored: Stored, rendition: str, number: int, plan: SegmentPlan) -> tuple[Path, int, int]:
    """The file, offset and size of a segment that is stored as it is: whose plan names a source."""
    assert plan.source is not None
    offset, size = plan.reads[0]
    if stored.broadcast_id is None:
        run = int(plan.source.rpartition("/")[2])
        return layout.made(stored.video_id, stored.source_revision, rendition).run(run), offset, size
    folder = layout.rendition(stored.broadcast_id, rendition)
    if number in stored.edges:
        own = layout.clip_edges(stored.video_id, rendition)
        folder = own if own.segment(number).exists() else folder
    return folder.segment(number), offset, size
