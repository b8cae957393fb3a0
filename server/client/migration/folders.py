"""Folders of a library elsewhere: each made here once, known by the names on its path."""

from server.client.api import Api
from server.client.migration.calling import once

DEEPEST = 16  # as deep as a tree is
NAME_CHARS = 255

Path = tuple[str, ...]  # names from the top down


class Folders:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[Path, str] | None = None

    def id_of(self, path: Path) -> str:
        """Here, where it is made if it is not there. Raises Refused, Unreachable."""
        return self._id_of(tuple((name.strip() or "-")[:NAME_CHARS] for name in path[:DEEPEST]))

    def _id_of(self, path: Path) -> str:
        if self._known is None:
            found = self._api.every("/folders")
            self._known = {tuple(step["name"] for step in one["path"]): one["folderId"] for one in found}
        if path not in self._known:
            parent = self._id_of(path[:-1]) if len(path) > 1 else None
            body = {"name": path[-1], "parentId": parent}
            self._known[path] = self._api.send("POST", "/folders", body, headers=once()).json["folderId"]
        return self._known[path]
