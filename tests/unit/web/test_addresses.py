"""Who asks and where we are: proxies are believed when they are ours, and nobody else."""

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from server.config import HttpConfig
from server.web.addresses import Addresses


class Transport:
    def __init__(self, peer: str, tls: bool = False, own: Any = ("192.0.2.1", 8080)) -> None:
        self._known = {"peername": (peer, 5), "sslcontext": tls or None, "sockname": own}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._known.get(name, default)

    def is_closing(self) -> bool:
        return False


def asked(peer: str = "10.0.0.1", headers: Any = (), tls: bool = False, **more: Any) -> Any:
    transport = Transport(peer, tls, **more)
    return make_mocked_request("GET", "/", CIMultiDict(headers), transport=transport, sslcontext=tls or None)


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "ip"),
    [
        ([], "198.51.100.7", ["1.2.3.4"], "198.51.100.7"),
        (["10.0.0.0/8"], "198.51.100.7", ["1.2.3.4"], "198.51.100.7"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", [], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),  # what the client made up comes first
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4", "10.0.0.2"], "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["10.0.0.0/8"], "10.0.0.1", ["nonsense"], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.2.3.4, nonsense"], "10.0.0.1"),
        (["10.0.0.1"], "::ffff:10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        (["::1"], "::1", ["1.2.3.4"], "1.2.3.4"),
    ],
)
def test_the_client(trusted: list[str], peer: str, forwarded: list[str], ip: str) -> None:
    addresses = Addresses(HttpConfig(trusted_proxies=trusted))
    request = asked(peer, [("X-Forwarded-For", value) for value in forwarded])

    assert addresses.client_ip(request) == ip


FORWARDED = [("Host", "inside:8080"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "video.example.com")]


@pytest.mark.parametrize(
    ("config", "headers", "url"),
    [
        ({"public_url": "https://v.example.com/"}, FORWARDED, "https://v.example.com"),
        ({"public_url": "https://example.com/video"}, [], "https://example.com/video"),
        ({}, FORWARDED, "http://inside:8080"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, FORWARDED, "https://video.example.com"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, FORWARDED[:1], "http://inside:8080"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, [*FORWARDED[:1], ("X-Forwarded-Proto", "gopher")], "http://inside:8080"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, [("Host", "h"), ("X-Forwarded-Host", "a.test, b.test")], "http://a.test"),
        ({}, [("Host", "[2001:db8::1]:8080")], "http://[2001:db8::1]:8080"),
        ({}, [("Host", 'evil"><script>')], "http://192.0.2.1:8080"),
        ({}, [("Host", "a b")], "http://192.0.2.1:8080"),
        ({}, [("Host", "user@evil.test")], "http://192.0.2.1:8080"),
        ({}, [("Host", "evil.test/path")], "http://192.0.2.1:8080"),
        ({}, [], "http://192.0.2.1:8080"),
    ],
)
def test_where_we_are(config: dict[str, Any], headers: list[tuple[str, str]], url: str) -> None:
    assert Addresses(HttpConfig(**config)).base_url(asked(headers=headers)) == url


def test_sockets_of_other_kinds() -> None:
    addresses = Addresses(HttpConfig())

    assert addresses.base_url(asked(own=("::1", 8080, 0, 0))) == "http://[::1]:8080"
    assert addresses.base_url(asked(own="/run/sluice.sock")) == "http://localhost"


def test_tls_is_seen() -> None:
    assert Addresses(HttpConfig()).base_url(asked(headers=[("Host", "h")], tls=True)) == "https://h"


def test_a_bad_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Addresses(HttpConfig(trusted_proxies=["nonsense"]))
