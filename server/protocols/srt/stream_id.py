"""What a caller wants, read from its stream id (the draft, 3.2.1.3 and Appendix B).

    key                                  publish key, as encoders with one field send it
    live/key   publish:key   play:key    with an app in front (it is dropped), or a mode
    #!::r=key,m=publish,u=user,s=…,t=…   SRT Access Control; "%23!::…", which ffmpeg 5.1 sends, is the same

Without `#!::` a stream id publishes. So does one with `#!::` and no `m`: the draft says request, but the encoders
that leave it out publish (SRS, MediaMTX and others read it so).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Mode(Enum):
    PUBLISH = "publish"
    REQUEST = "request"
    """Play: the listener sends."""


class StreamIdError(ValueError):
    """The stream id can't be read; str() is a sentence without the stream id."""


@dataclass(frozen=True, slots=True)
class StreamId:
    resource: str
    """The stream key of a publisher; of a reader a live stream, by key or id. A secret, as the token is."""
    mode: Mode = Mode.PUBLISH
    user: str = ""
    session: str = ""
    token: str = ""
    """`token=` or, unless it is a media type of the draft (stream, file, auth), `t=`."""
    extra: Mapping[str, str] | None = None
    """Keys of `#!::` other than r, m, u, s, t and token."""

    def __repr__(self) -> str:
        return f"StreamId(mode={self.mode.value})"


def parse(text: str) -> StreamId:
    """Read a stream id. StreamIdError: empty, over 512 characters, with control characters, an unknown mode."""
    raise NotImplementedError
