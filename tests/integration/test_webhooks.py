"""Webhooks of a real server to a real endpoint: what comes, how it is signed, and that kill -9 loses nothing."""

import base64
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server import ids
from server.protocols import webhook as signatures
from tests.harness.endpoint import DROP, Endpoint, listening
from tests.harness.server import Server, until

README = Path(__file__).parents[2] / "README.md"

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all: it takes a while to start."""
    one = Server(tmp_path_factory.mktemp("webhooks") / "data", {"SLUICE_WEBHOOKS__ALLOW": '["127.0.0.1"]'}).start()
    yield one
    one.stop()


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """Without webhooks."""
    yield running
    for webhook in running.api("GET", "/webhooks")["data"]:
        running.api("DELETE", f"/webhooks/{webhook['webhookId']}")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with listening(Endpoint()) as running:
        yield running


def subscribe(server: Server, endpoint: Endpoint, *events: str, format: str = "native") -> dict[str, Any]:
    body = {"url": endpoint.url, "events": list(events), "format": format}
    made: dict[str, Any] = server.api("POST", "/webhooks", body)
    return made


def receiver_of_the_readme() -> Callable[[bytes, dict[str, str], str], bool]:
    """The example that checks a signature, as the README prints it."""
    found = re.search(r"```python\n(import hashlib\n.*?def is_ours.*?)```", README.read_text(), re.S)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    check: Callable[[bytes, dict[str, str], str], bool] = names["is_ours"]
    return check


def test_events_of_a_video_come_signed(server: Server, endpoint: Endpoint) -> None:
    made = subscribe(server, endpoint, "video.*")
    noted = [{"key": "order", "value": "7"}]

    video = server.api("POST", "/videos", {"title": "A", "metadata": noted})
    server.api("PATCH", f"/videos/{video['videoId']}", {"title": "B"})
    until(lambda: len(endpoint.calls) == 2)

    created, updated = endpoint.calls
    assert [call.json()["type"] for call in endpoint.calls] == ["video.created", "video.updated"]
    assert updated.json()["data"] == {"videoId": video["videoId"], "changed": ["title"], "metadata": noted}
    assert updated.json()["sequence"] == 2
    assert created.headers["X-Api-Video-WebhookID"] == made["webhookId"]
    assert created.headers["X-Api-Video-Signature"] == signatures.of_body(created.body, made["signatureSecret"])
    assert created.headers["Sluice-Event-Id"] == created.json()["id"]
    is_ours = receiver_of_the_readme()
    for secret, holds in ((made["signatureSecret"], True), ("another", False)):
        assert signatures.holds(created.headers["Sluice-Signature"], created.body, secret, int(time.time())) == holds
        assert is_ours(created.body, created.headers, secret) == holds


def test_each_endpoint_has_its_format(server: Server, endpoint: Endpoint) -> None:
    with listening(Endpoint()) as kinescope:
        subscribe(server, endpoint, "*", format="cinema8")
        subscribe(server, kinescope, "media.update.status", format="kinescope")
        video = server.api("POST", "/videos", {"title": "A"})
        until(lambda: kinescope.calls)

    assert kinescope.calls[0].json()["event"] == "media.update.status"
    assert kinescope.calls[0].json()["data"]["status"] == "pending"
    until(lambda: any(call.json()["assetId"] == video["videoId"] for call in endpoint.calls))


def test_a_ping_shows_what_an_endpoint_answers(server: Server, endpoint: Endpoint) -> None:
    made = subscribe(server, endpoint, "video.*")
    path = f"/webhooks/{made['webhookId']}"

    for status, state in ((204, "delivered"), (500, "dead"), (DROP, "dead")):
        endpoint.status = lambda body, status=status: status  # type: ignore[misc]
        ping = server.api("POST", f"{path}/ping")
        shown = until(lambda ping=ping: _ended(server, path, ping["deliveryId"]))
        assert (shown["state"], shown["attempts"]) == (state, 1)
        (attempt,) = shown["log"]
        assert attempt["status"] == (status or None)
        assert ("as told" in attempt["head"]) == (status == 500)
        assert (attempt["error"] is None) == (status != DROP)
    assert re.search(r'sluice_webhook_attempts_total{outcome="failed"} [1-9]', server.get("/metrics").text)


def _ended(server: Server, path: str, delivery_id: str) -> Any:
    shown = server.api("GET", f"{path}/deliveries/{delivery_id}")
    return shown if shown["endedAt"] else None


def test_kill_9_loses_nothing(server: Server, endpoint: Endpoint) -> None:
    subscribe(server, endpoint, "video.updated")
    endpoint.delay_s = lambda: 0.3
    videos = [server.api("POST", "/videos", {"title": "A"})["videoId"] for _ in range(5)]

    for number in range(6):
        for id in videos:
            server.api("PATCH", f"/videos/{id}", {"title": str(number)})
    until(lambda: endpoint.calls)
    server.kill()
    assert len(endpoint.taken) < 30
    server.start()

    until(lambda: len({call.json()["id"] for call in endpoint.taken}) == 30, 60)
    of_these = [
        event["id"] for id in videos
        for event in server.api("GET", f"/events?types[]=video.updated&objectId={id}")["data"]
    ]  # fmt: skip
    assert set(of_these) == {call.json()["id"] for call in endpoint.taken}
    in_order(endpoint)


def in_order(endpoint: Endpoint) -> None:
    """Of each object none was tried before the one before it was taken."""
    newest: dict[str, int] = defaultdict(lambda: 1)  # the first event is that it was created
    for call in endpoint.calls:
        told = call.json()
        assert told["sequence"] <= newest[told["objectId"]] + 1
        if 200 <= call.status < 300:
            newest[told["objectId"]] = max(newest[told["objectId"]], told["sequence"])


def test_no_secret_is_in_an_event_or_in_the_log(server: Server, endpoint: Endpoint) -> None:
    made = subscribe(server, endpoint, "*")
    url = endpoint.url.replace("http://", "http://user:pass-word-of-it@") + "?token=query-of-it"
    other = server.api("POST", "/webhooks", {"url": url, "events": ["*"], "format": "native"})
    live = server.live_stream()
    server.api("POST", f"/live-streams/{live['liveStreamId']}/reset-stream-key")
    token = server.api("POST", "/upload-tokens", {"ttl": 60})["token"]
    server.api("DELETE", f"/upload-tokens/{token}")
    rotated = server.api("POST", f"/webhooks/{made['webhookId']}/rotate-secret", {})

    happened = server.call("GET", "/events?limit=1000")
    names = {event["type"] for event in happened.json()["data"]}
    assert {"upload-token.created", "upload-token.deleted", "webhook.secret.rotated", "live-stream.key.reset"} <= names
    until(lambda: any(call.json()["type"] == "webhook.secret.rotated" for call in endpoint.calls))
    secrets = [made["signatureSecret"], rotated["signatureSecret"], other["signatureSecret"], live["streamKey"]]
    secrets += ["pass-word-of-it", "query-of-it"]
    told = happened.text + "".join(call.body.decode() for call in endpoint.calls) + server.log()
    listed = server.call("GET", "/webhooks").text
    assert not [secret for secret in [*secrets, token] if secret in told.replace(f"/upload-tokens/{token}", "")]
    assert not [secret for secret in secrets[:3] + secrets[4:5] if secret in listed]


def test_kinescope_calls_log_in(server: Server, endpoint: Endpoint) -> None:
    hook = {"name": "x", "endpoint": endpoint.url, "login": "me", "password": "pass word"}
    hook["events"] = ["media.update.status"]  # type: ignore[assignment]
    made = server.api("POST", "/v1/webhooks", hook)["data"]
    assert "pass word" not in str(server.api("GET", "/v1/webhooks")) + str(made)
    video = server.api("POST", "/videos", {"title": "told"})
    (call,) = until(lambda: endpoint.taken)
    assert call.headers["Authorization"] == "Basic " + base64.b64encode(b"me:pass word").decode()
    told = call.json()
    assert (told["event"], told["data"]["status"]) == ("media.update.status", "pending")
    assert told["data"]["id"] == str(ids.to_uuid("vi", video["videoId"]))
    server.api("DELETE", f"/v1/webhooks/{made['id']}")
