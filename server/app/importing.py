"""`sluice import`: a table of URLs given to a server, and how far it is with them. A client of the API, no more."""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.config import Config
from server.storage.layout import Layout

CALL_TIMEOUT_S = 60.0
POLL_S = 1.0
POLL_TRIES = 30  # in a row, of a server that may be restarting
ENDED = frozenset({"done", "error", "aborted", "deleted"})


class ImportFailed(Exception):
    """Sentences, a line each, for the terminal."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is, and the key it is called with."""

    url: str
    key: str

    def call(self, path: str, body: bytes | None = None) -> Any:
        """The JSON of an answer. Raises ImportFailed, ConnectionError."""
        headers = {"Authorization": "Basic " + base64.b64encode(f"{self.key}:".encode()).decode()}
        if body is not None:
            headers["Content-Type"] = "text/csv"
        try:
            request = urllib.request.Request(self.url.rstrip("/") + path, body, headers)
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ImportFailed(_sentences(error.code, error.read())) from None
        except (OSError, ValueError) as error:
            raise ConnectionError(f"{self.url} can't be reached: {getattr(error, 'reason', error)}") from None


def server(config: Config, url: str | None, key: str | None) -> Server:
    """By default the server of the configuration, with its owner's key. Raises ImportFailed."""
    if url is None:
        host = "127.0.0.1" if config.http.host in ("0.0.0.0", "::", "") else config.http.host
        url = config.http.public_url or f"http://{f'[{host}]' if ':' in host else host}:{config.http.port}"
    if key is None:
        given, path = config.auth.owner_key, Layout(config.storage.path.resolve()).owner_key
        try:
            key = given.get_secret_value() if given else path.read_text().strip()
        except OSError:
            raise ImportFailed(f"Give an API key by --key: the owner's is not in {path}.") from None
    return Server(url, key)


def import_file(
    server: Server, path: Path, began: Callable[[dict[str, Any]], None], moved: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Waits until every video has ended; what the API says then. `began` hears of the first answer, `moved` of each
    later one. Raises ImportFailed."""
    try:
        found = server.call("/videos/import", path.read_bytes())
    except OSError as error:
        raise ImportFailed(str(error)) from None
    began(found)
    misses = 0
    while unfinished(found):
        time.sleep(POLL_S)
        try:
            found, misses = server.call(f"/videos/import/{found['importId']}"), 0
        except ConnectionError as error:
            misses += 1
            if misses == POLL_TRIES:
                raise ImportFailed(f"{error}; it goes on with the import by itself") from None
            continue
        moved(found)
    return dict(found)


def unfinished(found: dict[str, Any]) -> int:
    """How many videos have not ended."""
    ended: int = sum(count for state, count in found["states"].items() if state in ENDED)
    return int(found["total"]) - ended


def _sentences(status: int, body: bytes) -> str:
    try:
        said = json.loads(body)
        problems = said.get("problems") or [said]
        lines = [": ".join(filter(None, (one.get("name"), one.get("detail") or one.get("title")))) for one in problems]
    except (ValueError, AttributeError):
        lines = [f"The server answered with the status {status}."]
    return "\n".join(lines)
