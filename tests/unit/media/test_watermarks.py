"""Where watermarks lie."""

import pytest

from server.media.lengths import LengthError
from server.media.watermarks import Place, Watermark, place

PICTURE, IMAGE = (1280, 720), (200, 100)


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (Watermark(), Place(0, 0, 200, 100)),
        (Watermark(left="20px", top="10px"), Place(20, 10, 200, 100)),
        (Watermark(right="20px", bottom="10px"), Place(1060, 610, 200, 100)),
        (Watermark(right="0px", bottom="0px", width="50%"), Place(640, 400, 640, 320)),
        (Watermark(left="5%", top="5%", height="10%"), Place(64, 36, 144, 72)),
        (Watermark(width="100px", height="100px"), Place(0, 0, 100, 100)),
        (Watermark(left="50%", right="0px"), Place(640, 0, 200, 100)),  # what is said first holds
        (Watermark(width="99999px", height="99999px"), Place(0, 0, 1280, 720)),
        (Watermark(left="99999px", width="0px"), Place(99999, 0, 1, 1)),
        (Watermark(left="initial", right="initial"), Place(0, 0, 200, 100)),
    ],
)
def test_places(mark: Watermark, expected: Place) -> None:
    assert place(mark, PICTURE, IMAGE) == expected


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (Watermark(width="99999px"), Place(0, 0, 1280, 640)),
        (Watermark(height="100%"), Place(0, 0, 1280, 640)),
        (Watermark(right="0px", bottom="0px"), Place(0, 80, 1280, 640)),
    ],
)
def test_one_that_is_too_large_keeps_its_shape(mark: Watermark, expected: Place) -> None:
    assert place(mark, PICTURE, (4000, 2000)) == expected


def test_pixels_are_those_of_the_source() -> None:
    assert place(Watermark(right="40px", width="20%"), (640, 360), IMAGE, 0.5) == Place(492, 0, 128, 64)


@pytest.mark.parametrize("mark", [Watermark(left="20"), Watermark(height="-5px"), Watermark(bottom="")])
def test_refused(mark: Watermark) -> None:
    with pytest.raises(LengthError):
        place(mark, PICTURE, IMAGE)
