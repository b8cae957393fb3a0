"""Query strings with structure, well and badly formed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.web.query import DEPTH_LIMIT, PAIRS_LIMIT, MalformedQuery, nested
from tests.unit.web.kit import Client, problem

CASES: list[tuple[list[tuple[str, str]], dict[str, Any]]] = [
    ([], {}),
    ([("title", "a")], {"title": "a"}),
    ([("title", "")], {"title": ""}),
    ([("title", "a"), ("title", "b")], {"title": ["a", "b"]}),
    ([("tags[]", "a")], {"tags": ["a"]}),
    ([("tags[]", "a"), ("tags[]", "b")], {"tags": ["a", "b"]}),
    ([("tags", "a"), ("tags[]", "b")], {"tags": ["a", "b"]}),
    ([("tags[0]", "a"), ("tags[1]", "b")], {"tags": {"0": "a", "1": "b"}}),
    ([("metadata[k]", "v"), ("metadata[l]", "w")], {"metadata": {"k": "v", "l": "w"}}),
    ([("metadata[a b.c]", "v")], {"metadata": {"a b.c": "v"}}),
    ([("metadata[k]", "v"), ("metadata[k]", "w")], {"metadata": {"k": ["v", "w"]}}),
    ([("filterBy[mediaId][]", "x"), ("filterBy[mediaId][]", "y")], {"filterBy": {"mediaId": ["x", "y"]}}),
    ([("filterBy[mediaId]", "x")], {"filterBy": {"mediaId": "x"}}),
    ([("a[", "x")], {"a[": "x"}),
    ([("[a]", "x")], {"[a]": "x"}),
    ([("a]b", "x")], {"a]b": "x"}),
    ([("", "x")], {"": "x"}),
]


@pytest.mark.parametrize(("pairs", "tree"), CASES)
def test_trees(pairs: list[tuple[str, str]], tree: dict[str, Any]) -> None:
    assert nested(pairs) == tree


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        ([("a", "x"), ("a[k]", "y")], "a"),
        ([("a[k]", "x"), ("a", "y")], "a"),
        ([("a[k]", "x"), ("a[]", "y")], "a"),
        ([("a[]", "x"), ("a[k]", "y")], "a"),
        ([("a[b][c][d]", "x")], "a"),
        ([("x", "")] * (PAIRS_LIMIT + 1), "x"),
        ([("title", "a\x00")], "title"),
    ],
)
def test_queries_of_no_one_meaning(pairs: list[tuple[str, str]], name: str) -> None:
    with pytest.raises(MalformedQuery) as caught:
        nested(pairs)
    assert caught.value.name == name


KEYS = st.one_of(st.text(max_size=8), st.from_regex(r"[ab](\[[ab]?\]){0,4}", fullmatch=True))


def leaves(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return [leaf for branch in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(branch)]


def depth(tree: Any) -> int:
    if isinstance(tree, str):
        return 0
    return 1 + max((depth(branch) for branch in (tree.values() if isinstance(tree, dict) else tree)), default=0)


@given(st.lists(st.tuples(KEYS, st.text(max_size=5)), max_size=12))
def test_no_value_is_lost_and_no_tree_is_deep(pairs: list[tuple[str, str]]) -> None:
    try:
        tree = nested(pairs)
    except MalformedQuery:
        return
    assert sorted(leaves(tree)) == sorted(value for _, value in pairs)
    assert depth(tree) <= DEPTH_LIMIT + 1  # and a list of values given twice


@given(st.text(max_size=60))
def test_any_query_string_is_answered(text: str) -> None:
    from yarl import URL

    try:
        url = URL.build(path="/videos", query_string=text)
    except ValueError:
        return
    try:
        nested(url.query.items())
    except MalformedQuery:
        return


async def test_a_query_of_no_one_meaning_is_a_400(client: Client) -> None:
    async with client.get("/videos?metadata=x&metadata[k]=v") as response:
        body = await problem(response, 400, "request-invalid-query-parameter", "metadata")
    assert body["problems"][0]["name"] == "metadata"
