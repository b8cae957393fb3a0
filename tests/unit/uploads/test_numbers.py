"""What is counted of uploads that are finished, left alone, broken off and gone on with."""

from datetime import timedelta

import pytest

from server import clock
from server.protocols.tus.commands import Append
from server.uploads.numbers import REMEMBERED, Numbers


async def broken():
    yield b"abc"
    raise ConnectionResetError


async def test_an_upload_in_two_requests_is_not_a_resumed_one(house):
    opened = await house.create(6)
    await house.append(opened, 0, b"abc")
    await house.append(opened, 3, b"def")
    numbers = house.service.numbers

    assert numbers.begun.read() == {("tus",): 1}
    assert numbers.ended.read() == {("tus", "finished"): 1}
    assert sum(numbers.took_s.read()[("tus",)].counts) == 1
    assert (numbers.broken.read(), numbers.resumed.read()) == ({}, {})


async def test_one_that_broke_off_is(house):
    opened = await house.create(6)
    with pytest.raises(ConnectionResetError):
        await house.service.append(opened.id, opened.secret, Append(0, None, 6), broken())
    await house.append(opened, 3, b"def")
    numbers = house.service.numbers

    assert numbers.broken.read() == {("tus",): 1}
    assert numbers.resumed.read() == {("tus",): 1}


async def test_one_gone_on_with_after_a_restart_is(house, reopened):
    opened = await house.create(6)
    await house.append(opened, 0, b"abc")
    await reopened.append(opened, 3, b"def")

    assert reopened.service.numbers.resumed.read() == {("tus",): 1}


async def test_those_left_alone_and_given_up(house, monkeypatch):
    left, given_up = await house.create(6), await house.create(6)
    await house.service.abort(given_up.id, given_up.secret)
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    await house.service.expire(left.id)

    assert house.service.numbers.ended.read() == {("tus", "aborted"): 1, ("tus", "expired"): 1}


async def test_another_in_its_place(house):
    video_id = await house.new_video()
    for _ in range(2):
        await house.create(6, videoId=video_id)

    assert house.service.numbers.ended.read() == {("tus", "superseded"): 1}


def test_what_is_remembered_is_bounded():
    numbers = Numbers()
    for number in range(REMEMBERED + 10):
        numbers.came(f"up{number}", "tus", whole=True)

    assert len(numbers._whole) == REMEMBERED
