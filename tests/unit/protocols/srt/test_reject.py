from server.protocols.srt.reject import WORDS, Code, words


def test_every_code_has_words() -> None:
    assert set(WORDS) == set(Code)
    assert len(set(WORDS.values())) == len(WORDS)


def test_codes_of_others_have_words_too() -> None:
    assert words(1404) == "there is no such stream"
    assert words(2718) == "refused with code 2718"


def test_the_numbers_of_the_field() -> None:
    """The draft, Table 7, less 1000; libsrt, access_control.h."""
    assert (Code.ROGUE, Code.VERSION, Code.BAD_SECRET, Code.UNSECURE) == (4, 8, 10, 11)
    assert (Code.FILTER, Code.GROUP) == (14, 15)
    assert (Code.BAD_REQUEST, Code.UNAUTHORIZED, Code.FORBIDDEN, Code.NOT_FOUND, Code.CONFLICT) == (
        1400, 1401, 1403, 1404, 1409,
    )  # fmt: skip
