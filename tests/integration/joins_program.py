"""A join that can be killed: `python -m … <folder> <bytes a slice>`.

Goes on with every upload whose parts are in the folder, as a server that starts does. Prints `slice` before each one
and waits for a line, so that the kill comes amid the join; then `done`.
"""

import asyncio
import sys
from pathlib import Path

from server.catalog import jobs
from server.catalog.database import Database, sqlite_url
from server.storage import parts
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads import expiry
from server.uploads.joins import Joins
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads

_copy = parts._copy


def _asked(part: Path, data: Path, done: int, position: int) -> int:
    sys.stdout.write("slice\n")
    sys.stdout.flush()
    sys.stdin.readline()
    return _copy(part, data, done, position)


async def main(folder: Path, slice_bytes: int) -> None:
    parts.SLICE_BYTES, parts._copy = slice_bytes, _asked
    layout = Layout(folder)
    async with Database.open(sqlite_url(folder / "sluice.db")) as database, UploadFiles.open(layout, 0) as files:
        service = Uploads(database, files, jobs.add, 1 << 30, 86_400)
        joins = Joins(service, SourceUploads(service))
        await expiry.recover(service)
        await asyncio.gather(*await joins.resume())
    sys.stdout.write("done\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
