"""Uploads as each SDK of the dialect frames them: what they were seen to send, or do in their code.

The suites of two SDKs run whole in tests/contract; the others are here as what comes over the wire.
"""

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.catalog import jobs, uploads
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, UploadToken
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads
from server.web.api import sources
from tests.unit.web.kit import Client, Connect

TOKEN = "to1111111111111111111113"
PIECES = (b"first ", b"second ", b"third")


@dataclass(frozen=True, slots=True)
class Way:
    """How an SDK sends a file: the Content-Range of each piece, the field's name, where videoId stands."""

    ranges: Sequence[str | None]
    field: str = "file"
    filename: str = "clip.mp4"
    content_type: str | None = "video/mp4"
    boundary: str = "----WebKitFormBoundaryA1"
    quoted: bool = False
    id_first: bool = True


PARTS = ("part 1/3", "part 2/3", "part 3/3")
OPEN = ("part 1/*", "part 2/*", "part 3/3")
BYTES = ("bytes 0-5/18", "bytes 6-12/18", "bytes 13-17/18")
OPEN_BYTES = ("bytes 0-5/*", "bytes 6-12/*", "bytes 13-17/18")
WAYS = {
    "node, whole": Way([None], field="clip.mp4", id_first=False),
    "node, chunked": Way(PARTS, field="clip.mp4", id_first=False),
    "node, progressive": Way(OPEN, field="clip.mp4.part.a", id_first=False),
    "python": Way(PARTS, filename="no_name", content_type="chemical/x-molconn-Z"),
    "python, whole": Way(["part 1/1"]),
    "python, progressive": Way(OPEN),
    "browser": Way(PARTS, filename="file", content_type="application/octet-stream"),
    "go": Way(PARTS, content_type="application/octet-stream"),
    "php": Way(PARTS, quoted=True, boundary="5f3c9a (x)"),
    "c#": Way(OPEN, content_type=None),
    "java, swift": Way(PARTS),
    "curl": Way(BYTES),
    "curl, of a pipe": Way(OPEN_BYTES),
}


@pytest.fixture
async def stored(database: Database, tmp_path: Path, connect: Connect) -> AsyncIterator[tuple[Client, Layout]]:
    layout = Layout(tmp_path)
    async with database.write() as transaction:
        await uploads.add_token(transaction, UploadToken(id=TOKEN, project_id=DEFAULT_PROJECT, ttl_s=0))
    async with UploadFiles.open(layout, 0) as files:
        service = SourceUploads(Uploads(database, files, jobs.add, 1000, 86400))

        def mount(app: Any) -> None:
            app[sources.SOURCES] = service

        yield await connect(operations=[sources.operations], mounts=[mount]), layout


def body(way: Way, piece: bytes, video_id: str | None) -> bytes:
    kind = f"Content-Type: {way.content_type}\r\n" if way.content_type else ""
    head = f'Content-Disposition: form-data; name="{way.field}"; filename="{way.filename}"\r\n{kind}\r\n'
    parts = [head.encode() + piece]
    if video_id:
        named = b'Content-Disposition: form-data; name="videoId"\r\n\r\n' + video_id.encode()
        parts.insert(0 if way.id_first else 1, named)
    line = b"--" + way.boundary.encode()
    return b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"


async def send(
    client: Client, path: str, way: Way, number: int, video_id: str | None = None, query: dict[str, str] | None = None
) -> dict[str, Any]:
    """One piece, or the whole file where there is one piece; the video of the answer."""
    piece = b"".join(PIECES) if len(way.ranges) == 1 else PIECES[number]
    boundary = f'"{way.boundary}"' if way.quoted else way.boundary
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if (content_range := way.ranges[number]) is not None:
        headers["Content-Range"] = content_range
    response = await client.post(path, data=body(way, piece, video_id), headers=headers, params=query or {})
    video: dict[str, Any] = await response.json()
    assert (response.status, response.headers["Content-Type"]) == (201, "application/json"), video
    return video


@pytest.mark.parametrize("name", WAYS)
async def test_a_videos_file(stored: tuple[Client, Layout], name: str) -> None:
    client, layout = stored
    way = WAYS[name]
    made = await (await client.post("/videos", json={"title": "T"})).json()

    for number in range(len(way.ranges)):
        video = await send(client, f"/videos/{made['videoId']}/source", way, number)

    assert video["state"] == "pre-processing"
    assert layout.video_source(made["videoId"]).read_bytes() == b"".join(PIECES)


@pytest.mark.parametrize("name", WAYS)
async def test_with_an_upload_token(stored: tuple[Client, Layout], name: str) -> None:
    client, layout = stored
    way, video_id = WAYS[name], None

    for number in range(len(way.ranges)):
        video = await send(client, "/upload", way, number, video_id, {"token": TOKEN})
        video_id = video["videoId"]

    assert video["title"] == way.filename
    assert video_id
    assert layout.video_source(video_id).read_bytes() == b"".join(PIECES)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("ranges", [PARTS, OPEN, BYTES, OPEN_BYTES])
async def test_pieces_in_any_order_and_again(
    stored: tuple[Client, Layout], ranges: Sequence[str], order: Sequence[int]
) -> None:
    client, layout = stored
    made = await (await client.post("/videos", json={"title": "T"})).json()
    path = f"/videos/{made['videoId']}/source"

    for number in (order[0], order[0], order[1], order[2], order[1]):
        await send(client, path, Way(ranges), number)

    assert layout.video_source(made["videoId"]).read_bytes() == b"".join(PIECES)
