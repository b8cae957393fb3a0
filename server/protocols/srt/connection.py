"""One connection after its handshake, whichever side called: receiver, sender, timers, control packets.

    handshake ─► open ─ close(), shutdown, silence ─► closed
"""

import struct
from collections.abc import Callable, Mapping

from server.protocols.srt.acknowledgement import Acknowledgements
from server.protocols.srt.agreement import MIN_WINDOW, Agreement, Keys
from server.protocols.srt.events import Closed, Data, Event
from server.protocols.srt.limits import Limits
from server.protocols.srt.meter import Meter
from server.protocols.srt.packet import (
    ACK,
    ACKACK,
    DROP,
    HEADER_SIZE,
    KEEPALIVE,
    KEY_REQUEST,
    KEY_RESPONSE,
    NAK,
    SEQUENCE_MASK,
    SHUTDOWN,
    USER,
    WORD,
    Address,
    control,
    pack_ranges,
    read_ranges,
)
from server.protocols.srt.receive_keys import NO_SECRET
from server.protocols.srt.receiver import Receiver
from server.protocols.srt.round_trip import INITIAL_US, INITIAL_VARIANCE_US, RoundTrip
from server.protocols.srt.sender import Sender
from server.protocols.srt.statistics import Statistics

_FULL_ACK = struct.Struct(">7I")
_RANGE = struct.Struct(">II")
_PACKET_BITS = 8 * 1316  # between packets a second, which acknowledgements carry, and bits a second
_KEY_REPEAT_MIN_US = 20_000


class Connection:
    """Made by a Listener or a Caller, which feed it; what it has to send goes out through theirs."""

    def __init__(
        self,
        agreement: Agreement,
        keys: Keys | None,
        now_us: int,
        limits: Limits,
        out: list[tuple[bytes, Address]],
    ) -> None:
        self.id = agreement.id
        """Our socket id: unique among the living connections of one Listener."""
        self.peer_id = agreement.peer_id
        self.address = agreement.address
        self.stream_id = agreement.stream_id
        """As sent. A secret."""
        self.version = agreement.version
        """Of the peer's SRT library, such as "1.5.3"; for logs."""
        self.key_bits = 8 * keys.size if keys else 0
        """0 without encryption, else 128, 192 or 256."""
        self.latency_ms = agreement.latency_ms
        """How long we wait for what is missing: the larger of both sides' wishes."""
        self.send_latency_ms = agreement.send_latency_ms
        """How long the peer waits for what we send."""
        self.payload = agreement.payload
        """Bytes of the longest message that send() takes."""
        self.last_received_us = now_us
        """When the last packet of any kind came: a publisher silent for long may be taken over."""
        self.closed = False
        self.closed_by_us = False
        """By close(): the peer may not have heard of it."""
        self._limits = limits
        self._out = out
        self._start_us = agreement.start_us
        self._keys = keys
        self._round_trip = RoundTrip()
        ciphers = keys.receive.ciphers if keys else {}
        self.receiver = Receiver(
            agreement.first_received, agreement.latency_ms * 1000, ciphers, self._round_trip, limits
        )
        """For the Listener and the Caller, which feed it data packets."""
        self._sender = Sender(
            self._emit, agreement.first_sent, agreement.peer_id, agreement.start_us, agreement.send_latency_ms * 1000,
            agreement.peer_window, keys.send if keys else None, self._round_trip, limits,
        )  # fmt: skip
        self._received_bytes = 0
        self._received_meter, self._sent_meter = Meter(now_us), Meter(now_us)
        self._peer_link_packets = 0
        self._emitted = 0  # datagrams sent
        self._emitted_before = 0  # … at the last tick
        self._last_sent_us = now_us
        self._acknowledgements = Acknowledgements(agreement.first_received, now_us, self._round_trip, limits)
        self._acknowledged = 0  # packets received by the last one
        self._announced_us = 0  # when our next key was last announced
        self._end: Closed | None = None  # to be given away as the last event

    # -- for the owner of the stream

    def send(self, message: bytes, now_us: int) -> bool:
        """Queue one message of at most `payload` bytes (ValueError beyond, and for an empty one). Never blocks: False
        if the connection is closed or the buffer full, and the message is dropped and counted. Encrypted as agreed."""
        if not 0 < len(message) <= self.payload:
            raise ValueError(f"a message has 1 to {self.payload} bytes, not {len(message)}")
        return not self.closed and self._sender.send(message, now_us)

    @property
    def send_buffered(self) -> int:
        """Packets not acknowledged yet: 0 means that a close() loses nothing."""
        return self._sender.buffered

    @property
    def calm(self) -> bool:
        """No packet is missing here, nor may be there: nobody waits for an answer."""
        return not self.receiver.missing and not self._sender.buffered

    def close(self, now_us: int) -> None:
        """End it from our side: a shutdown goes out. No event: the caller knows. Twice is once."""
        if not self.closed:
            self._control(SHUTDOWN, now_us)
            self.closed = self.closed_by_us = True

    def statistics(self, now_us: int) -> Statistics:
        received, sent = self.receiver, self._sender
        return Statistics(
            rtt_ms=self._round_trip.us / 1000,
            rtt_variance_ms=self._round_trip.variance_us / 1000,
            latency_ms=self.latency_ms,
            received=received.received,
            received_bytes=self._received_bytes,
            lost=received.lost,
            retransmitted=received.retransmitted,
            dropped=received.dropped,
            late=received.late,
            duplicate=received.duplicate,
            reordered=received.reordered,
            undecryptable=received.undecryptable,
            out_of_window=received.out_of_window,
            receive_bits_per_s=self._received_meter.bits_per_s,
            link_bits_per_s=self._received_meter.best_bits_per_s,
            buffer_ms=received.waiting_us(now_us) / 1000,
            buffered=received.held,
            sent=sent.sent,
            sent_bytes=sent.sent_bytes,
            resent=sent.resent,
            reported_lost=sent.reported_lost,
            send_dropped=sent.dropped,
            send_buffered=sent.buffered,
            send_buffer_ms=sent.age_us(now_us) / 1000,
            send_bits_per_s=self._sent_meter.bits_per_s,
            peer_link_bits_per_s=self._peer_link_packets * _PACKET_BITS,
        )

    # -- for the Listener or the Caller

    def receive_control(self, first: int, info: int, datagram: bytes, now_us: int) -> None:
        """A control packet; `first` and `info` are the first words of its header. What makes no sense is ignored."""
        handler = _HANDLERS.get(first >> 16 & 0x7FFF)
        if handler is not None and not self.closed:
            handler(self, first & 0xFFFF, info, datagram, now_us)

    def flush(self, now_us: int) -> list[Event]:
        """What came of the packets since the last call. To be called once they are all taken."""
        receiver = self.receiver
        if not self.closed:
            if receiver.missing:
                self._report_losses(now_us)
            if receiver.received - self._acknowledged >= self._limits.light_ack_packets:
                self._light_ack(now_us)
        elif self._end is None:
            return []  # closed by us
        events: list[Event] = []
        if receiver.messages:
            messages, receiver.messages = receiver.messages, []
            self._received_bytes += sum(map(len, messages))
            events.append(Data(self, messages))
        if self._end is not None:
            events.append(self._end)
            self._end = None
        return events

    def tick(self, now_us: int) -> list[Event]:
        """What time brings; to be called every Limits.ack_interval_us, no harm if sooner."""
        if now_us - self.last_received_us >= self._limits.idle_timeout_us:
            self._finish(f"silent for {self._limits.idle_timeout_us / 1e6:g} s", by_peer=False)
        if not self.closed:
            self.receiver.give_up_late(now_us)
            self._acknowledge(now_us)
            self._sender.tick(now_us)
            self._announce_key(now_us)
            self._keep_alive(now_us)
            self._measure(now_us)
        return self.flush(now_us)

    def give_way(self) -> None:
        """Another connection takes this one's place; the event is in the next flush()."""
        self._finish("taken over by a new connection from the same address", by_peer=False)

    # -- sending

    def _emit(self, datagram: bytes) -> None:
        self._emitted += 1
        self._out.append((datagram, self.address))

    def _control(self, kind: int, now_us: int, info: int = 0, content: bytes = b"", subtype: int = 0) -> None:
        self._emit(control(kind, self.peer_id, now_us - self._start_us, info, content, subtype))

    def _acknowledge(self, now_us: int) -> None:
        expected = self.receiver.expected
        number = self._acknowledgements.next_number(expected, now_us)
        if number is not None:
            self._acknowledged = self.receiver.received
            self._control(ACK, now_us, number, self._ack_content(expected))

    def _ack_content(self, expected: int) -> bytes:
        meter = self._received_meter
        return _FULL_ACK.pack(
            expected,
            self._round_trip.us,
            self._round_trip.variance_us,
            max(MIN_WINDOW, self._limits.window - self.receiver.held),
            min(meter.bits_per_s // _PACKET_BITS, 0xFFFF_FFFF),
            min(meter.best_bits_per_s // _PACKET_BITS, 0xFFFF_FFFF),
            min(meter.bits_per_s // 8, 0xFFFF_FFFF),
        )

    def _light_ack(self, now_us: int) -> None:
        self._acknowledged = self.receiver.received
        self._control(ACK, now_us, 0, WORD.pack(self.receiver.expected))

    def _report_losses(self, now_us: int) -> None:
        ranges = self.receiver.loss_report(now_us)
        if ranges:
            self._control(NAK, now_us, 0, pack_ranges(ranges))

    def _announce_key(self, now_us: int) -> None:
        """Again and again until the peer confirms (libsrt: every 1.5 round trips)."""
        if self._keys is None or not self._keys.send.announcement:
            return
        if now_us - self._announced_us >= max(self._round_trip.us * 3 // 2, _KEY_REPEAT_MIN_US):
            self._announced_us = now_us
            self._control(USER, now_us, 0, self._keys.send.announcement, KEY_REQUEST)

    def _keep_alive(self, now_us: int) -> None:
        if self._emitted != self._emitted_before:
            self._emitted_before, self._last_sent_us = self._emitted, now_us
        elif now_us - self._last_sent_us >= self._limits.keepalive_us:
            self._control(KEEPALIVE, now_us)

    def _measure(self, now_us: int) -> None:
        if self._received_meter.update(self.receiver.arrived_bytes, now_us):
            self.receiver.relax()
        self._sent_meter.update(self._sender.sent_bytes, now_us)

    def _finish(self, reason: str, by_peer: bool) -> None:
        """No more holes are waited for: what lies behind them is delivered, then comes Closed."""
        if self.closed:
            return
        self.receiver.give_up_all()
        self.closed = True
        self._end = Closed(self, reason, by_peer)

    # -- control packets

    def _on_ack(self, subtype: int, info: int, datagram: bytes, now_us: int) -> None:
        words = struct.unpack_from(f">{min(len(datagram) - HEADER_SIZE, 28) // 4}I", datagram, HEADER_SIZE)
        if not words or words[0] > SEQUENCE_MASK:
            return
        if info:
            self._control(ACKACK, now_us, info)
        if len(words) >= 4:
            if words[1:3] != (INITIAL_US, INITIAL_VARIANCE_US):
                self._round_trip.measured(words[1])
            self._sender.room(words[3])
        if len(words) >= 6:
            self._peer_link_packets = words[5]
        self._sender.acknowledged(words[0], now_us)

    def _on_ackack(self, subtype: int, info: int, datagram: bytes, now_us: int) -> None:
        self._acknowledgements.answered(info, now_us)

    def _on_nak(self, subtype: int, info: int, datagram: bytes, now_us: int) -> None:
        self._sender.lost(read_ranges(datagram), now_us)

    def _on_drop(self, subtype: int, info: int, datagram: bytes, now_us: int) -> None:
        if len(datagram) >= HEADER_SIZE + _RANGE.size:
            first, last = _RANGE.unpack_from(datagram, HEADER_SIZE)
            self.receiver.give_up_range(first & SEQUENCE_MASK, last & SEQUENCE_MASK)

    def _on_shutdown(self, subtype: int, info: int, datagram: bytes, now_us: int) -> None:
        self._finish("ended by the peer", by_peer=True)

    def _on_user(self, subtype: int, info: int, datagram: bytes, now_us: int) -> None:
        message = datagram[HEADER_SIZE:]
        if subtype == KEY_REQUEST:
            answer = NO_SECRET if self._keys is None else self._keys.receive.take(message, now_us)
            if answer is not None:
                self._control(USER, now_us, 0, answer, KEY_RESPONSE)
        elif subtype == KEY_RESPONSE and self._keys is not None:
            self._keys.send.confirmed(message)


_HANDLERS: Mapping[int, Callable[[Connection, int, int, bytes, int], None]] = {
    ACK: Connection._on_ack,
    NAK: Connection._on_nak,
    SHUTDOWN: Connection._on_shutdown,
    ACKACK: Connection._on_ackack,
    DROP: Connection._on_drop,
    USER: Connection._on_user,
}
"""By control type. Nothing follows from a keep-alive but that the peer lives; the others are not of live mode."""
