"""The Kinescope dialect as its document has it.

`kinescope_openapi.json` are the facts of that document: paths, parameters, schemas, statuses and examples of
bodies, none of its prose. Each of its operations is served, or refused with a sentence under 501; what the README says
of these is what the table has. A call made of the document gets a status that it has (or one of ANYWHERE) and an answer
that fits its schema; what is wrong with a call is told in its shape. Half of the calls name things that exist.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from requests import Response

from server import ids
from server.web.kinescope.absent import TABLE
from server.web.kinescope.resources import declared
from tests.contract.calls import LONG_RUN, try_out
from tests.harness.server import OWNER_KEY, UNLIMITED, Server

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parent / "kinescope_openapi.json").read_text())
README = (Path(__file__).parents[2] / "README.md").read_text()
EXAMPLES = 5 if LONG_RUN else 1  # of good calls, and half as many bad ones, one at least
CHAT = "(.json|.csv|.txt)"  # how the document writes three paths

pytestmark = [pytest.mark.server, pytest.mark.timeout(0 if LONG_RUN else 600)]
OWN_SERVER = UNLIMITED

SERVED = {f"{one.method} {one.path}": one for one in declared()}
ABSENT = {f"{method} {path}" for rows in TABLE.values() for method, path, _ in rows}
# resources whose calls are tried out here
RESOURCES = (
    "access-tokens", "analytics", "avatar", "billing", "cdn", "dictionaries", "drm", "file-requests", "live",
    "moderators", "players", "playlists", "privacy-domains", "speak", "tags", "webhooks",
)  # fmt: skip

# statuses that the document does not have, though any operation can come to them
ANYWHERE: Mapping[int, str] = {
    400: "it has them all, but for one or two",
    404: "whatever is named by an id can be missing",
    405: "a path may be read as another's",
    413: "bodies have limits",
    431: "an address can be too long",
}

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {
    result.ok().label: result.ok()
    for result in SCHEMA.get_all_operations()
    if any(f"/{name}" in result.ok().path for name in RESOURCES) and CHAT not in result.ok().path
}


def documented() -> list[str]:
    """Each operation, with its paths written out."""
    return [
        f"{method.upper()} {path.replace(CHAT, ending)}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        for ending in (("", ".json", ".csv", ".txt") if CHAT in path else ("",))
    ]


def test_every_operation_is_served_or_refused() -> None:
    shapes = {re.sub(r"{\w+}", "{}", name): name for name in SERVED}
    missing = [name for name in documented() if re.sub(r"{\w+}", "{}", name) not in shapes]
    assert missing == []
    assert set(documented()) >= ABSENT
    for name in documented():
        operation = SERVED[shapes[re.sub(r"{\w+}", "{}", name)]]
        assert ("not-implemented" in operation.errors) == (name in ABSENT), name


def test_the_readme_lists_what_is_refused() -> None:
    section = README.partition("\n### Kinescope\n")[2].partition("\n### ")[0]
    for sentence, rows in TABLE.items():
        assert sentence in section
        for method, path, _ in rows:
            name = f"`{method} {path}`"
            assert name in section or f"`{path}`" in section, name


def _made(server: Server, path: str, body: Any) -> str:
    answer = server.call("POST", path, body)
    assert answer.status == 200, answer.text
    return str(answer.json()["data"]["id"])


@pytest.fixture(scope="module")
def known(own_server: Server) -> Mapping[str, str]:
    return made(own_server)


def made(own_server: Server) -> Mapping[str, str]:
    """One thing of each kind, by the parameter that names it."""
    video = str(ids.to_uuid("vi", own_server.api("POST", "/videos", {"title": "A video", "tags": ["a"]})["videoId"]))
    event = _made(own_server, "/v2/live/events", {"name": "An event"})
    target = {"name": "x", "url": "rtmp://127.0.0.1/x", "key": "k"}
    hook = {"name": "x", "endpoint": "https://hooks.invalid/", "events": ["media.update.status"]}
    scope = {"api": {"permissions": ["read"]}}
    project = _made(own_server, "/v1/projects", {"name": "P"})
    answer = own_server.call("PUT", f"/v1/drm/auth/{project}", {"url": "https://keys.invalid/"})
    assert answer.status == 200
    return {
        "project_id": project,
        "playlist_id": _made(own_server, "/v1/playlists", {"name": "P", "entity_ids": [video]}),
        "media_id": video,
        "tag_id": _made(own_server, "/v1/tags", {"tag": "t"}),
        "domain_id": _made(own_server, "/v1/privacy-domains", {"domain": "a.example"}),
        "player_id": _made(own_server, "/v1/players", {"name": "P"}),
        "token_id": _made(own_server, "/v1/access-tokens", {"name": "T", "scope": scope}),
        "file_request_id": _made(own_server, "/v1/file-requests", {"title": "R"}),
        "webhook_id": _made(own_server, "/v1/webhooks", hook),
        "zone_id": _made(own_server, "/v1/cdn/zones", {"name": "Z", "host": "edge.invalid"}),
        "event_id": event,
        "restream_id": _made(own_server, f"/v2/live/events/{event}/restreams", target),
    }


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_what_is_promised(own_server: Server, known: Mapping[str, str], label: str) -> None:
    operation = OPERATIONS[label]
    _method, _, path = label.partition(" ")
    absent = re.sub(r"{\w+}", "{}", label) in {re.sub(r"{\w+}", "{}", each) for each in ABSENT}
    statuses = {int(status) for status in operation.definition.raw["responses"]}
    allowed = {501, 400, 404, 405} if absent else statuses | set(ANYWHERE)

    def look(response: Response, told: str) -> None:
        assert response.headers["content-type"] == ["application/json"], told
        body = response.json()
        if response.status_code >= 400 and path.startswith(("/v1", "/v2")):
            assert set(body) == {"error"}, told
            assert {"code", "message", "detail"} == set(body["error"]), told
        else:
            assert "data" in body, told

    try_out(own_server, known, operation, allowed, look, EXAMPLES)


def test_examples_of_bodies_are_taken(own_server: Server, known: Mapping[str, str]) -> None:
    """As the document prints them; places and videos that they name are not there, which is all that is wrong."""
    for label, operation in sorted(OPERATIONS.items()):
        content = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in content or label in ABSENT or label.startswith("DELETE"):
            continue
        path = re.sub(r"{(\w+)}", lambda found: known[found[1]], label.partition(" ")[2])
        answer = own_server.call(label.partition(" ")[0], path, content["example"])
        if answer.status != 200:
            error = answer.json()["error"]
            if error["code"] == 400201 and label.startswith("PUT"):
                continue  # the example of making one has taken the name
            assert error["code"] in (404404, 400301), f"{label} {answer.text}"
            assert "_id" in error["detail"] or "[id]" in error["detail"], f"{label} {answer.text}"


def test_the_webhook_of_the_guide(own_server: Server) -> None:
    """The line of curl as it is printed, with another host."""
    body = b'{\n"name": "encoding-done",\n"endpoint": "https://yourapp.com/kinescope/webhook",\n'
    body += b'"events": ["media.update.status"]\n}'
    head = {"Authorization": f"Bearer {OWNER_KEY}", "Content-Type": "application/json"}
    answer = own_server.call("POST", "/v1/webhooks", body, headers=head)
    assert answer.status == 200, answer.text
    assert answer.json()["data"]["endpoint"] == "https://yourapp.com/kinescope/webhook"


def test_tenants_see_nothing_of_each_other(own_server: Server, known: Mapping[str, str]) -> None:
    """What another tenant has looks exactly like what is not there."""
    project = own_server.api("POST", "/projects", {"name": "Another"})["projectId"]
    key = own_server.api("POST", "/api-keys", {"name": "x", "scopes": ["*"], "projectId": project})["secret"]
    nobody = "11111111-1111-4111-8111-111111111111"
    for label, operation in sorted(OPERATIONS.items()):
        method, _, path = label.partition(" ")
        if "{" not in path or label in ABSENT:
            continue
        content = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
        there = re.sub(r"{(\w+)}", lambda found: known[found[1]], path)
        theirs = own_server.call(method, there, content.get("example"), key=key)
        absent = own_server.call(method, re.sub(r"{\w+}", nobody, path), content.get("example"), key=key)
        assert (theirs.status, theirs.body) == (absent.status, absent.body), label
        assert theirs.status in (400, 404), f"{label} {theirs.text}"
    for path in ("v1/playlists", "v1/privacy-domains", "v1/players", "v1/webhooks", "v1/cdn/zones", "v2/live/events"):
        assert own_server.call("GET", f"/{path}", key=key).json()["data"] == [], path
