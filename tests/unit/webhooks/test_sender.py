"""The sender over endpoints that are functions: what comes, in what order, and what is left in the rows."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from server import clock
from server.catalog import deliveries, events, webhooks
from server.catalog.database import Database, Transaction
from server.catalog.deliveries import Filter
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Event, Project
from server.catalog.webhook_models import Delivery, Webhook
from server.webhooks import sender as sender_module
from server.webhooks.post import Parcel
from server.webhooks.sender import Rules, Sender
from server.webhooks.verdicts import Attempt

WITHIN_S = 40.0

both = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


@dataclass
class Receiver:
    """Answers by `status`; keeps what came, in order."""

    status: Callable[[Parcel], int | None] = lambda parcel: 200
    wait: Callable[[Parcel], Awaitable[None]] | None = None
    got: list[Parcel] = field(default_factory=list)
    at_once: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    most_at_once: int = 0

    async def attempt(self, parcel: Parcel) -> Attempt:
        self.got.append(parcel)
        self.at_once[parcel.endpoint.id] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[parcel.endpoint.id])
        if self.wait is not None:
            await self.wait(parcel)
        self.at_once[parcel.endpoint.id] -= 1
        return Attempt(clock.now(), 1, self.status(parcel), "head")

    def sequences(self, object_id: str) -> list[int]:
        return [parcel.told.sequence for parcel in self.got if parcel.told.object_id == object_id]


@asynccontextmanager
async def sending(database: Database, receiver: Receiver, **rules: Any) -> AsyncIterator[Sender]:
    sender = Sender(database, receiver.attempt, Rules(**rules))
    async with sender.running():
        yield sender


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await done():
            await asyncio.sleep(0.02)


async def make(database: Database, wanted: Sequence[str] = ("video.*",)) -> Webhook:
    async with database.write() as transaction:
        where = {"project_id": DEFAULT_PROJECT, "url": "http://hooks.test/", "secret": "s", "format": "native"}
        return await webhooks.add(transaction, Webhook(events=list(wanted), **where))


async def happen(database: Database, *objects: str, type: str = "video.updated") -> list[Event]:
    async with database.write() as transaction:
        return [await events.record(transaction, DEFAULT_PROJECT, id, type) for id in objects]


async def rows(database: Database, webhook: Webhook, **wanted: Any) -> list[Delivery]:
    """Oldest first."""
    async with database.read() as transaction:
        page = await deliveries.page(transaction, webhook.id, Filter(**wanted), Paging(size=1000))
    return sorted(page.rows, key=lambda row: row.position)


async def all_are(database: Database, webhook: Webhook, state: str, count: int) -> bool:
    return len(await rows(database, webhook, state=state)) == count


async def fresh(database: Database, webhook: Webhook) -> Webhook:
    async with database.read() as transaction:
        found = await webhooks.find(transaction, webhook.id)
        assert found
        return found


async def overdue(database: Database, seconds: float = 0.0) -> None:
    """What waits for another attempt has it now, as if it had failed for so long."""
    since = clock.now() - timedelta(seconds=seconds)
    async with database.write() as transaction:
        rows = [
            {"id": row.id, "due_at": clock.now(), "failing_since": since}
            for webhook in await webhooks.all_rows(transaction)
            for row in (await deliveries.page(transaction, webhook.id, Filter(state="retrying"), Paging())).rows
        ]
        await deliveries.write(transaction, rows)
        transaction.announce(deliveries.WORD)


@both
async def test_what_is_asked_for_comes_once_and_in_order(database: Database) -> None:
    await happen(database, "vi0")  # before anybody asked
    webhook, receiver = await make(database), Receiver()

    async with sending(database, receiver) as sender:
        for _ in range(5):
            await happen(database, "vi1", "vi2")
        await happen(database, "li1", type="live-stream.updated")
        await until(lambda: all_are(database, webhook, "delivered", 10))

    assert receiver.sequences("vi1") == receiver.sequences("vi2") == [1, 2, 3, 4, 5]
    assert len(receiver.got) == 10
    assert sender.numbers.delivered == 10
    row = (await rows(database, webhook))[0]
    assert (row.attempts, row.due_at, row.worker, row.in_line) == (1, None, None, False)
    assert row.ended_at is not None
    assert row.log[0] | {"at": 0} == {"at": 0, "status": 200, "latencyMs": 1, "head": "head", "error": None}


async def test_another_project_hears_nothing(database: Database) -> None:
    webhook, receiver = await make(database), Receiver()
    async with database.write() as transaction:
        other = Project(name="other")
        transaction.add(other)
        await transaction.flush()
        await events.record(transaction, other.id, "vi9", "video.created")
    async with sending(database, receiver):
        await happen(database, "vi1")
        await until(lambda: all_are(database, webhook, "delivered", 1))

    assert [parcel.told.object_id for parcel in receiver.got] == ["vi1"]


async def test_an_endpoint_made_while_they_are_counted_hears_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "POLL_S", 3600)
    receiver, read, made = Receiver(), webhooks.all_rows, asyncio.Event()

    async def all_rows(transaction: Transaction) -> list[Webhook]:
        found = await read(transaction)
        if not made.is_set():
            await make(database)
            made.set()
        return list(found)

    monkeypatch.setattr(webhooks, "all_rows", all_rows)
    async with sending(database, receiver):
        await made.wait()
        await happen(database, "vi1")
        await until(lambda: _true(len(receiver.got) == 1))


async def test_later_events_of_an_object_wait_and_those_of_others_do_not(database: Database) -> None:
    webhook = await make(database)
    receiver = Receiver(lambda parcel: 500 if parcel.told.object_id == "vi1" else 200)
    await happen(database, "vi1", "vi1", "vi2", "vi2")

    async with sending(database, receiver):
        await until(lambda: all_are(database, webhook, "delivered", 2))
        assert receiver.sequences("vi1") == [1]
        first, second = await rows(database, webhook, object_id="vi1")
        assert (first.state, second.state, second.due_at) == ("retrying", "pending", None)

        receiver.status = lambda parcel: 200
        await overdue(database)
        await until(lambda: all_are(database, webhook, "delivered", 4))

    assert receiver.sequences("vi1") == [1, 1, 2]


@both
async def test_after_ten_minutes_later_events_pass(database: Database) -> None:
    webhook = await make(database)
    receiver = Receiver(lambda parcel: 500 if parcel.told.sequence == 1 else 200)
    await happen(database, "vi1", "vi1", "vi1")

    async with sending(database, receiver):
        await until(lambda: all_are(database, webhook, "retrying", 1))
        await overdue(database, 600)
        await until(lambda: all_are(database, webhook, "delivered", 2))
        (left,) = await rows(database, webhook, state="retrying")
        assert (left.sequence, left.in_line) == (1, False)
        receiver.status = lambda parcel: 200
        await overdue(database, 700)
        await until(lambda: all_are(database, webhook, "delivered", 3))

    assert receiver.sequences("vi1") == [1, 1, 2, 3, 1]


async def test_after_three_days_it_is_dead_and_can_be_redelivered(database: Database) -> None:
    webhook = await make(database)
    receiver = Receiver(lambda parcel: 500 if parcel.told.sequence == 1 else 200)
    await happen(database, "vi1", "vi1")

    async with sending(database, receiver) as sender:
        await until(lambda: all_are(database, webhook, "retrying", 1))
        await overdue(database, 3 * 86_400)
        await until(lambda: all_are(database, webhook, "delivered", 1))
        (dead,) = await rows(database, webhook, state="dead")
        assert sender.numbers.dead == 1

        receiver.status = lambda parcel: 200
        async with database.write() as transaction:
            row = await deliveries.get(transaction, webhook.id, dead.id)
            assert row
            await deliveries.redeliver(transaction, row, clock.now())
        await until(lambda: all_are(database, webhook, "delivered", 2))

    again = (await rows(database, webhook))[0]
    assert (again.attempts, len(again.log)) == (3, 3)


@both
async def test_a_range_is_redelivered_in_order(database: Database) -> None:
    webhook, receiver = await make(database), Receiver()
    begun = clock.now()
    await happen(database, *["vi1"] * 3, *["vi2"] * 3)

    async with sending(database, receiver):
        await until(lambda: all_are(database, webhook, "delivered", 6))
        receiver.got.clear()
        async with database.write() as transaction:
            count = await deliveries.redeliver_range(
                transaction, webhook.id, ["delivered"], begun, clock.now(), clock.now()
            )
        await until(lambda: all_are(database, webhook, "delivered", 6))

    assert count == 6
    assert receiver.sequences("vi1") == receiver.sequences("vi2") == [1, 2, 3]


async def test_an_endpoint_that_stands_still_does_not_delay_another(database: Database) -> None:
    stands, answers = await make(database), await make(database)
    open_again = asyncio.Event()

    async def wait(parcel: Parcel) -> None:
        if parcel.endpoint.id == stands.id:
            await open_again.wait()

    receiver = Receiver(wait=wait)
    await happen(database, *(f"vi{number}" for number in range(20)))
    async with sending(database, receiver, concurrency=4) as sender:
        await until(lambda: all_are(database, answers, "delivered", 20))
        assert sender.in_flight == 4
        assert await all_are(database, stands, "delivered", 0)
        open_again.set()
        await until(lambda: all_are(database, stands, "delivered", 20))

    assert receiver.most_at_once == 4


@both
async def test_an_endpoint_that_takes_nothing_is_disabled_and_says_so(database: Database) -> None:
    webhook, watcher = await make(database), await make(database, ["webhook.*"])
    receiver = Receiver(lambda parcel: 500 if parcel.endpoint.id == webhook.id else 200)
    await happen(database, *(f"vi{number}" for number in range(15)))

    async with sending(database, receiver, disable_after_s=0.0):
        await until(lambda: all_are(database, webhook, "dead", 15))
        await happen(database, "vi0")
        await until(lambda: all_are(database, webhook, "dead", 16))
        await until(lambda: all_are(database, watcher, "delivered", 2))

    row = await fresh(database, webhook)
    assert row.disabled_at is not None
    assert row.disabled_reason is not None
    told = [parcel.told for parcel in receiver.got if parcel.endpoint.id == watcher.id]
    assert [each.type for each in told] == ["webhook.created", "webhook.disabled"]
    assert told[1].payload == {"webhookId": webhook.id, "reason": row.disabled_reason}
    before = [parcel.told.sequence for parcel in receiver.got if parcel.told.object_id == "vi0"]
    assert 2 not in before  # nothing was tried any more

    async with database.write() as transaction:
        found = await webhooks.find(transaction, webhook.id)
        assert found
        await webhooks.enable(transaction, found)
    receiver.status = lambda parcel: 200
    async with sending(database, receiver):
        await happen(database, "vi99")
        await until(lambda: all_are(database, webhook, "delivered", 1))


async def test_gone_disables_at_once(database: Database) -> None:
    webhook, receiver = await make(database), Receiver(lambda parcel: 410)
    async with sending(database, receiver):
        await happen(database, "vi1")
        await until(lambda: all_are(database, webhook, "dead", 1))
    assert (await fresh(database, webhook)).disabled_at is not None


@both
async def test_what_was_being_tried_when_it_stopped_is_tried_again(database: Database, url: str) -> None:
    webhook = await make(database)
    stuck = Receiver(wait=lambda parcel: asyncio.sleep(3600))
    await happen(database, *["vi1"] * 3, *["vi2"] * 3)
    async with Database.open(url) as first, sending(first, stuck):
        await until(lambda: _held(first, 2))
    assert len(stuck.got) == 2

    receiver = Receiver()
    async with sending(database, receiver) as sender:
        await until(lambda: all_are(database, webhook, "delivered", 6))

    assert receiver.sequences("vi1") == receiver.sequences("vi2") == [1, 2, 3]
    assert sender.numbers.taken_over == 2


async def _held(database: Database, count: int) -> bool:
    async with database.read() as transaction:
        workers = await deliveries.workers(transaction)
    return bool(workers) and count > 0 and workers == {database.process}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite has one process
async def test_two_senders_share_the_work(database: Database, url: str) -> None:
    webhook = await make(database)
    one, two = Receiver(wait=lambda parcel: asyncio.sleep(0.01)), Receiver(wait=lambda parcel: asyncio.sleep(0.01))
    async with Database.open(url) as other, sending(database, one, concurrency=2), sending(other, two, concurrency=2):
        for _ in range(4):
            await happen(database, *(f"vi{number}" for number in range(8)))
        await until(lambda: all_are(database, webhook, "delivered", 32))

    assert len(one.got) + len(two.got) == 32
    assert one.got
    assert two.got


async def test_a_secret_and_an_old_one_until_its_time(database: Database) -> None:
    webhook, receiver = await make(database), Receiver()
    async with database.write() as transaction:
        row = await webhooks.find(transaction, webhook.id)
        assert row
        await webhooks.rotate(transaction, row, "new", clock.now() + timedelta(hours=1))
    async with sending(database, receiver):
        await happen(database, "vi1")
        await until(lambda: all_are(database, webhook, "delivered", 1))
        async with database.write() as transaction:
            row = await webhooks.find(transaction, webhook.id)
            assert row
            row.old_secret_until = clock.now() - timedelta(seconds=1)
        await happen(database, "vi1")
        await until(lambda: all_are(database, webhook, "delivered", 2))

    assert [(each.endpoint.secret, each.endpoint.old_secret) for each in receiver.got] == [("new", "s"), ("new", None)]


async def test_a_deleted_endpoint_is_forgotten_while_it_is_called(database: Database) -> None:
    webhook, go_on = await make(database), asyncio.Event()
    receiver = Receiver(wait=lambda parcel: _until_set(go_on))
    async with sending(database, receiver) as sender:
        await happen(database, "vi1")
        await until(lambda: _true(len(receiver.got) == 1))
        async with database.write() as transaction:
            row = await webhooks.find(transaction, webhook.id)
            assert row
            await webhooks.remove(transaction, row)
        go_on.set()
        await until(lambda: _true(sender.in_flight == 0))
    assert await rows(database, webhook) == []


async def test_what_ended_long_ago_is_removed(database: Database) -> None:
    webhook, receiver = await make(database), Receiver()
    async with sending(database, receiver):
        await happen(database, "vi1")
        await until(lambda: all_are(database, webhook, "delivered", 1))
    async with database.write() as transaction:
        (row,) = await rows(database, webhook)
        await deliveries.write(transaction, [{"id": row.id, "ended_at": clock.now() - timedelta(days=31)}])
    async with sending(database, receiver):
        await until(lambda: all_are(database, webhook, "delivered", 0))


async def _true(value: bool) -> bool:
    return value


async def _until_set(event: asyncio.Event) -> None:
    await event.wait()
