from server.protocols.srt.errors import HandshakeError, KeyMaterialError, SrtError
from server.protocols.srt.reject import Code


def test_an_error_says_its_code_in_words() -> None:
    error = HandshakeError(Code.FILTER)
    assert (error.code, str(error)) == (Code.FILTER, "packet filters (FEC) are not supported")


def test_or_in_words_of_its_own() -> None:
    error: SrtError = KeyMaterialError(Code.FORBIDDEN, "too short")
    assert (error.code, str(error)) == (Code.FORBIDDEN, "too short")
