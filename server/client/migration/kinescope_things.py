"""What Kinescope has beside videos, from its JSON: what is odd of a thing is left out, or made what can be kept."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from server.client.migration.library import (
    SourceAnnotation,
    SourceMaterial,
    SourcePlayer,
    SourcePlaylist,
    items,
    text,
    words,
)

TITLE_CHARS = 1000
NAME_CHARS = 255
NOTE_CHARS = 5000
FILENAME_CHARS = 255
FILETYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,50}/[A-Za-z0-9!#$&^_.+-]{1,49}", re.ASCII)
ANY_TYPE = "application/octet-stream"
KINDS = frozenset({"video", "text", "video/text"})
PRIVACY = frozenset({"anywhere", "nowhere", "custom"})
SORTED_BY = frozenset({"custom", "title", "duration", "created_at", "updated_at"})
ORDERS = frozenset({"asc", "desc"})
HIDDEN = "nowhere"  # where it is not known who may watch


def player(id: str, found: Mapping[str, Any]) -> SourcePlayer:
    settings = found.get("settings")
    return SourcePlayer(
        id, text(found, "name"), {}, logo_url=text(found, "logo") or None,
        settings=settings if isinstance(settings, Mapping) else {}, ads=tuple(items(found.get("ads"))),
    )  # fmt: skip


def annotation(found: Mapping[str, Any]) -> SourceAnnotation:
    kind, link = text(found, "type"), text(found, "link")
    return SourceAnnotation(
        id=text(found, "id"),
        title=_title(text(found, "title"), TITLE_CHARS, link),
        link=link,
        kind=kind if kind in KINDS else "text",
        start_ms=_whole(found.get("start_time")),
        end_ms=_whole(found.get("end_time")),
    )


def material(found: Mapping[str, Any]) -> SourceMaterial:
    filename = text(found, "filename").replace("\0", "").replace("\\", "/").rpartition("/")[2].strip()
    filename = filename[:FILENAME_CHARS].strip() or "file"
    filetype = text(found, "filetype").lower()
    return SourceMaterial(
        id=text(found, "id"),
        title=_title(text(found, "title"), TITLE_CHARS, filename).strip(),
        filename=filename,
        filetype=filetype if FILETYPE.fullmatch(filetype) else ANY_TYPE,
        size=_whole(found.get("size")),
    )


def playlist(
    id: str,
    found: Mapping[str, Any],
    folders: Mapping[str, tuple[str, ...]],
    players: Mapping[str, SourcePlayer],
) -> SourcePlaylist:
    privacy = text(found, "privacy_type")
    return SourcePlaylist(
        id=id,
        name=_title(text(found, "name") or text(found, "title"), NAME_CHARS, id),
        description=text(found, "description").replace("\0", "")[:NOTE_CHARS],
        folder=folders.get(text(found, "parent_id"), ()),
        player=players.get(text(found, "player_id")),
        privacy_type=privacy if privacy in PRIVACY else HIDDEN,
        privacy_domains=words(found.get("privacy_domains")),
        tags=words(found.get("tags")),
        settings=_settings(found.get("settings")),
    )


def entries(found: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """In the order of their positions, where all have one: they may be listed as they are sorted to be shown."""
    if all(type(one.get("position")) is int for one in found):
        found = sorted(found, key=lambda one: int(one["position"]))
    return [text(one, "id") for one in found if text(one, "id")]


def _settings(found: Any) -> Mapping[str, Any]:
    given = found if isinstance(found, Mapping) else {}
    column, order = text(given, "sort_field"), text(given, "sort_order")
    return {
        "sort_field": column if column in SORTED_BY else "custom",
        "sort_order": order if order in ORDERS else "asc",
        "ignore_interactive_tools": given.get("ignore_interactive_tools") is True,
    }


def _title(said: str, limit: int, otherwise: str) -> str:
    found = said.replace("\0", "")[:limit]
    return found if found.strip() else otherwise[:limit]


def _whole(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 53 else 0
