"""The dialect as its makers describe it: what their document promises holds for whatever a client sends.

`dialect.json` are the facts of that document: paths, parameters, schemas and statuses, none of its prose. A call made
of it, whether it is meant to be good or bad, never gets a 5xx, gets a status that the document has (or one of
EXCLUDED, which says why it lacks it), and an answer that fits the document's schema. Half of the calls name things
that exist.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from requests import Response
from schemathesis.schemas import APIOperation

from tests.contract.calls import LONG_RUN, UNCOUNTED, try_out
from tests.harness.server import Server

DOCUMENT = Path(__file__).parent / "dialect.json"

pytestmark = [pytest.mark.server, pytest.mark.timeout(0 if LONG_RUN else 600)]

# where the document contradicts itself, or what its makers' service does: (where, what it says, what is meant, why)
AMENDMENTS: Sequence[tuple[str, str, str, str]] = (
    ("pagination-link", '"format": "uri"', '"format": "uri-reference"', "its own examples are paths"),
    ("analytics-aggregated-metrics-response", '"sum"]', '"sum", "peak", "live"]', "the path has them"),
    ("analytics-metrics-breakdown-response", '"browser"]', '"browser", "referrer"]', "the path has it"),
    ("analytics-metrics-breakdown-response", '"play-rate",', '"play-rate", "play-total",', "the path has it"),
    ("video", '"assets": {', '"assets": {"nullable": true, ', "a discarded video has none"),
)


def amended() -> dict[str, Any]:
    """The document; each amendment applies, or has become needless and fails here."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    schemas = document["components"]["schemas"]
    for name, said, meant, _ in AMENDMENTS:
        text = json.dumps(schemas[name])
        assert text.count(said) == 1, (name, said)
        schemas[name] = json.loads(text.replace(said, meant))
    return document


SCHEMA = schemathesis.openapi.from_dict(amended())
OPERATIONS = {result.ok().label: result.ok() for result in SCHEMA.get_all_operations()}

# statuses that the document has for some operations only, though any of their kind can come to it
ANYWHERE: Mapping[int, str] = {
    400: "a body, a form or a query can be bad wherever there is one",
    404: "whatever is named by an id can be missing",
    431: "an address can be too long",
}
EXCLUDED: Mapping[str, Mapping[int, str]] = {
    "POST /upload": {401: "the upload token is a credential, and missing or wrong: its makers' guide says 401"},
}


@pytest.fixture(scope="module")
def known(own_server: Server) -> Mapping[str, str]:
    """One thing of each kind, by the parameter that names it."""
    api = own_server.api
    video = api("POST", "/videos", {"title": "A video", "tags": ["a"], "metadata": [{"key": "k", "value": "v"}]})
    summary = api("POST", "/summaries", {"videoId": video["videoId"]})
    webhook = api("POST", "/webhooks", {"url": "https://hooks.invalid/", "events": ["video.source.recorded"]})
    for kind in ("captions", "chapters"):
        _put_text(own_server, f"/videos/{video['videoId']}/{kind}/en")
    return {
        "videoId": video["videoId"],
        "liveStreamId": own_server.live_stream()["liveStreamId"],
        "playerId": api("POST", "/players", {"name": "A"})["playerId"],
        "uploadToken": api("POST", "/upload-tokens", {})["token"],
        "summaryId": summary["summaryId"],
        "webhookId": webhook["webhookId"],
        "language": "en",
    }


def _put_text(server: Server, path: str) -> None:
    text = "WEBVTT\r\n\r\n00:00.000 --> 00:02.000\r\nHello\r\n"
    form = f'--x\r\nContent-Disposition: form-data; name="file"; filename="a.vtt"\r\n\r\n{text}\r\n--x--\r\n'
    answer = server.call(
        "POST", path, form.encode(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_what_is_promised(own_server: Server, known: Mapping[str, str], label: str) -> None:
    try_out(own_server, known, OPERATIONS[label], _allowed(OPERATIONS[label]), _look)


def _look(response: Response, told: str) -> None:
    assert "x-ratelimit-remaining" in response.headers or response.status_code in UNCOUNTED, told
    if response.content:
        assert response.headers["content-type"] == ["application/json"], told
    else:
        assert "content-type" not in response.headers, told


def _allowed(operation: APIOperation) -> set[int]:
    documented = {int(status) for status in operation.definition.raw["responses"]}
    return documented | set(ANYWHERE) | set(EXCLUDED.get(operation.label, ()))
