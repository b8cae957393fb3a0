"""Mutated packets of a real conversation: nothing raises, only documented events come out, other peers go on."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from server.protocols.srt.events import Closed, Connected, ConnectionRequested, Data
from tests.unit.protocols.srt.joined import CALLER, PASSPHRASE, Joined, Network, Stream

EVENTS = (Closed, Connected, ConnectionRequested, Data)


@cache
def corpus() -> tuple[list[bytes], list[bytes]]:
    """Every different kind of packet to the listener and to the caller: handshakes, data, all control packets."""
    joined = Joined(up=Network(loss=0.1), down=Network(loss=0.1), passphrase=PASSPHRASE, stream_id="live/key",
                    timeout_s=10).connect()  # fmt: skip
    there, back = Stream(joined), Stream(joined, from_listener=True)
    joined.run(60, there).run(60, back).run(1500)
    joined.caller.close(joined.now)
    joined.run(50)
    sides: tuple[dict[tuple[int, int], bytes], dict[tuple[int, int], bytes]] = ({}, {})
    for target, datagram in joined.log:
        kind = int.from_bytes(datagram[:4], "big") if datagram[0] & 0x80 else 0
        sides[target == "caller"].setdefault((kind, len(datagram)), datagram)
    return list(sides[0].values()), list(sides[1].values())


mutations = st.lists(
    st.tuples(st.integers(0, 1 << 30), st.sampled_from(["set", "cut", "add", "word"]), st.integers(0, 0xFFFF_FFFF)),
    max_size=4,
)


def mutate(datagram: bytes, changes: list[tuple[int, str, int]], number: int | None) -> bytes:
    made = bytearray(datagram)
    if number is not None:
        made[12:16] = number.to_bytes(4, "big")
    for at, what, value in changes:
        at %= max(1, len(made))
        match what:
            case "set":
                made[at : at + 1] = bytes([value & 0xFF])
            case "cut":
                del made[at:]
            case "add":
                made += value.to_bytes(4, "big") * (at % 20)
            case _:
                made[at & ~3 : (at & ~3) + 4] = value.to_bytes(4, "big")
    return bytes(made)


@given(st.lists(st.tuples(st.integers(0, 1 << 30), mutations), max_size=12), st.booleans())
@settings(max_examples=150)
def test_mutated_packets_of_a_living_connection(chosen: list[tuple[int, list[tuple[int, str, int]]]], up: bool) -> None:
    to_listener, to_caller = corpus()
    joined = Joined(passphrase=PASSPHRASE)
    joined.run(40)
    assert joined.connection is not None
    packets = to_listener if up else to_caller
    for at, changes in chosen:
        packet = packets[at % len(packets)]
        if up:
            number = joined.connection.id if int.from_bytes(packet[12:16], "big") else None
            events = joined.listener.receive(mutate(packet, changes, number), CALLER, joined.now)
        else:
            number = joined.call.id
            events = joined.caller.receive(mutate(packet, changes, number), ("192.0.2.1", 6200), joined.now)
        assert all(isinstance(event, EVENTS) for event in events)
    joined.run(30)
    assert joined.connection.receiver.held + joined.connection.receiver.missing <= 8192


@given(st.lists(st.tuples(st.integers(0, 1 << 30), mutations), max_size=12))
@settings(max_examples=100)
def test_mutated_answers_to_a_caller(chosen: list[tuple[int, list[tuple[int, str, int]]]]) -> None:
    _, to_caller = corpus()
    joined = Joined(passphrase=PASSPHRASE)
    for at, changes in chosen:
        packet = mutate(to_caller[at % len(to_caller)], changes, joined.caller._id)
        events = joined.caller.receive(packet, ("192.0.2.1", 6200), joined.now)
        assert all(isinstance(event, EVENTS) for event in events)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_noise(noise: list[bytes]) -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(5, stream)
    for datagram in noise:
        joined.deliver("listener", datagram, ("203.0.113.7", 9))
        joined.deliver("caller", datagram, ("203.0.113.7", 9))
    joined.run(5, stream).run(30)
    assert stream.arrived == stream.sent
