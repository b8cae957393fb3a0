"""Admission: what is asked, what is refused and how, what is remembered of those who only knock."""

import random
import sys
from dataclasses import replace

import pytest

from server.protocols.srt import handshake as shake
from server.protocols.srt.caller import Caller
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Closed, ConnectionRequested
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.listener import Listener, Refusal
from server.protocols.srt.packet import CONTROL, HANDSHAKE, HEADER, SHUTDOWN, SOLO, Address, control
from server.protocols.srt.reject import WIRE_OFFSET, Code
from tests.unit.protocols.srt.joined import CALLER, LISTENER, PASSPHRASE, START_US, Joined, Network, Stream

NOW = START_US


def induction(socket_id: int = 7) -> Handshake:
    return Handshake(4, 0, 2, 1000, 1500, 8192, shake.INDUCTION, socket_id, 0)


def conclusion(cookie: int, socket_id: int = 7, **asked: object) -> Handshake:
    extensions = replace(Extensions(0x010501, shake.OUR_FLAGS, 120, 120, stream_id=b"key"), **asked)  # type: ignore[arg-type]
    flags, packed = shake.pack_extensions(extensions, response=False)
    return Handshake(5, 0, flags, 1000, 1500, 8192, shake.CONCLUSION, socket_id, cookie, bytes(16), packed)


class Knocker:
    """Hand-made handshakes to a listener."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, address: Address = CALLER) -> None:
        self.listener = Listener(limits, secret=b"secret")
        self.address = address
        self.requests: list[ConnectionRequested] = []
        self.closed: list[Closed] = []

    def say(self, handshake: Handshake, now: int = NOW, address: Address | None = None) -> list[Handshake]:
        """The answers."""
        datagram = control(HANDSHAKE, 0, 0, 0, handshake.pack())
        events = self.listener.receive(datagram, address or self.address, now)
        self.requests += [event for event in events if isinstance(event, ConnectionRequested)]
        self.closed += [event for event in events if isinstance(event, Closed)]
        return self.answers()

    def answers(self) -> list[Handshake]:
        found = []
        for datagram, _ in self.listener.datagrams_to_send():
            if HEADER.unpack_from(datagram)[0] == CONTROL | HANDSHAKE:
                found.append(shake.read(datagram))
        return found

    def cookie(self, now: int = NOW, address: Address | None = None) -> int:
        return self.say(induction(), now, address)[-1].cookie

    def knock(
        self, socket_id: int = 7, now: int = NOW, address: Address | None = None, **asked: object
    ) -> list[Handshake]:
        return self.say(conclusion(self.cookie(now, address), socket_id, **asked), now, address)

    def accepted(self, now: int = NOW) -> Connection:
        answer = self.listener.accept(self.requests[-1], now)
        assert isinstance(answer, Connection)
        return answer


def test_an_induction_gets_a_cookie_and_leaves_nothing() -> None:
    knocker = Knocker()
    (answer,) = knocker.say(induction())
    assert (answer.type, answer.version, answer.extension_flags) == (shake.INDUCTION, 5, shake.MAGIC)
    assert answer.cookie
    assert knocker.listener.next_timeout() is None
    assert knocker.listener.pending == 0


def test_a_listener_may_offer_a_key_length() -> None:
    joined = Joined(listener=Listener(offered_key_bits=256), passphrase=PASSPHRASE).connect()
    assert (joined.call.key_bits, joined.session.key_bits) == (256, 256)


def test_a_request_tells_what_is_asked_and_hides_the_stream_id() -> None:
    knocker = Knocker()
    assert knocker.knock(send_latency_ms=250) == []
    (request,) = knocker.requests
    assert (request.address, request.stream_id, request.version) == (CALLER, "key", "1.5.1")
    assert (request.key_bits, request.latency_ms, request.peer_id) == (0, 250, 7)
    assert "key'" not in repr(request)


def test_repeated_handshakes_are_absorbed_while_the_answer_is_awaited_and_answered_after() -> None:
    knocker = Knocker()
    knocker.knock()
    assert knocker.knock() == knocker.knock() == []
    assert len(knocker.requests) == 1
    connection = knocker.accepted()
    (answer,) = knocker.answers()
    assert (answer.type, answer.socket_id, answer.initial_sequence) == (shake.CONCLUSION, connection.id, 1000)
    assert knocker.knock() == [answer]
    assert len(knocker.requests) == 1
    assert knocker.listener.counters.repeated == 3


def test_the_repeated_answer_is_stamped_with_its_own_time() -> None:
    """The peer takes the timestamp for the zero of the media's (the draft, 4.5.1.1)."""
    knocker = Knocker()
    knocker.knock()
    knocker.accepted()
    knocker.answers()
    knocker.listener.receive(
        control(HANDSHAKE, 0, 0, 0, conclusion(knocker.cookie()).pack()), CALLER, NOW + 250_000
    )
    ((datagram, _),) = knocker.listener.datagrams_to_send()
    assert HEADER.unpack_from(datagram)[2] == 250_000


def test_an_answer_may_be_late_but_not_too_late() -> None:
    knocker = Knocker()
    knocker.knock()
    assert knocker.listener.next_timeout() == NOW + 3_000_000
    knocker.listener.handle_timeout(NOW + 3_000_000)
    answer = knocker.listener.accept(knocker.requests[0], NOW + 3_000_000)
    assert answer == Refusal(Code.CLOSE, "the caller no longer waits")
    knocker.listener.reject(knocker.requests[0], Code.NOT_FOUND, NOW)
    assert knocker.listener.counters.expired == 1
    assert knocker.answers() == []


def test_a_slow_admission_ends_well() -> None:
    joined = Joined()
    joined.admit = False
    joined.run(1500)
    assert len(joined.requests) == 1
    joined.answer(joined.requests[0])
    joined.connect()
    stream = Stream(joined)
    joined.run(50, stream).run(50)
    assert stream.arrived == stream.sent


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"library": 0x010200}, Code.VERSION),
        ({"flags": shake.OUR_FLAGS | shake.STREAM_MODE}, Code.MESSAGE_API),
        ({"stream_id": b"x" * 516}, Code.BAD_REQUEST),
        ({"stream_id": b"\xff\xfe"}, Code.BAD_REQUEST),
        ({"key_material": bytes(72)}, Code.ROGUE),
    ],
)
def test_refused_by_the_protocol(changes: dict[str, object], code: Code) -> None:
    knocker = Knocker()
    (answer,) = knocker.knock(**changes)
    assert answer.type == WIRE_OFFSET + code
    assert knocker.requests == []
    assert knocker.listener.counters.refused == 1


def test_hsv4_is_refused_with_its_code() -> None:
    knocker = Knocker()
    (answer,) = knocker.say(replace(conclusion(knocker.cookie()), version=4))
    assert answer.type == WIRE_OFFSET + Code.VERSION


def test_a_refusal_is_told_again_without_asking_again() -> None:
    knocker = Knocker()
    knocker.knock()
    knocker.listener.reject(knocker.requests[0], Code.CONFLICT, NOW)
    (answer,) = knocker.answers()
    assert answer.type == WIRE_OFFSET + 1409
    assert knocker.knock() == [answer]
    assert len(knocker.requests) == 1
    knocker.listener.handle_timeout(NOW + 3_000_000)
    knocker.knock(now=NOW + 3_000_000)
    assert len(knocker.requests) == 2


def test_a_host_that_is_refused_too_often_is_no_longer_answered() -> None:
    knocker = Knocker(Limits(refused_per_host=4))
    answers = [knocker.knock(socket_id, library=0) for socket_id in range(1, 10)]
    assert [len(answer) for answer in answers] == [1] * 4 + [0] * 5
    assert knocker.listener.counters.throttled == 5
    assert knocker.knock(1, address=("198.51.100.8", 1)) == []
    assert len(knocker.requests) == 1


@pytest.mark.parametrize("cookie", [0, 1, 0xFFFF_FFFF])
def test_without_the_cookie_nothing_is_answered(cookie: int) -> None:
    knocker = Knocker()
    assert knocker.say(conclusion(cookie)) == []
    assert knocker.listener.counters.bad_cookie == 1


def test_the_cookie_of_another_address_does_not_count() -> None:
    knocker = Knocker()
    cookie = knocker.cookie(address=("203.0.113.9", 5))
    assert knocker.say(conclusion(cookie)) == []
    assert knocker.listener.counters.bad_cookie == 1


ADMISSION = {
    "both": (PASSPHRASE, PASSPHRASE, 0, None),
    "neither": ("", "", 0, None),
    "wrong": ("wrong passphrase", PASSPHRASE, 0, Code.BAD_SECRET),
    "missing": ("", PASSPHRASE, 0, Code.UNSECURE),
    "unexpected": (PASSPHRASE, "", 0, Code.UNSECURE),
    "too short a key": (PASSPHRASE, PASSPHRASE, 256, Code.FORBIDDEN),
    "long enough a key": (PASSPHRASE, PASSPHRASE, 128, None),
}


@pytest.mark.parametrize("case", ADMISSION)
def test_passphrases(case: str) -> None:
    theirs, ours, bits, code = ADMISSION[case]
    joined = Joined(passphrase=theirs, accept={"passphrase": ours, "min_key_bits": bits}).run(300)
    if code is None:
        assert joined.connect().session.key_bits == (128 if ours else 0)
        return
    assert joined.refusal is not None
    assert joined.refusal.code == code
    assert [closed.code for closed in joined.closed["caller"]] == [code]
    assert joined.caller.closed


@pytest.mark.parametrize("case", ADMISSION)
def test_a_key_can_be_checked_before_more_is_done(case: str) -> None:
    theirs, ours, bits, code = ADMISSION[case]
    joined = Joined(passphrase=theirs, accept={"passphrase": ours, "min_key_bits": bits})
    joined.admit = False
    joined.run(100)
    (request,) = joined.requests
    refusal = joined.listener.check(request, joined.now, passphrase=ours, min_key_bits=bits)
    if code is None:
        assert refusal is None
        joined.answer(request)
        joined.connect()
        return
    assert refusal is not None
    assert refusal.code == code
    assert joined.listener.check(request, joined.now, passphrase=ours) == Refusal(
        Code.CLOSE, "the caller no longer waits"
    )
    joined.run(100)
    assert [closed.code for closed in joined.closed["caller"]] == [code]


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_key_lengths(bits: int) -> None:
    joined = Joined(passphrase=PASSPHRASE, key_bits=bits).connect()
    assert (joined.session.key_bits, joined.call.key_bits) == (bits, bits)


@pytest.mark.parametrize(("ours", "theirs", "agreed"), [(120, 120, 120), (300, 120, 300), (120, 300, 300)])
def test_the_larger_latency_counts_for_both(ours: int, theirs: int, agreed: int) -> None:
    joined = Joined(latency_ms=theirs, accept={"latency_ms": ours}).connect()
    for connection in (joined.session, joined.call):
        assert (connection.latency_ms, connection.send_latency_ms) == (agreed, agreed)


def test_an_exorbitant_latency_is_cut() -> None:
    knocker = Knocker()
    knocker.knock(send_latency_ms=65535, receive_latency_ms=65535)
    connection = knocker.accepted()
    assert (connection.latency_ms, connection.send_latency_ms) == (8000, 8000)


def test_a_small_mtu_limits_what_is_sent() -> None:
    knocker = Knocker()
    knocker.say(replace(conclusion(knocker.cookie()), mtu=1000))
    connection = knocker.accepted()
    assert connection.payload == 1000 - 44
    with pytest.raises(ValueError, match="956"):
        connection.send(bytes(957), NOW)


def test_pending_requests_are_bounded_in_all_and_by_host() -> None:
    knocker = Knocker(Limits(pending=5, pending_per_host=2))
    for host in range(4):
        for socket_id in range(1, 4):
            knocker.knock(socket_id, address=(f"203.0.113.{host}", 5))
    assert [request.address[0][-1] for request in knocker.requests] == ["0", "0", "1", "1", "2"]
    assert knocker.listener.pending == 5
    for request in knocker.requests:
        knocker.listener.reject(request, Code.NOT_FOUND, NOW)
    assert knocker.listener.pending == 0


def test_connections_are_bounded() -> None:
    knocker = Knocker(Limits(connections=1))
    knocker.knock(1)
    knocker.accepted()
    knocker.answers()
    (answer,) = knocker.knock(2)
    assert answer.type == WIRE_OFFSET + Code.RESOURCE


def size_of(thing: object, seen: set[int]) -> int:
    """Bytes of an object and of all it holds, roughly."""
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    total = sys.getsizeof(thing)
    if isinstance(thing, dict):
        return total + sum(size_of(part, seen) for pair in thing.items() for part in pair)
    if isinstance(thing, list | tuple | set):
        return total + sum(size_of(part, seen) for part in thing)
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    parts = [getattr(thing, name) for name in slots if hasattr(thing, name)]
    return total + sum(size_of(part, seen) for part in [*parts, getattr(thing, "__dict__", None)])


def test_memory_is_flat_in_a_flood_of_half_open_handshakes() -> None:
    noise = random.Random(3)
    knocker = Knocker()
    sizes = []
    for number in range(6000):
        address = (f"10.{noise.randrange(256)}.{noise.randrange(256)}.{noise.randrange(256)}", noise.randrange(65536))
        now = NOW + number * 1000
        match number % 3:
            case 0:
                knocker.say(induction(number + 1), now, address)
            case 1:
                knocker.say(conclusion(noise.getrandbits(32), number + 1), now, address)
            case _:
                knocker.knock(number + 1, now, address)
        knocker.requests.clear()
        knocker.listener.handle_timeout(now)
        if number % 1000 == 999:
            sizes.append(size_of(knocker.listener, set()))
    assert max(sizes[1:]) < 1_500_000
    assert max(sizes[2:]) < 1.3 * min(sizes[2:])
    knocker.listener.handle_timeout(NOW + 20_000_000)
    assert knocker.listener.pending == 0


def test_packets_of_nobody_are_counted_and_dropped() -> None:
    joined = Joined().connect()
    stream = Stream(joined)
    joined.run(20, stream).run(20)
    data = HEADER.pack(5, SOLO | 1, 0, joined.session.id) + b"x"
    cases = {
        "spoofed": (data, ("203.0.113.9", 41000)),
        "unknown": (HEADER.pack(5, SOLO | 1, 0, 12345) + b"x", CALLER),
        "malformed": (b"short", CALLER),
    }
    for name, (datagram, source) in cases.items():
        before = getattr(joined.listener.counters, name)
        joined.deliver("listener", datagram, source)
        assert getattr(joined.listener.counters, name) == before + 1, name
    joined.deliver("listener", data[:16] + bytes(1457))
    assert joined.listener.counters.malformed == 2
    assert joined.arrived["listener"] == stream.sent


def test_a_spoofed_shutdown_ends_nothing() -> None:
    joined = Joined().connect()
    joined.deliver("listener", control(SHUTDOWN, joined.session.id, 0), ("203.0.113.9", 41000))
    joined.run(100)
    assert joined.closed["listener"] == []


def test_replayed_packets_are_not_delivered_again() -> None:
    joined = Joined(passphrase=PASSPHRASE).connect()
    stream = Stream(joined)
    joined.run(200, stream).run(50)
    for target, datagram in list(joined.log):
        if target == "listener":
            joined.deliver("listener", datagram)
    joined.run(100)
    assert stream.arrived == stream.sent
    assert joined.session.statistics(joined.now).late == 200
    assert joined.closed == {"listener": [], "caller": []}


def test_a_caller_that_restarts_from_the_same_address_takes_the_place_of_its_silent_connection() -> None:
    knocker = Knocker()
    knocker.knock(7)
    old = knocker.accepted()
    later = NOW + 2_500_000
    knocker.listener.handle_timeout(later)
    knocker.knock(8, later)
    assert [closed.connection for closed in knocker.closed] == [old]
    assert knocker.closed[0].reason == "taken over by a new connection from the same address"
    assert list(knocker.listener.connections) == []
    knocker.accepted(later)
    assert len(list(knocker.listener.connections)) == 1


def test_a_living_connection_is_not_taken_over() -> None:
    knocker = Knocker()
    knocker.knock(7)
    old = knocker.accepted()
    knocker.knock(8, NOW + 500_000)
    knocker.accepted(NOW + 500_000)
    assert knocker.closed == []
    assert not old.closed
    assert len(list(knocker.listener.connections)) == 2


def test_the_same_socket_may_call_again_once_its_connection_is_over() -> None:
    knocker = Knocker()
    knocker.knock(7)
    connection = knocker.accepted()
    knocker.listener.receive(control(SHUTDOWN, connection.id, 0), CALLER, NOW)
    knocker.knock(7)
    assert len(knocker.requests) == 2
    assert knocker.accepted().id != connection.id


def test_connections_do_not_disturb_each_other() -> None:
    listener, callers = Listener(), []
    for number in range(5):
        address = ("198.51.100.7", 1000 + number)
        caller = Caller(LISTENER, NOW, stream_id=f"key{number}", passphrase=PASSPHRASE if number % 2 else "")
        callers.append((caller, address))
        for _ in range(3):
            for datagram, _ in caller.datagrams_to_send():
                for event in listener.receive(datagram, address, NOW):
                    assert isinstance(event, ConnectionRequested)
                    listener.accept(event, NOW, passphrase=PASSPHRASE if number % 2 else "")
            for datagram, _ in listener.datagrams_to_send():
                caller.receive(datagram, LISTENER, NOW)
    batch = []
    for turn in range(10):
        for number, (caller, address) in enumerate(callers):
            assert caller.connection is not None
            caller.connection.send(b"%d %d" % (number, turn), NOW)
            batch += [(datagram, address) for datagram, _ in caller.datagrams_to_send()]
    events = listener.receive_many(batch, NOW)
    assert len(events) == 5
    for event in events:
        number = event.connection.stream_id[-1].encode()  # type: ignore[union-attr]
        assert event.messages == [number + b" %d" % turn for turn in range(10)]  # type: ignore[union-attr]


def test_a_listener_that_closes_says_so_to_all() -> None:
    joined = Joined().connect()
    second = Caller(LISTENER, joined.now)
    joined.listener.close(joined.now)
    joined.run(50)
    assert [closed.reason for closed in joined.closed["caller"]] == ["ended by the peer"]
    assert list(joined.listener.connections) == []
    second.close(joined.now)


def test_a_peer_that_missed_our_shutdown_is_told_again() -> None:
    joined = Joined(down=Network(eats=lambda datagram: HEADER.unpack_from(datagram)[0] == CONTROL | SHUTDOWN << 16))
    stream = Stream(joined)
    joined.connect().run(50, stream)
    joined.session.close(joined.now)
    joined.run(50, stream)
    assert not joined.caller.closed
    joined.down.eats = None
    joined.run(300, lambda: None if joined.caller.closed else stream())
    assert joined.caller.closed
    assert joined.closed["listener"] == []
    shutdowns = [datagram for target, datagram in joined.log if target == "caller"
                 and HEADER.unpack_from(datagram)[0] == CONTROL | SHUTDOWN << 16]  # fmt: skip
    assert len(shutdowns) <= 4


def test_it_needs_no_timer_while_nothing_is_going_on() -> None:
    joined = Joined().connect()
    assert joined.listener.next_timeout() is not None
    assert joined.listener.handle_timeout(joined.now - 1_000_000) == []
    joined.caller.connection.close(joined.now)  # type: ignore[union-attr]
    joined.run(20)
    assert joined.listener.next_timeout() is None
