"""Places for so many at once, first come first served."""

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
    assert places.free == 1
    await second.take()
    assert places.free == 0

    first.leave()
    assert places.free == 1
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

    assert places.free == 0
    await waiting


async def test_taking_and_leaving_twice_is_once() -> None:
    places, freed = turns(1)
    turn = places.turn()

    await turn.take()
    await turn.take()
    turn.leave()
    turn.leave()

    assert freed == ["freed"]
    await places.turn().take()


async def test_a_place_that_nothing_waited_for_is_given_back_in_silence() -> None:
    places, freed = turns(1)
    turn = places.turn()
    await turn.take()

    turn.leave(used=False)

    assert (places.free, freed) == (1, [])


async def test_who_gives_up_waiting_holds_nothing() -> None:
    places, _ = turns(1)
    holder, waiter = places.turn(), places.turn()
    await holder.take()
    waiting = asyncio.create_task(waiter.take())
    await settle()
    waiting.cancel()
    await asyncio.wait([waiting])
    waiter.leave()

    holder.leave()

    await places.turn().take()
