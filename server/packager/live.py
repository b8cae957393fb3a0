"""A live broadcast: samples of its tracks in, renditions with windows and playlists out.

One track is the master, video where there is any. It decides where segments end; the other follows, or has a gap
where it has nothing, so that all renditions have the same media sequence numbers and discontinuities. Everything
happens at once on the event loop: no queue lies between a sample and its part.
"""

from collections.abc import Callable, Sequence

from server.formats.m3u8.media import RenditionReport
from server.formats.sample import AudioConfig, Sample, TrackConfig
from server.packager.latency import LATENCY_MODES, LatencyMode, LiveSettings
from server.packager.live_master import live_master
from server.packager.part_target import PartTarget, audio_part_target
from server.packager.rendition import Rendition
from server.packager.segmenter import AudioFollower, AudioSegmenter, Cut, Lengths, VideoSegmenter
from server.packager.window import Window
from server.storage.journal import SegmentEntry, TrackEntry
from server.storage.segments import Recovered, RecoveredRendition, SegmentStore
from server.stream.timeline import Position

__all__ = ["LATENCY_MODES", "LatencyMode", "LivePackager", "LiveSettings"]

READY_PARTS = 3
USUAL_RATES = (15.0, 20.0, 24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 120.0)  # pictures a second
RATE_ERROR = 0.005  # of a first part; 29.97 counts as 30, which is what it says only roughly
LONGEST_GOP_S = 10.0  # target durations follow key frames no further: players stay three of them behind
PATIENCE_SEGMENTS = 3  # a rendition without a part by then is not waited for


class LivePackager:
    """A reader of a stream. `renditions` by name: "video", "audio"."""

    def __init__(
        self,
        live_stream_id: str,
        broadcast_id: str,
        settings: LiveSettings,
        store: SegmentStore,
        on_part: Callable[[int], None] = lambda end_ms: None,
    ) -> None:
        """`on_part` is called with each part published: the wall clock at its end, milliseconds since 1970."""
        self._on_part = on_part
        self.live_stream_id = live_stream_id
        self.broadcast_id = broadcast_id
        self.settings = settings
        self.renditions: dict[str, Rendition] = {}
        self.ended = False
        self.longest_gop_s: float | None = None  # as last seen, for the target duration of the next broadcast
        self.irregular_parts = 0
        self._store = store
        self._generation = 0
        self._epoch_ms = 0
        self._end_ms = 0  # output time that was reached before a restart
        self._breaks = 0  # discontinuities so far
        self._configs: dict[str, TrackConfig] = {}
        self._tracks: dict[str, TrackEntry] = {}  # of this generation
        self._master: VideoSegmenter | AudioSegmenter | None = None
        self._follower: AudioFollower | None = None
        self._early: list[Sample] = []  # sound before its follower begins
        self._in_time = False  # sound was configured before the generation began, and so begins with it
        self._video_target: PartTarget | None = None  # in force since the first part
        self._damaged = False  # a restart found segments missing

    # --- the reader of a stream

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        """A configuration; sound that joins a running generation begins with its next segment."""
        if generation != self._generation:
            self.flush()
            self._generation = generation
        self._configs[track] = config

    def anchor(self, generation: int, epoch_ms: int) -> None:
        self._generation, self._epoch_ms = generation, epoch_ms

    def write(self, track: str, sample: Sample) -> None:
        """A sample; the first of a generation says which track is its master."""
        if track not in ("video", "audio"):
            return
        master = self._master or self._begin(track)
        if track == "video":
            if isinstance(master, VideoSegmenter) and (cuts := master.push(sample)):
                self._cut_video(master, cuts)
        elif isinstance(master, AudioSegmenter):
            if cuts := master.push(sample):
                self._cut_audio(cuts)
        elif self._follower is None:
            self._early.append(sample)
        elif cuts := self._follower.push(sample):
            self._add("audio", cuts)

    def flush(self) -> None:
        """Closes what is open: the samples in hand become parts, the segments end."""
        master = self._master
        if isinstance(master, VideoSegmenter):
            cuts = master.flush()
            self._cut_video(master, cuts, final=True)
            self.irregular_parts += master.irregular_parts
            if self._follower is not None and cuts:
                self._add("audio", self._follower.flush(self._audio_ticks(self.renditions["video"], cuts[-1].end)))
        elif isinstance(master, AudioSegmenter):
            self._cut_audio(master.flush())
        self._align()
        self._master = self._follower = None
        self._early.clear()
        self._configs.clear()
        self._tracks.clear()

    def end(self) -> None:
        """Ends the playlists, after what is open is closed."""
        self.flush()
        self.ended = True
        for rendition in self.renditions.values():
            rendition.window.end()
            rendition.window.publish()

    # --- a generation

    def _begin(self, kind: str) -> VideoSegmenter | AudioSegmenter:
        if any(rendition.window.started for rendition in self.renditions.values()):
            self._breaks += 1
        config = self._configs[kind]
        self._in_time = kind == "video" and "audio" in self._configs
        self._rendition(kind)
        lengths = self._lengths(config.timescale)
        if isinstance(config, AudioConfig):
            self._master = AudioSegmenter(config.frame_length, lengths, self._audio_target(config, lengths.part))
        else:
            self._master = VideoSegmenter(config.timescale, lengths, self._video_target)
        return self._master

    def _lengths(self, timescale: int) -> Lengths:
        settings = self.settings
        return Lengths.of(timescale, settings.mode.part_s, settings.segment_s, settings.target_duration_s)

    def _audio_target(self, config: AudioConfig, wanted: int) -> PartTarget:
        """That of the playlist if there is one, which may not change; in whole frames of this configuration."""
        target = audio_part_target(wanted, config.frame_length)
        rendition = self.renditions.get("audio")
        published_s = rendition.window.part_target_s if rendition else None
        if published_s is None:
            return target
        longest = max(1, int(published_s * config.timescale + 0.5) // config.frame_length) * config.frame_length
        return PartTarget(min(target.nominal, longest), longest)

    def _rendition(self, name: str) -> Rendition:
        """The rendition; a new one begins with the segment that the others are at."""
        rendition = self.renditions.get(name)
        if rendition is None:
            numbers = [other.window.next_msn for other in self.renditions.values()]
            rendition = self.renditions[name] = self._make_rendition(name, max(numbers, default=0), self._breaks)
        return rendition

    def _make_rendition(self, name: str, first_msn: int, discontinuity_sequence: int) -> Rendition:
        settings = self.settings
        window = Window(
            settings.target_duration_s,
            settings.dvr_window_s,
            low_latency=settings.mode.part_hold_back_s is not None,
            first_msn=first_msn,
            discontinuity_sequence=discontinuity_sequence,
        )
        writer = self._store.rendition(self.broadcast_id, name)
        return Rendition(name, window, settings.mode.part_hold_back_s, writer, lambda: self._reports(name))

    def _reports(self, name: str) -> Sequence[RenditionReport]:
        others = (rendition.report() for rendition in self.renditions.values() if rendition.name != name)
        return [report for report in others if report is not None]

    # --- cuts

    def _cut_video(self, master: VideoSegmenter, cuts: Sequence[Cut], *, final: bool = False) -> None:
        """Adds pictures and lets sound be cut where they were; the final cut leaves that to the follower's flush."""
        self._video_target = master.part_target
        video = self.renditions["video"]
        for cut in cuts:
            if self._in_time and self._follower is None:
                self._join(None)
            self._add("video", (cut,))
            if self._follower is not None:
                if not final:
                    self._add("audio", self._follower.cut(self._audio_ticks(video, cut.end), cut.last))
            elif cut.last:
                self._align()
                if not final:
                    self._join(cut.end)
        if master.longest_gop and video.track is not None:
            self.longest_gop_s = min(LONGEST_GOP_S, master.longest_gop / video.track.timescale)

    def _cut_audio(self, cuts: Sequence[Cut]) -> None:
        """Adds sound without pictures."""
        self._add("audio", cuts)
        if any(cut.last for cut in cuts):
            self._align()

    def _audio_ticks(self, video: Rendition, ticks: int) -> int:
        audio, track = self._configs.get("audio"), video.track
        return ticks * audio.timescale // track.timescale if audio and track else 0

    def _join(self, after: int | None) -> None:
        """Sound, if there is any, follows the pictures from now on: all of it, or what comes `after` their cut."""
        config, video = self._configs.get("audio"), self.renditions["video"]
        if not isinstance(config, AudioConfig):
            return
        early, self._early = self._early, []
        if after is not None:
            start = self._audio_ticks(video, after) - config.frame_length // 2
            early = [sample for sample in early if sample.dts >= start]
            if not early:  # nothing of it has come yet
                return
        self._rendition("audio")
        lengths = self._lengths(config.timescale)
        self._follower = AudioFollower(
            config.frame_length, lengths, self._audio_target(config, self._nominal_part(config.timescale))
        )
        for sample in early:
            self._add("audio", self._follower.push(sample))

    def _nominal_part(self, timescale: int) -> int:
        """How long the pictures' parts are, in ticks of the sound."""
        video = self._configs.get("video")
        if self._video_target is None or video is None:
            return self._lengths(timescale).part
        return self._video_target.nominal * timescale // video.timescale

    def _add(self, name: str, cuts: Sequence[Cut]) -> None:
        """Adds parts; a segment that ends without any is a gap where the master has a segment."""
        if not cuts:
            return
        rendition, closed = self.renditions[name], False
        for cut in cuts:
            entry = rendition.add(cut, self._track(name, cut))
            closed = closed or cut.last
            if cut.last and entry is None:
                self._fill(rendition, rendition.window.next_msn + 1)
        self._publish(rendition, closed)
        if rendition.track is not None:
            self._on_part(rendition.track.wall_ms(cuts[-1].end))

    def _publish(self, rendition: Rendition, closed: bool) -> None:
        if closed:
            rendition.trim(keep_files=self.settings.record)
        if closed or rendition.window.low_latency:
            rendition.window.publish()

    def _track(self, name: str, cut: Cut) -> TrackEntry:
        track = self._tracks.get(name)
        if track is None:
            config = self._configs[name]
            track = self._tracks[name] = self._make_track(config, cut)
            self.renditions[name].configure(config)
        return track

    def _make_track(self, config: TrackConfig, cut: Cut) -> TrackEntry:
        if isinstance(config, AudioConfig):
            follower = self._follower or self._master
            target = follower.part_target if follower else None
            return TrackEntry.of(config, self._generation, self._epoch_ms, target.longest if target else 0)
        target = self._video_target
        samples = cut.samples
        measured = len(samples) * config.timescale / (cut.end - samples[0].dts) if samples else 0.0
        return TrackEntry.of(
            config, self._generation, self._epoch_ms, target.longest if target else 0, usual_rate(measured)
        )

    # --- the same numbers everywhere

    def _align(self) -> None:
        """Gaps where a rendition has fewer segments than another."""
        next_msn = max((rendition.window.next_msn for rendition in self.renditions.values()), default=0)
        for rendition in self.renditions.values():
            if rendition.window.open is None and rendition.window.next_msn < next_msn:
                self._fill(rendition, next_msn)
                self._publish(rendition, closed=True)

    def _fill(self, rendition: Rendition, next_msn: int) -> None:
        while rendition.window.next_msn < next_msn:
            like = self._longest_of(rendition.window.next_msn)
            if like is None:
                return
            config = self._configs.get(rendition.name)
            timescale = rendition.track.timescale if rendition.track else config.timescale if config else like.timescale
            rendition.add_gap(like, timescale)

    def _longest_of(self, msn: int) -> SegmentEntry | None:
        segments = (rendition.window.segment(msn) for rendition in self.renditions.values())
        return max((entry for entry in segments if entry), key=lambda entry: entry.duration_s, default=None)

    # --- what viewers are told

    @property
    def low_latency(self) -> bool:
        return self.settings.mode.part_hold_back_s is not None

    def is_ready(self, *, low_latency: bool = True) -> bool:
        """Whether a player can start: with three parts of every rendition, or for plain HLS a whole segment."""
        renditions = self.renditions.values()
        if any(len(rendition.window.closed) >= PATIENCE_SEGMENTS for rendition in renditions):
            return True
        if not renditions or ("audio" in self._configs and "audio" not in self.renditions):
            return False
        parts = low_latency and self.low_latency
        return all(
            rendition.window.closed or (parts and rendition.window.part_count >= READY_PARTS)
            for rendition in renditions
        )

    def master(self, *, low_latency: bool = True) -> str | None:
        """The multivariant playlist, relative to the folder above the live stream's; None until a player can start."""
        if not self.is_ready(low_latency=low_latency):
            return None
        return live_master(self.renditions, f"{self.live_stream_id}/{self.broadcast_id}")

    @property
    def incomplete(self) -> bool:
        """Whether segments are missing on disk: the recording has gaps."""
        return self._damaged or any(rendition.incomplete for rendition in self.renditions.values())

    # --- across a restart

    def restore(self, recovered: Recovered) -> None:
        """Goes on with a broadcast as the disk has it; before anything else. The next generation is a new one."""
        found = {name: rendition for name, rendition in recovered.renditions.items() if rendition.segments}
        reference = max(found.values(), key=lambda rendition: len(rendition.segments), default=None)
        if reference is None:
            return
        for name, rendition in found.items():
            self._restore_rendition(name, rendition, reference)
        self._damaged = any(rendition.damaged for rendition in found.values())
        self._breaks = sum(entry.discontinuity for entry in reference.segments)
        self._generation = max(entry.generation for entry in reference.segments)
        self._end_ms = max(rendition.end_ms for rendition in found.values())
        tracks = [track for rendition in found.values() for track in rendition.tracks.values()]
        newest = max(tracks, key=lambda track: track.generation, default=None)
        if newest is not None:
            self._generation, self._epoch_ms = max(self._generation, newest.generation), newest.epoch_ms
        self._align()

    def _restore_rendition(self, name: str, found: RecoveredRendition, reference: RecoveredRendition) -> None:
        segments = found.segments
        shown, total_s = len(segments), 0.0
        while shown and total_s < max(self.settings.dvr_window_s, 3 * self.settings.target_duration_s):
            shown -= 1
            total_s += segments[shown].duration_s
        first = segments[0].msn
        breaks = sum(entry.discontinuity for entry in reference.segments if entry.msn <= first)
        breaks += sum(entry.discontinuity for entry in segments[:shown]) - segments[0].discontinuity
        rendition = self.renditions[name] = self._make_rendition(name, first, breaks)
        rendition.restore(segments[shown:], found.tracks, found.inits)
        video = found.tracks.get(min(found.tracks, default=0))
        if video is not None and video.kind == "video" and video.part_target:
            wanted = self._lengths(video.timescale).part
            self._video_target = PartTarget(min(wanted, video.part_target), video.part_target)

    @property
    def position(self) -> Position:
        """Where the broadcast stood before the restart, for the stream to go on from."""
        return Position(self._generation, self._end_ms, self._epoch_ms)


def usual_rate(measured: float) -> float:
    """The rate that was meant: timestamps in milliseconds make 30.03 of 30 over the first part."""
    nearest = min(USUAL_RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) <= nearest * RATE_ERROR else measured
