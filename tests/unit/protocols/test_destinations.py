"""Which addresses may be called: the table is the specification."""

from ipaddress import ip_address

import pytest

from server.protocols.destinations import AddressRules, is_public

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.255", "2606:4700:4700::1111",
          "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]  # fmt: skip
CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.1",
    "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:0:4136:e378::1",
    "2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_called(text: str) -> None:
    assert is_public(ip_address(text))
    assert AddressRules().allows_address(text)


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_not_public_may_not(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not AddressRules().allows_address(text)


@pytest.mark.parametrize("text", ["", "127.1", "2130706433", "0x7f000001", "fe80::1%eth0", "2606:4700::1%2", "host"])
def test_what_is_no_plain_address_may_not(text: str) -> None:
    assert not AddressRules(["0.0.0.0/0", "::/0"]).allows_address(text)


@pytest.mark.parametrize(
    ("allowed", "address", "expected"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "192.168.0.1", False),
        (["10.1.2.3/8"], "10.9.9.9", True),  # bits behind the mask are no matter
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["::1"], "::1", True),
        (["fd00::/8"], "fd12::1", True),
        (["fd00::/8"], "10.0.0.1", False),
    ],
)
def test_networks_of_the_allow_list(allowed: list[str], address: str, expected: bool) -> None:
    assert AddressRules(allowed).allows_address(address) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("nas.lan", True), ("nas.lan.", True), ("x.nas.lan", False), ("a.example.com", True), ("a.b.example.com", True),
     ("example.com", False), ("badexample.com", False), ("other.lan", False)],
)  # fmt: skip
def test_names_of_the_allow_list(host: str, expected: bool) -> None:
    assert AddressRules(["NAS.lan", ".example.com"]).allows_name(host) is expected


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("example.com", 80, True),
        ("example.com", 443, True),
        ("example.com", 8080, True),
        ("example.com", 65535, True),
        ("example.com", 0, False),
        ("example.com", 22, False),
        ("example.com", 25, False),
        ("example.com", 6379, False),
        ("example.com", 2375, False),
        ("nas.lan", 22, True),
        ("10.0.0.1", 81, True),
        ("10.0.0.2", 81, False),
    ],
)
def test_ports(host: str, port: int, expected: bool) -> None:
    assert AddressRules(["nas.lan", "10.0.0.1"]).allows_port(host, port) is expected
