"""The child that makes a live stream's lower renditions: coded pictures in, coded pictures out, over one socket.

    arguments  {"link": fd, "encoder": name}
    socket     `wire`: in a config for each generation, its units, flushes; out a config and units for each rendition

    receiver ── inbox ──▶ main: decode, scale ──▶ a lane for each rendition: encode ──▶ socket
    watch: how far the slowest is behind; gives a rendition up where it stays so

Renditions have key frames exactly where the source has them, told by presentation time, so that they can be switched
between there. What is damaged is left out; the source itself is never touched by what happens here.
"""

import contextlib
import os
import socket
import threading
from collections import deque
from fractions import Fraction
from typing import Any

import av.logging
from av.error import FFmpegError
from av.video.frame import VideoFrame

from server import clock
from server.media import guard, measure
from server.media.decoding import Decoder, DecoderError
from server.media.encoders import Coded, Settings, pixel_format
from server.media.inbox import Inbox
from server.media.ladder import Rung, Source, Wish, least_valuable, limit, rungs
from server.media.lanes import Lane
from server.media.measure import Measure
from server.media.overload import Overload
from server.media.scaling import Scaler, Shape, shape_of
from server.media.wire import Config, Dropped, Flush, Incoming, Message, Status, Unit, WireError, encode

READ_BYTES = 256 * 1024
WATCH_S = 0.25
STATUS_EVERY = 4  # of these
TOO_SLOW = "the machine can't keep up"


class Link:
    """The socket to the server; any thread may send."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._lock = threading.Lock()

    def receive_into(self, inbox: Inbox) -> None:
        """Until the server has nothing more to say, or is gone."""
        incoming = Incoming()
        with contextlib.suppress(OSError, WireError):
            while data := self._socket.recv(READ_BYTES):
                for message in incoming.feed(data):
                    inbox.put(message)
        inbox.close()

    def send(self, message: Message) -> None:
        with self._lock:
            try:
                self._socket.sendall(b"".join(encode(message)))
            except OSError:
                os._exit(1)  # the server is gone, or wants no more of us


def wishes(facts: dict[str, Any]) -> list[Wish] | None:
    """The list of renditions in a configuration's facts; None: those of the table."""
    listed = facts["wishes"]
    return None if listed is None else [Wish(**wish) for wish in listed]


class Generation:
    """One configuration of the source, and the renditions made of it."""

    def __init__(self, config: Config, encoder: str, given_up: set[str], link: Link) -> None:
        """Raises DecoderError."""
        facts = config.facts
        self.number = config.generation
        self.lanes: list[Lane] = []
        self.pictures = 0
        self.timescale = int(facts["timescale"])
        self._time_base = Fraction(1, self.timescale)
        self._size = int(facts["width"]), int(facts["height"]), (int(facts["sar"][0]), int(facts["sar"][1]))
        self._wishes = wishes(facts)
        self._decoder = Decoder(config.extradata, self.timescale)
        self._encoder = encoder
        self._given_up = given_up
        self._link = link
        self._measure = Measure(self.timescale)
        self._early: list[Unit] | None = []  # until pictures a second are known
        self._keys: deque[int] = deque()  # presentation times of key frames that have not come out of the decoder
        self._last_pts: int | None = None
        self._scalers: dict[tuple[Shape, tuple[Rung, ...]], Scaler] = {}

    @property
    def damaged(self) -> int:
        return self._decoder.damaged

    def take(self, unit: Unit) -> None:
        self._measure.add(unit.dts, len(unit.data))
        if self._early is None:
            self._decode(unit)
            return
        self._early.append(unit)
        if len(self._early) >= measure.ENOUGH_PICTURES:
            self._begin()

    def finish(self) -> None:
        """Everything that is held back comes out."""
        if self._early:
            self._begin()
        for frame in self._decoder.finish():
            self._show(frame)
        for lane in self.lanes:
            lane.finish()

    def _begin(self) -> None:
        early, self._early = self._early or [], None
        source = Source(*self._size, frame_rate=self._measure.frame_rate)
        start = early[0].pts
        self.lanes = [
            self._lane(track, rung, start)
            for track, rung in enumerate(rungs(source, self._wishes))
            if rung.name not in self._given_up
        ]
        for unit in early:
            self._decode(unit)

    def _lane(self, track: int, rung: Rung, start: int) -> Lane:
        facts = {"name": rung.name, "frameRate": rung.frame_rate, "timescale": self.timescale}

        def opened(record: bytes) -> None:
            self._link.send(Config(track, self.number, facts, record))

        def coded(unit: Coded) -> None:
            self._link.send(Unit(track, unit.pts, unit.dts, unit.key, unit.data))

        def failed(reason: str) -> None:
            self._given_up.add(rung.name)
            self._link.send(Dropped(rung.name, reason))

        return Lane(rung, self._encoder, Settings(self.timescale), start, opened, coded, failed)

    def _decode(self, unit: Unit) -> None:
        if unit.key:
            self._keys.append(unit.pts)
        if any(lane.active for lane in self.lanes):
            for frame in self._decoder.decode(unit.pts, unit.dts, unit.data):
                self._show(frame)

    def _show(self, frame: VideoFrame) -> None:
        pts = frame.pts
        if pts is None or (self._last_pts is not None and pts <= self._last_pts):
            return  # damaged: encoders want times that grow
        self._last_pts = pts
        self.pictures += 1
        key = self._is_key(pts)
        takers = [lane for lane in self.lanes if lane.takes(key) and lane.active]
        if takers:
            self._give(frame, key, takers)

    def _is_key(self, pts: int) -> bool:
        """Whether the source has a key frame here; one that could not be decoded is made up for by the next picture."""
        due = bool(self._keys) and self._keys[0] <= pts
        while self._keys and self._keys[0] <= pts:
            self._keys.popleft()
        return due

    def _give(self, frame: VideoFrame, key: bool, takers: list[Lane]) -> None:
        pts, frame.time_base = frame.pts, self._time_base
        try:
            scaled = self._scaler(frame, takers).scale(frame)
        except FFmpegError:
            self._decoder.damaged += 1
            return
        bitrate = self._measure.bitrate
        for lane, picture in zip(takers, scaled, strict=True):
            picture.pts, picture.time_base = pts, self._time_base
            lane.put(picture, key, limit(lane.rung, bitrate))

    def _scaler(self, frame: VideoFrame, takers: list[Lane]) -> Scaler:
        """One for each set of renditions that are made together; with other sizes or fewer of them, new ones."""
        shape, wanted = shape_of(frame), tuple(lane.rung for lane in takers)
        scaler = self._scalers.get((shape, wanted))
        if scaler is None:
            active = {lane.rung for lane in self.lanes if lane.active}
            self._scalers = {
                known: scaler
                for known, scaler in self._scalers.items()
                if known[0] == shape and active.issuperset(known[1])
            }
            scaler = Scaler(shape, wanted, pixel_format(self._encoder), self.timescale)
            self._scalers[shape, wanted] = scaler
        return scaler


class Transcoder:
    """All that is sent, in order."""

    def __init__(self, link: Link, encoder: str) -> None:
        self._link = link
        self._encoder = encoder
        self._inbox = Inbox()
        self._given_up: set[str] = set()
        self._generation: Generation | None = None
        self._pictures = 0
        self._damaged = 0

    def run(self) -> None:
        for work in (self._receive, self._watch):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()
        while (message := self._inbox.take()) is not None:
            match message:
                case Config():
                    self._finish()
                    self._begin(message)
                case Unit():
                    if self._generation is not None:
                        self._generation.take(message)
                case Flush():
                    self._finish()
                    self._link.send(message)
                case _:
                    raise WireError("this is for the other side")
        self._finish()

    def _receive(self) -> None:
        self._link.receive_into(self._inbox)

    def _begin(self, config: Config) -> None:
        try:
            self._generation = Generation(config, self._encoder, self._given_up, self._link)
        except DecoderError as error:
            facts = config.facts
            for rung in rungs(Source(facts["width"], facts["height"]), wishes(facts)):
                self._given_up.add(rung.name)
                self._link.send(Dropped(rung.name, str(error)))

    def _finish(self) -> None:
        generation = self._generation
        if generation is not None:
            generation.finish()
            self._generation = None
            self._pictures += generation.pictures
            self._damaged += generation.damaged

    # --- keeping up

    def _watch(self) -> None:
        overload, looks = Overload(), 0
        wait = threading.Event()
        while True:
            wait.wait(WATCH_S)
            behind_s = self._behind_s()
            if overload.look(clock.monotonic(), behind_s):
                self._give_one_up()
            looks += 1
            if looks % STATUS_EVERY == 0:
                self._link.send(Status(self._status(behind_s)))

    def _behind_s(self) -> float:
        """Of media: what came after the last picture of the slowest rendition."""
        generation = self._generation
        done = [lane.done for lane in generation.lanes if lane.active] if generation else []
        if generation is None or not done:
            return 0.0
        return max(0.0, (self._inbox.newest - min(done)) / generation.timescale)

    def _give_one_up(self) -> None:
        generation = self._generation
        active = {lane.rung: lane for lane in generation.lanes if lane.active} if generation else {}
        if active:
            rung = least_valuable(active)
            active[rung].give_up()
            self._given_up.add(rung.name)
            self._link.send(Dropped(rung.name, TOO_SLOW))

    def _status(self, behind_s: float) -> dict[str, Any]:
        generation = self._generation
        return {
            "behindMs": round(behind_s * 1000),
            "pictures": self._pictures + (generation.pictures if generation else 0),
            "damaged": self._damaged + (generation.damaged if generation else 0),
        }


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    say({"event": "started"})
    av.logging.set_level(None)  # strangers' streams are full of what it would say
    Transcoder(Link(arguments["link"]), arguments["encoder"]).run()


if __name__ == "__main__":
    guard.run(work, "drivers")
