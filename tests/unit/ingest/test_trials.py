"""Broadcasts of sandboxes end; nobody is asked while there are none."""

from types import SimpleNamespace

import pytest

from server.errors import Problem
from server.ingest.trials import OVER, Trials


class OnAir:
    """What is on air, by the states of its broadcasts."""

    def __init__(self, *states, refuses=False):
        self._states, self._refuses, self.completed = states, refuses, []

    def all(self):
        return [SimpleNamespace(state=state) for state in self._states]

    async def complete(self, live_stream_id, reason):
        self.completed.append((live_stream_id, reason))
        if self._refuses:
            raise Problem("unavailable")
        return True


class Looking(Trials):
    """It finds two that have lasted too long."""

    async def _outlasting(self, before):
        return ["li1", "li2"]


async def test_what_has_lasted_too_long_is_completed():
    on_air = OnAir("live", "ended")

    assert await Looking(None, on_air, 60).round() == 2
    assert on_air.completed == [("li1", OVER), ("li2", OVER)]


@pytest.mark.parametrize("states", [(), ("ended",)])
async def test_nobody_is_asked_while_nothing_is_on_air(states):
    on_air = OnAir(*states)

    assert await Looking(None, on_air, 60).round() == 0
    assert on_air.completed == []


async def test_one_that_can_not_end_now_keeps_no_other_on_air():
    on_air = OnAir("live", refuses=True)

    assert await Looking(None, on_air, 60).round() == 0
    assert [id for id, _ in on_air.completed] == ["li1", "li2"]
