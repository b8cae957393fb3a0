"""Looks at every publisher once a second: measures, warns, sends away who can't be shown."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from server import clock, log
from server.formats.sample import VideoConfig
from server.ingest.health.episodes import News
from server.ingest.health.reading import Reading
from server.ingest.on_air import OnAir, Publisher, Stage

EVERY_S = 1.0
SILENT_FRAME_MS = 21  # what a frame of silence is taken for: 1024 samples at 48 kHz

_log = log.get("live")


class Monitor:
    """`on_news` is told of warnings that begin or end, `on_trouble` of publishers that can't be shown, and why."""

    def __init__(
        self,
        stages: Callable[[], Iterable[Stage]],
        on_news: Callable[[Stage, News], None],
        on_trouble: Callable[[Publisher, str], None],
    ) -> None:
        self._stages = stages
        self._on_news = on_news
        self._on_trouble = on_trouble

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                self.look(clock.monotonic(), clock.wall_ms())
            except Exception as error:  # numbers must not be missed for good because of one that can't be had
                _log.error("the health of what is on air can't be read", exc_info=error)

    def look(self, now: float, wall_ms: int) -> None:
        for stage in list(self._stages()):
            if stage.state == "ended":
                continue
            publisher = stage.publisher
            reading = read(stage, publisher, now) if publisher else None
            for news in stage.health.feed(reading, now, wall_ms):
                self._on_news(stage, news)
            if publisher and (trouble := stage.stream.trouble(wall_ms)):
                self._on_trouble(publisher, trouble)


def read(stage: Stage, publisher: Publisher, now: float) -> Reading:
    """The counters of a stage as they stand."""
    statistics, facts, video = stage.stream.statistics, publisher.connection.facts(), publisher.video_config
    return Reading(
        at=now,
        bytes=statistics.bytes,
        video_frames=statistics.video_frames,
        audio_frames=statistics.audio_frames,
        has_video=stage.stream.has_video,
        has_audio=publisher.has_audio,
        silent_s=now - publisher.connection.last_heard(),
        key_intervals=tuple(publisher.keys.intervals),
        keyless_s=now - publisher.keys.last,
        skew_ms=stage.stream.skew_ms,
        dropped=statistics.dropped,
        late_audio=statistics.late_audio,
        repaired=stage.stream.repaired,
        jumps=max(0, statistics.generations - stage.health.turns - stage.health.fillers),
        silence_ms=statistics.silent_frames * SILENT_FRAME_MS,
        stand_ins=statistics.stand_ins,
        returns=stage.health.returns,
        announced_frame_rate=facts.frame_rate,
        announced_bitrate=facts.bitrate,
        codec=video.codec if isinstance(video, VideoConfig) else "",
        incomplete=isinstance(stage, OnAir) and bool(stage.intervals) and stage.packager.incomplete,
        backup_gone=stage.paired and stage.standby is None,
        given_up=", ".join(sorted(stage.given_up)) if isinstance(stage, OnAir) else "",
        link=facts.link,
    )
