"""The renditions of one broadcast: made, kept at the same numbers by gaps, restored after a restart."""

from collections.abc import Iterable, Sequence

from server.formats.m3u8.media import RenditionReport
from server.packager.latency import LiveSettings
from server.packager.rendition import Rendition
from server.packager.window import Window
from server.storage.journal import SegmentEntry
from server.storage.segments import RecoveredRendition, SegmentStore


class Renditions(dict[str, Rendition]):
    """By name, in the order they began."""

    def __init__(self, broadcast_id: str, settings: LiveSettings, store: SegmentStore) -> None:
        super().__init__()
        self._broadcast_id = broadcast_id
        self._settings = settings
        self._store = store

    @property
    def next_msn(self) -> int:
        return max((rendition.window.next_msn for rendition in self.values()), default=0)

    @property
    def started(self) -> bool:
        return any(rendition.window.started for rendition in self.values())

    @property
    def listed(self) -> list[Rendition]:
        """Those that players may choose; of a broadcast that has any, at least one."""
        return [rendition for rendition in self.values() if rendition.listed]

    def make(self, name: str, first_msn: int, discontinuity_sequence: int) -> Rendition:
        settings = self._settings
        window = Window(
            settings.target_duration_s,
            settings.dvr_window_s,
            low_latency=settings.mode.part_hold_back_s is not None,
            first_msn=first_msn,
            discontinuity_sequence=discontinuity_sequence,
        )
        writer = self._store.rendition(self._broadcast_id, name)
        made = Rendition(name, window, settings.mode.part_hold_back_s, writer, lambda: self._reports(name))
        self[name] = made
        return made

    def _reports(self, name: str) -> Sequence[RenditionReport]:
        others = (rendition.report() for rendition in self.listed if rendition.name != name)
        return [report for report in others if report is not None]

    # --- the same numbers everywhere

    def publish(self, rendition: Rendition, *, closed: bool) -> None:
        """Shows what was added; `closed`: a segment of it."""
        if closed:
            rendition.trim(keep_files=self._settings.record)
        if closed or rendition.window.low_latency:
            rendition.window.publish()

    def fill(self, rendition: Rendition, next_msn: int, timescale: int | None = None) -> None:
        """Gaps up to a number, each as long as the longest segment of that number elsewhere."""
        filled = False
        while rendition.window.next_msn < next_msn:
            like = self._longest_of(rendition.window.next_msn)
            if like is None:
                break
            own = rendition.track.timescale if rendition.track else timescale or like.timescale
            rendition.add_gap(like, own)
            filled = True
        if filled:
            self.publish(rendition, closed=True)

    def align(self, next_msn: int, names: Iterable[str]) -> None:
        """Gaps where one of these has fewer segments."""
        for name in names:
            rendition = self[name]
            if rendition.window.open is None and rendition.window.next_msn < next_msn:
                self.fill(rendition, next_msn)

    def _longest_of(self, msn: int) -> SegmentEntry | None:
        segments = (rendition.window.segment(msn) for rendition in self.values())
        return max((entry for entry in segments if entry), key=lambda entry: entry.duration_s, default=None)

    # --- across a restart

    def restore(self, name: str, found: RecoveredRendition, reference: RecoveredRendition) -> None:
        """A rendition as the disk has it; `reference` is the one that has the most segments."""
        segments = found.segments
        shown, total_s = len(segments), 0.0
        while shown and total_s < max(self._settings.dvr_window_s, 3 * self._settings.target_duration_s):
            shown -= 1
            total_s += segments[shown].duration_s
        first = segments[0].msn
        breaks = sum(entry.discontinuity for entry in reference.segments if entry.msn <= first)
        breaks += sum(entry.discontinuity for entry in segments[:shown]) - segments[0].discontinuity
        self.make(name, first, breaks).restore(segments[shown:], found.tracks, found.inits)
