from dataclasses import replace
from itertools import pairwise

import pytest

from server.protocols.srt import key_material
from server.protocols.srt.key_material import Keyring
from server.protocols.srt.limits import DEFAULT_LIMITS
from server.protocols.srt.packet import EVEN, ODD
from server.protocols.srt.send_keys import SendKeys

LIMITS = replace(DEFAULT_LIMITS, key_refresh_packets=100, key_announce_packets=20)
SALT = bytes(range(16))


@pytest.fixture
def keys() -> SendKeys:
    return SendKeys(EVEN, {EVEN: key_material.new_cipher(32, SALT)}, SALT, Keyring("a passphrase"), LIMITS)


def flags(keys: SendKeys, count: int) -> list[int]:
    return [keys.for_next()[0] for _ in range(count)]


def test_the_next_key_is_announced_before_it_is_used(keys: SendKeys) -> None:
    flags(keys, 79)
    assert not keys.announcement
    flags(keys, 1)
    wrapped = key_material.parse(keys.announcement)
    assert (wrapped.flags, wrapped.key_size) == (EVEN | ODD, 32)


def test_a_confirmed_key_is_used_when_its_time_has_come(keys: SendKeys) -> None:
    flags(keys, 90)
    announced = keys.announcement
    keys.confirmed(b"something else")
    assert keys.announcement
    keys.confirmed(announced)
    assert not keys.announcement
    assert flags(keys, 10) == [EVEN] * 10
    flag, cipher = keys.for_next()
    assert flag == ODD
    assert cipher.key == Keyring("a passphrase").unwrap(key_material.parse(announced))[ODD].key


def test_keys_take_turns(keys: SendKeys) -> None:
    seen, announcements = [], []
    for _ in range(500):
        seen.append(keys.for_next()[0])
        if keys.announcement:
            announcements.append(keys.announcement)
            keys.confirmed(keys.announcement)
    assert [(flag, seen.count(flag)) for flag in (EVEN, ODD)] == [(EVEN, 300), (ODD, 200)]
    assert sum(one != other for one, other in pairwise(seen)) == 4
    assert len(set(announcements)) == len(announcements) >= 4


def test_a_key_that_nobody_confirms_is_used_at_twice_the_time(keys: SendKeys) -> None:
    assert flags(keys, 200) == [EVEN] * 200
    assert flags(keys, 1) == [ODD]
    assert not keys.announcement
