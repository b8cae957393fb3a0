"""The composition root: builds each part once, on one exit stack, and takes them down in reverse.

Parts meet here, through the callbacks that their constructors take.
"""

import asyncio
import gc
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from server import clock, ids, log
from server.catalog import jobs as job_rows
from server.catalog import keys, live_streams, videos
from server.catalog.database import Database, Transaction, sqlite_url
from server.catalog.models import DEFAULT_PROJECT, Broadcast, LiveStream, Video
from server.config import Config, ConfigError
from server.errors import Problem
from server.ingest import rtmp, srt
from server.ingest.broadcasts import Broadcasts
from server.ingest.certificate import Certificate
from server.ingest.control import controlled
from server.ingest.on_air import OnAir
from server.ingest.pulls import Pulls
from server.ingest.reading import Reading
from server.ingest.slates import Slates
from server.jobs.jobs import Jobs
from server.ladder.ladders import Ladders, Whose
from server.media.child import Children
from server.media.transcoding import usable_encoder
from server.packager.presentation import Span
from server.playback import policy
from server.playback.assets import Assets
from server.playback.policy import Facts
from server.playback.revocations import Revocations
from server.playback.tokens import MAX_TTL_S, MIN_SECRET_BYTES, PLAYBACK, Limits, Tokens, check_limits
from server.recorder import edges, to_vod
from server.recorder.clips import Clips
from server.recorder.edges import Edges
from server.recorder.retention import Retention, Rule
from server.recorder.to_vod import Recorder
from server.recorder.upkeep import Upkeep
from server.restream.restreams import Restreams
from server.restream.restreams import Whose as Restreamed
from server.storage import data_folder
from server.storage.data_folder import FolderInUseError
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.storage.upload_files import UploadFiles
from server.uploads import expiry
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads
from server.vod import pipeline, presentations
from server.vod.pipeline import Pipeline
from server.vod.posters import Posters
from server.vod.presentations import Presentations
from server.web import application, dash, embed, tus
from server.web.api import clips, live_stream_control, live_stream_health, live_stream_rehearsals, live_stream_slate
from server.web.api import restreams as restream_targets
from server.web.api import sources as source_uploads
from server.web.api.live_stream_ladder import LADDERS
from server.web.application import Application
from server.web.auth import Credentials
from server.web.hls import images, live, quick, vod
from server.web.hls.gate import WATCHING, Watching
from server.web.metrics import Metrics
from server.web.rates import Rates, per_minute
from server.web.services import IngestPorts, Services

PLAYER = Path(__file__).parent.parent / "player" / "dist"
CHILDREN = 4
FIRST_REVISION = 1  # of a new video
GC_THRESHOLDS = (20_000, 20, 50)
LATE_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # buckets; a tick of the listener is 0.025

_log = log.get("server")


class Running:
    """A server that serves; its addresses for the ready line."""

    def __init__(self, http: str, rtmp: str | None, srt: str | None, reload: Callable[[], None]) -> None:
        self.http = http
        self.rtmp = rtmp
        self.srt = srt
        self.reload = reload  # what may be renewed under a running server: the certificate

    def line(self, terminal: bool) -> str:
        """JSON for programs, a sentence for people."""
        if terminal:
            targets = " or ".join(url for url in (self.rtmp, self.srt) if url)
            return f"Sluice is ready at {self.http}" + (f", publish to {targets}" if targets else "")
        return orjson.dumps({"event": "ready", "http": self.http, "rtmp": self.rtmp, "srt": self.srt}).decode()


async def serve(config: Config) -> int:
    """Serves until SIGTERM or SIGINT; the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as stack:
            running = await build(config, stack)
            loop.add_signal_handler(signal.SIGHUP, running.reload)
            _settle()
            sys.stdout.write(running.line(sys.stdout.isatty()) + "\n")
            sys.stdout.flush()
            await stop.wait()
            _log.info("stopping")
    except (FolderInUseError, ConfigError) as error:
        _log.error(str(error))
        return 1
    except OSError as error:
        _log.error("can't serve", reason=str(error))
        return 1
    _log.info("stopped")
    return 0


async def build(config: Config, stack: AsyncExitStack) -> Running:
    """All parts, entered on the stack in the order they need each other."""
    layout = Layout(config.storage.path.resolve())
    stack.enter_context(data_folder.held(layout.root, layout.lock))
    database = await _open_database(config, layout, stack)
    await _prepare(config, layout, database)
    secret = await _token_secret(config, database)
    metrics, tokens, assets = Metrics(), Tokens(secret), Assets(database)
    credentials, revocations = Credentials(database, secret), Revocations(database)
    database.on_commit(assets.forget)
    database.on_commit(credentials.forget)
    await revocations.load()

    children = await stack.enter_async_context(Children(CHILDREN))
    posters, recorder = Posters(database, layout, children), Recorder(layout)
    jobs = Jobs(database, config.jobs.concurrency)
    processing = Pipeline(database, layout, children, posters, config.jobs.probe_timeout_s)
    jobs.register(pipeline.JOB, processing.run, processing.failed)
    jobs.register(edges.JOB, Edges(database, layout, children).run)
    files = await stack.enter_async_context(UploadFiles.open(layout, config.storage.reserve_bytes))
    uploads = Uploads(database, files, jobs.enqueue, config.vod.max_upload_bytes, config.vod.upload_expiry_s)
    sources = SourceUploads(uploads)
    loaders = {
        pipeline.SOURCE: presentations.indexed(layout, config.vod.segment_s),
        to_vod.SOURCE: recorder.presentation,
    }
    watched = stack.enter_context(Presentations(layout, loaders))
    store = await stack.enter_async_context(SegmentStore(layout))
    await stack.enter_async_context(jobs.running())
    await expiry.recover(uploads, sources)
    await stack.enter_async_context(expiry.sweeping(uploads, layout))

    async def recorded(
        transaction: Transaction, broadcast: Broadcast, stream: LiveStream, on_air: OnAir, span: Span | None
    ) -> str | None:
        recording = await recorder.record(transaction, broadcast, stream, span)
        if recording is None or (video_id := broadcast.video_id) is None:
            return None
        transaction.after_commit(lambda: watched.put(video_id, FIRST_REVISION, recording))
        transaction.after_commit(lambda: _in_background(picture(video_id, on_air)))
        return video_id

    async def picture(video_id: str, on_air: OnAir) -> None:
        if newest := images.newest(on_air):
            init, segment = newest
            await posters.of_recording(video_id, init, await images.read(segment))

    upkeep = Upkeep(database, store)
    await upkeep.restore()

    def gone(broadcast_id: str) -> None:
        _in_background(upkeep.release(broadcast_id))

    lateness = "From the end of a part's media to its publication."
    late = metrics.histogram("sluice_part_lateness_seconds", lateness, LATE_S)
    ladders = await stack.enter_async_context(Ladders(database, config.live))
    restreams = await stack.enter_async_context(Restreams(database, config.live))

    def part_out(end_ms: int) -> None:
        late(max(0, clock.wall_ms() - end_ms) / 1000)

    def began(stream: LiveStream, on_air: OnAir) -> None:
        whose = Whose(stream.project_id, stream.id, on_air.broadcast_id)
        if ladder := ladders.begin(on_air.renditions, whose, on_air.packager):
            on_air.stream.attach(ladder)
        restreamed = Restreamed(stream.project_id, stream.id, on_air.broadcast_id)
        restreams.begin(restreamed, stream.restreams, on_air.stream)

    async def over(on_air: OnAir) -> None:
        restreams.finish(on_air.live_stream_id, on_air.broadcast_id)
        await ladders.finish(on_air.broadcast_id)

    slates = Slates(layout, children)
    broadcasts = await stack.enter_async_context(
        Broadcasts.open(database, store, config.live, recorded, gone, part_out, began, over, slates)
    )
    schedules = await stack.enter_async_context(controlled(database, broadcasts))
    pulls = Pulls(database, broadcasts, config.live.private_addresses)
    await stack.enter_async_context(pulls.running())

    async def may_read(text: str, token: str, ip: str) -> str | None:
        asset = await assets.find(text, "live")
        if asset is None:
            return None
        try:
            grant = tokens.verify(token, asset.id, (PLAYBACK,))
        except Problem:
            return None
        decision = policy.decide(asset, grant, Facts(ip), revocations)
        return asset.id if isinstance(decision, policy.Allow) else None

    reading = Reading(database, broadcasts, may_read)
    listener = await stack.enter_async_context(rtmp.Listener.open(broadcasts, config.rtmp, reading))
    srt_listener = await stack.enter_async_context(srt.SrtListener.open(broadcasts, database, config.srt, may_read))

    def video_deleted(video: Video) -> None:
        watched.forget(video.id)
        _in_background(asyncio.to_thread(shutil.rmtree, layout.video(video.id), ignore_errors=True))
        if video.broadcast_id:
            broadcasts.withdraw(video.broadcast_id)
            gone(video.broadcast_id)

    rule = Rule(config.live.retention_days, config.live.retention_count, config.live.retention_bytes)
    retention = Retention(
        database, rule, config.storage.low_water_bytes, lambda: data_folder.free_bytes(layout.root), video_deleted
    )
    await stack.enter_async_context(retention.running())

    def live_stream_deleted(stream: LiveStream) -> None:
        schedules.deleted(stream.id)
        pulls.deleted(stream.id)
        restreams.changed(stream.id, [])
        broadcasts.rehearsals.end(stream.id)
        _in_background(slates.remove(stream.id))
        _in_background(broadcasts.deleted(stream.id))

    def live_stream_changed(stream: LiveStream) -> None:
        schedules.changed(stream)
        restreams.changed(stream.id, stream.restreams)
        pulls.changed(stream)

    async def complete(live_stream_id: str) -> None:
        await broadcasts.complete(live_stream_id)

    async def database_answers() -> None:
        async with database.read() as transaction:
            await keys.count(transaction)

    async def storage_writable() -> None:
        await asyncio.to_thread(_try_writing, layout)

    async def listening() -> None:
        if config.rtmp.enabled and listener.port is None:
            raise OSError("RTMP is not listening")
        if config.srt.enabled and not srt_listener.alive:
            raise OSError("SRT is not listening")

    services = Services(
        database=database,
        http=config.http,
        live=config.live,
        credentials=credentials,
        tokens=tokens,
        assets=assets,
        revocations=revocations,
        metrics=metrics,
        rates=Rates(per_minute(config.http)),
        ingest=IngestPorts(rtmp=listener.port, rtmps=listener.tls_port, srt=srt_listener.port),
        ready_checks={"database": database_answers, "storage": storage_writable, "listeners": listening},
        on_video_deleted=video_deleted,
        on_live_stream_deleted=live_stream_deleted,
        on_live_stream_changed=live_stream_changed,
        source_status=pulls.status,
        complete_live_stream=complete,
    )
    watching = Watching(assets, tokens, revocations, broadcasts, watched, posters, layout, PLAYER)

    def mount(app: Application) -> None:
        app[WATCHING] = watching
        app[live_stream_control.BROADCASTS] = broadcasts
        app[live_stream_slate.SLATES] = slates
        app[LADDERS] = ladders
        app[restream_targets.RESTREAMS] = restreams
        app[tus.UPLOADS] = uploads
        app[source_uploads.SOURCES] = sources
        app[clips.CLIPS] = Clips(database, layout, recorder, upkeep, jobs.enqueue)
        for part in (live, vod, images, embed, dash):
            part.add_routes(app.router)
        quick.mount(app)
        app.on_shutdown.append(live.let_go)

    _watch(metrics, broadcasts, listener, srt_listener, store, jobs, uploads, database)
    live_parts = (live_stream_control, live_stream_health, live_stream_rehearsals, live_stream_slate)
    beside = (source_uploads, restream_targets, clips, *live_parts)
    more = [one.operations for one in beside]
    _watch_ladders(metrics, ladders)
    _watch_restreams(metrics, restreams)
    metrics.watch("gauge", "sluice_sources", "Sources that are pulled.", pulls.states, "state")
    app = application.build(services, more, [mount, tus.mount])
    port = await stack.enter_async_context(application.serving(app, config.http.host, config.http.port))
    host = _reachable(config.http.host)
    rtmp_url = f"rtmp://{_reachable(config.rtmp.host)}:{listener.port}/live" if listener.port else None
    srt_url = f"srt://{_reachable(config.srt.host)}:{srt_listener.port}" if srt_listener.port else None
    return Running(config.http.public_url or f"http://{host}:{port}", rtmp_url, srt_url, listener.reload)


# --- parts


def _settle() -> None:
    """What start-up made stays: the collector need not look at it again, nor so often at the little that streams make.

    Samples, parts and requests are freed by their reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _open_database(config: Config, layout: Layout, stack: AsyncExitStack) -> Database:
    """Raises ConfigError."""
    url = config.database.url or sqlite_url(layout.database)
    if not url.startswith("sqlite"):
        raise ConfigError("database.url: this version runs on SQLite only")
    try:
        database = await stack.enter_async_context(Database.open(url))
        await database.migrate()
    except Exception as error:
        _log.debug("the database can't be opened", exc_info=error)
        raise ConfigError(f"database: {str(error).splitlines()[0]}") from error
    return database


async def _open_known(config: Config, stack: AsyncExitStack) -> Database:
    """The database of a server that has run before; a command in the wrong folder must not make one. ConfigError."""
    layout = Layout(config.storage.path.resolve())
    if config.database.url is None and not layout.database.is_file():
        raise ConfigError(f"storage.path: no database in {layout.root}; start the server once, or name its folder")
    return await _open_database(config, layout, stack)


async def _prepare(config: Config, layout: Layout, database: Database) -> None:
    """The default project and, in an empty catalogue, the owner's key."""
    given = config.auth.owner_key.get_secret_value() if config.auth.owner_key else None
    async with database.write() as transaction:
        await keys.default_project(transaction)
        if given:
            if await keys.by_secret(transaction, given) is None:
                await keys.create(transaction, DEFAULT_PROJECT, "owner", ["*"], given)
            return
        if await keys.count(transaction):
            return
        _, secret = await keys.create(transaction, DEFAULT_PROJECT, "owner", ["*"])
        # before the commit: a key that is in the catalogue but nowhere else would lock its owner out
        data_folder.write_secret(layout.owner_key, secret)
    if sys.stderr.isatty():
        sys.stderr.write(f"The owner's API key, shown this once and kept in {layout.owner_key}: {secret}\n")
    _log.info("made the owner's API key", path=str(layout.owner_key))


async def _token_secret(config: Config, database: Database) -> str:
    if secret := _given_secret(config):
        return secret
    async with database.write() as transaction:
        return await keys.setting(transaction, "token_secret", secrets.token_urlsafe(48))


def _given_secret(config: Config) -> str | None:
    """Raises ConfigError."""
    secret = config.auth.token_secret.get_secret_value() if config.auth.token_secret else None
    if secret is not None and len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigError(f"auth.token_secret: shorter than {MIN_SECRET_BYTES} bytes")
    return secret


def _reachable(host: str) -> str:
    """An address that this machine itself reaches the listener under."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


_background: set[asyncio.Future[Any]] = set()


def _in_background(work: Any) -> None:
    """What may fail without anything being lost."""
    task = asyncio.ensure_future(work)
    _background.add(task)
    task.add_done_callback(_finished)


def _finished(task: asyncio.Future[Any]) -> None:
    _background.discard(task)
    if not task.cancelled() and (error := task.exception()):
        _log.warning("background work failed", reason=str(error))


def _try_writing(layout: Layout) -> None:
    probe = layout.root / ".writable"
    probe.write_bytes(b"")
    probe.unlink()


# --- numbers


def _watch(
    metrics: Metrics,
    broadcasts: Broadcasts,
    listener: rtmp.Listener,
    srt_listener: srt.SrtListener,
    store: SegmentStore,
    jobs: Jobs,
    uploads: Uploads,
    database: Database,
) -> None:
    """Names the counters of the parts."""

    def renditions(read: Callable[[Any], float]) -> float:
        return sum(read(each) for on_air in broadcasts.all() for each in on_air.packager.renditions.values())

    watch = metrics.watch
    watch("gauge", "sluice_publishers", "Publishers connected.", broadcasts.publishers)
    watch("counter", "sluice_publishers_refused", "Publishers not let in.", lambda: broadcasts.refused)
    watch("counter", "sluice_publishers_unknown", "Publishers with a key that is nobody's.",
          lambda: broadcasts.unknown)  # fmt: skip
    watch("gauge", "sluice_health_warnings", "Warnings that hold about what is on air.",
          lambda: sum(len(on_air.health.episodes.active) for on_air in broadcasts.all()))  # fmt: skip
    watch("gauge", "sluice_rtmp_connections", "RTMP connections.", lambda: listener.connections)
    watch("counter", "sluice_rtmp_refused", "RTMP connections over the limit.", lambda: listener.refused)
    watch("gauge", "sluice_rtmp_players", "RTMP players.", lambda: listener.players)
    watch("counter", "sluice_rtmp_dropped", "RTMP messages not passed on.", lambda: listener.dropped)
    watch("counter", "sluice_rtmp_unplayed", "Samples that RTMP players were too slow for.", lambda: listener.unplayed)
    watch("counter", "sluice_ingest_bytes", "Bytes taken from publishers.",
          lambda: listener.received + srt_listener.received)  # fmt: skip
    watch("gauge", "sluice_srt_connections", "SRT publishers and readers.", lambda: srt_listener.connections)
    watch("gauge", "sluice_srt_half_open", "SRT callers that wait for an answer.", lambda: srt_listener.half_open)
    watch("gauge", "sluice_srt_receive_buffer_bytes", "What the kernel gives the SRT port.",
          lambda: srt_listener.receive_buffer)  # fmt: skip
    watch("counter", "sluice_srt_refused", "SRT callers refused.", lambda: srt_listener.refused, "reason")
    watch("counter", "sluice_srt_ignored", "SRT datagrams that led to nothing.", srt_listener.ignored, "reason")
    watch("counter", "sluice_srt_packets", "SRT packets of media.", srt_listener.packets, "fate")
    watch("gauge", "sluice_parts_cut", "Parts cut of what is on air.", lambda: renditions(lambda r: r.parts_cut))
    watch("gauge", "sluice_playlist_waiters", "Requests that wait for a part.",
          lambda: renditions(lambda r: r.window.waiters))  # fmt: skip
    watch("counter", "sluice_segments_written", "Live segments on disk.", lambda: store.written_segments)
    watch("counter", "sluice_segments_failed", "Live segments that the disk refused.", lambda: store.faults)
    watch("counter", "sluice_upload_bytes", "Bytes stored of uploads.", lambda: uploads.files.received)
    watch("gauge", "sluice_uploads_held", "Uploads that a request is at.", lambda: uploads.locks.held)
    watch("gauge", "sluice_jobs_active", "Jobs that run or wait for a place.", lambda: jobs.active)
    waiting = {"depth": 0, "age": 0.0}

    async def look() -> None:
        async with database.read() as transaction:
            depth, oldest = await job_rows.depth(transaction)
        waiting.update(depth=depth, age=(clock.now() - oldest).total_seconds() if oldest else 0.0)

    metrics.refresh(look)
    watch("gauge", "sluice_jobs_depth", "Jobs ordered and not ended.", lambda: waiting["depth"])
    watch("gauge", "sluice_jobs_oldest_seconds", "Age of the oldest of them.", lambda: waiting["age"])


def _watch_ladders(metrics: Metrics, ladders: Ladders) -> None:
    watch = metrics.watch
    watch("gauge", "sluice_ladders", "Live streams that are transcoded.", lambda: ladders.running)
    watch("counter", "sluice_ladders_refused", "Broadcasts without one, for want of room.", lambda: ladders.refused)
    watch("counter", "sluice_ladder_restarts", "Transcoders that failed.", lambda: ladders.restarts)
    watch("counter", "sluice_renditions_dropped", "Live renditions given up.", lambda: ladders.given_up)
    watch("counter", "sluice_ladder_pictures_dropped", "Pictures that transcoders had no room for.",
          lambda: ladders.dropped)  # fmt: skip
    watch("gauge", "sluice_ladder_behind_seconds", "Of the slowest live rendition.", lambda: ladders.behind_s)


def _watch_restreams(metrics: Metrics, restreams: Restreams) -> None:
    watch = metrics.watch
    watch("gauge", "sluice_restreams", "Targets of what is on air.", restreams.states, "state")
    watch("counter", "sluice_restream_bytes", "Bytes sent to targets.", lambda: restreams.sent)
    watch("counter", "sluice_restream_samples_dropped", "Samples that targets did not take in time.",
          lambda: restreams.dropped)  # fmt: skip
    watch("counter", "sluice_restream_failures", "Connections to targets that failed.", lambda: restreams.failures)
    watch("counter", "sluice_restream_untold", "Changes of targets without an event.", lambda: restreams.untold)


# --- commands beside the server


async def check(config: Config) -> list[str]:
    """What is wrong, a sentence each; may run beside a server."""
    faults = []
    layout = Layout(config.storage.path.resolve())
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        _try_writing(layout)
        if data_folder.free_bytes(layout.root) < config.storage.reserve_bytes:
            faults.append(f"storage: less than storage.reserve_bytes are free in {layout.root}")
    except OSError as error:
        faults.append(f"storage: {layout.root} can't be written ({error.strerror})")
    try:
        async with AsyncExitStack() as stack:
            await _open_database(config, layout, stack)
    except ConfigError as error:
        faults.append(str(error))
    for look in (_given_secret, _certificate):
        try:
            look(config)
        except ConfigError as error:
            faults.append(str(error))
    if not (PLAYER / "index.html").is_file():
        faults.append("player: it is not built; run `make player`")
    faults += await asyncio.to_thread(_missing_codecs)
    if config.live.encoder != "auto":  # which is content with whatever there is
        async with Children(1) as children:
            _, unusable = await usable_encoder(children, config.live.encoder)
        faults += [f"live.encoder: {sentence}; libx264 takes its place" for sentence in unusable]
    return faults


def _certificate(config: Config) -> None:
    if config.rtmp.certificate:
        Certificate(config.rtmp)


def _missing_codecs() -> list[str]:
    if find_spec("av") is None:
        return ["codecs: PyAV is not installed"]
    from server.media import codecs

    return [f"codecs: libav lacks {name}" for name in codecs.missing()]


async def create_key(config: Config, name: str, scopes: list[str]) -> str:
    """Makes an API key; its secret. Raises ConfigError, ValueError."""
    if unknown := sorted(set(scopes) - application.scopes()):
        raise ValueError(f"no such scope: {', '.join(unknown)}; there are {', '.join(sorted(application.scopes()))}")
    async with AsyncExitStack() as stack:
        database = await _open_known(config, stack)
        async with database.write() as transaction:
            await keys.default_project(transaction)
            return (await keys.create(transaction, DEFAULT_PROJECT, name, scopes))[1]


async def mint(config: Config, text: str, ttl_s: int, claims: dict[str, Any]) -> str:
    """A playback token for a video or live stream. Raises LookupError, ConfigError, ValueError(claim, sentence)."""
    origins = tuple(origin.lower() for origin in claims.get("origins", ()))
    limits = Limits(origins, claims.get("ip"), viewer=claims.get("viewer"))
    check_limits(limits)
    if not 1 <= ttl_s <= MAX_TTL_S:
        raise ValueError("ttl", f"Give 1 to {MAX_TTL_S} seconds.")
    async with AsyncExitStack() as stack:
        database = await _open_known(config, stack)
        tokens = Tokens(await _token_secret(config, database))
        async with database.read() as transaction:
            for prefix, find in (("vi", videos.find), ("li", live_streams.find)):
                try:
                    found = await find(transaction, ids.canonical(prefix, text))
                except ids.InvalidId:
                    continue
                if found is not None:
                    return tokens.mint(found.id, ttl_s=ttl_s, limits=limits).token
    raise LookupError(f"there is no video or live stream {text}")
