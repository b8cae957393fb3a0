"""Our own document holds for whatever a client sends: calls made of it never get a 5xx, nor a status or a problem that
it lacks, and answers fit its schemas. Half of the calls name things that exist."""

from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from requests import Response
from schemathesis.schemas import APIOperation

from server.web.problems import type_of
from tests.contract.calls import EXAMPLES, LONG_RUN, UNCOUNTED, try_out
from tests.contract.things import things
from tests.harness.server import UNLIMITED, Server

SHARE = 5 if LONG_RUN else 3  # of EXAMPLES' five, as this document is longer than the dialect's

# said before it is clear what was asked for, so that no operation lists them
ANYWHERE: Mapping[int, str] = {
    404: "an id in the path can be text that no route takes",
    405: "which may be another route",
    431: "an address can be too long",
}
# events are endless, and documents and pages are no JSON that a schema of ours describes
LEFT_OUT = frozenset({"GET /openapi.json", "GET /docs", "GET /metrics"})

pytestmark = [pytest.mark.server, pytest.mark.timeout(0 if LONG_RUN else 600)]
OWN_SERVER = UNLIMITED


def test_what_is_promised(own_server: Server, subtests: pytest.Subtests) -> None:
    document = own_server.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    found = {result.ok().label: result.ok() for result in schema.get_all_operations()}
    known = things(own_server)
    for label in sorted(found.keys() - LEFT_OUT):
        with subtests.test(label):
            operation = found[label]
            try_out(own_server, known, operation, _allowed(operation), _look(operation), max(1, EXAMPLES * SHARE // 5))


def _allowed(operation: APIOperation) -> set[int]:
    return {int(status) for status in operation.definition.raw["responses"]} | ANYWHERE.keys()


def _look(operation: APIOperation) -> Any:
    responses = operation.definition.raw["responses"]

    def look(response: Response, told: str) -> None:
        if response.status_code < 400 or response.status_code in UNCOUNTED:
            return
        documented = responses[str(response.status_code)]["content"]["application/json"]["examples"]
        assert response.json()["type"] in map(type_of, documented), told

    return look
