"""One thing of each kind that the API makes, for tests that go over all of its operations."""

from collections.abc import Mapping

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
        "summaryId": api("POST", "/summaries", {"videoId": video["videoId"]})["summaryId"],
        "webhookId": webhook,
        "deliveryId": api("POST", f"/webhooks/{webhook}/ping", {})["deliveryId"],
        "apiKeyId": api("POST", "/api-keys", {"name": "other", "scopes": ["videos:read"]})["apiKeyId"],
        "projectId": api("POST", "/projects", {"name": "Other"})["projectId"],
        "playbackId": api("POST", f"/videos/{video['videoId']}/playback-ids", {"policy": "public"})["playbackId"],
        "restrictionId": api("POST", "/playback-restrictions", {"name": "A"})["restrictionId"],
        "signingKeyId": api("POST", "/signing-keys", {"algorithm": "ES256"})["signingKeyId"],
        "language": "en",
    }


def form(filename: str, data: bytes) -> dict[str, object]:
    """Body and headers of a form with one file, for `Server.call`."""
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode()
    return {"body": head + data + b"\r\n--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}
