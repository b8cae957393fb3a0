"""Small pictures that belong to a thing by its id: logos of players, posters that live streams were given."""

from pathlib import Path

from server.storage.folders import keep, make_folder, sync_folder
from server.storage.layout import Layout


class PictureStore:
    """Everything blocks on the disk; what a method has done survives a crash."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def path(self, owner_id: str) -> Path:
        return self._layout.picture(owner_id)

    def put(self, owner_id: str, picture: bytes) -> None:
        """In place of the one that is there. Raises OSError."""
        path = self.path(owner_id)
        make_folder(path.parent)
        keep(path, picture)
        sync_folder(path.parent)

    def remove(self, owner_id: str) -> None:
        """One that is not there is no error. Raises OSError."""
        self.path(owner_id).unlink(missing_ok=True)

    def owners(self) -> list[str]:
        """Whose pictures there are."""
        return self._layout.picture_owners()
