"""Which country an address is in, by a file in MaxMind's format that the operator names."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import maxminddb

CACHED = 16_384  # addresses
FIELDS = ("country", "registered_country")  # the second where the first is not known
CODE = 2  # letters of ISO 3166-1 alpha-2

CountryOf = Callable[[str], str | None]


def from_file(path: Path) -> CountryOf:
    """Looks addresses up; None where nothing is known of one. Raises ValueError, with a sentence, OSError.

    The file is read once, into memory: replacing it under a running server changes nothing until it starts again.
    """
    try:
        reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except maxminddb.InvalidDatabaseError as error:
        raise ValueError(f"{path} is no database in MaxMind's format: {error}") from None

    @lru_cache(maxsize=CACHED)
    def country_of(ip: str) -> str | None:
        try:
            return _code(reader.get(ip))
        except (ValueError, maxminddb.InvalidDatabaseError):  # no address, or one that the file can't have
            return None

    return country_of


def _code(record: Any) -> str | None:
    for field in FIELDS if isinstance(record, dict) else ():
        named = record.get(field)
        code = named.get("iso_code") if isinstance(named, dict) else None
        if isinstance(code, str) and len(code) == CODE:
            return code.upper()
    return None
