"""What credentials may be given: a resource and an action, such as `videos:read`.

`videos:*` is every action on videos, `*:read` reads everything, `*` is everything. Each operation with credentials
asks for one scope of this table.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

READ, WRITE, DELETE = "read", "write", "delete"
REPLACING = "videos:write"  # what another file for a video that has one takes, beside the scope of uploads

SCOPES: Mapping[str, Sequence[str]] = {
    "account": (READ,),
    "analytics": (READ,),
    "audit": (READ,),
    "collections": (READ, WRITE, DELETE),
    "custom-fields": (READ, WRITE, DELETE),
    "events": (READ,),
    "folders": (READ, WRITE, DELETE),
    "jobs": (READ, WRITE),
    "keys": (READ, WRITE, DELETE),
    "live-streams": (READ, WRITE, DELETE),
    "oauth-apps": (READ, WRITE, DELETE),
    "oauth-grants": (READ, DELETE),
    "playback-ids": (READ, WRITE, DELETE),
    "playback-restrictions": (READ, WRITE, DELETE),
    "playback-tokens": ("mint", "revoke"),
    "players": (READ, WRITE, DELETE),
    "projects": (READ, WRITE, DELETE),
    "retention": (READ, WRITE),
    "signing-keys": (READ, WRITE, DELETE),
    # files for videos that there are, and videos that begin as a file; placed: new ones, where the key's own rules say
    "uploads": ("create", "placed"),
    "upload-tokens": (READ, WRITE, DELETE),
    "usage": (READ,),
    "videos": (READ, WRITE, DELETE),
    "watermarks": (READ, WRITE, DELETE),
    "webhooks": (READ, WRITE, DELETE),
}
# scope -> another one that has it in it
PART_OF: Mapping[str, str] = {"uploads:create": "videos:write", "uploads:placed": "uploads:create"}

ANYTHING = "*"
_OWN_OBJECT = re.compile(r"/[^{}]+/{\w+}")  # /videos/{videoId}, not what a video has


def names() -> frozenset[str]:
    """All that credentials may be given."""
    pairs = [(what, how) for what, actions in SCOPES.items() for how in actions]
    given = {f"{what}:{how}" for what, how in pairs}
    return frozenset({ANYTHING, *given, *(f"{what}:*" for what, _ in pairs), *(f"*:{how}" for _, how in pairs)})


def allow(given: Iterable[str], scope: str) -> bool:
    """Whether scopes that were given have this one, or this group of them, in them."""
    what, _, how = scope.partition(":")
    wide = {ANYTHING, scope, f"{what}:*"}
    if how != "*":
        wide.add(f"*:{how}")
    if scope in PART_OF:
        return not wide.isdisjoint(given) or allow(given, PART_OF[scope])
    return not wide.isdisjoint(given)


def of_operation(method: str, path: str, scope: str | None) -> str | None:
    """The scope that an operation asks for: to delete an object takes more than to write what belongs to it."""
    if scope and method == "DELETE" and scope.endswith(f":{WRITE}") and _OWN_OBJECT.fullmatch(path):
        return scope.removesuffix(WRITE) + DELETE
    return scope


def common(allowed: Sequence[str], most: Sequence[str]) -> list[str]:
    """What is in both, in as few words as there are: of *:read and videos:* that is videos:read."""
    found = [scope for scope in allowed if allow(most, scope)]
    for scope in [*most, *sorted(name for name in names() if "*" not in name)]:
        if allow(allowed, scope) and allow(most, scope) and not allow(found, scope):
            found.append(scope)
    return found
