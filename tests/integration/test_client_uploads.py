"""Files that the command line sends over tus, cut off in every way there is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.client import tus
from server.client.api import Api, Unreachable
from server.client.refusals import Refused
from server.client.tus import Forgetful, Memory, upload
from tests.harness.server import OWNER_KEY, Server

pytestmark = pytest.mark.server

PIECES = 12


class CutOff(Exception):
    pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "PIECE", 100_000)
    monkeypatch.setattr(tus, "LONGEST_PAUSE_S", 0.2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"0123456789" * 10_000 * PIECES)
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state" / "sluice" / "uploads.json")


def bytes_of(server: Server, video_id: str) -> int:
    found: int = server.api("GET", f"/videos/{video_id}/status")["ingest"]["filesize"]
    return found


def test_another_run_goes_on_where_one_was_ended(server: Server, file: Path, memory: Memory, tmp_path: Path) -> None:
    api = Api(server.http, OWNER_KEY)
    came: list[int] = []

    def ended(offset: int) -> None:
        came.append(offset)
        if offset >= 500_000:
            raise CutOff

    with pytest.raises(CutOff):
        upload(api, file, {"filename": "film.mp4"}, memory, ended)
    kept = tmp_path / "state" / "sluice" / "uploads.json"
    assert kept.stat().st_mode & 0o077 == 0
    assert OWNER_KEY not in kept.read_text()

    again: list[int] = []
    video_id = upload(api, file, {"filename": "film.mp4"}, memory, again.append)
    assert again == [at * 100_000 for at in range(5, PIECES + 1)]
    assert bytes_of(server, video_id) == file.stat().st_size
    assert kept.read_text() == "{}"

    other = upload(api, file, {"filename": "film.mp4"}, memory, again.append)
    assert other != video_id


def test_a_server_that_is_killed_meanwhile_is_waited_for(server: Server, file: Path, memory: Memory) -> None:
    """The one of all tests, which is back afterwards as it was: to start takes longer than all else here."""
    api = Api(server.http, OWNER_KEY)
    came: list[int] = []

    def killed(offset: int) -> None:
        came.append(offset)
        if came.count(offset) == 1 and offset == 400_000:
            server.kill()
            server.start()

    video_id = upload(api, file, {"filename": "film.mp4"}, memory, killed)
    assert bytes_of(server, video_id) == file.stat().st_size
    assert came[-1] == file.stat().st_size


def test_an_upload_that_is_gone_begins_anew(server: Server, file: Path, memory: Memory) -> None:
    api = Api(server.http, OWNER_KEY)

    def ended(offset: int) -> None:
        if offset >= 300_000:
            raise CutOff

    with pytest.raises(CutOff):
        upload(api, file, {"title": "gone"}, memory, ended)
    (first,) = server.api("GET", "/videos?title=gone")["data"]
    server.api("DELETE", f"/videos/{first['videoId']}")

    came: list[int] = []
    second = upload(api, file, {"title": "gone"}, memory, came.append)
    assert second != first["videoId"]
    assert came[0] == 0
    assert bytes_of(server, second) == file.stat().st_size


def test_an_upload_whose_place_was_taken_may_leave_it(server: Server, file: Path) -> None:
    api = Api(server.http, OWNER_KEY)
    video = server.api("POST", "/videos", {"title": "two runs"})["videoId"]

    def send(moved: Callable[[int], None]) -> str:
        return upload(api, file, {"videoId": video}, Forgetful(), moved, renewed=False)

    def other(offset: int) -> None:
        if offset == 300_000:
            assert send(lambda _: None) == video

    with pytest.raises(Refused) as refused:
        send(other)
    assert refused.value.status in tus.GONE
    assert bytes_of(server, video) == file.stat().st_size


def test_what_is_refused_is_not_tried_again(server: Server, file: Path, memory: Memory) -> None:
    with pytest.raises(Refused, match="videoId"):
        upload(Api(server.http, OWNER_KEY), file, {"videoId": "vi2hGs8"}, memory, lambda _: None)
    with pytest.raises(Refused):
        upload(Api(server.http, "wrong"), file, {}, memory, lambda _: None)


def test_a_server_that_is_not_there_is_given_up(file: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "TRIES", 3)
    with pytest.raises(Unreachable, match="can't be reached"):
        upload(Api("http://127.0.0.1:1", "k"), file, {}, memory, lambda _: None)
