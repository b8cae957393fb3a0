"""Rows of open uploads as they were last committed, so that a chunk of an upload costs no query.

One process owns the data folder, and with it the unfinished uploads: no other one changes these rows.
"""

from collections import OrderedDict
from collections.abc import Set

from server.catalog import uploads
from server.catalog.database import Database
from server.catalog.models import Upload

ROWS_CACHED = 1024


class Rows:
    """The cache. Objects that it gives out are to be read only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: OrderedDict[str, Upload] = OrderedDict()
        self._commits = 0  # that were heard of
        database.on_commit(self._forget)

    async def get(self, upload_id: str) -> Upload | None:
        row = self._rows.get(upload_id)
        if row is not None and not self._database.is_changing(upload_id):
            return row
        commits = self._commits
        async with self._database.read() as transaction:
            row = await uploads.get(transaction, upload_id)
        # it may have changed while it was read, and nobody would say so again
        if row is not None and commits == self._commits and not self._database.is_changing(upload_id):
            self._keep(row)
        return row

    def _keep(self, row: Upload) -> None:
        self._rows[row.id] = row
        if len(self._rows) > ROWS_CACHED:
            self._rows.popitem(last=False)

    def _forget(self, changed: Set[str]) -> None:
        self._commits += 1
        for row in [row for row in self._rows.values() if row.id in changed or row.video_id in changed]:
            del self._rows[row.id]
