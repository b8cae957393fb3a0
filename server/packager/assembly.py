"""What is cut goes into renditions: parts dated alike in all of them, gaps where nothing of a segment comes."""

from collections.abc import Callable, Collection, Sequence

from server.packager.cutters import Cutters
from server.packager.latency import LiveSettings
from server.packager.rendition import Rendition
from server.packager.renditions import Renditions
from server.packager.segmenter import Cut
from server.packager.timetable import Timetable
from server.packager.track import Track
from server.stream.reader import TRACKS

LATE = 2  # target durations until what a track still owes becomes a gap: less than the shortest window


class Assembly:
    """Of one broadcast; its renditions keep the numbers of the master's segments in `timetable`."""

    def __init__(
        self, settings: LiveSettings, renditions: Renditions, cutters: Cutters, on_part: Callable[[int], None]
    ) -> None:
        self.timetable = Timetable()
        self.epoch_ms = 0  # wall clock at output time zero, as of now
        self._renditions = renditions
        self._cutters = cutters
        self._on_part = on_part
        self._patience_s = LATE * settings.target_duration_s

    def add(self, track: Track, cuts: Sequence[Cut]) -> None:
        """Adds parts; a segment that ends without any is a gap where the master has a segment."""
        if not cuts:
            return
        rendition, closed = self._renditions[track.name], False
        for cut in cuts:
            self._add_one(track, rendition, cut)
            closed = closed or cut.last
        self._renditions.publish(rendition, closed=closed)
        end = next((cut.end for cut in reversed(cuts) if cut.samples), None)
        if end is not None and track.name in TRACKS:
            self._on_part(self.epoch_ms + end * 1000 // track.config.timescale)

    def _add_one(self, track: Track, rendition: Rendition, cut: Cut) -> None:
        epoch_ms = self._epoch_of(rendition.window.next_msn)
        if track.entry is None and cut.samples:
            rendition.configure(track.config)
            track.describe(cut, epoch_ms)
            self._cutters.keep_target(track)
        entry = rendition.add(cut, track.entry, epoch_ms) if track.entry else None
        if cut.last and entry is None:
            self._renditions.fill(rendition, rendition.window.next_msn + 1, track.config.timescale)

    def _epoch_of(self, msn: int) -> int:
        """Segments of one number are dated by one epoch, however much later some of them come."""
        segment = self.timetable.get(msn)
        return segment.epoch_ms if segment else self.epoch_ms

    def finish(self, track: Track) -> None:
        """Closes what the track still owes, and what is open of it, with what there is."""
        while track.follower is not None and track.follower.owed_since is not None:
            self.add(track, track.follower.give_up())
        rendition = self._renditions.get(track.name)
        if rendition is not None and rendition.window.open is not None:
            self.add(track, (Cut((), 0, last=True),))

    def wait_no_more(self, tracks: Collection[Track]) -> None:
        """What has been owed for too long is closed with what there is of it."""
        overdue = self.timetable.overdue(self._patience_s)
        for track in tracks:
            follower = track.follower
            while follower is not None and follower.owed_since is not None:
                if self._renditions[track.name].window.next_msn >= overdue:
                    break
                self.add(track, follower.give_up())

    def align(self, tracks: Collection[Track]) -> None:
        """Gaps where a rendition has fewer segments than the master and nothing of them will come."""
        renditions = self._renditions
        owing = {track.name for track in tracks if track.follower and track.follower.owed_since is not None}
        late = {name for name, rendition in renditions.items() if name not in TRACKS and not rendition.dropped}
        renditions.align(renditions.next_msn, [name for name in renditions if name not in owing | late])
        renditions.align(self.timetable.overdue(self._patience_s), late - owing)
