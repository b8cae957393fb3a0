"""The plan of a video by what is wanted of every upload, and the jobs that make what it lists."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from server import log
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.jobs.orders import Enqueue
from server.media.containers import BY_NAME
from server.media.facts import SourceFacts
from server.media.orders import TIMESCALE
from server.vod import embedded, encoding, measuring, plan
from server.vod.alterations import Alteration
from server.vod.plan import Effort, Plan, Shown

_log = log.get("vod")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of every upload."""

    lines: Sequence[int]  # of the ladder; none: only what the source can't be shown without
    segment_s: float
    chunk_s: float
    per_title: bool = False
    codec: str = "h264"
    on_request: bool = False  # pictures are made when they are asked for, where the source allows: H.264
    effort: Effort = field(default_factory=Effort)
    sandbox_s: float = math.inf  # the longest video of a sandbox project


class Ordering:
    """Plans by what is wanted, and the jobs of a plan."""

    def __init__(self, enqueue: Enqueue, wanted: Wanted) -> None:
        self._enqueue = enqueue
        self.wanted = wanted

    def planned(
        self, video_id: str, facts: SourceFacts, shown: Shown, altered: Alteration, times: Sequence[int]
    ) -> Plan:
        """What is made beside what is `shown` of the source, whose pictures have `times`, ticks of TIMESCALE."""
        wanted = self.wanted
        codec = "h264" if wanted.on_request else wanted.codec
        demuxer = BY_NAME[facts.container].demuxer
        made = replace(plan.of_source(facts, wanted.lines, demuxer, shown, altered, codec), effort=wanted.effort)
        return self._made_on_request(video_id, made, facts, shown, times) if wanted.on_request else made

    def _made_on_request(
        self, video_id: str, made: Plan, facts: SourceFacts, shown: Shown, times: Sequence[int]
    ) -> Plan:
        """The plan with its pictures made when they are asked for, unless that would take too long."""
        longest = max((after - before for before, after in pairwise(shown.cuts)), default=0) if shown.indexed else 0
        if longest > plan.FAR_S * TIMESCALE:
            _log.info("made ahead", video=video_id, reason=f"key frames are {longest / TIMESCALE:.0f} s apart")
            return made
        return plan.made_on_request(made, facts, shown, times, self.wanted.effort.quality)

    async def order(self, transaction: Transaction, video: Video, made: Plan, facts: SourceFacts) -> None:
        """Sound first, which is quick and without which nothing is whole."""
        revision = {"revision": video.source_revision}
        for sound in made.sounds:
            arguments = {**revision, "rendition": sound.rendition}
            await self._enqueue(transaction, video.project_id, encoding.SOUND, video.id, arguments)
        if made.on_request is not None:
            arguments = {**revision, "renditions": [rung.name for rung in made.rungs]}
            await self._enqueue(transaction, video.project_id, encoding.BEGIN, video.id, arguments)
        else:
            await self.order_pictures(transaction, video, made)
        if (texts := embedded.order(video.source_revision, facts)) is not None:
            await self._enqueue(transaction, video.project_id, embedded.JOB, video.id, texts)

    async def order_pictures(self, transaction: Transaction, video: Video, made: Plan) -> None:
        """To be encoded ahead, whole."""
        revision = {"revision": video.source_revision}
        shares = plan.chunks(made.cuts, [rung.name for rung in made.rungs], self.wanted.chunk_s)
        if self.wanted.per_title and measuring.worth_while(made, shares):
            await self._enqueue(transaction, video.project_id, measuring.JOB, video.id, revision)
            shares = shares[:1]  # the rest is ordered once it is known what the title needs
        for number, share in enumerate(shares):
            await encoding.order(self._enqueue, transaction, video, encoding.SHARE if number else encoding.FIRST, share)
