"""Videos over REST: every operation, its status, its shape, its refusals."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from server import ids
from server.catalog import events, keys, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Project, Video
from server.config import HttpConfig
from server.packager.qualities import NO_FILE
from server.playback.tokens import Tokens
from server.web.services import Services
from tests.unit.web.kit import SECRET, Client, Connect, Fake, Make, basic, problem

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


async def json_of(client: Client, method: str, path: str, status: int, body: Any = None) -> Any:
    async with client.request(method, path, json=body) as response:
        assert response.status == status, await response.text()
        assert response.headers["Content-Type"] == "application/json"
        return await response.json()


async def test_a_new_video(client: Client) -> None:
    video = await json_of(client, "POST", "/videos", 201, {"title": "A film"})
    id, base = video["videoId"], str(client.make_url("/")).rstrip("/")
    dates = [video.pop(name) for name in ("createdAt", "updatedAt", "publishedAt")]

    assert all(DATE.fullmatch(date) for date in dates)
    assert ids.canonical("vi", id) == id
    assert video == {
        "videoId": id,
        "title": "A film",
        "description": "",
        "public": True,
        "panoramic": False,
        "mp4Support": True,
        "folderId": None,
        "languageOrigin": None,
        "tags": [],
        "metadata": [],
        "customFields": {},
        "discarded": False,
        "discardedAt": None,
        "deletesAt": None,
        "archivedAt": None,
        "trim": None,
        "source": {"uri": f"/videos/{id}/source"},
        "assets": {
            "hls": f"{base}/vod/{id}/hls/manifest.m3u8",
            "dash": f"{base}/vod/{id}/dash/manifest.mpd",
            "iframe": f'<iframe src="{base}/embed/{id}" width="100%" height="100%" frameborder="0" scrolling="no" '
            'allow="autoplay; fullscreen; picture-in-picture" allowfullscreen=""></iframe>',
            "player": f"{base}/embed/{id}",
            "thumbnail": f"{base}/vod/{id}/thumbnail.jpg",
            "mp4": f"{base}/vod/{id}/mp4/source.mp4",
        },
        "state": "pending",
        "playable": False,
        "duration": None,
        "error": None,
        "tokensValidAfter": None,
        "watermark": None,
        "crop": None,
        "links": {"uploadId": None, "liveStreamId": None, "broadcastId": None},
    }


WHOLE: dict[str, Any] = {
    "title": "A film ☃",
    "description": "Long.",
    "public": False,
    "panoramic": True,
    "mp4Support": False,
    "playerId": "pl1",
    "language": "fr-BE",
    "tags": ["a", "b"],
    "metadata": [{"key": "k", "value": "v"}, {"key": "k2", "value": ""}],
}


async def test_everything_that_can_be_said_is_kept(client: Client) -> None:
    made = await json_of(client, "POST", "/videos", 201, WHOLE)
    shown = await json_of(client, "GET", f"/videos/{made['videoId']}", 200)

    for name, value in WHOLE.items():
        assert made[name] == shown[name] == value
    assert shown["languageOrigin"] == "api"
    assert "mp4" not in shown["assets"]


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"title": ""}, "title"),
    ({"title": "   "}, "title"),
    ({"title": "x" * 1001}, "title"),
    ({"title": "a\x00b"}, "title"),
    ({"title": 7}, "title"),
    ({"title": None}, "title"),
    ({"description": 7}, "description"),
    ({"description": "x" * 20_001}, "description"),
    ({"public": "false"}, "public"),
    ({"public": 0}, "public"),
    ({"public": None}, "public"),
    ({"mp4Support": "yes"}, "mp4Support"),
    ({"panoramic": 1}, "panoramic"),
    ({"language": "the french one"}, "language"),
    ({"language": ""}, "language"),
    ({"playerId": 7}, "playerId"),
    ({"tags": "a"}, "tags"),
    ({"tags": {"a": "b"}}, "tags"),
    ({"tags": [7]}, "tags[0]"),
    ({"tags": ["ok", ""]}, "tags[1]"),
    ({"tags": ["x"] * 101}, "tags"),
    ({"metadata": {"k": "v"}}, "metadata"),
    ({"metadata": ["k"]}, "metadata[0]"),
    ({"metadata": [{"key": "k"}]}, "metadata[0][value]"),
    ({"metadata": [{"key": "k", "value": 7}]}, "metadata[0][value]"),
    ({"metadata": [{"key": "", "value": "v"}]}, "metadata[0][key]"),
    ({"metadata": [{"key": "k", "value": "v", "more": 1}]}, "metadata[0][more]"),
    ({"metadata": [{"key": "k", "value": "v"}] * 101}, "metadata"),
    ({"state": "done"}, "state"),
    ({"videoId": "vi1"}, "videoId"),
    ({"scheduledAt": "now"}, "scheduledAt"),
]


@pytest.mark.parametrize(("body", "name"), INVALID, ids=[f"{name}-{n}" for n, (_, name) in enumerate(INVALID)])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_bad_values_are_named(
    client: Client, make_video: Make, method: str, body: dict[str, Any], name: str
) -> None:
    path = "/videos" if method == "POST" else f"/videos/{await make_video()}"
    sent = {"title": "x", **body} if method == "POST" else body
    code = "attribute-required" if body == {"metadata": [{"key": "k"}]} else "invalid-attribute"
    async with client.request(method, path, json=sent) as response:
        found = await problem(response, 400, code, name)
    assert [entry["name"] for entry in found["problems"]] == [name]


async def test_a_title_is_required(client: Client) -> None:
    async with client.post("/videos", json={}) as response:
        await problem(response, 400, "attribute-required", "title")


async def test_changes_leave_the_rest(client: Client) -> None:
    made = await json_of(client, "POST", "/videos", 201, WHOLE)
    path = f"/videos/{made['videoId']}"

    changed = await json_of(client, "PATCH", path, 200, {"title": "New", "tags": ["c"]})

    assert (changed["title"], changed["tags"]) == ("New", ["c"])
    for name in set(WHOLE) - {"title", "tags"}:
        assert changed[name] == WHOLE[name]
    same = await json_of(client, "PATCH", path, 200, {})
    assert {name: same[name] for name in WHOLE} == {name: changed[name] for name in WHOLE}


async def test_lists_are_replaced_whole_and_nulls_clear(client: Client) -> None:
    made = await json_of(client, "POST", "/videos", 201, WHOLE)
    nothing = {"tags": [], "metadata": [], "playerId": None, "language": None, "description": ""}

    changed = await json_of(client, "PATCH", f"/videos/{made['videoId']}", 200, nothing)

    assert {name: changed.get(name) for name in nothing} == nothing
    assert not {"playerId", "language"} & changed.keys()  # in the dialect these are no nulls


async def test_wishes_for_transcripts_are_taken(client: Client) -> None:
    wishes = {"transcript": True, "transcriptSummary": True, "transcriptSummaryAttributes": ["abstract"]}
    made = await json_of(client, "POST", "/videos", 201, {"title": "A", **wishes})
    await json_of(client, "PATCH", f"/videos/{made['videoId']}", 200, wishes)


async def test_making_it_private_raises_the_revision(client: Client, make_video: Make, services: Services) -> None:
    id = await make_video()

    for public, revision in ((False, 2), (False, 2), (True, 2), (False, 3)):
        await json_of(client, "PATCH", f"/videos/{id}", 200, {"public": public})
        asset = await services.assets.get(id)
        assert asset is not None
        assert (asset.public, asset.revision) == (public, revision)


async def test_tokens_can_be_made_void(client: Client, make_video: Make, services: Services) -> None:
    id = await make_video()
    moment = {"tokensValidAfter": "2026-01-31T11:00:00+01:00"}

    assert (await json_of(client, "PATCH", f"/videos/{id}", 200, moment))[
        "tokensValidAfter"
    ] == "2026-01-31T10:00:00+00:00"
    asset = await services.assets.get(id)
    assert asset is not None
    assert asset.tokens_valid_after == datetime(2026, 1, 31, 10, tzinfo=UTC).timestamp()
    for bad in ("yesterday", 1_700_000_000, "2026-01-31T10:00:00"):
        async with client.patch(f"/videos/{id}", json={"tokensValidAfter": bad}) as response:
            await problem(response, 400, "invalid-attribute", "tokensValidAfter")
    video = await json_of(client, "PATCH", f"/videos/{id}", 200, {"tokensValidAfter": None})
    assert video["tokensValidAfter"] is None


async def test_deleting(client: Client, make_video: Make, fake: Fake, services: Services) -> None:
    id = await make_video(source="live", broadcast_id="br1")
    async with client.delete(f"/videos/{id}") as response:
        assert response.status == 204
        assert await response.read() == b""
        assert "Content-Type" not in response.headers

    assert [(video.id, video.source, video.broadcast_id) for video in fake.videos_deleted] == [(id, "live", "br1")]
    assert await services.assets.get(id) is None
    for method in ("GET", "DELETE"):
        async with client.request(method, f"/videos/{id}") as response:
            await problem(response, 404, "resource-not-found", "videoId")
    assert len(fake.videos_deleted) == 1


async def test_every_change_leaves_an_event(client: Client, database: Database) -> None:
    made = await json_of(client, "POST", "/videos", 201, {"title": "x"})
    await json_of(client, "PATCH", f"/videos/{made['videoId']}", 200, {"title": "y", "public": False})
    async with client.delete(f"/videos/{made['videoId']}") as response:
        assert response.status == 204

    async with database.read() as transaction:
        found = await events.of_object(transaction, DEFAULT_PROJECT, made["videoId"])
    assert [(event.sequence, event.type) for event in found] == [
        (1, "video.created"),
        (2, "video.updated"),
        (3, "video.deleted"),
    ]
    assert found[1].payload == {"videoId": made["videoId"], "changed": ["public", "title"]}


OPERATIONS = [
    ("GET", "", None),
    ("GET", "/status", None),
    ("PATCH", "", {"title": "x"}),
    ("DELETE", "", None),
    ("POST", "/tokens", {}),
    ("DELETE", "/tokens/jti", None),
]


@pytest.mark.parametrize(("method", "tail", "body"), OPERATIONS)
async def test_ids_that_name_nothing_are_404(
    client: Client, make_live: Make, method: str, tail: str, body: Any
) -> None:
    others = [ids.new("vi"), await make_live(), "nonsense", "..%2f..%2fetc", "%00", "vi" + "0" * 22, "x" * 500, "'--"]
    for id in others:
        async with client.request(method, f"/videos/{id}{tail}", json=body) as response:
            await problem(response, 404, "resource-not-found", "videoId")


@pytest.mark.parametrize(("method", "tail", "body"), [case for case in OPERATIONS if case[:2] != ("DELETE", "")])
async def test_every_spelling_of_an_id_is_taken(
    client: Client, make_video: Make, method: str, tail: str, body: Any
) -> None:
    id = await make_video()
    for spelled in (id, id[2:], str(ids.to_uuid("vi", id)), ids.to_uuid("vi", id).hex):
        async with client.request(method, f"/videos/{spelled}{tail}", json=body) as response:
            assert response.status < 300
            if response.status == 200 and tail == "":
                assert (await response.json())["videoId"] == id


@pytest.mark.parametrize(("method", "tail", "body"), [("GET", "", None), ("POST", "", {"title": "x"}), *OPERATIONS])
async def test_no_operation_without_credentials(
    anonymous: Client, make_video: Make, method: str, tail: str, body: Any
) -> None:
    path = f"/videos/{await make_video()}{tail}" if (method, tail) != ("POST", "") else "/videos"
    async with anonymous.request(method, path, json=body) as response:
        await problem(response, 401, "authentication-missing-authorization-header")


async def test_another_projects_videos_are_not_there(client: Client, database: Database, make_video: Make) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="Other"))
    id = await make_video(project_id="pr2")

    for method, tail, body in OPERATIONS:
        async with client.request(method, f"/videos/{id}{tail}", json=body) as response:
            await problem(response, 404, "resource-not-found", "videoId")
    assert (await json_of(client, "GET", "/videos", 200))["data"] == []


FILTERS = [
    ("title=FILM", {"a film", "b film"}),
    ("title=%25", set()),
    ("title=", {"a film", "b film", "c"}),
    ("description=old", {"b film"}),
    ("tags[]=x", {"a film", "b film"}),
    ("tags[]=x&tags[]=y", {"b film"}),
    ("tags=x&tags=y", {"b film"}),
    ("tags[0]=x&tags[1]=y", {"b film"}),
    ("tags[]=X", set()),
    ("metadata[k]=v", {"a film", "b film"}),
    ("metadata[k]=v&metadata[l]=w", {"b film"}),
    ("metadata[k]=w", set()),
    ("metadata[k%22]=%27", set()),
    ("title=film&tags[]=y&metadata[k]=v", {"b film"}),
    ("unknown=1", {"a film", "b film", "c"}),
]


@pytest.mark.parametrize(("query", "found"), FILTERS)
async def test_filters(client: Client, make_video: Make, query: str, found: set[str]) -> None:
    k, m = {"key": "k", "value": "v"}, {"key": "l", "value": "w"}
    await make_video(title="a film", tags=["x"], meta=[k])
    await make_video(title="b film", tags=["x", "y"], meta=[k, m], description="An old one")
    await make_video(title="c")

    answer = await json_of(client, "GET", f"/videos?{query}", 200)

    assert {video["title"] for video in answer["data"]} == found


async def test_recordings_of_a_live_stream(client: Client, make_video: Make, make_live: Make) -> None:
    live = await make_live()
    recording = await make_video(live_stream_id=live, broadcast_id="br1", source="live", state="done", playable=True)
    await make_video()

    for spelled in (live, live[2:]):
        answer = await json_of(client, "GET", f"/videos?liveStreamId={spelled}", 200)
        assert [video["videoId"] for video in answer["data"]] == [recording]
    (video,) = answer["data"]
    link = {"rel": "self", "uri": f"/live-streams/{live}"}
    assert video["source"] == {
        "uri": f"/videos/{recording}/source",
        "type": "live",
        "liveStream": {"liveStreamId": live, "links": [link]},
    }
    assert video["links"] == {"uploadId": None, "liveStreamId": live, "broadcastId": "br1"}
    assert video["assets"]["mp4"].endswith(f"/vod/{recording}/mp4/source.mp4")


async def test_no_file_is_named_where_there_is_none(client: Client, make_video: Make) -> None:
    """Of a recording whose coding changed, and of altered pictures that are made when they are asked for."""
    for fields in ({"source": "live", "broadcast_id": "br1"}, {"source": "upload"}):
        id = await make_video(state="done", playable=True, media={"streams": [], NO_FILE: True}, **fields)
        assert "mp4" not in (await json_of(client, "GET", f"/videos/{id}", 200))["assets"]


@pytest.mark.parametrize("query", ["liveStreamId=nonsense", "metadata[k]=a&metadata[k]=b", "title=a&title=b"])
async def test_filters_of_no_meaning(client: Client, query: str) -> None:
    name = query.partition("=")[0]
    async with client.get(f"/videos?{query}") as response:
        await problem(response, 400, "request-invalid-query-parameter", name)


async def test_an_error_is_told(client: Client, make_video: Make) -> None:
    error = {"code": "unsupported", "title": "The file can't be played.", "detail": "It is a playlist."}
    video = await json_of(client, "GET", f"/videos/{await make_video(state='error', error=error)}", 200)

    assert (video["state"], video["playable"], video["error"]) == ("error", False, error)


async def test_a_private_videos_urls_open_it(client: Client, make_video: Make) -> None:
    id = await make_video(public=False)
    first, second = [(await json_of(client, "GET", f"/videos/{id}", 200))["assets"] for _ in range(2)]

    for assets in (first, second):
        token = re.search(f"/vod/{id}/token/([^/]+)/hls/manifest.m3u8$", assets["hls"])
        assert token
        grant = Tokens(SECRET).verify(token[1], id)
        assert grant.session is None
        assert assets["thumbnail"].endswith(f"/vod/{id}/token/{token[1]}/thumbnail.jpg")
        assert assets["mp4"].endswith(f"/vod/{id}/token/{token[1]}/mp4/source.mp4")
        assert assets["player"].endswith(f"/embed/{id}?token={token[1]}")
        assert f"/embed/{id}?token={token[1]}" in assets["iframe"]
    assert first["hls"] != second["hls"]


async def test_urls_are_under_the_public_one(connect: Connect, make_video: Make) -> None:
    client = await connect({"http": HttpConfig(public_url="https://video.example.com")})
    id = await make_video()

    video = await json_of(client, "GET", f"/videos/{id}", 200)

    assert video["assets"]["hls"] == f"https://video.example.com/vod/{id}/hls/manifest.m3u8"


async def test_what_a_key_may_not_it_does_not(client: Client, database: Database, make_video: Make) -> None:
    async with database.write() as transaction:
        await keys.create(transaction, DEFAULT_PROJECT, "reader", ["*:read"], "reader")
    id = await make_video()
    for method, tail, body in OPERATIONS:
        async with client.request(method, f"/videos/{id}{tail}", json=body, headers=basic("reader:")) as response:
            if method == "GET":
                assert response.status == 200
            else:
                await problem(response, 403, "forbidden")
    async with database.read() as transaction:
        assert await videos.find(transaction, id) is not None


async def test_a_discarded_video_is_taken_back(connect: Connect, make_video: Make) -> None:
    async def discard(transaction: Transaction, video: Video) -> None:
        await videos.discard(transaction, video, datetime(2030, 1, 1, tzinfo=UTC))

    client = await connect({"remove_video": discard})
    id, other = await make_video(title="mine"), await make_video(title="other")
    async with client.delete(f"/videos/{id}") as response:
        assert response.status == 204
    async with client.get(f"/videos/{id}") as response:
        await problem(response, 404, "resource-not-found", "videoId")
    assert [each["videoId"] for each in (await json_of(client, "GET", "/videos", 200))["data"]] == [other]

    (listed,) = (await json_of(client, "GET", "/discarded/videos?title=min", 200))["data"]
    assert (listed["videoId"], listed["discarded"], listed["deletesAt"]) == (id, True, "2030-01-01T00:00:00+00:00")
    assert listed["assets"] is None
    assert await json_of(client, "GET", f"/discarded/videos/{id}", 200) == listed

    restored = await json_of(client, "PATCH", f"/discarded/videos/{id}", 200, {"discarded": False})
    assert (restored["discarded"], restored["discardedAt"], restored["deletesAt"]) == (False, None, None)
    assert (await json_of(client, "GET", f"/videos/{id}", 200))["assets"]["hls"]
    async with client.get(f"/discarded/videos/{id}") as response:
        await problem(response, 404, "resource-not-found", "videoId")
