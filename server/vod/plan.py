"""What is made of a source: which renditions, cut where, in which jobs. Pure.

    cuts     0 ──── 2 s ──── 4 s ──── …        90,000 ticks a second; the same for every encoded rendition
    jobs     [smallest: first seconds] [the others: the same] [all: a chunk] [all: a chunk] …
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

import orjson

from server.media.codings import CODINGS
from server.media.facts import PictureFacts, SourceFacts
from server.media.ladder import Rung, Source, Wish, rungs
from server.media.orders import TIMESCALE, PictureOrder, Reading, Treatment
from server.media.title import Measured, fitted
from server.media.tone import Transfer
from server.vod import alterations
from server.vod.alterations import Alteration

# "closed aligned 2 s GOPs": what players switch at, and the longest that a seek has to decode.
LONGEST_S = 2
# A remainder shorter than this is not cut off: it would be a segment of a few pictures.
SHORTEST_S = 0.5
# Of the smallest rendition by itself, so that something can be watched before the heavy ones have begun.
QUICK_S = 8.0
# Jobs that several workers share; a seam costs a decoder's way from the key frame before and a fresh rate control.
CHUNK_S = 60.0
# A passthrough as light as this times the rendition of its own size takes that one's place.
AS_LIGHT = 1.2
# libav's names of what is of high dynamic range
TRANSFERS: Mapping[str, Transfer] = {"smpte2084": "pq", "arib-std-b67": "hlg"}
# TARGETDURATION of what is copied: told before the longest segment is known, which is a group of pictures.
COPIED_TARGET_S = 10
STEREO = 2
# Somebody waits: these take half the time of veryfast's, for a sixth more bits. The number of threads is a fixed one
# since what an encoder makes depends on it.
REQUEST_PRESET, REQUEST_THREADS, REQUEST_LOOKAHEAD = "superfast", 2, 0
# Pictures further than this from the key frame before them take too long to come by.
FAR_S = 12.0
# A cut is not moved further than this to a picture that comes after it.
LATE = TIMESCALE // 4
RATE = 25.0  # pictures a second, where nothing is known
NEXT_TO = 0.49  # of the time between pictures: nearer to a cut than to any other place for one
# The least of a picture that nothing is made of but itself.
LEAST_RUNGS = 2


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """A track of sound to encode."""

    rendition: str
    stream: int  # libav's index of it
    channels: int
    language: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class OnRequest:
    """Pictures are made segment by segment when they are asked for: what makes every segment of a rendition fit its
    init segment, whoever makes it and when."""

    slack: int  # as of PictureOrder
    quality: float
    look: tuple[int, ...] | None = None  # None until the init segments are there


@dataclass(frozen=True, slots=True)
class Effort:
    """How encoders go about it, as libx264 calls it. Parameter sets follow from it, which all segments share: what was
    begun with one is gone on with in the same, whatever the settings say by then."""

    preset: str = "veryfast"
    quality: float = 23.0
    threads: int = 0  # of each encoder; 0: as many as its pictures ask for


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is made of one source; kept beside it, so that every worker and every restart goes by the same."""

    duration_s: float
    cuts: tuple[int, ...]
    rungs: tuple[Rung, ...] = ()
    sounds: tuple[SoundPlan, ...] = ()
    pictures: Reading = field(default_factory=Reading)
    treatment: Treatment = field(default_factory=Treatment)
    demuxer: str = ""  # that sound is read with
    start_s: float = 0.0  # of the source's own time
    passed: bool = False  # the source itself is shown too, by its index
    target_s: int = 0  # TARGETDURATION; 0: as the cuts ask for
    codec: str = "h264"  # of CODINGS, that pictures are encoded in
    effort: Effort | None = None  # None: a plan from before it was kept
    title: Measured | None = None  # what the ceilings of the rungs follow from; None: nobody has looked, or will
    on_request: OnRequest | None = None  # None: pictures are encoded ahead, whole

    @property
    def fitted(self) -> tuple[Rung, ...]:
        """The rungs with the ceilings that the title deserves, as far as they are known."""
        return self.rungs if self.title is None else fitted(self.rungs, self.title, CODINGS[self.codec].bits)

    @property
    def renditions(self) -> tuple[str, ...]:
        """Those that are made."""
        return (*(rung.name for rung in self.rungs), *(sound.rendition for sound in self.sounds))

    def to_bytes(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def of_bytes(cls, data: bytes) -> Self:
        """Raises ValueError."""
        told = orjson.loads(data)
        return cls(
            **{
                **told,
                "cuts": tuple(told["cuts"]),
                "rungs": tuple(Rung(**{**rung, "sar": tuple(rung["sar"])}) for rung in told["rungs"]),
                "sounds": tuple(SoundPlan(**sound) for sound in told["sounds"]),
                "pictures": Reading(**told["pictures"]),
                "treatment": Treatment.of_json(told["treatment"]),
                "title": Measured.of_json(told["title"]) if told["title"] else None,
                "on_request": _on_request(told["on_request"]),
                "effort": Effort(**effort) if (effort := told.get("effort")) else None,
            }
        )


def _on_request(told: Mapping[str, Any] | None) -> OnRequest | None:
    return OnRequest(**{**told, "look": told["look"] and tuple(told["look"])}) if told else None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A job's share: the segments first..last, counted from 0, of these renditions."""

    renditions: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What of the source can be watched as it is."""

    kinds: frozenset[str] = frozenset()  # video, audio: for every browser
    cuts: tuple[int, ...] = ()  # of its pictures: the beginning of each segment and the end of the last
    indexed: bool = False  # by its own index
    offset: int = 0  # as of Reading
    sounds: frozenset[int] = frozenset()  # tracks of sound by number, from 1: for every browser


def of_source(
    facts: SourceFacts,
    lines: Sequence[int],
    demuxer: str,
    shown: Shown,
    altered: Alteration = alterations.NONE,
    codec: str = "h264",
) -> Plan:
    """The whole plan. Raises Unreadable where the source can't be altered so."""
    picture = facts.picture
    chosen: tuple[Rung, ...] = ()
    treatment = Treatment()
    if picture is not None:
        treatment = altered.of(treatment_of(picture), picture)
        width, height = alterations.size(picture, treatment)
        source = Source(width, height, (1, 1), picture.frame_rate, picture.bit_rate)
        chosen = choose(source, lines, "video" in shown.kinds)
        chosen = tuple(replace(rung, bitrate=CODINGS[codec].ceiling(rung.bitrate)) for rung in chosen)
    end = shown.cuts[-1] if shown.cuts else round(facts.duration_s * TIMESCALE)
    by_index = shown.indexed and bool(shown.cuts)
    return Plan(
        duration_s=max(end / TIMESCALE, facts.duration_s),  # sound may go on behind the last picture
        cuts=grid(end, shown.cuts[1:-1]),
        rungs=chosen,
        sounds=sounds(facts, shown, bool(lines)),
        pictures=Reading(
            demuxer, picture.stream if picture else 0, facts.start_s, by_index, shown.offset, facts.mended
        ),
        treatment=treatment,
        demuxer=demuxer,
        start_s=facts.start_s,
        passed=shown.indexed,
        codec=codec,
    )


def made_on_request(plan: Plan, facts: SourceFacts, shown: Shown, times: Sequence[int], quality: float) -> Plan:
    """The same with its pictures made on request. `times`: when each picture is shown, where that is known; then
    segments begin with pictures, exactly. Else cuts lie where pictures are by their rate, and the one that is nearest
    is shown there."""
    if not plan.rungs:
        return plan
    if times and plan.pictures.indexed:
        return replace(plan, cuts=at_pictures(plan.cuts, times), on_request=OnRequest(0, quality))
    picture = TIMESCALE / ((facts.picture and facts.picture.frame_rate) or RATE)
    cuts = plan.cuts if shown.cuts else at_rate(plan.cuts, picture)
    return replace(plan, cuts=cuts, on_request=OnRequest(min(LATE, round(picture * NEXT_TO)), quality))


def at_pictures(cuts: Sequence[int], times: Sequence[int]) -> tuple[int, ...]:
    """Each but the first and the last moved to the first picture that is shown then or after, unless that is late."""
    shown = sorted(times)
    moved = [cuts[0]]
    for cut, following in pairwise(cuts[1:]):
        at = bisect_left(shown, max(cut, moved[-1] + 1))
        late = at == len(shown) or shown[at] > cut + LATE or shown[at] >= following
        moved.append(cut if late else shown[at])
    return (*moved, cuts[-1])


def at_rate(cuts: Sequence[int], picture: float) -> tuple[int, ...]:
    """Each but the first and the last moved to a whole number of pictures; `picture` is the length of one."""
    if picture > LATE:
        return tuple(cuts)  # few pictures: they are shown at the cuts that they are next to
    return (cuts[0], *(round(round(cut / picture) * picture) for cut in cuts[1:-1]), cuts[-1])


def order_of(plan: Plan, first: int, cuts: tuple[int, ...], wanted: Sequence[Rung]) -> PictureOrder:
    """What a child is told to make of a plan whose pictures are made on request. The same for all of a rendition."""
    request = plan.on_request or OnRequest(0, 0.0)
    return PictureOrder(
        reading=plan.pictures,
        rungs=tuple(wanted),
        cuts=cuts,
        first=first,
        treatment=plan.treatment,
        preset=REQUEST_PRESET,
        quality=request.quality,
        threads=REQUEST_THREADS,
        lookahead=REQUEST_LOOKAHEAD,
        slack=request.slack,
        look=request.look,
    )


def while_copied(facts: SourceFacts) -> Plan:
    """Before the cuts are known: of what is being copied."""
    return Plan(facts.duration_s, (), target_s=COPIED_TARGET_S)


def treatment_of(picture: PictureFacts) -> Treatment:
    """Dolby Vision is toned down as its base is, which players without it show."""
    return Treatment(picture.rotation, picture.interlaced, hdr=TRANSFERS.get(picture.transfer or ""))


def sounds(facts: SourceFacts, shown: Shown, companions: bool) -> tuple[SoundPlan, ...]:
    """The tracks of sound to encode, as stereo, or mono as it is.

    All of them where nothing can be heard everywhere; else, with `companions`, those that can't be, and those of more
    channels than two, whose own stay beside.
    """
    if "audio" in shown.kinds and not companions:
        return ()
    return tuple(
        SoundPlan(
            f"audio{number if number > 1 else ''}-aac", each.stream, min(STEREO, max(1, each.channels)), each.language,
            each.title,
        )
        for number, each in enumerate(facts.sounds, 1)
        if number not in shown.sounds or each.channels > STEREO
    )  # fmt: skip


def choose(source: Source, lines: Sequence[int], passes: bool) -> tuple[Rung, ...]:
    """The renditions to encode of a picture, highest first; `lines` are those of the configured ladder.

    Never more lines than the source has. Where the source can't be passed through its own size is among them, as far
    as the ladder goes up; where it can, the rendition of its size is left out unless it would be much lighter. A source
    whose codec says more with fewer bits than ours does not limit the bits.
    """
    size = min(source.width, source.height)
    wanted = [each for each in lines if each <= size]
    top = max(lines, default=0)
    if not passes and size < top and size not in wanted:
        wanted.append(size)
    if not wanted and not passes:
        wanted = [min(size, top or size)]
    rated = source if passes else replace(source, bitrate=None)
    chosen = rungs(rated, [Wish(each) for each in wanted])
    return _without_twin(chosen, source, size) if passes else chosen


def _without_twin(chosen: tuple[Rung, ...], source: Source, size: int) -> tuple[Rung, ...]:
    """Those that the passthrough doesn't stand for; with it they are at least LEAST_RUNGS."""
    if len(chosen) < LEAST_RUNGS or source.bitrate is None:
        return chosen
    default = rungs(replace(source, bitrate=None), [Wish(size)])
    heavy = bool(default) and source.bitrate > default[0].bitrate * AS_LIGHT
    return chosen if heavy else tuple(rung for rung in chosen if min(rung.width, rung.height) < size)


def grid(end: int, cuts: Sequence[int] = ()) -> tuple[int, ...]:
    """Cut times from 0 to `end`: every one of `cuts`, and more between them where they are more than LONGEST_S apart.

    Equal pieces, so that a passthrough's 5 s become three of 1.67 s and not two and a runt.
    """
    known = [0, *(cut for cut in cuts if 0 < cut < end - SHORTEST_S * TIMESCALE), end]
    times = [0]
    for start, stop in pairwise(known):
        pieces = max(1, -(-(stop - start) // (LONGEST_S * TIMESCALE)))
        if not cuts:  # nothing to be in step with: whole seconds, the rest at the end
            times += _steady(start, stop)
        else:
            times += [start + (stop - start) * piece // pieces for piece in range(1, pieces + 1)]
    return tuple(times)


def _steady(start: int, stop: int) -> list[int]:
    times = list(range(start + LONGEST_S * TIMESCALE, stop, LONGEST_S * TIMESCALE))
    if times and stop - times[-1] < SHORTEST_S * TIMESCALE:
        times.pop()
    return [*times, stop]


def chunks(cuts: Sequence[int], renditions: Sequence[str], chunk_s: float = CHUNK_S) -> tuple[Chunk, ...]:
    """The jobs, in the order that they should be begun; `renditions` highest first, `cuts` as `grid` gives them."""
    count = len(cuts) - 1
    if count <= 0 or not renditions:
        return ()
    whole = tuple(renditions)
    quick = _reach(cuts, 0, QUICK_S)
    shares = [Chunk(whole[-1:], 0, quick)]
    if len(whole) > 1:
        shares.append(Chunk(whole[:-1], 0, quick))
    first = quick + 1
    while first < count:
        last = _reach(cuts, first, chunk_s)
        shares.append(Chunk(whole, first, last))
        first = last + 1
    return tuple(shares)


def _reach(cuts: Sequence[int], first: int, seconds: float) -> int:
    """The last segment of a share that begins with `first`; a small rest is taken along."""
    count = len(cuts) - 1
    limit = cuts[first] + seconds * TIMESCALE
    last = first
    while last + 1 < count and cuts[last + 2] <= limit:
        last += 1
    return count - 1 if cuts[-1] - cuts[last + 1] < seconds * TIMESCALE / 4 else last
