"""`sluice webhooks …`"""

import time
from typing import Any

import click

from server.cli.options import JSON_OPTION, Failed, calls_api, stated, sure
from server.cli.showing import show_json, show_list, show_one
from server.cli.tables import Column, column, moment
from server.client.api import Api, at

COLUMNS = [
    column("ID", "webhookId"),
    column("URL", "url", cut=True),
    column("FORMAT", "format", rank=2),
    column("EVENTS", "events", cut=True, rank=3),
    column("ENABLED", "enabled"),
    moment("FAILING SINCE", "failingSince", rank=1),
]
DELIVERIES = [
    column("ID", "deliveryId"),
    column("EVENT", "type"),
    column("OBJECT", "objectId", rank=3),
    column("STATE", "state"),
    column("TRIES", "attempts", right=True, rank=1),
    Column("LAST", lambda row: _last(row), cut=True, rank=2),
    moment("CREATED (UTC)", "createdAt", rank=4),
]
FORMATS = click.Choice(["api.video", "native", "kinescope", "cinema8"])
STATES = click.Choice(["pending", "retrying", "delivered", "dead"])
EVENTS = click.option("--event", "events", multiple=True, help="Such as video.* or *; may be repeated.")
PING_TRIES = 60
PING_POLL_S = 0.5


@click.group()
def webhooks() -> None:
    """Webhooks: make, try, look what arrived, send again."""


@webhooks.command("list")
@JSON_OPTION
@calls_api
def list_webhooks(api: Api, as_json: bool) -> None:
    """List webhooks, newest first."""
    show_list(api.every("/webhooks"), COLUMNS, as_json)


@webhooks.command("show")
@click.argument("id")
@JSON_OPTION
@calls_api
def show_webhook(api: Api, id: str, as_json: bool) -> None:
    """Show the webhook ID, with the secret that calls are signed with."""
    show_one(api.call("GET", at("webhooks", id)), as_json)


@webhooks.command("create")
@click.argument("endpoint")
@EVENTS
@click.option("--format", type=FORMATS, default="native", show_default=True, help="What calls look like.")
@click.option("--name")
@JSON_OPTION
@calls_api
def create_webhook(api: Api, endpoint: str, events: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Have events sent to the URL ENDPOINT; shows the secret that they are signed with."""
    body = {"url": endpoint, "events": list(events) or ["*"], **stated(**given)}
    show_one(api.call("POST", "/webhooks", body), as_json)


@webhooks.command("update")
@click.argument("id")
@click.option("--endpoint", "endpoint", help="Another URL.")
@EVENTS
@click.option("--format", type=FORMATS)
@click.option("--name")
@JSON_OPTION
@calls_api
def update_webhook(api: Api, id: str, endpoint: str | None, as_json: bool, **given: Any) -> None:
    """Change the webhook ID."""
    show_one(api.call("PATCH", at("webhooks", id), stated(url=endpoint, **given)), as_json)


@webhooks.command("delete")
@click.argument("ids", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON_OPTION
@calls_api
def delete_webhooks(api: Api, ids: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete the webhooks IDS."""
    sure(f"{len(ids)} webhook{'s' * (len(ids) > 1)}", yes)
    for id in ids:
        api.call("DELETE", at("webhooks", id))
    if as_json:
        show_json({"deleted": list(ids)})


@webhooks.command("enable")
@click.argument("id")
@JSON_OPTION
@calls_api
def enable_webhook(api: Api, id: str, as_json: bool) -> None:
    """Enable the webhook ID, which was disabled since it took nothing."""
    show_one(api.call("POST", at("webhooks", id, "enable")), as_json)


@webhooks.command("rotate-secret")
@click.argument("id")
@click.option("--overlap", type=click.IntRange(0), help="Seconds for which the old secret signs, too.")
@JSON_OPTION
@calls_api
def rotate_secret(api: Api, id: str, as_json: bool, **given: Any) -> None:
    """Give the webhook ID a new secret."""
    show_one(api.call("POST", at("webhooks", id, "rotate-secret"), stated(**given)), as_json)


@webhooks.command("ping")
@click.argument("id")
@JSON_OPTION
@calls_api
def ping(api: Api, id: str, as_json: bool) -> None:
    """Try the webhook ID, and say what came of it; exits with 1 where it did not take the call."""
    made = api.call("POST", at("webhooks", id, "ping"))
    for _ in range(PING_TRIES):
        if made["log"]:
            break
        time.sleep(PING_POLL_S)
        made = api.call("GET", at("webhooks", id, "deliveries", made["deliveryId"]))
    show_one(made, as_json, "deliveryId", "state", "log")
    if made["state"] != "delivered":
        raise Failed("The endpoint did not take it.")


@webhooks.command("deliveries")
@click.argument("id")
@click.option("--state", type=STATES)
@click.option("--object", "object_id", help="Only those about this object.")
@click.option("--event", "type", help="Only those of this event.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@JSON_OPTION
@calls_api
def list_deliveries(api: Api, id: str, limit: int, as_json: bool, **wanted: Any) -> None:
    """List what the webhook ID was sent, newest first."""
    show_list(api.every(at("webhooks", id, "deliveries"), stated(**wanted), limit), DELIVERIES, as_json)


@webhooks.command("redeliver")
@click.argument("id")
@click.argument("delivery", required=False)
@click.option("--from", "since", help="Date-time of the first event, such as 2026-01-31T10:00:00+00:00.")
@click.option("--to", "until", help="Date-time of the last event; now, if left out.")
@click.option("--state", "states", multiple=True, type=click.Choice(["dead", "delivered"]), help="May be repeated.")
@JSON_OPTION
@calls_api
def redeliver(
    api: Api, id: str, delivery: str | None, since: str | None, until: str | None, states: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Send the webhook ID a DELIVERY again, or all that ended as dead --from a time on."""
    if bool(delivery) == bool(since):
        raise click.UsageError("Give a DELIVERY, or --from.")
    if delivery:
        found = api.call("POST", at("webhooks", id, "deliveries", delivery, "redeliver"))
        show_one(found, as_json, "deliveryId", "type", "objectId", "state", "attempts")
    else:
        body = {"from": since, **stated(to=until, states=states)}
        show_one(api.call("POST", at("webhooks", id, "redeliver"), body), as_json)


def _last(row: Any) -> str:
    """What came of the last attempt."""
    if not row["log"]:
        return "-"
    last = row["log"][-1]
    return f"{last['status'] or last['error']} in {last['latencyMs']} ms"
