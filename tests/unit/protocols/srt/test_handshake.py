from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocols.srt import handshake as shake
from server.protocols.srt import key_material
from server.protocols.srt.errors import HandshakeError
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.key_material import Keyring
from server.protocols.srt.packet import EVEN, HANDSHAKE, control
from server.protocols.srt.reject import Code

FFMPEG = [
    bytes.fromhex(
        "8000000000000000000009a600000000000000040000000218f986e2000005dc000020000000000124f6e64e00000000"
        "0100007f000000000000000000000000"
    ),
    bytes.fromhex(
        "800000000000000000003b5e00000000000000050003000718f986e2000005dc00002000ffffffff24f6e64e4f4c3005"
        "0100007f0000000000000000000000000001000300010501000000bf00fa00fa000500026576696c6362612f00030010"
        "12202901000000000200020000000406baf6d5f2f22d067b75979b0b484ca77578f06d845c783cb1d20423cf4ccc18ea"
        "eb941656f8095f2b79d360846c274f00"
    ),
]

EXTENSIONS = Extensions(0x010503, shake.OUR_FLAGS, 120, 200, bytes(range(72)), b"live/abc")


def conclusion(packed: bytes, **changes: int) -> Handshake:
    made = Handshake(5, 2, 7, 1234, 1500, 8192, shake.CONCLUSION, 99, 42, bytes(16), packed)
    return replace(made, **changes)


def request(extensions: Extensions = EXTENSIONS) -> bytes:
    return shake.pack_extensions(extensions, response=False)[1]


def code_of(handshake: Handshake) -> Code:
    with pytest.raises(HandshakeError) as error:
        shake.read_extensions(handshake)
    return error.value.code


def test_the_handshakes_of_ffmpeg() -> None:
    """5.1 with libsrt 1.5.1, srt://…?streamid=live/abc&passphrase=0123456789ab&pbkeylen=24&latency=250000"""
    induction, conclusion = (shake.read(datagram) for datagram in FFMPEG)
    assert (induction.type, induction.version, induction.extension_flags) == (shake.INDUCTION, 4, shake.UDT_DATAGRAM)
    assert (conclusion.type, conclusion.encryption, conclusion.cookie) == (shake.CONCLUSION, 3, 0x4F4C3005)
    assert conclusion.initial_sequence == 0x18F986E2
    assert conclusion.peer_ip == shake.pack_ip(("127.0.0.1", 1))
    found = shake.read_extensions(conclusion)
    assert (found.library, found.receive_latency_ms, found.send_latency_ms) == (0x010501, 250, 250)
    assert found.stream_id == b"live/abc"
    wrapped = key_material.parse(found.key_material)
    assert set(Keyring("0123456789ab").unwrap(wrapped)) == {EVEN}
    assert wrapped.key_size == 24


def test_a_handshake_survives_the_wire() -> None:
    made = conclusion(request())
    assert shake.read(control(HANDSHAKE, 0, 0, 0, made.pack())) == made
    assert shake.read_extensions(made) == EXTENSIONS


def test_a_response_survives_the_wire() -> None:
    flags, packed = shake.pack_extensions(replace(EXTENSIONS, stream_id=b""), response=True)
    assert flags == shake.HAS_HSREQ | shake.HAS_KMREQ
    assert shake.read_response(conclusion(packed)) == replace(EXTENSIONS, stream_id=b"")


def test_the_stream_id_lies_in_little_endian_words() -> None:
    """The draft, 3.2.1.3."""
    assert shake.swap(b"abcdefg") == b"dcba" b"\0gfe"
    assert shake.unswap(b"dcba" b"\0gfe") == b"abcdefg"


@pytest.mark.parametrize(
    ("address", "packed"),
    [
        (("127.0.0.1", 1), "0100007f" + "00" * 12),
        (("2001:db8::1", 1, 0, 0), "b80d0120" "00000000" "00000000" "01000000"),
        (("fe80::1%eth0", 1, 0, 2), "000080fe" "00000000" "00000000" "01000000"),
        (("not an address", 1), "00" * 16),
    ],
)
def test_addresses_lie_in_words_of_the_host(address: shake.Address, packed: str) -> None:
    assert shake.pack_ip(address).hex() == packed


def test_versions_are_read_by_people() -> None:
    assert shake.library_text(0x010503) == "1.5.3"


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + (len(content) // 4).to_bytes(2, "big") + content


REFUSED = {
    "HSv4": (conclusion(request(), version=4), Code.VERSION),
    "a library before 1.3": (conclusion(request(replace(EXTENSIONS, library=0x010206))), Code.VERSION),
    "no HSREQ": (conclusion(b""), Code.ROGUE),
    "a short HSREQ": (conclusion(extension(1, bytes(8))), Code.ROGUE),
    "a length past the end": (conclusion(request()[:-4]), Code.ROGUE),
    "two of a kind": (conclusion(request() * 2), Code.ROGUE),
    "a sequence of 32 bits": (conclusion(request(), initial_sequence=1 << 31), Code.ROGUE),
    "no socket id": (conclusion(request(), socket_id=0), Code.ROGUE),
    "an MTU without room": (conclusion(request(), mtu=44), Code.ROGUE),
    "stream mode": (conclusion(request(replace(EXTENSIONS, flags=0x40))), Code.MESSAGE_API),
    "file congestion control": (conclusion(request() + extension(6, b"elif")), Code.CONGESTION),
    "a packet filter": (conclusion(request() + extension(7, b",cef")), Code.FILTER),
    "a group": (conclusion(request() + extension(8, bytes(8))), Code.GROUP),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_and_with_which_code(case: str) -> None:
    handshake, code = REFUSED[case]
    assert code_of(handshake) == code


def test_unknown_extensions_and_live_congestion_control_are_fine() -> None:
    packed = request() + extension(6, b"evil") + extension(77, bytes(400))
    assert shake.read_extensions(conclusion(packed)) == EXTENSIONS


def test_a_refusal_carries_its_code_over_a_thousand() -> None:
    refusal = conclusion(request()).refusal(Code.NOT_FOUND)
    assert (refusal.type, refusal.extensions, refusal.extension_flags) == (2404, b"", 0)


@given(st.binary(max_size=300))
def test_any_extensions_are_read_or_refused(packed: bytes) -> None:
    for read in (shake.read_extensions, shake.read_response):
        with suppress(HandshakeError):
            read(conclusion(packed))


def test_a_short_packet_is_no_handshake() -> None:
    with pytest.raises(HandshakeError):
        shake.read(bytes(63))
