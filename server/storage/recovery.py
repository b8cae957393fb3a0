"""What a killed server left of a broadcast: the open segment finished, the journal completed. Blocks on the disk."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from server.formats.fmp4.read import read_parts
from server.storage.journal import Journal, SegmentEntry, TrackEntry, line
from server.storage.layout import Layout, RenditionFolder

RECENT = 64  # segments whose files are compared with the journal: what a power cut may have taken with it


@dataclass(frozen=True, slots=True)
class RecoveredRendition:
    tracks: dict[int, TrackEntry]  # by generation
    segments: list[SegmentEntry]  # oldest first
    inits: dict[int, bytes]  # by generation
    damaged: int = 0  # segments that were on disk by the journal, and are not

    @property
    def end_ms(self) -> int:
        """Output time that the rendition reaches."""
        if not self.segments:
            return 0
        last = self.segments[-1]
        return -(-last.end * 1000 // last.timescale)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A broadcast as the disk has it."""

    renditions: dict[str, RecoveredRendition]


def recover(layout: Layout, broadcast_id: str) -> Recovered:
    """Finishes what was open, up to the last complete part, and reads everything back."""
    names = layout.renditions(broadcast_id)
    return Recovered({name: _recover_rendition(layout.rendition(broadcast_id, name)) for name in names})


def _recover_rendition(folder: RenditionFolder) -> RecoveredRendition:
    journal = Journal.read(folder.journal)
    added = _damaged(folder, journal.segments)
    damaged, gaps = len(added), {gap.msn: gap for gap in added}
    segments = [gaps.get(entry.msn, entry) for entry in journal.segments]
    track = journal.tracks[max(journal.tracks)] if journal.tracks else None
    while track is not None and (entry := _finish(folder, track, segments[-1] if segments else None)):
        segments.append(entry)
        added.append(entry)
    _complete(folder.journal, journal.size, added)
    return RecoveredRendition(journal.tracks, segments, _read_inits(folder, journal.tracks), damaged)


def _damaged(folder: RenditionFolder, segments: list[SegmentEntry]) -> list[SegmentEntry]:
    """Gaps for the segments whose files a power cut shortened or took."""
    on_disk = [entry for entry in segments if not entry.gap]
    # Of a broadcast that isn't recorded old segments are deleted: there a missing file means nothing.
    recorded = bool(on_disk) and folder.segment(on_disk[0].msn).exists()
    return [replace(entry, gap=True, size=0) for entry in on_disk[-RECENT:] if _is_short(folder, entry, recorded)]


def _is_short(folder: RenditionFolder, entry: SegmentEntry, recorded: bool) -> bool:
    try:
        return folder.segment(entry.msn).stat().st_size < entry.size
    except FileNotFoundError:
        return recorded


def _finish(folder: RenditionFolder, track: TrackEntry, last: SegmentEntry | None) -> SegmentEntry | None:
    """The segment after the last one of the journal, if there is a file of it with a complete part."""
    msn = last.msn + 1 if last else _first_msn(folder)
    path = folder.segment(msn)
    if not path.exists():
        path = folder.open_segment(msn)
        if not path.exists():
            return None
    parts = read_parts(path.read_bytes())
    if not parts:
        path.unlink()
        return None
    size = parts[-1].offset + parts[-1].size
    os.truncate(path, size)
    path.rename(folder.segment(msn))
    return SegmentEntry(
        msn=msn,
        start=parts[0].base,
        duration=parts[-1].base + parts[-1].duration - parts[0].base,
        timescale=track.timescale,
        wall_ms=_wall_ms(track, last, parts[0].base),
        generation=track.generation,
        discontinuity=last is not None and last.generation != track.generation,
        independent=parts[0].independent,
        size=size,
    )


def _wall_ms(track: TrackEntry, last: SegmentEntry | None, start: int) -> int:
    """By the segment before, which was dated by the publisher's clock as it ran then."""
    if last is None or last.generation != track.generation:
        return track.wall_ms(start)
    return last.wall_ms + (start - last.start) * 1000 // track.timescale


def _first_msn(folder: RenditionFolder) -> int:
    """A rendition that joins a broadcast later doesn't begin with zero."""
    numbers = [int(path.name.split(".")[0]) for path in folder.path.glob("*.m4s*")]
    return min(numbers, default=0)


def _complete(path: Path, size: int, added: list[SegmentEntry]) -> None:
    """Cuts a torn line off and appends what was found in its place."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(b"".join(line(entry) for entry in added))
        file.flush()
        os.fsync(file.fileno())


def _read_inits(folder: RenditionFolder, tracks: dict[int, TrackEntry]) -> dict[int, bytes]:
    paths = {generation: folder.init(generation) for generation in tracks}
    return {generation: path.read_bytes() for generation, path in paths.items() if path.exists()}
