import pytest

from server.protocols.srt import key_material
from server.protocols.srt.key_material import Keyring
from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import EVEN, ODD
from server.protocols.srt.receive_keys import NO_SECRET, ReceiveKeys

SALT = bytes(range(16))
LIMITS = Limits(key_derivations_s=0.1)


def message(flag: int = ODD, size: int = 16, salt: bytes = SALT, passphrase: str = "a passphrase") -> bytes:
    return Keyring(passphrase).wrap({flag: key_material.new_cipher(size, salt)}, salt).pack()


@pytest.fixture
def keys() -> ReceiveKeys:
    return ReceiveKeys(Keyring("a passphrase"), {EVEN: key_material.new_cipher(16, SALT)}, 16, LIMITS)


def test_a_key_is_taken_and_confirmed_as_often_as_it_comes(keys: ReceiveKeys) -> None:
    announced = message()
    assert keys.take(announced, 0) == announced
    odd = keys.ciphers[ODD]
    assert keys.take(announced, 1) == announced
    assert keys.ciphers[ODD] is odd
    assert set(keys.ciphers) == {EVEN, ODD}


@pytest.mark.parametrize(
    "wrong", [b"", b"nonsense", message(passphrase="another one")], ids=["empty", "noise", "another passphrase"]
)
def test_what_can_not_be_read_is_answered_with_a_word(keys: ReceiveKeys, wrong: bytes) -> None:
    assert keys.take(wrong, 0) == b"\0\0\0\4"
    assert set(keys.ciphers) == {EVEN}


def test_another_length_is_not_answered(keys: ReceiveKeys) -> None:
    assert keys.take(message(size=32), 0) is None
    assert set(keys.ciphers) == {EVEN}


def test_derivations_have_a_pace(keys: ReceiveKeys) -> None:
    first, second = message(salt=bytes(16)), message(salt=bytes([1] * 16))
    assert keys.take(first, 0) == first
    assert keys.take(second, 99_999) is None
    assert keys.take(second, 100_000) == second


def test_a_connection_in_plain_has_a_word_of_its_own() -> None:
    assert NO_SECRET == b"\0\0\0\3"
