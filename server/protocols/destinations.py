"""Which addresses and ports may be called for users. Pure: names are resolved elsewhere, before each connection.

Sources: IANA's registries of special-purpose addresses (RFC 6890), RFC 4291, RFC 6052, and what cloud providers
publish of their metadata services.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

# IPv4 that is not on the public Internet, or not a host there.
CLOSED_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network; Linux takes 0.0.0.0 for the machine itself
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carriers' NAT; metadata of Alibaba Cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's platform, in its machines
            "169.254.0.0/16",  # link-local; metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
# IPv6 is closed but for the block that addresses are given out of, less what is carved out of that.
OPEN_6 = IPv6Network("2000::/3")
CLOSED_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: any IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
# What an IPv6 address of these holds in its last 32 bits is the IPv4 address that is called.
MAPPED, NAT64 = IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96")

WEB_PORTS = frozenset({80, 443})
# Where HTTP is never served, and a request could be taken for something else.
CLOSED_PORTS = frozenset(
    {1433, 1521, 1719, 1720, 1723, 2049, 2375, 2379, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672, 6000, 6379}
    | {6566, *range(6665, 6670), 6697, 9042, 9092, 9200, 10080, 10250, 11211, 27017}
)
FIRST_FREE_PORT = 1024


class AddressRules:
    """`allowed`: host names (`.example.com`: all names below it), addresses and networks that may be called anyway."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: set[str] = set()
        for entry in allowed:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))

    def allows_name(self, host: str) -> bool:
        """Whether whatever the name stands for may be called; `host` is in lower case."""
        host = host.rstrip(".")
        labels = host.split(".")
        above = {"." + ".".join(labels[at:]) for at in range(1, len(labels))}
        return host in self._names or not self._names.isdisjoint(above)

    def allows_address(self, text: str) -> bool:
        """Whether the address may be called. One that is no address at all may not."""
        try:
            address = _called(ip_address(text))
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return False  # of one of our own interfaces
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        return is_public(address)

    def allows_port(self, host: str, port: int) -> bool:
        """`host` is a name or an address."""
        if port in WEB_PORTS or (port >= FIRST_FREE_PORT and port not in CLOSED_PORTS):
            return True
        return self.allows_name(host) or self._names_address(host)

    def _names_address(self, host: str) -> bool:
        try:
            address = _called(ip_address(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks if network.version == address.version)


PUBLIC = AddressRules()  # no more than what anybody may call


def is_public(address: Address) -> bool:
    """Whether anybody on the Internet reaches the same host under the address."""
    address = _called(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in CLOSED_4)
    return address in OPEN_6 and not any(address in network for network in CLOSED_6)


def _called(address: Address) -> Address:
    """The IPv4 address that a packet to this IPv6 address ends up at, where that is so."""
    if isinstance(address, IPv6Address) and (address in MAPPED or address in NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
