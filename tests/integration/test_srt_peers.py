"""The SRT core against libsrt, in ffmpeg and srt-live-transmit, over a socket that may lose packets."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from server.protocols.srt.caller import Caller
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Closed, ConnectionRequested, Event
from server.protocols.srt.limits import DEFAULT_LIMITS
from server.protocols.srt.listener import Listener
from server.protocols.srt.reject import Code
from server.protocols.srt.stream_id import Mode, parse
from tests.harness.srt import Pump, publish, transmit

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        not shutil.which("srt-live-transmit") or not shutil.which("ffmpeg"), reason="needs ffmpeg and srt-live-transmit"
    ),
]

PASSPHRASE = "0123456789ab"
MESSAGES = [number.to_bytes(4, "big") * 329 for number in range(600)]
SENT = b"".join(MESSAGES)
_UNWRITTEN = 8192
# Before its first measurement a receiver takes the round trip for 100 ms and asks again after 150: at 5 % loss each way
# the first packets need some rounds. Hence latencies of 800 ms below.
REFRESH = replace(DEFAULT_LIMITS, key_refresh_packets=200, key_announce_packets=50)

PUBLISHERS = {
    "plain": ("plain", ""),
    "aes128": ("live/aes128", "&passphrase=" + PASSPHRASE),
    "aes192": ("#!::r=aes192,m=publish", f"&passphrase={PASSPHRASE}&pbkeylen=24"),
    "aes256": ("%23!::r=aes256,m=publish", f"&passphrase={PASSPHRASE}&pbkeylen=32"),
}
REFUSED = {
    "wrong": ("wrong", "&passphrase=another-secret", Code.BAD_SECRET),
    "missing": ("missing", "", Code.UNSECURE),
    "unexpected": ("unexpected", "&passphrase=" + PASSPHRASE, Code.UNSECURE),
    "unknown": ("unknown", "", Code.NOT_FOUND),
}


@contextmanager
def ended(*processes: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whatever happens, none of them stays."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            process.wait(timeout=30)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sink(threading.Thread):
    """Reads what a process writes."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__(daemon=True)
        assert process.stdout is not None
        self._pipe = process.stdout
        self.data = bytearray()
        self.grown = time.monotonic()
        self.start()

    def run(self) -> None:
        with suppress(OSError, ValueError):
            while piece := self._pipe.read1(65536):  # type: ignore[attr-defined]
                self.data += piece
                self.grown = time.monotonic()

    def quiet(self, seconds: float) -> bool:
        """It has written nothing for so long."""
        return time.monotonic() - self.grown >= seconds


def stream(pump: Pump, connection: Connection, process: "subprocess.Popen[bytes]") -> None:
    """Send MESSAGES at 10 Mbit/s, let them be played, and compare with what the process has written by its end."""
    sink, begun, count = Sink(process), pump.now(), 0

    def sent() -> bool:
        nonlocal count
        while count < len(MESSAGES) and pump.now() - begun >= count * 1000:
            assert connection.send(MESSAGES[count], pump.now())
            count += 1
        return count == len(MESSAGES) and not connection.send_buffered

    pump.until(sent, 30)
    # A peer that was kept from the processor while it connected plays everything so much later: wait for its last
    # message. Some of them stay in its output's buffer until it ends.
    played = pump.now() + (connection.send_latency_ms + 150) * 1000
    pump.until(lambda: pump.now() >= played and (sink.quiet(1) or len(sink.data) > len(SENT) - _UNWRITTEN), 10)
    process.terminate()
    sink.join(30)
    size = len(MESSAGES[0])
    written = [bytes(sink.data[at : at + size]) for at in range(0, len(sink.data), size)]
    # Every one unharmed and in its place. A machine too busy for the latency may drop some, a line that loses 5 % and
    # is not made up for would drop ten times as many.
    assert written == sorted(set(written) & set(MESSAGES))
    assert len(written) >= 0.995 * len(MESSAGES)
    assert connection.statistics(pump.now()).send_dropped == 0


def test_ffmpeg_publishes_to_our_listener_and_is_refused() -> None:
    accepted: dict[str, Connection] = {}
    refused: dict[str, int] = {}
    with Pump() as pump:
        listener = pump.core = Listener()

        def admit(event: Event) -> None:
            if not isinstance(event, ConnectionRequested):
                return
            key = parse(event.stream_id).resource
            if key == "unknown":
                listener.reject(event, Code.NOT_FOUND, pump.now())
                refused[key] = Code.NOT_FOUND
                return
            passphrase = "" if key in ("plain", "unexpected") else PASSPHRASE
            answer = listener.accept(event, pump.now(), passphrase=passphrase)
            if isinstance(answer, Connection):
                accepted[key] = answer
            else:
                refused[key] = answer.code

        base = f"srt://127.0.0.1:{pump.port}?streamid="
        good = {key: publish(base + name + more, 1) for key, (name, more) in PUBLISHERS.items()}
        bad = {key: publish(base + name + more, 1) for key, (name, more, _) in REFUSED.items()}
        with ended(*good.values(), *bad.values()):
            pump.until(
                lambda: len(accepted) == len(good)
                and all(connection.closed for connection in accepted.values())
                and all(process.poll() is not None for process in bad.values()),
                8,
                admit,
            )
            assert all(process.returncode for process in bad.values())
    assert refused == {key: code for key, (_, _, code) in REFUSED.items()}
    assert {key: connection.key_bits for key, connection in accepted.items()} == {
        "plain": 0, "aes128": 128, "aes192": 192, "aes256": 256,
    }  # fmt: skip
    for connection in accepted.values():
        data = pump.received[connection]
        assert len(data) > 20_000
        assert set(data[::188]) == {0x47}
        statistics = connection.statistics(pump.now())
        assert (statistics.dropped, statistics.undecryptable) == (0, 0)
    assert {event.reason for event in pump.events if isinstance(event, Closed)} == {"ended by the peer"}


def test_our_caller_sends_to_libsrt_over_a_bad_line_with_keys_refreshed() -> None:
    port = free_port()
    url = f"srt://127.0.0.1:{port}?mode=listener&latency=800&passphrase={PASSPHRASE}"
    process = transmit(url, "file://con", reads=False)
    with ended(process), Pump(loss=0.05) as pump:
        caller = pump.core = Caller(
            ("127.0.0.1", port), pump.now(), stream_id="abc", passphrase=PASSPHRASE, key_bits=256, limits=REFRESH
        )
        pump.until(lambda: caller.connection is not None, 30)
        assert caller.connection is not None
        assert (caller.connection.key_bits, caller.connection.send_latency_ms) == (256, 800)
        stream(pump, caller.connection, process)


def test_libsrt_takes_a_stream_from_our_listener_over_a_bad_line_with_keys_refreshed() -> None:
    taken: list[Connection] = []
    with Pump(loss=0.05) as pump:
        listener = pump.core = Listener(REFRESH)

        def admit(event: Event) -> None:
            if isinstance(event, ConnectionRequested):
                assert parse(event.stream_id).mode is Mode.REQUEST
                answer = listener.accept(event, pump.now(), passphrase=PASSPHRASE, latency_ms=800)
                assert isinstance(answer, Connection)
                taken.append(answer)

        url = f"srt://127.0.0.1:{pump.port}?streamid=#!::r=x,m=request&passphrase={PASSPHRASE}"
        process = transmit(url, "file://con", reads=False)
        with ended(process):
            pump.until(lambda: bool(taken), 5, admit)
            stream(pump, taken[0], process)


def test_libsrt_sends_over_a_bad_line_with_keys_refreshed() -> None:
    taken: list[Connection] = []
    with Pump(loss=0.05) as pump:
        listener = pump.core = Listener()

        def admit(event: Event) -> None:
            if isinstance(event, ConnectionRequested):
                answer = listener.accept(event, pump.now(), passphrase=PASSPHRASE, latency_ms=800)
                assert isinstance(answer, Connection)
                taken.append(answer)

        url = f"srt://127.0.0.1:{pump.port}?streamid=x&passphrase={PASSPHRASE}&kmrefreshrate=200&kmpreannounce=50"
        process = transmit("file://con", url)
        pipe = process.stdin
        assert pipe is not None

        def feed() -> None:
            with suppress(OSError, ValueError):
                for message in MESSAGES + MESSAGES:
                    pipe.write(message)
                    pipe.flush()
                    time.sleep(0.001)

        with ended(process):
            threading.Thread(target=feed, daemon=True).start()
            # What it reads before it is connected it throws away, and its very last it may lose unnoticed.
            pump.until(lambda: bool(taken) and len(pump.received.get(taken[0], b"")) >= len(SENT), 6, admit)
            received = bytes(pump.received[taken[0]])
            assert received in SENT + SENT
            statistics = taken[0].statistics(pump.now())
            assert statistics.lost > 5
            assert (statistics.dropped, statistics.undecryptable) == (0, 0)


@pytest.mark.parametrize(
    ("passphrase", "code"), [("another-secret", Code.BAD_SECRET), ("", Code.UNSECURE)], ids=["wrong", "missing"]
)
def test_libsrt_refuses_our_caller_and_says_why(passphrase: str, code: Code) -> None:
    port = free_port()
    process = transmit(f"srt://127.0.0.1:{port}?mode=listener&passphrase={PASSPHRASE}", "file://con", reads=False)
    with ended(process), Pump() as pump:
        caller = pump.core = Caller(("127.0.0.1", port), pump.now(), passphrase=passphrase)
        pump.until(lambda: caller.closed, 30)
        (closed,) = pump.events
        assert isinstance(closed, Closed)
        assert (closed.code, closed.by_peer) == (code, True)
