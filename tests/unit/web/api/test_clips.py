"""Clips over REST: what is understood, and what is refused with which field."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.catalog import events
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Video
from server.recorder.clips import Wish
from server.recorder.moments import MomentError, NotYetError, Seconds, Wall
from server.storage.layout import Layout
from server.vod.edits import Edits
from server.web.api import clips, clones
from tests.unit.web.kit import Client, Connect, Make, problem

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


class FakeClips:
    """Remembers what was wished; answers with a clip, nothing, or a failure."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.made: Video | None = None
        self.fails: MomentError | None = None

    async def of_live_stream(self, project_id: str, live_stream_id: str, wish: Wish) -> Video | None:
        self.wishes.append(wish)
        if self.fails:
            raise self.fails
        if self.made:
            self.made.project_id, self.made.live_stream_id = project_id, live_stream_id
        return self.made

    of_video = of_live_stream


@pytest.fixture
def fake_clips() -> FakeClips:
    return FakeClips()


@pytest.fixture
async def api(connect: Connect, fake_clips: FakeClips, database: Database, tmp_path: Path) -> Client:
    async def enqueue(*_: object) -> None:
        pass

    def mount(app: Any) -> None:
        app[clips.CLIPS] = fake_clips
        app[clones.EDITS] = Edits(database, Layout(tmp_path), enqueue)

    return await connect(operations=[clips.operations], mounts=[mount])


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ({"start": -30}, Wish(Seconds(-30), None)),
        ({"start": 1, "end": 2.5, "title": "Goal"}, Wish(Seconds(1), Seconds(2.5), "Goal")),
        ({"start": "2026-05-01T12:00:00Z", "end": None}, Wish(Wall(NOON_MS), None)),
        (
            {"start": "2026-05-01T14:00:00.250+02:00", "end": "2026-05-01T12:00:09Z"},
            Wish(Wall(NOON_MS + 250), Wall(NOON_MS + 9000)),
        ),
    ],
)
async def test_moments(
    api: Client, fake_clips: FakeClips, make_live: Make, body: dict[str, Any], wish: Wish
) -> None:
    id = await make_live()
    await api.post(f"/live-streams/{id}/clips", json=body)

    assert fake_clips.wishes == [wish]


@pytest.mark.parametrize(
    ("body", "code", "name"),
    [
        ({}, "attribute-required", "start"),
        ({"start": "yesterday"}, "invalid-attribute", "start"),
        ({"start": "2026-05-01T12:00:00"}, "invalid-attribute", "start"),
        ({"start": True}, "invalid-attribute", "start"),
        ({"start": 1e300}, "invalid-attribute", "start"),
        ({"start": 0, "title": ""}, "invalid-attribute", "title"),
        ({"start": 0, "stop": 1}, "invalid-attribute", "stop"),
    ],
)
async def test_what_is_no_moment(api: Client, make_live: Make, body: dict[str, Any], code: str, name: str) -> None:
    response = await api.post(f"/live-streams/{await make_live()}/clips", json=body)

    said = await problem(response, 400, code, name)
    assert {each["name"] for each in said["problems"]} == {name}


async def test_a_failure_names_its_field(api: Client, fake_clips: FakeClips, make_live: Make) -> None:
    fake_clips.fails = NotYetError(60_000)

    response = await api.post(f"/live-streams/{await make_live()}/clips", json={"start": 0, "end": 99})

    said = await problem(response, 400, "invalid-attribute", "end")
    assert "not that far yet" in str(said)


async def test_what_has_not_been_on_air_has_no_clips(api: Client, make_live: Make, make_video: Make) -> None:
    live, video = await make_live(), await make_video(source="upload")

    await problem(await api.post(f"/live-streams/{live}/clips", json={"start": 0}), 409, "conflict")
    await problem(await api.post(f"/videos/{video}/clips", json={"start": 0}), 409, "conflict")


async def test_a_clip_of_an_upload_is_a_new_video(api: Client, make_video: Make, tmp_path: Path) -> None:
    id = await make_video(source="upload", state="done", duration_s=10.0)
    source = Layout(tmp_path).video_source(id)
    source.parent.mkdir(parents=True)
    source.write_bytes(b"a film")

    answer = await api.post(f"/videos/{id}/clips", json={"start": 2, "end": -1})
    made = await answer.json()
    assert (answer.status, made["state"], made["title"].endswith("(clip)")) == (201, "pre-processing", True)
    assert Layout(tmp_path).video_input(made["videoId"], 0).read_bytes() == b"a film"
    for start, name in ((11, "start"), ("2026-05-01T12:00:00Z", "start")):
        response = await api.post(f"/videos/{id}/clips", json={"start": start})
        await problem(response, 400, "invalid-attribute", name)


async def test_a_video_as_the_source_of_another(
    api: Client, make_video: Make, database: Database, tmp_path: Path
) -> None:
    id = await make_video(source="upload", state="done", duration_s=10.0, description="Old", tags=["a"])
    source = Layout(tmp_path).video_source(id)
    source.parent.mkdir(parents=True)
    source.write_bytes(b"a film")

    noted = [{"key": "shop", "value": "7"}]
    for more in ({}, {"clip": {"startTimecode": "00:00:02", "endTimecode": "00:00:05"}}):
        wish = {"title": "Copy", "source": id, "description": "New", "metadata": noted, **more}
        answer = await api.post("/videos", json=wish)
        made = await answer.json()
        assert (answer.status, made["title"], made["description"]) == (201, "Copy", "New")
        assert made["videoId"] != id
        assert Layout(tmp_path).video_input(made["videoId"], 0).read_bytes() == b"a film"
        async with database.read() as transaction:
            told = await events.of_object(transaction, DEFAULT_PROJECT, made["videoId"])
        assert [event.payload.get("metadata") for event in told] == [noted] * len(told)


@pytest.mark.parametrize(
    ("more", "status", "code", "name"),
    [
        ({"source": "vi1111111111111111111111"}, 404, "resource-not-found", "source"),
        ({"watermark": {"id": "watermark_1111111111111111111111"}}, 400, "invalid-attribute", "watermark"),
        ({"clip": {"startTimecode": "00:00:20"}}, 400, "invalid-attribute", "start"),
    ],
)
async def test_what_can_not_be_copied(
    api: Client, make_video: Make, more: dict[str, Any], status: int, code: str, name: str
) -> None:
    id = await make_video(source="upload", state="done", duration_s=10.0)
    await problem(await api.post("/videos", json={"title": "Copy", "source": id, **more}), status, code, name)


async def test_one_without_a_file_can_not_be_copied(api: Client, make_video: Make) -> None:
    response = await api.post("/videos", json={"title": "Copy", "source": await make_video()})
    await problem(response, 409, "conflict", "source")


async def test_what_is_not_there_is_not_found(api: Client) -> None:
    missing = "vi1111111111111111111111"

    await problem(
        await api.post(f"/videos/{missing}/clips", json={"start": 0}), 404, "resource-not-found", "videoId"
    )
