"""What of a source is watched as it is: what there is of it for every browser, and the rows that list it."""

from collections.abc import Mapping, Sequence

from server.catalog.models import Rendition, Video
from server.media.facts import SourceFacts
from server.media.orders import TIMESCALE
from server.packager.presentation import AUDIO, VIDEO
from server.packager.vod import IndexedVideo
from server.storage.renditions import Made
from server.vod import copying, making
from server.vod.plan import Shown

FIRST = 1  # tracks of sound count from here
EVERYWHERE = ("avc1.", "mp4a.40.")  # codecs that every browser plays


def shown_by_index(passed: IndexedVideo, altered: bool, beside: Mapping[str, Made]) -> Shown:
    kinds = frozenset(passed.renditions)
    heard = _everywhere(beside) | ({FIRST} if AUDIO in kinds else set())
    if VIDEO not in kinds:
        return Shown(kinds, (), True, sounds=heard)
    if altered:
        kinds -= {VIDEO}
    scale = passed.timescale(VIDEO)
    cuts = tuple(cut * TIMESCALE // scale for cut in passed.cuts)
    return Shown(kinds, cuts, True, passed.offset(VIDEO), heard)


def shown_by_copies(facts: SourceFacts, copied: Mapping[str, Made]) -> Shown:
    """What not every browser decodes has to have an encoded one beside it."""
    kinds = {made.track.kind for made in copied.values() if made.track.codec.startswith(EVERYWHERE)}
    found = copying.cuts(copied)
    times = tuple(cut * TIMESCALE // found[0] for cut in found[1]) if found else ()
    return Shown(frozenset(kinds), times, sounds=_everywhere(copied))


def _everywhere(copied: Mapping[str, Made]) -> frozenset[int]:
    """Numbers of the tracks of sound that every browser plays."""
    return frozenset(
        _number(name)
        for name, made in copied.items()
        if name.startswith(AUDIO) and made.track.codec.startswith(EVERYWHERE)
    )


def _number(sound: str) -> int:
    """Of a track of sound among those of its file, by its rendition's name."""
    return int(sound.removeprefix(AUDIO) or FIRST)


def rows(video: Video, facts: SourceFacts, names: Sequence[str]) -> list[Rendition]:
    """What the source itself is shown as."""
    found = []
    for name in names:
        if name == VIDEO and facts.picture:
            width, height = facts.picture.shown_size
            size = {"width": width, "height": height, "bitrate": facts.picture.bit_rate}
            found.append(making.copied(video, name, "video", size))
        elif name.startswith(AUDIO):
            sound = facts.sounds[_number(name) - FIRST] if facts.sounds else None
            told: dict[str, object] = {"language": sound.language, "title": sound.title} if sound else {}
            if sound and not (sound.rfc6381 or EVERYWHERE[0]).startswith(EVERYWHERE):
                told["somewhere"] = True  # not every browser plays it
            found.append(making.copied(video, name, "audio", told))
    return found
