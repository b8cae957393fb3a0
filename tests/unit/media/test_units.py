"""Packets own what is in them."""

import pytest

from server.media import units


@pytest.mark.parametrize("data", [b"", b"abc", bytes(100_000)])
def test_a_packet_has_a_copy(data: bytes) -> None:
    packet = units.packet(memoryview(data))
    assert bytes(packet) == data
    assert packet.size == len(data)


def test_what_was_read_into_can_be_used_again() -> None:
    data = bytearray(b"abc")
    packet = units.packet(memoryview(data))
    data[:] = b"xyz"
    assert bytes(packet) == b"abc"
