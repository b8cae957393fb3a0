"""`kill -9` in the middle of making videos: a viewer can't tell afterwards. Many more runs: `make soak`."""

import random
from collections.abc import Iterator

import pytest

from tests.harness.crashes import SETTINGS, Crashes, sources
from tests.harness.server import Server

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", params=[0, 1], ids=["indexed", "copied"])
def crashes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    server = Server(tmp_path_factory.mktemp("crashes") / "data", SETTINGS).start()
    try:
        yield Crashes(server, [sources(13, "426x240", 10)[request.param]])
    finally:
        server.stop()


@pytest.mark.parametrize("seed", range(2))
def test_what_was_killed_ends_as_if_nothing_had_happened(crashes: Crashes, seed: int) -> None:
    found = crashes.run(random.Random(seed), 1 + seed % 2)
    assert not found, "\n".join(found)
