"""What the tools take. The descriptions are read by models; limits are the API's, which has the last word."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

PAGE_SIZE = 10
PAGE_SIZE_LIMIT = 50  # what a model can still read
LINK_TTL_LIMIT_S = 7 * 86_400
UPLOAD_TTL_LIMIT_S = 86_400  # a token in a conversation is not for ever

Id = Annotated[str, Field(min_length=1, max_length=64)]
VideoId = Annotated[Id, Field(description="Id of a video, such as vi2hGs8…")]
LiveStreamId = Annotated[Id, Field(description="Id of a live stream, such as li2hGs8…")]
Tags = Annotated[list[str], Field(max_length=50)]


class Arguments(BaseModel):
    """camelCase outside, as in the API; nothing else is taken."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Paged(Arguments):
    page: Annotated[int, Field(ge=1, le=100_000, description="Page to give, from 1.")] = 1
    page_size: Annotated[int, Field(ge=1, le=PAGE_SIZE_LIMIT, description="Objects on a page.")] = PAGE_SIZE


class SearchVideos(Paged):
    search: Annotated[
        str | None,
        Field(max_length=500, description="Words that begin one in the title, description, tags or metadata each."),
    ] = None
    title: Annotated[str | None, Field(max_length=500, description="Contained in the title.")] = None
    description: Annotated[str | None, Field(max_length=500, description="Contained in the description.")] = None
    tags: Annotated[Tags, Field(description="The video has all of them.")] = []  # pydantic copies
    metadata: Annotated[dict[str, str], Field(max_length=20, description="The video has all of these pairs.")] = {}
    live_stream_id: Annotated[Id | None, Field(description="Only recordings of this live stream.")] = None
    folder_id: Annotated[Id | None, Field(description="Only those directly in this folder; root: in none.")] = None
    sort_by: Annotated[
        Literal["title", "createdAt", "publishedAt", "updatedAt"] | None, Field(description="Else newest first.")
    ] = None
    sort_order: Literal["asc", "desc"] | None = None


class OfVideo(Arguments):
    video_id: VideoId


class SearchLiveStreams(Paged):
    name: Annotated[str | None, Field(max_length=500, description="Contained in the name.")] = None


class OfLiveStream(Arguments):
    live_stream_id: LiveStreamId


class PlaybackLink(Arguments):
    id: Annotated[Id, Field(description="Id of a video (vi…) or of a live stream (li…).")]
    ttl: Annotated[
        int, Field(ge=1, le=LINK_TTL_LIMIT_S, description="Seconds in which playback may be started.")
    ] = 3600
    viewer: Annotated[str | None, Field(max_length=255, description="Your own id of who is to watch.")] = None
    origins: Annotated[
        Tags, Field(description="Pages that may show it, such as example.com or *.example.com; all if left out.")
    ] = []


class NewUpload(Arguments):
    title: Annotated[str, Field(min_length=1, max_length=1000)]
    description: Annotated[str, Field(max_length=20_000)] = ""
    tags: Tags = []
    public: Annotated[bool, Field(description="Whether anybody who knows the address may watch.")] = True
    ttl: Annotated[
        int, Field(ge=60, le=UPLOAD_TTL_LIMIT_S, description="Seconds in which the upload may be begun.")
    ] = 3600


class NewVideoByUrl(Arguments):
    title: Annotated[str, Field(min_length=1, max_length=1000)]
    url: Annotated[str, Field(min_length=1, max_length=2000, description="http(s) URL of a media file.")]
    description: Annotated[str, Field(max_length=20_000)] = ""
    tags: Tags = []
    public: Annotated[bool, Field(description="Whether anybody who knows the address may watch.")] = True


class NewLiveStream(Arguments):
    name: Annotated[str, Field(min_length=1, max_length=1000)]
    public: Annotated[bool, Field(description="Whether anybody who knows the address may watch.")] = True
    record: Annotated[bool, Field(description="Whether what is broadcast becomes a video.")] = True
    tags: Tags = []


class SearchJobs(Paged):
    object_id: Annotated[Id | None, Field(description="Only work on this video.")] = None
    state: Annotated[
        Literal["waiting", "running", "done", "failed"] | None, Field(description="Only work in this state.")
    ] = None
