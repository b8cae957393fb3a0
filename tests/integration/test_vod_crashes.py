"""`kill -9` in the middle of making videos: a viewer can't tell afterwards. Many more runs: `make soak`."""

import hashlib
import random
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.harness.crashes import (
    END_S,
    SETTINGS,
    Crashes,
    Served,
    differences,
    joinable,
    kill,
    outcome,
    sources,
    uploads,
)  # fmt: skip
from tests.harness.server import Server, until
from tests.harness.uploads import ended

pytestmark = pytest.mark.server


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
    """In the place of a video, which is killed once at each point of it: planned, pictures begun to be encoded, and
    sound, and all of it joined. It becomes what a video of its own does, and what was watched before stays what it is.
    """
    server = Server(tmp_path / "data").start()
    try:
        first, second = joinable(server, 4)
        joined = server.api("POST", "/videos/concat", {"videos": [first, second, first]})["videoId"]
        undisturbed, before = outcome(server, str(ended(server, joined, END_S)["videoId"])), outcome(server, first)
        behind = [{"video_id": each} for each in (second, first)]
        server.api("POST", f"/v1/videos/{first}/concat", {"append": behind, "replace": True})
        (version,) = columns(server, "version_of", first, "id")
        inputs = server.data / "videos" / version / "inputs"
        for name in ("plan", "1-pictures", "sound"):
            until(partial(begun, inputs, name), END_S)
            kill(server)
        until(lambda: columns(server, "id", version, "state")[0] in ("processing", "done"), END_S)
        kill(server)
        until(lambda: columns(server, "id", first, "material_id") == [version], END_S)
        after = outcome(server, first)
        still = {path: server.get(f"/vod/{first}/hls/{path}").body for path in before.media}
        until(lambda: not inputs.exists())
    finally:
        server.stop()
    found = differences(at_revision(after, 1), undisturbed)
    assert not found, "\n".join(found)
    assert {path: hashlib.sha256(body).hexdigest() for path, body in still.items()} == before.media


def at_revision(served: Served, revision: int) -> Served:
    """The same, as it would be under another one."""

    def moved(told: str) -> str:
        return re.sub(r"\br\d+/", f"r{revision}/", told)

    texts = {moved(path): moved(text) for path, text in served.texts.items()}
    return replace(served, texts=texts, media={moved(path): digest for path, digest in served.media.items()})


def columns(server: Server, of: str, video_id: str, column: str) -> list[str]:
    """Of the rows of videos whose column `of` is this."""
    with sqlite3.connect(f"file:{server.data}/sluice.db?mode=ro", uri=True) as database:
        rows = database.execute(f"SELECT {column} FROM videos WHERE {of} = ?", (video_id,))
        return [row[0] for row in rows]


def begun(inputs: Path, name: str) -> bool:
    """Or over, where the machine was faster than we are."""
    try:
        return (inputs / name).stat().st_size > 0
    except FileNotFoundError:
        return not inputs.exists()
