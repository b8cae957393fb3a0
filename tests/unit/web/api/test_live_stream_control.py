"""Control over REST: enable, disable, keys, recording, rehearsals, schedules."""

import re
from datetime import timedelta

import pytest

from server import clock, ids
from server.catalog import events
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, LiveStream
from server.ingest.on_air import Refused
from server.web.services import Services
from tests.unit.ingest.conftest import until
from tests.unit.web.api.live_control import Desk
from tests.unit.web.kit import Connect, problem


async def types(database: Database, id: str) -> list[str]:
    async with database.read() as transaction:
        return [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, id)]


async def test_disabling_ends_what_is_on_air_and_refuses_publishers(desk: Desk, database: Database) -> None:
    live = await desk.live()
    connection = await desk.on_air(live)
    path = f"/live-streams/{live['liveStreamId']}"

    disabled = await desk.call("PUT", f"{path}/disable")
    await desk.call("PUT", f"{path}/disable")

    assert (disabled["state"], disabled["broadcasting"]) == ("disabled", False)
    assert connection.closed == ["the live stream was disabled"]
    with pytest.raises(Refused, match="disabled"):
        await desk.on_air(live)
    assert (await desk.call("PUT", f"{path}/enable"))["state"] == "idle"
    await desk.call("PUT", f"{path}/enable")
    await desk.on_air(live)
    said = await types(database, live["liveStreamId"])
    assert [said.count(f"live-stream.{what}") for what in ("disabled", "enabled")] == [1, 1]


async def test_a_new_key_cuts_the_old_one(desk: Desk, database: Database) -> None:
    live = await desk.live()
    connection = await desk.on_air(live)

    reset = await desk.call("POST", f"/live-streams/{live['liveStreamId']}/reset-stream-key")

    assert reset["streamKey"] != live["streamKey"]
    assert connection.closed == ["the stream key was reset"]
    with pytest.raises(Refused, match="unknown stream key"):
        await desk.on_air(live)
    await desk.on_air(reset)
    on_air = desk.broadcasts.get(live["liveStreamId"])
    assert on_air
    assert on_air.state == "live"
    assert "live-stream.key.reset" in await types(database, live["liveStreamId"])


async def test_a_backup_key_is_made_on_demand(desk: Desk) -> None:
    live = await desk.live()
    path = f"/live-streams/{live['liveStreamId']}"
    assert live["backupStreamKey"] is None

    made = await desk.call("POST", f"{path}/reset-backup-stream-key")
    primary, backup = await desk.on_air(live), await desk.on_air(made, "backupStreamKey")
    again = await desk.call("POST", f"{path}/reset-backup-stream-key")

    assert re.fullmatch(r"[0-9a-f-]{20,}", made["backupStreamKey"])
    assert made["streamKey"] == live["streamKey"]
    assert again["backupStreamKey"] != made["backupStreamKey"]
    assert (primary.closed, backup.closed) == ([], ["the stream key was reset"])


async def test_recording_is_stopped_and_started_while_on_air(desk: Desk) -> None:
    live = await desk.live()
    path = f"/live-streams/{live['liveStreamId']}/recording"
    await desk.on_air(live)
    before = await desk.call("GET", path)

    stopped = await desk.call("POST", f"{path}/stop")
    started = await desk.call("POST", f"{path}/start")

    assert (before["recording"], len(before["intervals"]), before["intervals"][0]["stoppedAt"]) == (True, 1, None)
    assert (stopped["recording"], bool(stopped["intervals"][0]["stoppedAt"])) == (False, True)
    assert (started["recording"], len(started["intervals"])) == (True, 2)
    await desk.broadcasts.complete(live["liveStreamId"])
    ended = await desk.call("GET", path)
    assert (ended["recording"], all(each["videoId"] for each in ended["intervals"])) == (False, True)


@pytest.mark.parametrize(
    ("method", "what"), [("GET", "recording"), ("POST", "recording/start"), ("POST", "recording/stop")]
)
async def test_nobody_on_air_is_recorded(desk: Desk, method: str, what: str) -> None:
    live = await desk.live()

    async with desk.client.request(method, f"/live-streams/{live['liveStreamId']}/{what}") as response:
        await problem(response, 409, "conflict")


async def test_a_rehearsal(desk: Desk) -> None:
    live = await desk.live()
    path = f"/live-streams/{live['liveStreamId']}/rehearsal"
    async with desk.client.get(path) as response:
        await problem(response, 404, "resource-not-found", "liveStreamId")

    armed = await desk.call("POST", path, 201, {"duration": 60})
    connection = await desk.on_air(live)
    running = await desk.call("GET", path)
    await desk.call("DELETE", path, 204)
    over = await desk.call("GET", path)

    assert (armed["state"], armed["verdict"], armed["endsIn"] > 500) == ("armed", None, True)
    assert (running["state"], running["protocol"], 50 < running["endsIn"] <= 60) == ("running", "rtmp", True)
    assert (over["state"], over["endsIn"]) == ("over", None)
    assert ([each["codec"][:4] for each in over["video"]], over["audio"][0]["channels"]) == (["avc1"], 2)
    assert connection.closed == ["the rehearsal is over"]
    assert desk.broadcasts.get(live["liveStreamId"]) is None


async def test_who_is_on_air_does_not_rehearse(desk: Desk) -> None:
    live = await desk.live()
    await desk.on_air(live)

    async with desk.client.post(f"/live-streams/{live['liveStreamId']}/rehearsal") as response:
        await problem(response, 409, "conflict")


@pytest.mark.parametrize("duration", [4, 1801, "60", None])
async def test_bad_durations(desk: Desk, duration: object) -> None:
    live = await desk.live()

    path = f"/live-streams/{live['liveStreamId']}/rehearsal"
    async with desk.client.post(path, json={"duration": duration}) as response:
        await problem(response, 400, "invalid-attribute", "duration")


ROUTES = [
    ("PUT", "enable"), ("PUT", "disable"), ("POST", "reset-stream-key"), ("POST", "reset-backup-stream-key"),
    ("GET", "recording"), ("POST", "recording/start"), ("POST", "recording/stop"), ("POST", "rehearsal"),
    ("GET", "rehearsal"), ("DELETE", "rehearsal"), ("GET", "health"), ("GET", "health/series"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "what"), ROUTES)
async def test_an_unknown_stream(desk: Desk, method: str, what: str) -> None:
    async with desk.client.request(method, f"/live-streams/{ids.new('li')}/{what}") as response:
        await problem(response, 404, "resource-not-found", "liveStreamId")


# --- schedules


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
async def test_a_moment_that_no_calendar_has(connect: Connect, moment: str) -> None:
    client = await connect()
    made = {"name": "a", "schedule": {"startsAt": moment}}
    async with client.post("/live-streams", json=made) as response:
        assert response.status == 400
        assert (await response.json())["name"] == "schedule[startsAt]"
    async with client.post("/live-streams", json={"name": "a"}) as response:
        path = f"/live-streams/{(await response.json())['liveStreamId']}"
    async with client.patch(path, json={"tokensValidAfter": moment}) as response:
        assert response.status == 400


async def test_a_schedule_is_kept_changed_and_taken_back(connect: Connect, services: Services) -> None:
    told: list[LiveStream] = []
    client = await connect({"on_live_stream_changed": told.append})
    schedule = {"startsAt": "2030-01-31T10:00:00+00:00", "stopsAt": "2030-01-31T11:30:00+00:00"}

    async with client.post("/live-streams", json={"name": "a", "schedule": schedule}) as response:
        made = await response.json()
    path = f"/live-streams/{made['liveStreamId']}"
    async with client.patch(path, json={"schedule": {"stopsAt": "2030-01-31T13:30:00+02:00"}}) as response:
        changed = await response.json()
    async with client.patch(path, json={"name": "b"}) as response:
        kept = await response.json()
    async with client.patch(path, json={"schedule": None}) as response:
        none = await response.json()

    assert made["schedule"] == schedule
    assert changed["schedule"] == kept["schedule"] == {"startsAt": None, "stopsAt": "2030-01-31T11:30:00+00:00"}
    assert none["schedule"] is None
    assert len(told) == 4


@pytest.mark.parametrize(
    "schedule",
    [
        {"startsAt": "2030-01-31T10:00:00Z", "stopsAt": "2030-01-31T10:00:00Z"},
        {"startsAt": "2030-01-31T10:00:00"},
        {"startsAt": "soon"},
        {"at": "2030-01-31T10:00:00Z"},
        [],
    ],
)
async def test_bad_schedules(desk: Desk, schedule: object) -> None:
    async with desk.client.post("/live-streams", json={"name": "a", "schedule": schedule}) as response:
        assert response.status == 400
        assert "schedule" in (await response.json())["name"]


async def test_before_its_schedule_a_stream_is_measured_and_not_shown(desk: Desk) -> None:
    begins = (clock.now() + timedelta(hours=1)).isoformat()
    live = await desk.live(schedule={"startsAt": begins})
    await desk.on_air(live)

    found = await desk.call("GET", f"/live-streams/{live['liveStreamId']}/health")

    assert (found["state"], found["broadcastId"]) == ("rehearsing", None)
    assert desk.broadcasts.get(live["liveStreamId"]) is None
    await desk.broadcasts.begin_scheduled(live["liveStreamId"])
    await until(lambda: desk.broadcasts.get(live["liveStreamId"]))
