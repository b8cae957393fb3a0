"""The server: all parts on one exit stack, from the start to the signal that ends it."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import orjson

from server import log
from server.app.core import Core, open_core
from server.app.hooks import open_sender
from server.app.live import Live
from server.app.numbers import (
    watch_all,
    watch_callers,
    watch_children,
    watch_door,
    watch_early,
    watch_feed,
    watch_fetching,
    watch_images,
    watch_ladders,
    watch_movies,
    watch_requests,
    watch_restreams,
)
from server.app.on_demand import OnDemand
from server.app.sweeping import SWEEPS, Looking, Sweep, sweeping
from server.catalog import audit, keys, oauth_grants, playback_ids
from server.catalog.event_aging import EventAging
from server.catalog.session_aging import SessionAging
from server.catalog.usage import Delivered
from server.config import Config, ConfigError
from server.playback.themes import Themes
from server.protocols.destinations import AddressRules
from server.recorder.clips import Clips
from server.storage import data_folder
from server.storage.data_folder import FolderInUseError
from server.vod.life import Life
from server.web import application, dash, embed, mcp, tus, upload_urls
from server.web.api import (
    clips,
    clones,
    edits,
    fetches,
    jobs,
    live_stream_control,
    live_stream_health,
    live_stream_rehearsals,
    live_stream_slate,
    live_stream_thumbnails,
    players,
    text_tracks,
    thumbnails,
    watermarks,
    webhook_urls,
)
from server.web.api import imports as video_imports
from server.web.api import restreams as restream_targets
from server.web.api import sources as source_uploads
from server.web.api.live_stream_ladder import LADDERS
from server.web.application import Application
from server.web.event_feed import FEED
from server.web.hls import annotations, captions, images, live, movies, quick, texts, vod
from server.web.hls.gate import WATCHING, Watching
from server.web.kinescope import endpoints
from server.web.kinescope import resources as kinescope
from server.web.rates import Rates, per_minute
from server.web.services import IngestPorts, Services

PLAYER = Path(__file__).parents[2] / "player" / "dist"
GC_THRESHOLDS = (20_000, 20, 50)
SWITCH_S = 0.001

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
    core = await open_core(config, stack)
    on_air, on_demand = Live(core), OnDemand(core)
    await on_demand.open(stack, on_air)
    await stack.enter_async_context(core.jobs.running())
    await on_demand.begin(stack)
    await on_air.open(stack)
    await on_demand.keep(stack)
    delivered = Delivered()
    sweeps: list[Sweep | Looking] = [
        *SWEEPS, oauth_grants.sweep, playback_ids.sweep_ended, core.credentials.note_uses, _old_entries(config),
        EventAging(timedelta(days=config.events.keep_days)), SessionAging(timedelta(days=config.analytics.keep_days)),
        delivered.write,
    ]  # fmt: skip
    await stack.enter_async_context(sweeping(core.database, sweeps))
    await open_sender(config.webhooks, core.database, stack, core.metrics)
    _watch(core, on_air, on_demand)
    app = _application(core, on_air, on_demand, delivered)
    watch_feed(core.metrics, app[FEED])
    port = await stack.enter_async_context(application.serving(app, config.http.host, config.http.port))
    await stack.enter_async_context(on_demand.joins.running())
    return _running(config, on_air, port)


def _old_entries(config: Config) -> Sweep:
    """Of the audit log."""
    kept = timedelta(days=config.auth.audit_days)
    return lambda transaction, now: audit.sweep(transaction, now - kept)


def _watch(core: Core, on_air: Live, on_demand: OnDemand) -> None:
    metrics, uploads = core.metrics, on_demand.uploads
    watch_all(metrics, on_air.broadcasts, on_air.rtmp, on_air.srt, core.store, core.jobs, uploads, core.database)
    watch_callers(metrics, core.credentials)
    watch_ladders(metrics, on_air.ladders)
    watch_restreams(metrics, on_air.restreams)
    watch_children(metrics, core.children)
    watch_images(metrics, core.images)
    watch_requests(metrics, core.requests)
    metrics.watch("gauge", "sluice_sources", "Sources that are pulled.", on_air.pulls.states, "state")
    watch_fetching(metrics, on_demand.fetching)
    watch_early(metrics, on_demand.early)
    metrics.watch("gauge", "sluice_uploads_joining", "Uploads whose parts are put together.",
                  lambda: on_demand.joins.at_work)  # fmt: skip


def _application(core: Core, on_air: Live, on_demand: OnDemand, delivered: Delivered) -> Application:
    watch_movies(core.metrics, core.films)
    watch_door(core.metrics, core.door)
    watching = Watching(
        core.assets, core.door, on_air.broadcasts, core.watched, core.posters, core.layout, PLAYER
    )

    def mount(app: Application) -> None:
        app[WATCHING] = watching
        app[images.IMAGES] = images.Desk(core.images, Rates({"image": core.config.vod.images_per_minute}))
        app[vod.REQUESTS] = core.requests
        app[movies.MOVIES] = core.films
        app[live_stream_control.BROADCASTS] = on_air.broadcasts
        app[live_stream_slate.SLATES] = on_air.slates
        app[LADDERS] = on_air.ladders
        app[restream_targets.RESTREAMS] = on_air.restreams
        app[tus.UPLOADS] = on_demand.uploads
        app[tus.PARTIALS] = on_demand.partials
        app[source_uploads.SOURCES] = on_demand.sources
        app[jobs.JOBS] = core.jobs
        app[fetches.FETCHING] = on_demand.fetching
        app[webhook_urls.RULES] = AddressRules(core.config.webhooks.allow)
        app[video_imports.IMPORTS] = on_demand.imports
        app[clips.CLIPS] = Clips(core.database, core.layout, core.recorder, on_air.upkeep, core.jobs.enqueue)
        app[clones.EDITS] = on_demand.edits
        app[thumbnails.POSTERS] = core.posters
        app[text_tracks.TEXTS] = on_demand.texts
        app[watermarks.MARKS] = on_demand.marks
        app[players.PICTURES] = core.pictures
        app[endpoints.MATERIALS] = on_demand.materials
        app[embed.THEMES] = Themes(core.database)
        for part in (
            live, vod, movies, annotations, captions, images, texts, embed, dash, players, upload_urls,
            *kinescope.PAGES,
        ):  # fmt: skip
            part.add_routes(app.router)
        quick.mount(app)
        app.on_shutdown.append(live.let_go)

    live_parts = (
        live_stream_control, live_stream_health, live_stream_rehearsals, live_stream_slate, live_stream_thumbnails
    )  # fmt: skip
    beside = (source_uploads, video_imports, restream_targets, clips, edits, text_tracks, thumbnails, *live_parts)
    operations = [one.operations for one in beside]
    services = _services(core, on_air, on_demand.life, delivered)
    return application.build(services, operations, [mount, tus.mount, mcp.mount])


def _services(core: Core, on_air: Live, life: Life, delivered: Delivered) -> Services:
    async def database_answers() -> None:
        async with core.database.read() as transaction:
            await keys.count(transaction)

    async def storage_writable() -> None:
        await asyncio.to_thread(data_folder.try_writing, core.layout.root)

    async def listening() -> None:
        if core.config.rtmp.enabled and on_air.rtmp.port is None:
            raise OSError("RTMP is not listening")
        if core.config.srt.enabled and not on_air.srt.alive:
            raise OSError("SRT is not listening")

    return Services(
        database=core.database,
        http=core.config.http,
        live=core.config.live,
        credentials=core.credentials,
        tokens=core.tokens,
        assets=core.assets,
        revocations=core.revocations,
        country_of=core.country_of,
        idempotency=core.idempotency,
        metrics=core.metrics,
        delivered=delivered,
        rates=Rates(per_minute(core.config.http)),
        failures=Rates({"failure": core.config.auth.failures_per_minute}),
        ingest=IngestPorts(rtmp=on_air.rtmp.port, rtmps=on_air.rtmp.tls_port, srt=on_air.srt.port),
        ready_checks={"database": database_answers, "storage": storage_writable, "listeners": listening},
        remove_video=life.remove,
        on_live_stream_deleted=on_air.deleted,
        on_live_stream_changed=on_air.changed,
        source_status=on_air.pulls.status,
        complete_live_stream=on_air.complete,
    )


def _running(config: Config, on_air: Live, port: int) -> Running:
    http = f"http://{_reachable(config.http.host)}:{port}"
    rtmp = f"rtmp://{_reachable(config.rtmp.host)}:{on_air.rtmp.port}/live" if on_air.rtmp.port else None
    srt = f"srt://{_reachable(config.srt.host)}:{on_air.srt.port}" if on_air.srt.port else None
    return Running(config.http.public_url or http, rtmp, srt, on_air.rtmp.reload)


def _settle() -> None:
    """What start-up made stays: the collector need not look at it again, nor so often at the little that streams make.

    Samples, parts and requests are freed by their reference counts. A thread that comes back from the disk waits for a
    busy loop as long as Python lets it: 5 ms by default, several times in each write, with the lock held.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_S)


def _reachable(host: str) -> str:
    """An address that this machine itself reaches the listener under."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
