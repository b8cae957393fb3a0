"""A recording as a presentation: the live segments as they lie on disk, listed from their journals.

A rendition may begin later than the other (sound that joined), and have gaps where it had nothing to say or the disk
took nothing; numbers and discontinuities stay those of the live playlists. Pictures that joined later begin with gaps:
players switch between variants by the time in their playlists, which must begin together.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from server.formats.m3u8.media import Map, MediaPlaylist, Segment
from server.packager.dash import Listed, lines, recorded_mpd
from server.packager.dash import within as listed_within
from server.packager.master import AudioFacts, VideoFacts, master, order, within
from server.packager.presentation import (
    AUDIO,
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
from server.storage.journal import SegmentEntry, TrackEntry


@dataclass(frozen=True, slots=True)
class RecordedRendition:
    """One track of a broadcast, as `storage.recovery` reads it."""

    tracks: Mapping[int, TrackEntry]  # by generation
    segments: Sequence[SegmentEntry]  # in order; never empty
    inits: Mapping[int, bytes]  # by generation


class RecordedVideo:
    """Segments keep the media sequence numbers they had live. `source` of a plan is `<rendition>/<number>`."""

    def __init__(self, renditions: Mapping[str, RecordedRendition]) -> None:
        names = [name for name in sorted(renditions, key=order) if renditions[name].tracks]
        pictures = [name for name in names if not name.startswith(AUDIO)]
        self._renditions = {name: renditions[name] for name in names}
        for name in pictures[1:]:
            self._renditions[name] = _from_the_start(renditions[name], renditions[pictures[0]].segments)
        if not self._renditions:
            raise ValueError("the recording holds no media")
        self._entries = {
            name: {entry.msn: entry for entry in rendition.segments if not entry.gap}
            for name, rendition in self._renditions.items()
        }
        every = [entry for rendition in self._renditions.values() for entry in rendition.segments]
        self._independent = all(entry.independent or entry.gap for entry in every)
        self._target_s = max(1, int(max(entry.duration_s for entry in every) + 0.5))
        self._media = {name: self._playlist(rendition) for name, rendition in self._renditions.items()}

    @property
    def duration_s(self) -> float:
        """What a player plays: the sum of the segments, dropouts left out."""
        longest = max(sum(entry.duration_s for entry in each.segments) for each in self._renditions.values())
        return round(longest, 6)  # sums of floats end in …0001

    @property
    def growing(self) -> bool:
        return False

    @property
    def unfinished(self) -> Mapping[str, float]:
        return {}

    @property
    def version(self) -> int:
        return 0

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(entry.size for entries in self._entries.values() for entry in entries.values())

    @property
    def renditions(self) -> tuple[str, ...]:
        return tuple(self._renditions)

    def track(self, rendition: str) -> TrackEntry | None:
        """The newest configuration of a rendition."""
        found = self._renditions.get(rendition)
        return found.tracks[max(found.tracks)] if found and found.tracks else None

    @property
    def clock_start_s(self) -> float:
        first = next(iter(self._renditions.values())).segments[0]
        return first.start / first.timescale

    def master(self, prefix: str = "", texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        tracks = [(name, self.track(name)) for name in self._renditions]
        pictures = [self._video_facts(name, track, prefix) for name, track in tracks if track and track.kind == VIDEO]
        return master(
            within(pictures, most),
            [self._audio_facts(name, track, prefix) for name, track in tracks if track and track.kind != VIDEO],
            self._independent,
            texts,
            prefix,
        )

    def mpd(self, base: str, texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        listed = [
            Listed(name, dict(each.tracks), each.segments, _rates(each.segments)[0])
            for name, each in self._renditions.items()
        ]
        return recorded_mpd(listed_within(listed, most), base, texts)

    def lines(self, rendition: str) -> int:
        """Of its newest configuration, by which its playlist is listed."""
        self._rendition(rendition)
        track = self.track(rendition)
        return lines(track) if track else 0

    def media(self, rendition: str) -> str:
        self._rendition(rendition)
        return self._media[rendition]

    def init(self, rendition: str, generation: int = 0) -> bytes:
        init = self._rendition(rendition).inits.get(generation)
        if init is None:
            raise NoSuchMediaError(f"{rendition} has no generation {generation}")
        return init

    def segment(self, rendition: str, number: int) -> SegmentPlan:
        self._rendition(rendition)
        entry = self._entries[rendition].get(number)
        if entry is None:
            raise NoSuchMediaError(f"{rendition} has no segment {number}")
        return SegmentPlan(
            header=b"",
            reads=((0, entry.size),),
            pieces=(Piece(0, 0, entry.size),),
            size=entry.size,
            source=f"{rendition}/{number}",
        )

    def whole(self, rendition: str) -> Whole | None:
        """Dropouts are left out, as players leave them out."""
        found = self._rendition(rendition)
        entries = [entry for entry in found.segments if not entry.gap]
        init = _one_init(found)
        if init is None:
            return None
        shifts = self._shifts()
        return Whole(init, [(entry.msn, round(shifts[entry.msn] * entry.timescale)) for entry in entries])

    @property
    def makes_a_file(self) -> bool:
        """Whether its best pictures, and some sound, are coded alike from the beginning to the end."""
        sounds = [name for name in self.renditions if name.startswith(AUDIO)]
        alike = {name for name, rendition in self._renditions.items() if _one_init(rendition) is not None}
        return self.renditions[0] in alike and (not sounds or not alike.isdisjoint(sounds))

    def _shifts(self) -> dict[int, Fraction]:
        """Seconds from a segment's own time to when it is played, by its number: all tracks go by the first."""
        shifts: dict[int, Fraction] = {}
        at = shift = Fraction(0)
        for number, entry in enumerate(next(iter(self._renditions.values())).segments):
            if entry.discontinuity or number == 0:
                shift = at - Fraction(entry.start, entry.timescale)
            shifts[entry.msn] = shift
            at += Fraction(entry.duration, entry.timescale)
        return defaultdict(lambda: shift, shifts)

    def pictures(self) -> list[tuple[int, int, float, float]]:
        """The segments of pictures: generation, number, and when they are shown, from and to, seconds."""
        found, at_s = [], 0.0
        for entry in self._renditions[VIDEO].segments if VIDEO in self._renditions else ():
            if not entry.gap:
                found.append((entry.generation, entry.msn, at_s, at_s + entry.duration_s))
            at_s += entry.duration_s
        return found

    def _rendition(self, name: str) -> RecordedRendition:
        found = self._renditions.get(name)
        if found is None:
            raise NoSuchMediaError(f"there is no {name}")
        return found

    def _playlist(self, rendition: RecordedRendition) -> str:
        first, in_force = rendition.segments[0], None
        segments = []
        for entry in rendition.segments:
            sets_map = entry.generation != in_force and not entry.gap  # a gap may be of a generation without an init
            if sets_map:
                in_force = entry.generation
            segments.append(
                Segment(
                    uri=segment_name(entry.msn),
                    duration_s=entry.duration_s,
                    map=Map(init_name(entry.generation)) if sets_map else None,
                    discontinuity=entry.discontinuity and entry is not first,
                    program_date_time_ms=entry.wall_ms,
                    gap=entry.gap,
                )
            )
        return MediaPlaylist(
            target_duration_s=self._target_s,
            media_sequence=first.msn,
            discontinuity_sequence=self._breaks_until(first.msn),
            playlist_type="VOD",
            independent_segments=self._independent,
            segments=tuple(segments),
            ended=True,
        ).render()

    def _breaks_until(self, msn: int) -> int:
        """Discontinuities before the segment and at it: those of the rendition that began first."""
        longest = min(self._renditions.values(), key=lambda rendition: rendition.segments[0].msn)
        return sum(entry.discontinuity for entry in longest.segments[1:] if entry.msn <= msn)

    def _video_facts(self, name: str, track: TrackEntry, prefix: str) -> VideoFacts:
        peak, average = _rates(self._renditions[name].segments)
        return VideoFacts(
            uri=f"{prefix}{name}/{MEDIA_PLAYLIST}",
            codec=track.codec,
            peak=peak,
            average=average,
            resolution=(track.width, track.height) if track.width else None,
            frame_rate=track.frame_rate or None,
        )

    def _audio_facts(self, name: str, track: TrackEntry, prefix: str) -> AudioFacts:
        peak, average = _rates(self._renditions[name].segments)
        return AudioFacts(
            uri=f"{prefix}{name}/{MEDIA_PLAYLIST}",
            codec=track.codec,
            peak=peak,
            average=average,
            channels=track.channels or None,
            language=track.language or None,
            title=track.title or None,
        )


def _from_the_start(rendition: RecordedRendition, reference: Sequence[SegmentEntry]) -> RecordedRendition:
    """With gaps for the segments of the reference that it has none of, before its own."""
    first = rendition.segments[0]
    missing = [entry for entry in reference if entry.msn < first.msn]
    if not missing:
        return rendition
    own = next((entry.discontinuity for entry in reference if entry.msn == first.msn), first.discontinuity)
    gaps = [
        replace(
            entry,
            start=entry.start * first.timescale // entry.timescale,
            duration=entry.duration * first.timescale // entry.timescale,
            timescale=first.timescale,
            independent=True,
            size=0,
            gap=True,
        )
        for entry in missing
    ]
    return replace(rendition, segments=[*gaps, replace(first, discontinuity=own), *rendition.segments[1:]])


def _rates(segments: Sequence[SegmentEntry]) -> tuple[int, int]:
    """Bits a second of the heaviest segment and of all that are none gaps; a runt counts as half the longest."""
    segments = [entry for entry in segments if not entry.gap] or segments
    shortest_s = max(entry.duration_s for entry in segments) / 2
    peak = max(entry.size * 8 / max(entry.duration_s, shortest_s, 1e-3) for entry in segments)
    total_s = sum(entry.duration_s for entry in segments)
    return max(1, round(peak)), max(1, round(sum(entry.size for entry in segments) * 8 / max(total_s, 1e-3)))


def _one_init(rendition: RecordedRendition) -> bytes | None:
    """None where its coding changes, or isn't known."""
    inits = {rendition.inits.get(entry.generation) for entry in rendition.segments if not entry.gap}
    return inits.pop() if len(inits) == 1 else None
