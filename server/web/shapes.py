"""What JSON bodies, queries and answers are made of: strict where clients write, exact where they read."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from server.outbound.target import MAX_CHARS as MAX_URL_CHARS


class Shape(BaseModel):
    """camelCase outside, snake_case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Body(Shape):
    """A JSON body: no type is bent, no unknown key passed over."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)


class Changes(Body):
    """A JSON body in which every key may be left out: what is not there stays as it is (`model_fields_set`)."""

    model_config = ConfigDict(json_schema_extra=lambda schema: _drop_defaults(schema))


class Query(Shape):
    """The query string; parameters we don't know are passed over, as caches and trackers add some."""

    model_config = ConfigDict(extra="ignore", populate_by_name=False)


class Answer(Shape):
    """What we send. Sent by alias, built by name."""

    model_config: ClassVar[ConfigDict] = ConfigDict(serialize_by_alias=True)


class Accepted(NamedTuple):
    """An answer under 202 where its operation's status is another: it is not done yet."""

    answer: Answer


ABSENT: Any = None  # default of a key in Changes that may be left out but, given, may not be null


def _drop_defaults(schema: dict[str, Any]) -> None:
    for of_property in schema.get("properties", {}).values():
        of_property.pop("default", None)


def _moment(value: datetime) -> str:
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(timespec="seconds")


# 2026-01-31T10:17:47+00:00: with the offset, without a fraction, as every SDK's parser takes it
Moment = Annotated[
    datetime,
    PlainSerializer(_moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T10:17:47+00:00"]}),
]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:  # the first and the last hours of the calendar are not those of every zone
        raise PydanticCustomError("date_time", "This attribute is out of range.") from None


# a date-time in a request, with its offset
DateTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "This value should not be blank.")
    return text


def _storable(text: str) -> str:
    if "\x00" in text:
        raise PydanticCustomError("nul", "This value should not hold a NUL character.")  # PostgreSQL can't keep it
    return text


# the patterns only tell the document what the validators check, in words that a person understands
Text = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": "^[^\\u0000]*$"})]
Title = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=1000),
    AfterValidator(_not_blank),
    Field(json_schema_extra={"pattern": "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$"}),
]
LongText = Annotated[Text, StringConstraints(max_length=20_000)]
Tag = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$")]
SourceUrl = Annotated[Text, StringConstraints(min_length=1, max_length=MAX_URL_CHARS)]
PlayerId = Annotated[Text, StringConstraints(min_length=1, max_length=64)]

T = TypeVar("T")

# of an answer, behind `X | None`: a key that the dialect says is no null is not there where it has no value
LEFT_OUT: Any = Field(default=None, exclude_if=lambda value: value is None)


def _as_list(value: Any) -> Any:
    """tags=a, tags[]=a and tags[0]=a alike."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


QueryList = Annotated[list[T], BeforeValidator(_as_list)]


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise PydanticCustomError("int_type", "This parameter must be a whole number.")
        return int(value)
    return value


# behind the constraints: Annotated[int, Field(ge=1), WHOLE]
WHOLE = BeforeValidator(_whole)
