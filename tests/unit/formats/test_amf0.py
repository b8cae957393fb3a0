from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.formats.amf0 import (
    MAX_DEPTH,
    MAX_VALUES,
    UNDEFINED,
    AmfError,
    Date,
    EcmaArray,
    Value,
    decode,
    decode_some,
    encode,
)

# Value and bytes, in both directions; the fuzz test starts from the bytes.
CASES: list[tuple[str, list[Value], bytes]] = [
    ("nothing", [], b""),
    ("number", [1.5], b"\0" + bytes.fromhex("3ff8000000000000")),
    ("negative", [-2.0], b"\0" + bytes.fromhex("c000000000000000")),
    ("booleans", [True, False], b"\x01\x01\x01\x00"),
    ("string", ["héé"], b"\x02\x00\x05h\xc3\xa9\xc3\xa9"),
    ("empty string", [""], b"\x02\x00\x00"),
    ("long string", ["a" * 65536], b"\x0c\x00\x01\x00\x00" + b"a" * 65536),
    ("null and undefined", [None, UNDEFINED], b"\x05\x06"),
    ("object", [{"a": None, "b": {}}], b"\x03\0\x01a\x05\0\x01b\x03\0\0\x09\0\0\x09"),
    ("object with an empty name", [{"": True}], b"\x03\0\0\x01\x01\0\0\x09"),
    ("ECMA array", [EcmaArray(a="x")], b"\x08\0\0\0\x01\0\x01a\x02\0\x01x\0\0\x09"),
    ("strict array", [["a", None, []]], b"\x0a\0\0\0\x03\x02\0\x01a\x05\x0a\0\0\0\0"),
    ("date", [Date(1000.0)], b"\x0b" + bytes.fromhex("408f400000000000") + b"\0\0"),
    (
        "command",
        ["connect", 1.0, {"app": "live", "fourCcList": ["hvc1", "av01"]}],
        b"\x02\0\x07connect" + b"\0\x3f\xf0" + bytes(6)
        + b"\x03\0\x03app\x02\0\x04live\0\x0afourCcList\x0a\0\0\0\x02\x02\0\x04hvc1\x02\0\x04av01\0\0\x09",
    ),
]  # fmt: skip

# Bytes that other encoders send and ours does not.
LENIENT: list[tuple[str, bytes, list[Value]]] = [
    ("ECMA array with a wrong count", b"\x08\0\0\0\x63\0\x01a\x05\0\0\x09", [{"a": None}]),
    ("ECMA array without an end", b"\x08\0\0\0\x01\0\x01a\x05", [{"a": None}]),
    ("typed object", b"\x10\0\x05Class\0\x01a\x05\0\0\x09", [{"a": None}]),
    ("XML document", b"\x0f\0\0\0\x04<a/>", ["<a/>"]),
    ("unsupported", b"\x0d", [UNDEFINED]),
    ("date with a time zone", b"\x0b" + bytes(8) + b"\x01\x02", [Date(0.0)]),
    ("any byte but 0 is true", b"\x01\x7f", [True]),
    ("not UTF-8", b"\x02\0\x02\xff!", ["\ufffd!"]),
    ("the last of two equal names", b"\x03\0\x01a\x05\0\x01a\x01\x01\0\0\x09", [{"a": True}]),
]

MALFORMED: list[tuple[str, bytes, str]] = [
    ("half a number", b"\0\x3f", "AMF0 value ends early"),
    ("no boolean", b"\x01", "AMF0 value ends early"),
    ("half a string length", b"\x02\0", "AMF0 value ends early"),
    ("half a string", b"\x02\0\x05abc", "AMF0 value ends early"),
    ("long string over the end", b"\x0c\xff\xff\xff\xffabc", "AMF0 value ends early"),
    ("object without an end", b"\x03\0\x01a\x05", "AMF0 value ends early"),
    ("strict array over the end", b"\x0a\xff\xff\xff\xff\x05", "AMF0 value ends early"),
    ("movie clip", b"\x04", "AMF0 type 4 is not supported"),
    ("reference", b"\x07\0\0", "AMF0 type 7 is not supported"),
    ("AMF3", b"\x11\x0a", "AMF0 type 17 is not supported"),
    ("nested arrays", b"\x0a\0\0\0\x01" * 5000, f"AMF0 nesting is deeper than {MAX_DEPTH}"),
    ("nested objects", b"\x03\0\x01a" * 5000, f"AMF0 nesting is deeper than {MAX_DEPTH}"),
    ("many nulls", b"\x05" * 5000, f"more than {MAX_VALUES} AMF0 values"),
    ("many nulls in an array", b"\x0a\0\0\x13\x88" + b"\x05" * 5000, f"more than {MAX_VALUES} AMF0 values"),
]


def _ids(cases: Sequence[tuple[str, bytes, object]]) -> list[str]:
    return [case[0] for case in cases]


@pytest.mark.parametrize(("values", "data"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_values_and_bytes_are_each_others_image(values: list[Value], data: bytes) -> None:
    assert encode(*values) == data
    assert decode(data) == values


def test_an_ecma_array_stays_one() -> None:
    (value,) = decode(b"\x08\0\0\0\0\0\0\x09")

    assert isinstance(value, EcmaArray)


@pytest.mark.parametrize(("data", "values"), [case[1:] for case in LENIENT], ids=_ids(LENIENT))
def test_what_other_encoders_send_is_read(data: bytes, values: list[Value]) -> None:
    assert decode(data) == values


@pytest.mark.parametrize(("data", "message"), [case[1:] for case in MALFORMED], ids=_ids(MALFORMED))
def test_malformed_bytes_say_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(AmfError) as caught:
        decode(data)

    assert str(caught.value) == message


def test_decode_some_does_not_look_behind_its_values() -> None:
    assert decode_some(b"\x05\x01\x01\xffgarbage", 2) == [None, True]
    assert decode_some(b"\x05", 2) == [None]


def test_the_deepest_allowed_value_is_read_and_written() -> None:
    value: Value = None
    for _ in range(MAX_DEPTH):
        value = [value]

    assert decode(encode(value)) == [value]
    with pytest.raises(AmfError, match=r"^AMF0 nesting is deeper than 16$"):
        encode([value])


def test_a_property_name_has_sixteen_bits_of_length() -> None:
    assert decode(encode({"k" * 65535: None})) == [{"k" * 65535: None}]
    with pytest.raises(AmfError, match=r"^AMF0 property name of 65536 bytes$"):
        encode({"k" * 65536: None})


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.just(UNDEFINED)
    | st.builds(Date, st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    | st.dictionaries(st.text(max_size=9), inner, max_size=4).map(EcmaArray),
    max_leaves=30,
)


@settings(deadline=None)
@given(st.lists(_values, max_size=5))
def test_whatever_is_written_is_read_back(values: list[Value]) -> None:
    assert decode(encode(*values)) == values


@settings(deadline=None)
@given(
    data=st.sampled_from([case[2] for case in CASES if len(case[2]) < 1000] + [case[1] for case in LENIENT]),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    length=st.integers(0, 200),
)
def test_changed_bytes_raise_nothing_but_the_documented_error(
    data: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    mutated = bytearray(data)
    for at, byte in changes:
        if mutated:
            mutated[at % len(mutated)] = byte
    try:
        values = decode(bytes(mutated[:length]))
    except AmfError:
        return
    written = encode(*values)
    assert encode(*decode(written)) == written  # not the values: NaN is unequal to itself
