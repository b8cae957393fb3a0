"""Waits grow, spread, and begin anew."""

import random

import pytest

from server.protocols.backoff import Backoff, Pace


class Middle(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_it_doubles_up_to_the_longest_and_begins_anew_after_a_good_connection() -> None:
    backoff = Backoff(Pace(1, 8, 60, 20), Middle())
    assert [backoff.wait_s(0, lasting=False) for _ in range(5)] == [1, 2, 4, 8, 8]
    assert backoff.wait_s(0, lasting=True) == 60
    assert backoff.wait_s(19, lasting=False) == 8
    assert backoff.wait_s(20, lasting=False) == 1


def test_it_spreads() -> None:
    waits = [Backoff(Pace(), random.Random(seed)).wait_s(0, lasting=False) for seed in range(50)]
    assert min(waits) == pytest.approx(0.8, abs=0.05)
    assert max(waits) == pytest.approx(1.2, abs=0.05)
