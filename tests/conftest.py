"""Fixtures of all tests that need a running server."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres
from tests.harness import orphans, priority
from tests.harness.server import Server

# A busy machine is not a finding; CI repeats the same examples, a developer's machine looks for new ones.
settings.register_profile(
    "sluice", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("sluice")


def pytest_configure() -> None:
    """In the process that gives out the tests and in each that runs them."""
    orphans.watch()
    priority.give_up()


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL of the tests' own."""
    binaries = postgres.folder_of_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres.cluster(binaries) as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave it as it was."""
    running = Server(tmp_path_factory.mktemp("shared") / "data").start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def own_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a module whose tests change what there is; its OWN_SERVER is of the environment."""
    environment: Mapping[str, str] = getattr(request.module, "OWN_SERVER", {})
    running = Server(tmp_path_factory.mktemp("own") / "data", environment).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Servers of a test's own, to be killed and restarted; `make_server(SLUICE_LIVE__…="…")` starts one."""
    made: list[Server] = []
    numbers = itertools.count()

    def make(**environment: str) -> Server:
        made.append(Server(tmp_path / f"data{next(numbers)}", environment).start())
        return made[-1]

    yield make
    for one in made:
        one.stop()
