"""A track of one generation on its way into its rendition."""

from dataclasses import dataclass, field

from server.formats.sample import AudioConfig, Sample, TrackConfig
from server.packager.followers import Follower
from server.packager.part_target import PartTarget
from server.packager.segmenter import AudioSegmenter, Cut, TimedAudioSegmenter, VideoSegmenter
from server.storage.journal import TrackEntry

USUAL_RATES = (15.0, 20.0, 24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 120.0)  # pictures a second
RATE_ERROR = 0.005  # of a first part; 29.97 counts as 30, which is what it says only roughly

USUAL_FRAME_MS = 20  # where a configuration does not tell how long its frames are
TIMED_CODECS = frozenset({"Opus", "fLaC"})  # frames need not be as long as the one before

Segmenter = VideoSegmenter | AudioSegmenter | TimedAudioSegmenter


@dataclass(slots=True, eq=False)
class Track:
    """Its samples wait in `early` until it is known where they are cut."""

    name: str
    config: TrackConfig
    generation: int
    in_time: bool = False  # it was there before the generation's first sample, so it begins with the first segment
    joins_at: int | None = None  # the start of the segment that is open, with which it may begin
    segmenter: Segmenter | None = None  # of the master
    follower: Follower | None = None  # of any other
    early: list[Sample] = field(default_factory=list)
    entry: TrackEntry | None = None  # from the first part on

    def may_join(self) -> bool:
        """Whether samples of the open segment have begun to come; those from before it are dropped."""
        if self.joins_at is None:
            return False
        self.early = [sample for sample in self.early if sample.dts >= self.joins_at]
        return bool(self.early)

    @property
    def part_target(self) -> PartTarget | None:
        cutter = self.segmenter or self.follower
        return cutter.part_target if cutter else None

    def describe(self, cut: Cut, epoch_ms: int) -> None:
        """Makes the entry, of the first part; `epoch_ms` is the wall clock at tick zero."""
        if self.entry is None:
            target = self.part_target
            longest = target.longest if target else 0
            rate = 0.0 if isinstance(self.config, AudioConfig) else _rate(cut, self.config.timescale)
            self.entry = TrackEntry.of(self.config, self.generation, epoch_ms, longest, rate)


def is_timed(config: AudioConfig) -> bool:
    """Whether only the next frame tells how long one is."""
    return not config.frame_length or config.codec in TIMED_CODECS


def usual_frame(config: AudioConfig) -> int:
    return config.frame_length or config.timescale * USUAL_FRAME_MS // 1000


def _rate(cut: Cut, timescale: int) -> float:
    samples = cut.samples
    return usual_rate(len(samples) * timescale / (cut.end - samples[0].dts)) if samples else 0.0


def usual_rate(measured: float) -> float:
    """The rate that was meant: timestamps in milliseconds make 30.03 of 30 over the first part."""
    nearest = min(USUAL_RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) <= nearest * RATE_ERROR else measured
