"""Rules of what is kept, in requests and answers."""

from typing import Annotated

from pydantic import Field

from server.web.shapes import Answer, Body, Tag

TAGS_LIMIT = 20


class RetentionBody(Body):
    """What is kept; a limit that is left out is the next rule's: the project's, then the server's."""

    days: Annotated[float | None, Field(gt=0, le=36_500, description="Since it was made.")] = None
    count: Annotated[int | None, Field(ge=1, description="So many, the newest.")] = None
    bytes: Annotated[
        int | None, Field(ge=1, description="As many as fit with their files, the newest; one always stays.")
    ] = None
    keep_tags: Annotated[
        list[Tag] | None, Field(max_length=TAGS_LIMIT, description="What has one of these tags is kept for ever.")
    ] = None


class Retention(Answer):
    days: float | None = None
    count: int | None = None
    bytes: int | None = None
    keep_tags: list[str] | None = None
