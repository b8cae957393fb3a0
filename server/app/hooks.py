"""Webhooks: the sender, with a door out of its own."""

from contextlib import AsyncExitStack

from server.catalog import deliveries
from server.catalog.database import Database
from server.config import WebhooksConfig
from server.outbound.client import Outbound, Times
from server.protocols.destinations import AddressRules
from server.web.metrics import Metrics
from server.webhooks.post import Post
from server.webhooks.sender import Rules, Sender

RESOLVERS = 64  # threads that wait for name servers: those of a few endpoints may be silent
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


async def open_sender(
    config: WebhooksConfig, database: Database, stack: AsyncExitStack, metrics: Metrics | None = None
) -> None:
    """It sends from now on, until the stack closes."""
    times = Times(connect_s=config.timeout_s, idle_s=config.timeout_s)
    outbound = await stack.enter_async_context(
        Outbound.open(AddressRules(config.allow), times, resolvers=RESOLVERS)
    )
    rules = Rules(config.concurrency, config.disable_after_s, config.keep_days)
    attempt = Post(outbound, config.timeout_s).attempt
    if metrics is None:
        sender = Sender(database, attempt, rules)
    else:
        observe = metrics.histogram("sluice_webhook_seconds", "From an attempt to its answer.", SECONDS)
        sender = Sender(database, attempt, rules, observe)
        _watch(metrics, sender, database)
    await stack.enter_async_context(sender.running())


def _watch(metrics: Metrics, sender: Sender, database: Database) -> None:
    """What waits is counted in the database, of all processes; the counters are this one's."""
    watch, numbers = metrics.watch, sender.numbers
    found = deliveries.Backlog({}, None)

    async def look() -> None:
        nonlocal found
        async with database.read() as transaction:
            found = await deliveries.backlog(transaction)

    metrics.refresh(look)
    watch("gauge", "sluice_deliveries", "Events that are on their way to endpoints, or dead.",
          lambda: found.waiting, "state")  # fmt: skip
    watch("gauge", "sluice_deliveries_oldest_seconds", "Age of the oldest that is on its way.",
          lambda: found.age_s)  # fmt: skip
    watch("gauge", "sluice_webhook_attempts_open", "Calls of endpoints that go on.", lambda: sender.in_flight)
    watch("counter", "sluice_webhook_attempts", "Calls of endpoints.",
          lambda: {"delivered": numbers.delivered, "failed": numbers.failed}, "outcome")  # fmt: skip
    watch("counter", "sluice_webhook_retries", "Calls of endpoints after the first one for an event.",
          lambda: numbers.retried)  # fmt: skip
    metrics.times("sluice_webhook_delivery_seconds", "From an event's delivery being due to its arrival.",
                  numbers.arrived_s)  # fmt: skip
    watch("counter", "sluice_webhook_dead", "Events given up.", lambda: numbers.dead)
    watch("counter", "sluice_webhook_disabled", "Endpoints disabled.", lambda: numbers.disabled)
    watch("counter", "sluice_webhook_taken_over", "Calls taken from processes that died.", lambda: numbers.taken_over)
