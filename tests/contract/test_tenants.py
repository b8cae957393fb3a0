"""What another project has looks exactly like what is not there, to every operation that takes an id."""

import re
import struct
import zlib
from typing import Any
from urllib.parse import quote

import pytest

from server import ids
from tests.harness.server import Answer, Server

pytestmark = pytest.mark.server

# path parameters that name no object by themselves
WORDS = {"language": "en", "tokenId": "anything", "metric": "play", "aggregation": "count", "breakdown": "country"}
# only a publisher, a player or a table of files makes these; their look-ups are tested where they are
UNMADE = {"sessionId": "ps", "importId": "im", "grantId": "grant_"}
PREFIXES = {
    "videoId": "vi", "liveStreamId": "li", "restreamId": "rs", "uploadToken": "to", "playerId": "pl", "jobId": "jo",
    "webhookId": "webhook_", "deliveryId": "de", "summaryId": "summary_", "watermarkId": "watermark_",
    "apiKeyId": "key_", "projectId": "pr", "folderId": "fo", "collectionId": "co", "playbackId": "pb",
    "restrictionId": "restriction_", "signingKeyId": "sk_", "customFieldId": "cf", "appId": "app_",
    "uploadSessionId": "us", **UNMADE,
}  # fmt: skip
# of requests that name an object elsewhere than in the path: {} stands for its id
ELSEWHERE: list[tuple[str, str, str, Any]] = [
    ("videoId", "POST", "/summaries", {"videoId": "{}"}),
    ("videoId", "POST", "/videos/concat", {"videos": ["{}", "{}"]}),
    ("videoId", "POST", "/v1/videos/{video}/concat", {"prepend": [{"video_id": "{}"}], "replace": True}),
    ("videoId", "POST", "/v1/videos/{video}/concat", {"append": [{"video_id": "{}"}], "replace": False}),
    ("videoId", "GET", "/jobs?objectId={}", None),
    ("videoId", "GET", "/summaries?videoId={}", None),
    ("liveStreamId", "GET", "/videos?liveStreamId={}", None),
    ("liveStreamId", "GET", "/events?objectId={}", None),
    ("watermarkId", "POST", "/videos", {"title": "x", "watermark": {"id": "{}"}}),
    ("folderId", "POST", "/folders", {"name": "x", "parentId": "{}"}),
    ("folderId", "GET", "/folders?parentId={}", None),
    ("folderId", "POST", "/videos", {"title": "x", "folderId": "{}"}),
    ("folderId", "GET", "/videos?folderId={}", None),
    ("folderId", "POST", "/upload-sessions", {"folderId": "{}"}),
    ("videoId", "POST", "/collections", {"name": "x", "videos": ["{}"]}),
    ("videoId", "GET", "/collections?videoId={}", None),
    ("restrictionId", "POST", "/videos/{video}/playback-ids", {"policy": "public", "restrictionId": "{}"}),
    ("restrictionId", "POST", "/videos/{video}/tokens", {"restriction": "{}"}),
    ("projectId", "POST", "/api-keys", {"name": "x", "scopes": ["*"], "projectId": "{}"}),
    ("projectId", "GET", "/api-keys?projectId={}", None),
]
VARYING = {"date", "x-request-id", "x-ratelimit-remaining"}


def png() -> bytes:
    """One white pixel (PNG, section 5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0\xff\xff\xff")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class Tenant:
    """A project with a key of its own."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self.project_id = str(server.api("POST", "/projects", {"name": name})["projectId"])
        wish = {"name": name, "scopes": ["*"], "projectId": self.project_id}
        made = server.api("POST", "/api-keys", wish)
        self.key, self.key_id = str(made["secret"]), str(made["apiKeyId"])

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return self._server.call(method, path, body, key=self.key, **more)

    def make(self, path: str, name: str, body: Any) -> str:
        answer = self.call("POST", path, body)
        assert answer.status < 300, f"{path}: {answer.status} {answer.text}"
        return str(answer.json()[name])

    def send(self, path: str, filename: str, data: bytes) -> Any:
        """A form with one file."""
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode()
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = self.call("POST", path, head + data + b"\r\n--b--\r\n", headers=kind)
        assert answer.status < 300, f"{path}: {answer.status} {answer.text}"
        return answer.json()


@pytest.fixture(scope="module")
def mine(server: Server) -> Tenant:
    return Tenant(server, "Mine")


@pytest.fixture(scope="module")
def my_video(mine: Tenant) -> str:
    return mine.make("/videos", "videoId", {"title": "mine"})


@pytest.fixture(scope="module")
def theirs(server: Server) -> dict[str, str]:
    """Of each kind one object that another tenant has, by the path parameter that names it."""
    other = Tenant(server, "Theirs")
    video = other.make("/videos", "videoId", {"title": "theirs"})
    live = other.make("/live-streams", "liveStreamId", {"name": "theirs"})
    target = {"name": "x", "serverUrl": "rtmp://127.0.0.1/x", "streamKey": "k"}
    webhook = other.make("/webhooks", "webhookId", {"url": "https://hooks.invalid/", "events": ["video.created"]})
    summary = other.make("/summaries", "summaryId", {"videoId": video})
    other.send(f"/videos/{video}/source", "a.mp4", b"nothing that could be watched")
    return {
        "videoId": video,
        "liveStreamId": live,
        "restreamId": other.make(f"/live-streams/{live}/restreams", "restreamId", target),
        "uploadToken": other.make("/upload-tokens", "token", {}),
        "uploadSessionId": other.make("/upload-sessions", "uploadSessionId", {}),
        "playerId": other.make("/players", "playerId", {}),
        "folderId": other.make("/folders", "folderId", {"name": "theirs"}),
        "collectionId": other.make("/collections", "collectionId", {"name": "theirs"}),
        "playbackId": other.make(f"/videos/{video}/playback-ids", "playbackId", {"policy": "public"}),
        "restrictionId": other.make("/playback-restrictions", "restrictionId", {"name": "theirs"}),
        "appId": other.make(
            "/oauth/apps",
            "appId",
            {"name": "theirs", "redirectUris": ["https://app.invalid/"], "scopes": ["*"]},
        ),
        "signingKeyId": other.make("/signing-keys", "signingKeyId", {"algorithm": "ES256"}),
        "customFieldId": other.make("/custom-fields", "customFieldId", {"name": "theirs", "type": "text"}),
        "webhookId": webhook,
        "deliveryId": other.make(f"/webhooks/{webhook}/ping", "deliveryId", {}),
        "summaryId": summary,
        "watermarkId": str(other.send("/watermarks", "a.png", png())["watermarkId"]),
        "jobId": str(other.call("GET", f"/jobs?objectId={video}").json()["data"][0]["jobId"]),
        "apiKeyId": other.key_id,
        "projectId": other.project_id,
        **{name: ids.new(prefix) for name, prefix in UNMADE.items()},
    }


def operations(server: Server) -> list[tuple[str, str, Any]]:
    """(method, path, a body) of those that take an id."""
    found = []
    for path, methods in server.get("/openapi.json").json()["paths"].items():
        if not set(re.findall(r"{(\w+)}", path)) - WORDS.keys():
            continue
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            found.append((method.upper(), path, content.get("example", {}) if content else None))
    return found


def told(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """All that tells answers apart."""
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in VARYING}
    return answer.status, headers, answer.body


def test_every_operation_with_an_id(server: Server, mine: Tenant, theirs: dict[str, str]) -> None:
    seen = set()
    for method, path, body in operations(server):
        names = re.findall(r"{(\w+)}", path)
        assert set(names) <= theirs.keys() | WORDS.keys(), f"{path}: say here what its parameters name"
        seen.update(names)
        missing = {name: ids.new(prefix) for name, prefix in PREFIXES.items()}
        foreign = told(mine.call(method, path.format(**WORDS, **theirs), body))
        absent = told(mine.call(method, path.format(**WORDS, **missing), body))

        assert foreign == absent, f"{method} {path}"
        assert foreign[0] == 404, f"{method} {path}: {foreign}"
    assert seen >= theirs.keys() - UNMADE.keys()


@pytest.mark.parametrize(("name", "method", "path", "body"), ELSEWHERE)
def test_ids_elsewhere_than_in_the_path(
    mine: Tenant, my_video: str, theirs: dict[str, str], name: str, method: str, path: str, body: Any
) -> None:
    foreign, absent = theirs[name], ids.new(PREFIXES[name])

    def asked(id: str) -> tuple[int, dict[str, str], bytes]:
        status, headers, answer = told(mine.call(method, path.format(quote(id), video=my_video), _filled(body, id)))
        return status, headers, answer.replace(id.encode(), b"{}")

    assert asked(foreign) == asked(absent)


def test_lists_hold_nothing_of_others(server: Server, mine: Tenant, theirs: dict[str, str]) -> None:
    for path, methods in server.get("/openapi.json").json()["paths"].items():
        if "get" not in methods or "{" in path or not methods["get"]["security"]:
            continue
        answer = mine.call("GET", path)
        for name, id in theirs.items():
            assert id not in answer.text, f"{path} tells of {name}"


def _filled(body: Any, id: str) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, id) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, id) for value in body]
    return id if body == "{}" else body
