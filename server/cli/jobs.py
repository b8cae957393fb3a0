"""`sluice jobs …`"""

from typing import Any

import click

from server.cli.options import JSON_OPTION, calls_api, stated
from server.cli.showing import show_list, show_one
from server.cli.tables import Column, column, length, moment
from server.client.api import Api, at

COLUMNS = [
    column("ID", "jobId"),
    column("KIND", "kind"),
    column("OBJECT", "objectId", rank=2),
    column("STATE", "state"),
    Column("DONE", lambda row: f"{row['progress']:.0%}", right=True),
    Column("LEFT", lambda row: length(row["eta"]), right=True, rank=3),
    Column("WHAT", lambda row: _what(row), cut=True, rank=1),
    moment("CREATED (UTC)", "createdAt", rank=4),
]


@click.group()
def jobs() -> None:
    """The work behind videos: how far it is, what failed."""


@jobs.command("list")
@click.option("--object", "object_id", help="Only jobs about this object, such as a video.")
@click.option("--state", type=click.Choice(["waiting", "running", "done", "failed"]))
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@JSON_OPTION
@calls_api
def list_jobs(api: Api, limit: int, as_json: bool, **wanted: Any) -> None:
    """List jobs, newest first."""
    show_list(api.every("/jobs", stated(**wanted), limit), COLUMNS, as_json)


@jobs.command("show")
@click.argument("id")
@JSON_OPTION
@calls_api
def show_job(api: Api, id: str, as_json: bool) -> None:
    """Show the job ID."""
    show_one(api.call("GET", at("jobs", id)), as_json)


@jobs.command("cancel")
@click.argument("id")
@JSON_OPTION
@calls_api
def cancel(api: Api, id: str, as_json: bool) -> None:
    """Cancel the job ID."""
    show_one(api.call("POST", at("jobs", id, "cancel")), as_json)


@jobs.command("redrive")
@click.argument("id")
@JSON_OPTION
@calls_api
def redrive(api: Api, id: str, as_json: bool) -> None:
    """Run the failed job ID again."""
    show_one(api.call("POST", at("jobs", id, "redrive")), as_json)


def _what(row: Any) -> str:
    return str(row["error"]["detail"] if row["error"] else row["message"] or "-")
