"""What pydantic found wrong, as a problem in the words and the shape of the dialect."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from server.errors import ERRORS, Problem
from server.web.problems import type_of

PROBLEMS_LIMIT = 20  # listed at once
FAULTS_LIMIT = 1000  # looked at; naming each costs 2 µs
# which of an attribute's shapes was taken: a step that pydantic puts into names, and people do not
WORD, LIST = "(word)", "(list)"
NAME_LIMIT = 100  # characters of a name that came from the client

# pydantic's type -> what we say; others speak for themselves
_SENTENCES = {
    "missing": "This attribute is required.",
    "extra_forbidden": "There is no such attribute.",
    "string_type": "This attribute must be a string.",
    "bool_type": "This attribute must be a boolean.",
    "int_type": "This attribute must be an integer.",
    "int_from_float": "This attribute must be an integer.",
    "float_type": "This attribute must be a number.",
    "list_type": "This attribute must be an array.",
    "dict_type": "This attribute must be an object.",
    "model_type": "This attribute must be an object.",
    "model_attributes_type": "This attribute must be an object.",
    "datetime_type": "This attribute must be a ISO-8601 date.",
    "datetime_from_date_parsing": "This attribute must be a ISO-8601 date.",
    "datetime_parsing": "This attribute must be a ISO-8601 date.",
    "date_from_datetime_parsing": "This attribute must be a date, such as 2026-01-31.",
    "date_from_datetime_inexact": "This attribute must be a date, such as 2026-01-31.",
    "date_parsing": "This attribute must be a date, such as 2026-01-31.",
    "string_pattern_mismatch": "This attribute has not the form that /docs tells of.",
    "date_type": "This attribute must be a date, such as 2026-01-31.",
}
_LENGTHS = {
    "string_too_long": "This attribute must have at most {max_length} characters.",
    "string_too_short": "This attribute must have at least {min_length} characters.",
    "too_long": "This attribute must have at most {max_length} {kind}.",
    "too_short": "This attribute must have at least {min_length} {kind}.",
}
_KINDS = {"Value": "characters"}  # what pydantic calls a string that was looked at before it was measured
_BOUNDS = {"greater_than_equal": "min", "less_than_equal": "max"}


def of_body(error: ValidationError) -> Problem:
    """attribute-required, invalid-attribute, or invalid-payload when there is no object to speak of."""
    if error.error_count() > FAULTS_LIMIT:
        return Problem("invalid-payload", f"The request body has more than {FAULTS_LIMIT} faults.")
    faults = error.errors(include_url=False, include_input=False)[:PROBLEMS_LIMIT]
    first = faults[0]
    if first["type"] == "json_invalid":
        return Problem("invalid-payload", "The request body is not valid JSON.")
    if not first["loc"]:
        return Problem("invalid-payload", "The request body must be a JSON object.")
    codes = ["attribute-required" if fault["type"] == "missing" else "invalid-attribute" for fault in faults]
    return _problem(codes[0], [_fault(fault, code) for fault, code in zip(faults, codes, strict=True)])


def of_query(error: ValidationError) -> Problem:
    faults = error.errors(include_url=False, include_input=False)[:PROBLEMS_LIMIT]
    code = "request-invalid-query-parameter"
    return _problem(code, [_fault(fault, code) for fault in faults])


def of_attribute(name: str, sentence: str) -> Problem:
    """One fault that no type could find."""
    return _problem("invalid-attribute", [_entry("invalid-attribute", name, sentence)])


def of_parameter(name: str, sentence: str) -> Problem:
    code = "request-invalid-query-parameter"
    return _problem(code, [_entry(code, name, sentence)])


def _problem(code: str, entries: Sequence[dict[str, Any]]) -> Problem:
    """The first fault stands for all, which are listed."""
    first = entries[0]
    return Problem(code, first["detail"], first["name"], entries)


def _fault(fault: Mapping[str, Any], code: str) -> dict[str, Any]:
    sentence = _sentence(fault)
    if code == "request-invalid-query-parameter":
        sentence = sentence.replace("attribute", "parameter")
    entry = _entry(code, _name(fault["loc"]), sentence)
    context = fault.get("ctx", {})
    bound = _BOUNDS.get(fault["type"])
    if bound:
        entry["range"] = {bound: context["ge" if bound == "min" else "le"]}
    return entry


def _sentence(fault: Mapping[str, Any]) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in _LENGTHS:
        sentence = _LENGTHS[kind].format(kind=_KINDS.get(context.get("field_type"), "items"), **context)
        return re.sub(r" 1 (character|item)s", r" 1 \1", sentence)
    words: str = fault["msg"]
    if words.startswith("Input should"):
        words = f"This attribute must{words.removeprefix('Input should')}."
    return _SENTENCES.get(kind, words)


def _entry(code: str, name: str, sentence: str) -> dict[str, Any]:
    return {"type": type_of(code), "title": ERRORS[code].title, "name": name, "detail": sentence}


def _name(location: Sequence[str | int]) -> str:
    """restreams[0][name]"""
    first, *rest = (step for step in location if step not in (WORD, LIST))
    return (str(first) + "".join(f"[{step}]" for step in rest))[:NAME_LIMIT]
