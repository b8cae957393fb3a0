"""`/data/*` and the former `/analytics/*` over REST."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server import clock, ids
from server.catalog.control_models import PlaybackEvent, PlaybackSession
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.errors import Problem
from server.web.api import analytics, former
from tests.unit.web.kit import Client, Make, problem

SESSION = ids.new("ps")


async def watch(database: Database, media_id: str, minutes_ago: int = 60, **more: Any) -> None:
    at = clock.now() - timedelta(minutes=minutes_ago)
    fields = {
        "project_id": DEFAULT_PROJECT, "media_id": media_id, "media_type": "video", "viewer": "ann", "loaded_at": at,
        "played_at": at, "heard_at": at + timedelta(seconds=30), "plays": 1, "watched_s": 30.0, "browser": "firefox",
    }  # fmt: skip
    async with database.write() as transaction:
        transaction.add(PlaybackSession(**{**fields, **more}))


async def test_every_metric_is_zero_where_nothing_is_recorded(client: Client) -> None:
    for metric, aggregations in analytics.AGGREGATIONS.items():
        for aggregation in aggregations:
            async with client.get(f"/data/metrics/{metric}/{aggregation}") as response:
                body = await response.json()
            assert (response.status, body["data"]) == (200, 0), (metric, aggregation)
            assert body["context"]["aggregation"] == aggregation
    for metric in analytics.SERIES:
        for path in (f"/data/timeseries/{metric}", f"/data/buckets/{metric}/country"):
            async with client.get(path) as response:
                body = await response.json()
            assert (response.status, body["data"], body["pagination"]["itemsTotal"]) == (200, [], 0), path


@pytest.mark.parametrize(
    ("path", "metric", "data"),
    [
        ("/data/metrics/play/count", "play", 1),
        ("/data/metrics/play/total", "play", 2),
        ("/data/metrics/view/count", "view-5", 1),
        ("/data/metrics/view/count?viewDuration=30s&unique=true", "unique-view-30", 1),
        ("/data/metrics/ccv/peak?unique=true", "unique-ccv", 1),
        ("/data/metrics/ccv/live", "ccv", 0),
        ("/data/metrics/play/count?filterBy[browser][]=firefox&filterBy[browser][]=chrome", "play", 1),
        ("/data/metrics/play/count?filterBy[browser][0]=chrome", "play", 0),
        ("/data/metrics/play/count?filterBy[mediaType]=video", "play", 1),
        ("/data/metrics/play/count?from=2020-01-01T00:00:00%2B01:00", "play", 2),
        ("/data/metrics/play/count?from=2020-01-01T00:00:00+01:00&to=2020-01-02T00:00:00Z", "play", 0),
    ],
)
async def test_a_metric(
    client: Client, database: Database, make_video: Make, path: str, metric: str, data: float
) -> None:
    video = await make_video()
    await watch(database, video)
    await watch(database, video, minutes_ago=3000)

    async with client.get(path) as response:
        body = await response.json()

    assert (body["context"]["metric"], body["data"]) == (metric, data)


async def test_by_a_dimension(client: Client, database: Database, make_video: Make) -> None:
    one, other = await make_video(), await make_video()
    for video, browser in ((one, "firefox"), (other, "chrome"), (other, "chrome")):
        await watch(database, video, browser=browser)

    async def asked(query: str) -> list[tuple[str, float]]:
        async with client.get(f"/data/buckets/play/browser?{query}") as response:
            return [(each["dimensionValue"], each["metricValue"]) for each in (await response.json())["data"]]

    assert await asked("") == [("chrome", 2), ("firefox", 1)]
    assert await asked("sortBy=metricValue&sortOrder=asc") == [("firefox", 1), ("chrome", 2)]
    assert await asked("sortBy=dimensionValue&sortOrder=desc") == [("firefox", 1), ("chrome", 2)]
    assert await asked("pageSize=1&currentPage=2") == [("firefox", 1)]
    assert await asked(f"filterBy[mediaId]={one}") == [("firefox", 1)]


async def test_over_time(client: Client, database: Database, make_video: Make) -> None:
    video = await make_video()
    for minutes in (10, 200, 200):
        await watch(database, video, minutes)

    async with client.get("/data/timeseries/play?sortBy=metricValue&sortOrder=desc") as response:
        body = await response.json()

    assert [each["metricValue"] for each in body["data"]] == [2, 1]
    assert body["context"]["interval"] == "hour"
    assert datetime.fromisoformat(body["data"][0]["emittedAt"]).minute == 0


@pytest.mark.parametrize(
    ("path", "status", "code", "name"),
    [
        ("/data/metrics/joy/count", 404, "unrecognized-request-url", None),
        ("/data/metrics/start/rate", 404, "unrecognized-request-url", None),
        ("/data/buckets/play/mood", 404, "unrecognized-request-url", None),
        ("/data/timeseries/play-total", 404, "unrecognized-request-url", None),
        ("/data/metrics/play/count?from=yesterday", 400, "request-invalid-query-parameter", "from"),
        ("/data/metrics/play/count?from=2026-01-02", 400, "request-invalid-query-parameter", "from"),
        ("/data/metrics/play/count?to=0001-01-01T00:00:00Z", 400, "request-invalid-query-parameter", "to"),
        ("/data/metrics/play/count?filterBy[mood]=x", 400, "request-invalid-query-parameter", "filterBy"),
        ("/data/metrics/play/count?filterBy=x", 400, "request-invalid-query-parameter", "filterBy"),
        ("/data/metrics/play/count?filterBy[tag][]=a&filterBy[tag][]=b", 400,
         "request-invalid-query-parameter", "filterBy[tag]"),
        ("/data/metrics/view/count?viewDuration=7s", 400, "request-invalid-query-parameter", "viewDuration"),
        ("/data/timeseries/play?interval=year", 400, "request-invalid-query-parameter", "interval"),
    ],
)  # fmt: skip
async def test_what_can_not_be_asked(client: Client, path: str, status: int, code: str, name: str | None) -> None:
    async with client.get(path) as response:
        await problem(response, status, code, name)


# --- as it was asked before


async def test_sessions_of_a_video(client: Client, database: Database, make_video: Make) -> None:
    video = await make_video()
    await watch(database, video, id=SESSION, country="FR")
    async with database.write() as transaction:
        transaction.add(
            PlaybackEvent(
                project_id=DEFAULT_PROJECT, session_id=SESSION, type="seek.forward", emitted_at=clock.now(),
                from_ms=1500, to_ms=9000,
            )
        )  # fmt: skip

    async with client.get(f"/analytics/videos/{video}") as response:
        (found,) = (await response.json())["data"]
    assert (found["session"]["sessionId"], found["location"]["country"]) == (SESSION, "FR")
    async with client.get(f"/analytics/videos/{video}?period=2019-01") as response:
        assert (await response.json())["data"] == []
    async with client.get(f"/analytics/sessions/{SESSION}/events") as response:
        (event,) = (await response.json())["data"]
    assert {**event, "emittedAt": ""} == {"type": "seek.forward", "emittedAt": "", "at": None, "from": 1, "to": 9}


async def test_nobody_elses_sessions(client: Client) -> None:
    for path, name in (
        (f"/analytics/videos/{ids.new('vi')}", "videoId"),
        (f"/analytics/live-streams/{ids.new('li')}", "liveStreamId"),
        (f"/analytics/sessions/{ids.new('ps')}/events", "sessionId"),
    ):
        async with client.get(path) as response:
            await problem(response, 404, "resource-not-found", name)


async def test_the_account(client: Client) -> None:
    async with client.get("/account") as response:
        body = await response.json()
    assert body["quota"] == {"quotaUsed": 0, "quotaRemaining": None, "quotaTotal": None}


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


PERIODS: Mapping[str, Sequence[datetime]] = {
    "2026": (day(2026, 1, 1), day(2027, 1, 1)),
    "2026-02": (day(2026, 2, 1), day(2026, 3, 1)),
    "2026-W01": (day(2025, 12, 29), day(2026, 1, 5)),
    "2026-01-31": (day(2026, 1, 31), day(2026, 2, 1)),
    "2026-01-30/2026-01-31": (day(2026, 1, 30), day(2026, 2, 1)),
}


@pytest.mark.parametrize(("text", "wanted"), PERIODS.items())
def test_periods(text: str, wanted: Sequence[datetime]) -> None:
    assert former.period(text) == tuple(wanted)


@pytest.mark.parametrize("text", ["2026-13", "2026-W60", "9999", "yesterday", "2026-02-30", "2026/", "0000"])
def test_no_periods(text: str) -> None:
    with pytest.raises(Problem, match="request-invalid-query-parameter"):
        former.period(text)
