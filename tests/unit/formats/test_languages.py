"""Languages as publishers send them, and as manifests must name them."""

import pytest

from server.formats.languages import BIBLIOGRAPHIC, TWO_LETTERS, bcp47, three_letters


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


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "eng"), ("pt-BR", "por"), ("de", "deu"), ("fre", "fra"), ("gsw", "gsw"), ("xx", "und"), ("", "und"),
        ("français", "und"), ("klingon", "und"),
    ],
)  # fmt: skip
def test_a_tag_becomes_a_code(tag: str, code: str) -> None:
    assert three_letters(tag) == code


def test_each_language_has_one_code_that_is_not_of_libraries() -> None:
    assert TWO_LETTERS.keys() > BIBLIOGRAPHIC
    for two in set(TWO_LETTERS.values()):
        (code,) = {three for three in TWO_LETTERS if TWO_LETTERS[three] == two} - BIBLIOGRAPHIC
        assert three_letters(two) == code


def test_the_table_is_of_three_letters_to_two() -> None:
    assert {(len(three), len(two)) for three, two in TWO_LETTERS.items()} == {(3, 2)}
