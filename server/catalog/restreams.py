"""The targets that a live stream is restreamed to: entries of its JSON column, each with an id of its own.

    {"restreamId", "name", "serverUrl", "streamKey", "enabled"}
"""

from collections.abc import Iterable, Mapping
from typing import Any

from server import ids
from server.catalog import live_streams
from server.catalog.database import Transaction
from server.catalog.models import LiveStream

Entry = Mapping[str, Any]


def new(name: str, server_url: str, stream_key: str, enabled: bool = True) -> Entry:
    return {
        "restreamId": ids.new("rs"), "name": name, "serverUrl": server_url, "streamKey": stream_key, "enabled": enabled,
    }  # fmt: skip


def merged(known: Iterable[Entry], wanted: Iterable[Entry]) -> list[Entry]:
    """The wanted entries, which have no ids, in place of the known ones: who leads to the same place with the same key
    keeps its id and goes on."""
    free = list(known)
    found: list[Entry] = []
    for entry in wanted:
        same = next((each for each in free if _place(each) == _place(entry)), None)
        if same is None:
            found.append(new(entry["name"], entry["serverUrl"], entry["streamKey"], entry.get("enabled", True)))
        else:
            free.remove(same)
            found.append({**same, **entry})
    return found


def find(stream: LiveStream, restream_id: str) -> Entry | None:
    return next((each for each in stream.restreams if each["restreamId"] == restream_id), None)


async def put(transaction: Transaction, stream: LiveStream, entry: Entry) -> None:
    """Adds an entry, or replaces the one with its id."""
    others = [entry if each["restreamId"] == entry["restreamId"] else each for each in stream.restreams]
    stream.restreams = others if entry in others else [*others, entry]
    await live_streams.tell(transaction, stream, "updated", changed=["restreams"])


async def remove(transaction: Transaction, stream: LiveStream, restream_id: str) -> None:
    stream.restreams = [each for each in stream.restreams if each["restreamId"] != restream_id]
    await live_streams.tell(transaction, stream, "updated", changed=["restreams"])


def _place(entry: Entry) -> tuple[str, str]:
    return entry["serverUrl"], entry["streamKey"]
