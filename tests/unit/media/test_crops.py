"""Crops: of the picture that is seen, found in the one that is coded."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.crops import LEAST, Area, Crop, size
from server.media.facts import PictureFacts
from server.media.problems import Unreadable

WIDE = PictureFacts(0, "h264", 1280, 720)
QUARTER = Crop(left="50%", top="0px", width="50%", height="50%")  # the right upper one
NARROW = replace(WIDE, width=720, sar=(16, 9))  # of a DVD: shown as 1280


@pytest.mark.parametrize(
    ("picture", "crop", "area", "shown"),
    [
        (WIDE, QUARTER, (640, 0, 640, 360), (640, 360)),
        (WIDE, Crop("100%", "100%"), (0, 0, 1280, 720), (1280, 720)),
        (WIDE, Crop("1280px", "720px"), (0, 0, 1280, 720), (1280, 720)),
        (WIDE, Crop(left="33.333%", width="66.667%", height="100%"), (426, 0, 854, 720), (854, 720)),
        (WIDE, Crop(left="101px", top="3px", width="99px", height="51px"), (100, 4, 100, 52), (100, 52)),
        (replace(WIDE, width=1279, height=719), Crop("100%", "100%"), (0, 0, 1278, 718), (1278, 718)),
        # turned, as telephones hold it: the right upper quarter of what is seen lies elsewhere in the file
        (replace(WIDE, rotation=90), QUARTER, (0, 0, 640, 360), (360, 640)),
        (replace(WIDE, rotation=180), QUARTER, (0, 360, 640, 360), (640, 360)),
        (replace(WIDE, rotation=270), QUARTER, (640, 360, 640, 360), (360, 640)),
        (NARROW, QUARTER, (360, 0, 360, 360), (640, 360)),
        (NARROW, Crop(left="640px", width="640px", height="360px"), (360, 0, 360, 360), (640, 360)),
        (replace(NARROW, rotation=90), QUARTER, (0, 0, 360, 360), (360, 640)),
    ],
)  # fmt: skip
def test_areas(picture: PictureFacts, crop: Crop, area: tuple[int, ...], shown: tuple[int, int]) -> None:
    found = crop.coded(picture)
    assert found == area
    assert size(picture, found) == shown


def test_without_one_all_is_shown() -> None:
    assert size(replace(NARROW, rotation=90), None) == (720, 1280)


@pytest.mark.parametrize(
    ("crop", "detail"),
    [
        (Crop(left="1000px", width="281px", height="10%"),
         "crop.left 1000px and crop.width 281px are more than the picture's 1280 pixels"),
        (Crop(top="50%", width="10%", height="361px"),
         "crop.top 50% and crop.height 361px are more than the picture's 720 pixels"),
        (Crop(width="1%", height="100%"),
         "crop.width and crop.height leave 12 x 720 pixels, which are less than 16 x 16"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_by_its_name(crop: Crop, detail: str) -> None:
    with pytest.raises(Unreadable) as told:
        crop.coded(WIDE)
    assert (told.value.code, told.value.detail) == ("crop", detail)


SHARES = st.integers(0, 100)
SIDES = st.integers(2, 8192)


@given(SIDES, SIDES, st.sampled_from([0, 90, 180, 270]), st.tuples(SHARES, SHARES, SHARES, SHARES))
def test_areas_lie_in_the_picture(width: int, height: int, rotation: int, shares: tuple[int, ...]) -> None:
    picture = PictureFacts(0, "h264", width, height, rotation=rotation)
    left, top, across, down = (f"{share}%" for share in shares)
    try:
        area = Crop(left=left, top=top, width=across, height=down).coded(picture)
    except Unreadable:
        return
    assert all(value % 2 == 0 for value in area)
    assert min(area.width, area.height) >= LEAST
    assert area == Area(*area)
    assert 0 <= area.x <= width - area.width
    assert 0 <= area.y <= height - area.height
