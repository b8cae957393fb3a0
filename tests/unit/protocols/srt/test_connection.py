"""Time and control packets of a connection."""

import struct
from dataclasses import replace

import pytest

from server.protocols.srt import key_material
from server.protocols.srt.key_material import Keyring
from server.protocols.srt.limits import DEFAULT_LIMITS
from server.protocols.srt.packet import (
    ACK,
    ACKACK,
    CONTROL,
    DROP,
    EVEN,
    HEADER,
    KEEPALIVE,
    KEY_REQUEST,
    KEY_RESPONSE,
    NAK,
    ODD,
    SHUTDOWN,
    USER,
    control,
)
from tests.unit.protocols.srt.joined import PASSPHRASE, Joined, Network, Stream


def controls(joined: Joined, target: str, kind: int, subtype: int = 0) -> list[bytes]:
    """Control packets of a kind that were sent to one side."""
    wanted = CONTROL | kind << 16 | subtype
    return [sent for to, sent in joined.log if to == target and HEADER.unpack_from(sent)[0] == wanted]


def test_a_full_acknowledgement_every_ten_milliseconds_and_its_answer() -> None:
    joined = Joined(up=Network(20_000), down=Network(20_000)).connect()
    joined.log.clear()
    joined.run(1000, Stream(joined)).run(100)
    acks = controls(joined, "caller", ACK)
    full = [ack for ack in acks if len(ack) == 44]
    assert 95 <= len(full) <= 105
    numbers = [HEADER.unpack_from(ack)[1] for ack in full]
    assert numbers == list(range(numbers[0], numbers[0] + len(full)))
    assert [HEADER.unpack_from(ackack)[1] for ackack in controls(joined, "listener", ACKACK)] == numbers
    assert joined.session.statistics(joined.now).rtt_ms == pytest.approx(41, abs=2)
    assert joined.call.statistics(joined.now).rtt_ms == pytest.approx(41, abs=2)
    joined.log.clear()
    joined.run(500)
    assert controls(joined, "caller", ACK) == []


def test_what_an_acknowledgement_says() -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(2500, stream).run(30)
    ack = [ack for ack in controls(joined, "caller", ACK) if len(ack) == 44][-1]
    sequence, rtt, variance, room, packets, _, rate = struct.unpack_from(">7I", ack, 16)
    assert sequence == joined.session.receiver.expected
    assert rtt == pytest.approx(11_000, abs=1000)
    assert variance < 1000
    assert room == 8192
    assert rate == pytest.approx(96_000, rel=0.02)
    assert packets == 8 * rate // (8 * 1316)


def test_an_acknowledgement_that_nobody_answers_is_repeated() -> None:
    joined = Joined().connect()
    joined.down.eats = lambda datagram: True
    joined.log.clear()
    joined.run(5, Stream(joined)).run(1000)
    assert 3 <= len(controls(joined, "caller", ACK)) <= 10


def test_a_connection_is_calm_while_nothing_is_missing_on_either_side() -> None:
    joined = Joined(up=Network(20_000), down=Network(20_000)).connect()
    joined.run(1000, Stream(joined))
    assert joined.session.calm
    assert not joined.call.calm  # its last packets are not acknowledged yet
    lost = iter([True])
    joined.up.eats = lambda datagram: next(lost, False)
    joined.run(25, Stream(joined))
    assert not joined.session.calm
    joined.run(200)
    assert joined.session.calm
    assert joined.call.calm


def test_light_acknowledgements_at_high_rates() -> None:
    joined = Joined().connect()
    for _ in range(200):
        joined.call.send(b"x", joined.now)
    joined.log.clear()
    joined.run(7)
    light = [ack for ack in controls(joined, "caller", ACK) if len(ack) == 20]
    assert len(light) == 3
    assert {HEADER.unpack_from(ack)[1] for ack in light} == {0}
    joined.run(8)
    assert joined.call.send_buffered == 0


def test_losses_are_reported_at_once_and_again() -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(100, stream).run(20)
    joined.up.eats = lambda datagram: True
    joined.run(3, stream)
    joined.up.eats = lambda datagram: HEADER.unpack_from(datagram)[1] & 0x0400_0000 != 0
    joined.log.clear()
    joined.run(60, stream)
    naks = controls(joined, "caller", NAK)
    assert 3 <= len(naks) <= 5
    assert len(set(naks)) >= 1
    first, last = struct.unpack_from(">II", naks[0], 16)
    assert last - (first & 0x7FFF_FFFF) == 2


def test_keep_alives_hold_a_silent_connection() -> None:
    joined = Joined().connect()
    joined.log.clear()
    joined.run(12_000)
    assert joined.closed == {"listener": [], "caller": []}
    for side in ("listener", "caller"):
        assert 10 <= len(controls(joined, side, KEEPALIVE)) <= 12
    assert len(joined.log) <= 24


def test_five_seconds_of_silence_are_the_end() -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(100, stream).run(20)
    last = joined.now
    joined.up.eats = joined.down.eats = lambda datagram: True
    joined.run(4900)
    assert joined.closed == {"listener": [], "caller": []}
    joined.run(200)
    (ours,), (theirs,) = joined.closed["listener"], joined.closed["caller"]
    assert (ours.reason, ours.by_peer, ours.connection) == ("silent for 5 s", False, joined.session)
    assert theirs.reason == "silent for 5 s"
    assert joined.now - last <= 5_200_000
    assert joined.caller.closed


def test_a_shutdown_delivers_what_is_held_before_the_end() -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(50, stream)
    joined.up.eats = lambda datagram: True
    joined.run(1, stream)
    joined.up.eats = lambda datagram: HEADER.unpack_from(datagram)[1] & 0x0400_0000 != 0
    joined.run(30, stream)
    joined.caller.close(joined.now)
    joined.run(20)
    assert stream.arrived == stream.sent[:50] + stream.sent[51:]
    assert [closed.reason for closed in joined.closed["listener"]] == ["ended by the peer"]


def test_nothing_comes_after_our_own_close() -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(20, stream).run(20)
    joined.session.close(joined.now)
    joined.session.close(joined.now)
    joined.log.clear()
    assert not joined.session.send(b"x", joined.now)
    joined.run(20, lambda: None if joined.caller.closed else stream())
    assert joined.arrived["listener"] == stream.sent[:20]
    assert joined.closed["listener"] == []


def test_a_message_has_a_size() -> None:
    joined = Joined().connect()
    for message in (b"", bytes(1457)):
        with pytest.raises(ValueError, match="1 to 1456 bytes"):
            joined.call.send(message, joined.now)
    assert joined.call.send(bytes(1456), joined.now)


def test_what_a_full_buffer_does_not_take_is_counted() -> None:
    joined = Joined(limits=replace(DEFAULT_LIMITS, window=20)).connect()
    assert [joined.call.send(b"x", joined.now) for _ in range(30)] == [True] * 20 + [False] * 10
    assert joined.call.statistics(joined.now).send_dropped == 10
    joined.run(200)
    assert len(joined.arrived["listener"]) == 20


def test_a_drop_request_frees_what_waits() -> None:
    joined = Joined(latency_ms=5000).connect()
    stream = Stream(joined)
    joined.run(50, stream).run(20)
    first = joined.session.receiver.expected
    joined.up.eats = lambda datagram: HEADER.unpack_from(datagram)[0] in (first, first + 1)
    joined.run(20, stream).run(20)
    assert len(stream.arrived) == 50
    joined.deliver("listener", control(DROP, joined.session.id, 0, 1, struct.pack(">II", first, first + 1)))
    assert stream.arrived == stream.sent[:50] + stream.sent[52:]
    assert joined.session.statistics(joined.now).dropped == 2


def test_sequence_and_timestamps_go_round_on_a_long_connection() -> None:
    """2^31 packets and 71 minutes are brought near by hand: a real connection needs days for the first."""
    joined = Joined(up=Network(loss=0.05), down=Network(loss=0.05), latency_ms=400, timeout_s=10).connect()
    joined.call._sender._first = joined.call._sender._next = 0x7FFF_FF00
    joined.call._sender._start_us = joined.now - (1 << 32) + 300_000
    joined.session.receiver.expected = 0x7FFF_FF00
    acknowledgements = joined.session._acknowledgements
    acknowledgements._sequence = acknowledgements._confirmed = 0x7FFF_FF00
    stream = Stream(joined)
    joined.run(700, stream).run(600)
    assert stream.arrived == stream.sent
    assert joined.session.receiver.expected == 700 - 256
    stamps = [HEADER.unpack_from(sent)[2] for to, sent in joined.log if to == "listener" and len(sent) == 96]
    assert max(stamps) > 0xFFFF_0000
    assert stamps[-1] < 500_000


@pytest.mark.parametrize("from_listener", [False, True])
def test_keys_are_refreshed_in_both_directions(from_listener: bool) -> None:
    limits = replace(DEFAULT_LIMITS, key_refresh_packets=200, key_announce_packets=50)
    joined = Joined(limits=limits, passphrase=PASSPHRASE, key_bits=256).connect()
    stream = Stream(joined, from_listener=from_listener)
    joined.run(1000, stream).run(100)
    assert stream.arrived == stream.sent
    receiving = joined.call if from_listener else joined.session
    assert receiving.statistics(joined.now).undecryptable == 0
    to, back = ("caller", "listener") if from_listener else ("listener", "caller")
    requests = controls(joined, to, USER, KEY_REQUEST)
    assert len({request[16:] for request in requests}) == 5
    assert len(requests) <= 10
    assert {request[16:] for request in requests} == {
        response[16:] for response in controls(joined, back, USER, KEY_RESPONSE)
    }
    flags = [HEADER.unpack_from(sent)[1] & (EVEN | ODD) for target, sent in joined.log if target == to]
    assert set(flags) >= {EVEN, ODD}


def test_a_key_is_not_used_before_it_is_confirmed() -> None:
    limits = replace(DEFAULT_LIMITS, key_refresh_packets=200, key_announce_packets=50)
    joined = Joined(limits=limits, passphrase=PASSPHRASE).connect()
    joined.down.eats = lambda datagram: HEADER.unpack_from(datagram)[0] == CONTROL | USER << 16 | KEY_RESPONSE
    stream = Stream(joined)
    joined.run(390, stream).run(50)
    assert stream.arrived == stream.sent
    assert not any(HEADER.unpack_from(sent)[1] & ODD for _, sent in joined.log if HEADER.unpack_from(sent)[0] < CONTROL)
    assert len(controls(joined, "listener", USER, KEY_REQUEST)) > 5


def test_a_key_message_with_another_passphrase_is_answered_and_changes_nothing() -> None:
    joined = Joined(passphrase=PASSPHRASE).connect()
    salt = bytes(16)
    wrong = Keyring("another passphrase").wrap({ODD: key_material.new_cipher(16, salt)}, salt).pack()
    for message in (wrong, b"", bytes(40)):
        joined.log.clear()
        joined.deliver("listener", control(USER, joined.session.id, 0, 0, message, KEY_REQUEST))
        joined.run(1)
        (answer,) = controls(joined, "caller", USER, KEY_RESPONSE)
        assert answer[16:] == (4).to_bytes(4, "big")
    stream = Stream(joined)
    joined.run(50, stream).run(50)
    assert stream.arrived == stream.sent


def test_a_key_of_another_length_is_not_taken() -> None:
    joined = Joined(passphrase=PASSPHRASE, key_bits=256).connect()
    shorter = Keyring(PASSPHRASE).wrap({ODD: key_material.new_cipher(16, bytes(16))}, bytes(16)).pack()
    joined.log.clear()
    joined.deliver("listener", control(USER, joined.session.id, 0, 0, shorter, KEY_REQUEST))
    joined.run(1)
    assert controls(joined, "caller", USER, KEY_RESPONSE) == []
    assert ODD not in joined.session.receiver.ciphers


def test_a_peer_can_not_make_us_derive_key_after_key(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = Joined(passphrase=PASSPHRASE).connect()
    derived: list[bytes] = []
    derive = key_material.hashlib.pbkdf2_hmac
    messages = [
        Keyring(PASSPHRASE).wrap({ODD: key_material.new_cipher(16, salt)}, salt).pack()
        for salt in (bytes([number] * 16) for number in range(20))
    ]

    def counted(*arguments: object) -> bytes:
        derived.append(b"")
        return derive(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(key_material.hashlib, "pbkdf2_hmac", counted)
    for message in messages:
        joined.run(10)
        joined.deliver("listener", control(USER, joined.session.id, 0, 0, message, KEY_REQUEST))
    assert 1 <= len(derived) <= 3


def test_a_key_for_a_connection_in_plain_is_refused() -> None:
    joined = Joined().connect()
    joined.log.clear()
    joined.deliver("listener", control(USER, joined.session.id, 0, 0, bytes(72), KEY_REQUEST))
    joined.run(1)
    (answer,) = controls(joined, "caller", USER, KEY_RESPONSE)
    assert answer[16:] == (3).to_bytes(4, "big")


NONSENSE = {
    "an acknowledgement of nothing": control(ACK, 0, 0, 5),
    "an acknowledgement of a number too large": control(ACK, 0, 0, 5, b"\xff" * 28),
    "an answer to no acknowledgement": control(ACKACK, 0, 0, 9999),
    "a loss report without losses": control(NAK, 0, 0),
    "a loss report of everything": control(NAK, 0, 0, 0, struct.pack(">II", 0x8000_0000, 0x3FFF_FFFF)),
    "a drop request without a range": control(DROP, 0, 0, 1, bytes(4)),
    "a drop request of everything": control(DROP, 0, 0, 1, struct.pack(">II", 0xFFFF_FFFF, 0xFFFF_FFFE)),
    "an unknown user packet": control(USER, 0, 0, 0, b"", 77),
    "an unknown control packet": control(0x1234, 0, 0),
    "a congestion warning": control(4, 0, 0),
    "a peer error": control(8, 0, 0, 4000),
    "a handshake": control(0, 0, 0, 0, bytes(48)),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense_changes_nothing(case: str) -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(50, stream)
    packet = NONSENSE[case]
    for side, number in (("listener", joined.session.id), ("caller", joined.call.id)):
        joined.deliver(side, packet[:12] + number.to_bytes(4, "big") + packet[16:])
    joined.run(50, stream).run(50)
    assert stream.arrived == stream.sent
    assert joined.closed == {"listener": [], "caller": []}


def test_statistics_of_a_quiet_and_of_a_busy_connection() -> None:
    joined = Joined().connect()
    quiet = joined.session.statistics(joined.now)
    assert (quiet.received, quiet.receive_bits_per_s, quiet.link_bits_per_s, quiet.rtt_ms) == (0, 0, 0, 100)
    stream = Stream(joined)
    joined.run(2500, stream).run(20)
    busy, sender = joined.session.statistics(joined.now), joined.call.statistics(joined.now)
    assert (busy.received, busy.received_bytes) == (2500, 2500 * 80)
    assert busy.receive_bits_per_s == pytest.approx(8 * 96 * 1000, rel=0.02)
    assert busy.link_bits_per_s == pytest.approx(8 * 96 * 1000, rel=0.15)
    assert (sender.sent, sender.sent_bytes, sender.send_buffered) == (2500, 2500 * 80, 0)
    assert sender.send_bits_per_s == pytest.approx(8 * 80 * 1000, rel=0.02)
    assert sender.peer_link_bits_per_s > 0


def test_its_shutdown_is_one_packet() -> None:
    joined = Joined().connect()
    joined.log.clear()
    joined.call.close(joined.now)
    joined.run(20)
    assert len(controls(joined, "listener", SHUTDOWN)) == 1
