"""Servers that make no headway with an upload: none is sent to for ever."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from server.client import api, tus
from server.client.api import Answer, Api, Unreachable
from server.client.refusals import Refused
from server.client.tus import Forgetful, upload

ADDRESS = "/tus/up1/s3cret"
Keep = Callable[[int, int], int]  # (offset, size of a piece): the offset after it


class Server:
    """One that speaks tus; `keep` says what becomes of a piece, and may raise."""

    def __init__(self, keep: Keep, address: str = ADDRESS) -> None:
        self.keep = keep
        self.address = address
        self.offset = 0
        self.begun = 0
        self.calls = 0

    def ask(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        self.calls += 1
        assert self.calls < 1000, "it is called for ever"
        if method == "POST":
            self.begun += 1
            self.offset = 0
            return Answer(201, {"Location": self.address, "Sluice-Video-Id": "vi1"}, b"")
        if method == "PATCH":
            self.offset = self.keep(self.offset, len(data or b""))
        return Answer(204, {"Upload-Offset": str(self.offset)}, b"")


@pytest.fixture
def send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Server], str]:
    monkeypatch.setattr(tus, "PIECE", 10)
    monkeypatch.setattr(tus.time, "sleep", lambda _: None)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"0123456789" * 5)

    def send(server: Server) -> str:
        monkeypatch.setattr(tus, "exchange", server.ask)
        return upload(Api("http://a.example", "k", server.ask), path, {}, Forgetful(), lambda _: None)

    return send


def test_a_file_in_pieces(send: Callable[[Server], str]) -> None:
    server = Server(lambda offset, size: offset + size)
    assert send(server) == "vi1"
    assert (server.begun, server.offset) == (1, 50)


def test_who_keeps_nothing_is_given_up(send: Callable[[Server], str]) -> None:
    server = Server(lambda offset, size: 20 if offset < 20 else offset)
    with pytest.raises(Unreachable, match="takes what it is sent"):
        send(server)


def test_who_loses_what_it_kept_is_given_up(send: Callable[[Server], str]) -> None:
    def keep(offset: int, size: int) -> int:
        if offset < 20:
            return offset + size
        server.offset = 0
        raise Unreachable("it crashed")

    server = Server(keep)
    with pytest.raises(Unreachable, match="crashed"):
        send(server)


def test_who_loses_some_of_it_and_gets_on_gets_all(
    send: Callable[[Server], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus, "TRIES", 3)
    crashed = set[int]()

    def keep(offset: int, size: int) -> int:
        if offset and offset not in crashed:
            crashed.add(offset)
            server.offset = offset - size
            raise Unreachable("it crashed")
        return offset + size

    server = Server(keep)
    assert send(server) == "vi1"
    assert len(crashed) > tus.TRIES


def test_who_loses_each_upload_is_given_up(send: Callable[[Server], str]) -> None:
    def keep(offset: int, size: int) -> int:
        if offset:
            raise Refused(404, None)
        return size

    server = Server(keep)
    with pytest.raises(Refused, match="status 404"):
        send(server)
    assert server.begun == tus.TRIES


def test_the_address_of_an_upload_is_not_told(send: Callable[[Server], str]) -> None:
    address = f"http://127.0.0.1:1{ADDRESS}?x=y"

    def keep(offset: int, size: int) -> int:
        return api.exchange("PATCH", address, b"", {}).status

    with pytest.raises(Unreachable, match="can't be reached") as told:
        send(Server(keep, address))
    assert "s3cret" not in str(told.value)
    assert "http://a.example" in str(told.value)
