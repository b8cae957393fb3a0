"""Live events of the Kinescope dialect: live streams of ours."""

import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from server import clock
from server.catalog import broadcasts
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Broadcast, LiveStream, Video
from server.ingest.health.series import Point
from server.restream.state import Status
from server.web.api.live_stream_control import BROADCASTS
from server.web.api.restreams import RESTREAMS
from server.web.kinescope import identifiers
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Connect, Fake

EXAMPLE = {
    "name": "New event", "type": "recurring", "auto_start": True, "protected": False, "time_shift": False,
    "reconnect_window": 600, "scheduled": {"time": "2099-12-19T00:05:41.634922Z"},
    "video": {"presets": ["360p", "1080p"]},
    "restreams": [{"name": "Restream 1", "url": "rtmp://rtmp.kinescope.dev/live", "key": "stream key"}],
    "latency_mode": "standard", "show_members": True, "chat_active": False, "chat_after_stream": True,
    "chat_preview": True,
}  # fmt: skip
PATH = "/v2/live/events"
NOWHERE = str(uuid.uuid4())


class OnAir:
    """What is on air, and how it goes with it."""

    def __init__(self) -> None:
        points = [Point(1_700_000_000_000, bitrate=2_500_000, frame_rate=29.97003), Point(1_700_000_010_000)]
        stage = SimpleNamespace(health=SimpleNamespace(series=SimpleNamespace(points=points)))
        self.rehearsals: dict[str, Any] = {}
        self.stages: dict[str, Any] = {"any": stage}
        self.id = ""

    def get(self, live_stream_id: str) -> Any:
        return self.stages["any"] if live_stream_id == self.id else None


class Targets:
    def status(self, live_stream_id: str, restream_id: str) -> Any:
        return SimpleNamespace(status=Status(), sent=0, dropped=0)


@pytest.fixture
def on_air() -> OnAir:
    return OnAir()


@pytest.fixture
async def client(connect: Connect, on_air: OnAir) -> Client:
    def mount(app: Any) -> None:
        app[BROADCASTS], app[RESTREAMS] = on_air, Targets()

    return await connect(mounts=[mount])


async def test_making_changing_deleting(client: Client, fake: Fake) -> None:
    place = (await asked(client, "POST", "/v1/projects", {"name": "Place"}))["id"]
    made = await asked(client, "POST", PATH, {**EXAMPLE, "parent_id": place, "record": {"parent_id": place}})

    shown = {name: made[name] for name in EXAMPLE if name != "restreams"}
    assert shown == {name: value for name, value in EXAMPLE.items() if name != "restreams"}
    assert (made["parent_id"], made["record"]) == (place, {"parent_id": place})
    assert made["streamkey"]
    assert made["rtmp_link"].startswith("rtmp://")
    assert made["stream"]["status"] == "pending"
    assert made["stream"]["started_at"] == EXAMPLE["scheduled"]["time"]  # type: ignore[index]
    (target,) = made["restreams"]
    assert (target["name"], target["key"], target["status"], target["event_id"]) == (
        "Restream 1", "stream key", "disconnected", made["id"]
    )  # fmt: skip
    at = f"{PATH}/{made['id']}"
    assert await asked(client, "GET", at) == made

    changed = await asked(client, "PUT", at, {"name": "Update event", "subtitle": "s", "record": None, "video": None})
    assert (changed["name"], changed["subtitle"], changed["record"]) == ("Update event", "s", None)
    assert (changed["video"], changed["auto_start"]) == ({"presets": None}, True)
    kept = await asked(client, "PUT", at, {"restreams": [{**EXAMPLE["restreams"][0], "name": "again"}]})  # type: ignore[index, dict-item]
    assert [(each["id"], each["name"]) for each in kept["restreams"]] == [(target["id"], "again")]
    assert await asked(client, "DELETE", at) == {"success": True}
    assert (await refused(client, "GET", at))[:2] == (404, 404404)
    assert len(fake.live_streams_deleted) == 1


async def test_a_live_stream_is_an_event(client: Client) -> None:
    async with client.post("/live-streams", json={"name": "plain"}) as response:
        live_stream_id = (await response.json())["liveStreamId"]
    (found,) = (await asked(client, "GET", PATH))["data"]
    assert found["id"] == identifiers.uuid_of(live_stream_id)
    assert (found["type"], found["stream"], found["scheduled"], found["record"]) == (
        "recurring", None, None, {"parent_id": None}
    )  # fmt: skip


async def test_lists_by_place(client: Client) -> None:
    project = (await asked(client, "POST", "/v1/projects", {"name": "P"}))["id"]
    folder = (await asked(client, "POST", f"/v1/projects/{project}/folders", {"name": "F"}))["id"]
    default = (await asked(client, "GET", "/v1/projects"))["data"][0]["id"]
    for name, place in (("a", None), ("b", project), ("c", folder), ("d", default)):
        await asked(client, "POST", PATH, {"name": name, "parent_id": place})
    for query, names in (
        ("", "abcd"), (f"folder_id={folder}", "c"), (f"project_id={project}", "bc"), (f"project_id={default}", "ad"),
        (f"project_id={project}&without_folder=true", "b"), ("without_folder=true", "abd"),
    ):  # fmt: skip
        found = await asked(client, "GET", f"{PATH}?order=name.asc&{query}")
        assert "".join(each["name"] for each in found["data"]) == names, query
    assert (await refused(client, "GET", f"{PATH}?folder_id={NOWHERE}"))[:2] == (404, 404404)
    (first, *_) = (await asked(client, "GET", f"{PATH}?order=name"))["data"]
    assert (await asked(client, "PUT", f"{PATH}/{first['id']}/move", {"parent_id": folder}))["parent_id"] == folder


async def test_enabling_and_completing(client: Client, fake: Fake, database: Database) -> None:
    made = await asked(client, "POST", PATH, {**EXAMPLE, "type": "one-time"})
    at = f"{PATH}/{made['id']}"
    assert (await asked(client, "PUT", f"{at}/enable"))["scheduled"] is None
    done = await asked(client, "PUT", f"{at}/complete")
    assert (done["enabled"], len(fake.completed)) == (False, 1)
    assert (await asked(client, "PUT", f"{at}/enable"))["enabled"] is True
    async with database.write() as transaction:
        row = await transaction.get_one(LiveStream, fake.completed[0])
        began = Broadcast(
            project_id=DEFAULT_PROJECT, live_stream_id=row.id, protocol="rtmp", latency_mode="low", target_duration_s=4
        )
        await broadcasts.add(transaction, began)
        await broadcasts.move(transaction, began, "live")
        row.broadcast_id = began.id
    stream = (await asked(client, "GET", at))["stream"]
    assert (stream["id"], stream["status"]) == (identifiers.uuid_of(began.id), "live")
    async with database.write() as transaction:
        await broadcasts.move(transaction, await transaction.get_one(Broadcast, began.id), "ended")
    assert (await asked(client, "GET", at))["stream"]["status"] == "finished"


async def test_schedules(client: Client) -> None:
    at = f"{PATH}/{(await asked(client, 'POST', PATH, {'name': 'x'}))['id']}"
    moment = (clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (await refused(client, "PUT", f"{at}/stream", {"started_at": moment}))[:2] == (404, 404404)
    for method in ("POST", "PUT"):
        found = await asked(client, method, f"{at}/stream", {"started_at": moment})
        assert (found["status"], found["started_at"], found["finished_at"]) == ("pending", moment, None)
    assert (await asked(client, "GET", at))["stream"] == found
    assert (await refused(client, "POST", f"{at}/stream", {"started_at": "soon"}))[:2] == (400, 402402)


@pytest.mark.parametrize(("hours", "stays"), [(11, True), (12, False), (13, False)])
async def test_an_end_that_the_beginning_passes_is_dropped(
    client: Client, database: Database, hours: int, stays: bool
) -> None:
    made = await asked(client, "POST", PATH, {"name": "x"})
    begin = clock.now() + timedelta(days=1)
    async with database.write() as transaction:
        (row,) = await transaction.scalars(select(LiveStream))
        row.stops_at = begin + timedelta(hours=12)
    moment = (begin + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    found = await asked(client, "PUT", f"{PATH}/{made['id']}", {"scheduled": {"time": moment}})

    assert found["scheduled"] == {"time": moment}
    async with database.read() as transaction:
        (row,) = await transaction.scalars(select(LiveStream))
    assert (row.stops_at is not None) == stays


async def test_recordings_and_quality(client: Client, database: Database, on_air: OnAir) -> None:
    made = await asked(client, "POST", PATH, {"name": "x"})
    at = f"{PATH}/{made['id']}"
    async with database.write() as transaction:
        (row,) = await transaction.scalars(select(LiveStream))
        transaction.add(Video(project_id=DEFAULT_PROJECT, title="recorded", live_stream_id=row.id))
    assert [each["title"] for each in (await asked(client, "GET", f"{at}/videos"))["data"]] == ["recorded"]
    assert await asked(client, "GET", f"{at}/qos") == []
    on_air.id = row.id
    first, second = await asked(client, "GET", f"{at}/qos")
    assert (first["bitrate_video"], first["frame_rate"], first["status"]) == (2_500_000, 29.97, "ok")
    assert (second["bitrate_video"], second["status"]) == (None, "silent")


async def test_restreams(client: Client) -> None:
    at = f"{PATH}/{(await asked(client, 'POST', PATH, {'name': 'x'}))['id']}/restreams"
    body = {"name": "R", "url": "rtmp://rtmp.kinescope.io/live", "key": "k", "description": "D", "enabled": True}
    made = await asked(client, "POST", at, body)
    assert {name: made[name] for name in body} == body
    assert made["updated_at"] is None
    assert await asked(client, "GET", f"{at}/{made['id']}") == made
    changed = await asked(client, "PUT", f"{at}/{made['id']}", {**body, "name": "R 1", "enabled": False})
    assert (changed["name"], changed["enabled"], changed["description"]) == ("R 1", False, "D")
    assert changed["updated_at"] is not None
    assert await asked(client, "DELETE", f"{at}/{made['id']}") == {"success": True}
    assert (await refused(client, "GET", f"{at}/{made['id']}"))[:2] == (404, 404404)
    assert (await refused(client, "POST", at, {**body, "url": "http://x"}))[:2] == (400, 402402)
    for _ in range(5):
        await asked(client, "POST", at, body)
    assert (await refused(client, "POST", at, body))[:2] == (400, 100106)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"protected": True}, 402402), ({"type": "x"}, 402402), ({"reconnect_window": -1}, 402402),
        ({"name": ""}, 402402),
        ({"video": {"presets": ["1p"]}}, 402402), ({"parent_id": "x"}, 400301), ({"latency_mode": "none"}, 402402),
    ],
)  # fmt: skip
async def test_bad_ones(client: Client, change: dict[str, Any], code: int) -> None:
    assert (await refused(client, "POST", PATH, {**EXAMPLE, **change}))[:2] == (400, code)
