"""Partial uploads and what they are joined to; a crash is a second house on the same folder."""

import asyncio
from datetime import timedelta

import pytest

from server import clock
from server.catalog import audit, events, partial_uploads, uploads
from server.catalog.audit import Actor
from server.catalog.keys import hashed
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Upload
from server.errors import Problem
from server.protocols.tus.commands import Append, Create, Join
from server.protocols.tus.concatenation import Partial
from server.protocols.tus.metadata import describe
from server.uploads import expiry
from server.uploads.placement import Sender
from tests.unit.uploads.conftest import MAX_BYTES, OWNER, chunks


async def refusal(awaitable):
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value.row.status, caught.value.code


async def begun(house, length=None, sender=OWNER):
    return await house.partials.create(sender, Create(length, {}, describe({}), partial=True))


async def part(house, text, sender=OWNER):
    """A whole one."""
    opened = await begun(house, len(text), sender)
    await house.partials.append(opened.id, opened.secret, Append(0, None, len(text)), chunks(text))
    return opened


def order(*parts, **pairs):
    named = tuple(Partial(each.id, each.secret) for each in parts)
    return Join(named, "final;" + " ".join(f"/tus/{each.id}/{each.secret}" for each in parts), pairs, describe(pairs))


async def upload(house, upload_id) -> Upload:
    row = await house.row(upload_id)
    assert row is not None
    return row


async def test_parts_become_a_video_in_the_order_of_the_list(house):
    second, first = await part(house, b"world"), await part(house, b"hello ")
    opened = await house.partials.join(OWNER, order(first, second, title="Film", filename="a.mp4"))
    video = await house.video(opened.video_id)

    assert (video.title, video.source_name, video.state) == ("Film", "a.mp4", "pre-processing")
    assert house.source(video.id) == b"hello world"
    assert (opened.upload.state, opened.upload.offset, opened.upload.length) == ("uploaded", 11, 11)
    assert [job.object_id for job in await house.jobs()] == [video.id]
    assert house.stored() == []


async def test_only_what_they_are_joined_to_is_news(house):
    one = await part(house, b"abc")
    opened = await house.partials.join(OWNER, order(one))
    async with house.database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, one.id)
        heard = await events.of_object(transaction, DEFAULT_PROJECT, opened.id)

    assert told == []
    assert [event.type for event in heard] == ["upload.created", "upload.uploaded"]


async def test_what_is_joined_is_in_the_audit_log(house):
    one = await part(house, b"abc")
    async with audit.audited(Actor("api-key", "POST_tus", DEFAULT_PROJECT, "ak1", "req1", "127.0.0.1")):
        opened = await house.partials.join(OWNER, order(one))
    async with house.database.read() as transaction:
        found = await audit.page(transaction, DEFAULT_PROJECT, audit.Filter(), Paging(1, 25))

    assert {(row.object_type, row.object_id) for row in found.rows} >= {("videos", opened.video_id)}
    assert {row.actor_id for row in found.rows} == {"ak1"}


class Slow:
    """Two chunks; the second one when told."""

    def __init__(self):
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def chunks(self):
        yield b"ab"
        self.begun.set()
        await self.go_on.wait()
        yield b"cd"


@pytest.mark.parametrize("partial", [True, False])
async def test_who_does_not_know_the_secret_breaks_nothing_off(house, partial):
    opened = await begun(house, 4) if partial else await house.create(4)
    slow, service = Slow(), house.partials if partial else house.service
    sending = asyncio.create_task(service.append(opened.id, opened.secret, Append(0, None, 4), slow.chunks()))
    await slow.begun.wait()
    wrong = Join((Partial(opened.id, "guess"),), "final;x", {}, describe({}))

    assert await refusal(house.partials.head(opened.id, "guess")) == (404, "resource-not-found")
    assert await refusal(house.partials.join(OWNER, wrong)) == (404, "resource-not-found")
    slow.go_on.set()
    assert (await sending).offset == 4


async def test_parts_go_on_where_they_stopped(house):
    opened = await begun(house, 6)
    await house.partials.append(opened.id, opened.secret, Append(0, None, 3), chunks(b"abc"))
    now, _ = await house.partials.head(opened.id, opened.secret)
    assert (now.state, now.offset, now.length, now.concat) == ("uploading", 3, 6, "partial")
    await house.partials.append(opened.id, opened.secret, Append(3, None, 3), chunks(b"def"))
    joined = await house.partials.join(OWNER, order(opened))

    assert house.source(joined.video_id) == b"abcdef"


async def test_an_unfinished_part_is_not_joined(house):
    whole, unfinished = await part(house, b"abc"), await begun(house, 5)

    assert await refusal(house.partials.join(OWNER, order(whole, unfinished))) == (409, "upload-unfinished")
    assert house.stored() == sorted([whole.id, unfinished.id])


async def test_a_part_of_somebody_else_is_none(house):
    theirs = await part(house, b"abc", Sender(DEFAULT_PROJECT, "to1"))
    ours = await part(house, b"abc")
    wrong = order(ours)
    wrong = Join((Partial(ours.id, "guess"),), wrong.concat, {}, wrong.description)

    assert await refusal(house.partials.join(OWNER, order(theirs))) == (404, "resource-not-found")
    assert await refusal(house.partials.join(OWNER, wrong)) == (404, "resource-not-found")


async def test_parts_may_not_be_too_much_together(house):
    half = b"x" * (MAX_BYTES // 2 + 1)
    parts = [await part(house, half), await part(house, half)]

    assert await refusal(house.partials.join(OWNER, order(*parts))) == (413, "uploaded-file-too-large")


async def test_one_who_missed_the_answer_gets_the_same_upload(house):
    parts = [await part(house, b"ab"), await part(house, b"cd")]
    first = await house.partials.join(OWNER, order(*parts))
    second = await house.partials.join(OWNER, order(*parts))

    assert (first.id, first.video_id) == (second.id, second.video_id)
    assert (await house.service.head(second.id, second.secret))[0].state == "uploaded"
    assert await refusal(house.service.head(first.id, first.secret)) == (404, "resource-not-found")
    assert await refusal(house.partials.join(OWNER, order(parts[0]))) == (409, "conflict")


async def test_a_joined_part_takes_nothing_more(house):
    one = await part(house, b"ab")
    joined = await house.partials.join(OWNER, order(one))
    again = house.partials.append(one.id, one.secret, Append(2, None, 1), chunks(b"c"))

    assert await refusal(again) == (413, "uploaded-file-too-large")
    assert await refusal(house.partials.abort(one.id, one.secret)) == (403, "upload-finished")
    patched = house.service.append(joined.id, joined.secret, Append(2, None, 0), chunks())
    assert await refusal(patched) == (403, "upload-made-of-others")


async def test_a_given_up_part_is_gone(house):
    one = await part(house, b"ab")
    await house.partials.abort(one.id, one.secret)

    assert await refusal(house.partials.head(one.id, one.secret)) == (404, "resource-not-found")
    assert house.stored() == []


async def test_parts_expire(house, monkeypatch):
    left, joined = await part(house, b"ab"), await part(house, b"cd")
    await house.partials.join(OWNER, order(joined))
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert await refusal(house.partials.head(left.id, left.secret)) == (410, "upload-gone")
    assert await house.sweep() == 2
    assert house.stored() == []
    async with house.database.read() as transaction:
        assert await partial_uploads.named(transaction, [left.id, joined.id]) == []


@pytest.mark.parametrize("breaks_off", [False, True])
async def test_the_time_counts_from_the_last_byte_on(house, monkeypatch, breaks_off):
    opened, later = await begun(house, 6), clock.now() + timedelta(days=2)

    async def late():
        yield b"abc"
        monkeypatch.setattr(clock, "now", lambda: later)
        if breaks_off:
            raise ConnectionResetError

    sent = house.partials.append(opened.id, opened.secret, Append(0, None, 3), late())
    if breaks_off:
        with pytest.raises(ConnectionResetError):
            await sent
    else:
        assert (await sent).expires_at > later
    assert (await house.partials.head(opened.id, opened.secret))[0].offset == 3
    assert await house.partials.sweep() == 0


@pytest.mark.parametrize("joined", [False, True])
async def test_what_somebody_went_on_with_since_it_was_listed_stays(house, monkeypatch, joined):
    one = await part(house, b"ab")
    if joined:
        await committed(house, one)

    async def listed_before(*_):
        return [one.id]

    monkeypatch.setattr(partial_uploads, "expired", listed_before)

    assert await house.partials.sweep() == 0
    assert house.stored() == [one.id]


async def test_what_is_over_is_not_joined_again(house):
    one = await part(house, b"ab")
    upload_id = await committed(house, one)
    await house.service.endings.end(upload_id, "aborted")

    assert await refusal(house.partials.join(OWNER, order(one))) == (410, "upload-gone")
    assert (await upload(house, upload_id)).secret_hash == hashed("secret")


async def test_idle_parts_are_no_leftovers(house, monkeypatch):
    one = await part(house, b"ab")
    monkeypatch.setattr(expiry, "LEFTOVER_S", -1000.0)
    await house.sweep()

    assert house.stored() == [one.id]


async def committed(house, *parts):
    """The rows of a join, and nothing moved yet."""
    rows = await house.partials._all_of(OWNER, order(*parts).partials)
    return await house.partials._begin(OWNER, order(*parts), rows, "secret")


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
async def test_a_crash_between_the_commit_and_the_last_move_costs_nothing(house, reopened, moved):
    parts = [await part(house, text) for text in (b"ab", b"cd", b"ef")]
    upload_id = await committed(house, *parts)
    for number, each in enumerate(parts[:moved], 1):
        await house.files.adopt_part(upload_id, number, each.id)
    await reopened.recover()
    row = await upload(reopened, upload_id)

    assert row.state == "uploaded"
    assert reopened.source(row.video_id) == b"abcdef"
    assert reopened.stored() == []


async def test_a_final_upload_that_is_not_whole_yet_says_no_offset(house):
    upload_id = await committed(house, await part(house, b"ab"))
    row = await upload(house, upload_id)
    now = house.service.view(row)

    assert row.state in uploads.OPEN
    assert (now.made_of_others, now.state, now.length) == (True, "created", 2)
