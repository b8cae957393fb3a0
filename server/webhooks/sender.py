"""The sender: events become deliveries, deliveries attempts, attempts settle. One task, and one for each attempt.

A round is one transaction: what happened becomes deliveries, attempts that ended are settled, and what is due is
claimed for every endpoint that has a place free. The claim is a lease in the row, of a process that lives: several
senders share one database, and what one was at when it died another tries again.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from server import clock, log
from server.catalog import deliveries, events, faults, webhooks
from server.catalog.database import Database, Transaction
from server.catalog.webhook_models import Delivery
from server.tally import Times
from server.webhooks import retries, verdicts
from server.webhooks.formats import PING
from server.webhooks.places import Places
from server.webhooks.post import Parcel
from server.webhooks.rows import asked_for, columns, endpoint_of, told_of
from server.webhooks.verdicts import Attempt, Health, Standing

EVENTS_AT_ONCE = 200  # made into deliveries in one transaction: tens of milliseconds, then others may write
LEASE_S = 120.0  # twice as long as the longest attempt
GATHER_S = 0.01  # attempts that end together settle together
POLL_S = 5.0  # where another process's news were not heard
SWEEP_S = 15.0  # how soon what a process left when it died is taken up
PRUNE_S = 3600.0
PRUNED_AT_ONCE = 1000
ARRIVED_S = (0.1, 0.5, 1, 5, 30, 300, 3600, 86_400)  # bounds of what is counted
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
    retried: int = 0  # attempts after the first one
    dead: int = 0
    disabled: int = 0
    taken_over: int = 0
    arrived_s: Times = field(default_factory=lambda: Times(ARRIVED_S))  # from the event to its delivery


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
        self._endpoints: int | None = None  # how many there are, once it is known
        self._changes = 0  # of endpoints, as far as was heard
        self._places = Places(rules.concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: list[tuple[Parcel, Attempt]] = []  # bounded by the attempts that go on
        self._swept = self._pruned = float("-inf")
        self.numbers = Numbers()
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

    @property
    def in_flight(self) -> int:
        """Attempts that go on."""
        return self._places.in_flight

    def _heard(self, changed: Set[str]) -> None:
        if any(id.startswith("webhook_") for id in changed):
            self._endpoints = None
            self._changes += 1
        elif not any(id.startswith("ev") for id in changed):
            if deliveries.WORD in changed:
                self._wake.set()
            return
        self._news = True
        if self._endpoints != 0:  # else nobody wants it: an event makes nothing due
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._sweep()
                pause_s = await self._round()
            except Exception as error:
                faults.tell(_log, "webhooks can't be sent", error)
                self._wake.clear()
                pause_s = FAULT_S
            if pause_s:
                await self._wait(pause_s)
            await asyncio.sleep(GATHER_S)

    async def _wait(self, pause_s: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), pause_s)
        except TimeoutError:
            if pause_s >= POLL_S:  # what others committed may not have been heard
                self._news, self._endpoints = True, None

    async def _round(self) -> float:
        """How long there is nothing to do after it, in seconds."""
        self._news = self._news and await self._is_anybody_there()
        if not self._news and not self._ended:
            async with self._database.read() as transaction:
                due = await deliveries.due(transaction)
            if not self._ready(due, {}):
                return self._pause_s(due)
        news, self._news = self._news, False
        ended, self._ended = self._ended, []
        landed = Counter(parcel.endpoint.id for parcel, _ in ended)
        try:
            async with self._database.write() as transaction:
                more = news and await self._fan_out(transaction)
                await self._settle(transaction, ended)
                ready = self._ready(await deliveries.due(transaction), landed)
                parcels = await self._claim(transaction, ready, landed)
        except BaseException:
            self._news, self._ended = self._news or news, ended + self._ended
            raise
        self._news = self._news or more
        for parcel, _ in ended:
            self._places.give_back(parcel.endpoint.id)
        for parcel in parcels:
            self._fly(parcel)
        return 0.0

    def _ready(self, due: Mapping[str, datetime], landed: Mapping[str, int]) -> list[str]:
        """Endpoints that have something to try and a place free; `landed` as in `_claim`."""
        now = clock.now()
        return [id for id, at in due.items() if at <= now and self._places.free(id, landed.get(id, 0))]

    def _pause_s(self, due: Mapping[str, datetime]) -> float:
        """Until the next one is due that has a place; one that has none is looked at when it gets one."""
        now = clock.now()
        waits = [(at - now).total_seconds() for id, at in due.items() if self._places.free(id)]
        return max(GATHER_S, min([POLL_S, *waits]))

    # --- events to deliveries

    async def _is_anybody_there(self) -> bool:
        """Whether events need be looked at, asked once for all that come."""
        while self._endpoints is None:
            changes = self._changes
            async with self._database.read() as transaction:
                found = len(await webhooks.all_rows(transaction))
            if changes == self._changes:  # else one came or went since it was read
                self._endpoints = found
        return self._endpoints > 0

    async def _fan_out(self, transaction: Transaction) -> bool:
        """Whether there may be more events to look at."""
        rows = await webhooks.all_rows(transaction)
        # none is asked for that happened before the oldest endpoint was made
        after = max(await deliveries.cursor(transaction), min((row.since for row in rows), default=0))
        found = await events.after(transaction, after, EVENTS_AT_ONCE)
        wanted = [(row, event) for event in found for row in rows if asked_for(row, event)]
        await deliveries.add_all(transaction, wanted, clock.now())
        if found:
            await deliveries.advance(transaction, found[-1].position)
        return len(found) == EVENTS_AT_ONCE

    # --- deliveries to attempts

    async def _claim(self, transaction: Transaction, ready: Sequence[str], landed: Mapping[str, int]) -> list[Parcel]:
        """`landed` are the attempts that end with this transaction, by endpoint."""
        now = clock.now()
        parcels: list[Parcel] = []
        for webhook_id in ready:
            webhook = await webhooks.find(transaction, webhook_id)
            if webhook is None:
                continue
            self._places.adapt(webhook_id, Health(webhook.failures, webhook.failing_since))
            places = self._places.free(webhook_id, landed.get(webhook_id, 0), len(parcels))
            until = now + timedelta(seconds=LEASE_S)
            rows = await deliveries.claim(transaction, webhook_id, self._database.process, now, until, places)
            endpoint = endpoint_of(webhook, now)
            parcels += [Parcel(row.id, endpoint, told_of(event), row.attempts + 1) for row, event in rows]
        return parcels

    def _fly(self, parcel: Parcel) -> None:
        self._places.take(parcel.endpoint.id)
        task = asyncio.create_task(self._try(parcel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
            written.append(columns(row, attempt, verdict))
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
        self.numbers.retried += row.attempts > 0
        if verdict.state == "delivered":
            self.numbers.arrived_s.add((clock.now() - row.created_at).total_seconds())
        self.numbers.dead += verdict.state == "dead"
        return verdict

    async def _note(self, transaction: Transaction, ended: list[tuple[Parcel, Attempt]]) -> None:
        """What the attempts say of their endpoints."""
        for webhook_id in {parcel.endpoint.id for parcel, _ in ended}:
            webhook = await webhooks.find(transaction, webhook_id)
            if webhook is None:
                self._places.forget(webhook_id)
                continue
            health, reason = Health(webhook.failures, webhook.failing_since), None
            for parcel, attempt in ended:
                if parcel.endpoint.id == webhook_id:
                    health = verdicts.health_after(health, attempt)
                    reason = reason or verdicts.why_disabled(health, attempt, self._rules.disable_after_s)
            if (webhook.failures, webhook.failing_since) != (health.failures, health.failing_since):
                webhook.failures, webhook.failing_since = health.failures, health.failing_since
            self._places.adapt(webhook_id, health)
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
