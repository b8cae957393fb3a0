"""Files fetched by URL from a server on loopback, as well and as badly as servers are."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from server.catalog import jobs, uploads, videos
from server.catalog.models import DEFAULT_PROJECT, Job, Upload, Video
from server.config import FetchConfig
from server.jobs.context import JobContext, Result
from server.jobs.errors import CANCELLED, JobFailed
from server.jobs.turns import Turns
from server.outbound.client import Outbound, Times
from server.outbound.target import BadUrl
from server.protocols.destinations import AddressRules
from server.protocols.download import TITLES
from server.uploads import downloads
from server.uploads.fetching import JOB, Fetching
from server.uploads.service import Uploads
from tests.harness.origin import Origin, serving
from tests.unit.uploads.conftest import House

MAX_BYTES = 100_000
FILM = b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 200


class Engine:
    """Runs every step, and sleeps without waiting."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def step(self, name: str, work: Callable[[], Awaitable[Result]]) -> Result:
        return await work()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Fetcher:
    """One server's fetching, and the job that an order made."""

    def __init__(self, house: House, outbound: Outbound, config: FetchConfig) -> None:
        self.house = house
        self.engine = Engine()
        self.told: list[float] = []
        self.service = Uploads(house.database, house.files, jobs.add, MAX_BYTES, 86400)
        self.fetching = Fetching(self.service, outbound, jobs.add, config)

    async def order(self, url: str) -> Job:
        async with self.house.database.write() as transaction:
            video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="T"))
            await self.fetching.order(transaction, video, self.fetching.target(url))
        (job,) = await self.house.jobs()
        return job

    async def run(self, job: Job) -> Video:
        """The video after the job, however that ended."""
        turn = Turns(1, lambda: None).turn()
        context = JobContext(
            job.id, job.project_id, job.object_id, job.arguments, 1, self.engine, turn,
            lambda fraction, _: self.told.append(fraction),
        )  # fmt: skip
        try:
            await self.fetching.run(context)
        except JobFailed as failure:
            await self.fail(job, failure)
        return await self.house.video(job.object_id)

    async def fail(self, job: Job, failure: JobFailed) -> None:
        async with self.house.database.write() as transaction:
            await self.fetching.failed(transaction, job, failure)
        await asyncio.gather(*self.fetching._removals)

    async def fetched(self, url: str) -> Video:
        return await self.run(await self.order(url))

    async def upload(self, job: Job) -> Upload:
        row = await self.house.row(job.arguments["upload"])
        assert row is not None
        return row


Make = Callable[..., Fetcher]


def slowly(_: int) -> None:
    """So that what was sent before a connection breaks has mostly been read by then."""
    time.sleep(0.01)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with serving(Origin(FILM, chunk_bytes=4096)) as origin:
        yield origin


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound.open(AddressRules(["127.0.0.1"]), Times(idle_s=0.5)) as outbound:
        yield outbound


@pytest.fixture
def make(house: House, outbound: Outbound) -> Make:
    return lambda **config: Fetcher(house, outbound, FetchConfig(**config))


@pytest.fixture
def fetcher(make: Make) -> Fetcher:
    return make(attempts=3)


async def test_an_order_is_a_pending_video_with_a_job(fetcher: Fetcher, origin: Origin) -> None:
    job = await fetcher.order(origin.url)
    video, row = await fetcher.house.video(job.object_id), await fetcher.upload(job)

    assert (job.kind, video.state, video.source_name, video.upload_id) == (JOB, "pending", "film.mp4", row.id)
    assert (row.state, row.protocol) == ("created", "fetch")
    assert origin.requests == []


async def test_a_file_comes_to_be_the_videos_source(fetcher: Fetcher, origin: Origin) -> None:
    job = await fetcher.order(origin.url.replace("http://", "http://me:secret@") + "?sig=secret")
    video = await fetcher.run(job)
    row = await fetcher.upload(job)

    assert (video.state, video.source, video.source_bytes) == ("pre-processing", "upload", len(FILM))
    assert fetcher.house.source(video.id) == FILM
    assert [one.kind for one in await fetcher.house.jobs()].count("vod") == 1
    assert (row.state, row.received, row.length) == ("uploaded", len(FILM), len(FILM))
    assert row.fetch == {"url": origin.url + "?…"}, "what opens the file is forgotten with it"
    assert fetcher.house.stored() == []


@pytest.mark.parametrize("length", [True, False])
async def test_a_broken_connection_is_gone_on_with(fetcher: Fetcher, origin: Origin, length: bool) -> None:
    origin.faults, origin.length, origin.on_chunk = [20_000, 20_000], length, slowly
    video = await fetcher.fetched(origin.url)

    if length:  # else a connection that ends is the end of the file
        assert fetcher.house.source(video.id) == FILM
        first, second = (int(request["Range"][6:-1]) for request in origin.requests[1:])
        assert 0 < first <= 20_000 < second <= 40_000
        assert {request["If-Range"] for request in origin.requests[1:]} == {'"one"'}
        assert len(fetcher.engine.slept) == 2
    assert video.state == "pre-processing"


async def test_a_file_that_changes_meanwhile_is_not_patched_together(fetcher: Fetcher, origin: Origin) -> None:
    origin.faults = [20_000]
    new = FILM[:12] + b"another film" * 1000

    job = await fetcher.order(origin.url)
    original = fetcher.engine.sleep

    async def sleep(seconds: float) -> None:
        origin.data, origin.etag = new, '"two"'
        await original(seconds)

    fetcher.engine.sleep = sleep  # type: ignore[method-assign]
    origin.on_chunk = slowly
    video = await fetcher.run(job)

    assert fetcher.house.source(video.id) == new
    assert origin.requests[1]["If-Range"] == '"one"'


@pytest.mark.parametrize(("etag", "ranges"), [(None, True), ('W/"one"', True), ('"one"', False)])
async def test_what_can_not_be_gone_on_with_begins_anew(
    fetcher: Fetcher, origin: Origin, etag: str | None, ranges: bool
) -> None:
    origin.faults, origin.etag, origin.ranges = [10_000], etag, ranges
    video = await fetcher.fetched(origin.url)

    assert fetcher.house.source(video.id) == FILM
    assert len(origin.requests) == 2


async def test_a_restarted_server_goes_on_from_the_disk(
    make: Make, origin: Origin, reopened: House, outbound: Outbound
) -> None:
    first = make(attempts=3)
    origin.faults, origin.on_chunk = [20_000], slowly
    job = await first.order(origin.url)
    assert await first.fetching._go(job.arguments["upload"], lambda _: None)  # then it is killed

    second = Fetcher(reopened, outbound, FetchConfig())
    video = await second.run(job)

    assert second.house.source(video.id) == FILM
    assert 0 < int(origin.requests[1]["Range"][6:-1]) <= 20_000


async def test_a_crash_between_the_last_byte_and_the_commit_costs_nothing(
    fetcher: Fetcher, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await fetcher.order(origin.url)
    files = fetcher.service.files
    finish = files.finish

    async def crash(upload_id: str, video_id: str) -> None:
        await finish(upload_id, video_id)
        raise SystemError("power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(files, "finish", crash)
        with pytest.raises(SystemError):
            await fetcher.fetching._go(job.arguments["upload"], lambda _: None)
    video = await fetcher.run(job)

    assert (video.state, fetcher.house.source(video.id)) == ("pre-processing", FILM)
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"faults": [-404]}, "source-not-found", "404"),
        ({"faults": [-403]}, "source-access-denied", "403"),
        ({"faults": [-400]}, "source-refused", "400"),
        ({"faults": [-500] * 3}, "source-failing", "status 500. It was tried 3 times"),
        ({"faults": [10, 10, 10]}, "source-unreachable", "It was tried 3 times"),
        ({"data": b""}, "source-empty", "without a byte"),
        ({"data": b"<!DOCTYPE html><html>"}, "source-not-media", "a web page"),
        ({"data": b"#EXTM3U\n#EXT-X-VERSION:3\n"}, "source-not-media", "an HLS playlist"),
        ({"data": b"\0" * 2000}, "source-not-media", "Give the URL of the file itself."),
        ({"data": FILM * 3}, "source-too-large", "100000 bytes"),
        ({"data": FILM * 3, "length": False}, "source-too-large", "100000 bytes"),
        ({"location": "http://169.254.169.254/latest"}, "source-forbidden-address", "not on the public Internet"),
        ({"location": "/again"}, "source-redirects", "5 times"),
        ({"location": "file:///etc/passwd"}, "source-url-invalid", "redirects"),
    ],
)
async def test_errors_end_in_a_sentence(fetcher: Fetcher, origin: Origin, changes: Any, code: str, says: str) -> None:
    for name, value in changes.items():
        setattr(origin, name, value)
    video = await fetcher.fetched(origin.url)

    assert (video.state, video.playable) == ("error", False)
    assert video.error is not None
    assert video.error["code"] == code
    assert video.error["title"] == TITLES[code]
    assert says in video.error["detail"]
    assert fetcher.house.stored() == []


@pytest.mark.parametrize("host", ["www.youtube.com", "youtu.be", "vimeo.com"])
async def test_a_page_of_a_video_site_is_called_by_its_name(house: House, origin: Origin, host: str) -> None:
    origin.data = b"\n<!doctype html><html>"
    resolve = SimpleNamespace(to=lambda *_: [(2, "127.0.0.1")])
    async with Outbound.open(AddressRules([host]), resolve=resolve.to) as outbound:
        video = await Fetcher(house, outbound, FetchConfig()).fetched(f"http://{host}:{origin.port}/watch?v=1")
    assert video.error is not None
    assert "not a media file" in video.error["detail"]
    assert ("YouTube" in video.error["detail"]) is ("youtu" in host)


async def test_waits_grow_and_a_server_may_ask_for_its_own(fetcher: Fetcher, origin: Origin) -> None:
    origin.faults = [-503, -503]
    await fetcher.fetched(origin.url)

    first, second = fetcher.engine.slept
    assert 0.8 <= first <= 1.2
    assert 1.6 <= second <= 2.4


async def test_a_silent_source_is_tried_again(fetcher: Fetcher, origin: Origin) -> None:
    stuck = threading.Event()

    def wait(sent: int) -> None:
        if sent and len(origin.requests) == 1:
            stuck.wait(30)

    origin.on_chunk = wait
    video = await fetcher.fetched(origin.url)
    stuck.set()
    assert fetcher.house.source(video.id) == FILM


async def test_a_source_that_never_ends_is_ended(make: Make, origin: Origin) -> None:
    fetcher = make(timeout_s=0.3)
    stuck = threading.Event()
    origin.on_chunk = lambda sent: stuck.wait(30) if sent else None
    video = await fetcher.fetched(origin.url)
    stuck.set()
    assert video.error is not None
    assert video.error["code"] == "source-too-slow"


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_deleted_video_is_not_fetched(fetcher: Fetcher, origin: Origin, when: str) -> None:
    job = await fetcher.order(origin.url)
    loop = asyncio.get_running_loop()

    async def delete() -> None:
        async with fetcher.house.database.write() as transaction:
            video = await videos.find(transaction, job.object_id)
            if video is not None:
                await videos.remove(transaction, video)

    if when == "before":
        await delete()
    origin.on_chunk = lambda sent: asyncio.run_coroutine_threadsafe(delete(), loop).result(30) if sent else None
    with pytest.raises(AssertionError):
        await fetcher.run(job)

    assert len(origin.requests) == (when == "meanwhile")
    assert fetcher.house.stored() == []


@pytest.mark.parametrize("begun", [False, True])
async def test_a_cancelled_fetch_is_aborted(fetcher: Fetcher, origin: Origin, begun: bool) -> None:
    job = await fetcher.order(origin.url)
    if begun:
        origin.faults = [100]
        await fetcher.fetching._go(job.arguments["upload"], lambda _: None)
    await fetcher.fail(job, JobFailed(CANCELLED, "cancelled"))
    video = await fetcher.house.video(job.object_id)

    assert (video.state, video.error, fetcher.house.stored()) == ("aborted", None, [])


async def test_an_upload_takes_the_place_of_a_fetch(fetcher: Fetcher, origin: Origin) -> None:
    job = await fetcher.order(origin.url)
    await fetcher.house.send(job.object_id, b"sent by hand")
    video = await fetcher.run(job)

    assert fetcher.house.source(video.id) == b"sent by hand"
    assert (video.state, origin.requests) == ("pre-processing", [])


async def test_the_job_tells_how_far_it_is(
    fetcher: Fetcher, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "NOTE_S", 0.0)
    origin.on_chunk = slowly
    video = await fetcher.fetched(origin.url)

    assert video.state == "pre-processing"
    assert fetcher.told == sorted(fetcher.told)
    assert 0 < fetcher.told[0] < fetcher.told[-1] == 1.0
    assert fetcher.fetching.active == 0


async def test_the_sweeper_leaves_fetches_to_their_jobs(fetcher: Fetcher, origin: Origin) -> None:
    job = await fetcher.order(origin.url)
    row = await fetcher.upload(job)
    async with fetcher.house.database.read() as transaction:
        assert await uploads.unfinished(transaction) == []
        assert await uploads.expired(transaction, row.expires_at) == []


@pytest.mark.parametrize("url", ["ftp://a.com/b", "http://10.0.0.1/", "http://a.com:22/", "vi1234", "http://127.1/"])
def test_hopeless_urls_are_refused_at_once(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(BadUrl):
        fetcher.fetching.target(url)
