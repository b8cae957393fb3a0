"""Live streams: who publishes, what is made of it, who takes it, and what becomes of it."""

from contextlib import AsyncExitStack

from server import clock, log
from server.app.background import in_background
from server.app.core import Core
from server.catalog.database import Transaction
from server.catalog.models import Broadcast, LiveStream, Video
from server.errors import Problem
from server.ingest import rtmp, srt
from server.ingest.broadcasts import Broadcasts
from server.ingest.control import controlled
from server.ingest.on_air import OnAir
from server.ingest.pulls import Pulls
from server.ingest.reading import Reading
from server.ingest.slates import Slates
from server.ingest.trials import Trials
from server.ladder.ladders import Ladders, Whose
from server.packager.presentation import Span
from server.playback.facts import Facts
from server.playback.tokens import NO_LIMITS
from server.recorder.upkeep import Upkeep
from server.restream.restreams import Restreams
from server.restream.restreams import Whose as Restreamed
from server.vod.rounds import rounds
from server.web.hls import images

FIRST_REVISION = 1  # of a new video
TRIALS_S = 5.0  # how much longer a broadcast of a sandbox may last than it is said to
LATE_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # buckets; a tick of the listener is 0.025

_log = log.get("live")


class Live:
    """`await open(stack, …)` before anything else; the rest are answers to what parts tell."""

    broadcasts: Broadcasts
    ladders: Ladders
    restreams: Restreams
    pulls: Pulls
    rtmp: rtmp.Listener
    srt: srt.SrtListener

    def __init__(self, core: Core) -> None:
        self._core = core
        self.upkeep = Upkeep(core.database, core.store)
        self.slates = Slates(core.layout, core.children)
        lateness = "From the end of a part's media to its publication."
        self._late = core.metrics.histogram("sluice_part_lateness_seconds", lateness, LATE_S)

    async def open(self, stack: AsyncExitStack) -> None:
        """Takes up what a restart left, then lets publishers in."""
        core, config, enter = self._core, self._core.config, stack.enter_async_context
        await self.upkeep.restore()
        self.ladders = await enter(Ladders(core.database, config.live))
        self.restreams = await enter(Restreams(core.database, config.live))
        self.broadcasts = await enter(
            Broadcasts.open(
                core.database, core.store, config.live, self._recorded, self._gone, self._part_out, self._began,
                self._over, self.slates,
            )
        )  # fmt: skip
        self._schedules = await enter(controlled(core.database, self.broadcasts))
        self.pulls = Pulls(core.database, self.broadcasts, config.live.private_addresses)
        await enter(self.pulls.running())
        trials = Trials(core.database, self.broadcasts, config.sandbox.max_live_s)
        await enter(rounds(trials.round, TRIALS_S, _log, "broadcasts of sandboxes could not be looked at"))
        reading = Reading(core.database, self.broadcasts, self._may_read)
        self.rtmp = await enter(rtmp.Listener.open(self.broadcasts, config.rtmp, reading))
        self.srt = await enter(srt.SrtListener.open(self.broadcasts, core.database, config.srt, self._may_read))

    # --- what a broadcast comes to

    def _began(self, stream: LiveStream, on_air: OnAir) -> None:
        whose = Whose(stream.project_id, stream.id, on_air.broadcast_id)
        if ladder := self.ladders.begin(on_air.renditions, whose, on_air.packager):
            on_air.given_up = ladder.given_up
            on_air.stream.attach(ladder)
        restreamed = Restreamed(stream.project_id, stream.id, on_air.broadcast_id)
        self.restreams.begin(restreamed, stream.restreams, on_air.stream)

    def _part_out(self, end_ms: int) -> None:
        self._late(max(0, clock.wall_ms() - end_ms) / 1000)

    async def _over(self, on_air: OnAir) -> None:
        self.restreams.finish(on_air.live_stream_id, on_air.broadcast_id)
        await self.ladders.finish(on_air.broadcast_id)

    async def _recorded(
        self, transaction: Transaction, broadcast: Broadcast, stream: LiveStream, on_air: OnAir, span: Span | None
    ) -> str | None:
        """Makes the video in the transaction that ends a recording; its id, if there was anything to record."""
        recording = await self._core.recorder.record(transaction, broadcast, stream, span)
        if recording is None or (video_id := broadcast.video_id) is None:
            return None
        transaction.after_commit(lambda: self._core.watched.put(video_id, FIRST_REVISION, recording))
        transaction.after_commit(lambda: in_background(self._picture(video_id, on_air)))
        return video_id

    async def _picture(self, video_id: str, on_air: OnAir) -> None:
        if newest := images.newest(on_air):
            init, segment = newest
            await self._core.posters.of_recording(video_id, init, await images.read(segment))

    def _gone(self, broadcast_id: str) -> None:
        in_background(self.upkeep.release(broadcast_id))

    # --- readers beside the web

    async def _may_read(self, text: str, token: str, ip: str) -> str | None:
        """The live stream that a playback token opens to a player of another protocol."""
        core = self._core
        asset = await core.assets.find(text, "live")
        if asset is None:
            return None
        country = core.country_of(ip) if core.country_of else None
        try:
            await core.door.prepare(asset, token)
            allow = core.door.check(asset, token, Facts(ip, country=country), starts=True)
        except Problem:
            return None
        limits = allow.grant.limits if allow.grant else NO_LIMITS
        # the publisher's own pictures, for as long as they are taken: neither can be kept to
        return None if limits.max_quality or limits.sessions else asset.id

    # --- what the API changed, after the commit

    def video_gone(self, video: Video) -> None:
        self._core.watched.forget(video.id)
        if video.broadcast_id:
            self.broadcasts.withdraw(video.broadcast_id)

    def deleted(self, stream: LiveStream) -> None:
        self._schedules.deleted(stream.id)
        self.pulls.deleted(stream.id)
        self.broadcasts.rehearsals.end(stream.id)
        in_background(self.slates.remove(stream.id))
        in_background(self._core.pictures.remove(stream.id))
        in_background(self.broadcasts.deleted(stream.id))

    def changed(self, stream: LiveStream) -> None:
        self._schedules.changed(stream)
        self.restreams.changed(stream.id, stream.restreams)
        self.pulls.changed(stream)

    async def complete(self, live_stream_id: str) -> None:
        await self.broadcasts.complete(live_stream_id)
