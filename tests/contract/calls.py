"""Calls made of an OpenAPI document, good ones and bad ones, and what holds for the answers to all of them."""

import os
from collections.abc import Callable, Collection, Mapping

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests import Response
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.harness.server import OWNER_KEY, Server

LONG_RUN = "CONTRACT_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "5"))  # of good calls, and half as many bad ones

UNCOUNTED = (404, 405, 431)  # may be said before it is clear which operation was meant

Look = Callable[[Response, str], None]  # at an answer, and words for the case that it is wrong


def try_out(
    server: Server,
    known: Mapping[str, str],
    operation: APIOperation,
    allowed: Collection[int],
    look: Look,
    examples: int = EXAMPLES,
) -> None:
    """Half of the calls name things that exist, by the path parameters in `known`."""
    _try(server, known, operation, allowed, look, GenerationMode.POSITIVE, examples)
    if _can_be_bad(operation):
        _try(server, known, operation, allowed, look, GenerationMode.NEGATIVE, examples // 2)


def _can_be_bad(operation: APIOperation) -> bool:
    """Whether there is anything that a call can get wrong: any text may stand in a path."""
    raw = operation.definition.raw
    beside_path = [each for each in raw.get("parameters", ()) if each.get("in") != "path"]
    return bool(raw.get("requestBody") or beside_path)


def _try(
    server: Server,
    known: Mapping[str, str],
    operation: APIOperation,
    allowed: Collection[int],
    look: Look,
    mode: GenerationMode,
    examples: int,
) -> None:
    @given(case=operation.as_strategy(generation_mode=mode), exists=st.booleans())
    @settings(
        max_examples=max(examples, 1), phases=[Phase.generate], database=None,
        suppress_health_check=list(HealthCheck), derandomize=not LONG_RUN,
    )  # fmt: skip
    def called(case: Case, exists: bool) -> None:
        if exists and operation.method != "delete":
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
        response = case.call(base_url=server.http, auth=(OWNER_KEY, ""), timeout=60)
        told = f"{response.status_code} {response.text[:600]}\n{case.as_curl_command()[:1500]}"
        assert response.status_code in allowed, told
        look(response, told)
        if str(response.status_code) in operation.definition.raw["responses"]:
            case.validate_response(response, checks=[response_schema_conformance])

    called()
