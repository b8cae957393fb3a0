"""Live streams: make, list, show, change, delete; end the broadcast on air; their playback tokens."""

from typing import Any

from server.catalog import live_streams, restreams
from server.catalog.database import Transaction
from server.catalog.models import LiveStream
from server.errors import Problem
from server.web import asset_urls
from server.web.api import playback_tokens
from server.web.api.live_stream_shapes import (
    LiveStreamAnswer,
    LiveStreamChanges,
    LiveStreamCreation,
    LiveStreamList,
    LiveStreamQuery,
    answer,
    columns,
)
from server.web.api.playback_tokens import PlaybackToken, TokenBody
from server.web.pagination import pagination
from server.web.typed import Call, Operations

operations = Operations("Live streams")


@operations.post("/live-streams", "Create a live stream", scope="live-streams:write", example={"name": "My stream"})
async def create(call: Call, body: LiveStreamCreation) -> LiveStreamAnswer:
    """Its stream key is made here. Where `sourceUrl` is given, the stream is fetched from there instead of
    published."""
    defaults = call.services.live
    values = columns(body, set(LiveStreamCreation.model_fields))
    values["latency_mode"] = body.latency_mode or defaults.latency_mode
    values["restreams"] = _restreams(call, [], values["restreams"])
    if body.reconnect_window is None:
        values["reconnect_window_s"] = defaults.reconnect_window_s
    row = LiveStream(project_id=call.project_id, stream_key=live_streams.new_stream_key(), **values)
    async with call.services.database.write() as transaction:
        await live_streams.add(transaction, row)
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
    return answer(call, row)


@operations.get("/live-streams", "List live streams", scope="live-streams:read")
async def list_all(call: Call, query: LiveStreamQuery) -> LiveStreamList:
    """Newest first unless sorted."""
    async with call.services.database.read() as transaction:
        page = await live_streams.page(
            transaction, call.project_id, query.paging(query.sort_by), query.name, query.stream_key
        )
    return LiveStreamList(data=[answer(call, row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/live-streams/{liveStreamId}", "Show a live stream", scope="live-streams:read")
async def show(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """`state` and `broadcasting` tell whether it is on air; `rtmp` and `srt` are what an encoder is given."""
    async with call.services.database.read() as transaction:
        return answer(call, await find(transaction, call, live_stream_id))


@operations.patch(
    "/live-streams/{liveStreamId}", "Change a live stream", scope="live-streams:write", example={"public": False}
)
async def change(call: Call, live_stream_id: str, body: LiveStreamChanges) -> LiveStreamAnswer:
    """What is left out stays as it is. Restreams that are given replace all that there are."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        values = columns(body, body.model_fields_set)
        if "restreams" in values:
            values["restreams"] = _restreams(call, row.restreams, values["restreams"])
        for name, value in values.items():
            setattr(row, name, value)
        await live_streams.tell(transaction, row, "updated", changed=sorted(values))
    call.services.on_live_stream_changed(row)
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
    scope="playback-tokens:mint",
    status=201,
    example={"ttl": 600},
)
async def make_token(call: Call, live_stream_id: str, body: TokenBody) -> PlaybackToken:
    """For viewers of a private stream. It opens playback until `expiresAt`; who watches by then may go on."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, live_stream_id)
    minted = await playback_tokens.mint(call, body, row.id)
    return playback_tokens.answer(minted, asset_urls.of_live_stream(call.media_url, row.id, minted[0]))


@operations.delete(
    "/live-streams/{liveStreamId}/tokens/{tokenId}", "Revoke a playback token", scope="playback-tokens:revoke",
    status=204,
)  # fmt: skip
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


def _restreams(call: Call, known: list[restreams.Entry], wanted: Any) -> list[restreams.Entry]:
    """As they are kept. Raises Problem."""
    limit = call.services.live.max_restreams
    if len(wanted) > limit:
        raise Problem("invalid-attribute", f"A live stream has {limit} restream targets at most.", name="restreams")
    return restreams.merged(known, wanted)
