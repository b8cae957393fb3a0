"""Media of one RTMP publisher: from FLV tags to the tracks of its broadcast.

Track 0 of each kind is `video` or `audio`; others are `video2`, `audio2` and so on in the order in which they appear,
eight of a kind at most.
What can't be taken of one track is dropped and counted; a publisher is rejected only where its main track of a kind
sends nothing that can be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from server.formats import flv
from server.formats.amf0 import Value
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.ingest.rtmp_tracks import AudioTrack, MediaError, VideoTrack
from server.protocols.rtmp.message import TIMESTAMP_MASK
from server.stream.reader import AUDIO_TRACKS, VIDEO_TRACKS

# Tags of the main track in a row that can't be taken, before the publisher is told: some three seconds of pictures.
MAX_BROKEN = 100
# Sound of AC-3 is announced by a record that tells nothing, and known with its first frame: for so long, in time and
# size, pictures wait for it.
HOLD_MS = 1_000
HOLD_BYTES = 4 << 20
MAX_NAME = 100  # characters of a track's title, which ends in a playlist
MAX_LANGUAGE = 35  # what RFC 5646 4.4.1 asks implementations to take

ANNOUNCED = {"video": "videoTrackIdInfoMap", "audio": "audioTrackIdInfoMap"}  # in onMetaData (Enhanced RTMP v2)
SUPPORTED = {"video": "H.264, HEVC, AV1 or VP9", "audio": "AAC, Opus, FLAC or AC-3"}


class Rejected(Exception):
    """Nothing that this publisher sends can be taken; the text is for the broadcaster to read."""


class Sink(Protocol):
    """Where media goes: ingest.on_air.Publisher."""

    def configure(self, config: TrackConfig, track: str | None = None) -> None: ...

    def video(
        self, timestamp: int, cts: int, key: bool, data: bytes | memoryview, track: str = "video"
    ) -> None: ...

    def audio(self, timestamp: int, data: bytes | memoryview, track: str = "audio") -> None: ...


Track = TypeVar("Track", VideoTrack, AudioTrack)


class _Tracks(dict[int, tuple[str, Track]]):
    """Those of one kind, by the number in their tags."""

    def __init__(self, names: Sequence[str], make: type[Track]) -> None:
        super().__init__()
        self.kind = names[0]
        self.broken = 0  # tags of the main track in a row that could not be taken
        self._make: type[Track] = make
        self._free = list(names[:0:-1])

    def find(self, number: int) -> tuple[str, Track] | None:
        """Name and state; None where there are too many already."""
        found = self.get(number)
        if found is None and (number == 0 or self._free):
            found = self[number] = (self._free.pop() if number else self.kind), self._make()
        return found


class RtmpMedia:
    """One publisher's media. Raises Rejected, once."""

    def __init__(self, publisher: Sink) -> None:
        self.dropped = 0
        """Tags not passed on: broken ones, and of tracks that can't be taken."""
        self._publisher = publisher
        self._video: _Tracks[VideoTrack] = _Tracks(VIDEO_TRACKS, VideoTrack)
        self._audio: _Tracks[AudioTrack] = _Tracks(AUDIO_TRACKS, AudioTrack)
        self._plain_video = self._plain_audio = False  # the main track is AVC or AAC, and configured
        self._metadata: Mapping[str, Value] = {}
        self._begun = False  # a picture was passed on
        self._held: list[tuple[int, bytes]] | None = None  # pictures that wait for sound, None: they need not

    @property
    def metadata_sent(self) -> Mapping[str, Value]:
        return self._metadata

    def metadata(self, properties: Mapping[str, Value]) -> None:
        """onMetaData: of use for the names of tracks only."""
        self._metadata = properties

    def video(self, timestamp_ms: int, payload: bytes) -> None:
        if self._held is not None:
            self._hold(self._held, timestamp_ms, payload)
            return
        try:
            tags = flv.parse_video(payload)
        except flv.FlvError as error:
            self._drop(self._video, 0, str(error))
            return
        if self._plain_video and tags.__class__ is flv.VideoFrame:
            self._publisher.video(timestamp_ms, tags.cts_ms, tags.key, tags.data)
            self._begun = True
            self._video.broken = 0
            return
        for tag in tags if isinstance(tags, list) else [tags]:
            try:
                self._take_video(timestamp_ms, tag)
            except MediaError as error:
                self._drop(self._video, tag.track, str(error))

    def audio(self, timestamp_ms: int, payload: bytes) -> None:
        try:
            tags = flv.parse_audio(payload)
        except flv.FlvError as error:
            self._drop(self._audio, 0, str(error))
            return
        if self._plain_audio and tags.__class__ is flv.AudioFrame:
            self._publisher.audio(timestamp_ms, tags.data)
            self._audio.broken = 0
            return
        for tag in tags if isinstance(tags, list) else [tags]:
            try:
                self._take_audio(timestamp_ms, tag)
            except MediaError as error:
                self._drop(self._audio, tag.track, str(error))

    def _take_video(self, timestamp_ms: int, tag: flv.VideoTag) -> None:
        name, track = self._found(self._video, tag)
        if isinstance(tag, flv.VideoFrame):
            if config := track.changed_by(tag):
                self._configure(name, config, tag.track)
            if track.config is None or track.codec != tag.codec:
                raise MediaError("pictures come without a decoder configuration")
            self._publisher.video(timestamp_ms, tag.cts_ms, tag.key, track.data(tag), name)
            self._begun = True
            self._good(self._video, tag.track)
        elif isinstance(tag, flv.VideoConfigRecord):
            self._plain_video = self._plain_video and tag.track != 0
            if config := track.configure(tag):
                self._configure(name, config, tag.track)
            self._plain_video = self._plain_video or (tag.track == 0 and track.plain)

    def _take_audio(self, timestamp_ms: int, tag: flv.AudioTag) -> None:
        name, track = self._found(self._audio, tag)
        if isinstance(tag, flv.AudioFrame):
            if config := track.changed_by(tag):
                self._configure(name, config, tag.track)
            if track.config is None or track.codec != tag.codec:
                raise MediaError("sound comes without a decoder configuration")
            self._publisher.audio(timestamp_ms, tag.data, name)
            self._good(self._audio, tag.track)
            self._release()
        elif isinstance(tag, flv.AudioConfigRecord):
            self._plain_audio = self._plain_audio and tag.track != 0
            if config := track.configure(tag):
                self._configure(name, config, tag.track)
            elif not self._begun and self._held is None:
                self._held = []
            self._plain_audio = self._plain_audio or (tag.track == 0 and track.plain)

    # --- pictures that wait: what is there before the first picture, players are told of from the beginning

    def _hold(self, held: list[tuple[int, bytes]], timestamp_ms: int, payload: bytes) -> None:
        held.append((timestamp_ms, payload))
        span_ms = (timestamp_ms - held[0][0]) & TIMESTAMP_MASK
        if span_ms > HOLD_MS or sum(len(tag) for _, tag in held) > HOLD_BYTES:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        for timestamp_ms, payload in held or ():
            self.video(timestamp_ms, payload)

    def _found(self, tracks: _Tracks[Track], tag: flv.VideoTag | flv.AudioTag) -> tuple[str, Track]:
        if isinstance(tag, flv.Unsupported):
            if tag.track == 0:
                raise Rejected(f"{tracks.kind} codec {tag.codec} is not supported; send {SUPPORTED[tracks.kind]}")
            raise MediaError(f"codec {tag.codec} is not supported")
        found = tracks.find(tag.track)
        if found is None:
            raise MediaError(f"more than {len(tracks)} tracks")
        return found

    def _configure(self, name: str, config: VideoConfig | AudioConfig, number: int) -> None:
        language, title = self._names(config.kind, number)
        if language or title:
            config = replace(config, language=language, title=title)
        self._publisher.configure(config, name)

    def _names(self, kind: str, number: int) -> tuple[str, str]:
        """Language and title of a track, where the encoder sent them."""
        announced = self._metadata.get(ANNOUNCED[kind])
        found = announced.get(str(number)) if isinstance(announced, Mapping) else None
        if not isinstance(found, Mapping):
            return "", ""
        return _text(found, MAX_LANGUAGE, "language", "lang"), _text(found, MAX_NAME, "title", "name", "label")

    def _good(self, tracks: _Tracks[Track], number: int) -> None:
        if number == 0:
            tracks.broken = 0

    def _drop(self, tracks: _Tracks[Track], number: int, reason: str) -> None:
        self.dropped += 1
        if number:
            return
        tracks.broken += 1
        if tracks.broken == MAX_BROKEN:
            raise Rejected(f"the media is malformed: {reason}")


def _text(found: Mapping[str, Value], longest: int, *names: str) -> str:
    """The first of these properties that is text, in printable characters."""
    for name in names:
        value = found.get(name)
        if isinstance(value, str) and value:
            return "".join(character for character in value if character.isprintable())[:longest]
    return ""
