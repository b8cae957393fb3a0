"""What every other part stands on: the catalogue, the data folder, children, jobs, and who may watch."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from server import log
from server.app.catalogue import open_database, prepare, token_secret
from server.catalog.database import Database
from server.config import Config, ConfigError
from server.jobs.context import JobContext
from server.jobs.jobs import Jobs
from server.jobs.priorities import Places, Priority
from server.media.child import Children
from server.media.codings import CODINGS
from server.media.transcoding import usable_encoder
from server.playback import countries
from server.playback.assets import Assets
from server.playback.countries import CountryOf
from server.playback.door import Door, Restrictions
from server.playback.revocations import Revocations
from server.playback.signing_keys import SigningKeys
from server.playback.tokens import Tokens
from server.recorder import edges, to_vod
from server.recorder.edges import Edges
from server.recorder.to_vod import Recorder
from server.storage import data_folder
from server.storage.data_folder import FolderInUseError
from server.storage.image_cache import ImageCache
from server.storage.layout import Layout
from server.storage.pictures import PictureStore
from server.storage.renditions import RenditionStore
from server.storage.room import Room
from server.storage.segment_cache import SegmentCache
from server.storage.segments import SegmentStore
from server.vod import edits, embedded, encoding, joining, making, measuring, pipeline, presentations
from server.vod.editing import Editing
from server.vod.edits import Edits
from server.vod.embedded import EmbeddedTexts
from server.vod.encoding import Encoding
from server.vod.images import Images
from server.vod.joining import Joining
from server.vod.lengthening import Lengthening
from server.vod.measuring import Measuring
from server.vod.movies import Movies
from server.vod.ordering import Ordering, Wanted
from server.vod.pictures import Pictures
from server.vod.pipeline import Pipeline
from server.vod.plan import Effort
from server.vod.posters import Posters
from server.vod.presentations import Presentations
from server.vod.recordings import Recordings
from server.vod.redriving import Redriving
from server.vod.requests import Requests
from server.vod.warm_encoders import WarmEncoders
from server.web.auth import Credentials
from server.web.idempotency import Idempotency
from server.web.metrics import Metrics

CHILDREN = 4  # beside those of jobs: of requests

_log = log.get("server")


@dataclass(frozen=True, slots=True)
class Core:
    config: Config
    layout: Layout
    database: Database
    metrics: Metrics
    tokens: Tokens
    assets: Assets
    credentials: Credentials
    revocations: Revocations
    door: Door
    country_of: CountryOf | None
    children: Children
    posters: Posters
    recorder: Recorder
    jobs: Jobs
    watched: Presentations
    store: SegmentStore
    images: Images
    requests: Requests
    idempotency: Idempotency
    pictures: Pictures
    films: Movies


async def open_core(config: Config, stack: AsyncExitStack) -> Core:
    """Entered on the stack in the order they need each other; jobs are registered and do not run yet."""
    layout = Layout(config.storage.path.resolve())
    hold(layout, stack)
    database = await open_database(config, layout, stack)
    await prepare(config, layout, database)
    secret = await token_secret(config, database)
    assets, revocations = Assets(database), Revocations(database)
    credentials = Credentials(database, secret, revoked=revocations)
    database.on_commit(assets.forget)
    database.on_commit(credentials.forget)
    signing, restrictions = SigningKeys(database), Restrictions(database)
    database.on_commit(signing.forget)
    database.on_commit(restrictions.forget)
    tokens = Tokens(secret, keys=signing.find)
    await revocations.load()
    at_once = CHILDREN + sum(places(config).values()) + config.vod.early_uploads + config.vod.on_demand_concurrency
    children = await stack.enter_async_context(Children(at_once))
    posters, recorder = Posters(database, layout, children), Recorder(layout)
    cache = SegmentCache(layout, config.vod.on_demand_cache_bytes)
    encoders = WarmEncoders(layout, children, config.vod.on_demand_concurrency)
    requests = Requests(layout, encoders, cache, config.vod.on_demand_fill)
    await stack.enter_async_context(requests.running())
    if config.vod.renditions == "on-demand":
        encoders.prepare()  # the first viewer waits as long as the next
    loaders = {
        making.SOURCE: presentations.uploaded(layout, RenditionStore(layout), config.vod.segment_s),
        to_vod.SOURCE: recorder.presentation,
    }
    watched = stack.enter_context(Presentations(layout, loaders))
    database.on_commit(watched.outdated)
    films = Movies(layout, watched)
    codec = await usable_codec(config, children)
    kept = ImageCache(layout, config.vod.image_cache_bytes)
    await asyncio.to_thread(kept.load)
    return Core(
        config, layout, database, Metrics(), tokens, assets, credentials, revocations,
        Door(tokens, revocations, signing, restrictions), country_lookup(config), children, posters,
        recorder, make_jobs(config, database, layout, children, posters, codec, films=films),
        watched=watched,
        store=await stack.enter_async_context(SegmentStore(layout)),
        requests=requests,
        idempotency=Idempotency(database, secret),
        films=films,
        images=Images(database, layout, children, watched, kept),
        pictures=Pictures(database, PictureStore(layout), children),
    )  # fmt: skip


def hold(layout: Layout, stack: AsyncExitStack) -> None:
    """The data folder, made and this server's alone. Raises FolderInUseError, ConfigError."""
    try:
        stack.enter_context(data_folder.held(layout.root, layout.lock))
    except FolderInUseError:
        raise
    except OSError as error:
        raise unusable(layout.root, error) from None


def unusable(root: Path, error: OSError) -> ConfigError:
    return ConfigError(f"storage.path: {root} can't be used: {error.strerror}")


def country_lookup(config: Config) -> CountryOf | None:
    """Raises ConfigError."""
    path = config.http.country_database
    try:
        return countries.from_file(path) if path else None
    except OSError as error:
        raise ConfigError(f"http.country_database: {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"http.country_database: {error}") from None


def make_jobs(
    config: Config, database: Database, layout: Layout, children: Children, posters: Posters, codec: str,
    helping: bool = False, films: Movies | None = None,
) -> Jobs:  # fmt: skip
    """With the kinds that workers have too; those that need the data folder to themselves the server adds."""
    jobs = Jobs(database, places(config, helping), helping)
    vod = config.vod
    wanted = Wanted(
        vod.ladder if vod.renditions != "source" else (), vod.segment_s, vod.chunk_s, vod.per_title, codec,
        vod.renditions == "on-demand", Effort(vod.preset, vod.quality, vod.encoder_threads),
        config.sandbox.max_length_s,
    )  # fmt: skip
    room = Room(layout.root, config.storage.reserve_bytes)
    orders = Edits(database, layout, jobs.enqueue)
    editing = Editing(
        database, layout, children, jobs.enqueue, vod.preset, vod.encoder_threads, room,
        Recordings(films, room) if films else None,
    )  # fmt: skip
    joiner = Joining(database, layout, children, jobs.enqueue)
    ordering = Ordering(jobs.enqueue, wanted)
    processing = Pipeline(database, layout, children, posters, ordering, config.jobs.probe_timeout_s, room)
    encoder = Encoding(
        database, layout, children, RenditionStore(layout, room), vod.quality, vod.preset, ordering.order_pictures,
        vod.encoder_threads, vod.per_title,
    )  # fmt: skip
    measurer = Measuring(database, layout, children, jobs.enqueue, vod.chunk_s, vod.quality)
    again = Redriving(layout, RenditionStore(layout), jobs.enqueue, vod.chunk_s)

    async def process(job: JobContext) -> None:
        if not await job.step("trim", lambda: orders.trimmed_at_once(job.object_id)):
            await processing.run(job)

    jobs.register(edits.JOB, editing.run, editing.failed, "io", Priority.SHORT, again.video)
    jobs.register(joining.JOB, joiner.run, joiner.failed, "encode", Priority.NORMAL, again.video)
    jobs.register(pipeline.JOB, process, processing.failed, "short", Priority.SHORT, again.video)
    jobs.register(encoding.FIRST, encoder.first, encoder.failed, "short", Priority.INTERACTIVE, again.renditions)
    jobs.register(encoding.BEGIN, encoder.begin, encoder.failed, "short", Priority.INTERACTIVE, again.renditions)
    jobs.register(encoding.SOUND, encoder.sound, encoder.failed, "short", Priority.INTERACTIVE, again.renditions)
    jobs.register(measuring.JOB, measurer.run, measurer.failed, "encode", Priority.NORMAL, again.measure)
    jobs.register(encoding.SHARE, encoder.pictures, encoder.failed, "encode", Priority.NORMAL, again.renditions)
    jobs.register(embedded.JOB, EmbeddedTexts(database, layout, children).run, None, "short", Priority.SHORT)
    longer = Lengthening(database, layout)
    jobs.register(making.SHOW, longer.run, longer.failed, making.SHOW_LANE, Priority.SHORT, longer.redriven)
    jobs.register(edges.JOB, Edges(database, layout, children).run, None, "short", Priority.SHORT)
    return jobs


async def usable_codec(config: Config, children: Children) -> str:
    """That of ladders; H.264 where the build lacks the one that is asked for, which is said."""
    wanted = config.vod.codec
    _, faults = await usable_encoder(children, CODINGS[wanted].encoder)
    for sentence in faults:
        _log.warning(f"vod.codec: {sentence}; h264 takes the place of {wanted}")
    return "h264" if faults else wanted


def places(config: Config, helping: bool = False) -> Places:
    jobs = config.jobs
    return {
        "encode": jobs.concurrency, "short": jobs.short_concurrency, "io": 0 if helping else jobs.io_concurrency,
    }  # fmt: skip
