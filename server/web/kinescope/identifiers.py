"""UUIDs of objects.

Our ids are UUIDs written in base58 behind a prefix, so each has its one UUID, on whatever database. Things of ours
that have no id but names within something that has one are given a UUID made of both, in the manner of version 5.
"""

import uuid
from collections.abc import Mapping

from server import ids
from server.errors import Problem
from server.web.typed import Naming, Operations

_BASE58 = 22  # characters at the end of an id
_NAMES = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562, section 6.6: names that are OIDs

# path parameters that are ids, and the prefix of their canonical spelling; "": what is known by a made UUID
PATH_IDS: Mapping[str, str] = {
    "project_id": "fo",
    "folder_id": "fo",
    "video_id": "vi",
    "poster_id": "po",
    "subtitle_id": "",
    "annotation_id": "an",
    "material_id": "ma",
    "playlist_id": "py",
    "media_id": "vi",
    "token_id": "key_",
    "player_id": "pl",
    "file_request_id": "fr",
    "domain_id": "pd",
    "tag_id": "ta",
    "moderator_id": "mo",
    "webhook_id": "webhook_",
    "zone_id": "zo",
    "event_id": "li",
    "restream_id": "rs",
    "stream_id": "br",
}
NAMING = Naming(PATH_IDS, "invalid-id")


def kinescope_operations(tag: str) -> Operations:
    """Of one resource of the dialect."""
    return Operations(tag, NAMING)


def uuid_of(id: str) -> str:
    """The UUID of an id of ours, whatever its prefix. Raises ids.InvalidId."""
    return str(ids.to_uuid("", id[-_BASE58:]))


def uuid_or_text(id: str | None) -> str | None:
    """Of something that may have been named in another way than by an id."""
    try:
        return id and uuid_of(id)
    except ids.InvalidId:
        return id


def made(*names: str) -> str:
    """The UUID of something that has no id of its own, in base58 as path parameters have it."""
    return ids.encode(uuid.uuid5(_NAMES, "/".join(names)))


def canonical(prefix: str, text: str, name: str) -> str:
    """Our id for one that stands in an attribute. Raises Problem."""
    try:
        return ids.canonical(prefix, text)
    except ids.InvalidId:
        raise Problem("invalid-id", "This is not an id.", name=name) from None
