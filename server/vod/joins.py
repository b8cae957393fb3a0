"""What is encoded where videos that are coded differently are joined. Pure.

    pictures   those like the first stay as they are; the others are encoded to its size, with bars beside them
    sound      of all alike it stays as it is; else all of it is encoded, with silence where a part has none

Encoded pictures share the first one's track, with parameter sets of their own: that goes where it is plain H.264. Else
all pictures are encoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any, Self

import orjson

from server.formats.avc_sets import MAX_ID
from server.media.containers import BY_NAME
from server.media.facts import PictureFacts, SourceFacts
from server.media.fitting import Box, scaled
from server.media.joins import PartFacts
from server.media.ladder import MAX_LINES, Rung, Source, Wish, rungs
from server.media.orders import RATES, TIMESCALE, PictureOrder, Reading
from server.media.problems import Unreadable
from server.vod import alterations, plan
from server.vod.alterations import Alteration

PICTURES = "pictures"
QUALITY = 18.0  # CRF: what is encoded here is encoded once more for the ladder
BITS = 2  # of the ceiling that the ladder gives a picture of this size
MOST_S = 24 * 3600  # of the whole: days of encoding
CHUNK_S = 60.0  # of pictures in a step: what a crash costs at most
STEREO = 2
ROUNDED_S = 0.001  # by which times in Matroska may be off: the picture at the very start is not to be lost


class CantJoin(Exception):
    """These can't be one video; `part` is the number of the one that is in the way."""

    def __init__(self, part: int, detail: str) -> None:
        super().__init__(detail)
        self.part = part
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Part:
    """One of the files, as it comes into the whole. Times are ticks of TIMESCALE."""

    start: int
    length: int
    start_s: float  # libav's time of what is shown first
    pictures: PictureOrder | None = None  # to be encoded; None: they are copied
    marked: bool = False  # its watermark lies beside its file
    sound: Reading | None = None  # where all sound is encoded; None: silence


@dataclass(frozen=True, slots=True)
class Join:
    parts: tuple[Part, ...]
    heard: bool  # there is sound
    sound: tuple[int, int] | None = None  # rate and channels that all sound is encoded with; None: it is copied

    @property
    def length(self) -> int:
        return sum(part.length for part in self.parts)

    @property
    def encoded_s(self) -> float:
        """Of pictures."""
        return sum(part.length for part in self.parts if part.pictures) / TIMESCALE

    @property
    def most_bytes(self) -> int:
        """That what is encoded may take."""
        coded = [(part.length, part.pictures.rungs[0].bitrate) for part in self.parts if part.pictures]
        return sum(length * bitrate // (8 * TIMESCALE) for length, bitrate in coded)

    def to_bytes(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def of_bytes(cls, data: bytes) -> Self:
        told = orjson.loads(data)
        return cls(tuple(map(_part, told["parts"])), told["heard"], told["sound"] and tuple(told["sound"]))


def _part(told: Mapping[str, Any]) -> Part:
    pictures, sound = told["pictures"], told["sound"]
    return Part(
        **{
            **told,
            "pictures": PictureOrder.of_json(pictures) if pictures else None,
            "sound": Reading(**sound) if sound else None,
        }
    )


def trimmed(
    parts: Sequence[PartFacts], spans: Sequence[tuple[float, float | None]], leads_s: Sequence[float]
) -> list[PartFacts]:
    """Stretches of one file, without what their files hold beyond what was asked for: those that are not MP4 begin with
    the key frame before, each so many seconds too early, and may end with pictures that earlier ones need
    (server/media/splicer.py). As they can't hide that, they are encoded."""
    found = []
    for part, (start_s, end_s), lead_s in zip(parts, spans, leads_s, strict=True):
        if part.fits_mp4:
            found.append(part)
            continue
        early_s = max(0.0, lead_s - ROUNDED_S)
        length = part.length - round(early_s * TIMESCALE)
        if end_s is not None:
            length = min(length, round((end_s - start_s) * TIMESCALE))
        hides = part.hides or part.pictures is not None
        found.append(replace(part, start_s=part.start_s + early_s, length=max(1, length), hides=hides))
    return found


def alike(parts: Sequence[PartFacts], altered: Sequence[Alteration]) -> bool:
    """Whether they can be copied one after the other as they are."""
    first = parts[0]
    return all(
        (part.pictures, part.sounds, part.hides, change) == (first.pictures, first.sounds, False, alterations.NONE)
        for part, change in zip(parts, altered, strict=True)
    )


def order(
    parts: Sequence[PartFacts], facts: Sequence[SourceFacts], altered: Sequence[Alteration], preset: str, threads: int
) -> Join:
    """Raises CantJoin."""
    for number, each in enumerate(facts):
        if each.mended:  # its length is that of its longest run: what comes before or behind would be lost
            raise CantJoin(number, "its clock begins anew in the middle")
    if sum(part.length for part in parts) > MOST_S * TIMESCALE:
        raise CantJoin(len(parts) - 1, f"the whole would be longer than {MOST_S // 3600} hours")
    pictures = _pictures(parts, facts, altered, preset, threads)
    heard = any(each.sounds for each in facts)  # what can be decoded
    copied = heard and _same_sound(parts)
    starts = accumulate((part.length for part in parts), initial=0)
    return Join(
        tuple(
            Part(
                start,
                part.length,
                part.start_s,
                coded,
                coded is not None and coded.treatment.watermark is not None,
                _sound(part, told) if heard and not copied else None,
            )
            for start, part, told, coded in zip(starts, parts, facts, pictures, strict=False)
        ),
        heard,
        _sound_settings(facts) if heard and not copied else None,
    )


def _same_sound(parts: Sequence[PartFacts]) -> bool:
    """Of the first tracks; where pictures are hidden, so may sound be."""
    first = parts[0].sounds[:1]
    return bool(first) and all(part.sounds[:1] == first and not part.hides and part.fits_mp4 for part in parts)


def _sound(part: PartFacts, facts: SourceFacts) -> Reading | None:
    if not facts.sounds:
        return None
    return Reading(BY_NAME[facts.container].demuxer, facts.sounds[0].stream, part.start_s)


def _sound_settings(facts: Sequence[SourceFacts]) -> tuple[int, int]:
    """As the first that is heard."""
    first = next(each.sounds[0] for each in facts if each.sounds)
    return first.sample_rate if first.sample_rate in RATES else RATES[0], min(STEREO, max(1, first.channels))


def _pictures(
    parts: Sequence[PartFacts], facts: Sequence[SourceFacts], altered: Sequence[Alteration], preset: str, threads: int
) -> list[PictureOrder | None]:
    """What is encoded of each. Raises CantJoin."""
    shown = [each.picture for each in facts]
    if not any(shown):
        return [None] * len(parts)
    if None in shown:
        raise CantJoin(shown.index(None), "it has no pictures, and others have")
    pictures = [each for each in shown if each is not None]
    size = _size(pictures[0], altered[0])
    model = next((n for n, part in enumerate(parts) if _stays(part, pictures[n], altered[n], size)), None)
    taken = set(parts[model].sets or ()) if model is not None else set()
    free = [number for number in range(MAX_ID + 1) if number not in taken]
    looks: dict[tuple[Any, ...], int] = {}
    rung = _rung(size, pictures[0])
    orders: list[PictureOrder | None] = []
    for number, (part, told, picture, change) in enumerate(zip(parts, facts, pictures, altered, strict=True)):
        if model is not None and part.pictures == parts[model].pictures and _stays(part, picture, change, size):
            orders.append(None)
            continue
        look = (
            picture.codec, picture.pixel_format, picture.full_range, picture.primaries, picture.transfer, picture.space,
        )  # fmt: skip
        if look not in looks and len(looks) == len(free):
            raise CantJoin(number, "their pictures are of too many kinds")
        sets = looks.setdefault(look, free[len(looks) % len(free)])
        try:
            orders.append(_coded(part, told, picture, change, rung, sets, preset, threads))
        except Unreadable as error:
            raise CantJoin(number, error.detail) from None
    return orders


def _stays(part: PartFacts, picture: PictureFacts, change: Alteration, size: tuple[int, int]) -> bool:
    """Whether its pictures can be copied, and others be encoded to go with them."""
    plain = picture.rotation == 0 and picture.sar == (1, 1) and change == alterations.NONE
    return plain and part.sets is not None and not part.hides and (picture.width, picture.height) == size


def _size(picture: PictureFacts, change: Alteration) -> tuple[int, int]:
    """Of the whole: as the first is shown. Raises CantJoin."""
    try:
        width, height = alterations.size(picture, change.of(plan.treatment_of(picture), picture))
    except Unreadable as error:
        raise CantJoin(0, error.detail) from None
    return max(2, round(width / 2) * 2), max(2, round(height / 2) * 2)


def _rung(size: tuple[int, int], first: PictureFacts) -> Rung:
    lines = min(*size, MAX_LINES)
    usual = rungs(Source(*size, frame_rate=first.frame_rate), [Wish(lines)])[0]
    return replace(
        usual, name=PICTURES, width=size[0], height=size[1], sar=(1, 1), bitrate=usual.bitrate * BITS, divisor=1,
        frame_rate=first.frame_rate,
    )  # fmt: skip


def _coded(
    part: PartFacts, facts: SourceFacts, picture: PictureFacts, change: Alteration, rung: Rung, sets: int, preset: str,
    threads: int,
) -> PictureOrder:  # fmt: skip
    """Raises Unreadable."""
    treatment = change.of(plan.treatment_of(picture), picture)
    inside = scaled(alterations.size(picture, treatment), Box(rung.width, rung.height, "pad"))
    inside = min(inside[0], rung.width), min(inside[1], rung.height)
    return PictureOrder(
        reading=Reading(BY_NAME[facts.container].demuxer, picture.stream, part.start_s),
        rungs=(rung,),
        cuts=plan.grid(part.length),
        first=0,
        treatment=replace(treatment, inside=inside),
        preset=preset,
        quality=QUALITY,
        threads=threads,
        sets=sets,
    )


def chunks(whole: PictureOrder, chunk_s: float = CHUNK_S) -> list[PictureOrder]:
    """The same in steps, each of whole segments."""
    found, first, count = [], 0, len(whole.cuts) - 1
    while first < count:
        limit = whole.cuts[first] + chunk_s * TIMESCALE
        last = first
        while last + 1 < count and whole.cuts[last + 2] <= limit:
            last += 1
        found.append(replace(whole, cuts=whole.cuts[first : last + 2], first=first))
        first = last + 1
    return found
