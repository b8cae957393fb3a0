"""What no client should send gets a problem that says what is wrong with it, on every operation, and never a 5xx.

The document tells what there is to get wrong: bodies, fields, parameters. What names a field is answered with a problem
that names it too.
"""

import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from tests.contract.things import things
from tests.harness.server import OWNER_KEY, UNLIMITED, Answer, Server

pytestmark = pytest.mark.server
OWN_SERVER = UNLIMITED

KEY = "Bearer " + OWNER_KEY
BODY_BYTES = 256 * 1024
WORDS = {"tokenId": "a", "metric": "play", "aggregation": "count", "breakdown": "country"}
UNMADE = {"sessionId", "importId", "jobId", "grantId"}  # queries of them are looked at once they are found

# (what it is, the bytes of a JSON body, the statuses it may get)
BODIES: list[tuple[str, bytes, set[int]]] = [
    ("an array", b"[]", {400}),
    ("a string", b'"text"', {400}),
    ("a number", b"1", {400}),
    ("null", b"null", {400}),
    ("half of it", b'{"title": "a', {400}),
    ("two of them", b"{}{}", {400}),
    ("another language", b"<title>a</title>", {400}),
    ("bad UTF-8", b'{"nonsense": "\xff\xfe"}', {400}),
    ("UTF-16", '{"nonsense": 1}'.encode("utf-16"), {400}),
    ("half of a pair", b'{"nonsense": "\\ud800"}', {400}),
    ("NUL", b'{"nonsense\\u0000": 1}', {400}),
    ("deep", b'{"nonsense":' * 20_000 + b"1" + b"}" * 20_000, {400}),
    ("deep arrays", b'{"nonsense":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {400}),
    ("no numbers", b'{"nonsense": NaN}', {400}),
    ("a long number", b'{"nonsense": ' + b"9" * 5000 + b"}", {400}),
    ("many keys", json.dumps({f"nonsense{number}": 1 for number in range(5000)}).encode(), {400}),
    ("too long", b'{"nonsense": "' + b"a" * BODY_BYTES + b'"}', {413}),
    ("an unknown field", b'{"nonsense": 1}', {400}),
]
WRONG: Mapping[str, list[Any]] = {
    "string": [1, {}, "a\x00b"],
    "integer": ["x", 1.5, "1", True, 10**30],
    "number": ["x", [], True],
    "boolean": ["true", 1],
    "array": ["x", {}],
    "object": ["x", []],
}
DATES = [
    "yesterday", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "0000-00-00T00:00:00Z",
    "10000-01-01T00:00:00Z", "", "1e9",
]  # fmt: skip
QUERY: Mapping[str, list[str]] = {
    "integer": ["x", "-1", "1e3", "1.5", "٣", " 1", "9" * 400, "\x00"],
    "string": ["a\x00b", "\x00"],
    "boolean": ["maybe"],
}

HEADERS: list[tuple[str, Mapping[str, str], set[int]]] = [
    ("no credentials", {"Authorization": ""}, {401}),
    ("no base64", {"Authorization": "Basic %%%"}, {401}),
    ("no colon", {"Authorization": "Basic YWJj"}, {401}),
    ("bytes that are no text", {"Authorization": "Basic //79/A=="}, {401}),
    ("NUL in a key", {"Authorization": "Basic AGEAOg=="}, {401}),
    ("another scheme", {"Authorization": "Digest username=a"}, {401}),
    ("no token", {"Authorization": "Bearer"}, {401}),
    ("a bad token", {"Authorization": "Bearer a.b.c"}, {401}),
    ("a token without algorithm", {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, {401}),
    ("a long key", {"Authorization": "Bearer " + "a" * 7000}, {401}),
    ("a key of other letters", {"Authorization": "Bearer \xff\xfe"}, {401}),
    ("a header that is too long", {"X-Long": "a" * 70_000}, {400, 431}),
    ("an odd host", {"Host": "a b\"<script>"}, {200, 400}),
    ("an odd id of the request", {"X-Request-ID": "<script>\t"}, {200}),
    ("an odd forwarded", {"X-Forwarded-For": "x, ::, \xff", "X-Forwarded-Proto": "gopher"}, {200}),
    ("ranges", {"Range": "bytes=9-1,,-0"}, {200}),
    ("an odd condition", {"If-None-Match": '"\xff', "If-Modified-Since": "yesterday"}, {200}),
    ("what is accepted", {"Accept": "text/x;q=nonsense", "Accept-Encoding": "zip;q=x"}, {200}),
    ("another method", {"X-HTTP-Method-Override": "DELETE"}, {200}),
    ("an odd event", {"Last-Event-ID": "\xff"}, {200}),
    ("another origin", {"Origin": "null\t"}, {200}),
]

# (headers, body, statuses) of POST /players, which takes JSON whatever it is called
CREATIONS: list[tuple[Mapping[str, str], bytes, set[int]]] = [
    ({"Content-Type": "text/plain"}, b"{}", {201}),
    ({"Content-Type": "\xff/;;"}, b"{}", {201}),
    ({"Content-Type": "multipart/form-data"}, b"{}", {201}),
    ({"Content-Type": "application/json; charset=utf-7"}, b"{}", {201}),
    ({"Content-Encoding": "gzip"}, b"{}", {400}),
    ({"Content-Encoding": "deflate"}, b"\xff\xff", {400}),
    ({"Content-Encoding": "nonsense"}, b"{}", {201, 400, 415}),
    ({"Expect": "nonsense"}, b"{}", {400}),
    ({"Idempotency-Key": ""}, b"{}", {400}),
    ({"Idempotency-Key": "a b"}, b"{}", {400}),
    ({"Idempotency-Key": "\xff"}, b"{}", {400}),
    ({"Idempotency-Key": "a" * 256}, b"{}", {400}),
]

RANGES: list[tuple[str, str]] = [
    ("bytes", "video-content-range-malformed"),
    ("bytes a-b/c", "video-content-range-malformed"),
    ("bytes 5-1/10", "video-content-range-malformed"),
    ("bytes 0-9/5", "video-content-range-malformed"),
    ("bytes -1-5/10", "video-content-range-malformed"),
    ("bytes 0-4/99999999999999999999", ""),
    ("part 0/3", "video-content-range-malformed"),
    ("part 4/3", "video-content-range-malformed"),
    ("part x/3", "video-content-range-malformed"),
    ("part 1/0", "video-content-range-malformed"),
    ("part 1/999999", ""),
    ("chunks 1/3", "video-content-range-malformed"),
    ("\xff", "video-content-range-malformed"),
    ("", ""),
]

# what is no HTTP, or hardly; the answer is a 4xx or none
RAW: list[tuple[str, bytes]] = [
    ("nothing of the kind", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ("no version", b"GET /videos\r\n\r\n"),
    ("another version", b"GET /videos HTTP/9.9\r\nHost: a\r\n\r\n"),
    ("no colon", b"GET /videos HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"),
    ("a folded header", b"GET /videos HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    ("NUL in a header", b"GET /videos HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n"),
    ("NUL in the path", b"GET /videos/\x00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two lengths", b"POST /videos HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
    ("both", b"POST /videos HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"),
    ("a negative length", b"POST /videos HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    ("an odd chunk", b"POST /videos HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    ("an odd coding", b"POST /videos HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: nonsense\r\n\r\n{}"),
    ("a long address", b"GET /videos?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("many headers", b"GET /videos HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 40_000 + b"\r\n"),
]  # fmt: skip


class Hostile:
    """A client on one connection, which sends what it is told to."""

    def __init__(self, server: Server) -> None:
        self._address = urlsplit(server.http).netloc
        self._connection = http.client.HTTPConnection(self._address, timeout=30)

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Answer:
        sent = {"Authorization": KEY, **headers}
        for attempt in (1, 2):
            try:
                self._connection.putrequest(method, path, skip_host="Host" in sent, skip_accept_encoding=True)
                for name, value in sent.items():
                    self._connection.putheader(name, value.encode("latin-1"))
                if body is not None:
                    self._connection.putheader("Content-Length", str(len(body)))
                self._connection.endheaders(body)
                response = self._connection.getresponse()
                return Answer(response.status, dict(response.getheaders()), response.read())
            except (ConnectionError, http.client.HTTPException):
                self._connection.close()  # it was refused before its body had been read
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")


class Operation(NamedTuple):
    """One of the document, with what its path names filled in."""

    label: str
    method: str
    path: str
    told: Mapping[str, Any]


@pytest.fixture(scope="module")
def hostile(own_server: Server) -> Iterator[Hostile]:
    client = Hostile(own_server)
    yield client
    client.close()


@pytest.fixture(scope="module")
def known(own_server: Server) -> Mapping[str, str]:
    return {**WORDS, **things(own_server)}


@pytest.fixture(scope="module")
def document(own_server: Server) -> Mapping[str, Any]:
    found: Mapping[str, Any] = own_server.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def operations(document: Mapping[str, Any], known: Mapping[str, str]) -> list[Operation]:
    names = {name for path in document["paths"] for name in re.findall(r"{(\w+)}", path)}
    assert names <= known.keys() | UNMADE, "say in things.py how one is made"
    return [
        Operation(f"{method.upper()} {path}", method.upper(), filled(path, known), told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if known.keys() >= set(re.findall(r"{(\w+)}", path))
    ]


def filled(path: str, known: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: quote(known[found[1]]), path)


def check(answer: Answer, case: str, statuses: set[int], name: str | None = None) -> None:
    """A problem of one of the statuses, that names what is wrong."""
    told = f"{case}: {answer.status} {answer.body[:400]!r}"
    assert answer.status in statuses, told
    if answer.status < 400:
        return
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/json", told
    assert problem["status"] == answer.status, told
    if name is not None:
        named = {str(problem.get("name")), *(str(each["name"]) for each in problem.get("problems", ()))}
        assert any(each == name or each.startswith(f"{name}[") for each in named), f"{told}, not of {name}"


def json_schema(operation: Operation) -> Mapping[str, Any] | None:
    content = operation.told.get("requestBody", {}).get("content", {})
    found: Mapping[str, Any] | None = content.get("application/json", {}).get("schema")
    return found


def test_bodies(hostile: Hostile, operations: list[Operation], subtests: pytest.Subtests) -> None:
    for operation in operations:
        if json_schema(operation) is None:
            continue
        with subtests.test(operation.label):
            for what, body, statuses in BODIES:
                answer = hostile.call(operation.method, operation.path, body)
                named = "nonsense" if what == "an unknown field" else None
                check(answer, f"{operation.label} with {what}", statuses, named)


def test_fields(
    hostile: Hostile, operations: list[Operation], document: Mapping[str, Any], subtests: pytest.Subtests
) -> None:
    for operation in operations:
        schema = json_schema(operation)
        if schema is None:
            continue
        properties = resolved(schema, document)["properties"]
        with subtests.test(operation.label):
            for name, of_field in properties.items():
                for value in wrong(resolved(of_field, document), document):
                    body = json.dumps({name: value}).encode()
                    answer = hostile.call(operation.method, operation.path, body)
                    check(answer, f"{operation.label} with {body[:200]!r}", {400}, name)


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def wrong(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[Any]:
    """Values that no alternative of the schema takes."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        found = [wrong(resolved(each, document), document) for each in choices if each.get("type") != "null"]
        return [value for value in found[0] if all(repr(value) in map(repr, others) for others in found[1:])]
    if "enum" in schema or "const" in schema:
        return ["nonsense", 7, [], {}]
    if schema.get("format") == "date-time":
        return [*DATES, 1, [], {}]
    found = WRONG.get(schema.get("type", ""), [])
    # ids are looked for, not described: with NUL they are not there
    return found if "pattern" in schema else [value for value in found if value != "a\x00b"]


def test_queries(hostile: Hostile, operations: list[Operation], subtests: pytest.Subtests) -> None:
    for operation in operations:
        asked = [each for each in operation.told["parameters"] if each["in"] == "query"]
        with subtests.test(operation.label):
            for parameter in asked:
                name, schema = parameter["name"], parameter["schema"]
                for value in wrong_text(schema):
                    path = f"{operation.path}?{quote(name)}={quote(value)}"
                    answer = hostile.call(operation.method, path)
                    check(answer, f"{operation.method} {path[:300]}", {400}, name.removesuffix("[]"))
            for odd in ("a[b=1", "=", "&&&", "%ff=%ff", "a[b][c][d][e]=1" if asked else "", "%00=1" if asked else ""):
                answer = hostile.call("GET", f"{operation.path}?{odd}")
                assert answer.status < 500, f"{operation.path}?{odd}: {answer.status}"


def wrong_text(schema: Mapping[str, Any]) -> list[str]:
    if "enum" in schema:
        return ["nonsense", "\x00"]
    if schema.get("format") == "date-time":
        return [*DATES[:-2], "\x00"]
    if schema.get("type") == "array":
        return wrong_text(schema["items"])
    return QUERY.get(schema.get("type", ""), [])


def test_headers(hostile: Hostile, operations: list[Operation], subtests: pytest.Subtests) -> None:
    read = [each for each in operations if each.method == "GET" and each.told["security"] and "{" not in each.label]
    for what, headers, statuses in HEADERS:
        with subtests.test(what):
            for operation in read[::6]:  # what reads headers is the same for all
                answer = hostile.call("GET", operation.path, headers=headers)
                wanted = statuses | {400} if "required" in str(operation.told["parameters"]) else statuses
                check(answer, f"{operation.label} with {what}", wanted)


@pytest.mark.parametrize(("headers", "body", "statuses"), CREATIONS)
def test_headers_of_bodies(hostile: Hostile, headers: Mapping[str, str], body: bytes, statuses: set[int]) -> None:
    name = "Idempotency-Key" if "Idempotency-Key" in headers else None
    check(hostile.call("POST", "/players", body, headers), str(headers), statuses, name)


@pytest.mark.parametrize("operation_path", ["/videos/{videoId}/source", "/upload?token={uploadToken}"])
def test_ranges(hostile: Hostile, own_server: Server, known: Mapping[str, str], operation_path: str) -> None:
    for value, code in RANGES:
        video = own_server.api("POST", "/videos", {"title": "a"})["videoId"]
        path = filled(operation_path, {**known, "videoId": video})
        answer = hostile.call("POST", path, form(b"12345"), {"Content-Range": value, **FORM})
        check(answer, f"{path} with {value!r}", {201, 400})
        if code:
            assert answer.json()["type"].endswith(code), f"{value!r}: {answer.text}"


def test_ranges_that_contradict_each_other(hostile: Hostile, own_server: Server) -> None:
    for first, second in [
        ("part 1/3", "part 2/2"), ("part 3/3", "part 4/*"), ("bytes 0-4/10", "bytes 5-9/11"),
        ("bytes 0-4/10", "part 2/2"), ("part 1/2", "bytes 5-9/10"),
    ]:  # fmt: skip
        path = f"/videos/{own_server.api('POST', '/videos', {'title': 'a'})['videoId']}/source"
        begun = hostile.call("POST", path, form(b"12345"), {"Content-Range": first, **FORM})
        assert begun.status == 201, begun.text
        answer = hostile.call("POST", path, form(b"12345"), {"Content-Range": second, **FORM})
        check(answer, f"{second} after {first}", {400})
        assert answer.json()["type"].endswith("video-content-range-mismatch"), answer.text


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def form(data: bytes, head: bytes = b'name="file"; filename="a.mp4"') -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + data + b"\r\n--b--\r\n"


FORMS: list[tuple[str, Mapping[str, str], bytes, set[int]]] = [
    ("JSON", {"Content-Type": "application/json"}, b"{}", {400, 415}),
    ("no type", {}, b"12345", {400, 415}),
    ("no boundary", {"Content-Type": "multipart/form-data"}, form(b"1"), {400, 415}),
    ("a long boundary", {"Content-Type": "multipart/form-data; boundary=" + "b" * 300}, form(b"1"), {400, 415}),
    ("another boundary", {"Content-Type": "multipart/form-data; boundary=c"}, form(b"1"), {400}),
    ("nothing", FORM, b"", {400}),
    ("no end", FORM, form(b"1")[:-8], {400}),
    ("no file", FORM, form(b"1", b'name="other"'), {400}),
    ("an empty file", FORM, form(b""), {400}),
    ("two files", FORM, form(b"1")[:-7] + b"\r\n" + form(b"2"), {400}),
    ("odd headers", FORM, b"--b\r\n\xff\xfe\r\n\r\n1\r\n--b--\r\n", {400}),
    ("a long field", FORM, form(b"a" * 5000, b'name="videoId"'), {400}),
    ("a field of other bytes", FORM, form(b"\xff\xfe", b'name="link"'), {400}),
    ("long headers", FORM, form(b"1", b'name="' + b"a" * 100_000 + b'"'), {400}),
    ("a path", FORM, form(b"12345", b'name="file"; filename="../../../etc/passwd\x00.mp4"'), {200, 201, 400}),
]  # fmt: skip


def test_forms(hostile: Hostile, operations: list[Operation], own_server: Server, subtests: pytest.Subtests) -> None:
    """`POST /videos/{videoId}/source` last: it takes one file."""
    for operation in operations:
        if "multipart/form-data" not in operation.told.get("requestBody", {}).get("content", {}):
            continue
        token = own_server.api("POST", "/upload-tokens", {})["token"]
        path = operation.path + (f"?token={token}" if operation.path == "/upload" else "")
        with subtests.test(operation.label):
            for what, headers, body, statuses in FORMS:
                check(hostile.call(operation.method, path, body, headers), f"{operation.label} with {what}", statuses)


@pytest.mark.parametrize(("what", "request_bytes"), RAW)
def test_what_is_hardly_http(own_server: Server, what: str, request_bytes: bytes) -> None:
    address = urlsplit(own_server.http)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        try:
            connection.sendall(request_bytes)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return  # it was refused before all of it had been sent
    assert not answer or re.match(rb"HTTP/[01]\.\d 4\d\d ", answer), f"{what}: {answer[:300]!r}"


def test_nothing_of_it_was_a_failure_of_ours(own_server: Server, hostile: Hostile) -> None:
    """The log knows; and the server still answers."""
    assert hostile.call("GET", "/healthz").status == 200
    assert "request failed" not in own_server.log()
    assert "Traceback" not in own_server.log()
