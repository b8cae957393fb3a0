import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.m3u8.attributes import M3u8Error, attribute_list, decimal, label, parse_attributes, quoted


def test_a_list_leaves_out_what_is_none() -> None:
    assert attribute_list((("A", "1"), ("B", None), ("C-2", quoted("x,y=z")))) == 'A=1,C-2="x,y=z"'


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (10, "10"), (100.0, "100"), (1.5, "1.5"), (1 / 3, "0.33333"), (0.000004, "0")]
)
def test_decimals(value: float, text: str) -> None:
    assert decimal(value) == text


@pytest.mark.parametrize("text", ['a"b', "a\nb", "a\rb", '"'])
def test_what_no_quoted_string_can_hold(text: str) -> None:
    with pytest.raises(M3u8Error, match="no quoted string can hold"):
        quoted(text)


@given(st.text())
@example('He said "no"\r\n#EXT-X-ENDLIST\x00')
def test_a_label_is_always_one_quoted_string(text: str) -> None:
    (value,) = parse_attributes(f"NAME={label(text)}").values()
    assert quoted(value) == label(text)
    assert not any(mark in value for mark in '"\r\n')


NAMES = st.text("ABCXYZ0189-", min_size=1, max_size=12)
WORDS = st.text("abcABC019.x@-", min_size=1, max_size=12)
STRINGS = st.text(st.characters(exclude_characters='"\r\n'), max_size=20)


@given(st.dictionaries(NAMES, st.tuples(st.booleans(), WORDS, STRINGS), max_size=8))
def test_reads_what_was_written(values: dict[str, tuple[bool, str, str]]) -> None:
    written = attribute_list((name, quoted(text) if quote else word) for name, (quote, word, text) in values.items())
    assert parse_attributes(written) == {name: text if quote else word for name, (quote, word, text) in values.items()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A", "no attribute at 0"),
        ("A=", "no attribute at 0"),
        ("a=1", "no attribute at 0"),
        ("A=1,", "no attribute at 0"),
        ("A=1,,B=2", "no attribute at 4"),
        ("A=1, B=2", "no attribute at 4"),
        ('A="x', "no attribute at 0"),
        ('A="x"y', "no attribute at 0"),
        ("A=1\n", "no attribute at 0"),
        ("A=1,A=2", "attribute A twice"),
    ],
)
def test_a_broken_list_is_refused(text: str, message: str) -> None:
    with pytest.raises(M3u8Error) as caught:
        parse_attributes(text)
    assert str(caught.value) == message


@given(st.text(st.sampled_from('AB=,"1 \n'), max_size=30))
def test_any_text_parses_or_raises_m3u8_error(text: str) -> None:
    try:
        attributes = parse_attributes(text)
    except M3u8Error:
        return
    assert all(name and '"' not in value for name, value in attributes.items())
