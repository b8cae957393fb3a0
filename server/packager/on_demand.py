"""A video as it is watched: its source as it is, cut on request, and the renditions that are made of it.

The encoded ones are listed as soon as they have a segment, and grow (EXT-X-PLAYLIST-TYPE:EVENT) until they are whole.
Those that are made on request are listed in full, whether there is a segment of them yet or not.
All begin at 0 and have the same TARGETDURATION, which is known from the plan before the first is there.
"""

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

from server.formats.m3u8.media import Map, MediaPlaylist, Segment
from server.packager.dash import Listed, lines, whole_mpd
from server.packager.dash import within as listed_within
from server.packager.master import AudioFacts, VideoFacts, master, order, within
from server.packager.presentation import (
    MEDIA_PLAYLIST,
    VIDEO,
    NoSuchMediaError,
    Piece,
    SegmentPlan,
    Whole,
    init_name,
    segment_name,
)
from server.packager.texts import TextFacts
from server.packager.vod import IndexedVideo
from server.storage.renditions import Made, Placed


class OnDemandVideo:
    """`made` by the names of renditions; `target_s` for all playlists, that of the passthrough where there is one."""

    def __init__(
        self,
        passed: IndexedVideo | None,
        made: Mapping[str, Made],
        target_s: int,
        whole: bool,
        duration_s: float,
        ceilings: Mapping[str, int] | None = None,
        on_request: Set[str] = frozenset(),
    ) -> None:
        """Raises ValueError when there is nothing to watch. `whole`: nothing is to come; what is not complete then
        never will be, and is left out. `ceilings`: bits a second that a rendition may come to while it grows."""
        self._ceilings = ceilings or {}
        self._passed = passed
        self._on_request = on_request
        shown = [name for name in sorted(made, key=order) if made[name].segments and (made[name].complete or not whole)]
        self._made = {name: made[name] for name in shown}
        if passed is None and not self._made:
            raise ValueError("nothing can be watched yet")
        self._target_s = max(target_s, passed.target_s if passed else 0)
        self._duration_s = max(duration_s, passed.duration_s if passed else 0.0)
        self.growing = not whole
        self.version = sum(len(each.segments) + each.complete for each in self._made.values()) + whole

    @property
    def duration_s(self) -> float:
        return self._duration_s

    @property
    def renditions(self) -> tuple[str, ...]:
        passed = self._passed.renditions if self._passed else ()
        return tuple(sorted({*passed, *self._made}, key=order))

    @property
    def unfinished(self) -> Mapping[str, float]:
        growing = {name: made for name, made in self._made.items() if not made.complete}
        return {name: sum(placed.entry.duration_s for placed in made.segments) for name, made in growing.items()}

    @property
    def clock_start_s(self) -> float:
        return 0.0

    def master(self, prefix: str = "", texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        pictures = self._passed.pictures(prefix) if self._passed else []
        sounds = self._passed.sounds(prefix) if self._passed else []
        for name, made in self._made.items():
            if made.track.kind == VIDEO:
                pictures.append(_picture(name, made, prefix, self._ceilings.get(name, 0)))
            else:
                sounds.append(_sound(name, made, prefix))
        independent = self._passed.independent if self._passed else True
        return master(within(pictures, most), sounds, independent, texts, prefix)

    def mpd(self, base: str, texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        """While renditions grow, those that are whole; the longest where none is."""
        listed = self._passed.listed() if self._passed else []
        made = [_listed(name, each) for name, each in self._made.items() if each.complete]
        if not listed and not any(each.tracks[0].kind == VIDEO for each in made):
            made = [_listed(name, each) for name, each in self._made.items()]
        return whole_mpd(listed_within([*listed, *made], most), base, self._duration_s, texts)

    def lines(self, rendition: str) -> int:
        made = self._made.get(rendition)
        return self._passthrough(rendition).lines(rendition) if made is None else lines(made.track)

    def media(self, rendition: str) -> str:
        made = self._made.get(rendition)
        if made is None:
            return self._passthrough(rendition).media(rendition)
        return MediaPlaylist(
            target_duration_s=self._target_s,
            playlist_type="VOD" if made.complete else "EVENT",
            independent_segments=True,
            start_s=0.0,  # while it grows, players would begin near its end
            map=Map(init_name()),
            segments=tuple(
                Segment(segment_name(placed.entry.msn), placed.entry.duration_s) for placed in made.segments
            ),
            ended=made.complete,
        ).render()

    def init(self, rendition: str, generation: int = 0) -> bytes:
        made = self._made.get(rendition)
        if made is None:
            return self._passthrough(rendition).init(rendition, generation)
        if generation:
            raise NoSuchMediaError(f"{rendition} has one generation")
        return made.init

    def segment(self, rendition: str, number: int) -> SegmentPlan:
        """`source` of a made one's plan is `<rendition>/<run>`."""
        made = self._made.get(rendition)
        if made is None:
            return self._passthrough(rendition).segment(rendition, number)
        if not 0 <= number < len(made.segments):
            raise NoSuchMediaError(f"{rendition} has {len(made.segments)} segments")
        placed = made.segments[number]
        if rendition in self._on_request:
            return SegmentPlan(b"", (), (), 0, source=f"{rendition}/{placed.run}", on_request=True)
        size = placed.entry.size
        return SegmentPlan(
            b"", ((placed.offset, size),), (Piece(0, 0, size),), size, source=f"{rendition}/{placed.run}"
        )

    def whole(self, rendition: str) -> Whole | None:
        made = self._made.get(rendition)
        if made is None:
            return self._passthrough(rendition).whole(rendition)
        if rendition in self._on_request:
            return None
        return Whole(made.init, [(number, 0) for number in range(len(made.segments))]) if made.complete else None

    def _passthrough(self, rendition: str) -> IndexedVideo:
        if self._passed is None or rendition not in self._passed.renditions:
            raise NoSuchMediaError(f"there is no {rendition}")
        return self._passed


def target_s(cuts: Sequence[int], timescale: int) -> int:
    """TARGETDURATION of renditions that are cut so: a picture may come a little after its cut."""
    longest = max((after - before for before, after in pairwise(cuts)), default=timescale)
    return max(1, int(longest / timescale + 0.1 + 0.5))


def _rates(segments: Sequence[Placed]) -> tuple[int, int]:
    """Bits a second of the heaviest segment, the short last one aside, and of all."""
    total_s = sum(placed.entry.duration_s for placed in segments)
    average = sum(placed.entry.size for placed in segments) * 8 / max(total_s, 0.001)
    half_s = max(placed.entry.duration_s for placed in segments) / 2
    peak = max(placed.entry.size * 8 / max(placed.entry.duration_s, half_s) for placed in segments)
    return max(1, round(peak)), max(1, round(average))


def _picture(name: str, made: Made, prefix: str, ceiling: int) -> VideoFacts:
    """As it was measured; what grows may have its hardest part before it."""
    peak, average = _rates(made.segments)
    if not made.complete:
        peak = max(peak, ceiling)
    track = made.track
    return VideoFacts(
        uri=f"{prefix}{name}/{MEDIA_PLAYLIST}",
        codec=track.codec,
        peak=peak,
        average=average,
        resolution=(track.width, track.height),
        frame_rate=track.frame_rate or None,
    )


def _sound(name: str, made: Made, prefix: str) -> AudioFacts:
    peak, average = _rates(made.segments)
    track = made.track
    return AudioFacts(
        uri=f"{prefix}{name}/{MEDIA_PLAYLIST}",
        codec=track.codec,
        peak=peak,
        average=average,
        channels=track.channels,
        language=track.language or None,
        title=track.title or None,
    )


def _listed(name: str, made: Made) -> Listed:
    entries = [placed.entry for placed in made.segments]
    return Listed(name, {0: made.track}, entries, _rates(made.segments)[0])
