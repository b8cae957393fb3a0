"""Uploads as requests, whole and in parts, as the SDKs send them."""

import asyncio
import itertools

import pytest

from server.catalog import uploads
from server.catalog.models import DEFAULT_PROJECT, UploadToken
from server.errors import Problem
from server.protocols.content_range import Pieces, parse
from server.storage.upload_files import UploadFiles
from server.uploads.placement import Sender, sender_of_token

PARTS = [("part 1/3", b"aaaaa"), ("part 2/3", b"bbb"), ("part 3/3", b"cccc")]
OPEN_ENDED = [("part 1/*", b"aaaaa"), ("part 2/*", b"bbb"), ("part 3/3", b"cccc")]
RANGES = [("bytes 0-4/12", b"aaaaa"), ("bytes 5-7/12", b"bbb"), ("bytes 8-11/12", b"cccc")]
WHOLE = b"aaaaabbbcccc"


async def refusal(awaitable):
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value.row.status, caught.value.code


@pytest.fixture
async def video_id(house):
    return await house.new_video()


@pytest.mark.parametrize("header", [None, "part 1/1", "bytes 0-11/12"])
async def test_one_request_brings_the_whole_file(house, video_id, header):
    video = await house.send(video_id, WHOLE, parse(header))

    assert (video.state, video.source_bytes, video.source_name) == ("pre-processing", 12, "a.mp4")
    assert house.source(video_id) == WHOLE
    assert [(job.kind, job.object_id) for job in await house.jobs()] == [("vod", video_id)]
    assert house.stored() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("pieces", [PARTS, OPEN_ENDED, RANGES], ids=["parts", "open", "bytes"])
async def test_parts_come_in_any_order(house, video_id, pieces, order):
    for at in order[:2]:
        header, text = pieces[at]
        assert (await house.send(video_id, text, parse(header))).state == "uploading"
    header, text = pieces[order[2]]

    assert (await house.send(video_id, text, parse(header))).state == "pre-processing"
    assert house.source(video_id) == WHOLE
    assert len(await house.jobs()) == 1
    assert house.stored() == []


@pytest.mark.parametrize("pieces", [PARTS, RANGES], ids=["parts", "bytes"])
async def test_parts_may_come_twice(house, video_id, pieces):
    for header, text in [*pieces[:2], pieces[0], pieces[2], pieces[2], pieces[0]]:
        video = await house.send(video_id, text, parse(header))

    assert video.state == "pre-processing"
    assert house.source(video_id) == WHOLE
    assert len(await house.jobs()) == 1
    assert house.stored() == []


async def test_parts_may_come_at_once(house, video_id):
    videos = await asyncio.gather(*(house.send(video_id, text, parse(header)) for header, text in PARTS))

    assert sorted(video.state for video in videos)[0] == "pre-processing"
    assert house.source(video_id) == WHOLE
    assert len(await house.jobs()) == 1


async def test_the_row_tells_what_has_come(house, video_id):
    await house.send(video_id, b"bbb", parse("part 2/3"))
    await house.send(video_id, b"aaaaa", parse("part 1/3"))
    async with house.database.read() as transaction:
        row = await uploads.of_video(transaction, video_id)

    assert (row.state, row.received) == ("uploading", 8)
    assert row.parts == {"unit": "part", "total": 3, "received": {"1": 5, "2": 3}}


async def test_parts_go_on_after_a_restart(house, reopened, video_id):
    for header, text in (PARTS[0], PARTS[2]):
        await house.send(video_id, text, parse(header))
    video = await reopened.send(video_id, PARTS[1][1], parse(PARTS[1][0]))

    assert video.state == "pre-processing"
    assert reopened.source(video_id) == WHOLE


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("part 1/3", b"a"), ("bytes 1-1/2", b"b")),
        (("part 1/3", b"a"), ("part 2/4", b"b")),
        (("bytes 0-4/12", b"aaaaa"), ("bytes 4-5/12", b"bb")),
    ],
)
async def test_contradictions_are_refused_and_change_nothing(house, video_id, first, second):
    await house.send(video_id, first[1], parse(first[0]))
    before = house.stored()

    assert await refusal(house.send(video_id, second[1], parse(second[0]))) == (400, "video-content-range-mismatch")
    assert house.stored() == before


async def test_a_range_of_another_length_than_it_says_is_refused(house, video_id):
    assert (await refusal(house.send(video_id, b"aaa", parse("bytes 0-4/12"))))[0] == 400
    assert house.stored() == []
    assert (await house.video(video_id)).state == "pending"


async def test_an_empty_file_is_refused(house, video_id):
    assert await refusal(house.send(video_id, b"")) == (400, "uploaded-file-empty")
    assert house.stored() == []


async def test_too_large_a_file_is_refused(house, video_id):
    assert await refusal(house.send(video_id, b"a" * 1001)) == (413, "uploaded-file-too-large")
    assert house.stored() == []


async def test_an_announced_length_over_the_limit_is_refused_before_the_bytes(house):
    async def never():
        pytest.fail("no byte is to be read")
        yield b""

    staging = house.sources.stage(Sender(DEFAULT_PROJECT), "a", 1 << 20, never())
    assert await refusal(staging) == (413, "uploaded-file-too-large")


async def test_parts_together_may_not_be_too_large(house, video_id):
    await house.send(video_id, b"a" * 600, parse("part 1/2"))

    assert await refusal(house.send(video_id, b"a" * 600, parse("part 2/2"))) == (413, "uploaded-file-too-large")


async def test_a_video_with_a_source_takes_no_other(house, video_id):
    await house.send(video_id, b"abc")

    assert await refusal(house.send(video_id, b"abc")) == (400, "video-source-already-uploaded")
    assert await refusal(house.sources.check(Sender(DEFAULT_PROJECT), video_id, None)) == (
        400, "video-source-already-uploaded",
    )  # fmt: skip
    assert house.source(video_id) == b"abc"
    assert house.stored() == []


async def test_what_would_be_refused_is_refused_before_the_bytes(house, video_id):
    await house.sources.check(Sender(DEFAULT_PROJECT), video_id, None)

    assert (await refusal(house.sources.check(Sender(DEFAULT_PROJECT), "viNone", None)))[0] == 404


async def test_a_broken_request_leaves_nothing(house, video_id):
    async def broken():
        yield b"abc"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await house.sources.stage(Sender(DEFAULT_PROJECT), "a", 10, broken())

    assert house.stored() == []


@pytest.fixture
async def token(house):
    async with house.database.write() as transaction:
        return await uploads.add_token(
            transaction, UploadToken(id="to1111111111111111111112", project_id=DEFAULT_PROJECT, ttl_s=0)
        )


async def test_a_delegated_upload_makes_its_video(house, token):
    sender = await sender_of_token(house.database, token.id)
    video = await house.send(None, b"aaaaa", parse("part 1/2"), sender, "clip.mp4")
    assert (video.title, video.state) == ("clip.mp4", "uploading")
    again = await house.send(video.id, b"bbb", parse("part 2/2"), sender, "blob")

    assert (again.id, again.state) == (video.id, "pre-processing")
    assert house.source(video.id) == b"aaaaabbb"


async def test_a_stranger_learns_nothing_from_a_part_that_has_come(house, token, video_id):
    await house.send(video_id, b"aaaaa", parse("part 1/2"))
    stranger = await sender_of_token(house.database, token.id)

    assert await refusal(house.send(video_id, b"aaaaa", parse("part 1/2"), stranger)) == (403, "forbidden")


@pytest.mark.parametrize("text", ["", "to", "nonsense", "to1111111111111111111113"])
async def test_an_unknown_token_is_refused(house, text):
    assert await refusal(sender_of_token(house.database, text)) == (401, "authentication-invalid-upload-token")


async def test_what_a_crash_left_apart_is_joined(house, reopened, video_id, monkeypatch):
    async def killed(*_):
        raise OSError("killed")

    await house.send(video_id, b"aaaaa", parse("part 1/2"))
    monkeypatch.setattr(house.files, "join_parts", killed)
    with pytest.raises(OSError, match="killed"):
        await house.send(video_id, b"bbb", parse("part 2/2"))
    monkeypatch.undo()
    async with reopened.database.read() as transaction:
        (row,) = await uploads.unfinished(transaction)
    await reopened.sources.recover(row)

    assert Pieces.from_row(row.parts).complete
    assert reopened.source(video_id) == b"aaaaabbb"
    assert (await reopened.video(video_id)).state == "pre-processing"


async def test_bytes_that_had_moved_at_a_crash_are_finished(house, reopened, video_id, monkeypatch):
    finish = UploadFiles.finish

    async def killed(files, upload_id, video):
        await finish(files, upload_id, video)
        raise OSError("killed")

    await house.send(video_id, b"aaaaa", parse("part 1/2"))
    monkeypatch.setattr(UploadFiles, "finish", killed)
    with pytest.raises(OSError, match="killed"):
        await house.send(video_id, b"bbb", parse("part 2/2"))
    monkeypatch.undo()
    video = await reopened.send(video_id, b"bbb", parse("part 2/2"))

    assert video.state == "pre-processing"
    assert reopened.source(video_id) == b"aaaaabbb"
