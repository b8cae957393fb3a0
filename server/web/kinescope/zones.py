"""CDN zones: through which host a project's videos are delivered, how long caches keep them, how large they are.

Of several zones the oldest one counts. Origins and access control are kept for the cache's own set-up.
"""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from server.catalog import delivery_zones
from server.catalog.database import Transaction
from server.catalog.sharing_models import DeliveryZone
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.shapes import DONE, All, Answer, Body, Data, Done, Id, Moment
from server.web.kinescope.values import REFUSED, Name, made, there
from server.web.shapes import Text
from server.web.typed import Call

READ, WRITE = "projects:read", "projects:write"
ORIGINS_LIMIT = 20
YEAR_S = 31_536_000
LINES_LIMIT = 4320
EXAMPLE: dict[str, Any] = {
    "name": "Edge", "host": "edge.example.com", "origins": [], "settings": {"playlist_ttl": 5, "max_quality": 720},
}  # fmt: skip
OWN = frozenset({"playlist_ttl", "segment_ttl", "max_quality"})  # settings that are columns

operations = kinescope_operations("CDN zones")

Host = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$"),
    Field(description="That URLs of videos lead to; a port may follow."),
]
ShortText = Annotated[Text, StringConstraints(max_length=1000)]


class BasicAuth(Body):
    username: ShortText = ""
    password: ShortText = ""


class Origin(Body):
    addr: ShortText
    basic_auth: BasicAuth | None = None


class AccessControl(Body):
    """Never shown again."""

    jwt_secret: ShortText = ""
    secure_link: ShortText = ""


class Settings(Body):
    """The first three are kept for the cache's own set-up; the others count here, and null is: as if there was no
    zone."""

    ignore_query_strings: bool = False
    index_html: ShortText = ""
    block_bad_bots: bool = False
    playlist_ttl: Annotated[
        int | None, Field(ge=0, le=YEAR_S, description="Seconds that caches keep playlists of videos without asking.")
    ] = None
    segment_ttl: Annotated[int | None, Field(ge=0, le=YEAR_S, description="Seconds that they keep segments.")] = None
    max_quality: Annotated[
        int | None, Field(ge=1, le=LINES_LIMIT, description="Lines of the pictures that players are offered at most.")
    ] = None


class ZoneBody(Body):
    name: Name
    host: Host
    origins: Annotated[list[Origin], Field(max_length=ORIGINS_LIMIT)] = Field(default_factory=list)
    access_control: AccessControl | None = None
    settings: Settings = Field(default_factory=Settings)


class OriginAuth(Answer):
    username: str
    password: Annotated[str, Field(description="Always empty.")] = ""


class OriginAnswer(Answer):
    addr: str
    basic_auth: OriginAuth | None


class AccessAnswer(Answer):
    """Whether there are any; the secrets themselves are not shown."""

    has_jwt_secret: bool
    has_secure_link: bool


class SettingsAnswer(Answer):
    ignore_query_strings: bool
    index_html: str
    block_bad_bots: bool
    playlist_ttl: int | None
    segment_ttl: int | None
    max_quality: int | None


class ZoneAnswer(Answer):
    id: Id
    workspace_id: Id
    name: str
    host: str
    origins: list[OriginAnswer]
    access_control: AccessAnswer
    settings: SettingsAnswer
    created_at: Moment
    updated_at: Moment


@operations.get("/v1/cdn/zones", "List zones", scope=READ)
async def list_all(call: Call) -> All[ZoneAnswer]:
    """The first one counts."""
    async with call.services.database.read() as transaction:
        rows = await delivery_zones.every(transaction, call.project_id)
    return All(data=[_answer(row) for row in rows])


@operations.post("/v1/cdn/zones", "Make a zone", scope=WRITE, errors=REFUSED, example=EXAMPLE)
async def create(call: Call, body: ZoneBody) -> Data[ZoneAnswer]:
    """It counts at once, where there is no older one. The host is asked for nothing: it is to lead to this server, and
    to ask it for what it has not."""
    async with call.services.database.write() as transaction:
        with made("host"):
            row = await delivery_zones.add(transaction, DeliveryZone(project_id=call.project_id, **_columns(body)))
        return Data(data=_answer(row))


@operations.put("/v1/cdn/zones/{zone_id}", "Change a zone", scope=WRITE, example=EXAMPLE)
async def change(call: Call, zone_id: str, body: ZoneBody) -> Data[ZoneAnswer]:
    """Access control that is left out stays as it is."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, zone_id)
        for name, value in _columns(body).items():
            setattr(row, name, value)
        await transaction.flush()
        await delivery_zones.tell(transaction, row, "updated")
        return Data(data=_answer(row))


@operations.delete("/v1/cdn/zones/{zone_id}", "Delete a zone", scope=WRITE)
async def delete(call: Call, zone_id: str) -> Done:
    async with call.services.database.write() as transaction:
        await delivery_zones.remove(transaction, await _find(transaction, call, zone_id))
    return DONE


async def _find(transaction: Transaction, call: Call, zone_id: str) -> DeliveryZone:
    return there(await delivery_zones.get(transaction, call.project_id, zone_id), "zone_id")


def _columns(body: ZoneBody) -> dict[str, Any]:
    settings = body.settings
    found: dict[str, Any] = {
        "name": body.name,
        "host": body.host.lower(),
        "origins": [each.model_dump() for each in body.origins],
        "settings": settings.model_dump(exclude=set(OWN)),
        "playlist_ttl_s": settings.playlist_ttl,
        "segment_ttl_s": settings.segment_ttl,
        "max_lines": settings.max_quality,
    }
    if body.access_control is not None:
        found["access_control"] = body.access_control.model_dump()
    return found


def _answer(row: DeliveryZone) -> ZoneAnswer:
    return ZoneAnswer(
        id=row.id,
        workspace_id=row.project_id,
        name=row.name,
        host=row.host,
        origins=[_origin(each) for each in row.origins],
        access_control=AccessAnswer(
            has_jwt_secret=bool(row.access_control.get("jwt_secret")),
            has_secure_link=bool(row.access_control.get("secure_link")),
        ),
        settings=SettingsAnswer(
            **row.settings, playlist_ttl=row.playlist_ttl_s, segment_ttl=row.segment_ttl_s, max_quality=row.max_lines
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _origin(kept: dict[str, Any]) -> OriginAnswer:
    auth = kept["basic_auth"]
    return OriginAnswer(addr=kept["addr"], basic_auth=OriginAuth(username=auth["username"]) if auth else None)
