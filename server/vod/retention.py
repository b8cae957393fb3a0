"""Videos that are kept no longer: by the rules of catalog.retention, or since the disk is nearly full.

What a rule lets go goes as if its owner had deleted it: discarded while that can be taken back, else deleted.
Recordings come by themselves and can't be refused; so where room runs out the oldest that a rule covers go early, at
once. Uploaded videos don't: uploads are refused first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial

from server import clock, log
from server.catalog import retention, sandboxes, videos
from server.catalog.database import Database, Transaction
from server.catalog.retention import RECORDINGS, Due, Old, Rule, Shelf
from server.vod.life import Life
from server.vod.rounds import rounds

EVERY_S = 60.0
AT_ONCE = 20  # of a transaction: others write too
CANDIDATES = 100  # recordings of a rule that are looked at to make room in a round

# Of these ids, those that may go as things are within the transaction
Stand = Callable[[Transaction, Sequence[str]], Awaitable[set[str]]]

_log = log.get("retention")


def crowded_out(recordings: Sequence[Old], missing_bytes: int) -> list[Due]:
    """The oldest, until so many bytes are free again; before them what was discarded."""
    found = []
    for each in sorted(recordings, key=lambda old: (not old.discarded, old.made_at)):
        if missing_bytes <= 0:
            break
        missing_bytes -= each.bytes
        found.append(Due(each.id, "the disk is nearly full"))
    return found


class Retention:
    """`async with retention.running()`."""

    def __init__(
        self,
        database: Database,
        life: Life,
        recordings: Rule,
        uploads: Rule,
        low_water_bytes: int,
        free_bytes: Callable[[], int],
        sandbox_hours: float = 24.0,
    ) -> None:
        """The rules are the server's."""
        self._sandbox_hours = sandbox_hours
        self._database = database
        self._life = life
        self._recordings = recordings
        self._uploads = uploads
        self._low_water_bytes = low_water_bytes
        self._free_bytes = free_bytes
        self.expired = 0

    def running(self) -> AbstractAsyncContextManager[None]:
        return rounds(self.round, EVERY_S, _log, "a round of retention failed")

    async def round(self) -> int:
        """Lets go what is due; how many videos."""
        missing = self._low_water_bytes - await asyncio.to_thread(self._free_bytes)
        gone, freed = await self._keep_to_rules()
        if missing <= 0:
            return gone
        if crowded := await self._make_room(missing - freed):
            return gone + crowded
        if not freed:
            _log.error("the disk is nearly full, and no rule lets a recording go", missing_bytes=missing)
        return gone

    async def _keep_to_rules(self) -> tuple[int, int]:
        """How many videos went, and the bytes of those that are gone for good."""
        gone, freed = await self._empty_sandboxes()
        async with self._database.read() as transaction:
            shelves = await retention.shelves(transaction, self._recordings, self._uploads)
        for shelf in shelves:
            batch = AT_ONCE
            while batch == AT_ONCE:
                async with self._database.read() as transaction:
                    due = await retention.due(transaction, shelf, clock.now(), AT_ONCE)
                batch, size = await self._let_go(due, partial(self._stand, shelf), for_good=False)
                gone, freed = gone + batch, freed + size
        return gone, freed

    async def _stand(self, shelf: Shelf, transaction: Transaction, ids: Sequence[str]) -> set[str]:
        """Those that the rule lets go as they are now, if it is the rule still."""
        if shelf not in await retention.shelves(transaction, self._recordings, self._uploads):
            return set()
        found = await retention.of_shelf(transaction, shelf, ids)
        return {id for id, discarded in found.items() if not discarded}

    async def _empty_sandboxes(self) -> tuple[int, int]:
        """As `_keep_to_rules`."""
        gone = freed = 0
        batch = AT_ONCE
        while batch == AT_ONCE:
            async with self._database.read() as transaction:
                before = clock.now() - timedelta(hours=self._sandbox_hours)
                ids = await sandboxes.outlived(transaction, before, AT_ONCE)
            reason = f"older than {self._sandbox_hours:g} hours, in a sandbox"
            batch, size = await self._let_go([Due(id, reason) for id in ids], _all, for_good=True)
            gone, freed = gone + batch, freed + size
        return gone, freed

    async def _make_room(self, missing_bytes: int) -> int:
        found: dict[Old, Shelf] = {}
        async with self._database.read() as transaction:
            for shelf in await retention.shelves(transaction, self._recordings, self._uploads):
                if shelf.kind == RECORDINGS:
                    found |= dict.fromkeys(await retention.oldest(transaction, shelf, CANDIDATES), shelf)
        due, gone = crowded_out(list(found), missing_bytes), 0
        for start in range(0, len(due), AT_ONCE):
            count, _ = await self._let_go(due[start : start + AT_ONCE], partial(_as_found, found), for_good=True)
            gone += count
        return gone

    async def _let_go(self, due: Sequence[Due], stand: Stand, for_good: bool) -> tuple[int, int]:
        """How many, and the bytes that become free. What `stand` finds otherwise than when it was looked for stays: its
        owner has tagged it meanwhile, or taken it back."""
        if not due:
            return 0, 0
        gone = freed = 0
        for_good = for_good or not self._life.restorable
        async with self._database.write() as transaction:
            standing = await stand(transaction, [each.id for each in due])
            for each in due:
                video = await videos.find(transaction, each.id) if each.id in standing else None
                if video is None:
                    continue
                gone += 1
                deletes_at = clock.now() if for_good else self._life.deletes_at()
                payload = {**videos.links(video), "reason": each.reason, "deletesAt": deletes_at.isoformat()}
                await videos.tell(transaction, video, "expired", payload)
                if for_good:
                    freed += video.source_bytes or 0
                    await self._life.delete(transaction, video)
                else:
                    await self._life.remove(transaction, video)
                _log.info("a video is kept no longer", video=each.id, reason=each.reason)
        self.expired += gone
        return gone, freed


async def _all(transaction: Transaction, ids: Sequence[str]) -> set[str]:
    return set(ids)


async def _as_found(found: Mapping[Old, Shelf], transaction: Transaction, ids: Sequence[str]) -> set[str]:
    """Those of them that are discarded, or not, as they were."""
    known = {old.id: old for old in found}
    now: dict[str, bool] = {}
    for shelf in {found[known[id]] for id in ids}:
        now |= await retention.of_shelf(transaction, shelf, ids)
    return {id for id in ids if now.get(id) is known[id].discarded}
