"""Makes a broadcast that a killed server left as long as the DVR window, in a moment instead of half an hour.

Its journals get as many segments as wanted, each like one that is there, and the files are hard links to it. The time
stamps are moved into the past, so that the broadcast goes on now.
"""

import os
from dataclasses import replace

from server.storage.journal import Journal, SegmentEntry, TrackEntry, line
from server.storage.layout import Layout, RenditionFolder


def lengthen(layout: Layout, broadcast_id: str, segments: int) -> None:
    """To `segments` in each rendition; nobody may be writing the broadcast."""
    for name in layout.renditions(broadcast_id):
        _lengthen(layout.rendition(broadcast_id, name), segments)


def _lengthen(folder: RenditionFolder, count: int) -> None:
    journal = Journal.read(folder.journal)
    first, model = journal.segments[0], journal.segments[-1]  # the first may begin or end oddly
    added_ms = (count - len(journal.segments)) * model.duration * 1000 // model.timescale
    entries: list[TrackEntry | SegmentEntry] = [
        replace(track, epoch_ms=track.epoch_ms - added_ms) for track in journal.tracks.values()
    ]
    entries += [replace(entry, wall_ms=entry.wall_ms - added_ms) for entry in journal.segments]
    for open_file in folder.path.glob("*.open"):
        open_file.unlink()
    for number in range(1, count - len(journal.segments) + 1):
        start = model.start + number * model.duration
        wall_ms = model.wall_ms - added_ms + number * model.duration * 1000 // model.timescale
        entries.append(replace(model, msn=model.msn + number, start=start, wall_ms=wall_ms))
        os.link(folder.segment(model.msn), folder.segment(model.msn + number))
    assert first.msn == 0, "a broadcast from its beginning on"
    folder.journal.write_bytes(b"".join(map(line, entries)))
