"""Playback restrictions: who may watch, by page, browser, country and address."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server import ids
from server.catalog import playback_ids, playback_restrictions
from server.catalog.database import Transaction
from server.catalog.playback_models import PlaybackRestriction
from server.errors import Problem
from server.web import validation
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Text
from server.web.typed import Call, Operations

ORIGIN = r"^([Hh][Tt][Tt][Pp][Ss]?://)?(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(:[0-9]{1,5})?$"

MOST = 1000  # of a project
DOMAINS_LIMIT = 100  # in one list; each is looked at for each request of another page
AGENTS_LIMIT = 50
COUNTRIES_LIMIT = 250  # there are no more
NETWORKS_LIMIT = 100

operations = Operations("Playback restrictions")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise PydanticCustomError("network", "Give an IP address or a network, such as 192.0.2.0/24.") from None


Name = Annotated[Text, StringConstraints(max_length=100)]
Domain = Annotated[
    str,
    StringConstraints(pattern=ORIGIN, max_length=300),
    AfterValidator(str.lower),
    Field(examples=["*.example.com"]),
]
Agent = Annotated[
    Text, StringConstraints(min_length=1, max_length=100), AfterValidator(str.lower), Field(examples=["curl/"])
]
Country = Annotated[
    str, StringConstraints(pattern="^[A-Za-z]{2}$"), AfterValidator(str.upper), Field(examples=["FR"])
]
Network = Annotated[
    Text, StringConstraints(min_length=1, max_length=50), AfterValidator(_network), Field(examples=["192.0.2.0/24"])
]
Unsaid = Annotated[
    bool, Field(description="Whether requests that don't say are let in; it matters where a list has entries.")
]


class Domains(Body):
    """Pages that play: example.com, *.example.com, https://example.com. What is blocked goes before what is allowed."""

    allowed: list[Domain] = Field(default_factory=list, max_length=DOMAINS_LIMIT)
    blocked: list[Domain] = Field(default_factory=list, max_length=DOMAINS_LIMIT)
    allow_missing: Unsaid = False


class UserAgents(Body):
    """Parts of the User-Agent header, in any case."""

    allowed: list[Agent] = Field(default_factory=list, max_length=AGENTS_LIMIT)
    blocked: list[Agent] = Field(default_factory=list, max_length=AGENTS_LIMIT)
    allow_missing: Unsaid = False


class Countries(Body):
    """ISO 3166-1 codes. What is not known of an address counts as not said."""

    allowed: list[Country] = Field(default_factory=list, max_length=COUNTRIES_LIMIT)
    blocked: list[Country] = Field(default_factory=list, max_length=COUNTRIES_LIMIT)
    allow_missing: Unsaid = False


class Networks(Body):
    """Addresses and networks, IPv4 and IPv6."""

    allowed: list[Network] = Field(default_factory=list, max_length=NETWORKS_LIMIT)
    blocked: list[Network] = Field(default_factory=list, max_length=NETWORKS_LIMIT)


class RestrictionCreation(Body):
    """A rule that is not given lets everything pass."""

    name: Name = ""
    domains: Domains = Domains()
    user_agents: UserAgents = UserAgents()
    countries: Countries = Countries()
    networks: Networks = Networks()


class RestrictionChanges(Changes):
    """A rule that is given takes the place of the one that was."""

    name: Name = ABSENT
    domains: Domains = ABSENT
    user_agents: UserAgents = ABSENT
    countries: Countries = ABSENT
    networks: Networks = ABSENT


class RuleAnswer(Answer):
    allowed: list[str] = Field(examples=[["example"]])
    blocked: list[str] = Field(examples=[[]])
    allow_missing: bool


class NetworksAnswer(Answer):
    allowed: list[str] = Field(examples=[["192.0.2.0/24"]])
    blocked: list[str] = Field(examples=[[]])


class RestrictionAnswer(Answer):
    restriction_id: str
    name: str
    domains: RuleAnswer
    user_agents: RuleAnswer
    countries: RuleAnswer
    networks: NetworksAnswer
    created_at: Moment
    updated_at: Moment


class RestrictionList(Answer):
    data: list[RestrictionAnswer]
    pagination: Pagination


class RestrictionQuery(PageQuery):
    sort_by: Literal["createdAt", "name"] | None = None


RULES = ("domains", "user_agents", "countries", "networks")


@operations.post(
    "/playback-restrictions",
    "Create a playback restriction",
    scope="playback-restrictions:write",
    status=201,
    errors=("conflict",),
    example={"name": "our pages", "domains": {"allowed": ["*.example.com"]}, "countries": {"blocked": ["FR"]}},
)
async def create(call: Call, body: RestrictionCreation) -> RestrictionAnswer:
    """A playback id is given it as `restrictionId`, a token as its claim `restriction`. Who breaks it is refused with
    403, at the start of playback and at every later request that says enough."""
    row = PlaybackRestriction(project_id=call.project_id, name=body.name, rules=_rules(body, RULES))
    async with call.services.database.write() as transaction:
        if await playback_restrictions.count(transaction, call.project_id) >= MOST:
            raise Problem("conflict", f"A project has {MOST} playback restrictions at most.")
        await playback_restrictions.add(transaction, row)
    return _answer(row)


@operations.get("/playback-restrictions", "List playback restrictions", scope="playback-restrictions:read")
async def list_all(call: Call, query: RestrictionQuery) -> RestrictionList:
    """Newest first unless sorted."""
    async with call.services.database.read() as transaction:
        page = await playback_restrictions.page(transaction, call.project_id, query.paging(query.sort_by))
    return RestrictionList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get(
    "/playback-restrictions/{restrictionId}", "Show a playback restriction", scope="playback-restrictions:read"
)
async def show(call: Call, restriction_id: str) -> RestrictionAnswer:
    """Its four rules."""
    async with call.services.database.read() as transaction:
        return _answer(await _find(transaction, call, restriction_id))


@operations.patch(
    "/playback-restrictions/{restrictionId}",
    "Change a playback restriction",
    scope="playback-restrictions:write",
    example={"networks": {"allowed": ["192.0.2.0/24"]}},
)
async def change(call: Call, restriction_id: str, body: RestrictionChanges) -> RestrictionAnswer:
    """It holds at once for who watches already."""
    given = body.model_fields_set
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, restriction_id)
        name = body.name if "name" in given else None
        rules = _rules(body, [name for name in RULES if name in given])
        await playback_restrictions.change(transaction, row, name, rules)
    return _answer(row)


@operations.delete(
    "/playback-restrictions/{restrictionId}",
    "Delete a playback restriction",
    scope="playback-restrictions:write",
    status=204,
    errors=["conflict"],
)
async def delete(call: Call, restriction_id: str) -> None:
    """Not while a playback id has it. Tokens that name it open nothing from then on."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, restriction_id)
        if await playback_ids.with_restriction(transaction, row.id):
            raise Problem("conflict", "A playback id has this restriction.")
        await playback_ids.sweep(transaction, row.id)
        await playback_restrictions.remove(transaction, row)


async def given(transaction: Transaction, call: Call, text: str | None, name: str = "restrictionId") -> str | None:
    """The id of the caller's restriction that an attribute names. Raises Problem."""
    if text is None:
        return None
    try:
        row = await playback_restrictions.get(transaction, call.project_id, ids.canonical("restriction_", text))
    except ids.InvalidId:
        row = None
    if row is None:
        raise validation.of_attribute(name, "There is no such playback restriction.")
    return row.id


async def _find(transaction: Transaction, call: Call, restriction_id: str) -> PlaybackRestriction:
    """Raises Problem."""
    row = await playback_restrictions.get(transaction, call.project_id, restriction_id)
    if row is None:
        raise Problem("resource-not-found", name="restrictionId")
    return row


def _rules(body: RestrictionCreation | RestrictionChanges, names: Sequence[str]) -> dict[str, Any]:
    """As the column has them."""
    rules: dict[str, Any] = {}
    for name in names:
        rule = getattr(body, name).model_dump(by_alias=False)
        rules[name] = {
            "allowed": rule["allowed"], "blocked": rule["blocked"], "unsaid": rule.get("allow_missing", False),
        }  # fmt: skip
    return rules


def _answer(row: PlaybackRestriction) -> RestrictionAnswer:
    told = {
        name: {"allowed": rule["allowed"], "blocked": rule["blocked"], "allow_missing": rule["unsaid"]}
        for name, rule in row.rules.items()
    }
    networks = told.pop("networks")
    return RestrictionAnswer(
        restriction_id=row.id,
        name=row.name,
        **{name: RuleAnswer(**rule) for name, rule in told.items()},
        networks=NetworksAnswer(allowed=networks["allowed"], blocked=networks["blocked"]),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
