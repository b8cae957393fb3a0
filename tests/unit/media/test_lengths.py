"""Lengths as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.lengths import LengthError, parsed, pixels


@pytest.mark.parametrize(
    ("text", "side", "scale", "expected"),
    [("20px", 1280, 1.0, 20), ("20px", 640, 0.5, 10), ("5%", 640, 0.5, 32), ("0.5%", 1000, 1, 5), ("0px", 9, 1, 0)],
)
def test_pixels(text: str, side: int, scale: float, expected: float) -> None:
    assert pixels(text, side, scale) == expected


@pytest.mark.parametrize(
    "text", ["", "20", "-5px", "1e9px", "٣px", "100000px", "5 %", "5%\n", "px", "0.1234%", "5%px", "initial"]
)
def test_refused(text: str) -> None:
    with pytest.raises(LengthError):
        parsed(text)


@given(st.text(max_size=12))
def test_whatever_is_written_is_a_length_or_said_to_be_none(text: str) -> None:
    try:
        value, _ = parsed(text)
    except LengthError:
        return
    assert 0 <= value < 100_000
