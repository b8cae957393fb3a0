"""Pieces of JSON that more than one resource is made of."""

from typing import Annotated

from pydantic import Field, StringConstraints

from server.web.shapes import Answer, Body, Text

PAIRS_LIMIT = 100  # entries of `metadata`
TAGS_LIMIT = 100


class Metadata(Answer):
    key: str
    value: str


class MetadataBody(Body):
    key: Annotated[Text, StringConstraints(min_length=1, max_length=255)]
    value: Annotated[Text, StringConstraints(max_length=2000)]


MetadataList = Annotated[list[MetadataBody], Field(max_length=PAIRS_LIMIT)]


def pairs(given: list[MetadataBody]) -> list[dict[str, str]]:
    """As rows keep them."""
    return [{"key": one.key, "value": one.value} for one in given]
