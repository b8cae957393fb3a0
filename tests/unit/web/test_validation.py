"""Faults of bodies in words that people understand."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from server.web import validation
from server.web.shapes import Text, Title


class Thing(BaseModel):
    title: Title = "x"
    tags: Annotated[list[str], Field(min_length=1, max_length=2)] = ["x"]
    code: Annotated[str, StringConstraints(min_length=2, max_length=3)] = "xx"
    note: Annotated[Text, StringConstraints(max_length=1)] = ""
    mode: Literal["low", "high"] = "low"
    count: Annotated[int, Field(ge=1)] = 1
    day: date = date(2026, 1, 31)
    order: Annotated[str, StringConstraints(pattern="^[a-z]+$")] = "up"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"title": "x" * 1001}, "This attribute must have at most 1000 characters."),
        ({"title": ""}, "This attribute must have at least 1 character."),
        ({"tags": ["x"] * 3}, "This attribute must have at most 2 items."),
        ({"tags": []}, "This attribute must have at least 1 item."),
        ({"code": "x"}, "This attribute must have at least 2 characters."),
        ({"code": "xxxx"}, "This attribute must have at most 3 characters."),
        ({"note": "xx"}, "This attribute must have at most 1 character."),
        ({"mode": "fast"}, "This attribute must be 'low' or 'high'."),
        ({"count": 0}, "This attribute must be greater than or equal to 1."),
        ({"count": "1"}, "This attribute must be an integer."),
        ({"day": "soon"}, "This attribute must be a date, such as 2026-01-31."),
        ({"day": "2026-02-30"}, "This attribute must be a date, such as 2026-01-31."),
        ({"order": "UP"}, "This attribute has not the form that /docs tells of."),
    ],
)
def test_the_sentence(body: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate(body, strict=True)

    assert validation.of_body(caught.value).detail == sentence


def test_a_parameter_is_called_so() -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate({"count": 0})

    assert validation.of_query(caught.value).detail == "This parameter must be greater than or equal to 1."
