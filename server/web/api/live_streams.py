"""Live streams: make, list, show, change, delete; end the broadcast on air; their playback tokens."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server.catalog import events, live_streams
from server.catalog.database import Transaction
from server.catalog.models import LiveStream
from server.config import LatencyMode
from server.errors import Problem
from server.web import asset_urls
from server.web.api import playback_tokens
from server.web.api.playback_tokens import PlaybackToken, TokenBody
from server.web.api.schemas import TAGS_LIMIT, Metadata, MetadataList, pairs
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, PlayerId, Tag, Text, Title
from server.web.typed import Call, Operations

RESTREAMS_LIMIT = 5  # as in the dialect
RECONNECT_LIMIT_S = 1800
RTMP_URL = "^rtmps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9]"  # for the document; `_rtmp_url` is what checks
APPLICATION = "live"  # in rtmp://host/live; any is accepted

operations = Operations("Live streams")


def _rtmp_url(text: str) -> str:
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in ("rtmp", "rtmps") or not url.hostname:
        raise PydanticCustomError(
            "rtmp_url", "RTMP URL should have the following format: [rtmp|rtmps]://[host]/[app name]."
        )
    if not url.path.strip("/"):
        raise PydanticCustomError("rtmp_app", "Missing app name: [rtmp|rtmps]://[host]/[app name].")
    return text


class RestreamBody(Body):
    name: Title
    server_url: Annotated[
        Text,
        StringConstraints(max_length=2000),
        AfterValidator(_rtmp_url),
        Field(json_schema_extra={"pattern": RTMP_URL, "examples": ["rtmp://a.example.com/app"]}),
    ]
    stream_key: Title


class Restream(Answer):
    name: str
    server_url: str
    stream_key: str


Restreams = Annotated[list[RestreamBody], Field(max_length=RESTREAMS_LIMIT)]
Tags = Annotated[list[Tag], Field(max_length=TAGS_LIMIT)]
ReconnectWindow = Annotated[
    int,
    Field(ge=0, le=RECONNECT_LIMIT_S, description="Seconds in which a lost broadcaster goes on in the same broadcast."),
]


class LiveStreamCreation(Body):
    name: Title
    public: bool = True
    player_id: PlayerId | None = None
    restreams: Restreams = Field(default_factory=list)
    record: bool = True
    latency_mode: Annotated[LatencyMode | None, Field(description="By default the server's own.")] = None
    reconnect_window: ReconnectWindow | None = None
    tags: Tags = Field(default_factory=list)
    metadata: MetadataList = Field(default_factory=list)


class LiveStreamChanges(Changes):
    """Changes of record, latencyMode and reconnectWindow take effect with the next broadcast."""

    name: Title = ABSENT
    public: bool = ABSENT
    player_id: PlayerId | None = ABSENT
    restreams: Restreams = ABSENT
    record: bool = ABSENT
    latency_mode: LatencyMode = ABSENT
    reconnect_window: ReconnectWindow = ABSENT
    tags: Tags = ABSENT
    metadata: MetadataList = ABSENT
    tokens_valid_after: Annotated[
        AwareDatetime | None, Field(description="Playback tokens made before this open nothing.")
    ] = ABSENT


class LiveStreamQuery(PageQuery):
    stream_key: str | None = None
    name: Annotated[str | None, Field(description="Contained in the name.")] = None
    sort_by: Literal["name", "createdAt", "updatedAt"] | None = None


class LiveStreamAssets(Answer):
    hls: str
    iframe: str
    player: str
    thumbnail: str


class LiveStreamLinks(Answer):
    """The broadcast on air, else the last one; and where the recordings are listed."""

    broadcast_id: str | None
    recordings: str


class LiveStreamAnswer(Answer):
    """A live stream. `rtmp` and `rtmps` are the server URLs for an encoder, beside the `streamKey`."""

    live_stream_id: str
    name: str
    stream_key: str
    public: bool
    player_id: str | None
    broadcasting: bool
    restreams: list[Restream]
    assets: LiveStreamAssets
    created_at: Moment
    updated_at: Moment
    state: str
    record: bool
    latency_mode: str
    reconnect_window: int
    tags: list[str]
    metadata: list[Metadata]
    rtmp: str | None
    rtmps: str | None
    srt: str | None
    tokens_valid_after: Moment | None
    links: LiveStreamLinks


class LiveStreamList(Answer):
    data: list[LiveStreamAnswer]
    pagination: Pagination


@operations.post("/live-streams", "Create a live stream", scope="live-streams:write", example={"name": "My stream"})
async def create(call: Call, body: LiveStreamCreation) -> LiveStreamAnswer:
    defaults = call.services.live
    columns = _columns(body, set(LiveStreamCreation.model_fields))
    columns["latency_mode"] = body.latency_mode or defaults.latency_mode
    if body.reconnect_window is None:
        columns["reconnect_window_s"] = defaults.reconnect_window_s
    row = LiveStream(project_id=call.project_id, stream_key=live_streams.new_stream_key(), **columns)
    async with call.services.database.write() as transaction:
        await live_streams.add(transaction, row)
    return answer(call, row)


@operations.get("/live-streams", "List live streams", scope="live-streams:read")
async def list_all(call: Call, query: LiveStreamQuery) -> LiveStreamList:
    async with call.services.database.read() as transaction:
        page = await live_streams.page(
            transaction, call.project_id, query.paging(query.sort_by), query.name, query.stream_key
        )
    return LiveStreamList(data=[answer(call, row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/live-streams/{liveStreamId}", "Show a live stream", scope="live-streams:read")
async def show(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    async with call.services.database.read() as transaction:
        return answer(call, await find(transaction, call, live_stream_id))


@operations.patch(
    "/live-streams/{liveStreamId}", "Change a live stream", scope="live-streams:write", example={"public": False}
)
async def change(call: Call, live_stream_id: str, body: LiveStreamChanges) -> LiveStreamAnswer:
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        columns = _columns(body, body.model_fields_set)
        for name, value in columns.items():
            setattr(row, name, value)
        payload = {"liveStreamId": row.id, "changed": sorted(columns)}
        await events.record(transaction, row.project_id, row.id, "live-stream.updated", payload)
    return answer(call, row)


@operations.delete("/live-streams/{liveStreamId}", "Delete a live stream", scope="live-streams:write", status=204)
async def delete(call: Call, live_stream_id: str) -> None:
    """A broadcast on air is ended first. Recordings stay."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, live_stream_id)
    await call.services.complete_live_stream(row.id)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        await live_streams.remove(transaction, row)
    call.services.on_live_stream_deleted(row)


@operations.put(
    "/live-streams/{liveStreamId}/complete", "End the broadcast on air", scope="live-streams:write", status=202
)
async def complete(call: Call, live_stream_id: str) -> None:
    """Closes the broadcaster's connection; the recording becomes a video. Nothing happens when nobody is on air."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, live_stream_id)
    await call.services.complete_live_stream(row.id)


@operations.post(
    "/live-streams/{liveStreamId}/tokens",
    "Make a playback token",
    scope="tokens:write",
    status=201,
    example={"ttl": 600},
)
async def make_token(call: Call, live_stream_id: str, body: TokenBody) -> PlaybackToken:
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, live_stream_id)
    minted = playback_tokens.mint(call, body, row.id)
    return playback_tokens.answer(minted, asset_urls.of_live_stream(call.base_url, row.id, minted[0]))


@operations.delete(
    "/live-streams/{liveStreamId}/tokens/{tokenId}", "Revoke a playback token", scope="tokens:write", status=204
)
async def revoke_token(call: Call, live_stream_id: str, token_id: str) -> None:
    """And the sessions that it opened."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, live_stream_id)
    await call.services.revocations.add(row.project_id, token_id)


async def find(transaction: Transaction, call: Call, live_stream_id: str) -> LiveStream:
    """The caller's live stream. Raises Problem."""
    row = await live_streams.get(transaction, call.project_id, live_stream_id)
    if row is None:
        raise Problem("resource-not-found", name="liveStreamId")
    return row


def answer(call: Call, row: LiveStream) -> LiveStreamAnswer:
    token = None if row.public else call.services.tokens.mint(row.id).token
    urls = asset_urls.of_live_stream(call.base_url, row.id, token)
    ports, host = call.services.ingest, urlsplit(call.base_url).hostname or ""
    return LiveStreamAnswer(
        live_stream_id=row.id,
        name=row.name,
        stream_key=row.stream_key,
        public=row.public,
        player_id=row.player_id,
        broadcasting=row.state == "broadcasting",
        restreams=[Restream.model_validate(one) for one in row.restreams],
        assets=LiveStreamAssets(hls=urls.hls, iframe=urls.iframe, player=urls.player, thumbnail=urls.thumbnail),
        created_at=row.created_at,
        updated_at=row.updated_at,
        state=row.state,
        record=row.record,
        latency_mode=row.latency_mode,
        reconnect_window=row.reconnect_window_s,
        tags=row.tags,
        metadata=[Metadata(**pair) for pair in row.meta],
        rtmp=_publish_url("rtmp", host, ports.rtmp),
        rtmps=_publish_url("rtmps", host, ports.rtmps),
        srt=f"srt://{_authority(host)}:{ports.srt}?streamid={row.stream_key}" if ports.srt else None,
        tokens_valid_after=row.tokens_valid_after,
        links=LiveStreamLinks(broadcast_id=row.broadcast_id, recordings=f"/videos?liveStreamId={row.id}"),
    )


def _publish_url(scheme: str, host: str, port: int | None) -> str | None:
    return f"{scheme}://{_authority(host)}:{port}/{APPLICATION}" if port else None


def _authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _columns(body: LiveStreamCreation | LiveStreamChanges, names: set[str]) -> dict[str, object]:
    """Attribute names and values of the row for the fields of these names."""
    found = {name: getattr(body, name) for name in names}
    if "metadata" in found:
        found["meta"] = pairs(found.pop("metadata"))
    if "reconnect_window" in found:
        window = found.pop("reconnect_window")
        if window is not None:
            found["reconnect_window_s"] = window
    if "restreams" in found:
        found["restreams"] = [one.model_dump(by_alias=True) for one in found["restreams"]]
    return found
