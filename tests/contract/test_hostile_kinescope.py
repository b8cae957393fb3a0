"""What no client should send to the Kinescope dialect gets an error of its shape that names what is wrong, never a 5xx.

What is tried out is what `test_hostile_calls` tries with our own operations, and what is the dialect's alone: ids in
paths, pages and orders, and the uploader, whose facts come in headers.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract import test_hostile_calls as ours
from tests.contract import test_kinescope, test_kinescope_document
from tests.contract.test_hostile_calls import BODIES, DATES, FORMS, Hostile, Operation, filled, json_schema
from tests.contract.test_tenants import Tenant
from tests.contract.things import png
from tests.harness.server import UNLIMITED, Answer, Server

pytestmark = pytest.mark.server
OWN_SERVER = UNLIMITED

UNMADE = {"stream_id", "room_id", "participant_id", "avatar_id", "moderator_id"}  # of what is refused (501)
# all operations read bodies, pages and ids in the same way: each is sent these, and a share of the others
EVERYWHERE = {"an array", "bad UTF-8", "half of a pair", "an unknown field"}
SHARES = 8
NOBODY = "11111111-1111-4111-8111-111111111111"

PATH_IDS: list[tuple[str, set[int]]] = [
    ("x", {400}),
    ("%00", {400}),
    ("%FF%FE", {400, 404}),
    ("%ED%A0%80", {400, 404}),  # half of a pair
    ("%2E%2E", {400, 404}),
    ("a%2Fb", {400, 404}),
    ("%0D%0AX-Injected:%201", {400}),
    ("0" * 5000, {400, 404, 414, 431}),
    ("{" + NOBODY + "}", {400}),
    ("urn:uuid:" + NOBODY, {400}),
    (NOBODY + "%0A", {400}),
]
PAGES: Mapping[str, list[str]] = {
    "page": ["0", "-1", "1.5", "1e3", "x", "", "9" * 30, "9" * 5000, "%D9%A3", "%201", "%00"],
    "per_page": ["0", "-1", "101", "1e9", "x", "9" * 30, "%00"],
    "order": ["nonsense", "created_at.up", ",,,,", "a" * 300, "%00", "%FF", "id;drop%20table"],
}


@pytest.fixture(scope="module")
def hostile(own_server: Server) -> Iterator[Hostile]:
    client = Hostile(own_server)
    yield client
    client.close()


@pytest.fixture(scope="module")
def known(own_server: Server) -> Mapping[str, str]:
    return {**test_kinescope_document.made(own_server), **test_kinescope.made(own_server)}


@pytest.fixture(scope="module")
def document(own_server: Server) -> Mapping[str, Any]:
    found: Mapping[str, Any] = own_server.get("/v1/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def operations(document: Mapping[str, Any], known: Mapping[str, str]) -> list[Operation]:
    """But those that are answered 501, whatever is sent."""
    names = {name for path in document["paths"] for name in re.findall(r"{(\w+)}", path)}
    assert names <= known.keys() | UNMADE, "say how one is made"
    return [
        Operation(f"{method.upper()} {path}", method.upper(), filled(path, known), told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if known.keys() >= set(re.findall(r"{(\w+)}", path)) and "501" not in told["responses"]
    ]


def check(answer: Answer, case: str, statuses: set[int], name: str | None = None) -> None:
    """An error of the dialect's shape, of one of the statuses, whose detail names what is wrong."""
    told = f"{case}: {answer.status} {answer.body[:400]!r}"
    assert answer.status in statuses, told
    assert "X-Injected" not in answer.headers, told
    if answer.status < 400 or not answer.body:
        return
    assert answer.headers["Content-Type"] == "application/json", told
    found = answer.json()
    assert set(found) == {"error"}, told
    assert {key: type(value) for key, value in found["error"].items()} == {
        "code": int, "message": str, "detail": str,
    }, told  # fmt: skip
    if name is not None:
        assert re.search(rf"(^|[ .\[]){re.escape(name)}\]?(\[[^\]]*\])*: ", found["error"]["detail"]), told


def test_bodies(hostile: Hostile, operations: list[Operation], subtests: pytest.Subtests) -> None:
    taking = [operation for operation in operations if json_schema(operation) is not None]
    assert len(taking) > 40
    for number, operation in enumerate(taking):
        with subtests.test(operation.label):
            for what, body, statuses in BODIES:
                if number % SHARES and what not in EVERYWHERE:
                    continue
                if what == "an array" and operation.label.endswith("reorder"):
                    continue
                named = "nonsense" if what == "an unknown field" and "reorder" not in operation.path else None
                answer = hostile.call(operation.method, operation.path, body)
                check(answer, f"{operation.label} with {what}", statuses, named)


def test_fields(
    hostile: Hostile, operations: list[Operation], document: Mapping[str, Any], subtests: pytest.Subtests
) -> None:
    for operation in operations:
        properties = ours.resolved(json_schema(operation) or {}, document).get("properties", {})
        with subtests.test(operation.label):
            for name, of_field in properties.items():
                for value in ours.wrong(ours.resolved(of_field, document), document):
                    body = json.dumps({name: value}).encode()
                    answer = hostile.call(operation.method, operation.path, body)
                    check(answer, f"{operation.label} with {body[:200]!r}", {400}, name)


def test_queries(hostile: Hostile, operations: list[Operation], subtests: pytest.Subtests) -> None:
    for number, operation in enumerate(operations):
        asked = {each["name"]: each["schema"] for each in operation.told["parameters"] if each["in"] == "query"}
        with subtests.test(operation.label):
            for name, schema in asked.items():
                values = [quote(each) for each in ours.wrong_text(schema)]
                if name in ("from", "to"):
                    values = [quote(each) for each in DATES if each not in TAKEN]
                if name in PAGES:
                    values = PAGES[name][number % 3 :: 3]
                for value in values:
                    path = f"{operation.path}?{quote(name)}={value}"
                    answer = hostile.call(operation.method, path)
                    check(answer, f"{operation.method} {path[:300]}", {400}, name.removesuffix("[]"))
            for odd in ("nonsense=1", "%ff=%ff", "a[b][c]=1", "%00=1", "=", "&&&")[number % 3 :: 3]:
                answer = hostile.call(operation.method if asked else "GET", f"{operation.path}?{odd}")
                check(answer, f"{operation.path}?{odd}", {200, 400, 404, 405})


def test_ids_in_paths(
    hostile: Hostile, document: Mapping[str, Any], known: Mapping[str, str], subtests: pytest.Subtests
) -> None:
    """Of no kind, of another kind, of nobody; each parameter of each path by itself."""
    for number, (path, methods) in enumerate(document["paths"].items()):
        names = re.findall(r"{(\w+)}", path)
        method, operation = next(iter(methods.items()))
        if not names or "501" in operation["responses"]:
            continue
        with subtests.test(path):
            for name in names:
                foreign = known["video_id" if known[name] != known["video_id"] else "project_id"]
                for id, statuses in [*PATH_IDS[number % 3 :: 3], (NOBODY, {404}), (foreign, {404})]:
                    there = path.replace(f"{{{name}}}", id)
                    answer = hostile.call(method.upper(), filled(there, known), _example(operation))
                    check(answer, f"{method} {path} with {name} {id[:60]}", statuses | {404}, None)


def _example(operation: Mapping[str, Any]) -> bytes | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return json.dumps(content.get("example", {})).encode() if content else None


PART = {"video_id": NOBODY}
# of videos to be joined: (body, statuses, what is named)
JOINED: list[tuple[Any, set[int], str]] = [
    ({"replace": True}, {400}, "append"),
    ({"prepend": [], "append": [], "replace": True}, {400}, "append"),
    ({"append": [PART], "replace": "true"}, {400}, "replace"),
    ({"append": [PART], "replace": None}, {400}, "replace"),
    ({"append": [{"video_id": "{theirs_video}"}], "replace": True}, {404}, "append"),
    ({"prepend": [{"video_id": "{theirs_video}"}], "replace": True}, {404}, "prepend"),
    ({"append": [{"video_id": "{theirs}"}], "replace": True}, {404}, "append"),
    ({"append": [{"video_id": "a\u0000"}], "replace": True}, {400}, "append"),
    ({"append": [{"video_id": "../" * 20}], "replace": True}, {400}, "append"),
    ({"append": [{}], "replace": True}, {400}, "video_id"),
    ({"append": [[]], "replace": True}, {400}, "append"),
    ({"append": {"video_id": NOBODY}, "replace": True}, {400}, "append"),
    ({"append": [PART] * 100, "replace": True}, {400}, "append"),
    ({"prepend": [PART] * 50, "append": [PART] * 50, "replace": True}, {400}, "append"),
    ({"append": [{"video_id": "{video_id}"}], "replace": True}, {409}, "video_id"),  # it has no file
]


def test_what_is_to_be_joined(hostile: Hostile, places: Mapping[str, str], subtests: pytest.Subtests) -> None:
    path = f"/v1/videos/{places['video_id']}/concat"
    for wrong, statuses, name in JOINED:
        body = re.sub(r'"{(\w+)}"', lambda found: json.dumps(places[found[1]]), json.dumps(wrong))
        with subtests.test(body[:200]):
            check(hostile.call("POST", path, body.encode()), body[:200], statuses, name)


TAKEN = {"2026-01-01", "2026-01-01T00:00:00", ""}  # of DATES, where a query asks for days

NUL, BREAK, HALF = "a%00b", "a%0d%0aX-Injected: 1", "%ed%a0%80"
# (header, value, statuses): each is alone wrong
UPLOADS: list[tuple[str, str, set[int]]] = [
    ("X-Parent-ID", "", {400}),
    ("X-Parent-ID", "x", {400}),
    ("X-Parent-ID", NUL, {400}),
    ("X-Parent-ID", "\xff\xfe", {400}),
    ("X-Parent-ID", "{video_id}", {404}),
    ("X-Parent-ID", "{theirs}", {404}),
    ("X-Parent-ID", "0" * 7000, {400}),
    ("X-Video-Title", NUL, {400}),
    ("X-Video-Title", "\xff\xfe", {400}),
    ("X-Video-Title", "a" * 1001, {400}),
    ("X-Video-Title", "%61" * 1001, {400}),
    ("X-Video-Title", "=?utf-8?q?=00?=", {400}),
    ("X-Video-Description", "=?utf-8?b?AA==?=", {400}),
    ("X-Video-Description", NUL, {400}),
    ("X-Video-Description", "\xed\xa0\x80", {400}),
    ("X-File-Name", NUL, {400}),
    ("X-File-Name", "a" * 5000, {400}),
    ("X-Video-Trim", "x", {400}),
    ("X-Video-Trim", "[]", {400}),
    ("X-Video-Trim", '{"start": -1}', {400}),
    ("X-Video-Trim", '{"start": NaN}', {400}),
    ("X-Video-Trim", '{"start": 1e999}', {400}),
    ("X-Video-Trim", '{"start": ' + "9" * 5000 + "}", {400}),
    ("X-Video-Trim", '{"start": "1"}', {400}),
    ("X-Video-Trim", '{"length": 0}', {400}),
    ("X-Video-Trim", '{"end": 1}', {400}),
    ("X-Video-Trim", '{"start":' * 800 + "1" + "}" * 800, {400}),
    ("X-Video-Trim", "\xff", {400}),
    ("X-Video-URL", "x", {400}),
    ("X-Video-URL", "javascript:alert(1)", {400}),
    ("X-Video-URL", "file:///etc/passwd", {400}),
    ("X-Video-URL", "http://", {400}),
    ("X-Video-URL", "http://a b/", {400}),
    ("X-Video-URL", "http://[::1/", {400}),
    ("X-Video-URL", "http://a:99999/", {400}),
    ("X-Video-URL", "http://a/%00" + NUL, {200, 400}),
    ("X-Video-URL", "http://a/\xff", {400}),
    ("X-Video-URL", "http://" + "a" * 5000, {400}),
    ("X-Replace-Video-ID", "x", {400}),
    ("X-Replace-Video-ID", "{project_id}", {404}),
    ("X-Replace-Video-ID", "{theirs_video}", {404}),
    ("X-Replace-Video-ID", "\xff", {400}),
    ("Content-Range", "bytes 5-1/x", {200, 400}),
    ("Content-Encoding", "nonsense", {200, 400, 415}),
]
# texts that look bad and are fine, and what they are
TITLES = [
    ("100%", "100%"), ("%zz", "%zz"), (HALF, HALF), ("%ff", "%ff"), ("=?x?b?=", "=?x?b?="),
    ("=?utf-7?q?+AGE-?=", "=?utf-7?q?+AGE-?="), ("%C3%9Cber", "Über"), ("\xc3\x9cber", "Über"),
    ("=?UTF-8?Q?=C3=9Cber?=", "Über"), ("<script>", "<script>"), ("a%0Ab", "a\nb"), (BREAK, "a\r\nX-Injected: 1"),
    ("%F0%9F%8E%AC", "🎬"), ("${jndi:x}", "${jndi:x}"), ("'; drop table videos; --", "'; drop table videos; --"),
]  # fmt: skip


@pytest.fixture(scope="module")
def places(own_server: Server, known: Mapping[str, str]) -> Mapping[str, str]:
    theirs = test_kinescope.made(Tenant(own_server, "Theirs"))
    return {**known, "theirs": theirs["project_id"], "theirs_video": theirs["video_id"]}


def total(server: Server) -> int:
    return int(server.call("GET", "/v1/videos").json()["meta"]["pagination"]["total"])


def test_headers_of_the_uploader(
    own_server: Server, hostile: Hostile, places: Mapping[str, str], subtests: pytest.Subtests
) -> None:
    """What is refused makes nothing."""
    for name, value, statuses in UPLOADS:
        with subtests.test(f"{name}: {value[:40]!r}"):
            before = total(own_server)
            value = places.get(value.strip("{}"), value)
            sent = {"X-Parent-ID": places["project_id"], "X-Video-Title": "t", name: value}
            answer = hostile.call("POST", "/v2/video", b"12345", sent)
            named = name if name.startswith("X-") else None
            check(answer, f"{name}: {value[:60]!r}", statuses, named if answer.status >= 400 else None)
            assert total(own_server) == before + (answer.status == 200)


def test_titles_in_headers(hostile: Hostile, places: Mapping[str, str], subtests: pytest.Subtests) -> None:
    place = {"X-Parent-ID": places["project_id"], "X-Video-URL": "http://nowhere.invalid/a.mp4"}
    for value, title in TITLES:
        with subtests.test(value):
            sent = {**place, "X-Video-Title": value, "X-Video-Description": value}
            answer = hostile.call("POST", "/v2/video", None, sent)
            check(answer, value, {200})
            assert (answer.json()["data"]["title"], answer.json()["data"]["description"]) == (title, title)


@pytest.mark.parametrize("path", ["/v2/poster", "/additional-material"])
def test_headers_of_what_goes_with_a_video(
    hostile: Hostile, places: Mapping[str, str], path: str, subtests: pytest.Subtests
) -> None:
    body = png() if path == "/v2/poster" else b"text"
    video = places["video_id"]
    for id, statuses in [
        ("", {400}), ("x", {400}), (NUL, {400}), ("\xff", {400}), (places["project_id"], {404}), (NOBODY, {404}),
        (places["theirs_video"], {404}), ("a" * 7000, {400}),
    ]:  # fmt: skip
        with subtests.test(id[:40]):
            check(hostile.call("POST", path, body, {"X-Video-ID": id}), id[:40], statuses, "X-Video-ID")
    if path == "/additional-material":
        long = "a" * 5000
        for name, value in [("X-File-Name", NUL), ("X-File-Name", long), ("X-Title", long), ("X-Title", NUL)]:
            answer = hostile.call("POST", path, body, {"X-Video-ID": video, name: value})
            check(answer, f"{name}: {value[:40]}", {400}, name)
        sent = {"X-Video-ID": video, "X-File-Name": "..%2F..%2Fetc%2F" + BREAK, "Content-Type": "text/html\t;\xff"}
        made = hostile.call("POST", path, body, sent)
        check(made, "a name of many lines", {200})
        link = hostile.call("GET", f"/v1/additional-materials/{made.json()['data']['id']}/link").json()["data"]["link"]
        file = hostile.call("GET", link[link.index("/", 8) :])
        assert (file.status, file.body) == (200, b"text")
        assert "X-Injected" not in file.headers
        assert file.headers["Content-Disposition"].startswith("attachment")
    for body in (b"", b"no picture"):
        answer = hostile.call("POST", path, body, {"X-Video-ID": video})
        check(answer, repr(body), {400} if path == "/v2/poster" or not body else {200})


TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
ENDPOINTS: list[tuple[str, Mapping[str, str], set[int]]] = [
    ("PATCH", {**BYTES}, {400}),
    ("PATCH", {**BYTES, "Upload-Offset": "-1"}, {400}),
    ("PATCH", {**BYTES, "Upload-Offset": "x"}, {400}),
    ("PATCH", {**BYTES, "Upload-Offset": "9" * 30}, {400}),
    ("PATCH", {**BYTES, "Upload-Offset": "7"}, {409}),
    ("PATCH", {**BYTES, "Upload-Offset": "0, 0"}, {400}),
    ("PATCH", {**BYTES, "Upload-Offset": "0", "Upload-Length": "1"}, {400, 409, 413}),
    ("PATCH", {**BYTES, "Upload-Offset": "0", "Upload-Length": "-5"}, {400}),
    ("PATCH", {**BYTES, "Upload-Offset": "0", "Upload-Checksum": "md5 x"}, {400}),
    ("PATCH", {**BYTES, "Upload-Offset": "0", "Upload-Checksum": "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="}, {460}),
    ("PATCH", {**TUS, "Upload-Offset": "0", "Content-Type": "video/mp4"}, {415}),
    ("PATCH", {**BYTES, "Upload-Offset": "0", "Tus-Resumable": "9.9.9"}, {412}),
    ("PATCH", {"Upload-Offset": "0"}, {412}),
    ("POST", {**TUS, "Upload-Length": "9" * 18}, {400, 409, 413}),
    ("POST", {**TUS, "Upload-Length": "\xff"}, {400}),
    ("POST", {**TUS, "Upload-Length": "5", "Upload-Defer-Length": "1"}, {400}),
    ("POST", {**TUS, "Upload-Defer-Length": "2"}, {400}),
    ("POST", {**TUS, "Upload-Length": "4"}, {400}),
    ("POST", {**TUS, "Upload-Length": "5", "Upload-Metadata": "title %%%"}, {400}),
    ("POST", {**TUS, "Upload-Concat": "final;/tus/x"}, {400}),
    ("POST", {**TUS, "Upload-Concat": "partial", "Upload-Length": "5"}, {400}),
    ("POST", {**TUS, "X-HTTP-Method-Override": "NONSENSE"}, {405}),
    ("PUT", {**TUS}, {405}),
    ("GET", {}, {405, 412}),
]


def test_addresses_that_take_a_file(hostile: Hostile, places: Mapping[str, str], subtests: pytest.Subtests) -> None:
    """None of it moves what is there; then the file is taken."""
    order = {"type": "video", "title": "A", "parent_id": places["project_id"], "filesize": 5}
    path = hostile.call("POST", "/v2/init", json.dumps(order).encode()).json()["data"]["endpoint"]
    path = path[path.index("/v2/") :]
    for method, sent, statuses in ENDPOINTS:
        with subtests.test(f"{method} {sent}"):
            body = b"12345" if method == "PATCH" else None
            answer = hostile.call(method, path, body, {"Authorization": "", **sent})
            check(answer, f"{method} {sent}", statuses)
            now = hostile.call("HEAD", path, None, {**TUS, "Authorization": ""})
            assert (now.status, now.headers["Upload-Offset"], now.headers["Upload-Length"]) == (200, "0", "5")
    for wrong in (path[:-1] + "!", path[:-3], path + "/x", path.rpartition("/")[0] + "/%00", path + "%FF"):
        answer = hostile.call("POST", wrong, b"12345", {"Authorization": ""})
        check(answer, wrong, {404})
    taken = hostile.call("PATCH", path, b"12345", {**BYTES, "Upload-Offset": "0", "Authorization": ""})
    assert (taken.status, taken.headers["Upload-Offset"]) == (204, "5")


def test_forms(hostile: Hostile, operations: list[Operation], subtests: pytest.Subtests) -> None:
    of_each = [(each, each.told.get("requestBody", {}).get("content", {})) for each in operations]
    taking = [(each, content) for each, content in of_each if "multipart/form-data" in content]
    assert len(taking) >= 3
    for operation, content in taking:
        raw = {"image/*", "application/octet-stream"} & content.keys()
        with subtests.test(operation.label):
            for what, headers, body, statuses in FORMS:
                if raw and "multipart" not in headers.get("Content-Type", ""):
                    continue
                answer = hostile.call(operation.method, operation.path, body, headers)
                check(answer, f"{operation.label} with {what}", statuses)


@pytest.mark.parametrize("date", DATES)
def test_dates(hostile: Hostile, known: Mapping[str, str], date: str) -> None:
    """In bodies; what is empty may stand for what is left out."""
    for method, path, body, name in [
        ("POST", "/v2/live/events", {"name": "x", "scheduled": {"time": date}}, "time"),
        ("POST", "/v1/file-requests", {"title": "x", "expired_at": date}, "expired_at"),
        ("PUT", f"/v2/live/events/{known['event_id']}/stream", {"started_at": date}, "started_at"),
    ]:  # fmt: skip
        answer = hostile.call(method, path, json.dumps(body).encode())
        check(answer, f"{path} with {date}", {400}, name)


def test_nothing_of_it_was_a_failure_of_ours(own_server: Server, hostile: Hostile) -> None:
    """The log knows; and the server still answers."""
    assert hostile.call("GET", "/v1/videos").status == 200
    assert "request failed" not in own_server.log()
    assert "Traceback" not in own_server.log()
