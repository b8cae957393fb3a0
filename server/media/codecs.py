"""Whether libav was built with what Sluice asks of it."""

from av.codec import Codec
from av.codec.codec import UnknownCodecError

NEEDED = (("h264", "r"), ("aac", "r"), ("mjpeg", "w"), ("libx264", "w"))


def missing() -> list[str]:
    """Names, with "decoder" or "encoder"."""
    found = []
    for name, mode in NEEDED:
        try:
            Codec(name, "w" if mode == "w" else "r")
        except UnknownCodecError:
            found.append(f"the {name} {'encoder' if mode == 'w' else 'decoder'}")
    return found
