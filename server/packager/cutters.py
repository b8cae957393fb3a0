"""What cuts each track of a broadcast: segmenters and followers, by the part targets that its playlists declare."""

from server.formats.sample import AudioConfig
from server.packager.followers import AudioFollower, TimedAudioFollower, VideoFollower
from server.packager.latency import LiveSettings
from server.packager.part_target import PartTarget, audio_part_target
from server.packager.rendition import Rendition
from server.packager.renditions import Renditions
from server.packager.segmenter import AudioSegmenter, Lengths, TimedAudioSegmenter, VideoSegmenter
from server.packager.track import Segmenter, Track, is_timed, usual_frame


class Cutters:
    """A part target never changes within a playlist, whatever generations bring."""

    def __init__(self, settings: LiveSettings, renditions: Renditions) -> None:
        self._settings = settings
        self._renditions = renditions
        # of pictures, by rendition, in force since its first part; with the timescale that it is told in, as a later
        # generation may have another one
        self._targets: dict[str, tuple[PartTarget, int]] = {}

    def segmenter(self, track: Track) -> Segmenter:
        """What decides for all the others where segments end."""
        config = track.config
        lengths = self._lengths(config.timescale)
        if not isinstance(config, AudioConfig):
            return VideoSegmenter(config.timescale, lengths, self._picture_target(track))
        made = TimedAudioSegmenter if is_timed(config) else AudioSegmenter
        return made(usual_frame(config), lengths, self._audio_target(track.name, config, lengths.part))

    def video_follower(self, track: Track) -> VideoFollower:
        timescale = track.config.timescale
        return VideoFollower(timescale, self._lengths(timescale), self._picture_target(track))

    def audio_follower(self, track: Track, config: AudioConfig, master: Track) -> AudioFollower | TimedAudioFollower:
        lengths = self._lengths(config.timescale)
        wanted = lengths.part
        if master.part_target is not None:
            wanted = master.part_target.nominal * config.timescale // master.config.timescale
        made = TimedAudioFollower if is_timed(config) else AudioFollower
        return made(usual_frame(config), lengths, self._audio_target(track.name, config, wanted))

    def keep_target(self, track: Track) -> None:
        """The first part of pictures says what the target is."""
        if track.part_target is not None and track.config.kind == "video":
            self._targets.setdefault(track.name, (track.part_target, track.config.timescale))

    def restore_target(self, rendition: Rendition) -> None:
        track, longest_s = rendition.track, rendition.window.part_target_s
        if track is not None and track.kind == "video" and longest_s:
            longest = round(longest_s * track.timescale)
            target = PartTarget(min(self._lengths(track.timescale).part, longest), longest)
            self._targets[rendition.name] = target, track.timescale

    def _picture_target(self, track: Track) -> PartTarget | None:
        """That of the playlist if there is one, in the track's own ticks."""
        if (known := self._targets.get(track.name)) is None:
            return None
        target, timescale = known
        return target.at(timescale, track.config.timescale)

    def _lengths(self, timescale: int) -> Lengths:
        settings = self._settings
        return Lengths.of(timescale, settings.mode.part_s, settings.segment_s, settings.target_duration_s)

    def _audio_target(self, name: str, config: AudioConfig, wanted: int) -> PartTarget:
        """That of the playlist if there is one; in whole frames of this configuration."""
        frame = usual_frame(config)
        target = audio_part_target(wanted, frame)
        rendition = self._renditions.get(name)
        published_s = rendition.window.part_target_s if rendition else None
        if published_s is None:
            return target
        longest = max(1, int(published_s * config.timescale + 0.5) // frame) * frame
        return PartTarget(min(target.nominal, longest), longest)
