import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Problem
from server.protocols.tus import concatenation
from server.protocols.tus.concatenation import MAX_PARTIALS, Partial

A, B = Partial("pu1", "s-1"), Partial("pu2", "s_2")


@pytest.mark.parametrize(
    ("header", "partials"),
    [
        ("partial", None),
        (" Partial ", None),
        ("final;/tus/pu1/s-1 /tus/pu2/s_2", (A, B)),
        ("final;https://v.example/x/tus/pu2/s_2 pu1/s-1", (B, A)),
        ("final; /tus/pu1/s-1", (A,)),
    ],
)
def test_headers_are_read(header, partials):
    assert concatenation.parse(header) == partials


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "It must read 'partial' or 'final;' and URLs."),
        ("partial;/tus/pu1/s", "It must read 'partial' or 'final;' and URLs."),
        ("final", "The URLs of partial uploads must follow."),
        ("final;", "The URLs of partial uploads must follow."),
        ("final;/tus/pu1/s /", "The URLs of partial uploads must follow."),
        ("final;/tus/pu1/s?x=1", "The URLs of partial uploads must follow."),
        ("final;/tus/pu1/s /tus/pu1/s", "A partial upload may be named once."),
        ("final;" + " ".join(f"pu{n}/s" for n in range(MAX_PARTIALS + 1)), "At most 64 partial uploads are taken."),
    ],
)
def test_faulty_ones_say_why(header, said):
    with pytest.raises(Problem) as caught:
        concatenation.parse(header)

    assert (caught.value.row.status, caught.value.detail, caught.value.name) == (400, said, "Upload-Concat")


@given(st.text() | st.text().map("final;".__add__))
def test_any_text_is_read_or_a_problem(text):
    try:
        found = concatenation.parse(text)
    except Problem:
        return
    assert found is None or 1 <= len(found) <= MAX_PARTIALS
