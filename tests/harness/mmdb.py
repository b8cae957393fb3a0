"""Databases of countries in MaxMind's format, small ones (https://maxmind.github.io/MaxMind-DB/)."""

import ipaddress
from collections.abc import Mapping
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
STRING, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 5, 6, 7, 9, 11
BITS = 24  # of a record


def mmdb(countries: Mapping[str, Any]) -> bytes:
    """A database for IPv4: networks, and the record of each."""
    nodes: list[list[Any]] = [[None, None]]
    data, places = b"", {}
    for network, record in countries.items():
        places[network] = len(data)
        data += _coded(record)
    for network in countries:
        found = ipaddress.ip_network(network)
        bits = f"{int(found.network_address):032b}"[: found.prefixlen]
        at = 0
        for bit in bits[:-1]:
            if nodes[at][int(bit)] is None:
                nodes.append([None, None])
                nodes[at][int(bit)] = len(nodes) - 1
            at = nodes[at][int(bit)]
        nodes[at][int(bits[-1])] = network
    count = len(nodes)

    def pointer(record: Any) -> bytes:
        if record is None:
            return count.to_bytes(3, "big")
        value = record if isinstance(record, int) else count + 16 + places[record]
        return int(value).to_bytes(3, "big")

    tree = b"".join(pointer(side) for node in nodes for side in node)
    metadata = {
        "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, 1), "database_type": "Test", "description": {"en": "a test"}, "ip_version": (UINT16, 4),
        "languages": [], "node_count": (UINT32, count), "record_size": (UINT16, BITS),
    }  # fmt: skip
    return tree + bytes(16) + data + MARKER + _coded(metadata)


def _coded(value: Any) -> bytes:
    if isinstance(value, dict):
        return _head(MAP, len(value)) + b"".join(_coded(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return _head(ARRAY, len(value)) + b"".join(map(_coded, value))
    if isinstance(value, str):
        return _head(STRING, len(value)) + value.encode()
    kind, number = value
    coded = number.to_bytes(8, "big").lstrip(b"\0")
    return _head(kind, len(coded)) + bytes(coded)


def _head(kind: int, size: int) -> bytes:
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
