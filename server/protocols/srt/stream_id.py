"""What a caller wants, read from its stream id (the draft, 3.2.1.3 and Appendix B).

    key                                  publish key, as encoders with one field send it
    live/key   publish:key   play:key    with an app in front (it is dropped), or a mode
    #!::r=key,m=publish,u=user,s=…,t=…   SRT Access Control; "%23!::…", which ffmpeg 5.1 sends, is the same

Without `#!::` a stream id publishes. So does one with `#!::` and no `m`: the draft says request, but the encoders
that leave it out publish (SRS, MediaMTX and others read it so).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl, unquote


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
    extra: Mapping[str, str] = field(default_factory=dict)
    """Keys of `#!::` other than r, m, u, s, t and token."""

    def __repr__(self) -> str:
        return f"StreamId(mode={self.mode.value})"


_MAX_CHARACTERS = 512
_ACCESS_CONTROL = "#!::"
_ESCAPED = "%23!::"
_MODES = {
    "publish": Mode.PUBLISH,
    "request": Mode.REQUEST,
    "play": Mode.REQUEST,
    "read": Mode.REQUEST,
}
"""Words of `m=`, and of what stands before a colon; "bidirectional" is not spoken."""
_MEDIA_TYPES = frozenset({"stream", "file", "auth"})
_STANDARD = frozenset({"r", "m", "u", "s", "t", "token"})


def parse(text: str) -> StreamId:
    """Read a stream id. StreamIdError: empty, over 512 characters, with control characters, an unknown mode."""
    if len(text) > _MAX_CHARACTERS:
        raise StreamIdError(f"the stream id has more than {_MAX_CHARACTERS} characters")
    if not text.isprintable():
        raise StreamIdError("the stream id has control characters")
    if text[: len(_ESCAPED)].upper() == _ESCAPED:
        text = unquote(text, errors="replace")
    found = _access_control(text[len(_ACCESS_CONTROL) :]) if text.startswith(_ACCESS_CONTROL) else _plain(text)
    if not found.resource:
        raise StreamIdError("the stream id names no stream")
    if not found.resource.isprintable():
        raise StreamIdError("the stream id has control characters")
    return found


def _plain(text: str) -> StreamId:
    """key, app/key, publish:key, play:key; a token may follow as "?token=…"."""
    mode = Mode.PUBLISH
    head, colon, rest = text.partition(":")
    if colon and head in _MODES:
        mode, text = _MODES[head], rest
    path, _, query = text.partition("?")
    values = dict(parse_qsl(query, max_num_fields=_MAX_CHARACTERS))
    return StreamId(_last(path), mode, token=values.get("token", values.get("t", "")))


def _access_control(text: str) -> StreamId:
    """k=v,k=v…; the first of a key counts. The nested form, "#!:{", is not spoken: no encoder sends it."""
    values: dict[str, str] = {}
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if equals:
            values.setdefault(key.strip(), value.strip())
    mode = _MODES.get(values.get("m", "publish").lower())
    if mode is None:
        raise StreamIdError("the mode of the stream id is neither publish nor request")
    kind = values.get("t", "")
    return StreamId(
        resource=_last(values.get("r", "")),
        mode=mode,
        user=values.get("u", ""),
        session=values.get("s", ""),
        token=values.get("token", "" if kind in _MEDIA_TYPES else kind),
        extra={key: value for key, value in values.items() if key not in _STANDARD},
    )


def _last(path: str) -> str:
    """What follows the app: "live/key" → "key"."""
    return path.strip("/ ").rpartition("/")[2]
