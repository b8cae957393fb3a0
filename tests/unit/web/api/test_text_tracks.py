"""Captions and chapters over REST, and as the files that players load."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from server.catalog import events, videos
from server.catalog import text_tracks as tracks
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Video
from server.playback.tokens import Tokens
from server.storage.layout import Layout
from server.vod import texts as stored
from server.vod.presentations import Presentations
from server.vod.texts import Texts
from server.web.api import text_tracks
from server.web.hls import texts
from server.web.hls.gate import WATCHING, Watching
from tests.unit.web.kit import Client, Connect, Make, door, problem

VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nПривет\n"
SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello & <font color=red>good bye</font>\n"


def form(content: str | bytes, name: str = "text.vtt") -> FormData:
    data = FormData(default_to_multipart=True)
    data.add_field(name, content.encode() if isinstance(content, str) else content, filename=name)
    return data


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
async def api(connect: Connect, database: Database, layout: Layout, services: Any) -> Client:
    def mount(app: Any) -> None:
        app[text_tracks.TEXTS] = Texts(database, layout)
        none: Any = None
        app[WATCHING] = Watching(
            services.assets, door(services), none, Presentations(layout, {}), none, layout, none
        )
        texts.add_routes(app.router)

    return await connect(operations=[text_tracks.operations], mounts=[mount])


async def upload(api: Client, path: str, content: str | bytes = VTT) -> dict[str, Any]:
    async with api.post(path, data=form(content)) as response:
        assert response.status == 200, await response.text()
        found: dict[str, Any] = await response.json()
        return found


async def others_write_meanwhile(
    monkeypatch: pytest.MonkeyPatch, database: Database, uploading: Coroutine[Any, Any, Any]
) -> Any:
    """What an upload of captions answers, whose words are looked for until somebody else has written."""
    begun, written, looked_for = threading.Event(), threading.Event(), stored.words_of

    def words_of(text: str) -> str:
        begun.set()
        assert written.wait(20)
        return looked_for(text)

    monkeypatch.setattr(stored, "words_of", words_of)
    upload = asyncio.create_task(uploading)
    try:
        assert await asyncio.to_thread(begun.wait, 20)
        async with asyncio.timeout(15), database.write() as transaction:
            await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="another"))
    finally:
        written.set()
    return await upload


async def words_kept(database: Database, video_id: str) -> list[str | None]:
    async with database.read() as transaction:
        rows = await tracks.of_video(transaction, video_id, "captions")
        return [await tracks.words_of(transaction, row) for row in rows]


async def test_others_write_while_captions_are_read_for_their_words(
    api: Client, make_video: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = await make_video()
    await others_write_meanwhile(monkeypatch, database, upload(api, f"/videos/{video_id}/captions/ru"))
    assert await words_kept(database, video_id) == ["привет"]


async def test_captions_are_kept_shown_changed_and_deleted(
    api: Client, make_video: Make, database: Database, layout: Layout
) -> None:
    video_id = await make_video()
    path = f"/videos/{video_id}/captions"

    made = await upload(api, f"{path}/rus")
    assert made == {
        "uri": f"{path}/ru",
        "src": f"{str(api.make_url('')).rstrip('/')}/vod/{video_id}/captions/ru.vtt",
        "srclang": "ru",
        "languageName": "русский",
        "default": False,
        "title": "",
    }
    await upload(api, f"{path}/sr-Cyrl")
    for language in ("ru", "sr-Cyrl"):
        async with api.patch(f"{path}/{language}", json={"default": True}) as response:
            assert (await response.json())["default"] is True

    async with api.get(path) as response:
        listed = await response.json()
    assert [(each["srclang"], each["languageName"], each["default"]) for each in listed["data"]] == [
        ("ru", "русский", False),
        ("sr-Cyrl", "српски (ћирилица)", True),
    ]
    assert listed["pagination"]["itemsTotal"] == 2

    async with database.read() as transaction:
        kept = [row.stored_bytes for row in await tracks.of_video(transaction, video_id, "captions")]
    assert kept == [path.stat().st_size for path in sorted(layout.video(video_id).glob("captions/*"))]
    async with api.delete(f"{path}/ru") as response:
        assert response.status == 204
    async with api.get(f"{path}/ru") as response:
        await problem(response, 404, "resource-not-found", "language")
    async with database.read() as transaction:
        told = [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, video_id)]
    assert told[1:] == [
        "video.captions.created", "video.captions.created", "video.captions.updated", "video.captions.updated",
        "video.captions.updated", "video.captions.deleted",
    ]  # fmt: skip


async def test_players_load_the_newest_text(api: Client, make_video: Make, layout: Layout) -> None:
    video_id = await make_video()
    await upload(api, f"/videos/{video_id}/captions/en", SRT)
    path = f"/vod/{video_id}/captions/en.vtt"
    async with api.get(path) as response:
        assert response.headers["Content-Type"] == "text/vtt; charset=utf-8"
        assert await response.text() == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello &amp; good bye\n"
        etag = response.headers["ETag"]

    await upload(api, f"/videos/{video_id}/captions/en", VTT)
    async with api.get(path, headers={"If-None-Match": etag}) as response:
        assert response.status == 200
        assert await response.text() == VTT
    assert [file.name for file in layout.text_track(video_id, "captions", "en", 1).parent.iterdir()] == ["en-2.vtt"]
    async with api.get(f"/vod/{video_id}/captions/fr.vtt") as response:
        await problem(response, 404, "resource-not-found")


async def test_another_text_in_the_place_of_a_deleted_one_is_another_to_caches(api: Client, make_video: Make) -> None:
    video_id = await make_video()
    path = f"/vod/{video_id}/captions/en.vtt"
    etags = set()
    for text in (SRT, VTT, SRT):
        await upload(api, f"/videos/{video_id}/captions/en", text)
        async with api.get(path, headers={"If-None-Match": ", ".join(etags)}) as response:
            assert response.status == 200
            etags.add(response.headers["ETag"])
        async with api.delete(f"/videos/{video_id}/captions/en") as response:
            assert response.status == 204
        async with api.get(path) as response:
            assert response.status == 404
    assert len(etags) == 3


async def test_chapters_are_their_own(api: Client, make_video: Make) -> None:
    video_id = await make_video()
    made = await upload(api, f"/videos/{video_id}/chapters/fr")
    assert made["language"] == "fr"
    assert made["src"].endswith(f"/vod/{video_id}/chapters/fr.vtt")
    async with api.get(f"/vod/{video_id}/chapters/fr.vtt") as response:
        assert await response.text() == VTT
    async with api.get(f"/videos/{video_id}/chapters") as response:
        assert [each["language"] for each in (await response.json())["data"]] == ["fr"]
    async with api.get(f"/videos/{video_id}/captions") as response:
        assert (await response.json())["data"] == []
    async with api.delete(f"/videos/{video_id}/chapters/fr") as response:
        assert response.status == 204


async def test_those_of_a_private_video_are_behind_its_tokens(api: Client, make_video: Make, services: Any) -> None:
    video_id = await make_video(public=False)
    made = await upload(api, f"/videos/{video_id}/captions/en")
    async with api.get(made["src"].removeprefix(str(api.make_url('')).rstrip('/'))) as response:
        assert response.status == 200
    async with api.get(f"/vod/{video_id}/captions/en.vtt") as response:
        await problem(response, 403, "playback-token-missing")
    other: Tokens = services.tokens
    async with api.get(f"/vod/{video_id}/token/{other.mint('vi1').token}/captions/en.vtt") as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("language", "content", "code", "name"),
    [
        ("en", "hello", "uploaded-file-invalid-file", "file"),
        ("en", "WEBVTT\n\n00:00:01,000 --> 00:00:02,000\nA", "uploaded-file-invalid-file", "file"),
        ("en", "WEBVTT\n", "uploaded-file-invalid-file", "file"),
        ("en", b"WEBVTT\n\n\xff\xfe\xfa", "uploaded-file-invalid-file", "file"),
        ("en", b"", "uploaded-file-empty", None),
        ("e", VTT, "request-invalid-query-parameter", "language"),
        ("..", VTT, None, None),
    ],
)
async def test_what_cannot_be_kept_is_refused(
    api: Client, make_video: Make, language: str, content: str | bytes, code: str | None, name: str | None
) -> None:
    video_id = await make_video()
    async with api.post(f"/videos/{video_id}/captions/{language}", data=form(content)) as response:
        if code is None:
            assert response.status in (404, 405)
        else:
            await problem(response, 400, code, name)


async def test_a_video_of_another_project_is_not_there(api: Client, make_video: Make, database: Database) -> None:
    async with api.post("/videos/vi1111111111111111111111/captions/en", data=form(VTT)) as response:
        await problem(response, 404, "resource-not-found", "videoId")
    video_id = await make_video()
    async with database.write() as transaction:
        row = await videos.find(transaction, video_id)
        assert row is not None
        await videos.remove(transaction, row)
    async with api.get(f"/videos/{video_id}/captions/en") as response:
        await problem(response, 404, "resource-not-found", "videoId")
