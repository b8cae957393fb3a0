"""Renditions that can't be made when they are asked for after all: they are ordered, whatever a crash cuts off."""

from dataclasses import dataclass, field
from typing import Any, cast

from server.catalog import renditions
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.jobs.context import JobContext
from server.media.child import Children
from server.media.ladder import Rung
from server.media.orders import TIMESCALE
from server.storage.renditions import RenditionStore
from server.vod import making, plans
from server.vod.encoding import Encoding
from server.vod.plan import OnRequest, Plan, grid
from tests.unit.vod.conftest import Archive
from tests.unit.vod.test_pipeline import FakeJob, found

AHEAD = Plan(60.0, grid(60 * TIMESCALE), (Rung("240p", 426, 240, (1, 1), 400_000, 1, 30.0),))
ON_REQUEST = Plan(AHEAD.duration_s, AHEAD.cuts, AHEAD.rungs, on_request=OnRequest(0, 23.0))


@dataclass
class Run(FakeJob):
    arguments: dict[str, Any] = field(default_factory=lambda: {"revision": 1, "renditions": ["240p"]})


async def test_a_crash_between_the_plan_and_the_orders_costs_no_order(archive: Archive) -> None:
    ordered: list[tuple[str, Plan]] = []

    async def order(transaction: Transaction, video: Video, plan: Plan) -> None:
        ordered.append((video.id, plan))

    id = await archive.video(state="processing")
    async with archive.database.write() as transaction:
        await making.list_planned(transaction, await found(transaction, id), ON_REQUEST, [])
    plans.keep(archive.layout, id, 1, AHEAD)
    store = RenditionStore(archive.layout)
    encoding = Encoding(archive.database, archive.layout, cast(Children, archive.children), store, 23.0, "fast", order)

    for _ in range(2):  # a crash after the orders does not double them
        await encoding.begin(cast(JobContext, Run(id)))

    assert ordered == [(id, AHEAD)]
    async with archive.database.read() as transaction:
        assert [row.origin for row in await renditions.of_video(transaction, id, 1)] == ["encoded"]
