"""The UDP port of SRT, on a thread of its own: a stalled event loop must not lose packets.

The thread drains the socket at every tick, drives `protocols.srt`, demuxes what publishers send and hands it over to
the event loop in batches: one call for all publishers, FLUSH_S apart. A wake-up for each datagram would cost three
times as much.

    socket → Listener → Data → TsInput → notes ──call_soon_threadsafe──► the sinks of ingest.srt
    socket ← Listener ← Peer.queue, commands ◄── the event loop
"""

import asyncio
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from server import clock, log
from server.errors import in_words
from server.media.mpegts import Item, TsInput
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Closed, ConnectionRequested, Data, Event
from server.protocols.srt.listener import Counters, Listener
from server.protocols.srt.packet import Address
from server.protocols.srt.statistics import Statistics

# Between two looks at the socket while anything is connected; SRT acknowledges as often. A tick costs some 0.3 ms, and
# 50 µs more for each connection. Half of it is what the latency grows by.
TICK_S = 0.02  # with few connections, whose viewers get what there is to spare, and while a packet is missing
LONG_TICK_S = 0.05
SHORT_TICK_S = 0.01  # at least, however soon the receive buffer fills
FLUSH_S = 0.05  # between two hand-overs of many publishers' media to the event loop
FEW = 8  # connections
STATISTICS_S = 1.0
MAX_DATAGRAMS = 8192  # taken at one tick: nobody keeps the thread from its other work
DATAGRAM = 2048  # bytes: longer than any that is taken
MAX_BATCH = 1 << 18  # bytes of one publisher handed over at once
MAX_WAITING = 16 << 20  # bytes of one publisher that the event loop has not taken, 25 s of 5 Mbit/s; more is dropped
MAX_QUEUE = 4 << 20  # bytes that wait to be sent to one reader
RECEIVE_BUFFER = 4 << 20  # bytes asked of the kernel: 100 ms of 300 Mbit/s
SEND_BUFFER = 1 << 20
SO_RCVBUFFORCE = 33  # Linux: beyond net.core.rmem_max, for those who may
TELL_S = 10.0  # between two log lines about faults of ours
ASK_S = 5.0  # the thread answers within a tick; beyond, the caller that it is about has given up
STOP_S = 2.0  # the thread ends within a tick or two

T = TypeVar("T")
Note = Callable[[], None]

_log = log.get("srt")


class Sink(Protocol):
    """What a connection is to the event loop; called there."""

    def take(self, items: list[Item], size: int) -> None:
        """Media, made of so many bytes."""

    def over(self, reason: str, by_peer: bool) -> None:
        """The connection has ended; `by_peer`: on purpose."""


class Peer:
    """One connection. What the thread writes, the event loop only reads, and the other way around."""

    def __init__(self, connection: Connection, sink: Sink, publishes: bool, now_us: int) -> None:
        self.connection = connection
        self.sink = sink
        self.media = TsInput() if publishes else None
        self.statistics: Statistics = connection.statistics(now_us)
        self.heard_us = now_us
        """When media last came."""
        self.overrun = 0
        """Bytes dropped, because the event loop did not take them."""
        self.queue: deque[bytes] = deque()
        """To be sent: the event loop appends."""
        self.queued = self.sent = 0  # bytes: queued by the event loop, sent by the thread
        self.handed = self.taken = 0  # bytes: handed over by the thread, taken by the event loop
        self.messages: list[bytes] = []
        self.size = 0
        self.ending = False  # the sink closes it: nothing is to be told

    def send(self, data: bytes) -> bool:
        """On the event loop. False: dropped, too much waits."""
        if self.queued - self.sent > MAX_QUEUE:
            return False
        self.queued += len(data)
        self.queue.append(data)
        return True


class Port:
    """`open` it, then `start`; `requested` is called on the event loop."""

    def __init__(self, core: Listener, requested: Callable[[ConnectionRequested], None]) -> None:
        self.receive_buffer = 0
        """Bytes that the kernel gave."""
        self.port = 0
        self.received = 0  # bytes of all publishers' media
        self.faults = 0  # turns that failed: never, unless we are wrong
        self.unsent = 0  # datagrams that the kernel did not take
        self.pending = 0  # half-open handshakes
        self.connections = 0
        self.totals = dict.fromkeys(COUNTED, 0)
        """Packets of connections that have ended, by name; see counts()."""
        self.core = core
        """Touched on the thread only."""
        self._requested = requested
        self._peers: dict[int, Peer] = {}
        self._commands: deque[Callable[[int], None]] = deque()
        self._notes: list[Note] = []
        self._turned_us = self._flushed_us = self._measured_us = 0
        self._lasts_s = LONG_TICK_S  # until what comes fills half of the receive buffer
        self._told_us: int | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="srt", daemon=True)

    @property
    def core_counters(self) -> Counters:
        return self.core.counters

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    # --- on the event loop

    def open(self, host: str, port: int) -> None:
        """Raises OSError."""
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        sock = socket.socket(family, kind)
        try:
            sock.setblocking(False)
            self.receive_buffer = _ask_for_buffers(sock)
            sock.bind(address)
        except OSError as error:
            sock.close()
            raise OSError(f"SRT can't listen on UDP {host}:{port}: {in_words(error)}") from None
        self._socket = sock
        self.port = sock.getsockname()[1]
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._idle, self._pause = select.poll(), select.poll()
        for poll in (self._idle, self._pause):
            poll.register(self._wake_out, select.POLLIN)
        self._idle.register(sock, select.POLLIN)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def call(self, command: Callable[[int], None]) -> None:
        """Run on the thread, at its next tick, with the time in microseconds."""
        self._commands.append(command)
        with suppress(BlockingIOError):
            self._wake_in.send(b"\0")

    async def ask(self, work: Callable[[int], T]) -> T:
        """What `work` gives, on the thread. Raises what it raises; TimeoutError where the thread does not get to it,
        and then it is not done at all."""
        future: asyncio.Future[T] = self._loop.create_future()

        def command(now_us: int) -> None:
            if future.cancelled():
                return
            try:
                done: Note = partial(_set, future, work(now_us))
            except Exception as error:
                done = partial(_fail, future, error)
            self._notes.append(done)

        self.call(command)
        async with asyncio.timeout(ASK_S):
            return await future

    async def close(self) -> None:
        """Shuts every connection down; sinks are not told."""
        self._stopping = True
        self.call(lambda now_us: None)
        await asyncio.to_thread(self._thread.join, STOP_S)
        for sock in (self._socket, self._wake_in, self._wake_out):
            sock.close()

    def counts(self) -> dict[str, float]:
        """Packets of all connections there are and were."""
        living = [peer.statistics for peer in list(self._peers.values())]
        return {name: self.totals[name] + sum(getattr(each, name) for each in living) for name in COUNTED}

    # --- on the thread

    def accept(self, connection: Connection, sink: Sink, publishes: bool, now_us: int) -> Peer:
        """Within `ask`: a connection that the core has just made."""
        peer = self._peers[connection.id] = Peer(connection, sink, publishes, now_us)
        return peer

    def hang_up(self, peer: Peer) -> None:
        """From the event loop: ends the connection; its sink hears nothing more."""
        peer.ending = True
        self.call(lambda now_us: self._hang_up(peer, now_us))

    def _hang_up(self, peer: Peer, now_us: int) -> None:
        if self._peers.get(peer.connection.id) is peer:
            self._transmit(peer, now_us)
            peer.connection.close(now_us)
            self._forget(peer, now_us)

    def _run(self) -> None:
        while not self._stopping:
            self._wait()
            try:
                self._turn(_now_us())
            except Exception as error:  # one peer's packets must not end all the others
                self._fault("SRT failed for a moment", error)
        now_us = _now_us()
        self.core.close(now_us)
        self._send_datagrams()

    def _fault(self, what: str, error: Exception) -> None:
        """Ours, not a peer's. Told now and then: it may come again at every tick."""
        self.faults += 1
        now_us = _now_us()
        if self._told_us is None or now_us - self._told_us >= TELL_S * 1_000_000:
            self._told_us = now_us
            _log.error(what, exc_info=error)

    def _wait(self) -> None:
        if self._peers:
            calm = all(peer.connection.calm for peer in self._peers.values())
            ready = self._pause.poll(tick_s(len(self._peers), calm, self._lasts_s) * 1000)
        else:
            due_us = self.core.next_timeout()
            wait_ms = None if due_us is None else max((due_us - _now_us()) / 1000, 1)
            ready = self._idle.poll(wait_ms)
        if ready:
            with suppress(BlockingIOError):
                self._wake_out.recv(4096)

    def _turn(self, now_us: int) -> None:
        datagrams = self._receive()
        room = self.receive_buffer // DATAGRAM / 2
        self._lasts_s = (now_us - self._turned_us) / 1e6 * room / max(1, len(datagrams))
        self._turned_us = now_us
        for event in self.core.receive_many(datagrams, now_us) + self.core.handle_timeout(now_us):
            self._event(event, now_us)
        while self._commands:
            self._commands.popleft()(now_us)
        if len(self._peers) <= FEW or now_us - self._flushed_us >= FLUSH_S * 1_000_000:
            self._flushed_us = now_us
            for peer in self._peers.values():
                self._hand_over(peer)
        for peer in self._peers.values():
            if peer.queue:
                self._transmit(peer, now_us)
        if now_us - self._measured_us >= STATISTICS_S * 1_000_000:
            self._measure(now_us)
        self._send_datagrams()
        if self._notes:
            notes, self._notes = self._notes, []
            with suppress(RuntimeError):  # the event loop has ended
                self._loop.call_soon_threadsafe(_tell, notes)

    def _receive(self) -> list[tuple[bytes, Address]]:
        datagrams: list[tuple[bytes, Address]] = []
        take, receive = datagrams.append, self._socket.recvfrom
        try:
            for _ in range(MAX_DATAGRAMS):
                take(receive(DATAGRAM))
        except OSError:  # nothing more, or an ICMP message about something sent before
            pass
        return datagrams

    def _send_datagrams(self) -> None:
        send = self._socket.sendto
        for datagram, address in self.core.datagrams_to_send():
            try:
                send(datagram, address)
            except OSError:
                self.unsent += 1

    def _event(self, event: Event, now_us: int) -> None:
        match event:
            case Data(connection=connection, messages=messages):
                peer = self._peers.get(connection.id)
                if peer is not None:
                    peer.heard_us = now_us
                    peer.messages += messages
                    peer.size += sum(map(len, messages))
                    if peer.size > MAX_BATCH:
                        self._hand_over(peer)
            case Closed(connection=connection, reason=reason, by_peer=by_peer):
                peer = self._peers.get(connection.id) if connection else None
                if peer is not None:
                    self._ended(peer, reason, by_peer, now_us)
            case ConnectionRequested():
                self._notes.append(partial(self._requested, event))
            case _:
                pass

    def _hand_over(self, peer: Peer) -> None:
        if not peer.messages:
            return
        data, size = b"".join(peer.messages), peer.size
        peer.messages, peer.size = [], 0
        self.received += size
        if peer.media is None:
            return
        if peer.handed - peer.taken > MAX_WAITING:
            peer.overrun += size
            return
        try:
            items = peer.media.feed(data)
        except Exception as error:  # it promises not to
            self._fault("MPEG-TS could not be read", error)
            return
        if items and not peer.ending:
            peer.handed += size
            self._notes.append(partial(peer.sink.take, items, size))

    def _ended(self, peer: Peer, reason: str, by_peer: bool, now_us: int) -> None:
        self._hand_over(peer)
        self._forget(peer, now_us)
        if peer.ending:
            return
        if peer.media is not None and (items := peer.media.finish()):
            self._notes.append(partial(peer.sink.take, items, 0))
        self._notes.append(partial(peer.sink.over, reason, by_peer))

    def _transmit(self, peer: Peer, now_us: int) -> None:
        """What waits for a reader. A core that is full drops and counts."""
        while peer.queue:
            datagram = peer.queue.popleft()
            peer.sent += len(datagram)
            peer.connection.send(datagram, now_us)

    def _measure(self, now_us: int) -> None:
        self._measured_us = now_us
        self.pending, self.connections = self.core.pending, len(self._peers)
        for peer in self._peers.values():
            peer.statistics = peer.connection.statistics(now_us)

    def _forget(self, peer: Peer, now_us: int) -> None:
        del self._peers[peer.connection.id]
        peer.statistics = peer.connection.statistics(now_us)
        for name in COUNTED:
            self.totals[name] += getattr(peer.statistics, name)
        self._measure(now_us)


COUNTED = ("received", "lost", "retransmitted", "dropped", "undecryptable", "sent", "resent", "send_dropped")
"""Of Statistics, what is summed over all connections."""


def tick_s(connections: int, calm: bool, lasts_s: float) -> float:
    """How long to wait before the next look at the socket, where the receive buffer is half full after `lasts_s`."""
    wanted_s = LONG_TICK_S if calm and connections > FEW else TICK_S
    return min(wanted_s, max(lasts_s, SHORT_TICK_S))


def _now_us() -> int:
    return int(clock.monotonic() * 1e6)


def _tell(notes: list[Note]) -> None:
    for note in notes:
        try:
            note()
        except Exception as error:  # the others' notes are not to be lost
            _log.error("SRT media could not be taken", exc_info=error)


def _set(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _ask_for_buffers(sock: socket.socket) -> int:
    """Bytes of the receive buffer that the kernel gives: SO_RCVBUF is cut to net.core.rmem_max without a word."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    options = (SO_RCVBUFFORCE, socket.SO_RCVBUF) if sys.platform == "linux" else (socket.SO_RCVBUF,)
    for option in options:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            break
    got = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return got // 2 if sys.platform == "linux" else got  # Linux counts its own book-keeping twice over
