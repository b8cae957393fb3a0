"""DASH manifests over the very segments that HLS lists, live or recorded.

A period is a stretch in which the same renditions have segments of the same generation: numbers within it have no
hole. Second zero is the output clock's, so that a segment's ticks are its place in the presentation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from server.formats.mpd import AdaptationSet, Live, Mpd, Period, Representation, TextSet, Timed
from server.packager.latency import LiveSettings
from server.packager.presentation import VIDEO, NoQualityError, init_name
from server.packager.rendition import Rendition
from server.packager.texts import RATE, TextFacts, stretch_name
from server.storage.journal import SegmentEntry, TrackEntry

BUFFER_S = 1.0  # a player may start with so much
BEHIND_PARTS_S = 0.5  # behind the hold-back that HLS players keep: a request is one part later here
BEHIND_SEGMENTS = 3  # where segments come whole


@dataclass(frozen=True, slots=True)
class Listed:
    """A rendition as far as it is shown."""

    name: str
    tracks: dict[int, TrackEntry]  # by generation
    segments: Sequence[SegmentEntry]  # in order of their numbers, without holes; the newest may still be open
    bandwidth: int  # bits a second at most
    early_s: float | None = None  # the newest segment is open, and comes as it is made; so long before it is whole

    def at(self, msn: int) -> SegmentEntry | None:
        index = msn - self.segments[0].msn if self.segments else -1
        return self.segments[index] if 0 <= index < len(self.segments) else None

    @property
    def lines(self) -> int:
        """The shorter side of the largest of its pictures; 0 of sound."""
        return max((lines(track) for track in self.tracks.values()), default=0)

    def lacks(self, msn: int) -> bool:
        """Whether there is nothing of the segment, and won't be."""
        entry = self.at(msn)
        return entry.gap if entry else not self.segments or msn < self.segments[0].msn


def lines(track: TrackEntry) -> int:
    """The shorter side of a track's pictures; 0 of sound."""
    return min(track.width, track.height) if track.kind == VIDEO else 0


def within(listed: Sequence[Listed], most: int | None) -> Sequence[Listed]:
    """Those of no more than `most` lines. Raises NoQualityError where there are pictures, and only better ones."""
    found = [each for each in listed if most is None or each.lines <= most]
    if len(found) < len(listed) and not any(each.lines for each in found):
        raise NoQualityError(f"there are no pictures of {most} lines or less")
    return found


InitName = Callable[[int], str]  # of a generation


def live_mpd(
    renditions: Sequence[Rendition], settings: LiveSettings, base: str, now_ms: int, most: int | None = None
) -> str:
    """The manifest of a broadcast on air, with URLs below `base`; pictures of more than `most` lines are left out.

    Raises ValueError while there is nothing to list, NoQualityError where nothing is left.
    """
    hold_back_s = settings.mode.part_hold_back_s
    listed = within(
        [_listed(rendition, settings, in_parts=hold_back_s is not None) for rendition in renditions], most
    )
    periods = list(_periods(listed, live_init_name, ends=False))
    tracks = [track for each in listed for track in each.tracks.values()]
    if not periods:
        raise ValueError("nothing to list")
    behind_s = BEHIND_SEGMENTS * settings.segment_s if hold_back_s is None else hold_back_s + BEHIND_PARTS_S
    live = Live(
        available_ms=min(tracks, key=lambda track: track.generation).epoch_ms,
        now_ms=now_ms,
        update_s=settings.segment_s,
        window_s=settings.dvr_window_s,
        latency_s=behind_s,
    )
    return Mpd(periods, BUFFER_S, base, live).render()


def recorded_mpd(listed: Sequence[Listed], base: str, texts: Sequence[TextFacts] = ()) -> str:
    """The manifest of what does not change any more. Raises ValueError when there is nothing to list."""
    periods = [_with_texts(period, texts) for period in _periods(listed, init_name, ends=True)]
    if not periods:
        raise ValueError("nothing to list")
    return Mpd(periods, BUFFER_S, base, duration_s=sum(period.duration_s or 0.0 for period in periods)).render()


def whole_mpd(listed: Sequence[Listed], base: str, duration_s: float, texts: Sequence[TextFacts] = ()) -> str:
    """The manifest of renditions that each have their own numbers and cuts, all from second zero on."""
    sets = _sets_of([(each, each.segments) for each in listed if each.segments], init_name, 0.0)
    period = _with_texts(Period("0", 0.0, sets, duration_s), texts)
    return Mpd([period], BUFFER_S, base, duration_s=duration_s).render()


def _with_texts(period: Period, texts: Sequence[TextFacts]) -> Period:
    """A file without segments is timed from the beginning of its period (5.3.9.2.1)."""
    name = stretch_name(period.start_s)
    sets = [
        TextSet(text.folder.replace("/", "-"), f"{text.folder}/{name}", RATE, text.language, text.name, text.default)
        for text in texts
    ]
    return replace(period, texts=sets)


def live_init_name(generation: int) -> str:
    return f"init-{generation}.mp4"


def _listed(rendition: Rendition, settings: LiveSettings, *, in_parts: bool) -> Listed:
    window, segments = rendition.window, list(rendition.window.closed)
    early_s = None
    if in_parts and window.open is not None and not window.ended:
        wanted = round(settings.segment_s * window.open.timescale)
        expected = next((entry.duration for entry in reversed(segments) if not entry.gap), wanted)
        entry = window.open.entry
        entry = SegmentEntry(
            entry.msn, entry.start, max(expected, entry.duration), entry.timescale, entry.wall_ms, entry.generation,
            entry.discontinuity, entry.independent, entry.size,
        )  # fmt: skip
        segments.append(entry)
        early_s = max(0.0, entry.duration_s - (window.part_target_s or 0.0))
    return Listed(rendition.name, dict(rendition.tracks), segments, max(1, rendition.peak_bitrate), early_s)


def _periods(listed: Sequence[Listed], init: InitName, *, ends: bool) -> Iterator[Period]:
    """`ends`: nothing is added any more, so that the last has a length and each begins where the one before ended."""
    shown = [each for each in listed if each.segments]
    if not shown:
        return
    first = min(each.segments[0].msn for each in shown)
    last = max(each.segments[-1].msn for each in shown)
    stretches = [list(numbers) for _, numbers in groupby(range(first, last + 1), lambda msn: _kind(shown, msn))]
    clock = 0.0
    for numbers in stretches:
        present = [each for each in shown if not each.lacks(numbers[0]) and each.at(numbers[0]) is not None]
        if not present:
            continue
        start_s, end_s = _extent(present, numbers)
        sets = _sets(present, numbers, init)
        id = f"{present[0].at(numbers[0]).generation}-{numbers[0]}"  # type: ignore[union-attr]
        yield Period(id, clock if ends else start_s, sets, end_s - start_s if ends else None)
        clock += end_s - start_s


def _kind(shown: Sequence[Listed], msn: int) -> tuple[int | None, frozenset[str]]:
    """What a segment has in common with those of its period. One that is only late does not begin a new one."""
    entries = [entry for each in shown if (entry := each.at(msn)) is not None and not entry.gap]
    return (entries[0].generation if entries else None), frozenset(each.name for each in shown if each.lacks(msn))


def _extent(present: Sequence[Listed], numbers: Sequence[int]) -> tuple[float, float]:
    """Where the stretch begins and ends, in seconds, by its first rendition."""
    entries = [entry for msn in numbers if (entry := present[0].at(msn)) is not None]
    return entries[0].start / entries[0].timescale, entries[-1].end / entries[-1].timescale


def _sets(present: Sequence[Listed], numbers: Sequence[int], init: InitName) -> list[AdaptationSet]:
    found = [(each, [entry for msn in numbers if (entry := each.at(msn)) is not None]) for each in present]
    return _sets_of(found, init, _extent(present, numbers)[0])


def _sets_of(
    shown: Sequence[tuple[Listed, Sequence[SegmentEntry]]], init: InitName, start_s: float
) -> list[AdaptationSet]:
    """Pictures of one codec together, each sound by itself; what comes first is the main one."""
    found: list[AdaptationSet] = []
    videos: dict[str, list[Representation]] = {}
    for each, entries in shown:
        track = each.tracks[entries[0].generation]
        made = _representation(each, track, entries, init, start_s)
        if track.kind == VIDEO:
            videos.setdefault(track.codec.partition(".")[0], []).append(made)
        else:
            found.append(AdaptationSet("audio", [made], track.language, track.title, main=not found))
    pictures = [AdaptationSet("video", made, main=not number) for number, made in enumerate(videos.values())]
    return pictures + found


def _representation(
    each: Listed, track: TrackEntry, entries: Sequence[SegmentEntry], init: InitName, start_s: float
) -> Representation:
    is_open = entries[-1] is each.segments[-1]
    return Representation(
        id=each.name,
        codec=track.codec,
        bandwidth=each.bandwidth,
        timescale=track.timescale,
        init=f"{each.name}/{init(track.generation)}",
        media=f"{each.name}/$Number$.m4s",
        first=entries[0].msn,
        segments=[Timed(entry.start, entry.duration) for entry in entries],
        offset=round(start_s * track.timescale),
        width=track.width,
        height=track.height,
        frame_rate=track.frame_rate,
        sampling_rate=track.timescale if track.kind != VIDEO else 0,
        channels=track.channels,
        early_s=each.early_s if is_open else None,
    )
