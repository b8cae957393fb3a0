"""What filters make of plain pictures, told by the colour of points."""

from fractions import Fraction

import av.logging
import pytest
from av.video.frame import VideoFrame

from server.media.ladder import Rung
from server.media.orders import Treatment
from server.media.treating import Treater, cropped
from server.media.watermarks import Watermark

LARGE = Rung("180p", 320, 180, (1, 1), 1, 1, 30.0)
SMALL = Rung("90p", 160, 90, (1, 1), 1, 1, 30.0)
RED = b"\xff\x00\x00\xff"
AS_RED = (63, 102, 240)  # in BT.709
MIDDLE = (160, 90)


def picture(pixels: str, *planes: bytes, size: tuple[int, int] = (320, 180)) -> VideoFrame:
    """All of one colour; a plane by what is repeated in it."""
    frame = VideoFrame(*size, pixels)
    for plane, value in zip(frame.planes, planes, strict=True):
        plane.update(value * (plane.buffer_size // len(value)))
    frame.pts, frame.time_base = 0, Fraction(1, 90_000)
    return frame


def grey(level: int) -> VideoFrame:
    return picture("yuv420p", bytes([level]), b"\x80", b"\x80")


def ten_bits(level: int, size: tuple[int, int] = (320, 180)) -> VideoFrame:
    return picture("yuv420p10le", *(value.to_bytes(2, "little") for value in (level, 512, 512)), size=size)


def treated(frame: VideoFrame, treatment: Treatment, image: VideoFrame | None = None) -> list[VideoFrame]:
    av.logging.set_level(None)
    shape = (frame.width, frame.height, frame.format.name)
    treater = Treater(shape, (LARGE, SMALL), treatment, "yuv420p", image)
    found = [*treater.treat(frame), *treater.treat(None)]
    assert len(found) == 1
    assert [(each.width, each.height) for each in found[0]] == [(320, 180), (160, 90)]
    assert {each.format.name for each in found[0]} == {"yuv420p"}
    return found[0]


def at(frame: VideoFrame, x: int, y: int) -> tuple[int, ...]:
    luma, *chroma = frame.planes
    points = [(luma, x, y), *((plane, x // 2, y // 2) for plane in chroma)]
    return tuple(bytes(plane)[row * plane.line_size + column] for plane, column, row in points)


def colours(frame: VideoFrame) -> tuple[int, int, int]:
    return int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (picture("yuva420p", b"\xc8", b"\x80", b"\x80", b"\x80"), (108, 128, 128)),  # 16 + (200 - 16) / 2
        (picture("rgba", b"\xff\xff\xff\x80"), (126, 128, 128)),
        (picture("rgba", b"\xff\xff\xff\x00"), (16, 128, 128)),
        (picture("gbrp", b"\x00", b"\x00", b"\xff"), AS_RED),
        (picture("yuvj420p", b"\xff", b"\x80", b"\x80"), (235, 128, 128)),
        (grey(100), (100, 128, 128)),
    ],
)
def test_pixels_that_players_do_not_show(frame: VideoFrame, expected: tuple[int, int, int]) -> None:
    for made in treated(frame, Treatment()):
        assert at(made, made.width // 2, made.height // 2) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("hdr", "level", "luma"),
    [
        ("pq", 64, (16, 16)), ("pq", 573, (208, 218)), ("pq", 940, (235, 236)),
        ("hlg", 64, (16, 16)), ("hlg", 721, (208, 218)), ("hlg", 940, (235, 236)),
    ],
)  # fmt: skip
def test_high_dynamic_range_is_toned_down(hdr: str, level: int, luma: tuple[int, int]) -> None:
    """Black, paper white (BT.2408: 58 % of PQ, 75 % of HLG) and the brightest there is."""
    for made in treated(ten_bits(level), Treatment(hdr="pq" if hdr == "pq" else "hlg")):
        seen = at(made, made.width // 2, made.height // 2)
        assert luma[0] <= seen[0] <= luma[1]
        assert seen[1:] == pytest.approx((128, 128), abs=1)
        assert colours(made) == (1, 1, 1)


@pytest.mark.parametrize(
    ("mark", "inside", "outside"),
    [
        (Watermark(left="0px", top="0px"), (5, 5), (60, 30)),
        (Watermark(right="0px", bottom="0px", width="50%"), (310, 170), (155, 170)),
        (Watermark(left="10px", top="10px", width="20px", height="20px"), (20, 20), (5, 5)),
    ],
)
def test_a_watermark_is_where_it_should_be(
    mark: Watermark, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    large, small = treated(grey(128), Treatment(watermark=mark), picture("rgba", RED, size=(40, 20)))
    assert at(large, *inside)[2] > 230
    assert at(large, *outside)[2] == pytest.approx(128, abs=2)
    assert at(small, inside[0] // 2, inside[1] // 2)[2] > 220


def test_a_watermark_shines_through() -> None:
    mark = Watermark(left="0px", top="0px", opacity=0.5)
    large, _ = treated(grey(128), Treatment(watermark=mark), picture("rgb24", RED[:3], size=(40, 20)))
    assert at(large, 10, 10)[2] == pytest.approx((128 + 238) / 2, abs=4)


def test_all_at_once() -> None:
    """The watermark is not turned with the picture, nor are its colours toned down."""
    treatment = Treatment(rotation=90, hdr="pq", watermark=Watermark(left="0px", top="0px"))
    large, _ = treated(ten_bits(573, size=(180, 320)), treatment, picture("rgba", RED, size=(40, 20)))
    assert at(large, 10, 10) == pytest.approx(AS_RED, abs=3)
    assert 208 <= at(large, *MIDDLE)[0] <= 218


@pytest.mark.parametrize(
    ("size", "area"), [((320, 180), (160, 0, 160, 180)), ((640, 360), (320, 0, 320, 360)), ((100, 60), (50, 0, 50, 60))]
)
def test_pictures_that_change_their_size_show_the_same_part(size: tuple[int, int], area: tuple[int, ...]) -> None:
    half = Treatment(crop=(160, 0, 160, 180), coded=(320, 180))
    assert cropped(half, size) == area
    frame = VideoFrame(*size, "yuv420p")
    for plane, dark, light in zip(frame.planes, (16, 128, 128), (200, 128, 128), strict=True):
        row = bytes([dark]) * (plane.width // 2)
        plane.update(row.ljust(plane.line_size, bytes([light])) * plane.height)
    frame.pts, frame.time_base = 0, Fraction(1, 90_000)
    assert min(bytes(treated(frame, half)[0].planes[0])[:320]) > 190


def test_a_marks_pixels_are_those_of_the_source_whatever_its_pictures_become() -> None:
    mark = Treatment(lines=180, watermark=Watermark(left="0px", top="0px", width="80px", height="40px"))
    for size in ((320, 180), (640, 360)):
        frame = picture("yuv420p", b"\x80", b"\x80", b"\x80", size=size)
        large, _ = treated(frame, mark, picture("rgba", RED, size=(40, 20)))
        assert at(large, 75, 35)[2] > 230
        assert at(large, 85, 45)[2] == pytest.approx(128, abs=2)


def test_every_picture_is_marked() -> None:
    av.logging.set_level(None)
    mark = Treatment(watermark=Watermark(left="0px", top="0px"))
    treater = Treater((320, 180, "yuv420p"), (SMALL,), mark, "yuv420p", picture("rgba", RED, size=(40, 20)))
    found = []
    for number in range(5):
        frame = grey(128)
        frame.pts = number * 3000
        found += list(treater.treat(frame))
    found += list(treater.treat(None))
    assert [made.pts for made, in found] == [0, 3000, 6000, 9000, 12000]
    assert all(at(made, 3, 3)[2] > 220 for made, in found)
