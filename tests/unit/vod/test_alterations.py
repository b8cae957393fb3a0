"""What a video's owner wants done to its pictures, as a treatment of them."""

from dataclasses import replace

import pytest

from server.catalog.models import Video
from server.media.crops import Crop
from server.media.facts import PictureFacts, SourceFacts
from server.media.orders import Treatment
from server.media.problems import Unreadable
from server.media.watermarks import Watermark
from server.vod import alterations, plan
from server.vod.alterations import NONE, Alteration
from server.vod.plan import Plan, Shown

PICTURE = PictureFacts(0, "h264", 1920, 1080, frame_rate=30.0, bit_rate=6_000_000)
FACTS = SourceFacts("MP4", 10.0, picture=PICTURE)
LADDER = (1080, 720, 480, 360, 240)
MARK = {"id": "watermark_1", "left": None, "right": "10px", "top": None, "bottom": "10px", "width": "20%",
        "height": "initial", "opacity": 0.7}  # fmt: skip


def test_a_rows_columns_become_values() -> None:
    row = Video(crop={"left": "1px", "top": "0px", "width": "50%", "height": "50%"}, watermark=MARK)
    found = Alteration.of_video(row)
    assert found.crop == Crop("50%", "50%", "1px", "0px")
    assert found.watermark == Watermark(right="10px", bottom="10px", width="20%", opacity=0.7)
    assert row.altered
    assert Alteration.of_video(Video()) == NONE
    assert not Video().altered


def test_it_is_added_to_what_is_done_anyway() -> None:
    anyway = Treatment(rotation=90, interlaced=True, hdr="pq")
    found = Alteration(Crop("50%", "100%"), Watermark()).of(anyway, replace(PICTURE, rotation=90))
    assert (found.rotation, found.interlaced, found.hdr) == (90, True, "pq")
    assert found.crop == (0, 540, 1920, 540)  # its left half, lying
    assert (found.coded, found.lines) == ((1920, 1080), 1920)
    assert found.watermark == Watermark()
    assert NONE.of(anyway, PICTURE) == anyway


def test_a_ladder_goes_by_what_is_shown_of_the_picture() -> None:
    shown = Shown(frozenset())  # the source itself is not
    made = plan.of_source(FACTS, LADDER, "mov", shown, Alteration(crop=Crop("50%", "50%")))
    assert [(rung.name, rung.width, rung.height) for rung in made.rungs] == [
        ("540p", 960, 540), ("480p", 854, 480), ("360p", 640, 360), ("240p", 426, 240),
    ]  # fmt: skip
    assert made.treatment.crop == (0, 0, 960, 540)
    assert Plan.of_bytes(made.to_bytes()) == made
    upright = plan.of_source(FACTS, LADDER, "mov", shown, Alteration(crop=Crop("607px", "100%")))
    assert (upright.rungs[0].width, upright.rungs[0].height) == (608, 1080)


def test_a_mark_changes_no_sizes() -> None:
    made = plan.of_source(FACTS, LADDER, "mov", Shown(frozenset()), Alteration(watermark=Watermark()))
    assert made.renditions == ("1080p", "720p", "480p", "360p", "240p")
    assert Plan.of_bytes(made.to_bytes()) == made


def test_without_a_ladder_there_is_one_of_the_pictures_own_size() -> None:
    made = plan.of_source(FACTS, (), "mov", Shown(frozenset()), Alteration(crop=Crop("50%", "50%")))
    assert made.renditions == ("540p",)


def test_what_can_not_be_done_is_said_before_anything_is() -> None:
    with pytest.raises(Unreadable, match=r"crop\.left 50% and crop\.width 1000px are more"):
        Alteration(Crop("1000px", "50%", left="50%")).check(PICTURE)
    Alteration(Crop("1000px", "50%", left="50%")).check(None)  # sound alone


def test_sizes() -> None:
    assert alterations.size(PICTURE, Treatment()) == (1920, 1080)
    assert alterations.size(PICTURE, Treatment(crop=(0, 0, 100, 50))) == (100, 50)
