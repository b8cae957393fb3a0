"""Subtitles and annotations of the Kinescope dialect."""

import uuid
from typing import Any

import pytest
from aiohttp import FormData

from server.catalog.database import Database
from server.vod import texts
from tests.unit.web.api.test_text_tracks import others_write_meanwhile, words_kept
from tests.unit.web.kinescope.kit import asked, data_of, refused
from tests.unit.web.kit import Client, Make

TEXT = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"


async def upload(api: Client, video_id: str, language: str, description: str = "") -> dict[str, Any]:
    form = FormData(default_to_multipart=True)
    form.add_field("language", language)
    form.add_field("description", description)
    form.add_field("file", TEXT, filename="a.vtt")
    async with api.post(f"/v1/videos/{video_id}/subtitles", data=form) as response:
        return dict(await data_of(response))


async def languages(api: Client, video_id: str) -> list[str]:
    async with api.get(f"/v1/videos/{video_id}/subtitles") as response:
        listed = (await response.json())["data"]
    assert listed == (await asked(api, "GET", f"/v1/videos/{video_id}"))["subtitles"]
    return [each["language"] for each in listed]


async def test_subtitles(api: Client, make_video: Make) -> None:
    video_id = await make_video()
    path = f"/v1/videos/{video_id}/subtitles"
    german, english = await upload(api, video_id, "de", "Für alle"), await upload(api, video_id, "en")

    assert (german["language"], german["description"]) == ("de", "Für alle")
    assert german["url"].endswith(f"/vod/{video_id}/captions/de.vtt")
    assert await languages(api, video_id) == ["de", "en"]
    assert (await asked(api, "GET", f"{path}/{german['id']}"))["id"] == german["id"]
    async with api.patch(f"{path}/reorder", json=[english["id"], german["id"]]) as response:
        assert response.status == 200
    assert await languages(api, video_id) == ["en", "de"]
    changed = await asked(api, "PATCH", f"{path}/{german['id']}", {"description": "desc"})
    assert (changed["description"], changed["id"]) == ("desc", german["id"])
    moved = await asked(api, "PATCH", f"{path}/{german['id']}", {"language": "fr"})
    assert (moved["language"], moved["description"]) == ("fr", "desc")
    assert (await refused(api, "GET", f"{path}/{german['id']}"))[:2] == (404, 404404)
    assert (await refused(api, "PATCH", f"{path}/{moved['id']}", {"language": "en"}))[:2] == (409, 400201)
    assert await asked(api, "DELETE", f"{path}/{moved['id']}") == {"success": True}
    assert await languages(api, video_id) == ["en"]


async def test_others_write_while_subtitles_are_read_for_their_words(
    api: Client, make_video: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = await make_video()
    origin = await others_write_meanwhile(monkeypatch, database, upload(api, video_id, "en"))
    monkeypatch.setattr(texts, "words_of", None)  # those of a copy are known
    await asked(api, "POST", f"/v1/videos/{video_id}/subtitles/{origin['id']}/copy")
    assert await words_kept(database, video_id) == ["hello", "hello"]


async def test_copies_of_subtitles(api: Client, make_video: Make) -> None:
    video_id = await make_video()
    path = f"/v1/videos/{video_id}/subtitles"
    origin = await upload(api, video_id, "en", "desc")

    first = await asked(api, "POST", f"{path}/{origin['id']}/copy")
    second = await asked(api, "POST", f"{path}/{first['id']}/copy")

    assert len({origin["id"], first["id"], second["id"]}) == 3
    assert {(each["language"], each["description"]) for each in (first, second)} == {("en", "desc")}
    assert await languages(api, video_id) == ["en", "en", "en"]
    changed = await asked(api, "PATCH", f"{path}/{first['id']}", {"language": "en", "description": "For all"})
    assert (changed["id"], changed["description"]) == (first["id"], "For all")
    translated = await asked(api, "PATCH", f"{path}/{first['id']}", {"language": "de"})
    assert (translated["language"], translated["description"]) == ("de", "For all")
    assert (await asked(api, "GET", f"{path}/{origin['id']}"))["description"] == "desc"
    assert await asked(api, "DELETE", f"{path}/{origin['id']}") == {"success": True}
    assert second["url"].endswith(f"/vod/{video_id}/captions/en-x-copy2.vtt")
    assert await languages(api, video_id) == ["de", "en"]
    assert (await refused(api, "POST", f"{path}/{origin['id']}/copy"))[:2] == (404, 404404)


async def test_subtitles_that_are_refused(api: Client, make_video: Make) -> None:
    path = f"/v1/videos/{await make_video()}/subtitles"
    for language, content in (("", TEXT), ("what?", TEXT), ("en", b"no text")):
        form = FormData(default_to_multipart=True)
        form.add_field("language", language)
        form.add_field("file", content, filename="a.vtt")
        async with api.post(path, data=form) as response:
            assert response.status == 400
            assert set(await response.json()) == {"error"}
    assert (await refused(api, "PATCH", f"{path}/reorder", [str(uuid.uuid4())]))[:2] == (404, 404404)


async def test_annotations(api: Client, make_video: Make) -> None:
    video_id = await make_video()
    path = f"/v1/videos/{video_id}/annotations"
    body = {
        "video_id": "a8ea2af1-f322-41f7-abe3-24a3693921c9", "type": "video/text", "title": "new annotation",
        "annotation_poster_id": "2d93bc46-b12c-4eab-b584-133869816285", "link": "https://example.com",
        "start_time": 0, "end_time": 10000,
    }  # fmt: skip

    made = await asked(api, "POST", path, body)

    assert made["annotation_poster_id"] == body["annotation_poster_id"]
    assert (made["start_time"], made["end_time"], made["link"]) == (0, 10000, "https://example.com")
    changed = await asked(api, "PUT", f"{path}/{made['id']}", {"title": "Other", "start_time": 5})
    assert (changed["title"], changed["start_time"], changed["type"]) == ("Other", 5, "video/text")
    async with api.get(path) as response:
        assert [each["id"] for each in (await response.json())["data"]] == [made["id"]]
    assert (await refused(api, "PUT", f"{path}/{made['id']}", {"end_time": 5}))[2].startswith("end_time")
    for bad in ({"link": "javascript:x"}, {"start_time": -1}, {"title": ""}, {"end_time": 0}):
        assert (await refused(api, "POST", path, {**body, **bad}))[:2] == (400, 402402)
    other = await make_video()
    assert (await refused(api, "GET", f"/v1/videos/{other}/annotations/{made['id']}"))[:2] == (404, 404404)
    assert await asked(api, "DELETE", f"{path}/{made['id']}") == {"success": True}
    assert (await refused(api, "GET", f"{path}/{made['id']}"))[:2] == (404, 404404)


@pytest.mark.parametrize("what", ["subtitles", "annotations", "posters"])
async def test_of_no_video(api: Client, what: str) -> None:
    assert (await refused(api, "GET", f"/v1/videos/{uuid.uuid4()}/{what}"))[:2] == (404, 404404)
