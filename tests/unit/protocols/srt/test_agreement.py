from dataclasses import replace

import pytest

from server.protocols.srt import handshake as shake
from server.protocols.srt import key_material
from server.protocols.srt.agreement import agree, agree_keys, agree_window, read_request, reply_to
from server.protocols.srt.errors import HandshakeError, KeyMaterialError
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.key_material import Keyring
from server.protocols.srt.limits import DEFAULT_LIMITS
from server.protocols.srt.packet import EVEN, ODD, Address
from server.protocols.srt.reject import Code

HERE: Address = ("192.0.2.1", 5)
SALT = bytes(range(16))
HANDSHAKE = Handshake(5, 2, 1, 1234, 1400, 8192, shake.CONCLUSION, 7, 1)
EXTENSIONS = Extensions(0x010503, shake.OUR_FLAGS, 200, 300, stream_id=b"key")


def message(flag: int, size: int) -> bytes:
    return Keyring("a passphrase").wrap({flag: key_material.new_cipher(size, SALT)}, SALT).pack()


def test_a_request_and_its_answer() -> None:
    material = message(EVEN, 32)
    asked = replace(EXTENSIONS, key_material=material)
    request = read_request(HANDSHAKE, asked, HERE, DEFAULT_LIMITS)
    assert (request.stream_id, request.key_bits, request.latency_ms) == ("key", 256, 300)
    agreement = agree(HANDSHAKE, asked, request, 99, 250, 5, DEFAULT_LIMITS)
    assert (agreement.latency_ms, agreement.send_latency_ms, agreement.payload) == (300, 250, 1356)
    reply = reply_to(HANDSHAKE, asked, agreement, DEFAULT_LIMITS)
    assert (reply.socket_id, reply.initial_sequence, reply.mtu, reply.cookie) == (99, 1234, 1400, 0)
    answered = shake.read_response(reply)
    assert (answered.receive_latency_ms, answered.send_latency_ms, answered.key_material) == (300, 250, material)


def test_unreadable_requests() -> None:
    for changes, code in (({"stream_id": b"\xff"}, Code.BAD_REQUEST), ({"key_material": bytes(9)}, Code.ROGUE)):
        with pytest.raises(HandshakeError) as error:
            read_request(HANDSHAKE, replace(EXTENSIONS, **changes), HERE, DEFAULT_LIMITS)  # type: ignore[arg-type]
        assert error.value.code == code


@pytest.mark.parametrize("flag", [EVEN, ODD])
def test_both_directions_begin_with_the_callers_key(flag: int) -> None:
    keys = agree_keys(message(flag, 24), "a passphrase", 192, DEFAULT_LIMITS)
    assert keys is not None
    assert keys.size == 24
    assert keys.send.for_next() == (flag, keys.receive.ciphers[flag])


@pytest.mark.parametrize(
    ("material", "passphrase", "bits", "code"),
    [
        (b"", "a passphrase", 0, Code.UNSECURE),
        (message(EVEN, 16), "", 0, Code.UNSECURE),
        (message(EVEN, 16), "another one", 0, Code.BAD_SECRET),
        (message(EVEN, 16), "a passphrase", 192, Code.FORBIDDEN),
    ],
    ids=["no key", "no passphrase", "another passphrase", "too short"],
)
def test_where_there_is_no_agreement(material: bytes, passphrase: str, bits: int, code: Code) -> None:
    with pytest.raises(KeyMaterialError) as error:
        agree_keys(material, passphrase, bits, DEFAULT_LIMITS)
    assert error.value.code == code


def test_in_plain_there_are_no_keys() -> None:
    assert agree_keys(b"", "", 256, DEFAULT_LIMITS) is None


@pytest.mark.parametrize(("theirs", "window"), [(0, 2), (100, 100), (1 << 31, 8192)])
def test_the_window_has_bounds(theirs: int, window: int) -> None:
    assert agree_window(theirs, DEFAULT_LIMITS) == window
