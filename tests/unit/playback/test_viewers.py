"""How many watch at once, second by second."""

from typing import Any

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


def test_of_a_devices_own_places_the_oldest_is_taken(viewers: Viewers, clock: Clock) -> None:
    for session, device in (("ps1", "desk"), ("ps2", "phone"), ("ps3", "phone")):
        viewers.admit("user", session, device, 3, begins=True)
    clock.now += 1
    viewers.admit("user", "ps2", "phone", 3)

    assert viewers.admit("user", "ps4", "phone", 3, begins=True)
    assert not viewers.admit("user", "ps3", "phone", 3)
    assert all(viewers.admit("user", session, device, 3) for session, device in (("ps1", "desk"), ("ps2", "phone")))


def test_a_limit_that_nobody_keeps_to(viewers: Viewers, clock: Clock) -> None:
    viewers.admit("user", "ps1", "phone", 1)
    clock.now += IDLE_S + 1

    assert not viewers.admit("user", "ps2", "phone", 0, begins=True)
    assert (len(viewers), viewers.sessions) == (0, 0)


def test_who_stopped_is_dropped_though_nobody_asks_for_the_place(viewers: Viewers, clock: Clock) -> None:
    for number in range(100):
        viewers.admit(number, "ps1", "phone", 2)
        viewers.admit("busy", f"ps{number}", "phone", 1000)
    clock.now += IDLE_S + 1

    for _ in range(2):
        viewers.admit("busy", "ps100", "phone", 1000)

    assert (len(viewers), viewers.sessions) == (1, 1)


def test_a_refusal_looks_at_nobody_else(viewers: Viewers, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(dict[int, Any]):
        def __iter__(self) -> Any:
            raise AssertionError

        items = values = __iter__

    for number in range(1000):
        viewers.admit("user", f"ps{number}", number, 1000)
    found = viewers._watching["user"]
    found.devices = Watched(found.devices)

    assert not viewers.admit("user", "ps1000", "new", 1000, begins=True)
    assert viewers.admit("user", "ps1001", 500, 1000, begins=True)
    assert not viewers.admit("user", "ps500", 500, 1000)


def test_what_is_kept_is_bounded(viewers: Viewers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS_LIMIT", 4)
    for name in "abc":
        for session in ("ps1", "ps2"):
            viewers.admit(name, session, "phone" * 1000, 2)

    assert (len(viewers), viewers.sessions) == (2, 4)
    assert viewers.forgotten == 1  # "a"
    assert all(seen.device == hash("phone" * 1000) for seen in viewers._watching["b"].sessions.values())
