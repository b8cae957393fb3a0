"""Tracks as Enhanced RTMP sends them: from records and coded frames to configurations and samples' bytes.

Some codecs say in their record all that a decoder needs (AVC, HEVC, AAC), some only with their first frame (VP9,
AC-3), AV1 either way; of Opus and FLAC the first frame tells how long frames are. MediaError is all that is raised.
"""

from server.formats import aac, ac3, av1, avc, flac, hevc, opus, vp9
from server.formats.flv import AudioConfigRecord, AudioFrame, VideoConfigRecord, VideoFrame
from server.formats.hevc_sps import HevcError
from server.formats.sample import AudioConfig, VideoConfig

# So many frames of AC-3 of another kind, one after the other, are a new configuration: one alone is damaged.
MAX_ODD = 5
# Their frames need not be as long as each other: the first one gives the usual length, the timeline looks at each.
LENGTH_IN_FRAMES = ("Opus", "fLaC")


class MediaError(ValueError):
    """A record or a frame can't be taken; the text is for the broadcaster to read."""


_FAULTS = (
    avc.AvcError, HevcError, av1.Av1Error, vp9.Vp9Error, aac.AacError, opus.OpusError, flac.FlacError, ac3.Ac3Error,
)  # fmt: skip


class VideoTrack:
    """One track of pictures; `config` is what it sends now, None until that is known."""

    def __init__(self) -> None:
        self.codec = ""
        self.config: VideoConfig | None = None
        self.plain = False  # its frames can be passed on as they are, and say nothing new
        self._record = b""
        self._length_size = 4
        self._header = b""  # sequence header within the last key frame, of AV1

    def configure(self, tag: VideoConfigRecord) -> VideoConfig | None:
        """The configuration that a record makes; None where the first key frame completes it."""
        if tag.codec == self.codec and tag.record == self._record:
            return self.config  # encoders repeat themselves
        self.plain = False
        try:
            found = self._of_record(tag.codec, tag.record)
        except _FAULTS as error:
            raise MediaError(str(error)) from None
        self.codec, self._record, self._header = tag.codec, tag.record, b""
        self.config = found
        self.plain = tag.codec == "avc1" and self._length_size == 4
        return found

    def _of_record(self, codec: str, record: bytes) -> VideoConfig | None:
        match codec:
            case "avc1":
                try:
                    config = avc.video_config(record)
                except avc.AvcError as error:
                    return self._disguised(record, error)
                self._length_size = avc.AvcDecoderConfiguration.parse(record).length_size
                return config
            case "hvc1":
                config = hevc.video_config(record)
                self._length_size = hevc.HevcDecoderConfiguration.parse(record).length_size
                return config
            case "av01":
                header = av1.config_header(record)
                return av1.header_config(header) if header else None
            case _:
                vp9.VpCodecConfiguration.parse(record)
                return None

    def _disguised(self, record: bytes, error: avc.AvcError) -> VideoConfig:
        """HEVC under the number of AVC, as encoders sent it before there was one; else the error."""
        try:
            config = hevc.video_config(record)
        except HevcError:
            raise error from None
        self._length_size = hevc.HevcDecoderConfiguration.parse(record).length_size
        return config

    def changed_by(self, tag: VideoFrame) -> VideoConfig | None:
        """The new configuration that a key frame brings, if it brings one."""
        if not tag.key or tag.codec not in ("av01", "vp09"):
            return None
        try:
            found = self._of_key_frame(tag)
        except _FAULTS as error:
            raise MediaError(str(error)) from None
        if found is None or found == self.config:
            return None
        self.codec, self.config = tag.codec, found
        return found

    def _of_key_frame(self, tag: VideoFrame) -> VideoConfig | None:
        if tag.codec == "vp09":
            return vp9.video_config(tag.data, self._record if self.codec == "vp09" else None)
        header = av1.sequence_header(tag.data)
        if header is None or header == self._header:
            return None
        first, self._header = not self._header, header
        found, known = av1.header_config(header), self.config
        if known and first and (known.codec, known.width, known.height) == (found.codec, found.width, found.height):
            return None  # encoders' records differ from their streams in what no decoder minds
        return found

    def data(self, tag: VideoFrame) -> bytes | memoryview:
        """The picture as a sample has it."""
        if tag.codec == "av01":
            return av1.without_delimiters(tag.data)
        if self._length_size == 4 or tag.codec == "vp09":
            return tag.data
        try:
            return avc.four_byte_lengths(tag.data, self._length_size)
        except avc.AvcError as error:
            raise MediaError(str(error)) from None


class AudioTrack:
    """As VideoTrack, of sound."""

    def __init__(self) -> None:
        self.codec = ""
        self.config: AudioConfig | None = None
        self.plain = False
        self._record = b""
        self._shape = b""  # of the last frame
        self._odd = 0

    def configure(self, tag: AudioConfigRecord) -> AudioConfig | None:
        """The configuration that a record makes, with a guess at the length of frames; None where it says nothing."""
        if tag.codec == self.codec and tag.record == self._record:
            return self.config
        self.plain = False
        try:
            found, record = _of_audio_record(tag.codec, tag.record)
        except _FAULTS as error:
            raise MediaError(str(error)) from None
        if tag.codec == self.codec and record == self._record:
            return self.config
        self.codec, self._record, self._shape = tag.codec, record, b""
        self.config = found
        self.plain = tag.codec == "mp4a"
        return found

    def changed_by(self, tag: AudioFrame) -> AudioConfig | None:
        """The new configuration that a frame brings, if it brings one."""
        if tag.codec == "mp4a" or (self._shape and tag.codec in LENGTH_IN_FRAMES):
            return None
        # what tells rate, layout and length of AC-3: while it stays, nothing else has changed
        shape = tag.data[4:7] if tag.codec == "ac-3" else tag.data[2:6]
        if shape == self._shape and tag.codec == self.codec:
            self._odd = 0
            return None
        try:
            found = self._of_frame(tag)
        except _FAULTS as error:
            raise MediaError(str(error)) from None
        if found is None or found == self.config:
            self._shape, self._odd = shape, 0
            return None
        if self._shape and tag.codec == self.codec and self._odd < MAX_ODD:
            self._odd += 1
            raise MediaError("a frame unlike the ones before")
        self.codec, self.config, self._shape, self._odd = tag.codec, found, shape, 0
        return found

    def _of_frame(self, tag: AudioFrame) -> AudioConfig | None:
        if tag.codec in ("ac-3", "ec-3"):
            return ac3.audio_config(tag.data)
        if tag.codec != self.codec:
            return None  # before its record nothing is known of it
        if tag.codec == "Opus":
            return opus.audio_config(self._record, opus.packet_samples(tag.data))
        return flac.audio_config(self._record, flac.frame_samples(tag.data))


def _of_audio_record(codec: str, record: bytes) -> tuple[AudioConfig | None, bytes]:
    """The configuration, if the record makes one, and the record without what doesn't matter."""
    match codec:
        case "mp4a":
            return aac.audio_config(record), record
        case "Opus":
            return opus.audio_config(record), record
        case "fLaC":
            record = flac.StreamInfo.parse(record).block  # said again at the end, with the length
            return flac.audio_config(record), record
        case _:
            return None, record  # AC-3 has none
