"""Types of files that somebody takes: extensions (`mp4`) and content types (`video/mp4`, `video/*`). Pure.

What a sender says of a file is compared first, what was found in it later: senders call files what they like.
"""

from collections.abc import Collection, Mapping

from server.media.containers import (
    ADTS,
    AIFF,
    ASF,
    AVI,
    FLAC,
    FLV,
    MATROSKA,
    MP3,
    MP4,
    MPEG_PS,
    MPEG_TS,
    OGG,
    WAV,
    Container,
)  # fmt: skip

# extension -> the content types that files with it are given, and the containers that they are
KNOWN: Mapping[str, tuple[Collection[str], Collection[Container]]] = {
    "mp4": (("video/mp4", "audio/mp4"), (MP4,)),
    "m4v": (("video/x-m4v", "video/mp4"), (MP4,)),
    "m4a": (("audio/mp4", "audio/x-m4a"), (MP4,)),
    "mov": (("video/quicktime",), (MP4,)),
    "3gp": (("video/3gpp", "audio/3gpp"), (MP4,)),
    "webm": (("video/webm", "audio/webm"), (MATROSKA,)),
    "mkv": (("video/x-matroska", "video/matroska"), (MATROSKA,)),
    "mka": (("audio/x-matroska", "audio/matroska"), (MATROSKA,)),
    "ts": (("video/mp2t",), (MPEG_TS,)),
    "mts": (("video/mp2t",), (MPEG_TS,)),
    "m2ts": (("video/mp2t",), (MPEG_TS,)),
    "mpg": (("video/mpeg",), (MPEG_PS, MPEG_TS)),
    "mpeg": (("video/mpeg",), (MPEG_PS, MPEG_TS)),
    "flv": (("video/x-flv",), (FLV,)),
    "avi": (("video/x-msvideo", "video/avi"), (AVI,)),
    "wmv": (("video/x-ms-wmv", "video/x-ms-asf"), (ASF,)),
    "wma": (("audio/x-ms-wma",), (ASF,)),
    "ogv": (("video/ogg",), (OGG,)),
    "ogg": (("audio/ogg", "video/ogg"), (OGG,)),
    "opus": (("audio/ogg", "audio/opus"), (OGG,)),
    "wav": (("audio/wav", "audio/x-wav", "audio/wave"), (WAV,)),
    "flac": (("audio/flac", "audio/x-flac"), (FLAC,)),
    "mp3": (("audio/mpeg", "audio/mp3"), (MP3,)),
    "aac": (("audio/aac",), (ADTS,)),
    "aiff": (("audio/aiff", "audio/x-aiff"), (AIFF,)),
}
# content types that say nothing of a file
UNSAID = frozenset({"", "application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data"})


def normal(text: str) -> str:
    """`.MP4` is `mp4`, `Video/MP4` is `video/mp4`."""
    return text.strip().lower().removeprefix(".")


def said(taken: Collection[str], filename: str | None, content_type: str | None) -> bool:
    """Whether a file is taken by what its sender says: its name and its content type, each for the other where that
    is missing. One of which nothing is said is not."""
    extension = normal((filename or "").rpartition(".")[2]) if "." in (filename or "") else ""
    declared = (content_type or "").partition(";")[0].strip().lower()
    types = {declared} if declared not in UNSAID else set(KNOWN.get(extension, ((), ()))[0])
    extensions = {extension} if extension else {name for name, (known, _) in KNOWN.items() if declared in known}
    return any(one in extensions or any(_matches(one, each) for each in types) for one in taken)


def found(taken: Collection[str], container: str, pictures: bool) -> bool:
    """Whether a file is taken by what it is, with pictures or without. What is not known here is let pass."""
    return any(_is(one, container, pictures) for one in taken)


def _is(one: str, container: str, pictures: bool) -> bool:
    kind, _, subtype = one.partition("/")
    if subtype and kind in ("video", "audio") and pictures != (kind == "video"):
        return False
    if subtype == "*":
        return True
    known = [each for name, (types, each) in KNOWN.items() if one in (name, *types)]
    return not known or any(container == each.name for containers in known for each in containers)


def _matches(wanted: str, declared: str) -> bool:
    return declared == wanted or (wanted.endswith("/*") and declared.startswith(wanted[:-1]))
