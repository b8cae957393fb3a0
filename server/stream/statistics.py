"""What has come in, counted."""

from dataclasses import dataclass

RATE_PERIOD_MS = 2_000  # frame and bit rates are measured over


@dataclass(slots=True)
class Statistics:
    """Counts since the broadcast began in this process; times are the wall clock's milliseconds."""

    video_frames: int = 0
    audio_frames: int = 0
    bytes: int = 0
    last_video_ms: int = 0
    last_audio_ms: int = 0
    frame_rate: float = 0.0  # pictures a second and bits a second of the last RATE_PERIOD_MS
    bitrate: int = 0
    dropped: int = 0  # samples before a configuration or key frame, strays
    late_audio: int = 0  # frames left out because their time had passed
    silent_frames: int = 0
    stand_ins: int = 0  # times that a key frame was shown again because no pictures came
    generations: int = 0
    _since_ms: int = 0
    _since_frames: int = 0
    _since_bytes: int = 0

    def count(self, size: int, now_ms: int) -> None:
        """A sample came in."""
        self.bytes += size
        if now_ms - self._since_ms >= RATE_PERIOD_MS:
            self._measure(now_ms)

    def _measure(self, now_ms: int) -> None:
        elapsed_ms = now_ms - self._since_ms
        if self._since_ms and elapsed_ms < 5 * RATE_PERIOD_MS:  # longer: nothing came, so there is no rate
            self.frame_rate = (self.video_frames - self._since_frames) * 1000 / elapsed_ms
            self.bitrate = (self.bytes - self._since_bytes) * 8000 // elapsed_ms
        self._since_ms, self._since_frames, self._since_bytes = now_ms, self.video_frames, self.bytes
