"""What holds for each operation that changes something: made once under a key, and written down."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.contract.things import form, png, things
from tests.harness.server import Answer, Server

pytestmark = pytest.mark.server

# POSTs that take no Idempotency-Key: what makes nothing and may be given again; files, which go on in ways of their own
COMMANDS = {
    "/auth/api-key", "/auth/refresh", "/oauth/token", "/oauth/revoke",
    "/jobs/{jobId}/cancel", "/jobs/{jobId}/redrive",
    "/live-streams/{liveStreamId}/reset-stream-key", "/live-streams/{liveStreamId}/reset-backup-stream-key",
    "/live-streams/{liveStreamId}/recording/start", "/live-streams/{liveStreamId}/recording/stop",
    "/webhooks/{webhookId}/enable", "/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver",
}  # fmt: skip
# operations that only media or a person make succeed: they are tried where they are tested
ELSEWHERE = {
    "POST /jobs/{jobId}/cancel", "POST /jobs/{jobId}/redrive", "POST /videos/concat", "POST /videos/import",
    "POST /videos/{videoId}/archive", "POST /videos/{videoId}/clips", "POST /videos/{videoId}/remake",
    "PUT /videos/{videoId}/source", "PUT /videos/{videoId}/trim", "DELETE /videos/{videoId}/trim",
    "POST /live-streams/{liveStreamId}/clips", "POST /live-streams/{liveStreamId}/recording/start",
    "POST /live-streams/{liveStreamId}/recording/stop", "POST /live-streams/{liveStreamId}/rehearsal",
    "DELETE /live-streams/{liveStreamId}/rehearsal", "POST /live-streams/{liveStreamId}/slate",
    "PUT /live-streams/{liveStreamId}/restreams/{restreamId}/start",
    "PUT /live-streams/{liveStreamId}/restreams/{restreamId}/stop", "PATCH /videos/{videoId}/thumbnail",
    "POST /upload", "POST /players/{playerId}/logo", "POST /videos/{videoId}/thumbnail",
    "PATCH /discarded/videos/{videoId}", "POST /summaries",
    "POST /custom-fields", "DELETE /oauth/grants/{grantId}",
    "POST /oauth/apps/{appId}/rotate", "DELETE /players/{playerId}/logo",
}  # fmt: skip
# writes nothing down: see web/typed.UNAUDITED
UNAUDITED = {
    "/auth/api-key", "/auth/refresh", "/oauth/token", "/oauth/revoke",
    "/videos/{videoId}/tokens", "/live-streams/{liveStreamId}/tokens",
    "/playback-ids/{playbackId}/tokens",
}  # fmt: skip
FILES = {"captions": ("a.vtt", b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"), "": ("a.png", png())}


class Change(NamedTuple):
    """An operation, ready to be called."""

    label: str
    method: str
    path: str  # of the document
    told: Mapping[str, Any]

    @property
    def takes_key(self) -> bool:
        return any(each["name"] == "Idempotency-Key" for each in self.told["parameters"])


@pytest.fixture(scope="module")
def changes(own_server: Server) -> list[Change]:
    paths = own_server.get("/openapi.json").json()["paths"]
    return [
        Change(f"{method.upper()} {path}", method.upper(), path, told)
        for path, methods in paths.items()
        for method, told in methods.items()
        if method != "get"
    ]


def made(server: Server, change: Change, known: Mapping[str, str], headers: Mapping[str, str], mark: str) -> Answer:
    """The call with the document's example, about things that there are; `mark` makes it another call."""
    path = re.sub(r"{(\w+)}", lambda found: known[found[1]], change.path)
    content = change.told.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        file = FILES["captions" if "captions" in path or "chapters" in path else ""]
        sent = form(*file)
        return server.call(change.method, path, sent["body"], headers={**sent["headers"], **headers})
    body = content.get("application/json", {}).get("example")
    body = _about(body, known) if body is not None else None
    if mark and isinstance(body, dict):
        body |= {"nonsense": mark}
    return server.call(change.method, path, body, headers=headers)


def _about(value: Any, known: Mapping[str, str], name: str = "") -> Any:
    """The example with ids of things that there are."""
    if isinstance(value, dict):
        return {key: _about(each, known, key) for key, each in value.items() if key not in ("source", "watermark")}
    if isinstance(value, list):
        return [_about(each, known, "videoId" if name == "videos" else name) for each in value]
    return known.get({"parentId": "folderId"}.get(name, name), value) if isinstance(value, str) else value


def test_posts_that_take_no_key_are_known(changes: list[Change]) -> None:
    """Everything else that is made by a POST can be asked for again."""
    keyless = {each.path for each in changes if each.method == "POST" and not each.takes_key}
    files = {each.path for each in changes if "multipart/form-data" in str(each.told.get("requestBody"))}

    assert keyless - files == COMMANDS


def test_what_is_made_under_a_key_is_made_once(
    own_server: Server, changes: list[Change], subtests: pytest.Subtests
) -> None:
    known = things(own_server)
    for change in changes:
        if not change.takes_key or change.label in ELSEWHERE:
            continue
        with subtests.test(change.label):
            headers = {"Idempotency-Key": f"key of {change.label}".replace(" ", "-")}
            first = made(own_server, change, known, headers, "")
            assert first.status < 300, f"{change.label}: {first.status} {first.text}"
            assert "Idempotent-Replayed" not in first.headers
            audited = audit(own_server)

            again = made(own_server, change, known, headers, "")
            assert (again.status, again.body) == (first.status, first.body)
            assert again.headers["Idempotent-Replayed"] == "true"
            assert audit(own_server) == audited, "what is answered again has no effect"

            other = made(own_server, change, known, headers, "another")
            assert other.status == (409 if change.told.get("requestBody") else 201), other.text


def test_each_change_is_written_down(own_server: Server, changes: list[Change], subtests: pytest.Subtests) -> None:
    """Deletions last."""
    known = things(own_server)
    for change in sorted(changes, key=_order):
        if change.label in ELSEWHERE or change.path in UNAUDITED:
            continue
        with subtests.test(change.label):
            answer = made(own_server, change, {**known, "tokenId": "a"}, {}, "")
            assert answer.status < 300, f"{change.label}: {answer.status} {answer.text}"
            found = [each for each in audit(own_server) if each["requestId"] == answer.headers["X-Request-ID"]]
            assert found, "no audit entry"
            assert {each["operation"] for each in found} == {change.told["operationId"]}
            assert {each["actor"]["type"] for each in found} == {"api-key"}
            if change.path.endswith("/rotate"):
                assert all(each["action"] != "called" for each in found)


def _order(change: Change) -> tuple[bool, bool, int]:
    """What belongs to a video before the video."""
    return change.method == "DELETE", change.path == "/videos/{videoId}", -change.path.count("/")


def audit(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api("GET", "/audit?pageSize=20")["data"]
    return found
