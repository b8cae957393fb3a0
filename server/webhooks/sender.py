"""The sender: events become deliveries, deliveries attempts, attempts settle. One task, and one for each attempt.

A round makes what happened into deliveries, then in one transaction settles the attempts that ended and claims what
is due for every endpoint that has a place free. The claim is a lease in the row, of a process that lives: several
senders share one database, and what one was at when it died another tries again.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from server import clock, log
from server.catalog import deliveries, events, webhooks
from server.catalog.database import Database, Transaction
from server.catalog.models import Event
from server.catalog.webhook_models import Delivery, Webhook
from server.webhooks import retries, verdicts
from server.webhooks.formats import PING, Told, message
from server.webhooks.post import Endpoint, Parcel
from server.webhooks.verdicts import Attempt, Health, Standing

EVENTS_AT_ONCE = 200  # made into deliveries in one transaction: tens of milliseconds, then others may write
IN_FLIGHT_LIMIT = 512  # attempts at once; an endpoint that has none may have one beyond it
LEASE_S = 120.0  # twice as long as the longest attempt
GATHER_S = 0.01  # attempts that end together settle together
POLL_S = 5.0  # where another process's news were not heard
SWEEP_S = 15.0  # how soon what a process left when it died is taken up
PRUNE_S = 3600.0
PRUNED_AT_ONCE = 1000
FAULT_S = 1.0  # after a fault of the database

_log = log.get("webhooks")


@dataclass(frozen=True, slots=True)
class Rules:
    """As operators set them."""

    concurrency: int = 8
    disable_after_s: float = 259_200.0
    keep_days: int = 30


@dataclass(slots=True)
class Numbers:
    """For metrics: since the start."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    disabled: int = 0
    taken_over: int = 0


class Sender:
    """`async with sender.running()`. `attempt` makes one call; `observe` is told how long each took, in seconds."""

    def __init__(
        self,
        database: Database,
        attempt: Callable[[Parcel], Awaitable[Attempt]],
        rules: Rules,
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._database = database
        self._attempt = attempt
        self._rules = rules
        self._observe = observe
        self._wake = asyncio.Event()
        self._news = True  # there may be events that are no deliveries yet
        self._flights: dict[str, int] = {}  # endpoint -> attempts that go on
        self._slow: dict[str, int] = {}  # endpoint -> attempts at once, where fewer than usual
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: list[tuple[Parcel, Attempt]] = []  # bounded by the attempts that go on
        self._swept = self._pruned = float("-inf")
        self.numbers = Numbers()
        self.in_flight = 0
        database.on_commit(self._heard)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What is being tried at the end of the block is given up, and tried again by whoever comes next."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            for each in (task, *self._tasks):
                each.cancel()
            await asyncio.gather(task, *self._tasks, return_exceptions=True)

    def _heard(self, changed: Set[str]) -> None:
        if any(id.startswith(("ev", "webhook_")) for id in changed):
            self._news = True
            self._wake.set()
        elif deliveries.WORD in changed:
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._sweep()
                more = await self._fan_out()
                pause_s = await self._send()
            except Exception as error:
                _log.error("webhooks can't be sent", exc_info=error)
                self._news, more, pause_s = True, False, FAULT_S
                self._wake.clear()
            if not more:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause_s)
            await asyncio.sleep(GATHER_S)

    # --- events to deliveries

    async def _fan_out(self) -> bool:
        """Whether there are more events to look at."""
        if not self._news:
            return False
        self._news = False
        async with self._database.read() as transaction:
            rows = await webhooks.all_rows(transaction)
            if not rows or not await self._unseen(transaction, rows, 1):
                return False
        async with self._database.write() as transaction:
            rows = await webhooks.all_rows(transaction)
            found = await self._unseen(transaction, rows, EVENTS_AT_ONCE)
            wanted = [(row, event) for event in found for row in rows if asked_for(row, event)]
            await deliveries.add_all(transaction, wanted, clock.now())
            if found:
                await deliveries.advance(transaction, found[-1].position)
        self._news = self._news or len(found) == EVENTS_AT_ONCE
        return self._news

    async def _unseen(self, transaction: Transaction, rows: list[Webhook], limit: int) -> list[Event]:
        """None is asked for that happened before the oldest endpoint was made."""
        after = await deliveries.cursor(transaction)
        return await events.after(transaction, max(after, min((row.since for row in rows), default=0)), limit)

    # --- deliveries to attempts

    async def _send(self) -> float:
        """Settles, claims, starts; how long there is nothing to do, in seconds."""
        async with self._database.read() as transaction:
            due = await deliveries.due(transaction)
        now = clock.now()
        ready = {id for id, at in due.items() if at <= now and self._free(id)}
        if ready or self._ended:
            ended, self._ended = self._ended, []
            landed = Counter(parcel.endpoint.id for parcel, _ in ended)
            try:
                async with self._database.write() as transaction:
                    await self._settle(transaction, ended)
                    parcels = await self._claim(transaction, ready | landed.keys(), landed)
            except BaseException:
                self._ended = ended + self._ended
                raise
            for parcel, _ in ended:
                self._land(parcel)
            for parcel in parcels:
                self._fly(parcel)
            if ended:
                return 0.0  # when the next one is due has changed
        later = [(at - now).total_seconds() for id, at in due.items() if self._free(id)]
        return max(0.0, min([POLL_S, *later]))

    def _free(self, webhook_id: str, landed: int = 0) -> int:
        flying = self._flights.get(webhook_id, 0) - landed
        places = self._slow.get(webhook_id, self._rules.concurrency) - flying
        if self.in_flight >= IN_FLIGHT_LIMIT:
            return 0 if flying else 1
        return max(0, places)

    async def _claim(self, transaction: Transaction, ready: Set[str], landed: Mapping[str, int]) -> list[Parcel]:
        """`landed` are the attempts that end with this transaction, by endpoint."""
        now, parcels = clock.now(), []
        for webhook_id in ready:
            webhook = await webhooks.find(transaction, webhook_id)
            if webhook is None:
                continue
            self._adapt(webhook)
            places = self._free(webhook_id, landed.get(webhook_id, 0))
            until = now + timedelta(seconds=LEASE_S)
            rows = await deliveries.claim(transaction, webhook_id, self._database.process, now, until, places)
            endpoint = endpoint_of(webhook, now)
            parcels += [Parcel(row.id, endpoint, told_of(event), row.attempts + 1) for row, event in rows]
        return parcels

    def _adapt(self, webhook: Webhook) -> None:
        places = verdicts.places(Health(webhook.failures, webhook.failing_since), self._rules.concurrency)
        if places < self._rules.concurrency:
            self._slow[webhook.id] = places
        else:
            self._slow.pop(webhook.id, None)

    def _fly(self, parcel: Parcel) -> None:
        self.in_flight += 1
        self._flights[parcel.endpoint.id] = self._flights.get(parcel.endpoint.id, 0) + 1
        task = asyncio.create_task(self._try(parcel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _land(self, parcel: Parcel) -> None:
        self.in_flight -= 1
        left = self._flights[parcel.endpoint.id] - 1
        if left:
            self._flights[parcel.endpoint.id] = left
        else:
            del self._flights[parcel.endpoint.id]

    async def _try(self, parcel: Parcel) -> None:
        try:
            attempt = await self._attempt(parcel)
        except Exception as error:  # a fault of ours is one of the attempt
            _log.error("an attempt failed", webhook=parcel.endpoint.id, exc_info=error)
            attempt = Attempt(clock.now(), 0, error="The event could not be sent.")
        self._observe(attempt.latency_ms / 1000)
        self._ended.append((parcel, attempt))
        self._wake.set()

    # --- what came of them

    async def _settle(self, transaction: Transaction, ended: list[tuple[Parcel, Attempt]]) -> None:
        ids = [parcel.delivery_id for parcel, _ in ended]
        rows = {row.id: row for row in await deliveries.held(transaction, ids, self._database.process)} if ids else {}
        written: list[dict[str, Any]] = []
        moved: dict[str, set[str]] = {}
        for parcel, attempt in ended:
            row = rows.get(parcel.delivery_id)
            if row is None:  # its endpoint was deleted, or the lease ran out
                continue
            verdict = self._judge(row, attempt)
            if verdict.next_may_go:
                moved.setdefault(row.webhook_id, set()).add(row.object_id)
            written.append(_columns(row, attempt, verdict))
        await deliveries.write(transaction, written)
        for webhook_id, objects in moved.items():
            await deliveries.move_up(transaction, webhook_id, clock.now(), objects)
        await self._note(transaction, ended)

    def _judge(self, row: Delivery, attempt: Attempt) -> verdicts.Verdict:
        standing = Standing(row.failures, row.failing_since, row.in_line, row.type == PING)
        wait_s = retries.wait_s(row.failures + 1, random.random, attempt.retry_after_s)
        verdict = verdicts.judge(standing, attempt, wait_s)
        self.numbers.delivered += verdict.state == "delivered"
        self.numbers.failed += not attempt.delivered
        self.numbers.dead += verdict.state == "dead"
        return verdict

    async def _note(self, transaction: Transaction, ended: list[tuple[Parcel, Attempt]]) -> None:
        """What the attempts say of their endpoints."""
        for webhook_id in {parcel.endpoint.id for parcel, _ in ended}:
            webhook = await webhooks.find(transaction, webhook_id)
            if webhook is None:
                self._slow.pop(webhook_id, None)
                continue
            health, reason = Health(webhook.failures, webhook.failing_since), None
            for parcel, attempt in ended:
                if parcel.endpoint.id == webhook_id:
                    health = verdicts.health_after(health, attempt)
                    reason = reason or verdicts.why_disabled(health, attempt, self._rules.disable_after_s)
            if (webhook.failures, webhook.failing_since) != (health.failures, health.failing_since):
                webhook.failures, webhook.failing_since = health.failures, health.failing_since
            self._adapt(webhook)
            if reason is not None and webhook.disabled_at is None:
                await webhooks.disable(transaction, webhook, reason)
                self.numbers.disabled += 1
                _log.warning("an endpoint is disabled", webhook=webhook.id, reason=reason)
            if webhook.disabled_at is not None:  # what was being tried meanwhile, too
                await deliveries.bury(transaction, webhook.id, clock.now())

    # --- upkeep

    async def _sweep(self) -> None:
        """Takes up what processes left that died; removes what ended long ago."""
        now_s = clock.monotonic()
        if now_s - self._swept >= SWEEP_S:
            self._swept = now_s
            await self._take_over()
        if now_s - self._pruned >= PRUNE_S:
            async with self._database.write() as transaction:
                before = clock.now() - timedelta(days=self._rules.keep_days)
                gone = await deliveries.prune(transaction, before, PRUNED_AT_ONCE)
            if gone < PRUNED_AT_ONCE:  # else the rest at the next round
                self._pruned = now_s

    async def _take_over(self) -> None:
        async with self._database.read() as transaction:
            at_work = await deliveries.workers(transaction)
        if not at_work:
            return
        dead = await self._database.dead(at_work - {self._database.process})
        async with self._database.write() as transaction:
            self.numbers.taken_over += await deliveries.give_back(transaction, dead, clock.now())


def asked_for(webhook: Webhook, event: Event) -> bool:
    """Whether the event becomes a delivery to the endpoint; a ping has its own."""
    if event.project_id != webhook.project_id or event.position <= webhook.since or event.type == PING:
        return False
    return message(webhook.format, webhook.events, told_of(event)) is not None


def told_of(event: Event) -> Told:
    return Told(
        event.id, event.type, event.project_id, event.object_id, event.sequence, event.created_at, event.payload
    )


def endpoint_of(webhook: Webhook, now: datetime) -> Endpoint:
    until = webhook.old_secret_until
    old = webhook.old_secret if until is not None and until > now else None
    return Endpoint(
        webhook.id, webhook.url, webhook.format, tuple(webhook.events), webhook.secret, old, webhook.login,
        webhook.password,
    )  # fmt: skip


def _columns(row: Delivery, attempt: Attempt, verdict: verdicts.Verdict) -> dict[str, Any]:
    entry = {
        "at": attempt.at.isoformat(timespec="milliseconds"), "status": attempt.status,
        "latencyMs": attempt.latency_ms, "head": attempt.head, "error": attempt.error,
    }  # fmt: skip
    return {
        "id": row.id, "state": verdict.state, "in_line": verdict.in_line, "due_at": verdict.due_at, "worker": None,
        "leased_until": None, "failures": verdict.failures, "failing_since": verdict.failing_since,
        "attempts": row.attempts + 1, "log": [*row.log, entry][-deliveries.LOG_ENTRIES :],
        "ended_at": None if verdict.due_at else clock.now(),
    }  # fmt: skip
