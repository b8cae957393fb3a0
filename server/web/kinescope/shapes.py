"""What bodies, queries and answers of the dialect are made of: snake_case, UUIDs, moments to the microsecond."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, PlainSerializer, StringConstraints, WithJsonSchema

from server.web import shapes
from server.web.kinescope.identifiers import uuid_of

ID_CHARS = 64  # of an id in a body; the longest spelling has 36


class Body(shapes.Body):
    """A JSON body: no type is bent, no unknown key passed over."""

    model_config = ConfigDict(alias_generator=None)


class Changes(shapes.Changes):
    """A JSON body in which every key may be left out: what is not there stays as it is (`model_fields_set`)."""

    model_config = ConfigDict(alias_generator=None)


class Query(shapes.Query):
    model_config = ConfigDict(alias_generator=None)


class Answer(shapes.Answer):
    model_config = ConfigDict(alias_generator=None)


# of an answer: built from our id
Id = Annotated[str, PlainSerializer(uuid_of, return_type=str), WithJsonSchema({"type": "string", "format": "uuid"})]
# of a body or a query: any spelling of an id, for `identifiers.canonical`
GivenId = Annotated[shapes.Text, StringConstraints(min_length=1, max_length=ID_CHARS)]


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# 2020-08-31T10:14:28.422193Z
Moment = Annotated[
    datetime,
    PlainSerializer(_moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T10:17:47.000000Z"]}),
]

PRIVACY_WORDS = ("anywhere", "nowhere", "custom")
Privacy = Literal["anywhere", "nowhere", "custom"]
# a host name, perhaps with `*.` before it: nothing that a token's `origins` don't take (server/playback/tokens.py)
LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
DOMAIN, DOMAIN_CHARS = rf"^(\*\.)?({LABEL}\.)*{LABEL}(:[0-9]{{1,5}})?$", 252
Domain = Annotated[str, StringConstraints(max_length=DOMAIN_CHARS, pattern=DOMAIN), AfterValidator(str.lower)]

One = TypeVar("One", bound=shapes.Answer)


class Data(Answer, Generic[One]):
    """The envelope of one object."""

    data: One


class Success(Answer):
    success: bool = True


Done = Data[Success]
DONE = Done(data=Success())


class Pagination(Answer):
    page: int
    per_page: int
    total: int


class Meta(Answer):
    pagination: Pagination
    order: dict[str, Literal["asc", "desc"]]


class Listed(Answer, Generic[One]):
    """The envelope of a page of a list."""

    meta: Meta
    data: Sequence[One]


class All(Answer, Generic[One]):
    """The envelope of a list that comes whole."""

    data: Sequence[One]
