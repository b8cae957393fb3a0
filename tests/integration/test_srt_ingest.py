"""Publishers and readers over SRT, with libsrt on the other end: ffmpeg's and srt-live-transmit's."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness import media
from tests.harness.lossy import Lossy
from tests.harness.publisher import Publisher, publishing
from tests.harness.server import Server, until

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not shutil.which("srt-live-transmit"), reason="needs srt-live-transmit"),
]

TRANSMITTER = ["srt-live-transmit", "-q", "-a:no", "-chunk:1316", "-loglevel:error"]
PASSPHRASE = "a secret of ours"
SECONDS = 3
WHOLE = 75  # frames of 90


@dataclass(frozen=True)
class Case:
    """How one publisher comes."""

    caller: str = ""  # more of the caller's URL
    fields: tuple[tuple[str, Any], ...] = ()
    loss: float = 0.0  # each way
    program: str = "ffmpeg"
    stream_id: str = "{key}"


CASES = {
    "plain": Case(),
    "access-control": Case(stream_id="#!::r={key},m=publish"),
    "aes-128": Case(f"&passphrase={PASSPHRASE}&pbkeylen=16", (("srtPassphrase", PASSPHRASE),)),
    "aes-256": Case(
        f"&passphrase={PASSPHRASE}&pbkeylen=32", (("srtPassphrase", PASSPHRASE), ("srtMinKeyBits", 256)),
        program="ffmpeg9",
    ),
    "srt-live-transmit": Case(program="srt-live-transmit"),
    "2 % lost": Case(loss=0.02),
    "10 % lost": Case("&latency=500000", loss=0.1),
}  # fmt: skip


# ffmpeg gives up after three seconds, which seven that begin together on a busy machine may take.
CONNECT_MS = 20_000


def source() -> Path:
    return media.clip(SECONDS, b_frames=2, extension="ts")


def looped() -> Path:
    """ffmpeg loses the first key frame of an MPEG-TS file when it begins it anew."""
    return media.clip(SECONDS, b_frames=2)


def ffmpeg9() -> str:
    found = pytest.importorskip("imageio_ffmpeg")
    return str(found.get_ffmpeg_exe())


def url_of(server: Server, case: Case, live: dict[str, Any], port: int | None = None) -> str:
    port = port or urlsplit(server.ready["srt"]).port
    return f"srt://127.0.0.1:{port}?streamid={case.stream_id.format(key=live['streamKey'])}{case.caller}"


def transmit(server: Server, live: dict[str, Any], path: Path, url: str) -> None:
    """srt-live-transmit, fed by an ffmpeg in real time once it is connected: until then it throws away what it is
    given. It does not end with its input."""
    reading, writing = os.pipe()
    with open(reading, "rb") as taken, open(writing, "wb") as given:
        transmitter = subprocess.Popen([*TRANSMITTER, "file://con", url], stdin=taken)
        until(lambda: opened(server, live), 120)
        feeder = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", str(path), "-c", "copy", "-f", "mpegts", "-"],
            stdout=given,
        )
    assert feeder.wait(90) == 0
    time.sleep(0.5)
    transmitter.send_signal(signal.SIGINT)
    transmitter.wait(30)


def opened(server: Server, live: dict[str, Any]) -> bool:
    return any('"event":"opened"' in line and live["liveStreamId"] in line for line in server.log().splitlines())


@pytest.fixture(scope="module")
def published(server: Server) -> dict[str, dict[str, Any]]:
    """All cases at once: each publishes the whole source to a live stream of its own."""
    lives = {name: server.live_stream(**dict(case.fields)) for name, case in CASES.items()}
    with ExitStack() as stack:
        running = []
        for name, case in CASES.items():
            port = None
            if case.loss:
                target = urlsplit(server.ready["srt"]).port
                assert target
                port = stack.enter_context(Lossy(target, loss=case.loss, delay_s=0.02, jitter_s=0.003)).port
            if case.program == "srt-live-transmit":
                continue
            program = ffmpeg9() if case.program == "ffmpeg9" else case.program
            url = f"{url_of(server, case, lives[name], port)}&connect_timeout={CONNECT_MS}"
            running.append(Publisher(source(), url, loop=False, program=program))
        live = lives["srt-live-transmit"]
        transmit(server, live, source(), url_of(server, CASES["srt-live-transmit"], live))
        for publisher in running:
            status, said = publisher.wait()
            assert status == 0, said
    return lives


def closing_line(server: Server, live: dict[str, Any]) -> str:
    lines = [line for line in server.log().splitlines() if '"event":"closed"' in line and live["liveStreamId"] in line]
    return lines[0] if lines else ""


@pytest.mark.parametrize("name", CASES)
def test_every_frame_comes_through(name: str, server: Server, published: dict[str, dict[str, Any]]) -> None:
    live, case = published[name], CASES[name]
    path = f"/live/{live['liveStreamId']}.m3u8"
    line = until(lambda: closing_line(server, live))

    until(lambda: "#EXT-X-ENDLIST" in server.get(variant(server, path)).text)
    found, sent = media.frame_hashes(server.http + path), media.frame_hashes(source())

    # libsrt's callers do not wait for what is on its way when they end: half a second of the tail may be missing
    assert found[:WHOLE] == sent[:WHOLE]
    if case.loss:
        assert int(re.search(r'"lost":(\d+)', line)[1]) > 0  # type: ignore[index]


def variant(server: Server, path: str) -> str:
    """The media playlist of the pictures."""
    text = server.get(path).text
    found = re.search(r"^(?!#)(\S+)$", text, re.M)
    return f"/live/{found[1]}" if found else path


REFUSED = {
    "unknown key": ("no-such-key", "", 1401),
    "malformed": ("#!::m=bidirectional", "", 1400),
    "no passphrase": ("{secret}", "", 11),
    "wrong passphrase": ("{secret}", "&passphrase=not-the-right-one", 10),
    "a passphrase where none is": ("{plain}", f"&passphrase={PASSPHRASE}", 11),
    "a key too short": ("{long}", f"&passphrase={PASSPHRASE}&pbkeylen=16", 1403),
    "in use": ("{busy}", "", 1409),
    "nothing to read": ("#!::r={plain},m=request", "", 1404),
    "no token": ("#!::r={id},m=request,t=rubbish", "", 1401),
}


def refused_with(server: Server, code: int, after: int) -> bool:
    return f'"code":{code},' in server.log()[after:]


def test_callers_are_refused_with_their_codes(server: Server) -> None:
    busy = server.live_stream()
    keys = {
        "secret": server.live_stream(srtPassphrase=PASSPHRASE)["streamKey"],
        "plain": server.live_stream()["streamKey"],
        "long": server.live_stream(srtPassphrase=PASSPHRASE, srtMinKeyBits=256)["streamKey"],
        "busy": busy["streamKey"],
        "id": busy["liveStreamId"],
    }
    port = urlsplit(server.ready["srt"]).port
    before = len(server.log())
    with publishing(looped(), busy["srt"]) as first:
        until(lambda: server.api("GET", f"/live-streams/{busy['liveStreamId']}")["broadcasting"])
        for name, (stream_id, more, code) in REFUSED.items():
            url = f"srt://127.0.0.1:{port}?streamid={stream_id.format(**keys)}{more}"
            publisher = Publisher(source(), url)
            status, _ = publisher.wait(10)
            assert status != 0, name
            until(partial(refused_with, server, code, before))
            before = len(server.log())
        assert first.process.poll() is None
    assert not any(key in server.log() for key in (PASSPHRASE, keys["secret"], "not-the-right-one"))


def test_a_killed_publisher_is_interrupted_and_goes_on_in_the_same_broadcast(server: Server) -> None:
    live = server.live_stream()
    path = f"/live-streams/{live['liveStreamId']}"
    with publishing(looped(), live["srt"]) as first:
        until(lambda: server.get(f"/live/{live['liveStreamId']}.m3u8").status == 200)
        broadcast = server.api("GET", path)["links"]["broadcastId"]
        first.kill()
        began = time.monotonic()
        until(lambda: server.log().count(f'"live_stream":"{live["liveStreamId"]}"') and "interrupted" in tail(server))
        assert 4 <= time.monotonic() - began <= 8
        with publishing(looped(), live["srt"]):
            until(lambda: "#EXT-X-DISCONTINUITY" in playlist(server, live))
            assert server.api("GET", path)["links"]["broadcastId"] == broadcast


def tail(server: Server) -> str:
    return server.log()[-4000:]


def playlist(server: Server, live: dict[str, Any]) -> str:
    return server.get(variant(server, f"/live/{live['liveStreamId']}.m3u8")).text


def test_a_broadcast_is_read_as_mpeg_ts_with_the_key_or_a_token(server: Server, tmp_path: Path) -> None:
    live = server.live_stream(public=False)
    token = server.api("POST", f"/live-streams/{live['liveStreamId']}/tokens", {})["token"]
    port = urlsplit(server.ready["srt"]).port
    stream_ids = {
        "key": f"#!::r={live['streamKey']},m=request",
        "token": f"#!::r={live['liveStreamId']},m=request,t={token}",
        "play": f"play:{live['streamKey']}",
    }
    with publishing(looped(), live["srt"]):
        until(lambda: server.api("GET", f"/live-streams/{live['liveStreamId']}")["broadcasting"])
        readers = {
            name: subprocess.Popen(
                ["ffmpeg", "-nostdin", "-loglevel", "error", "-analyzeduration", "500000", "-i", f"srt://127.0.0.1:{port}?streamid={stream_id}",
                 "-t", "1.5", "-c", "copy", "-y", str(tmp_path / f"{name}.ts")], stderr=subprocess.PIPE, text=True,
            )
            for name, stream_id in stream_ids.items()
        }  # fmt: skip
        for name, reader in readers.items():
            _, said = reader.communicate(timeout=30)
            assert reader.returncode == 0, f"{name}: {said}"

    sent = media.frame_hashes(looped())
    for name in readers:
        found = media.frame_hashes(tmp_path / f"{name}.ts")
        assert len(found) >= 30
        assert set(found[:-4]) <= set(sent), name  # where it is cut off, pictures may lack what they refer to
        assert media.frame_hashes(tmp_path / f"{name}.ts", "a")


def test_garbage_and_floods_leave_others_alone(server: Server, tmp_path: Path) -> None:
    live, other = server.live_stream(), server.live_stream()
    garbage = tmp_path / "garbage.ts"
    data = bytearray(source().read_bytes())
    noise = random.Random(3)
    for _ in range(len(data) // 60):
        data[noise.randrange(len(data))] = noise.randrange(256)
    garbage.write_bytes(bytes(data) + noise.randbytes(200_000))
    port = urlsplit(server.ready["srt"]).port
    assert port
    with publishing(looped(), live["srt"]) as publisher:
        until(lambda: server.get(f"/live/{live['liveStreamId']}.m3u8").status == 200)
        feeder = subprocess.Popen(["cat", str(garbage)], stdout=subprocess.PIPE)
        transmitter = subprocess.Popen([*TRANSMITTER, "file://con", other["srt"]], stdin=feeder.stdout)
        resident = memory(server)
        flood(port, noise)
        before = playlist(server, live)
        until(lambda: playlist(server, live) != before)
        for process in (feeder, transmitter):
            process.kill()
            process.wait(30)
        assert feeder.stdout
        feeder.stdout.close()
        assert publisher.process.poll() is None
        assert memory(server) - resident < 40
    assert '"logger":"srt","level":"error"' not in server.log()
    numbers = server.get("/metrics").text
    for reason in ("malformed", "unknown", "bad_cookie"):
        assert float(re.search(rf'sluice_srt_ignored_total{{reason="{reason}"}} ([\d.e+]+)', numbers)[1]) > 0  # type: ignore[index]


def flood(port: int, noise: random.Random) -> None:
    """Rubbish, and handshakes that nobody goes on with, from many ports."""
    induction = bytearray(64)
    induction[0] = 0x80
    induction[16:24] = bytes.fromhex("0000000400000002")
    induction[28:40] = bytes.fromhex("000005dc0000200000000001")
    conclusion = bytes(induction[:36]) + b"\xff\xff\xff\xff" + bytes(induction[40:])
    for number in range(60):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(50):
                induction[40:44] = noise.randbytes(4)
                spoofed = noise.randbytes(12) + os.urandom(4)
                for datagram in (bytes(induction), conclusion, noise.randbytes(noise.randrange(1, 1500)), spoofed):
                    sender.sendto(datagram, ("127.0.0.1", port))
        if number % 10 == 0:
            time.sleep(0.02)


def memory(server: Server) -> float:
    """MiB that the server holds."""
    text = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]
