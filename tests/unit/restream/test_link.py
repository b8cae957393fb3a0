"""Where targets may be."""

import socket

import pytest

from server.restream.link import LinkFailed, resolve


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "::1", "169.254.169.254", "localhost"])
async def test_private_addresses_may_be_refused(host: str) -> None:
    assert await resolve(host, 1, socket.SOCK_STREAM, private=True)
    with pytest.raises(LinkFailed, match="private address") as failed:
        await resolve(host, 1, socket.SOCK_STREAM, private=False)
    assert failed.value.lasting


async def test_public_addresses_are_allowed() -> None:
    assert await resolve("8.8.8.8", 1935, socket.SOCK_STREAM, private=False) == [("8.8.8.8", 1935)]
