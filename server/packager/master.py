"""The multivariant playlist of one video rendition, one of sound, or both: live, recorded or uploaded."""

from dataclasses import dataclass

from server.formats.m3u8.multivariant import MultivariantPlaylist, Rendition, Variant
from server.packager.presentation import AUDIO


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """A video rendition as players choose by it; rates in bits a second."""

    uri: str
    codec: str  # RFC 6381
    peak: int
    average: int | None
    resolution: tuple[int, int] | None  # square pixels, upright
    frame_rate: float | None


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """A rendition of sound."""

    uri: str
    codec: str
    peak: int
    average: int | None
    channels: int | None
    language: str | None = None  # BCP 47


def master(video: VideoFacts | None, audio: AudioFacts | None, independent: bool) -> str:
    """The text; `independent`: every segment of every rendition can be decoded by itself."""
    if video is None:
        if audio is None:
            raise ValueError("nothing to list")
        only = Variant(
            uri=audio.uri, bandwidth=audio.peak, average_bandwidth=audio.average, codecs=(audio.codec,)
        )
        return MultivariantPlaylist((only,), (), independent).render()
    tracks: list[VideoFacts | AudioFacts] = [video, audio] if audio else [video]
    averages = [facts.average for facts in tracks]
    variant = Variant(
        uri=video.uri,
        bandwidth=sum(facts.peak for facts in tracks),
        average_bandwidth=None if None in averages else sum(average or 0 for average in averages),
        codecs=tuple(facts.codec for facts in tracks),
        resolution=video.resolution,
        frame_rate=video.frame_rate,
        audio=AUDIO if audio else None,
        closed_captions="NONE",
    )
    return MultivariantPlaylist((variant,), (_sound(audio),) if audio else (), independent).render()


def _sound(facts: AudioFacts) -> Rendition:
    return Rendition(
        type="AUDIO",
        group=AUDIO,
        name=facts.language or "Audio",
        uri=facts.uri,
        language=facts.language,
        default=True,
        channels=facts.channels,
    )
