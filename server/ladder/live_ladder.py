"""The ladder of one broadcast: a child that transcodes, started again where it fails, and what it makes packaged.

    stream ──▶ feed ──▶ child ──▶ here ──▶ packager

A rendition that was given up does not come back in this broadcast: its playlist has ended.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from server import clock, log
from server.formats.avc import AvcError, video_config
from server.formats.sample import Sample, TrackConfig, VideoConfig
from server.ladder.feed import Child, Feed
from server.media.child import ChildFailed
from server.media.ladder import Source, Wish, rungs
from server.media.wire import Config, Dropped, Flush, Message, Status, Unit
from server.stream.reader import VIDEO

FIRST_WAIT_S = 1.0  # until a child that failed is started again; twice as long each time, up to
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0  # a child that lived so long had nothing wrong with it from the start
DRAIN_S = 2.0  # for the last pictures at the end of a broadcast; the recording's renditions end with them

_log = log.get("ladder")


class Transcoder(Child, Protocol):
    """A child, as `media.transcoding` has it."""

    def finish(self) -> None: ...

    async def run(self) -> None: ...


class Packager(Protocol):
    """Where renditions go."""

    def configure(self, track: str, config: TrackConfig, generation: int) -> None: ...

    def write(self, track: str, sample: Sample) -> None: ...

    def expect(self, names: Iterable[str]) -> None:
        """These will come; players are not told of the broadcast before, or not much later."""

    def drop(self, name: str) -> None:
        """Nothing more comes of the rendition."""


MakeTranscoder = Callable[[Callable[[Message], None]], Transcoder]  # of what hears it
OnEvent = Callable[[str, dict[str, Any]], None]  # its type and facts


class LiveLadder(Feed):
    """A reader of the stream. `run` from the first configuration of pictures on."""

    def __init__(
        self,
        broadcast_id: str,
        wishes: Sequence[Wish] | None,
        packager: Packager,
        on_wanted: Callable[[], None],
        on_event: OnEvent,
    ) -> None:
        """`wishes` None: what the table has. `on_wanted` is called once, when there is something to transcode."""
        super().__init__()
        self.behind_s = 0.0  # of the slowest rendition, as last heard
        self.damaged = 0  # pictures that could not be decoded
        self.renditions: tuple[str, ...] = ()  # that are made
        self.given_up: set[str] = set()
        self._broadcast_id = broadcast_id
        self._asked_for = wishes
        self._packager = packager
        self._on_event = on_event
        self._on_wanted: Callable[[], None] | None = on_wanted
        self._transcoder: Transcoder | None = None
        self._names: dict[int, str] = {}  # of the child's tracks
        self._configs: dict[str, tuple[int, VideoConfig]] = {}  # what viewers were told, and of which generation
        self._last: dict[str, int] = {}  # decode time of each rendition's last picture, ticks
        self._flushed = 0
        self._news = asyncio.Event()

    @property
    def transcoding(self) -> bool:
        """Whether there is a child now."""
        return self._child is not None

    # --- the reader of a stream

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        if track == VIDEO and isinstance(config, VideoConfig):
            self._choose(config)
        super().configure(track, config, generation)
        if self._on_wanted is not None and self.renditions:
            on_wanted, self._on_wanted = self._on_wanted, None
            on_wanted()

    @property
    def _timescale(self) -> int:
        return self._config.timescale if self._config else 0

    def _choose(self, config: VideoConfig) -> None:
        """What of the wishes this source allows, without what was given up."""
        source = Source(config.width, config.height)
        names = [rung.name for rung in rungs(source, self._asked_for)]
        self.renditions = tuple(name for name in names if name not in self.given_up)
        asked_for = {f"{wish.height}p": wish for wish in reversed(self._asked_for or ())}
        self.wishes = [asked_for.get(name) or Wish(int(name.removesuffix("p"))) for name in self.renditions]
        self._packager.expect(self.renditions)

    # --- the child

    async def run(self, make: MakeTranscoder) -> None:
        """Until everything was given up; cancelled at the end of the broadcast."""
        wait_s = FIRST_WAIT_S
        while self._wanted:
            began = clock.monotonic()
            reason = await self._live(make)
            if not self._wanted:
                return
            if clock.monotonic() - began > STEADY_S:
                wait_s = FIRST_WAIT_S
            self._on_event("live-stream.ladder.interrupted", {"reason": reason, "retryAfter": wait_s})
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    @property
    def _wanted(self) -> bool:
        return bool(self.wishes) or not self.given_up

    async def _live(self, make: MakeTranscoder) -> str:
        """One child, from its start to its end; why it ended."""
        child = self._transcoder = make(self._hear)
        running = asyncio.ensure_future(child.run())
        self.connect(child)
        self._news.set()
        try:
            await running
            return "it ended by itself"
        except ChildFailed as failure:
            _log.warning("a transcoder failed", broadcast=self._broadcast_id, reason=str(failure),
                         said=failure.stderr[-500:])  # fmt: skip
            return str(failure)
        finally:
            self.connect(None)
            self._transcoder = None
            self.behind_s = 0.0
            self._names.clear()
            self._news.set()
            if not running.done():
                running.cancel()
                await asyncio.wait([running])

    def _hear(self, message: Message) -> None:
        match message:
            case Unit():
                self._take(message)
            case Config():
                self._begin(message)
            case Status(facts):
                self.behind_s = _number(facts.get("behindMs")) / 1000
                self.damaged = int(_number(facts.get("damaged")))
            case Dropped(name, reason):
                self._give_up(name, reason)
            case Flush(number):
                self._flushed = number
                self._news.set()

    def _take(self, unit: Unit) -> None:
        """A picture of a rendition, where its times are ones that were sent, and grow: strangers' bytes made it."""
        name = self._names.get(unit.track)
        if name is None:
            return
        _, config = self._configs[name]
        most = self.reached_ms * config.timescale // 1000
        if self._last.get(name, -1) < unit.dts <= most and 0 <= unit.pts <= most:
            self._last[name] = unit.dts
            self._packager.write(name, Sample(unit.dts, unit.pts - unit.dts, unit.key, unit.data))

    def _begin(self, config: Config) -> None:
        """Pictures of a rendition follow."""
        name, timescale = config.facts.get("name"), config.facts.get("timescale")
        if name not in self.renditions or timescale != self._timescale:
            return
        try:
            track = video_config(config.extradata, timescale)
        except AvcError as error:
            self._give_up(name, f"the encoder's parameters can't be read: {error}")
            return
        known = self._configs.get(name)
        if known is not None and known[0] == config.generation and known[1] != track:
            self._give_up(name, "another encoder had to be taken, whose pictures need other parameters")
            return
        if known is not None and known[1].timescale != timescale:
            self._last.pop(name, None)
        self._configs[name] = (config.generation, track)
        self._names[config.track] = name
        self._packager.configure(name, track, config.generation)

    def _give_up(self, name: str, reason: str) -> None:
        if name not in self.renditions:
            return
        self.given_up.add(name)
        self.renditions = tuple(other for other in self.renditions if other != name)
        self.wishes = [wish for wish in self.wishes if f"{wish.height}p" != name]
        self._names = {track: other for track, other in self._names.items() if other != name}
        self._packager.drop(name)
        self._on_event("live-stream.rendition.dropped", {"rendition": name, "reason": reason})
        if not self.renditions and self._transcoder is not None:
            self._transcoder.finish()

    # --- the end

    def refuse(self) -> None:
        """There will be no child."""
        self.given_up.update(self.renditions)
        self.renditions, self.wishes = (), []
        self._asked_for = []
        self._packager.expect(())
        self.connect(None)

    async def drain(self) -> None:
        """Waits until what was sent so far has come back, for a while."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while self.waiting_for_child:
                    await self._next()
                self.flush()
                while self._child is not None and self._flushed < self.flushes:
                    await self._next()
        except TimeoutError:
            _log.warning("a transcoder did not finish in time", broadcast=self._broadcast_id)

    async def _next(self) -> None:
        self._news.clear()
        await self._news.wait()


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1 << 53 else 0.0
