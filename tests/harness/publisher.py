"""Real publishers: ffmpeg in real time, as an encoder sends."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Publisher:
    """An ffmpeg that publishes a file to an RTMP or SRT URL in real time."""

    def __init__(self, source: Path, url: str, *options: str, loop: bool = True, program: str = "ffmpeg") -> None:
        container = "mpegts" if url.startswith("srt:") else "flv"
        self.process = subprocess.Popen(
            [program, "-nostdin", "-hide_banner", "-loglevel", "warning", "-re",
             *(["-stream_loop", "-1"] if loop else []), "-i", str(source),
             *(options or ("-c", "copy")), "-f", container, url],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def kill(self) -> None:
        """As a crash of the encoder: the connection breaks without a word."""
        self.process.kill()
        self._close()

    def stop(self) -> None:
        """As a click on Stop: FCUnpublish and deleteStream are sent."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self._close()

    def wait(self, timeout_s: float = 90) -> tuple[int, str]:
        """The exit status of a publisher that ends by itself, and what it said."""
        _, said = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, said

    def _close(self) -> None:
        try:
            self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate(timeout=60)


@contextmanager
def publishing(source: Path, url: str, *options: str, **more: Any) -> Iterator[Publisher]:
    publisher = Publisher(source, url, *options, **more)
    try:
        yield publisher
    finally:
        publisher.stop()
