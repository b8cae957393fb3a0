"""What is encoded of videos that are joined."""

from dataclasses import replace

import pytest

from server.media.facts import PictureFacts, SoundFacts, SourceFacts
from server.media.joins import PartFacts, StreamFacts
from server.media.orders import TIMESCALE
from server.vod.alterations import NONE, Alteration
from server.vod.joins import CantJoin, Join, alike, chunks, order, trimmed

PICTURE = PictureFacts(0, "h264", 320, 180, frame_rate=30.0, pixel_format="yuv420p")
SOUND = SoundFacts(1, "aac", 2, 48_000)
FACTS = SourceFacts("MP4", 4.0, picture=PICTURE, sounds=(SOUND,))
PART = PartFacts(StreamFacts("h264 320×180 (1)", "a"), (StreamFacts("aac", "b"),), 0.0, 4 * TIMESCALE, sets=(0,))
OTHER = replace(PART, pictures=StreamFacts("h264 320×180 (1)", "c"), sets=(0,))
CROPPED = Alteration.of_columns({"width": "160px", "height": "90px"}, None)


def ordered(
    *parts: PartFacts, facts: tuple[SourceFacts, ...] = (), altered: tuple[Alteration, ...] = ()
) -> Join:
    told, changes = facts or (FACTS,) * len(parts), altered or (NONE,) * len(parts)
    return order(parts, told, changes, "veryfast", 0)


def encoded(join: Join) -> list[bool]:
    return [part.pictures is not None for part in join.parts]


def test_only_what_differs_is_encoded_with_sets_of_its_own() -> None:
    join = ordered(PART, OTHER, PART)
    assert encoded(join) == [False, True, False]
    assert [part.start for part in join.parts] == [0, 4 * TIMESCALE, 8 * TIMESCALE]
    (pictures,) = [part.pictures for part in join.parts if part.pictures]
    assert (pictures.sets, pictures.rungs[0].width, pictures.rungs[0].height) == (1, 320, 180)
    assert (join.sound, join.heard) == (None, True)  # copied
    assert Join.of_bytes(join.to_bytes()) == join


@pytest.mark.parametrize(
    ("parts", "altered", "same"),
    [
        ((PART, PART), (NONE, NONE), True),
        ((PART, OTHER), (NONE, NONE), False),
        ((PART, PART), (NONE, CROPPED), False),
        ((PART, replace(PART, hides=True)), (NONE, NONE), False),
        ((replace(PART, hides=True), PART), (NONE, NONE), False),
        ((PART, replace(PART, sounds=())), (NONE, NONE), False),
    ],
)
def test_what_is_copied_as_it_is(
    parts: tuple[PartFacts, ...], altered: tuple[Alteration, ...], same: bool
) -> None:
    assert alike(parts, altered) is same


def test_what_a_stretch_s_file_holds_beyond_it_is_not_shown() -> None:
    foreign = replace(PART, fits_mp4=False, sets=None, start_s=0.5)
    parts = trimmed([PART, foreign, foreign], [(0.0, 4.0), (6.0, 8.5), (9.0, None)], [0.0, 1.0, 0.0])
    assert parts[0] == PART
    early, last = parts[1:]
    assert (early.start_s, early.length, early.hides) == (pytest.approx(1.5, abs=0.002), 2.5 * TIMESCALE, True)
    assert last == replace(foreign, hides=True)
    assert encoded(ordered(*parts)) == [False, True, True]
    assert trimmed([foreign], [(6.0, None)], [1.0])[0].length == pytest.approx(3 * TIMESCALE, abs=TIMESCALE // 500)
    heard = replace(foreign, pictures=None)
    assert trimmed([heard], [(0.0, 1.0)], [0.0]) == [replace(heard, length=TIMESCALE)]


def test_other_pictures_are_fitted_into_the_first_ones() -> None:
    upright = replace(FACTS, picture=replace(PICTURE, width=640, height=360, rotation=90))
    join = ordered(PART, OTHER, facts=(FACTS, upright))
    pictures = join.parts[1].pictures
    assert pictures
    assert (pictures.treatment.rotation, pictures.treatment.inside) == (90, (102, 180))


@pytest.mark.parametrize(
    "first",
    [
        replace(PART, sets=None),  # no plain H.264
        replace(PART, hides=True),
    ],
)
def test_all_are_encoded_where_none_can_be_gone_by(first: PartFacts) -> None:
    join = ordered(first, replace(OTHER, sets=None))
    assert encoded(join) == [True, True]
    assert {part.pictures.sets for part in join.parts if part.pictures} == {0}


def test_one_that_is_altered_gives_its_size_and_is_encoded() -> None:
    join = ordered(PART, PART, altered=(CROPPED, NONE))
    assert encoded(join) == [True, True]
    assert [part.pictures.rungs[0].width for part in join.parts if part.pictures] == [160, 160]
    assert encoded(ordered(PART, PART, altered=(NONE, CROPPED))) == [False, True]


def test_all_sound_is_encoded_where_one_has_none_or_another() -> None:
    silent, mute = replace(PART, sounds=()), replace(FACTS, sounds=())
    join = ordered(PART, silent, facts=(FACTS, mute))
    assert join.sound == (48_000, 2)
    assert [part.sound is not None for part in join.parts] == [True, False]
    assert ordered(silent, silent, facts=(mute, mute)).heard is False
    odd = replace(FACTS, sounds=(replace(SOUND, sample_rate=32_000, channels=6),))
    assert ordered(silent, PART, facts=(mute, odd)).sound == (48_000, 2)


def test_what_cannot_be_joined() -> None:
    with pytest.raises(CantJoin, match="no pictures") as caught:
        ordered(PART, replace(PART, pictures=None), facts=(FACTS, replace(FACTS, picture=None)))
    assert caught.value.part == 1
    with pytest.raises(CantJoin, match="24 hours"):
        ordered(PART, replace(OTHER, length=86_400 * TIMESCALE))
    with pytest.raises(CantJoin, match="crop"):
        ordered(PART, PART, altered=(NONE, Alteration.of_columns({"width": "400px", "height": "90px"}, None)))


def test_steps_are_whole_segments() -> None:
    pictures = ordered(PART, replace(OTHER, length=130 * TIMESCALE)).parts[1].pictures
    assert pictures
    found = chunks(pictures, 60)
    assert [(each.first, each.last) for each in found] == [(0, 29), (30, 59), (60, 64)]
    assert [each.cuts[0] for each in found[1:]] == [each.cuts[-1] for each in found[:-1]]


def test_a_clock_that_begins_anew_is_said_in_place_of_losing_what_is_behind() -> None:
    with pytest.raises(CantJoin, match="begins anew") as caught:
        ordered(PART, OTHER, facts=(FACTS, replace(FACTS, mended=True)))
    assert caught.value.part == 1


def test_sound_that_nobody_can_decode_is_no_sound() -> None:
    mute = replace(FACTS, sounds=())
    other = replace(OTHER, sounds=(StreamFacts("opus", "x"),))
    join = ordered(PART, other, facts=(mute, mute))
    assert (join.heard, join.sound, [part.sound for part in join.parts]) == (False, None, [None, None])
