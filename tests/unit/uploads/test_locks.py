import asyncio
from contextlib import nullcontext

import pytest

from server.errors import Problem
from server.uploads.locks import Locks


@pytest.fixture
def locks():
    return Locks()


async def turn():
    """Lets the others run until they all wait."""
    for _ in range(5):
        await asyncio.sleep(0)


class Holder:
    """A task that holds a lock until it is told to go on."""

    def __init__(self, locks, evictable, name="up"):
        self.go_on = asyncio.Event()
        self.inside = False
        self.task = asyncio.ensure_future(self._run(locks.hold(name), evictable))

    async def _run(self, lock, evictable):
        async with lock as hold:
            self.inside = True
            with hold.evictable() if evictable else nullcontext():
                await self.go_on.wait()


async def test_a_free_lock_is_taken_and_given_back(locks):
    async with locks.hold("up"):
        assert locks.is_held("up")
        assert locks.held == 1

    assert not locks.is_held("up")
    assert locks.held == 0


async def test_names_do_not_hinder_each_other(locks):
    first, second = Holder(locks, False), Holder(locks, False, "other")
    await turn()
    assert first.inside
    assert second.inside

    for holder in (first, second):
        holder.go_on.set()
        await holder.task


async def test_a_newcomer_evicts_a_stuck_writer(locks):
    stuck = Holder(locks, evictable=True)
    await turn()
    async with locks.hold("up"):
        with pytest.raises(Problem) as caught:
            await stuck.task

    assert caught.value.code == "upload-taken-over"


async def test_the_newest_of_several_is_the_one_to_stay(locks):
    holders = [Holder(locks, evictable=True) for _ in range(3)]
    for _ in range(4):
        await turn()

    assert [holder.task.done() for holder in holders] == [True, True, False]
    holders[2].go_on.set()
    await holders[2].task
    assert [holder.task.exception().code for holder in holders[:2]] == ["upload-taken-over"] * 2


async def test_one_that_is_not_to_be_evicted_is_waited_for(locks):
    first, second = Holder(locks, False), Holder(locks, False)
    await turn()
    assert not second.inside

    first.go_on.set()
    await first.task
    await turn()
    assert second.inside
    second.go_on.set()
    await second.task


async def test_patience_ends(locks):
    first = Holder(locks, False)
    await turn()
    with pytest.raises(Problem) as caught:
        async with locks.hold("up", patience_s=0.001):
            pytest.fail("two hold it")
    first.go_on.set()
    await first.task

    assert caught.value.code == "upload-busy"


async def test_a_cancellation_from_elsewhere_stays_one(locks):
    holder = Holder(locks, evictable=True)
    await turn()
    holder.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder.task

    assert not locks.is_held("up")


async def test_one_that_was_wanted_before_does_not_begin(locks):
    go_on = asyncio.Event()

    async def slow():
        async with locks.hold("up") as hold:
            await go_on.wait()
            with hold.evictable():
                pytest.fail("it was wanted")

    task = asyncio.ensure_future(slow())
    await turn()
    newcomer = Holder(locks, evictable=False)
    await turn()
    go_on.set()
    with pytest.raises(Problem) as caught:
        await task
    newcomer.go_on.set()
    await newcomer.task

    assert caught.value.code == "upload-taken-over"


async def test_an_evicted_block_may_end_with_its_own_error(locks):
    async def failing():
        async with locks.hold("up") as hold:
            with hold.evictable():
                try:
                    await asyncio.Event().wait()
                finally:
                    raise Problem("storage-full")

    task = asyncio.ensure_future(failing())
    await turn()
    async with locks.hold("up"):
        pass
    with pytest.raises(Problem) as caught:
        await task

    assert caught.value.code == "storage-full"


async def test_an_evicted_task_can_go_on_after_it(locks):
    async def surviving():
        async with locks.hold("up") as hold:
            try:
                with hold.evictable():
                    await asyncio.Event().wait()
            except Problem:
                await asyncio.sleep(0)
        return asyncio.current_task().cancelling()

    task = asyncio.ensure_future(surviving())
    await turn()
    async with locks.hold("up"):
        pass

    assert await task == 0
