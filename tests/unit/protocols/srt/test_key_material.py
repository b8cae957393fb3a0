from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from server.protocols.srt import key_material
from server.protocols.srt.errors import KeyMaterialError
from server.protocols.srt.key_material import Keyring, StreamCipher, Wrapped
from server.protocols.srt.packet import EVEN, ODD
from server.protocols.srt.reject import Code

SALT = bytes(range(16))


def code_of(message: bytes) -> Code:
    with pytest.raises(KeyMaterialError) as error:
        key_material.parse(message)
    return error.value.code


@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.parametrize("flags", [(EVEN,), (ODD,), (EVEN, ODD)])
def test_keys_survive_the_wire(size: int, flags: tuple[int, ...]) -> None:
    ciphers = {flag: key_material.new_cipher(size, SALT) for flag in flags}
    message = Keyring("a passphrase").wrap(ciphers, SALT).pack()
    found = Keyring("a passphrase").unwrap(key_material.parse(message))
    assert {flag: found[flag].key for flag in found} == {flag: ciphers[flag].key for flag in flags}


def test_the_message_is_laid_out_as_the_draft_has_it() -> None:
    message = Keyring("a passphrase").wrap({ODD: StreamCipher(bytes(16), SALT)}, SALT).pack()
    assert message[:16].hex() == "12" "2029" "02" "00000000" "02" "00" "02" "00" "0000" "04" "04"
    assert message[16:32] == SALT
    assert len(message) == 32 + 8 + 16


def test_the_counter_is_the_salt_xor_the_sequence_number() -> None:
    """Against AES in ECB mode on counters written out by hand (the draft, 6.1.2)."""
    key, sequence, payload = bytes(range(16)), 0x7ABC_DEF0, bytes(40)
    counters = b"".join(
        SALT[:10] + (int.from_bytes(SALT[10:14], "big") ^ sequence).to_bytes(4, "big") + block.to_bytes(2, "big")
        for block in range(3)
    )
    expected = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)
    cipher = StreamCipher(key, SALT)
    assert cipher.apply(sequence, payload) == expected[:40]
    assert cipher.apply(sequence, memoryview(expected)[:40]) == payload


def test_another_passphrase_is_found_out() -> None:
    wrapped = Keyring("a passphrase").wrap({EVEN: key_material.new_cipher(16, SALT)}, SALT)
    with pytest.raises(KeyMaterialError) as error:
        Keyring("another one").unwrap(wrapped)
    assert error.value.code == Code.BAD_SECRET


def test_a_key_is_derived_once_for_a_salt() -> None:
    keyring = Keyring("a passphrase")
    wrapped = keyring.wrap({EVEN: key_material.new_cipher(16, SALT)}, SALT)
    assert keyring.knows(wrapped)
    assert not keyring.knows(replace(wrapped, salt=bytes(16)))
    assert not keyring.knows(replace(wrapped, key_size=32))


GOOD = Wrapped(EVEN, SALT, 16, bytes(24)).pack()
MALFORMED = {
    "empty": (b"", Code.ROGUE),
    "a status word": (bytes(4), Code.ROGUE),
    "cut in the salt": (GOOD[:20], Code.ROGUE),
    "cut in the key": (GOOD[:-1], Code.ROGUE),
    "another version": (b"\x22" + GOOD[1:], Code.ROGUE),
    "another signature": (GOOD[:1] + b"\0\0" + GOOD[3:], Code.ROGUE),
    "no key": (GOOD[:3] + b"\0" + GOOD[4:], Code.ROGUE),
    "AES-GCM": (GOOD[:8] + b"\x03\x01" + GOOD[10:], Code.CRYPTO),
    "a salt of 64 bits": (GOOD[:14] + b"\x02" + GOOD[15:], Code.ROGUE),
    "a key of 64 bits": (GOOD[:15] + b"\x02" + GOOD[16:], Code.ROGUE),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_messages(case: str) -> None:
    message, code = MALFORMED[case]
    assert code_of(message) == code


@given(st.binary(max_size=120), st.integers(0, 60))
def test_any_message_is_read_or_refused(noise: bytes, cut: int) -> None:
    for message in (noise, GOOD[:cut] + noise):
        try:
            wrapped = key_material.parse(message)
        except KeyMaterialError:
            continue
        with pytest.raises(KeyMaterialError):
            Keyring("a passphrase").unwrap(wrapped)
