"""`kill -9` in the middle of making videos: a viewer can't tell afterwards. Many more runs: `make soak`."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.harness.crashes import END_S, SETTINGS, Crashes, differences, edits, kill, outcome, sources, uploads
from tests.harness.server import Server, until
from tests.harness.uploads import ended

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]


@pytest.fixture(scope="module", params=[0, 1], ids=["indexed", "copied"])
def crashes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    server = Server(tmp_path_factory.mktemp("crashes") / "data", SETTINGS).start()
    try:
        yield Crashes(server, uploads(server, [sources(13, "426x240", 10)[request.param]]))
    finally:
        server.stop()


@pytest.mark.parametrize("seed", range(2))
def test_what_was_killed_ends_as_if_nothing_had_happened(crashes: Crashes, seed: int) -> None:
    found = crashes.run(random.Random(seed), 1 + seed % 2)
    assert not found, "\n".join(found)


def test_what_is_joined_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Killed once at each point of it: planned, pictures begun to be encoded, and sound."""
    server = Server(tmp_path / "data").start()
    try:
        make = edits(server, 4)["joined and encoded"]
        undisturbed = outcome(server, str(ended(server, make(), END_S)["videoId"]))
        video = make()
        inputs = server.data / "videos" / video / "inputs"
        for name in ("plan", "1-pictures", "sound"):
            until(partial(begun, inputs, name), END_S)
            kill(server)
        ended(server, video, END_S)
        found = differences(outcome(server, video), undisturbed)
        until(lambda: not inputs.exists())
    finally:
        server.stop()
    assert not found, "\n".join(found)


def begun(inputs: Path, name: str) -> bool:
    """Or over, where the machine was faster than we are."""
    try:
        return (inputs / name).stat().st_size > 0
    except FileNotFoundError:
        return not inputs.exists()
