"""What of the old events goes, and what stays for those who count on it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from server import clock
from server.app import sweeping
from server.catalog import deliveries, event_aging, events, webhooks
from server.catalog.event_aging import ENDS, EventAging
from server.catalog.models import DEFAULT_PROJECT, Event
from server.catalog.webhook_models import Webhook

KEPT = timedelta(days=90)
OLD = timedelta(days=91)


@pytest.fixture
def happened(database):
    """Records an event of so long ago."""

    async def record(object_id, type="video.updated", ago=OLD, project_id=DEFAULT_PROJECT):
        async with database.write() as transaction:
            event = await events.record(transaction, project_id, object_id, type)
            made = update(Event).where(Event.id == event.id)
            await transaction.execute(made.values(created_at=clock.now() - ago))
        return event.position

    return record


@pytest.fixture
async def endpoint(database):
    async with database.write() as transaction:
        row = Webhook(project_id=DEFAULT_PROJECT, url="https://example.com", events=["*"], secret="s", since=0)
        transaction.add(row)
    return row


async def sweep(database, aging=None):
    aging = aging or EventAging(KEPT)
    async with database.read() as transaction:
        found = await aging.look(transaction, clock.now())
    async with database.write() as transaction:
        return found and await aging.sweep(transaction, clock.now())


async def left(database):
    async with database.read() as transaction:
        return [row.position for row in await events.after(transaction, 0, 100)]


async def test_old_events_go_but_for_the_newest_of_what_there_is(database, happened):
    before = await left(database)
    positions = [await happened(object_id) for object_id in ("vi1", "vi1", "vi2", "vi1")]
    young = await happened("vi3", ago=timedelta(days=89))
    await sweep(database)

    assert set(await left(database)) - set(before) == {positions[2], positions[3], young}


async def test_numbers_of_an_object_go_on(database, happened):
    for _ in range(3):
        await happened("vi1")
    await happened("vi2", ago=timedelta())
    await sweep(database)
    async with database.write() as transaction:
        event = await events.record(transaction, DEFAULT_PROJECT, "vi1", "video.updated")

    assert event.sequence == 4


@pytest.mark.parametrize("type", ["video.deleted", "video.erased", "upload.uploaded", "key.revoked"])
async def test_nothing_stays_of_what_is_gone(database, happened, type):
    gone = [await happened("xx1"), await happened("xx1", type)]
    await happened("vi2", ago=timedelta())
    await sweep(database)

    assert not set(gone) & set(await left(database))


def test_what_ends_a_part_ends_no_object():
    assert "video.captions.deleted" not in ENDS
    assert {"live-stream.deleted", "oauth-grant.revoked", "video.version.erased"} < set(ENDS)


async def test_the_newest_of_a_project_stays_for_its_readers(database, happened):
    await happened("vi1")
    newest = await happened("vi1", "video.deleted")
    await sweep(database)

    assert (await left(database))[-1] == newest


async def test_what_a_delivery_is_of_stays_and_what_came_after_it(database, happened, endpoint):
    first, second, third = [await happened("vi1") for _ in range(3)]
    await happened("vi1", ago=timedelta())
    async with database.write() as transaction:
        event = await transaction.get(Event, second)
        await deliveries.add_all(transaction, [(endpoint, event)], clock.now())
        await deliveries.advance(transaction, third)
    await sweep(database)
    assert first not in await left(database)
    assert {second, third} <= set(await left(database))

    async with database.write() as transaction:
        await webhooks.remove(transaction, await webhooks.find(transaction, endpoint.id))
    await sweep(database)
    assert not {second, third} & set(await left(database))


async def test_what_is_no_delivery_yet_stays(database, happened, endpoint):
    first, second = await happened("vi1"), await happened("vi1")
    await happened("vi1", ago=timedelta())
    async with database.write() as transaction:
        await deliveries.advance(transaction, first)
    await sweep(database)

    assert first not in await left(database)
    assert second in await left(database)


async def test_a_clock_that_was_wrong_keeps_nothing_else(database, happened):
    before = await happened("vi1")
    future = await happened("vi2", ago=-timedelta(days=999))
    after = await happened("vi1")
    last = [await happened("vi1", ago=timedelta()), await happened("vi2", ago=timedelta())]
    await sweep(database)

    assert set(await left(database)) & {before, future, after, *last} == {future, *last}


async def test_it_looks_no_further_than_to_the_first_young_one(database, happened):
    gone, young, beyond = await happened("vi1"), await happened("vi1", ago=timedelta()), await happened("vi1")
    await happened("vi1")
    aging = EventAging(KEPT)
    assert not await sweep(database, aging)
    assert gone not in await left(database)
    assert {young, beyond} < set(await left(database))

    async with database.read() as transaction:
        assert not await aging.look(transaction, clock.now())  # it rests


async def test_a_round_takes_all_that_is_old_and_keeps_nobody_waiting_for_what_is_not(database, happened, monkeypatch):
    monkeypatch.setattr(event_aging, "LOOKED_AT", 2)
    monkeypatch.setattr(sweeping, "PAUSE_S", 0)
    old = [await happened("vi1") for _ in range(5)]
    young = await happened("vi1", ago=timedelta())
    await sweeping.sweep(database, [EventAging(KEPT)])
    assert not set(old) & set(await left(database))
    assert young in await left(database)

    async with database.write(), asyncio.timeout(20):
        await sweeping.sweep(database, [EventAging(KEPT)])


async def test_it_goes_on_some_at_a_time_and_then_rests(database, happened, monkeypatch):
    monkeypatch.setattr(event_aging, "LOOKED_AT", 4)
    before = len(await left(database))
    for _ in range(9):
        await happened("vi1")
    await happened("vi1", ago=timedelta())
    aging, counts = EventAging(KEPT), []
    for _ in range(4):
        more = await sweep(database, aging)
        counts.append((len(await left(database)) - before, more))
    assert counts == [(6, True), (2, True), (1, False), (1, False)]

    later = clock.now() + event_aging.REST
    await happened("vi1")
    monkeypatch.setattr(clock, "now", lambda: later)
    await sweep(database, aging)
    assert len(await left(database)) - before == 2  # the newest of the object is the last one again
