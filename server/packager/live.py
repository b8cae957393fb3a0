"""A live broadcast: samples of its tracks in, renditions with windows and playlists out.

One track is the master, `video` where there is any. It decides where segments end; the others follow, or have a gap
where they have nothing, so that all renditions have the same media sequence numbers and discontinuities. Tracks that
the publisher sends come along with the master. Renditions that are made of them (`720p`) come later, each at its own
pace; what of them is not there in time is a gap too. Everything happens at once on the event loop: no queue lies
between a sample and its part.
"""

from collections.abc import Callable, Iterable, Sequence

from server.formats.sample import AudioConfig, Sample, TrackConfig, VideoConfig
from server.packager.assembly import Assembly
from server.packager.cutters import Cutters
from server.packager.dash import live_mpd
from server.packager.followers import MAX_WAITING, Follower
from server.packager.latency import LATENCY_MODES, LatencyMode, LiveSettings
from server.packager.live_master import live_master
from server.packager.rendition import Rendition
from server.packager.renditions import Renditions
from server.packager.segmenter import TARGET_SLACK_MS, Cut
from server.packager.timetable import MasterSegment
from server.packager.track import Segmenter, Track, usual_frame
from server.storage.segments import Recovered, SegmentStore
from server.stream.reader import AUDIO_TRACKS, TRACKS
from server.stream.timeline import Position

__all__ = ["LATENCY_MODES", "LatencyMode", "LivePackager", "LiveSettings"]

READY_PARTS = 3
LONGEST_GOP_S = 10.0  # target durations follow key frames no further: players stay three of them behind
PATIENCE_SEGMENTS = 3  # a rendition without a part by then is not waited for


class LivePackager:
    """A reader of a stream. `renditions` by name: "video", "audio", "audio2", "720p"."""

    def __init__(
        self,
        live_stream_id: str,
        broadcast_id: str,
        settings: LiveSettings,
        store: SegmentStore,
        on_part: Callable[[int], None] = lambda end_ms: None,
    ) -> None:
        """`on_part` is called with each part published: the wall clock at its end, milliseconds since 1970."""
        self.live_stream_id = live_stream_id
        self.broadcast_id = broadcast_id
        self.settings = settings
        self.renditions = Renditions(broadcast_id, settings, store)
        self.ended = False
        self.longest_gop_s: float | None = None  # as last seen, for the target duration of the next broadcast
        self.irregular_parts = 0
        self._generation = 0
        self._end_ms = 0  # output time that was reached before a restart
        self._breaks = 0  # discontinuities so far
        self._tracks: dict[str, Track] = {}  # the newest of each name
        self._master: Track | None = None
        self._followers: list[Track] = []  # of this generation
        self._expected: set[str] = set()
        self._cutters = Cutters(settings, self.renditions)
        self._assembly = Assembly(settings, self.renditions, self._cutters, on_part)
        self._timetable = self._assembly.timetable
        self._damaged = False  # a restart found segments missing

    # --- the reader of a stream, and of what is made of it

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        """A configuration; what joins a running generation begins with its next segment.

        Of a rendition made from the broadcast, `generation` is the one that its pictures were made from; a further
        configuration within it must be the same.
        """
        known = self._tracks.get(track)
        if track in TRACKS and generation != self._generation:
            self.flush()
            self._generation = generation
        elif known is not None and known.generation == generation and known.config == config:
            return
        elif known is not None:
            self._assembly.finish(known)
        self._tracks[track] = Track(track, config, generation)

    def anchor(self, generation: int, epoch_ms: int) -> None:
        self._generation, self._assembly.epoch_ms = generation, epoch_ms

    def write(self, track: str, sample: Sample) -> None:
        """A sample; the first of a generation says which track is its master."""
        found = self._tracks.get(track)
        if found is None:
            return
        if found.segmenter is not None:
            if cuts := found.segmenter.push(sample):
                self._cut_master(found, found.segmenter, cuts)
        elif found.follower is not None:
            if cuts := found.follower.push(sample):
                self._assembly.add(found, cuts)
        elif self._master is None and track in TRACKS:
            self._begin(found, sample)
        elif isinstance(found.config, VideoConfig):
            self._follow(found, sample)
        elif len(found.early) < MAX_WAITING:
            found.early.append(sample)

    def flush(self) -> None:
        """Closes what is open: the samples in hand become parts, the segments end.

        Of renditions made from the broadcast the rest may still come.
        """
        master = self._master
        if master is not None and master.segmenter is not None:
            cuts = master.segmenter.flush()
            self._cut_master(master, master.segmenter, cuts, final=True)
            self.irregular_parts += master.segmenter.irregular_parts
            self._flush_followers(master, cuts)
        self._timetable.cancel()
        self._master = None
        self._followers.clear()
        self._tracks = {name: track for name, track in self._tracks.items() if name not in TRACKS}
        self._assembly.align(self._tracks.values())

    def close(self) -> None:
        """Nothing will be written: what is open is closed, and the playlists stay as if more might come."""
        self.flush()
        for track in self._tracks.values():
            self._assembly.finish(track)
        self._tracks.clear()
        self.renditions.align(self.renditions.next_msn, self.renditions)

    def end(self) -> None:
        """Ends the playlists, after what is open is closed."""
        self.close()
        self.ended = True
        for rendition in self.renditions.values():
            rendition.window.end()
            rendition.window.publish()

    # --- renditions made from the broadcast

    def expect(self, names: Iterable[str]) -> None:
        """These will come: the multivariant playlist, which players read once, waits a while for them."""
        self._expected = set(names)

    def drop(self, name: str) -> None:
        """Nothing more comes of a rendition: players may not choose it, and who has it finds gaps and changes over."""
        self._expected.discard(name)
        track = self._tracks.pop(name, None)
        if track is not None:
            self._assembly.finish(track)
            self._followers = [other for other in self._followers if other is not track]
        if name in self.renditions:
            self.renditions[name].dropped = True
            self._assembly.align(self._tracks.values())

    # --- a generation

    def _begin(self, master: Track, sample: Sample) -> None:
        """The first sample of a generation: its track decides where segments end."""
        if self.renditions.started:
            self._breaks += 1
        self._master = master
        for track in self._tracks.values():
            track.in_time = track.generation == self._generation
        rendition = self.renditions.get(master.name)
        if rendition is None:
            rendition = self.renditions.make(master.name, self.renditions.next_msn, self._breaks)
        master.segmenter = self._cutters.segmenter(master)
        self._begin_segment(master, sample.dts)
        master.segmenter.push(sample)

    def _begin_segment(self, master: Track, start: int) -> None:
        msn = self.renditions[master.name].window.next_msn
        self._timetable.begin(
            MasterSegment(msn, self._generation, self._breaks, master.config.timescale, self._assembly.epoch_ms, start)
        )

    # --- cuts

    def _cut_master(self, master: Track, segmenter: Segmenter, cuts: Sequence[Cut], *, final: bool = False) -> None:
        """Adds parts of the master and lets the others be cut where they were.

        The final cut leaves that to the flush of those that come along.
        """
        for cut in cuts:
            self._join(master, None)
            self._assembly.add(master, (cut,))
            if cut.last:
                self._timetable.close(cut.end)
            for track in self._followers:
                if track.follower is not None and not (final and track.name in TRACKS):
                    at = cut.end * track.config.timescale // master.config.timescale
                    if final:  # its pictures may be shown later than the master's last one is decoded
                        at += TARGET_SLACK_MS * track.config.timescale // 1000
                    self._assembly.add(track, track.follower.cut(at, cut.last))
            if cut.last and not final:
                self._begin_segment(master, cut.end)
                self._join(master, cut.end)
                self._assembly.wait_no_more(self._tracks.values())
                self._assembly.align(self._tracks.values())
        if segmenter.longest_gop:
            self.longest_gop_s = min(LONGEST_GOP_S, segmenter.longest_gop / master.config.timescale)

    def _join(self, master: Track, after: int | None) -> None:
        """Sound follows the master from now on: what was there in time all of it, or else what comes `after` a cut.

        Its first frame behind the cut may come only when the segment's first part is done.
        """
        for track in self._tracks.values():
            config = track.config
            if track.segmenter or track.follower or not isinstance(config, AudioConfig):
                continue
            if after is None and (track.in_time or track.may_join()):
                self._follow_with_sound(master, track, config)
            elif after is not None:
                start = after * config.timescale // master.config.timescale - usual_frame(config) // 2
                track.early = [sample for sample in track.early if sample.dts >= start]
                track.joins_at = start
                if track.early:
                    self._follow_with_sound(master, track, config)

    def _follow_with_sound(self, master: Track, track: Track, config: AudioConfig) -> None:
        follower = self._cutters.audio_follower(track, config, master)
        if track.name not in self.renditions:
            self.renditions.make(track.name, self.renditions[master.name].window.next_msn, self._breaks)
        self._attach(track, follower)
        early, track.early = track.early, []
        for sample in early:
            self._assembly.add(track, follower.push(sample))

    def _attach(self, track: Track, follower: Follower) -> None:
        track.follower = follower
        if track.generation == self._generation and self._master is not None:
            self._followers.append(track)

    def _follow(self, track: Track, sample: Sample) -> None:
        """Pictures follow the master, from a key frame on, which says what segment they are at."""
        timescale = track.config.timescale
        segments = self._timetable.since(track.generation, sample.pts + timescale // 100, timescale)
        if not segments or not sample.key:
            return
        first, rendition = segments[0], self.renditions.get(track.name)
        if rendition is None:
            rendition = self.renditions.make(track.name, first.msn, first.discontinuities)
        self.renditions.fill(rendition, first.msn, timescale)
        if rendition.window.next_msn != first.msn:  # the segment has become a gap already
            return
        follower = self._cutters.video_follower(track)
        self._attach(track, follower)
        for segment in segments:
            if segment.end is not None:
                follower.cut(segment.ticks(segment.end, timescale), last=True)
        self._assembly.add(track, follower.push(sample))

    def _flush_followers(self, master: Track, cuts: Sequence[Cut]) -> None:
        for track in self._followers:
            follower = track.follower
            if follower is None or track.name not in TRACKS:
                continue
            if cuts:
                end = cuts[-1].end * track.config.timescale // master.config.timescale
                self._assembly.add(track, follower.flush(end))
            else:
                self._assembly.finish(track)

    # --- what viewers are told

    @property
    def low_latency(self) -> bool:
        return self.settings.mode.part_hold_back_s is not None

    def is_ready(self, *, low_latency: bool = True) -> bool:
        """Whether a player can start: with three parts of every rendition, or for plain HLS a whole segment."""
        listed = self.renditions.listed
        if any(len(rendition.window.closed) >= PATIENCE_SEGMENTS for rendition in listed):
            return True
        awaited = self._expected | {name for name in AUDIO_TRACKS if name in self._tracks}
        if not listed or not awaited <= self.renditions.keys():
            return False
        awaited |= self.renditions.keys() & TRACKS
        return all(self._can_start(self.renditions[name], low_latency) for name in awaited)

    def _can_start(self, rendition: Rendition, low_latency: bool) -> bool:
        parts = low_latency and self.low_latency
        return bool(rendition.window.closed) or (parts and rendition.window.part_count >= READY_PARTS)

    def master(
        self, *, low_latency: bool = True, name: str | None = None, most: int | None = None
    ) -> str | None:
        """The multivariant playlist, relative to the folder above the live stream's; None until a player can start.

        `name` is what the URL calls the live stream. Pictures of more than `most` lines are left out; raises
        NoQualityError where that leaves none.
        """
        if not self.is_ready(low_latency=low_latency):
            return None
        listed = [each for each in self.renditions.listed if each.name in TRACKS or self._can_start(each, low_latency)]
        return live_master(listed, f"{name or self.live_stream_id}/{self.broadcast_id}", most)

    def mpd(self, now_ms: int, *, name: str | None = None, most: int | None = None) -> str | None:
        """The DASH manifest; all else as `master`."""
        listed = [each for each in self.renditions.listed if each.window.started]
        if not self.is_ready() or not listed:
            return None
        base = f"{name or self.live_stream_id}/{self.broadcast_id}/"
        return live_mpd(listed, self.settings, base, now_ms, most)

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
            self.renditions.restore(name, rendition, reference)
            self._cutters.restore_target(self.renditions[name])
        self._damaged = any(rendition.damaged for rendition in found.values())
        self._breaks = sum(entry.discontinuity for entry in reference.segments)
        self._generation = max(entry.generation for entry in reference.segments)
        self._end_ms = max(rendition.end_ms for rendition in found.values())
        tracks = [track for rendition in found.values() for track in rendition.tracks.values()]
        newest = max(tracks, key=lambda track: track.generation, default=None)
        if newest is not None:
            self._generation = max(self._generation, newest.generation)
            self._assembly.epoch_ms = newest.epoch_ms
            last = reference.segments[-1]
            if last.generation == newest.generation:  # the publisher's clock may have drifted since it began
                self._assembly.epoch_ms = last.wall_ms - last.start * 1000 // last.timescale
        self.renditions.align(self.renditions.next_msn, self.renditions)

    @property
    def position(self) -> Position:
        """Where the broadcast stood before the restart, for the stream to go on from."""
        return Position(self._generation, self._end_ms, self._assembly.epoch_ms)
