"""One timer reads every socket: what comes, what ends, and that nobody stops the others."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from server.ingest import ticker as module
from server.ingest.ticker import Ticker
from tests.unit.ingest.conftest import until


@dataclass(eq=False)
class FakeTicked:
    """A connection that remembers what it is told; `raises` on the next data."""

    data: bytes = b""
    ticks: int = 0
    ends: list[OSError | None] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    over: bool = False
    raises: Exception | None = None

    def received(self, data: bytes, now: float) -> None:
        if self.raises:
            raise self.raises
        self.data += data

    def tick(self, now: float) -> None:
        self.ticks += 1

    def lost(self, error: OSError | None) -> None:
        self.ends.append(error)

    def failed(self, error: Exception) -> None:
        self.failures.append(error)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST_S", 0.001)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


async def test_what_comes_is_passed_on_and_silence_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ticker, connection = Ticker(), FakeTicked()
    ticker.add(connection, ours)

    theirs.send(b"hello")
    await until(lambda: connection.data == b"hello")
    await until(lambda: connection.ticks)
    theirs.send(b" again")
    await until(lambda: connection.data == b"hello again")
    ticker.remove(connection)


async def test_many_are_looked_at_less_often_and_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    ticker, seen = Ticker(), []
    pairs = [socket.socketpair() for _ in range(5)]

    class Seen(FakeTicked):
        def received(self, data: bytes, now: float) -> None:
            seen.append(self)

    connections = [Seen() for _ in pairs]
    waits = []
    for connection, (ours, theirs) in zip(connections, pairs, strict=True):
        ours.setblocking(False)
        ticker.add(connection, ours)
        theirs.send(b"data")
        waits.append(round(ticker.wait_s, 3))
    assert waits == [0.01, 0.02, 0.03, 0.04, 0.05]

    ticker._tick()
    assert seen == connections[:2]
    ticker.remove(connections[3])
    await until(lambda: len(seen) == 4)

    assert seen == [*connections[:3], connections[4]]
    for connection, (_, theirs) in zip(connections, pairs, strict=True):
        ticker.remove(connection)
        theirs.close()
    monkeypatch.setattr(module, "LONGEST_S", 0.0005)
    assert ticker.wait_s == 0.0005


async def test_a_flood_does_not_take_the_loop(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_SIZE", 4)
    ours, theirs = pair
    ticker, connection = Ticker(), FakeTicked()
    theirs.send(bytes(4 * 100))
    ticker.add(connection, ours)

    ticker._tick()

    assert len(connection.data) == 4 * module.READS_A_TICK
    ticker.remove(connection)


async def test_nothing_is_read_for_a_connection_that_is_over(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_SIZE", 4)
    ours, theirs = pair
    ticker, connection = Ticker(), FakeTicked(over=True)
    theirs.send(bytes(100))
    ticker.add(connection, ours)

    ticker._tick()

    assert len(connection.data) == 4
    ticker.remove(connection)


async def test_the_peers_end_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ticker, connection = Ticker(), FakeTicked()
    ticker.add(connection, ours)

    theirs.close()

    await until(lambda: connection.ends)
    assert connection.ends[0] is None
    ticker.remove(connection)


async def test_a_broken_socket_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    ticker, connection = Ticker(), FakeTicked()
    ticker.add(connection, ours)
    ours.close()

    await until(lambda: connection.ends)
    assert isinstance(connection.ends[0], OSError)
    ticker.remove(connection)


async def test_removing_closes_the_socket_and_stops_the_timer(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    ticker, connection = Ticker(), FakeTicked()
    ticker.add(connection, ours)

    ticker.remove(connection)
    ticker.remove(connection)

    assert ours.fileno() == -1
    assert ticker._timer is None


async def test_a_fault_in_one_does_not_stop_the_others() -> None:
    ticker = Ticker()
    pairs = [socket.socketpair() for _ in range(3)]
    connections = [FakeTicked(raises=ValueError("a bug") if number == 1 else None) for number in range(3)]
    for connection, (ours, theirs) in zip(connections, pairs, strict=True):
        ours.setblocking(False)
        ticker.add(connection, ours)
        theirs.send(b"data")

    await until(lambda: connections[2].data)
    await until(lambda: connections[0].ticks > 2)

    assert [str(error) for error in connections[1].failures] == ["a bug"]
    for connection, (_, theirs) in zip(connections, pairs, strict=True):
        ticker.remove(connection)
        theirs.close()


async def test_there_is_one_timer_whoever_comes_and_goes_while_it_reads() -> None:
    """The last one leaves and another comes within one tick."""
    ticker = Ticker()
    pairs = [socket.socketpair() for _ in range(2)]
    for ours, _ in pairs:
        ours.setblocking(False)
    second = FakeTicked()

    class Leaving(FakeTicked):
        def received(self, data: bytes, now: float) -> None:
            ticker.remove(self)
            ticker.add(second, pairs[1][0])

    ticker.add(Leaving(), pairs[0][0])
    pairs[0][1].send(b"bye")
    armed = []
    arm = ticker._arm

    def counted() -> None:
        arm()
        armed.append(ticker._timer)

    ticker._arm = counted  # type: ignore[method-assign]
    await until(lambda: second.ticks)

    assert sum(1 for timer in armed if timer and not timer.cancelled() and timer is not ticker._timer) <= second.ticks
    ticker.remove(second)
    assert ticker._timer is None
    for _, theirs in pairs:
        theirs.close()
