"""How many playlists are open."""

import pytest

from server.ingest.health import pollers
from server.ingest.health.pollers import Pollers


def test_each_is_counted_once_and_forgotten_after_two_periods() -> None:
    seen = Pollers()
    for at in range(100, 110):
        seen.seen(1, at)
        seen.seen(2, at)
    seen.seen(3, 112)

    assert seen.count(112) == 3
    seen.seen(3, 121)
    assert seen.count(123) == 1
    assert seen.count(160) == 0


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pollers, "MOST", 3)
    seen = Pollers()
    for who in range(10):
        seen.seen(who, 100.0)

    assert seen.count(100.0) == 3
