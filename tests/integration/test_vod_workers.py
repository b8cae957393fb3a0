"""Workers that share the making of one video on PostgreSQL: one is killed, and the other goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.crashes import differences, outcome, sources
from tests.harness.server import Server, until
from tests.harness.uploads import ended, post_source
from tests.postgres import Cluster

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
PLACES = 2  # of each worker: one that encodes, one for short jobs
END_S = 200


@dataclass
class Worker:
    """`sluice worker`, and the name that it takes jobs under."""

    process: subprocess.Popen[bytes]
    name: str

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def start(data: Path, environment: dict[str, str]) -> Worker:
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "worker"],
        cwd=ROOT,
        env={**os.environ, **environment, "SLUICE_JOBS__CONCURRENCY": "1", "SLUICE_STORAGE__PATH": str(data)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    return Worker(process, json.loads(process.stdout.readline())["worker"])


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    name = cluster.create()
    yield name
    cluster.drop(name)


def test_a_killed_worker_loses_what_it_had_in_hand_and_no_more(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    environment = {
        "SLUICE_DATABASE__URL": cluster.url(database), "SLUICE_JOBS__SHORT_CONCURRENCY": "1",
        "SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4",
    }  # fmt: skip
    data, source = tmp_path / "data", sources(25, "426x240", 10)[0]

    def count(condition: str, video: str) -> int:
        query = f"select count(*) from jobs where object_id = '{video}' and {condition}"
        return int(str(cluster.sql(query, database)[0][0]))

    with ExitStack() as stack:
        server = Server(data, {**environment, "SLUICE_JOBS__CONCURRENCY": "0"}).start()  # it encodes nothing itself
        stack.callback(server.stop, 20)
        victim, other = start(data, environment), start(data, environment)
        stack.callback(victim.kill)
        stack.callback(other.kill)
        undisturbed = post_source(server, source)["videoId"]
        assert ended(server, undisturbed, END_S)["state"] == "done"

        video = post_source(server, source)["videoId"]
        at_work = f"worker = '{victim.name}' and kind = 'encode' and finished_at is null"
        until(lambda: count(at_work, video), END_S, 0.01)
        victim.kill()
        assert ended(server, video, END_S)["state"] == "done"

        assert differences(outcome(server, video), outcome(server, undisturbed)) == []
        assert count("kind = 'encode'", video) >= 4, "there was something to share"
        assert 1 <= count("attempts > 1", video) <= PLACES
