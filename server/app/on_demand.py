"""Videos on demand: how they come in, what is made of them, and how they end."""

from contextlib import AsyncExitStack

from server.app.background import in_background
from server.app.core import Core
from server.app.live import Live
from server.catalog.models import Video
from server.catalog.retention import Rule
from server.config import LiveConfig, VodConfig
from server.jobs.context import JobContext
from server.jobs.priorities import Priority
from server.outbound.client import Outbound, Times
from server.protocols.destinations import AddressRules
from server.storage import data_folder
from server.storage.renditions import RenditionStore
from server.storage.upload_files import UploadFiles
from server.storage.watermarks import WatermarkStore
from server.uploads import expiry
from server.uploads import fetching as fetch_job
from server.uploads import imports as import_job
from server.uploads.fetching import Fetching
from server.uploads.imports import Imports
from server.uploads.joins import Joins
from server.uploads.partials import Partials
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads
from server.vod import leftovers
from server.vod import life as life_job
from server.vod.early import Early
from server.vod.edits import Edits
from server.vod.life import Life
from server.vod.marks import Marks
from server.vod.materials import Materials
from server.vod.outliving import Outliving
from server.vod.retention import Retention
from server.vod.text_words import TextWords
from server.vod.texts import Texts
from server.vod.weighing import Weighing


class OnDemand:
    """`await open(stack)` registers the jobs; `await begin(stack)` once they run."""

    early: Early
    uploads: Uploads
    sources: SourceUploads
    joins: Joins
    partials: Partials
    fetching: Fetching
    imports: Imports
    life: Life
    outliving: Outliving

    def __init__(self, core: Core) -> None:
        self._core = core
        self.edits = Edits(core.database, core.layout, core.jobs.enqueue)
        self.texts = Texts(core.database, core.layout)
        self.materials = Materials(core.database, core.layout, core.config.storage.reserve_bytes)
        self.marks = Marks(core.database, WatermarkStore(core.layout), core.children)

    async def open(self, stack: AsyncExitStack, on_air: Live) -> None:
        core, config = self._core, self._core.config
        self.early = await stack.enter_async_context(
            Early(core.database, core.layout, core.children, config.vod.early_uploads)
        )
        files = await stack.enter_async_context(
            UploadFiles.open(core.layout, config.storage.reserve_bytes, self.early)
        )
        self.uploads = Uploads(
            core.database, files, core.jobs.enqueue, config.vod.max_upload_bytes, config.vod.upload_expiry_s,
            config.sandbox.max_bytes,
        )
        self.sources = SourceUploads(self.uploads)
        self.joins = Joins(self.uploads, self.sources)
        self.partials = Partials(self.uploads, self.joins)
        self.fetching = await self._fetching(stack)
        self.imports = Imports(core.database, self.fetching, core.jobs.enqueue)
        self.life = self._life(on_air)
        self.outliving = Outliving(
            core.database, core.layout, config.vod.replaced_kept_s, self.life.delete, self._forget
        )
        fetching = self.fetching
        core.jobs.register(fetch_job.JOB, fetching.run, fetching.failed, "io", on_redrive=fetching.redriven)
        core.jobs.register(import_job.JOB, self.imports.run, None, "short", Priority.SHORT)
        core.jobs.register(life_job.JOB, self._erase, None, "short", Priority.BULK)

    def _forget(self, material: str) -> None:
        """Its files go."""
        self._core.watched.forget(material)
        self._core.requests.forget(material)

    async def begin(self, stack: AsyncExitStack) -> None:
        """Takes up what a restart left."""
        await expiry.recover(self.uploads)
        await self.marks.sweep()
        await self.materials.sweep()
        await self._core.pictures.sweep()
        await leftovers.sweep(self._core.database, self._core.layout)
        await stack.enter_async_context(expiry.sweeping(self.uploads, self.partials, self.joins, self._core.layout))
        await stack.enter_async_context(self.life.running())
        await stack.enter_async_context(self.outliving.running())
        await stack.enter_async_context(TextWords(self._core.database, self._core.layout).running())
        store = RenditionStore(self._core.layout)
        await stack.enter_async_context(Weighing(self._core.database, store).running())

    async def keep(self, stack: AsyncExitStack) -> None:
        """To the rules of retention, once what a restart left of broadcasts is taken up."""
        core, config = self._core, self._core.config
        retention = Retention(
            core.database,
            self.life,
            _rule(config.live),
            _rule(config.vod),
            config.storage.low_water_bytes,
            lambda: data_folder.free_bytes(core.layout.root),
            config.sandbox.keep_hours,
        )
        await stack.enter_async_context(retention.running())

    async def _erase(self, job: JobContext) -> None:
        """What is still being made of the video ends first, or it would be made into the folder that goes."""
        await job.step("end", lambda: self._core.jobs.cancel_of(job.object_id, but=[life_job.JOB]))
        await self.life.erase(job)

    async def _fetching(self, stack: AsyncExitStack) -> Fetching:
        config = self._core.config.fetch
        rules, times = AddressRules(config.allow), Times(idle_s=config.idle_timeout_s)
        outbound = await stack.enter_async_context(Outbound.open(rules, times))
        return Fetching(self.uploads, outbound, self._core.jobs.enqueue, config)

    def _life(self, on_air: Live) -> Life:
        core = self._core

        def gone(video: Video) -> None:
            on_air.video_gone(video)
            core.requests.forget(video.material)
            in_background(fetch_job.cancel(core.database, core.jobs.cancel, video.id))

        days = core.config.vod.restore_days
        return Life(core.database, core.layout, core.jobs.enqueue, days, on_air.upkeep.release, gone)


def _rule(section: LiveConfig | VodConfig) -> Rule:
    return Rule(
        section.retention_days, section.retention_count, section.retention_bytes, tuple(section.retention_keep_tags)
    )
