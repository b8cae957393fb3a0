"""Languages as publishers send them, and as manifests must name them."""

import pytest

from server.formats.languages import TWO_LETTERS, bcp47


@pytest.mark.parametrize(
    ("sent", "tag"),
    [
        ("eng", "en"), ("ger", "de"), ("deu", "de"), ("DEU", "de"), ("en", "en"), ("pt-BR", "pt-BR"),
        ("por-BR", "pt-BR"), ("gsw", "gsw"), ("und", None), ("zxx", None), ("", None), ("\0\0\0", None), ("x", None),
        ("e n", None), ('en"', None), ("en-", None), ("a" * 36, None), ("français", None), ("eng\0", "en"),
    ],
)  # fmt: skip
def test_a_code_becomes_a_tag(sent: str, tag: str | None) -> None:
    assert bcp47(sent) == tag


def test_the_table_is_of_three_letters_to_two() -> None:
    assert {(len(three), len(two)) for three, two in TWO_LETTERS.items()} == {(3, 2)}
