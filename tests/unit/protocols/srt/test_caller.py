"""The calling side of the handshake."""

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

import pytest

from server.protocols.srt import handshake as shake
from server.protocols.srt.caller import Caller
from server.protocols.srt.events import Closed, Event
from server.protocols.srt.handshake import Handshake
from server.protocols.srt.packet import CONTROL, HANDSHAKE, HEADER, control
from server.protocols.srt.reject import Code
from server.protocols.srt.state import State
from tests.unit.protocols.srt.joined import LISTENER, PASSPHRASE, START_US, Joined, Network, Stream

NOW = START_US


class Called:
    """A caller and hand-made answers."""

    def __init__(self, passphrase: str = "") -> None:
        self.caller = Caller(LISTENER, NOW, stream_id="key", passphrase=passphrase)

    def said(self) -> list[Handshake]:
        return [shake.read(datagram) for datagram, _ in self.caller.datagrams_to_send()]

    def answer(self, handshake: Handshake, now: int = NOW) -> list[Event]:
        return self.caller.receive(control(HANDSHAKE, self.caller._id, 0, 0, handshake.pack()), LISTENER, now)

    def induction(self) -> Handshake:
        return replace(self.said()[-1], version=5, extension_flags=shake.MAGIC, encryption=3, cookie=77)

    def conclusion(self, **changes: object) -> Handshake:
        """What a listener that agrees would say to the last handshake."""
        asked = shake.read_extensions(said := self.said()[-1])
        answer = replace(asked, stream_id=b"", **changes)  # type: ignore[arg-type]
        flags, packed = shake.pack_extensions(answer, response=True)
        return replace(said, extension_flags=flags, extensions=packed, socket_id=55, initial_sequence=4242)


def reason(events: list[Event]) -> tuple[str, int]:
    (event,) = events
    assert isinstance(event, Closed)
    assert event.connection is None
    return event.reason, event.code


def test_the_first_handshake_is_an_induction_of_version_4() -> None:
    (said,) = Called().said()
    assert (said.version, said.type, said.extension_flags) == (4, shake.INDUCTION, 2)
    assert (said.cookie, said.encryption) == (0, 0)
    assert said.peer_ip == shake.pack_ip(LISTENER)


def test_the_second_brings_cookie_stream_id_and_the_offered_key_length() -> None:
    called = Called(PASSPHRASE)
    called.answer(called.induction())
    (said,) = called.said()
    assert (said.version, said.type, said.cookie, said.encryption) == (5, shake.CONCLUSION, 77, 3)
    assert said.extension_flags == shake.HAS_HSREQ | shake.HAS_KMREQ | shake.HAS_CONFIG
    assert shake.read_extensions(said).stream_id == b"key"


def test_each_side_numbers_from_where_it_said() -> None:
    called = Called()
    called.answer(called.induction())
    assert len(called.answer(called.conclusion())) == 1
    connection = called.caller.connection
    assert connection is not None
    assert connection.receiver.expected == 4242
    assert connection.peer_id == 55
    assert called.caller.state is State.CONNECTED


def test_handshakes_are_repeated_until_the_time_limit() -> None:
    caller = Caller(LISTENER, NOW, timeout_s=1.1)
    count = len(caller.datagrams_to_send())
    while (due := caller.next_timeout()) is not None:
        assert caller.handle_timeout(due - 1) == []
        events = caller.handle_timeout(due)
        count += len(caller.datagrams_to_send())
    assert count == 5
    assert reason(events) == ("no answer within 1.1 s", Code.TIMEOUT)
    assert due is None
    assert caller.closed


def test_lost_handshakes_are_made_up_for() -> None:
    def every_other() -> Callable[[bytes], bool]:
        turns = cycle([True, False])
        return lambda datagram: next(turns)

    joined = Joined(up=Network(eats=every_other()), down=Network(eats=every_other()), passphrase=PASSPHRASE).connect()
    joined.up.eats = joined.down.eats = None
    stream = Stream(joined)
    joined.run(50, stream).run(100)
    assert stream.arrived == stream.sent


def test_a_listener_before_hsv5_is_told_from_a_proper_one() -> None:
    called = Called()
    assert reason(called.answer(replace(called.induction(), version=4)))[1] == Code.VERSION
    called = Called()
    assert reason(called.answer(replace(called.induction(), extension_flags=0)))[1] == Code.VERSION


@pytest.mark.parametrize("code", [Code.BAD_SECRET, Code.NOT_FOUND, 2718])
def test_a_refusal_is_passed_on(code: int) -> None:
    called = Called()
    called.answer(called.induction())
    events = called.answer(called.said()[-1].refusal(code))
    assert reason(events)[1] == code
    assert called.caller.next_timeout() is None


KEY_ANSWERS = {
    "no keys": (b"", Code.UNSECURE),
    "other keys": (bytes(72), Code.UNSECURE),
    "a bad secret": ((4).to_bytes(4, "big"), Code.BAD_SECRET),
    "no secret": ((3).to_bytes(4, "big"), Code.UNSECURE),
    "another state": ((9).to_bytes(4, "big"), Code.BAD_SECRET),
}


@pytest.mark.parametrize("case", KEY_ANSWERS)
def test_a_listener_that_does_not_confirm_the_key_is_left(case: str) -> None:
    material, code = KEY_ANSWERS[case]
    called = Called(PASSPHRASE)
    called.answer(called.induction())
    assert reason(called.answer(called.conclusion(key_material=material)))[1] == code


def test_a_listener_that_answers_with_a_key_nobody_sent_is_left() -> None:
    called = Called()
    called.answer(called.induction())
    assert reason(called.answer(called.conclusion(key_material=bytes(72))))[1] == Code.UNSECURE


def test_what_others_say_is_dropped() -> None:
    called = Called()
    induction = called.induction()
    packet = control(HANDSHAKE, called.caller._id, 0, 0, induction.pack())
    for datagram, source in (
        (packet, ("203.0.113.5", 6200)),
        (packet[:12] + bytes(4) + packet[16:], LISTENER),
        (packet[:40], LISTENER),
        (b"", LISTENER),
        (control(5, called.caller._id, 0), LISTENER),
    ):
        assert called.caller.receive(datagram, source, NOW) == []
    assert called.caller.dropped == 5
    assert called.caller.state is State.CALLING


def test_answers_out_of_turn_are_ignored() -> None:
    called = Called()
    induction = called.induction()
    assert called.answer(replace(induction, type=shake.CONCLUSION)) == []
    called.answer(induction)
    called.said()
    assert called.answer(induction) == []
    assert called.answer(replace(induction, type=0xFFFF_FFFD)) == []
    assert called.said() == []


def test_closing_before_it_is_connected_says_nothing_more() -> None:
    joined = Joined()
    joined.caller.close(joined.now)
    joined.run(1000)
    assert joined.closed == {"listener": [], "caller": []}
    assert joined.connection is None


def test_closing_tells_the_listener() -> None:
    joined = Joined().connect()
    joined.caller.close(joined.now)
    joined.run(100)
    (closed,) = joined.closed["listener"]
    assert (closed.reason, closed.by_peer, closed.connection) == ("ended by the peer", True, joined.session)
    assert joined.closed["caller"] == []
    assert joined.caller.next_timeout() is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"passphrase": "short"}, "10 to 79"),
        ({"passphrase": "x" * 80}, "10 to 79"),
        ({"stream_id": "é" * 300}, "512"),
        ({"passphrase": PASSPHRASE, "key_bits": 64}, "128, 192 or 256"),
    ],
)
def test_what_it_can_not_be_asked_for(arguments: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Caller(LISTENER, NOW, **arguments)  # type: ignore[arg-type]


def test_its_handshakes_go_to_socket_zero() -> None:
    caller = Caller(LISTENER, NOW)
    ((datagram, address),) = caller.datagrams_to_send()
    assert address == LISTENER
    assert HEADER.unpack_from(datagram)[0] == CONTROL
    assert HEADER.unpack_from(datagram)[3] == 0
