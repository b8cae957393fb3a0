"""The tools, as one table: what each is called, takes, does and answers.

Answers are a part of the API's: what a person would ask for, long texts cut, and no secret but those that a tool is for
(the way to upload, the way to publish, a link to watch).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from server.client.refusals import Refused
from server.mcp.arguments import (
    Arguments,
    NewLiveStream,
    NewUpload,
    NewVideoByUrl,
    OfLiveStream,
    OfVideo,
    Paged,
    PlaybackLink,
    SearchJobs,
    SearchLiveStreams,
    SearchVideos,
)
from server.mcp.rest import Rest

TEXT_CHARS = 1000  # of a description
A = TypeVar("A", bound=Arguments)
Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """`reads`: it changes nothing. `scopes` are for the reader: the API itself decides."""

    name: str
    title: str
    description: str
    takes: type[Arguments]
    run: Callable[[Rest, Any], Awaitable[Found]]
    scopes: Sequence[str]
    reads: bool


TOOLS: dict[str, Tool] = {}


def _tool(
    title: str, scopes: Sequence[str], reads: bool = False
) -> Callable[[Callable[[Rest, A], Awaitable[Found]]], Callable[[Rest, A], Awaitable[Found]]]:
    """Adds a function to the table, under its own name and with its docstring."""

    def add(run: Callable[[Rest, A], Awaitable[Found]]) -> Callable[[Rest, A], Awaitable[Found]]:
        takes = run.__annotations__["asked"]
        said = " ".join((run.__doc__ or "").split())
        TOOLS[run.__name__] = Tool(run.__name__, title, said, takes, run, scopes, reads)
        return run

    return add


@_tool("Search the library", ["videos:read"], reads=True)
async def search_videos(rest: Rest, asked: SearchVideos) -> Found:
    """Lists videos that match every filter given: words anywhere in what is said of them (search), title,
    description, tags, metadata, folder, or the live stream they are a recording of. Answers a page of them with ids,
    states and links."""
    filters = ("search", "title", "description", "tags", "metadata", "live_stream_id", "folder_id")
    query = {**_page(asked), **_given(asked, *filters, "sort_by", "sort_order")}
    return _listed(await rest.call("GET", "/videos", query=query), "videos", _video)


@_tool("Show a video", ["videos:read"], reads=True)
async def show_video(rest: Rest, asked: OfVideo) -> Found:
    """Tells all about one video: how far its upload and encoding are, whether it can be watched yet, which qualities
    there are, why it failed if it did."""
    video = await rest.call("GET", f"/videos/{_segment(asked.video_id)}")
    status = await rest.call("GET", f"/videos/{_segment(asked.video_id)}/status")
    return {
        **_video(video),
        "description": _cut(video["description"]),
        "metadata": video["metadata"],
        "error": video["error"],
        "links": video["links"],
        "ingest": status["ingest"]["status"],
        "bytes": status["ingest"]["filesize"],
        "encoding": status["encoding"],
    }


@_tool("Search live streams", ["live-streams:read"], reads=True)
async def search_live_streams(rest: Rest, asked: SearchLiveStreams) -> Found:
    """Lists live streams, newest first, with whether each is on air."""
    query = {**_page(asked), **_given(asked, "name")}
    return _listed(await rest.call("GET", "/live-streams", query=query), "liveStreams", _live_stream)


@_tool("Show a live stream", ["live-streams:read"], reads=True)
async def show_live_stream(rest: Rest, asked: OfLiveStream) -> Found:
    """Tells whether a live stream is on air, what its encoder sends, and what is wrong with that in plain words."""
    path = f"/live-streams/{_segment(asked.live_stream_id)}"
    live = await rest.call("GET", path)
    return {**_live_stream(live), "links": live["links"], "health": await rest.call("GET", path + "/health")}


@_tool("Make a playback link", ["playback-tokens:mint"])
async def mint_playback_link(rest: Rest, asked: PlaybackLink) -> Found:
    """Makes links that open one video or live stream, also a private one, until they end: a page to watch it on
    (embed), and the HLS and DASH manifests. Whoever has such a link can watch."""
    body = {"ttl": asked.ttl, **_given(asked, "viewer", "origins")}
    kind = "live-streams" if asked.id.startswith("li") else "videos"
    made = await rest.call("POST", f"/{kind}/{_segment(asked.id)}/tokens", body)
    return {name: made[name] for name in ("embed", "hls", "dash", "thumbnail", "tokenId", "expiresAt")}


@_tool("Create an upload", ["videos:write", "upload-tokens:write"])
async def create_upload(rest: Rest, asked: NewUpload) -> Found:
    """Makes a video that waits for its file, and a token that the file can be uploaded with, without an API key:
    in one request (uploadUrl, form field `file`, with videoId as another field), or resumable (tusUrl, with videoId
    in the upload's metadata)."""
    video = await rest.call("POST", "/videos", _given(asked, "title", "description", "tags", "public"))
    token = await rest.call("POST", "/upload-tokens", {"ttl": asked.ttl})
    id, url = video["videoId"], f"{rest.base_url}/upload?token={token['token']}"
    return {
        "videoId": id,
        "uploadToken": token["token"],
        "expiresAt": token["expiresAt"],
        "uploadUrl": url,
        "tusUrl": f"{rest.base_url}/tus/?token={token['token']}",
        "example": f"curl -F videoId={id} -F file=@video.mp4 '{url}'",
    }


@_tool("Add a video by URL", ["videos:write"])
async def create_video_from_url(rest: Rest, asked: NewVideoByUrl) -> Found:
    """Makes a video of a media file on the web, which the server fetches by itself; show_video tells how far it is."""
    body = {**_given(asked, "title", "description", "tags", "public"), "source": asked.url}
    return _video(await rest.call("POST", "/videos", body))


@_tool("Create a live stream", ["live-streams:write"])
async def create_live_stream(rest: Rest, asked: NewLiveStream) -> Found:
    """Makes a live stream, and tells where an encoder such as OBS publishes to: an RTMP server and stream key, or an
    SRT URL. The stream key is a secret: whoever has it can publish."""
    live = await rest.call("POST", "/live-streams", _given(asked, "name", "public", "record", "tags"))
    publish = {name: live[name] for name in ("rtmp", "rtmps", "srt", "streamKey") if live.get(name)}
    return {**_live_stream(live), "publish": publish}


@_tool("Search jobs", ["jobs:read"], reads=True)
async def search_jobs(rest: Rest, asked: SearchJobs) -> Found:
    """Lists the work behind videos (examining, encoding, fetching), newest first, with its progress; state failed
    shows what went wrong and why."""
    query = {**_page(asked), **_given(asked, "object_id", "state")}
    return _listed(await rest.call("GET", "/jobs", query=query), "jobs", _job)


def _page(asked: Paged) -> Found:
    return {"currentPage": asked.page, "pageSize": asked.page_size}


def _given(asked: Arguments, *names: str) -> Found:
    """Those arguments that say something, as the API calls them."""
    aliases = {name: type(asked).model_fields[name].alias or name for name in names}
    found = {aliases[name]: getattr(asked, name) for name in names}
    return {name: value for name, value in found.items() if value not in (None, [], {}, "")}


def _segment(id: str) -> str:
    """An id as a part of a path: any other text is no id. Raises Refused."""
    if not id.isascii() or not id.replace("-", "").replace("_", "").isalnum():
        raise Refused(404, {"title": "The requested resource was not found.", "name": "id"})
    return id


def _listed(answer: Mapping[str, Any], name: str, show: Callable[[Mapping[str, Any]], Found]) -> Found:
    where = answer["pagination"]
    return {
        name: [show(one) for one in answer["data"]],
        "page": where["currentPage"],
        "pages": where["pagesTotal"],
        "total": where["itemsTotal"],
    }


def _video(video: Mapping[str, Any]) -> Found:
    kept = ("videoId", "title", "state", "playable", "duration", "public", "tags", "createdAt")
    # the address of a private one would hold a token: mint_playback_link is for that
    watch = {"player": video["assets"]["player"]} if video["public"] and video["assets"] else {}
    return {**{name: video[name] for name in kept}, **watch}


def _live_stream(live: Mapping[str, Any]) -> Found:
    kept = ("liveStreamId", "name", "state", "broadcasting", "public", "record", "latencyMode", "tags", "createdAt")
    watch = {"player": live["assets"]["player"]} if live["public"] else {}
    return {**{name: live[name] for name in kept}, **watch}


def _job(job: Mapping[str, Any]) -> Found:
    kept = ("jobId", "kind", "objectId", "state", "progress", "message", "eta", "attempts", "createdAt", "error")
    return {name: job[name] for name in kept}


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else text[:TEXT_CHARS] + "…"
