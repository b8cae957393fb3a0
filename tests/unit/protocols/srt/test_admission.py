import pytest

from server.protocols.srt import handshake as shake
from server.protocols.srt.admission import Door
from server.protocols.srt.errors import HandshakeError
from server.protocols.srt.events import ConnectionRequested
from server.protocols.srt.handshake import Extensions, Handshake
from server.protocols.srt.limits import Limits
from server.protocols.srt.reject import Code

HANDSHAKE = Handshake(5, 0, 1, 1, 1500, 8192, shake.CONCLUSION, 7, 1)
EXTENSIONS = Extensions(0x010501, shake.OUR_FLAGS, 120, 120)
LIMITS = Limits(pending=4, pending_per_host=2, refused_per_host=2)


def knock(door: Door, host: str, peer_id: int, now: int = 0) -> ConnectionRequested:
    request = ConnectionRequested((host, 5), "key", "1.5.1", 0, 120, peer_id)
    door.add(request, HANDSHAKE, EXTENSIONS, now)
    return request


def test_a_request_is_taken_once() -> None:
    door = Door(LIMITS)
    request = knock(door, "a", 1)
    assert (request.address, 1) in door
    assert door.find(request) is not None
    assert door.take(request) is not None
    assert door.take(request) is None
    assert len(door) == 0


def test_one_request_does_not_pass_for_another_of_the_same_peer() -> None:
    door = Door(LIMITS)
    first = knock(door, "a", 1)
    door.take(first)
    second = knock(door, "a", 1)
    assert door.find(first) is None
    assert door.find(second) is not None


@pytest.mark.parametrize("hosts", ["aaa", "aabbc"])
def test_there_is_room_for_so_many_of_a_host_and_in_all(hosts: str) -> None:
    door = Door(LIMITS)
    requests = [knock(door, host, number) for number, host in enumerate(hosts[:-1])]
    with pytest.raises(HandshakeError) as error:
        knock(door, hosts[-1], 99)
    assert error.value.code == Code.BACKLOG
    assert list(door.requests) == requests
    door.take(requests[0])
    knock(door, hosts[-1], 99)


def test_who_waits_in_vain_goes() -> None:
    door = Door(LIMITS)
    knock(door, "a", 1, 0)
    knock(door, "a", 2, 1_000_000)
    assert door.next_expiry() == 3_000_000
    assert door.expire(2_999_999) == 0
    assert door.expire(3_000_000) == 1
    assert door.next_expiry() == 4_000_000
    assert door.expire(4_000_000) == 1
    assert door.next_expiry() is None


def test_refusals_are_remembered_for_a_while_and_not_too_many() -> None:
    door = Door(LIMITS)
    for number in range(6):
        door.refuse((("b", number), number), HANDSHAKE.refusal(number), 0)
    assert [door.refusal_of((("b", number), number)) is not None for number in range(6)] == [False] * 2 + [True] * 4
    assert door.shut_to("b")
    assert not door.shut_to("c")
    assert door.expire(3_000_000) == 0
    assert not door.shut_to("b")
