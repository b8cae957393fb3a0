"""The tables of the benchmarks, and their settings."""

import pytest

from tests.bench.bench import Settings
from tests.bench.report import Figure, number, quantile, table


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (0.2187, "0.219"), (9.994, "9.99"), (47.68, "47.7"), (2312.4, "2,312")],
)
def test_numbers_have_three_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "least", "reached"),
    [(1.0, False, True), (2.0, False, True), (2.1, False, False), (1.0, True, False), (2.0, True, True)],
)
def test_a_target_is_a_most_or_a_least(value: float, least: bool, reached: bool) -> None:
    assert Figure("a", value, "s", target=2.0, least=least).reached is reached


def test_a_table_is_aligned_and_gives_ratios() -> None:
    figures = [Figure("short", 1.0, "s", target=2.0), Figure("a longer one", 300.0, "MiB", peer=100.0)]
    lines = table(figures).splitlines()

    assert "0.50" in lines[2]
    assert "ok" in lines[2]
    assert "3.00" in lines[3]
    assert lines[2].index("1.00") + len("1.00") == lines[3].index("300") + len("300")


def test_nothing_has_no_quantile() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([], 0.5) != quantile([], 0.5)


def test_settings_are_changed_by_name() -> None:
    changed = Settings().quick().changed(["density=7", "tus_mib=64", "streams=1,2"])

    assert (changed.density, changed.tus_mib, changed.streams) == (7.0, 64, "1,2")
    with pytest.raises(ValueError, match="no_such"):
        Settings().changed(["no_such=1"])
