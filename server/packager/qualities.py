"""Which progressive files a presentation gives, and what is in each.

    720p.mp4     pictures of a rendition, and the sound that goes with them
    audio.m4a    that sound alone
"""

from collections.abc import Mapping, Sequence
from struct import unpack_from

from server.formats.fmp4.box import BoxError, find
from server.formats.fmp4.init import sample_entry
from server.packager.presentation import AUDIO, Presentation

SOUND = "audio"  # the file that is sound alone
# Of what is known of a video's media: nothing of it can be one file, as its coding changes in the middle, or as what is
# shown in place of its own is made when it is asked for.
NO_FILE = "no_file"
EVERYWHERE = b"mp4a"  # sound that every player of such files decodes
STEREO = 2
ENCODED = "-aac"  # ends the name of a track's encoded companion


def qualities(presentation: Presentation) -> Mapping[str, tuple[str, ...]]:
    """The renditions in each file, by the file's name without its extension; those that are not whole yet are left out.

    Files are called as the renditions of their pictures; the source's own pictures also as people call their size,
    unless an encoded rendition is called so.
    """
    inits = {
        name: whole.init for name in presentation.renditions if (whole := presentation.whole(name)) is not None
    }
    pictures = [name for name in inits if not name.startswith(AUDIO)]
    sounds = {name: init for name, init in inits.items() if name.startswith(AUDIO)}
    sound = _sound(sounds)
    if any(name.startswith(AUDIO) for name in presentation.renditions) and not sound:
        return {}
    if presentation.growing and any(_described(sounds[name])[0] != EVERYWHERE for name in sound):
        return {}  # better sound is still to come
    found = {name: (name, *sound) for name in pictures}
    for name in pictures:
        found.setdefault(f"{_lines(inits[name])}p", (name, *sound))
    return found | ({SOUND: sound} if sound else {})


def own_file(presentation: Presentation) -> str:
    """Which of the files is a presentation's best."""
    first = presentation.renditions[0]
    return SOUND if first.startswith(AUDIO) else first


def _sound(inits: Mapping[str, bytes]) -> tuple[str, ...]:
    """The one that goes with pictures: of the first track, in what every player decodes, rather stereo than more."""

    def rank(name: str) -> tuple[bool, bool, bool]:
        codec, channels = _described(inits[name])
        return name.removesuffix(ENCODED) != AUDIO, codec != EVERYWHERE, channels > STEREO

    return tuple(sorted(inits, key=rank)[:1])


def _described(init: bytes) -> tuple[bytes, int]:
    """Four characters and channels of a sample entry of sound (ISO/IEC 14496-12 12.2.3)."""
    entry = sample_entry(init)
    return entry[4:8], int.from_bytes(entry[24:26], "big")


def _lines(init: bytes) -> int:
    """The shorter side of the picture as it is shown (tkhd, 8.3.2). Raises BoxError."""
    tkhd = find(init, b"moov", b"trak", b"tkhd")
    if tkhd is None:
        raise BoxError("an init segment without a tkhd")
    width, height = unpack_from(">II", init, tkhd.end - 8)
    return min(int(width), int(height)) >> 16


def extension(quality: str) -> str:
    return "m4a" if quality == SOUND else "mp4"


def names(found: Sequence[str]) -> list[str]:
    """File names."""
    return [f"{quality}.{extension(quality)}" for quality in found]
