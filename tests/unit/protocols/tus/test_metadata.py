import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Problem
from server.protocols.tus.metadata import MAX_HEADER_CHARS, Description, describe, encode, parse


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    ("header", "pairs"),
    [
        (None, {}),
        ("", {}),
        ("  ", {}),
        ("filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential",
         {"filename": "world_domination_plan.pdf", "is_confidential": ""}),
        ("a , b YQ==", {"a": "", "b": "a"}),
        (f"title {b64('Фильм 🎬')}", {"title": "Фильм 🎬"}),
        ("relativePath bnVsbA==,name YQ==", {"relativePath": "null", "name": "a"}),
    ],
)  # fmt: skip
def test_pairs_are_read(header, pairs):
    assert parse(header) == pairs


@pytest.mark.parametrize(
    ("header", "name", "detail"),
    [
        ("a YQ==,a Yg==", "Upload-Metadata.a", "The key appears twice."),
        ("a YQ==,", "Upload-Metadata", "A key must be 1 to 255 printable ASCII characters."),
        ("é YQ==", "Upload-Metadata", "A key must be 1 to 255 printable ASCII characters."),
        ("k" * 256, "Upload-Metadata", "A key must be 1 to 255 printable ASCII characters."),
        ("a YQ", "Upload-Metadata.a", "The value must be UTF-8 text in Base64."),
        ("a é", "Upload-Metadata.a", "The value must be UTF-8 text in Base64."),
        (f"a {b64(bytes([0xFF]))}", "Upload-Metadata.a", "The value must be UTF-8 text in Base64."),
        ("a AA==", "Upload-Metadata.a", "The value must not contain a NUL character."),
        (",".join(f"k{n}" for n in range(65)), "Upload-Metadata", "The header has more than 64 keys."),
        ("k" * (MAX_HEADER_CHARS + 1), "Upload-Metadata", "The header is longer than 16384 characters."),
    ],
)
def test_faulty_headers_name_the_key(header, name, detail):
    with pytest.raises(Problem) as caught:
        parse(header)

    assert (caught.value.row.status, caught.value.name, caught.value.detail) == (400, name, detail)


@pytest.mark.parametrize(
    ("pairs", "description"),
    [
        ({}, Description()),
        ({"filename": "a.mp4", "filetype": "video/mp4", "other": "x"}, Description("a.mp4", "video/mp4")),
        ({"title": " T ", "description": "", "videoId": "viX"}, Description(title="T", video_id="viX")),
        ({"public": "FALSE"}, Description(public=False)),
        ({"tags": "a, b,,a"}, Description(tags=("a", "b"))),
        ({"tags": '["a, b", " c "]'}, Description(tags=("a, b", "c"))),
        ({"metadata": '{"k":"v"}'}, Description(metadata=(("k", "v"),))),
        ({"metadata": '[{"key":"k","value":"v"},{"value":"w","key":"k"}]'},
         Description(metadata=(("k", "v"), ("k", "w")))),
    ],
)  # fmt: skip
def test_pairs_describe_the_video(pairs, description):
    assert describe(pairs) == description


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", "t" * 1001),
        ("public", "maybe"),
        ("tags", "[1]"),
        ("tags", "[" * 5000),
        ("tags", '["\\ud800"]'),
        ("tags", ",".join(f"t{n}" for n in range(101))),
        ("metadata", "k=v"),
        ("metadata", "7"),
        ("metadata", '{"k":1}'),
        ("metadata", '{"k":"\\u0000"}'),
        ("metadata", '[{"key":"k"}]'),
        ("metadata", '{"k":' * 3000),
    ],
)
def test_values_without_sense_name_the_key(key, value):
    with pytest.raises(Problem) as caught:
        describe({key: value})

    assert (caught.value.row.status, caught.value.name) == (400, f"Upload-Metadata.{key}")


# printable ASCII without space and comma
KEYS = st.from_regex(r"[!-+\--~]{1,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100)


@given(st.dictionaries(KEYS, TEXTS, max_size=20))
def test_what_is_encoded_is_read_again(pairs):
    assert parse(encode(pairs)) == pairs


def fault(call: Callable[[], object]) -> str | None:
    """The name that a Problem gives, None when there is none."""
    try:
        call()
    except Problem as problem:
        return problem.name
    return None


@given(st.text())
def test_any_header_gives_pairs_or_a_problem(header):
    name = fault(lambda: describe(parse(header)))

    assert name is None or name.startswith("Upload-Metadata")


@given(st.sampled_from(["tags", "metadata", "public", "title"]), st.text())
def test_any_value_is_described_or_refused(key, value):
    assert fault(lambda: describe({key: value})) in (None, f"Upload-Metadata.{key}")
