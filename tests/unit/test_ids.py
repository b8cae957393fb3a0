"""One row, three spellings."""

import contextlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import ids


@pytest.mark.parametrize("prefix", ids.PREFIXES.values())
def test_a_new_id_is_its_prefix_and_22_characters(prefix: str) -> None:
    made = ids.new(prefix)

    assert made.startswith(prefix)
    assert len(made) == len(prefix) + 22
    assert ids.to_uuid(prefix, made).version == 4


@given(st.uuids(), st.sampled_from(sorted(ids.PREFIXES.values())))
def test_all_spellings_name_the_same_row(value: uuid.UUID, prefix: str) -> None:
    bare = ids.encode(value)

    spellings = [prefix + bare, bare, str(value), str(value).upper(), value.hex]
    assert {ids.canonical(prefix, spelling) for spelling in spellings} == {prefix + bare}


@pytest.mark.parametrize(
    "text",
    ["", "vi", "vi0" + "1" * 21, "vi" + "1" * 21, "li" + "1" * 22, "z" * 22, "vi../../etc/passwd", "vi" + "é" * 22,
     "g" * 32, "-" * 36, "12345678-1234-1234-1234-1234567890123"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ids.InvalidId, match="not a vi id"):
        ids.to_uuid("vi", text)


@given(st.text(max_size=40))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    with contextlib.suppress(ids.InvalidId):
        assert ids.canonical("vi", text) == ids.canonical("vi", ids.canonical("vi", text))
