"""One thing of each kind that the API makes, for tests that go over all of its operations."""

import secrets
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from tests.harness.server import Server

CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"


def things(server: Server) -> Mapping[str, str]:
    """Of the default project, by the path parameter that names it."""
    api = server.api
    video = api("POST", "/videos", {"title": "A video", "tags": ["a"], "metadata": [{"key": "k", "value": "v"}]})
    for kind in ("captions", "chapters"):
        answer = server.call("POST", f"/videos/{video['videoId']}/{kind}/en", **form("a.vtt", CAPTIONS.encode()))
        assert answer.status == 200, answer.text
    live = server.live_stream()["liveStreamId"]
    target = {"name": "x", "serverUrl": "rtmp://127.0.0.1/x", "streamKey": "k"}
    webhook = api("POST", "/webhooks", {"url": "https://hooks.invalid/", "events": ["video.created"]})["webhookId"]
    return {
        "videoId": video["videoId"],
        "liveStreamId": live,
        "restreamId": api("POST", f"/live-streams/{live}/restreams", target)["restreamId"],
        "playerId": api("POST", "/players", {"name": "A"})["playerId"],
        "uploadToken": api("POST", "/upload-tokens", {})["token"],
        "uploadSessionId": api("POST", "/upload-sessions", {})["uploadSessionId"],
        "summaryId": api("POST", "/summaries", {"videoId": video["videoId"]})["summaryId"],
        "webhookId": webhook,
        "deliveryId": api("POST", f"/webhooks/{webhook}/ping", {})["deliveryId"],
        "apiKeyId": api("POST", "/api-keys", {"name": "other", "scopes": ["videos:read"]})["apiKeyId"],
        "projectId": api("POST", "/projects", {"name": "Other"})["projectId"],
        "playbackId": api("POST", f"/videos/{video['videoId']}/playback-ids", {"policy": "public"})["playbackId"],
        "restrictionId": api("POST", "/playback-restrictions", {"name": "A"})["restrictionId"],
        "appId": api(
            "POST", "/oauth/apps", {"name": "A", "redirectUris": ["https://app.invalid/"], "scopes": ["videos:read"]}
        )["appId"],
        "signingKeyId": api("POST", "/signing-keys", {"algorithm": "ES256"})["signingKeyId"],
        "folderId": api("POST", "/folders", {"name": "A"})["folderId"],
        "collectionId": api("POST", "/collections", {"name": "A", "videos": [video["videoId"]]})["collectionId"],
        "customFieldId": api("POST", "/custom-fields", _choice())["customFieldId"],
        "watermarkId": _watermark(server),
        "language": "en",
    }


def _choice() -> dict[str, Any]:
    """A custom field of a name that no other has."""
    return {"name": f"field{secrets.token_hex(4)}", "type": "choice", "choices": ["G"]}


def _watermark(server: Server) -> str:
    answer = server.call("POST", "/watermarks", **form("a.png", png()))
    assert answer.status == 200, answer.text
    return str(answer.json()["watermarkId"])


def png() -> bytes:
    """One white pixel (PNG, section 5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0\xff\xff\xff")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def form(filename: str, data: bytes) -> dict[str, Any]:
    """Body and headers of a form with one file, for `Server.call`."""
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode()
    return {"body": head + data + b"\r\n--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}
