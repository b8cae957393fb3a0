"""Countries of addresses, by a database."""

from pathlib import Path

import pytest

from server.playback.countries import from_file
from tests.harness.mmdb import mmdb

RECORDS = {
    "192.0.2.0/24": {"country": {"iso_code": "FR"}},
    "198.51.100.0/24": {"registered_country": {"iso_code": "be"}},
    "203.0.113.0/24": {"country": {"iso_code": "nowhere"}},
    "203.0.114.0/24": "no record",
}


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("192.0.2.7", "FR"),
        ("198.51.100.255", "BE"),
        ("203.0.113.1", None),
        ("203.0.114.1", None),
        ("127.0.0.1", None),
        ("::1", None),  # the file has IPv4 alone
        ("", None),
        ("nonsense", None),
    ],
)
def test_an_address(tmp_path: Path, address: str, country: str | None) -> None:
    (tmp_path / "countries.mmdb").write_bytes(mmdb(RECORDS))

    assert from_file(tmp_path / "countries.mmdb")(address) == country


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / "countries.mmdb").write_bytes(b"no database")

    with pytest.raises(ValueError, match="is no database in MaxMind's format"):
        from_file(tmp_path / "countries.mmdb")
    with pytest.raises(FileNotFoundError):
        from_file(tmp_path / "absent.mmdb")
