"""When the other encoder takes over: a table."""

import pytest

from server.ingest import switch
from server.ingest.switch import Chosen, Steadiness, why_switch


@pytest.mark.parametrize(
    ("chosen", "standby", "steady_s", "expected"),
    [
        (None, "backup", 0.0, switch.LOST),
        (None, "primary", 0.0, switch.LOST),
        (Chosen("primary", 0.1, 0.0), "backup", 100.0, None),
        (Chosen("primary", 1.9, 0.0), "backup", 100.0, None),
        (Chosen("primary", 2.0, 0.0), "backup", 0.0, switch.SILENT),
        (Chosen("primary", 0.1, 3.9), "backup", 0.0, None),
        (Chosen("primary", 0.1, 4.0), "backup", 0.0, switch.KEYLESS),
        (Chosen("backup", 0.1, 0.0), "primary", 9.9, None),
        (Chosen("backup", 0.1, 0.0), "primary", 10.0, switch.STEADY),
        (Chosen("backup", 2.0, 0.0), "primary", 0.0, switch.SILENT),
    ],
)
def test_why_switch(chosen: Chosen | None, standby: switch.Role, steady_s: float, expected: str | None) -> None:
    assert why_switch(chosen, standby, steady_s) == expected


@pytest.mark.parametrize(
    ("heard", "now", "expected"),
    [
        ([], 5.0, 0.0),
        ([1.0], 5.0, 4.0),
        ([1.0, 3.0, 5.0], 5.0, 4.0),  # holes of exactly two seconds are none
        ([1.0, 3.1, 5.0], 5.0, 1.9),
        ([1.0, 2.0, 9.0], 9.0, 0.0),
    ],
)
def test_a_hole_begins_the_count_again(heard: list[float], now: float, expected: float) -> None:
    steadiness = Steadiness()

    for at in heard:
        steadiness.heard(at)

    assert steadiness.lasts_s(now) == pytest.approx(expected)
