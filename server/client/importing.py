"""A table of URLs given to a server, and how far it is with them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server.client.api import Api, Unreachable

POLL_S = 1.0
POLL_TRIES = 30  # in a row, of a server that may be restarting
ENDED = frozenset({"done", "error", "aborted", "deleted"})


def import_file(
    api: Api, path: Path, began: Callable[[dict[str, Any]], None], moved: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Waits until every video has ended; what the API says then. `began` hears of the first answer, `moved` of each
    later one. Raises OSError, Refused, Unreachable."""
    found = api.send("POST", "/videos/import", path.read_bytes(), headers={"Content-Type": "text/csv"}).json
    began(found)
    misses = 0
    while unfinished(found):
        time.sleep(POLL_S)
        try:
            found, misses = api.call("GET", f"/videos/import/{found['importId']}"), 0
        except Unreachable as error:
            misses += 1
            if misses == POLL_TRIES:
                raise Unreachable(f"{error}; it goes on with the import by itself") from None
            continue
        moved(found)
    return dict(found)


def unfinished(found: dict[str, Any]) -> int:
    """How many videos have not ended."""
    ended: int = sum(count for state, count in found["states"].items() if state in ENDED)
    return int(found["total"]) - ended
