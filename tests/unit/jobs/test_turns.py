"""Places for so many at once, first come first served, and suspects one by one."""

import asyncio

from server.jobs.turns import Turns


def turns(limit: int) -> tuple[Turns, list[str]]:
    freed: list[str] = []
    return Turns(limit, lambda: freed.append("freed")), freed


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_places_are_taken_and_become_free() -> None:
    places, freed = turns(2)
    first, second = places.turn(), places.turn()

    await first.take()
    assert not places.taken
    await second.take()
    assert places.taken

    first.leave()
    assert not places.taken
    assert freed == ["freed"]


async def test_who_waits_longest_comes_next() -> None:
    places, _ = turns(1)
    holder = places.turn()
    await holder.take()
    order: list[int] = []

    async def wait(number: int) -> None:
        turn = places.turn()
        await turn.take()
        order.append(number)
        turn.leave()

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await settle()
    assert order == []
    holder.leave()
    await asyncio.gather(*waiting)

    assert order == [0, 1, 2]


async def test_a_place_that_is_waited_for_is_taken() -> None:
    places, _ = turns(1)
    holder, waiter = places.turn(), places.turn()
    await holder.take()
    waiting = asyncio.create_task(waiter.take())
    await settle()

    holder.leave()

    assert places.taken
    await waiting


async def test_taking_and_leaving_twice_is_once() -> None:
    places, freed = turns(1)
    turn = places.turn()

    await turn.take(alone=True)
    await turn.take(alone=True)
    turn.leave()
    turn.leave()

    assert freed == ["freed"]
    await places.turn().take(alone=True)


async def test_suspects_run_one_by_one_and_beside_others() -> None:
    places, _ = turns(3)
    suspect, other, second = places.turn(), places.turn(), places.turn()
    await suspect.take(alone=True)
    await other.take()
    waiting = asyncio.create_task(second.take(alone=True))
    await settle()
    assert not waiting.done()

    suspect.leave()

    await waiting


async def test_who_gives_up_waiting_holds_nothing() -> None:
    places, _ = turns(1)
    holder, waiter = places.turn(), places.turn()
    await holder.take(alone=True)
    waiting = asyncio.create_task(waiter.take(alone=True))
    await settle()
    waiting.cancel()
    await asyncio.wait([waiting])
    waiter.leave()

    holder.leave()

    await places.turn().take(alone=True)
