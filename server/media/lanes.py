"""One thread for each encoder: pictures in, coded pictures out. Runs in children only: it imports av."""

import queue
import threading
from collections.abc import Callable

from av.error import FFmpegError
from av.video.frame import VideoFrame

from server.media.codings import SOFTWARE
from server.media.encoders import SOFTWARE_ENCODERS, Coded, Encoder, EncoderError, Look, Settings
from server.media.ladder import Rung

DEPTH = 4  # pictures that wait for their encoder; each is up to three megabytes
WAIT_S = 0.2  # how often who waits looks whether the rendition was given up
CHANGE = 1.25  # the ceiling is moved when the new one is so many times the old one, or so many times smaller

OnOpen = Callable[[bytes], None]  # avcC
OnCoded = Callable[[Coded], None]
OnFailure = Callable[[str], None]


class Lane:
    """A rendition being made. The callbacks come on its thread; `put` and `finish` belong to one other thread."""

    def __init__(
        self,
        rung: Rung,
        encoder: str,
        settings: Settings,
        start: int,
        on_open: OnOpen,
        on_coded: OnCoded,
        on_failure: OnFailure,
    ) -> None:
        """`start`: before it nothing is expected, in the source's ticks."""
        self.rung = rung
        self.done = start  # presentation time of the last picture that came out
        self.active = True
        self._name = encoder
        self._settings = settings
        self._on_open, self._on_coded, self._on_failure = on_open, on_coded, on_failure
        self._pictures: queue.Queue[tuple[VideoFrame, bool, int] | None] = queue.Queue(DEPTH)
        self._encoder: Encoder | None = None
        self._since_key = 0
        self._thread = threading.Thread(target=self._run, name=f"encode {rung.name}", daemon=True)
        self._thread.start()

    def takes(self, key: bool) -> bool:
        """Whether the next picture of the source is one of this rendition's; asked once for each."""
        self._since_key = 0 if key else self._since_key + 1
        return self._since_key % self.rung.divisor == 0

    def put(self, frame: VideoFrame, key: bool, bitrate: int) -> None:
        """A picture of the rendition's size; with a key frame the ceiling may be moved to `bitrate`."""
        self._offer((frame, key, bitrate))

    def finish(self) -> None:
        """Waits until all that was put has come out."""
        self._offer(None)
        while self._thread.is_alive() and self.active:
            self._thread.join(WAIT_S)

    def give_up(self) -> None:
        """Nothing comes out any more; from whatever thread."""
        self.active = False

    def _offer(self, item: tuple[VideoFrame, bool, int] | None) -> None:
        while self.active:
            try:
                self._pictures.put(item, timeout=WAIT_S)
                return
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            while self.active:
                try:
                    item = self._pictures.get(timeout=WAIT_S)
                except queue.Empty:
                    continue
                if item is None:
                    self._end()
                    return
                self._encode(*item)
        except Exception as error:  # whatever it is: another thread waits for this one
            if self.active:
                self.active = False
                expected = isinstance(error, (ValueError, FFmpegError))  # an EncoderError, or nothing that is described
                self._on_failure(str(error) if expected else f"{type(error).__name__}: {error}")

    def _encode(self, frame: VideoFrame, key: bool, bitrate: int) -> None:
        encoder = self._encoder
        if encoder is None:
            encoder = self._encoder = self._open(frame, bitrate)
            self._on_open(encoder.record)
        elif key and not 1 / CHANGE < bitrate / encoder.bitrate < CHANGE:
            encoder = self._encoder = self._moved(encoder, frame, bitrate)
        for coded in encoder.encode(frame, key):
            self._came(coded)

    def _open(self, frame: VideoFrame, bitrate: int) -> Encoder:
        """Where hardware has no place left (drivers limit the encoders at once), the processor takes over."""
        look = self._settings.look or Look.of(frame)
        try:
            return Encoder(self._name, self.rung, bitrate, self._settings, look)
        except EncoderError:
            if self._name in SOFTWARE_ENCODERS:
                raise
            self._name = SOFTWARE
            return Encoder(SOFTWARE, self.rung, bitrate, self._settings, look)

    def _moved(self, old: Encoder, frame: VideoFrame, bitrate: int) -> Encoder:
        """An encoder with another ceiling, from a key frame on; none where viewers would have to be told."""
        new = Encoder(old.name, self.rung, bitrate, self._settings, Look.of(frame))
        if new.record != old.record:
            old.bitrate = bitrate  # not tried again until it changes once more
            return old
        for coded in old.finish():
            self._came(coded)
        return new

    def _end(self) -> None:
        if self._encoder is not None:
            for coded in self._encoder.finish():
                self._came(coded)

    def _came(self, coded: Coded) -> None:
        if self.active:
            self._on_coded(coded)
            self.done = coded.pts
