"""The multivariant playlist of a broadcast: what its renditions are and how heavy they have been so far."""

from collections.abc import Mapping

from server.packager.master import AudioFacts, VideoFacts, master
from server.packager.rendition import Rendition
from server.storage.journal import TrackEntry


def live_master(renditions: Mapping[str, Rendition], folder: str) -> str | None:
    """The text, with URIs below `folder`; None while no rendition has a segment of its own."""
    video, audio = (_with_track(renditions.get(name), folder) for name in ("video", "audio"))
    if video is None and audio is None:
        return None
    independent = all(rendition.window.independent for rendition in renditions.values())
    return master(video and _video_facts(*video), audio and _audio_facts(*audio), independent)


_Shown = tuple[Rendition, TrackEntry, str]


def _with_track(rendition: Rendition | None, folder: str) -> _Shown | None:
    if rendition is None or rendition.track is None:
        return None
    return rendition, rendition.track, f"{folder}/{rendition.name}/media.m3u8"


def _video_facts(video: Rendition, track: TrackEntry, uri: str) -> VideoFacts:
    size = (track.width, track.height)
    return VideoFacts(uri, track.codec, *_rates(video), size, track.frame_rate or None)


def _audio_facts(audio: Rendition, track: TrackEntry, uri: str) -> AudioFacts:
    return AudioFacts(uri, track.codec, *_rates(audio), track.channels)


def _rates(rendition: Rendition) -> tuple[int, int]:
    return max(1, rendition.peak_bitrate), max(1, rendition.average_bitrate)
