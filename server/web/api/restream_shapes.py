"""What the targets of a live stream look like in requests and answers."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server.protocols.rtmp import url as rtmp_url
from server.protocols.srt import url as srt_url
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Text, Title

# for the document; `_server_url` is what checks
TARGET_URL = r"^(rtmps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9]|srt://[A-Za-z0-9.-]+:[0-9]{1,5})"


def _server_url(text: str) -> str:
    try:
        if text.startswith("srt:"):
            srt_url.parse(text)
        else:
            rtmp_url.of_target(text, "")
    except ValueError as error:
        raise PydanticCustomError(
            "target_url",
            "The URL should have one of the following formats: [rtmp|rtmps]://[host]/[app name], srt://[host]:[port]; "
            "{reason}.",
            {"reason": str(error)},
        ) from None
    return text


ServerUrl = Annotated[
    Text,
    StringConstraints(max_length=2000),
    AfterValidator(_server_url),
    Field(json_schema_extra={"pattern": TARGET_URL, "examples": ["rtmp://a.example.com/app"]}),
]
StreamKey = Annotated[Title, Field(description="Over SRT it is the stream id, unless the URL has one.")]


class RestreamBody(Body):
    """A target, as a live stream's `restreams` have it."""

    name: Title
    server_url: ServerUrl
    stream_key: StreamKey


class RestreamCreation(RestreamBody):
    enabled: Annotated[bool, Field(description="Whether it is sent to while the live stream is on air.")] = True


class RestreamChanges(Changes):
    name: Title = ABSENT
    server_url: ServerUrl = ABSENT
    stream_key: StreamKey = ABSENT
    enabled: bool = ABSENT


class Restream(Answer):
    restream_id: str
    name: str
    server_url: str
    stream_key: str
    enabled: bool


class RestreamAnswer(Restream):
    """A target and how it goes with it. The counts are of the broadcast on air."""

    status: Annotated[str, Field(description="idle, connecting, broadcasting or errored.")]
    reason: Annotated[str | None, Field(description="Why it is errored; it is tried again by itself.")]
    since: Moment
    bytes: int
    reconnects: int
    dropped_frames: int


class RestreamList(Answer):
    data: list[RestreamAnswer]


def restream(entry: Any) -> Restream:
    return Restream.model_validate(entry)
