"""One track of a broadcast as viewers see it: window, playlist, init segments, and where bytes are to be found."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_part, video_part
from server.formats.m3u8.media import RenditionReport
from server.formats.sample import AudioConfig, Sample, TrackConfig
from server.packager.playlist import Playlist
from server.packager.segmenter import Cut
from server.packager.track import is_timed
from server.packager.window import Window
from server.storage.journal import SegmentEntry, TrackEntry
from server.storage.segments import RenditionWriter, SegmentFile

ABSENT_GAPS = 3  # segments in a row without media: what plays nothing is no choice for who comes now


@dataclass(frozen=True, slots=True)
class InMemory:
    """Bytes to send as they are, in order."""

    data: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A piece of a file, or for None all of it."""

    path: Path
    offset: int = 0
    size: int | None = None


Media = InMemory | OnDisk


class Rendition:
    """Made by `live`, read by the web."""

    def __init__(
        self,
        name: str,
        window: Window,
        part_hold_back_s: float | None,
        writer: RenditionWriter,
        reports: Callable[[], Sequence[RenditionReport]],
    ) -> None:
        self.name = name
        self.window = window
        self.playlist = Playlist(window, part_hold_back_s, reports)
        self.config: TrackConfig | None = None
        self.track: TrackEntry | None = None  # of the newest generation that has segments
        self.tracks: dict[int, TrackEntry] = {}  # of every generation
        self.peak_bitrate = 0  # bits a second of the heaviest segment, or part before there is one
        self.parts_cut = 0
        self.bytes_out = 0
        self.dropped = False  # nothing comes any more, and nobody is to choose it
        self._timed = False  # sound whose frames need not be equal
        self._gaps = 0  # at the end of the window
        self._writer = writer
        self._inits: dict[int, bytes] = {}
        self._file: SegmentFile | None = None
        self._sequence = 0
        self._bits = 0  # of all closed segments, and their seconds
        self._seconds = 0.0
        self._left: deque[tuple[int, float]] = deque()  # segments that left the window, and when

    @property
    def incomplete(self) -> bool:
        """Whether the disk refused a segment."""
        return self._writer.faults > 0

    @property
    def lines(self) -> int:
        """The shorter side of its pictures, as they are now; 0 of sound, and before there is a segment."""
        track = self.track
        return min(track.width, track.height) if track is not None else 0

    @property
    def listed(self) -> bool:
        """Whether players may choose it: there is something, and lately there was."""
        return self.track is not None and not self.dropped and self._gaps < ABSENT_GAPS

    # --- for viewers

    def init(self, generation: int) -> bytes | None:
        return self._inits.get(generation)

    def segment(self, msn: int) -> Media | None:
        """A closed segment. One that left the window may still be on disk, or not."""
        if payloads := self.window.payloads(msn):
            open_segment = self.window.open
            return InMemory(payloads) if open_segment is None or open_segment.msn != msn else None
        entry = self.window.segment(msn)
        if msn < 0 or msn >= self.window.next_msn or (entry is not None and entry.gap):
            return None
        return OnDisk(self._writer.folder.segment(msn))

    def part(self, msn: int, index: int) -> Media | None:
        """A part that is listed or was lately."""
        parts = self.window.parts(msn)
        if not 0 <= index < len(parts):
            return None
        if payloads := self.window.payloads(msn):
            return InMemory(payloads[index : index + 1])
        return OnDisk(self._writer.folder.segment(msn), parts[index].offset, parts[index].size)

    @property
    def average_bitrate(self) -> int:
        return round(self._bits / self._seconds) if self._seconds else self.peak_bitrate

    def report(self) -> RenditionReport | None:
        """How far it is, for the playlists of the others."""
        window = self.window
        if not window.low_latency:
            return RenditionReport(self._uri, window.next_msn - 1) if window.closed else None
        msn, part = window.last
        return RenditionReport(self._uri, msn, part) if window.started else None

    @property
    def _uri(self) -> str:
        return f"../{self.name}/media.m3u8"

    # --- for `live`

    def configure(self, config: TrackConfig) -> None:
        """The configuration of the segments that follow."""
        self.config = config

    def add(self, cut: Cut, track: TrackEntry, epoch_ms: int) -> SegmentEntry | None:
        """Adds a part, and closes the segment if it is the last; the segment closed.

        `epoch_ms` is the wall clock at tick zero as of the segment, by which the segment that begins is dated.
        """
        if cut.samples:
            self._add_part(cut, track, epoch_ms)
        return self._close() if cut.last else None

    def _add_part(self, cut: Cut, track: TrackEntry, epoch_ms: int) -> None:
        if self.track is None or self.track.generation != track.generation:
            self._begin_generation(track)
        samples = cut.samples
        self._sequence += 1
        payload = _payload(self._sequence, track.kind, samples, cut.end, self._timed)
        segment = self.window.open
        if segment is None or self._file is None:
            self._file = self._writer.open(self.window.next_msn)
            start = samples[0].dts
            segment = self.window.begin_segment(
                start, track.timescale, epoch_ms + start * 1000 // track.timescale, track.generation, self._file
            )
        self._gaps, self.dropped = 0, False
        part = segment.add(payload, cut.end, samples[0].key)
        self._file.append(payload)
        self.parts_cut += 1
        self.bytes_out += len(payload)
        if not self.window.closed:
            self.peak_bitrate = max(self.peak_bitrate, len(payload) * 8 * track.timescale // max(1, part.duration))

    def _begin_generation(self, track: TrackEntry) -> None:
        if self.config is None:
            return
        init = init_segment(self.config)
        self._timed = isinstance(self.config, AudioConfig) and is_timed(self.config)
        self.track = track
        self._inits[track.generation] = init
        self.tracks[track.generation] = track
        self._writer.track(track, init)
        if self.window.part_target_s is None:
            self.window.part_target_s = track.part_target / track.timescale

    def _close(self) -> SegmentEntry | None:
        entry = self.window.close_segment()
        if entry is None or self._file is None:
            return None
        self._file.close(entry)
        self._file = None
        bits = entry.size * 8
        if not self._seconds:
            self.peak_bitrate = 0  # until now it was that of parts
        self._bits += bits
        self._seconds += entry.duration_s
        self.peak_bitrate = max(self.peak_bitrate, round(bits / max(entry.duration_s, 0.001)))
        return entry

    def add_gap(self, like: SegmentEntry, timescale: int) -> None:
        """A segment that this rendition has nothing of, as long as that of another one."""
        start, duration = (ticks * timescale // like.timescale for ticks in (like.start, like.duration))
        self._gaps += 1
        self._writer.gap(self.window.add_gap(start, duration, timescale, like.wall_ms, like.generation))

    def trim(self, *, keep_files: bool) -> None:
        """Lets go of what is too old. "The Availability Duration … is the sum of the duration of the segment and the
        duration of the longest Playlist containing it" (RFC 8216bis 6.2.2): files stay for another window."""
        window = self.window
        self._left += ((entry.msn, window.end_s) for entry in window.trim() if not keep_files)
        while self._left and window.end_s - self._left[0][1] > window.window_s:
            self._writer.discard(self._left.popleft()[0])

    def restore(self, segments: Sequence[SegmentEntry], tracks: dict[int, TrackEntry], inits: dict[int, bytes]) -> None:
        """Takes up what was on disk; the segments are those of the window."""
        self.window.restore(segments)
        self._inits.update(inits)
        self.tracks.update(tracks)
        self.track = tracks[max(tracks)] if tracks else None
        if self.track is not None:
            first = tracks[min(tracks)]
            self.window.part_target_s = first.part_target / first.timescale
        for entry in segments:
            self._bits += entry.size * 8
            self._seconds += entry.duration_s
            self.peak_bitrate = max(self.peak_bitrate, round(entry.size * 8 / max(entry.duration_s, 0.001)))


def _payload(sequence: int, kind: str, samples: Sequence[Sample], end: int, timed: bool) -> bytes:
    """The bytes of a part that ends at `end`."""
    base = samples[0].dts
    data = [sample.data for sample in samples]
    if kind == "audio" and not timed:
        return audio_part(sequence, base, (end - base) // len(samples), data)
    times = [sample.dts for sample in samples]
    times.append(end)
    durations = [after - before for before, after in pairwise(times)]
    if kind == "audio":
        return audio_part(sequence, base, durations, data)
    return video_part(
        sequence, base, durations, [sample.cts for sample in samples], [sample.key for sample in samples], data
    )
