"""The Kinescope dialect as its makers describe it, and as our own document of it does.

`kinescope.json` are the facts of their collection: paths, queries, examples of bodies, schemas of answers as they were
made of examples, none of its prose. Every operation in it is answered; what we answer fits its schema; and no call made
of our document, good or bad, gets a 5xx, a status that the document lacks, or an error of another shape.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from jsonschema import Draft202012Validator
from requests import Response
from schemathesis.schemas import APIOperation

from server import ids
from tests.contract.calls import LONG_RUN, try_out
from tests.contract.test_tenants import Tenant, told
from tests.contract.things import form
from tests.harness.server import Server

FACTS: Mapping[str, Mapping[str, Any]] = json.loads((Path(__file__).parent / "kinescope.json").read_text())
EXAMPLES = 5 if LONG_RUN else 1  # there are a hundred operations
CAPTIONS = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"

pytestmark = [pytest.mark.server, pytest.mark.timeout(600 if not LONG_RUN else 0)]

# of schemas that were made of one example: (where, what is to be changed, why)
NULLS = {
    "player_id": "a video need not have a player",
    "poster": "a video need not have a poster; lists show it, too",
    "additional_materials": "a list of them, or none",
    "file_size": "of a quality it is not known",
    "updated_at": "what was not changed",
}
OTHERS = {"storage_id", "short_id"}  # names of their storage's own, and of ids that they gave once
LISTS = {"GET /v1/videos/{video_id}/subtitles", "PATCH /v1/videos/{video_id}/subtitles/reorder"}  # say one, give all


def data(caller: Any, method: str, path: str, body: Any = None, **more: Any) -> Any:
    answer = caller.call(method, path, body, **more)
    assert answer.status == 200, f"{method} {path}: {answer.status} {answer.text}"
    return answer.json()["data"]


def made(caller: Any) -> dict[str, str]:
    """One thing of each kind, by the path parameter that names it."""
    project = data(caller, "POST", "/v1/projects", {"name": "P"})["id"]
    folder = data(caller, "POST", f"/v1/projects/{project}/folders", {"name": "F"})["id"]
    video = data(caller, "POST", "/v2/init", {"type": "video", "title": "V", "parent_id": folder})["id"]
    path = f"/v1/videos/{video}"
    text = form("a.vtt", CAPTIONS)
    text["body"] = (
        b'--b\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n' + text["body"]  # type: ignore[operator]
    )
    link = {"title": "A", "link": "https://example.com", "start_time": 0, "end_time": 1}
    headers = {"X-Video-ID": video, "X-File-Name": "a.txt"}
    return {
        "project_id": project,
        "folder_id": folder,
        "video_id": video,
        "media_id": video,
        "subtitle_id": data(caller, "POST", f"{path}/subtitles", **text)["id"],
        "annotation_id": data(caller, "POST", f"{path}/annotations", link)["id"],
        "poster_id": data(caller, "POST", f"{path}/posters", {"from_time": 1.0})["id"],
        "material_id": data(caller, "POST", "/additional-material", b"text", headers=headers)["id"],
    }


@pytest.fixture(scope="module")
def known(own_server: Server) -> dict[str, str]:
    return made(own_server)


@cache
def shape(path: str) -> str:
    return re.sub(r"\{\w+\}|\(\.json\|\.csv\|\.txt\)", "{}", path)


def test_every_operation_of_theirs_is_there(own_server: Server) -> None:
    document = own_server.get("/v1/openapi.json").json()
    served = {f"{method.upper()} {shape(path)}" for path, methods in document["paths"].items() for method in methods}

    missing = {label for label in FACTS if re.sub(r"\{[^}]*\}$", "{}", shape(label)) not in served}

    assert {label for label in missing if "/chat" not in label} == set()


def amended(schema: Any, name: str = "") -> Any:
    """With null where it is said in the manner of OpenAPI 3.0 or by NULLS; the orders of a list are its caller's."""
    if isinstance(schema, list):
        return [amended(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: amended(each, key) for key, each in schema.items() if key != "nullable"}
    if isinstance(schema.get("properties"), dict):
        found["properties"] = {key: amended(each, key) for key, each in schema["properties"].items()}
    if name == "order":
        found.pop("required", None)
    if isinstance(found.get("required"), list):
        found["required"] = [each for each in found["required"] if each not in OTHERS]
    if name == "tags":
        return {"type": "array", "items": {"type": "string"}}
    if name in ("poster", "additional_materials") and schema.get("type") == "string":
        return {}
    if "type" in schema and (schema.get("nullable") or name in NULLS):
        return {"anyOf": [found, {"type": "null"}]}
    return found


CHECKED = sorted(
    label for label, fact in FACTS.items()
    if "answer" in fact and label not in LISTS and re.search("videos|projects|additional", label)
    and not re.search("analytics|/copy|POST .*/subtitles", label)
)  # fmt: skip


@pytest.mark.parametrize("label", CHECKED)
def test_answers_fit_their_schemas(own_server: Server, known: dict[str, str], label: str) -> None:
    method, path = label.split(" ")
    fresh = made(own_server) if method == "DELETE" else known
    body = filled(FACTS[label].get("body"), fresh)
    answer = own_server.call(method, path.format(**fresh), body)

    assert answer.status == 200, answer.text
    validator = Draft202012Validator(amended(FACTS[label]["answer"]))
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer.json())] == []


def filled(body: Any, known: Mapping[str, str]) -> Any:
    """An example with ids of things that there are."""
    if isinstance(body, list):
        return [known["material_id"]]
    if not isinstance(body, dict):
        return body
    known = {**known, "parent_id": known["folder_id"]}
    return {key: known.get(key, value) if isinstance(value, str) else value for key, value in body.items()}


def operations(server: Server) -> dict[str, APIOperation]:
    schema = schemathesis.openapi.from_dict(server.get("/v1/openapi.json").json())
    return {result.ok().label: result.ok() for result in schema.get_all_operations()}


def look(response: Response, words: str) -> None:
    assert response.status_code < 500 or response.status_code == 501, words
    if response.status_code >= 400 and response.content:
        assert set(response.json()) == {"error"}, words
        assert set(response.json()["error"]) == {"code", "message", "detail"}, words


def test_what_is_promised(own_server: Server, known: dict[str, str], subtests: Any) -> None:
    for label, operation in operations(own_server).items():
        with subtests.test(label):
            documented = {int(status) for status in operation.definition.raw["responses"]}
            try_out(own_server, known, operation, documented | {400, 404, 431}, look, EXAMPLES)


def test_what_others_have_looks_like_what_is_not_there(own_server: Server) -> None:
    mine, theirs = Tenant(own_server, "Mine"), made(Tenant(own_server, "Theirs"))
    document = own_server.get("/v1/openapi.json").json()
    absent = {name: str(ids.to_uuid("", ids.new("")[-22:])) for name in theirs}
    tried = 0
    for path, methods in document["paths"].items():
        names = re.findall(r"{(\w+)}", path)
        if not names or not set(names) <= theirs.keys():
            continue
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = content.get("example", {}) if content else None
            foreign, missing = (told(mine.call(method.upper(), path.format(**each), body)) for each in (theirs, absent))
            assert foreign == missing, f"{method} {path}"
            if foreign[0] != 501:
                assert foreign[0] == 404, f"{method} {path}: {foreign}"
            tried += 1
    assert tried > 25


