"""The multivariant playlist of renditions of pictures, of sound, or both: live, recorded or uploaded."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from server.formats.m3u8.multivariant import MultivariantPlaylist, Rendition, Variant
from server.packager.presentation import AUDIO, MEDIA_PLAYLIST, VIDEO, NoQualityError
from server.packager.texts import TextFacts

TEXT = "text"  # the group of all captions

EVERYWHERE = "mp4a"  # the sound that all browsers decode
STEREO = 2
COMPANION = "audio-aac"
MANY = "-surround"  # ends the name of a group of more channels than that


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """A video rendition as players choose by it; rates in bits a second."""

    uri: str
    codec: str  # RFC 6381
    peak: int
    average: int | None
    resolution: tuple[int, int] | None  # square pixels, upright
    frame_rate: float | None


    @property
    def lines(self) -> int:
        """The shorter side of the picture."""
        return min(self.resolution or (0, 0))


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """A rendition of sound."""

    uri: str
    codec: str
    peak: int
    average: int | None
    channels: int | None
    language: str | None = None  # BCP 47
    title: str | None = None  # what viewers read


def master(
    videos: Sequence[VideoFacts],
    audios: Sequence[AudioFacts],
    independent: bool,
    texts: Sequence[TextFacts] = (),
    prefix: str = "",
) -> str:
    """The text; `independent`: every segment of every rendition can be decoded by itself.

    The first of each kind is the one to begin with. Sound of different codecs is in different groups, and so are stereo
    and more channels; each group goes with all pictures, so that a player can leave out what it can't decode. The group
    that every player can is the first. Captions go with everything; `prefix` goes before their folders.
    """
    groups = _groups(audios)
    if videos:
        variants = [_variant(video, name, groups[name]) for name in groups for video in videos]
        variants = variants or [_variant(video, None, ()) for video in videos]
    else:
        variants = [_sound_variant(members, name if len(audios) > 1 else None) for name, members in groups.items()]
    if not variants:
        raise ValueError("nothing to list")
    shared = [] if len(audios) == 1 and not videos else [line for name in groups for line in _group(name, groups[name])]
    if texts:
        variants = [replace(variant, subtitles=TEXT) for variant in variants]
        shared += _texts(texts, prefix)
    return MultivariantPlaylist(tuple(variants), tuple(shared), independent).render()


def within(videos: Sequence[VideoFacts], most: int | None) -> Sequence[VideoFacts]:
    """Those of no more than `most` lines. Raises NoQualityError where there are only better ones."""
    found = [video for video in videos if most is None or video.lines <= most]
    if videos and not found:
        raise NoQualityError(f"there are no pictures of {most} lines or less")
    return found


def order(name: str) -> tuple[bool, int, int, str]:
    """A key to sort renditions by: pictures before sound; "video", what was made of it by size, further tracks.

    The first sound's companion for every player is before it.
    """
    made_size = int(name[:-1]) if name[:-1].isdigit() else 0  # 720p
    rank = (COMPANION, VIDEO, AUDIO).index(name) if name in (COMPANION, VIDEO, AUDIO) else 3
    return name.startswith(AUDIO), rank, -made_size, name


def _groups(sounds: Iterable[AudioFacts]) -> dict[str, list[AudioFacts]]:
    """Members by group id: one for each codec and for stereo and more channels, the most widely played first."""
    families: dict[tuple[str, bool], list[AudioFacts]] = {}
    for facts in sounds:
        family = facts.codec.partition(".")[0].lower()
        families.setdefault((family, (facts.channels or 0) > STEREO), []).append(facts)
    ordered = sorted(families, key=lambda each: (each[0] != EVERYWHERE, each[1]))
    # While renditions are still made a group of few channels may come before one of many: that keeps its name.
    names = {each: f"{AUDIO}-{each[0]}{MANY * each[1]}" if number or each[1] else AUDIO
             for number, each in enumerate(ordered)}  # fmt: skip
    return {names[each]: families[each] for each in ordered}


def _variant(video: VideoFacts, group: str | None, sounds: Sequence[AudioFacts]) -> Variant:
    """Pictures with the heaviest sound of a group."""
    peak = max((facts.peak for facts in sounds), default=0)
    averages = [facts.average for facts in sounds] or [0]
    known = [average for average in (*averages, video.average) if average is not None]
    average = max(known[:-1]) + known[-1] if len(known) == len(averages) + 1 else None
    return Variant(
        uri=video.uri,
        bandwidth=video.peak + peak,
        average_bandwidth=average,
        codecs=tuple(dict.fromkeys((video.codec, *(facts.codec for facts in sounds)))),
        resolution=video.resolution,
        frame_rate=video.frame_rate,
        audio=group,
        closed_captions="NONE",
    )


def _sound_variant(sounds: Sequence[AudioFacts], group: str | None) -> Variant:
    first = sounds[0]
    codecs = tuple(dict.fromkeys(facts.codec for facts in sounds))
    return Variant(
        uri=first.uri, bandwidth=first.peak, average_bandwidth=first.average, codecs=codecs, audio=group
    )


def _group(name: str, sounds: Sequence[AudioFacts]) -> list[Rendition]:
    """Its renditions: "All EXT-X-MEDIA tags in the same Group MUST have different NAME attributes"; one is the default,
    and those whose language is theirs alone may be chosen by it."""
    languages = Counter(facts.language for facts in sounds)
    names: list[str] = []
    for facts in sounds:
        names.append(_unused(facts.title or facts.language or "Audio", names))
    return [
        Rendition(
            type="AUDIO",
            group=name,
            name=label,
            uri=facts.uri,
            language=facts.language,
            default=facts is sounds[0],
            autoselect=bool(facts.language) and languages[facts.language] == 1,
            channels=facts.channels,
        )
        for facts, label in zip(sounds, names, strict=True)
    ]


def _texts(texts: Sequence[TextFacts], prefix: str) -> list[Rendition]:
    names: list[str] = []
    for facts in texts:
        names.append(_unused(facts.name, names))
    return [
        Rendition(
            type="SUBTITLES",
            group=TEXT,
            name=label,
            uri=f"{prefix}{facts.folder}/{MEDIA_PLAYLIST}",
            language=facts.language,
            default=facts.default,
            autoselect=True,
        )
        for facts, label in zip(texts, names, strict=True)
    ]


def _unused(name: str, used: Sequence[str]) -> str:
    numbered = (f"{name} {number}" for number in range(2, len(used) + 3))
    return next(each for each in (name, *numbered) if each not in used)
