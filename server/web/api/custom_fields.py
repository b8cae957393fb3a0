"""Custom fields: what a project keeps of its videos beside what every video has."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.catalog import custom_fields
from server.catalog.custom_fields import Condition, FieldError, NotPossible
from server.catalog.database import Transaction
from server.catalog.organisation_models import CustomField
from server.errors import Problem
from server.web import validation
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import ABSENT, Answer, Body, Changes, LongText, Moment, Tag, Text
from server.web.typed import Call, Operations

Name = Annotated[str, StringConstraints(pattern=f"^{custom_fields.NAME.pattern}$")]
Choices = Annotated[list[Tag], Field(max_length=custom_fields.MOST_CHOICES, description="Of a choice, in their order.")]
FieldType = Literal["text", "number", "boolean", "date", "choice"]
Value = Annotated[Text, StringConstraints(max_length=custom_fields.TEXT_CHARS)] | bool | int | float
# of a video's body: null takes a value away
Values = Annotated[
    dict[str, Value | None],
    Field(
        max_length=custom_fields.MOST,
        description="Values of custom fields by their names; null takes one away.",
        examples=[{"season": 2, "rating": "PG"}],
    ),
]
# of a list's query: customFields[name]=value, customFields[name][gte]=value
Wanted = dict[str, str | dict[str, str]]
SORTED_BY = r"customFields\[([A-Za-z][A-Za-z0-9_-]{0,63})\]"

operations = Operations("Custom fields")


class CustomFieldCreation(Body):
    name: Annotated[Name, Field(description="As videos and lists use it; it stays.")]
    type: FieldType
    description: LongText = ""
    choices: Choices = Field(default_factory=list)


class CustomFieldChanges(Changes):
    description: LongText = ABSENT
    choices: Choices = ABSENT


class CustomFieldAnswer(Answer):
    custom_field_id: str
    name: str
    type: FieldType
    description: str
    choices: list[str]
    video_count: int = Field(description="Videos that have a value.")
    created_at: Moment
    updated_at: Moment


class CustomFieldList(Answer):
    data: list[CustomFieldAnswer]
    pagination: Pagination


class CustomFieldQuery(PageQuery):
    sort_by: Literal["name", "createdAt"] | None = None


@operations.post(
    "/custom-fields", "Make a custom field", scope="custom-fields:write", status=201, errors=["conflict"],
    example={"name": "rating", "type": "choice", "choices": ["G", "PG", "R"]},
)  # fmt: skip
async def create(call: Call, body: CustomFieldCreation) -> CustomFieldAnswer:
    """Videos then take a value of it in `customFields`; dates are as 2026-01-31. A project has 50 fields at most."""
    row = CustomField(
        project_id=call.project_id,
        name=body.name,
        type=body.type,
        description=body.description,
        choices=_choices(body.type, body.choices),
    )
    async with call.services.database.write() as transaction:
        try:
            await custom_fields.add(transaction, row)
        except NotPossible as error:
            raise Problem("conflict", str(error), name="name") from None
    return _answer(row, 0)


@operations.get("/custom-fields", "List custom fields", scope="custom-fields:read")
async def list_all(call: Call, query: CustomFieldQuery) -> CustomFieldList:
    """By their names unless sorted."""
    paging = query.paging(query.sort_by or "name")
    async with call.services.database.read() as transaction:
        page = await custom_fields.page(transaction, call.project_id, paging)
        answers = await _answers(transaction, page.rows)
    return CustomFieldList(data=answers, pagination=pagination(call.request, page))


@operations.get("/custom-fields/{customFieldId}", "Show a custom field", scope="custom-fields:read")
async def show(call: Call, custom_field_id: str) -> CustomFieldAnswer:
    """Its name, its type, and of a choice what there is to choose."""
    async with call.services.database.read() as transaction:
        return (await _answers(transaction, [await _find(transaction, call, custom_field_id)]))[0]


@operations.patch(
    "/custom-fields/{customFieldId}", "Change a custom field", scope="custom-fields:write",
    example={"choices": ["G", "PG", "PG-13", "R"]},
)  # fmt: skip
async def change(call: Call, custom_field_id: str, body: CustomFieldChanges) -> CustomFieldAnswer:
    """Choices are replaced whole. What videos have stays, also where it is no choice any more."""
    given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, custom_field_id)
        if "choices" in given:
            given["choices"] = _choices(row.type, given["choices"])
        await custom_fields.change(transaction, row, given)
        await transaction.flush()
        return (await _answers(transaction, [row]))[0]


@operations.delete("/custom-fields/{customFieldId}", "Delete a custom field", scope="custom-fields:write", status=204)
async def delete(call: Call, custom_field_id: str) -> None:
    """With what videos have of it. Words of its values still find a video until that is changed."""
    async with call.services.database.write() as transaction:
        await custom_fields.remove(transaction, await _find(transaction, call, custom_field_id))


async def merged(
    transaction: Transaction, call: Call, known: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """What a video has, with what a body gives. Raises Problem."""
    try:
        return await custom_fields.merged(transaction, call.project_id, known, given)
    except FieldError as error:
        raise validation.of_attribute(f"customFields[{error.name}]"[: validation.NAME_LIMIT], error.sentence) from None


async def conditions(transaction: Transaction, call: Call, wanted: Wanted) -> list[Condition]:
    """Of a list's query. Raises Problem."""
    fields = await custom_fields.of_project(transaction, call.project_id) if wanted else {}
    try:
        return [_condition(fields, name, value) for name, value in wanted.items()]
    except FieldError as error:
        name = f"customFields[{error.name}]"[: validation.NAME_LIMIT]
        raise validation.of_parameter(name, error.sentence) from None


async def sorted_by(transaction: Transaction, call: Call, name: str) -> CustomField:
    """Raises Problem."""
    fields = await custom_fields.of_project(transaction, call.project_id)
    if name not in fields:
        raise validation.of_parameter("sortBy", "There is no such custom field.")
    return fields[name]


def _condition(fields: Mapping[str, CustomField], name: str, wanted: str | Mapping[str, str]) -> Condition:
    field = fields.get(name)
    if field is None:
        raise FieldError(name, "There is no such custom field.")
    if isinstance(wanted, str):
        return Condition(field, custom_fields.read(field, wanted))
    unknown = set(wanted) - set(custom_fields.BOUNDS)
    if unknown or field.type not in custom_fields.RANGED:
        raise FieldError(name, "A number or a date takes the bounds gt, gte, lt and lte; others take a value alone.")
    return Condition(field, bounds={each: custom_fields.read(field, text) for each, text in wanted.items()})


def _choices(type: str, choices: Sequence[str]) -> list[str]:
    """Raises Problem."""
    if (type == "choice") != bool(choices):
        sentence = "A choice needs some." if type == "choice" else "Only a field of type choice has choices."
        raise validation.of_attribute("choices", sentence)
    if len(set(choices)) != len(choices):
        raise validation.of_attribute("choices", "No two choices are alike.")
    return list(choices)


async def _find(transaction: Transaction, call: Call, field_id: str) -> CustomField:
    """The caller's field. Raises Problem."""
    row = await custom_fields.get(transaction, call.project_id, field_id)
    if row is None:
        raise Problem("resource-not-found", name="customFieldId")
    return row


async def _answers(transaction: Transaction, rows: Sequence[CustomField]) -> list[CustomFieldAnswer]:
    counts = await custom_fields.counts(transaction, [row.id for row in rows])
    return [_answer(row, counts[row.id]) for row in rows]


def _answer(row: CustomField, videos: int) -> CustomFieldAnswer:
    return CustomFieldAnswer.model_validate(
        {
            "customFieldId": row.id,
            "name": row.name,
            "type": row.type,
            "description": row.description,
            "choices": row.choices,
            "videoCount": videos,
            "createdAt": row.created_at,
            "updatedAt": row.updated_at,
        }
    )
