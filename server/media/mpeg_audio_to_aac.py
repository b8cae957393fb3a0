"""MP2 and MP3 to AAC: browsers do not play them in MP4, and broadcasters' encoders send them."""

from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.error import FFmpegError

from server.formats import aac
from server.formats.mpegts import CLOCK, WRAP
from server.formats.sample import AudioConfig
from server.media import units
from server.media.mpegts_sounds import Sound

BITS_A_CHANNEL = 80_000  # a second: AAC-LC is transparent enough from here on for what MP2 leaves of sound
FRAME = 1024
PRIMING = 1024  # samples that the encoder puts before the first one
MAX_DRIFT = CLOCK // 10  # ticks between the timestamps and the count of samples, before the count begins anew


class TranscodingError(ValueError):
    """libav does not take the sound."""


class ToAac:
    """One track. Runs in the thread of its caller; a frame costs some 150 µs.

    Samples are only regrouped, never resampled: each resampler is a filter graph with threads of its own, for which the
    caller waits where the machine is busy. The encoder has one already.
    """

    def __init__(self) -> None:
        self.config: AudioConfig | None = None
        self._decoder = cast(AudioCodecContext, av.CodecContext.create("mp3float", "r"))
        self._decoder.thread_count = 1
        self._opened: tuple[AudioFifo, AudioCodecContext] | None = None
        self._rate = self._channels = 0
        self._base = 0  # timestamp of the first sample
        self._taken = self._made = 0  # samples since then, decoded and encoded

    def read(self, sound: Sound) -> list[Sound]:
        """AAC frames that this frame completes. Raises TranscodingError."""
        try:
            return self._read(sound)
        except (FFmpegError, ValueError) as error:
            raise TranscodingError(f"{type(error).__name__}: {error}") from None

    def _read(self, sound: Sound) -> list[Sound]:
        found: list[Sound] = []
        for frame in self._decoder.decode(units.packet(sound.data)):
            opened, shape = self._opened, (frame.sample_rate, frame.layout.nb_channels)
            if opened is None or shape != (self._rate, self._channels):
                opened = self._open(*shape, sound.timestamp)
            self._follow(sound.timestamp)
            self._taken += frame.samples
            frame.pts = None
            pieces, encoder = opened
            pieces.write(frame)
            for piece in pieces.read_many(FRAME):
                piece.pts = None
                found += [self._sound(bytes(packet)) for packet in encoder.encode(piece)]
        return found

    def _open(self, rate: int, channels: int, timestamp: int) -> tuple[AudioFifo, AudioCodecContext]:
        layout = "mono" if channels == 1 else "stereo"
        encoder: AudioCodecContext = av.CodecContext.create("aac", "w")
        encoder.sample_rate = rate
        encoder.layout = layout
        encoder.format = "fltp"
        encoder.bit_rate = BITS_A_CHANNEL * (1 if channels == 1 else 2)
        encoder.thread_count = 1
        encoder.open()
        self._rate, self._channels = rate, channels
        self._opened = AudioFifo(), encoder
        self.config = aac.audio_config(bytes(encoder.extradata or b""))
        self._base, self._taken, self._made = timestamp, 0, 0
        return self._opened

    def _follow(self, timestamp: int) -> None:
        """Timestamps rule where they part from the count for good."""
        drift = (timestamp - self._base - self._taken * CLOCK // self._rate + (WRAP >> 1)) % WRAP - (WRAP >> 1)
        if abs(drift) > MAX_DRIFT:
            self._base += drift

    def _sound(self, data: bytes) -> Sound:
        at = self._base + (self._made - PRIMING) * CLOCK // self._rate
        self._made += FRAME
        return Sound(at % WRAP, data)
