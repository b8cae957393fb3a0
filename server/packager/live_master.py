"""The multivariant playlist of a broadcast: what its renditions are and how heavy they have been so far."""

from collections.abc import Sequence

from server.packager.master import AudioFacts, VideoFacts, master, order, within
from server.packager.presentation import VIDEO
from server.packager.rendition import Rendition
from server.storage.journal import TrackEntry


def live_master(renditions: Sequence[Rendition], folder: str, most: int | None = None) -> str | None:
    """The text, with URIs below `folder`; None while no rendition has a segment of its own.

    Pictures of more than `most` lines are left out. Raises NoQualityError where that leaves none.
    """
    ordered = sorted(renditions, key=lambda rendition: order(rendition.name))
    shown = [(rendition, rendition.track) for rendition in ordered if rendition.track is not None]
    if not shown:
        return None
    videos = [_video_facts(each, track, folder) for each, track in shown if track.kind == VIDEO]
    audios = [_audio_facts(each, track, folder) for each, track in shown if track.kind != VIDEO]
    return master(within(videos, most), audios, all(rendition.window.independent for rendition in renditions))


def _video_facts(video: Rendition, track: TrackEntry, folder: str) -> VideoFacts:
    size = (track.width, track.height)
    return VideoFacts(_uri(video, folder), track.codec, *_rates(video), size, track.frame_rate or None)


def _audio_facts(audio: Rendition, track: TrackEntry, folder: str) -> AudioFacts:
    return AudioFacts(
        _uri(audio, folder), track.codec, *_rates(audio), track.channels, track.language or None, track.title or None
    )


def _uri(rendition: Rendition, folder: str) -> str:
    return f"{folder}/{rendition.name}/media.m3u8"


def _rates(rendition: Rendition) -> tuple[int, int]:
    return max(1, rendition.peak_bitrate), max(1, rendition.average_bitrate)
