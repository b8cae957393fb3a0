"""How long a project's videos are kept: its rules, which go before the server's."""

from typing import Annotated, Any

from pydantic import Field

from server.catalog import retention as rules
from server.web.api.retention_shapes import Retention, RetentionBody
from server.web.shapes import Answer, Changes
from server.web.typed import Call, Operations

operations = Operations("Retention")


class RetentionChanges(Changes):
    """A rule that is left out stays as it is; null takes it back."""

    videos: Annotated[RetentionBody | None, Field(description="Of uploaded videos.")] = None
    recordings: Annotated[
        RetentionBody | None, Field(description="Of live streams that have no rule of their own.")
    ] = None


class ProjectRetention(Answer):
    """Null: as the server's settings are."""

    videos: Retention | None
    recordings: Retention | None


@operations.get("/retention", "Show how long videos are kept", scope="retention:read")
async def show(call: Call) -> ProjectRetention:
    """How long the project keeps its videos and its recordings; null: as the server's settings are."""
    async with call.services.database.read() as transaction:
        return _answer(await rules.of_project(transaction, call.project_id))


@operations.patch(
    "/retention",
    "Change how long videos are kept",
    scope="retention:write",
    example={"videos": {"days": 90, "keepTags": ["evergreen"]}, "recordings": {"count": 100}},
)
async def change(call: Call, body: RetentionChanges) -> ProjectRetention:
    """What a rule lets go is deleted within about a minute, as `DELETE /videos/{videoId}` would: where the server lets
    videos be restored, until `deletesAt`."""
    stated: dict[str, Any] = {}
    for kind in body.model_fields_set:
        rule: RetentionBody | None = getattr(body, kind)
        stated[kind] = rule.model_dump(exclude_none=True) if rule else None
    async with call.services.database.write() as transaction:
        return _answer(await rules.change(transaction, call.project_id, stated))


def _answer(stated: dict[str, Any]) -> ProjectRetention:
    found = {kind: Retention.model_validate(rule) if rule else None for kind, rule in stated.items()}
    return ProjectRetention(videos=found.get(rules.UPLOADS), recordings=found.get(rules.RECORDINGS))
