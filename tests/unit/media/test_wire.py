"""Messages between a server and its transcoding child: whatever goes in comes out, and nothing else does."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.wire import MAX_BYTES, Config, Dropped, Flush, Incoming, Message, Status, Unit, WireError, encode

U8, U32, I64 = st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1)
FACTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.text(), st.one_of(st.integers(), st.text(), st.none(), st.lists(st.integers()))
)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Config, U8, U32, FACTS, st.binary()),
    st.builds(Unit, U8, I64, I64, st.booleans(), st.binary()),
    st.builds(Flush, U32),
    st.builds(Dropped, st.text(), st.text()),
    st.builds(Status, FACTS),
)


def sent(*messages: Message) -> bytes:
    return b"".join(bytes(piece) for message in messages for piece in encode(message))


@given(st.lists(MESSAGES), st.integers(1, 100))
def test_messages_come_out_as_they_went_in_however_they_are_cut(messages: list[Message], step: int) -> None:
    data, incoming = sent(*messages), Incoming()
    found = [message for at in range(0, len(data), step) for message in incoming.feed(data[at : at + step])]
    assert found == messages


def test_large_pictures_one_after_the_other() -> None:
    incoming = Incoming()
    picture = Unit(0, 1, 2, True, bytes(3 << 20))
    for _ in range(3):
        assert list(incoming.feed(sent(picture))) == [picture]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (bytes(4), "a message of 0 bytes"),
        ((MAX_BYTES + 1).to_bytes(4, "big"), f"a message of {MAX_BYTES + 1} bytes"),
        (b"\0\0\0\1\0", "a message of kind 0"),
        (b"\0\0\0\1\7", "a message of kind 7"),
        (b"\0\0\0\2\1\0", "a configuration that is cut off"),
        (b"\0\0\0\x0a\1" + bytes(8) + b"\1", "a configuration that is cut off"),
        (b"\0\0\0\x0a\1" + bytes(9), "facts that are no JSON object"),
        (b"\0\0\0\2\2\0", "a picture that is cut off"),
        (b"\0\0\0\2\3\0", "a flush of another size"),
        (b"\0\0\0\3\4{}", "a rendition without a name"),
        (b"\0\0\0\1\4", "facts that are no JSON object"),
        (b"\0\0\0\3\5[]", "facts that are no JSON object"),
        (b"\0\0\0\3\5\xff\xff", "facts that are no JSON object"),
    ],
)
def test_what_is_no_message(data: bytes, fault: str) -> None:
    with pytest.raises(WireError) as caught:
        list(Incoming().feed(data))
    assert str(caught.value) == fault


def test_facts_nested_too_deep_or_too_large() -> None:
    for text in (b"[" * 50_000, b'{"a": "' + b"x" * 70_000 + b'"}'):
        body = b"\5" + text
        with pytest.raises(WireError, match="no JSON object"):
            list(Incoming().feed(len(body).to_bytes(4, "big") + body))


def test_a_picture_too_large_is_not_sent() -> None:
    with pytest.raises(WireError):
        encode(Unit(0, 0, 0, True, bytes(MAX_BYTES)))


@given(st.binary())
def test_any_bytes_are_messages_or_an_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        list(Incoming().feed(data))
