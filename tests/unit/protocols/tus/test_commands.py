"""Requests of the tus specification, and faulty ones, by verb."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Problem
from server.protocols.tus.checksum import Checksum
from server.protocols.tus.commands import METHODS, Append, Command, Create, Delete, Head, Join, Options, parse
from server.protocols.tus.concatenation import Partial
from server.protocols.tus.metadata import Description

MAX = 1000
V = {"tus-resumable": "1.0.0"}
CHUNK = {"content-type": "application/offset+octet-stream"}
PATCH = {**V, **CHUNK, "upload-offset": "70", "content-length": "30"}
NOTHING = Description()
HELLO = "qvTGHdzF6KLavt4PO0gs2a6pQ00="  # SHA-1 of "hello"
SHA1 = Checksum("sha1", hashlib.sha1(b"hello").digest())


@pytest.mark.parametrize(
    ("method", "target", "headers", "command"),
    [
        ("OPTIONS", "collection", {}, Options()),
        ("OPTIONS", "upload", {"tus-resumable": "0.2.2"}, Options()),
        ("POST", "collection", {**V, "upload-length": "100"}, Create(100, {}, NOTHING)),
        ("post", "collection", {**V, "upload-length": " 100 "}, Create(100, {}, NOTHING)),
        ("POST", "collection", {**V, "upload-length": "1000"}, Create(1000, {}, NOTHING)),
        ("POST", "collection", {**V, "upload-defer-length": "1"}, Create(None, {}, NOTHING)),
        (
            "POST",
            "collection",
            {**V, "upload-length": "100", "upload-metadata": "title ZmlsbQ==,is_confidential"},
            Create(100, {"title": "film", "is_confidential": ""}, Description(title="film")),
        ),
        (
            "POST",
            "collection",
            {**V, **CHUNK, "upload-length": "100", "content-length": "100"},
            Create(100, {}, NOTHING, 100),
        ),
        (
            "POST",
            "collection",
            {**V, **CHUNK, "upload-defer-length": "1", "transfer-encoding": "chunked"},
            Create(None, {}, NOTHING, None),
        ),
        ("POST", "collection", {**V, "upload-length": "9", "content-length": "0"}, Create(9, {}, NOTHING)),
        (
            "POST",
            "collection",
            {**V, **CHUNK, "upload-length": "5", "content-length": "5", "upload-checksum": f"sha1 {HELLO}"},
            Create(5, {}, NOTHING, 5, SHA1),
        ),
        (
            "POST",
            "collection",
            {**V, "upload-length": "9", "upload-concat": "partial"},
            Create(9, {}, NOTHING, partial=True),
        ),
        (
            "POST",
            "collection",
            {**V, "upload-concat": "final;/tus/pu1/a https://v/tus/pu2/b", "upload-metadata": "title ZmlsbQ=="},
            Join(
                (Partial("pu1", "a"), Partial("pu2", "b")),
                "final;/tus/pu1/a https://v/tus/pu2/b",
                {"title": "film"},
                Description(title="film"),
            ),
        ),
        ("HEAD", "upload", V, Head()),
        ("PATCH", "upload", {**PATCH, "upload-checksum": f"SHA1 {HELLO}"}, Append(70, None, 30, SHA1)),
        ("PATCH", "upload", PATCH, Append(70, None, 30)),
        ("PATCH", "upload", {**PATCH, "upload-length": "100"}, Append(70, 100, 30)),
        (
            "PATCH",
            "upload",
            {**V, **CHUNK, "upload-offset": "0", "transfer-encoding": "chunked"},
            Append(0, None, None),
        ),
        ("POST", "upload", {**PATCH, "x-http-method-override": "PATCH"}, Append(70, None, 30)),
        ("POST", "upload", {**V, "x-http-method-override": "delete"}, Delete()),
        ("DELETE", "upload", V, Delete()),
    ],
)
def test_requests_are_read(method, target, headers, command):
    assert parse(method, headers, target, MAX) == command


CREATE = {**V, "upload-length": "100"}
FINAL = "final;/tus/pu1/a /tus/pu2/b"


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "code", "name"),
    [
        ("POST", "collection", {"upload-length": "1"}, 412, "precondition-failed", "Tus-Resumable"),
        ("POST", "collection", {**CREATE, "tus-resumable": "2.0.0"}, 412, "precondition-failed", "Tus-Resumable"),
        ("HEAD", "upload", {}, 412, "precondition-failed", "Tus-Resumable"),
        ("POST", "collection", V, 400, "attribute-required", "Upload-Length"),
        ("POST", "collection", {**CREATE, "upload-defer-length": "1"}, 400, "attribute-required", "Upload-Length"),
        ("POST", "collection", {**V, "upload-defer-length": "2"}, 400, "invalid-attribute", "Upload-Defer-Length"),
        ("POST", "collection", {**V, "upload-length": "-1"}, 400, "invalid-attribute", "Upload-Length"),
        ("POST", "collection", {**V, "upload-length": "1e3"}, 400, "invalid-attribute", "Upload-Length"),
        ("POST", "collection", {**V, "upload-length": "٣"}, 400, "invalid-attribute", "Upload-Length"),
        ("POST", "collection", {**V, "upload-length": "9" * 30}, 400, "invalid-attribute", "Upload-Length"),
        ("POST", "collection", {**V, "upload-length": "0"}, 400, "uploaded-file-empty", "Upload-Length"),
        ("POST", "collection", {**V, "upload-length": "1001"}, 413, "uploaded-file-too-large", "Upload-Length"),
        ("POST", "collection", {**CREATE, "upload-concat": "halves"}, 400, "invalid-attribute", "Upload-Concat"),
        ("POST", "collection", {**V, "upload-concat": "final;"}, 400, "invalid-attribute", "Upload-Concat"),
        ("POST", "collection", {**CREATE, "upload-concat": FINAL}, 400, "invalid-attribute", "Upload-Length"),
        (
            "POST", "collection", {**V, "upload-concat": FINAL, "upload-defer-length": "1"}, 400, "invalid-attribute",
            "Upload-Defer-Length",
        ),
        ("POST", "collection", {**V, "upload-concat": FINAL, "content-length": "3"}, 400, "invalid-payload", None),
        ("POST", "collection", {**CREATE, "content-length": "5"}, 415, "unsupported-media-type", "Content-Type"),
        ("POST", "collection", {**CREATE, **CHUNK, "content-length": "101"}, 413, "uploaded-file-too-large", None),
        ("POST", "collection", {**CREATE, "upload-metadata": "a b c"}, 400, "invalid-attribute", "Upload-Metadata.a"),
        ("PATCH", "upload", {**PATCH, "content-type": "text/plain"}, 415, "unsupported-media-type", "Content-Type"),
        ("PATCH", "upload", {**PATCH, "content-encoding": "gzip"}, 415, "unsupported-media-type", "Content-Encoding"),
        ("PATCH", "upload", {**V, **CHUNK}, 400, "attribute-required", "Upload-Offset"),
        ("PATCH", "upload", {**PATCH, "upload-offset": "x"}, 400, "invalid-attribute", "Upload-Offset"),
        ("PATCH", "upload", {**PATCH, "upload-length": "1001"}, 413, "uploaded-file-too-large", "Upload-Length"),
        ("PATCH", "upload", {**PATCH, "upload-checksum": "sha1 x"}, 400, "invalid-attribute", "Upload-Checksum"),
        ("PATCH", "upload", {**PATCH, "upload-checksum": "crc32 AAAA"}, 400, "invalid-attribute", "Upload-Checksum"),
        ("PATCH", "upload", {**PATCH, "content-length": "+1"}, 400, "invalid-attribute", "Content-Length"),
        ("GET", "upload", V, 405, "method-not-allowed", None),
        ("PATCH", "collection", PATCH, 405, "method-not-allowed", None),
        ("PATCH", "upload", {**PATCH, "x-http-method-override": "BREW"}, 405, "method-not-allowed", None),
    ],
)  # fmt: skip
def test_faulty_requests_are_refused(method, target, headers, status, code, name):
    with pytest.raises(Problem) as caught:
        parse(method, headers, target, MAX)

    assert (caught.value.row.status, caught.value.code, caught.value.name) == (status, code, name)


def test_another_version_is_told_which_one_is_spoken():
    with pytest.raises(Problem) as caught:
        parse("HEAD", {}, "upload", MAX)

    assert caught.value.headers == {"Tus-Version": "1.0.0"}


def test_a_refused_method_is_told_which_ones_there_are():
    with pytest.raises(Problem) as caught:
        parse("GET", V, "upload", MAX)

    assert caught.value.headers == {"Allow": "OPTIONS, HEAD, PATCH, DELETE"}


NAMES = (
    "tus-resumable", "upload-length", "upload-defer-length", "upload-offset", "upload-metadata", "upload-concat",
    "upload-checksum", "content-type", "content-encoding", "content-length", "transfer-encoding",
    "x-http-method-override",
)  # fmt: skip
VALUES = st.one_of(
    st.text(),
    st.sampled_from(["1.0.0", "1", "0", "100", CHUNK["content-type"], "PATCH", "tags WzFd", "metadata W1tbWw=="]),
)


@given(
    st.sampled_from(["OPTIONS", "POST", "HEAD", "PATCH", "DELETE", "GET"]),
    st.sampled_from(sorted(METHODS)),
    st.dictionaries(st.sampled_from(NAMES), VALUES),
    st.booleans(),
)
def test_any_headers_give_a_command_or_a_problem(method, target, headers, versioned):
    if versioned:
        headers |= V

    outcome: Command | int
    try:
        outcome = parse(method, headers, target, MAX)
    except Problem as problem:
        outcome = problem.row.status

    assert isinstance(outcome, Command) or 400 <= outcome < 500
