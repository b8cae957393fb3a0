"""Loss matrices: nothing is missing where the latency allows it, and only what can't be had where it does not."""

from dataclasses import replace

import pytest

from server.protocols.srt.limits import DEFAULT_LIMITS
from server.protocols.srt.packet import CONTROL, HEADER
from tests.unit.protocols.srt.joined import PASSPHRASE, Joined, Network, Stream

CASES = {
    "clean": (Network(), 120),
    "2 % and 40 ms": (Network(delay_us=20_000, loss=0.02), 200),
    "10 %": (Network(delay_us=20_000, loss=0.10), 400),
    "30 %": (Network(delay_us=10_000, loss=0.30), 1000),
    "reordering": (Network(jitter_us=8_000), 120),
    "reordering and 2 %": (Network(delay_us=10_000, jitter_us=8_000, loss=0.02), 250),
    "duplication": (Network(duplicate=0.3), 120),
    "jitter of 60 ms": (Network(jitter_us=60_000), 400),
    "everything": (Network(delay_us=10_000, jitter_us=10_000, loss=0.10, duplicate=0.1), 600),
}


def through(network: Network, latency_ms: int, *, from_listener: bool = False, passphrase: str = "") -> Joined:
    limits = replace(DEFAULT_LIMITS, key_refresh_packets=700, key_announce_packets=150)
    joined = Joined(
        up=replace(network), down=replace(network), limits=limits, latency_ms=latency_ms, passphrase=passphrase,
        timeout_s=10,
    ).connect()  # fmt: skip
    stream = Stream(joined, from_listener=from_listener)
    joined.run(1500, stream)
    joined.run(latency_ms + 500)
    assert stream.arrived == stream.sent
    return joined


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize("case", CASES)
def test_everything_arrives_in_order_when_a_caller_sends(case: str, passphrase: str) -> None:
    joined = through(*CASES[case], passphrase=passphrase)
    received = joined.session.statistics(joined.now)
    sent = joined.call.statistics(joined.now)
    assert received.dropped == sent.send_dropped == received.undecryptable == 0
    assert sent.send_buffered == received.buffered == 0
    network = CASES[case][0]
    if network.jitter_us <= DEFAULT_LIMITS.reorder_us:  # beyond, what is late is taken for lost
        assert received.lost == pytest.approx(1500 * network.loss, rel=0.35, abs=15)
    assert (received.reordered > 100) == (network.jitter_us > 0)
    if case == "duplication":
        assert received.late + received.duplicate > 300


@pytest.mark.parametrize("case", ["2 % and 40 ms", "10 %", "everything"])
def test_everything_arrives_in_order_when_a_listener_sends(case: str) -> None:
    joined = through(*CASES[case], from_listener=True, passphrase=PASSPHRASE)
    assert joined.call.statistics(joined.now).dropped == 0


def test_reordering_is_learnt_and_not_reported_as_loss() -> None:
    joined = through(Network(jitter_us=6_000), 120)
    received, sent = joined.session.statistics(joined.now), joined.call.statistics(joined.now)
    assert received.reordered > 500
    assert sent.resent < received.reordered / 20
    assert received.lost < received.reordered / 20


def test_both_directions_at_once() -> None:
    joined = Joined(up=Network(loss=0.05), down=Network(loss=0.05), latency_ms=400, timeout_s=10).connect()
    there, back = Stream(joined), Stream(joined, from_listener=True)

    def both() -> None:
        there()
        back()

    joined.run(800, both).run(600)
    assert there.arrived == there.sent
    assert back.arrived == back.sent


def test_a_packet_that_never_comes_is_given_up_after_the_latency_and_the_rest_goes_on() -> None:
    joined = Joined(latency_ms=150).connect()
    stream = Stream(joined)
    numbers: list[int] = []

    def eat(datagram: bytes) -> bool:
        first = HEADER.unpack_from(datagram)[0]
        if first < CONTROL and first not in numbers:
            numbers.append(first)
        return first < CONTROL and numbers.index(first) in (100, 101, 102)

    joined.up.eats = eat
    joined.run(240, stream)
    assert stream.arrived == stream.sent[:100]
    before = joined.session.statistics(joined.now)
    assert before.buffer_ms > 100
    assert before.buffered > 100
    joined.run(400, stream).run(20)
    assert stream.arrived == stream.sent[:100] + stream.sent[103:]
    after = joined.session.statistics(joined.now)
    assert (after.lost, after.dropped, after.buffered, after.buffer_ms) == (3, 3, 0, 0)


def test_an_outage_longer_than_the_latency_loses_only_itself() -> None:
    joined = Joined(latency_ms=120).connect()
    stream = Stream(joined)
    joined.run(300, stream)
    joined.up.eats = lambda datagram: True
    joined.run(1500, stream)
    joined.up.eats = None
    joined.run(1500, stream).run(300)
    received = joined.session.statistics(joined.now)
    assert stream.arrived == [message for message in stream.sent if message in set(stream.arrived)]
    assert len(stream.sent) - len(stream.arrived) == received.dropped
    assert 100 < received.dropped < 1600
    assert stream.arrived[-1000:] == stream.sent[-1000:]


def test_the_last_packets_before_a_pause_arrive_although_nothing_follows_them() -> None:
    joined = Joined(latency_ms=2000).connect()
    stream = Stream(joined)
    joined.run(100, stream)
    joined.up.eats = lambda datagram: HEADER.unpack_from(datagram)[0] < CONTROL
    joined.run(5, stream)
    joined.up.eats = None
    joined.run(1000)
    assert stream.arrived == stream.sent
    assert joined.call.send_buffered == 0
