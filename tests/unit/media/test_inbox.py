"""What waits for a transcoder is bounded; who fills it waits instead."""

import threading
from collections.abc import Callable

import pytest

from server.media.inbox import MAX_BYTES, MAX_S, Inbox
from server.media.wire import Config, Flush, Message, Unit

CONFIG = Config(0, 0, {"timescale": 1000}, b"")


def unit(at_s: float, size: int = 10) -> Unit:
    return Unit(0, round(at_s * 1000), round(at_s * 1000), False, bytes(size))


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_in_order_to_the_end() -> None:
    inbox = Inbox()
    sent: list[Message] = [CONFIG, unit(0), unit(1), Flush(1)]
    for message in sent:
        inbox.put(message)
    inbox.close()
    found: list[Message] = []
    while (taken := inbox.take()) is not None:
        found.append(taken)
    assert found == sent
    assert inbox.newest == 1000


@pytest.mark.parametrize(
    "filling",
    [
        [unit(at / 10) for at in range((MAX_S * 10) + 2)],
        [unit(0, MAX_BYTES // 4) for _ in range(5)],
    ],
    ids=["seconds", "bytes"],
)
def test_put_waits_while_it_is_full(filling: list[Unit]) -> None:
    inbox = Inbox()
    given: list[Message] = [CONFIG, *filling]
    for message in given:
        inbox.put(message)
    last = in_thread(lambda: inbox.put(Flush(1)))
    last.join(0.05)
    assert last.is_alive()
    taken = [inbox.take() for _ in range(3)]
    last.join(30)
    assert not last.is_alive()
    assert taken == [CONFIG, *filling[:2]]


def test_take_waits_while_it_is_empty() -> None:
    inbox = Inbox()
    found: list[Message | None] = []
    waiting = in_thread(lambda: found.append(inbox.take()))
    inbox.put(Flush(3))
    waiting.join(30)
    assert found == [Flush(3)]


def test_closing_lets_everybody_go() -> None:
    full, empty = Inbox(), Inbox()
    for message in (CONFIG, unit(0), unit(MAX_S + 1)):
        full.put(message)
    waiting = [in_thread(lambda: full.put(Flush(1))), in_thread(lambda: empty.take() and None)]
    for inbox in (full, empty):
        inbox.close()
    for thread in waiting:
        thread.join(30)
        assert not thread.is_alive()
