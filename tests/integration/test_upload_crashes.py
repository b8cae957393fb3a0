"""kill -9 in the middle of uploads: what was acknowledged is there, and the file ends up bit for bit."""

import base64
import hashlib
import http.client
import os
import random
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.harness.server import OWNER_KEY, Server, until

MIB = 1 << 20
V = {"Tus-Resumable": "1.0.0"}
CHUNK = {**V, "Content-Type": "application/offset+octet-stream"}
NOTHING: Mapping[str, str] = {}

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def text() -> bytes:
    return os.urandom(40 * MIB + 77)


def create(server: Server, length: int, more: Mapping[str, str] = NOTHING) -> str:
    answer = server.call("POST", "/tus", b"", headers={**V, "Upload-Length": str(length), **more})
    assert answer.status == 201, answer.body
    return answer.headers["Location"]


def offset(server: Server, url: str) -> int:
    answer = server.call("HEAD", url, key=None, headers=V)
    assert answer.status == 200
    return int(answer.headers["Upload-Offset"])


def begin_patch(
    server: Server, url: str, at: int, body: bytes, length: int, more: Mapping[str, str] = NOTHING
) -> http.client.HTTPConnection:
    """Sends a PATCH's head and some of its body; the rest never comes."""
    connection = http.client.HTTPConnection(str(urlsplit(server.http).netloc), timeout=20)
    connection.putrequest("PATCH", url)
    for name, value in {**CHUNK, "Upload-Offset": str(at), "Content-Length": str(length), **more}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body)
    return connection


def patch(server: Server, url: str, at: int, body: bytes, more: Mapping[str, str] = NOTHING) -> int:
    answer = server.call("PATCH", url, body, key=None, headers={**CHUNK, "Upload-Offset": str(at), **more})
    assert answer.status == 204, answer.body
    return int(answer.headers["Upload-Offset"])


def sole_source(server: Server) -> Path:
    (video,) = server.api("GET", "/videos")["data"]
    path = server.data / "videos" / video["videoId"] / "source"
    until(path.exists)
    return path


def test_kills_during_an_upload_lose_nothing_acknowledged(make_server: Callable[..., Server], text: bytes) -> None:
    server, numbers = make_server(), random.Random(1)
    url = create(server, len(text))
    acknowledged = patch(server, url, 0, text[: 3 * MIB + 1])
    for _ in range(2):
        sent = numbers.randrange(2 * MIB, 9 * MIB)
        some = text[acknowledged : acknowledged + sent]
        connection = begin_patch(server, url, acknowledged, some, len(text) - acknowledged)
        server.kill()
        connection.close()
        server.start()
        found = offset(server, url)

        assert acknowledged <= found <= acknowledged + sent
        acknowledged = patch(server, url, found, text[found : found + MIB])

    assert patch(server, url, acknowledged, text[acknowledged:]) == len(text)
    assert sole_source(server).read_bytes() == text


def test_a_kill_at_the_last_byte_still_ends_in_a_job(make_server: Callable[..., Server], text: bytes) -> None:
    server = make_server()
    url = create(server, len(text))
    connection = begin_patch(server, url, 0, text, len(text))
    server.kill()  # before, within, or after the commit
    connection.close()
    server.start()
    found = offset(server, url)
    if found < len(text):
        patch(server, url, found, text[found:])

    assert sole_source(server).read_bytes() == text
    (video,) = server.api("GET", "/videos")["data"]
    until(lambda: server.api("GET", f"/videos/{video['videoId']}")["state"] == "error")  # noise is no film


def test_a_dead_connection_gives_way_at_once(server: Server, text: bytes) -> None:
    url = create(server, len(text))
    data = server.data / "uploads" / url.split("/")[2] / "data"
    stuck = begin_patch(server, url, 0, text[: 2 * MIB], len(text))
    try:
        until(lambda: data.stat().st_size >= MIB)  # it is being served
        found = offset(server, url)
        assert MIB <= found <= 2 * MIB
        assert patch(server, url, found, text[found:]) == len(text)
    finally:
        stuck.close()


def test_parts_survive_a_kill(make_server: Callable[..., Server], text: bytes) -> None:
    server = make_server()
    video = server.api("POST", "/videos", {"title": "parts"})
    pieces = [text[: 15 * MIB], text[15 * MIB : 30 * MIB], text[30 * MIB :]]

    def send(number: int) -> dict[str, str]:
        head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=XX", "Content-Range": f"part {number}/3"}
        body = head + pieces[number - 1] + b"\r\n--XX--\r\n"
        answer = server.call("POST", f"/videos/{video['videoId']}/source", body, headers=headers)
        assert answer.status == 201, answer.body
        found: dict[str, str] = answer.json()
        return found

    send(3)
    server.kill()
    server.start()
    send(1)
    server.kill()
    server.start()
    assert send(3)["state"] == "uploading"
    assert send(2)["state"] != "uploading"
    assert sole_source(server).read_bytes() == text


def test_abandoned_uploads_are_swept(make_server: Callable[..., Server]) -> None:
    server = make_server(SLUICE_VOD__UPLOAD_EXPIRY_S="60")
    url = create(server, 1000)
    upload_id = url.split("/")[2]
    assert (server.data / "uploads" / upload_id).is_dir()
    server.stop()
    age(server, upload_id)
    server.start()

    until(lambda: not (server.data / "uploads" / upload_id).exists())
    assert server.call("HEAD", url, key=None, headers=V).status == 410


def age(server: Server, upload_id: str) -> None:
    """As if a day had passed since the upload was heard of."""
    with sqlite3.connect(server.data / "sluice.db") as database:
        database.execute("UPDATE uploads SET expires_at = '2020-01-01 00:00:00.000000' WHERE id = ?", (upload_id,))
    database.close()


def checked(text: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"sha256 {base64.b64encode(hashlib.sha256(text).digest()).decode()}"}


def test_a_kill_leaves_no_byte_that_was_not_checked(make_server: Callable[..., Server], text: bytes) -> None:
    server = make_server()
    url = create(server, len(text))
    data = server.data / "uploads" / url.split("/")[2] / "data"
    head, rest = text[: 3 * MIB + 1], text[3 * MIB + 1 :]
    assert patch(server, url, 0, head, checked(head)) == len(head)
    connection = begin_patch(server, url, len(head), b"?" * (12 * MIB), len(rest), checked(rest))
    until(lambda: data.stat().st_size >= 8 * MIB)  # they are on disk already
    server.kill()
    connection.close()
    server.start()

    assert offset(server, url) == len(head)
    wrong = server.call(
        "PATCH", url, rest[:-1], key=None, headers={**CHUNK, **checked(rest), "Upload-Offset": str(len(head))}
    )
    assert (wrong.status, offset(server, url)) == (460, len(head))
    assert patch(server, url, len(head), rest, checked(rest)) == len(text)
    assert sole_source(server).read_bytes() == text


def test_kills_before_and_while_parts_are_joined(make_server: Callable[..., Server], text: bytes) -> None:
    server = make_server()
    thirds = [text[: 15 * MIB], text[15 * MIB : 30 * MIB], text[30 * MIB :]]
    urls = [create(server, len(third), {"Upload-Concat": "partial"}) for third in thirds]
    for url, third in zip(urls, thirds, strict=True):
        patch(server, url, 0, third)
    server.kill()
    server.start()
    assert [offset(server, url) for url in urls] == [len(third) for third in thirds]

    join = {**V, "Upload-Concat": f"final;{' '.join(urls)}"}
    connection = http.client.HTTPConnection(str(urlsplit(server.http).netloc), timeout=20)
    connection.request("POST", "/tus", headers={**join, "Authorization": f"Bearer {OWNER_KEY}"})
    server.kill()  # before, within, or after the commit, or while the bytes move
    connection.close()
    server.start()
    answer = server.call("POST", "/tus", b"", headers=join)

    assert answer.status == 201, answer.body
    assert offset(server, answer.headers["Location"]) == len(text)
    assert sole_source(server).read_bytes() == text
    assert list((server.data / "uploads").iterdir()) == []
