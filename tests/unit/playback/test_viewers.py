"""How many watch at once, second by second."""

import pytest

from server.playback import viewers as module
from server.playback.viewers import IDLE_S, Viewers


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def viewers(clock: Clock) -> Viewers:
    return Viewers(clock)


def test_as_many_as_may_and_no_more(viewers: Viewers) -> None:
    assert viewers.admit("user", "ps1", "phone", 2, begins=True)
    assert viewers.admit("user", "ps2", "desk", 2, begins=True)
    assert not viewers.admit("user", "ps3", "tv", 2, begins=True)
    assert viewers.admit("user", "ps1", "phone", 2)  # who watches goes on
    assert viewers.admit("another", "ps4", "tv", 2, begins=True)


def test_who_stops_makes_room(viewers: Viewers, clock: Clock) -> None:
    viewers.admit("user", "ps1", "phone", 1, begins=True)
    clock.now += IDLE_S
    assert not viewers.admit("user", "ps2", "desk", 1, begins=True)

    clock.now += 1

    assert viewers.admit("user", "ps2", "desk", 1, begins=True)
    assert not viewers.admit("user", "ps1", "phone", 1)  # it comes back too late
    clock.now += IDLE_S + 1
    assert viewers.admit("user", "ps1", "phone", 1)


def test_a_page_that_is_loaded_again_takes_its_own_place(viewers: Viewers) -> None:
    viewers.admit("user", "ps1", "phone", 1, begins=True)

    assert viewers.admit("user", "ps2", "phone", 1, begins=True)
    assert not viewers.admit("user", "ps1", "phone", 1)  # or two pages would take turns
    assert viewers.admit("user", "ps2", "phone", 1)


def test_what_is_kept_is_bounded(viewers: Viewers, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NAMES_LIMIT", 2)
    viewers.admit("stopped", "ps1", "phone", 1)
    clock.now += IDLE_S + 1
    for name in "abc":
        viewers.admit(name, "ps1", "phone", 1)

    assert len(viewers) == 2
    assert viewers.forgotten == 1  # "a"; nobody of "stopped" watched
