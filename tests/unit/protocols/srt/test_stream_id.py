import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocols.srt.stream_id import Mode, StreamId, StreamIdError, parse

PUBLISH, REQUEST = Mode.PUBLISH, Mode.REQUEST

CASES = {
    "abc": StreamId("abc"),
    "live/abc": StreamId("abc"),
    "/live/abc/": StreamId("abc"),
    "publish:abc": StreamId("abc"),
    "publish:live/abc": StreamId("abc"),
    "play:abc": StreamId("abc", REQUEST),
    "request:abc": StreamId("abc", REQUEST),
    "read:abc?token=x.y": StreamId("abc", REQUEST, token="x.y"),
    "abc?t=x": StreamId("abc", token="x"),
    "a:b": StreamId("a:b"),
    "#!::r=abc,m=publish": StreamId("abc"),
    "#!::r=abc": StreamId("abc"),
    "#!::m=PUBLISH,r=live/abc": StreamId("abc"),
    "#!::r=abc,m=request,t=tok": StreamId("abc", REQUEST, token="tok"),
    "#!::r=abc,m=request,t=stream,token=tok": StreamId("abc", REQUEST, token="tok"),
    "#!::r=abc,t=stream": StreamId("abc"),
    "#!::r=abc,token=a=b": StreamId("abc", token="a=b"),
    "#!::u=bob,r=abc,s=7,h=example.org,x_y=z": StreamId(
        "abc", user="bob", session="7", extra={"h": "example.org", "x_y": "z"}
    ),
    "#!::r=abc,r=other,m=publish": StreamId("abc"),
    "#!::,,r=abc,,noise": StreamId("abc"),
    "%23!::r=abc,m=publish": StreamId("abc"),
    "%23!::r%3Dabc%2Cm%3Drequest": StreamId("abc", REQUEST),
}


@pytest.mark.parametrize("text", CASES)
def test_the_ways_to_name_a_stream(text: str) -> None:
    assert parse(text) == CASES[text]


REFUSED = {
    "": "the stream id names no stream",
    "/": "the stream id names no stream",
    "#!::m=publish": "the stream id names no stream",
    "publish:": "the stream id names no stream",
    "#!::r=abc,m=bidirectional": "the mode of the stream id is neither publish nor request",
    "abc\n": "the stream id has control characters",
    "%23!::r=a%00b": "the stream id has control characters",
    "x" * 513: "the stream id has more than 512 characters",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_can_not_be_read(text: str) -> None:
    with pytest.raises(StreamIdError) as error:
        parse(text)

    assert str(error.value) == REFUSED[text]


@given(st.one_of(st.text(max_size=600), st.text(max_size=60).map("#!::r=a,".__add__), st.text(max_size=60)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except StreamIdError:
        return
    assert found.resource
    assert found.resource.isprintable()


def test_its_secrets_are_not_shown() -> None:
    assert "abc" not in repr(parse("#!::r=abc,token=tok"))
    assert "tok" not in repr(parse("#!::r=abc,token=tok"))
