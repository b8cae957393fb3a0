"""/healthz: the process answers. /readyz: it can do its work. /metrics: its numbers."""

import asyncio
from typing import Literal

from aiohttp import web

from server import log
from server.catalog import faults
from server.web import metrics
from server.web.services import Check
from server.web.shapes import Answer
from server.web.typed import JSON_HEADERS, NO_STORE, Call, Operations

CHECK_TIMEOUT_S = 5.0  # a check that takes longer has failed

operations = Operations("Health")
_log = log.get("web")


class Health(Answer):
    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """`checks` names what was looked at: "ok", or what is wrong."""

    status: Literal["ok", "failing"]
    checks: dict[str, str]


@operations.get("/healthz", "Whether the process answers", scope=None, kind="free")
async def health(call: Call) -> Health:
    """It says nothing about storage or the database: that is /readyz."""
    return Health()


@operations.get("/readyz", "Whether the server can do its work", scope=None, kind="free")
async def readiness(call: Call) -> Readiness | web.Response:
    """503 with the same body while a check fails."""
    names = list(call.services.ready_checks)
    results = await asyncio.gather(*(_run(name, call.services.ready_checks[name]) for name in names))
    checks = dict(zip(names, results, strict=True))
    ready = all(result == "ok" for result in results)
    answer = Readiness(status="ok" if ready else "failing", checks=checks)
    if ready:
        return answer
    return web.Response(body=answer.model_dump_json().encode(), status=503, headers=JSON_HEADERS)


@operations.get(
    "/metrics",
    "Numbers for Prometheus",
    scope=None,
    kind="free",
    answers={"text/plain": {"type": "string", "examples": ["sluice_live_streams 3\n"]}},
)
async def numbers(call: Call) -> web.Response:
    """Prometheus' text format; names begin with `sluice_`."""
    body = await call.services.metrics.render()
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE, **NO_STORE})


async def _run(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except TimeoutError:
        return "timed out"
    except Exception as error:
        # the log has the whole of it; the answer, which anybody can read, only the kind
        brief = faults.passing(error)
        _log.warning("not ready", check=name, reason=faults.reason(error), exc_info=None if brief else error)
        return type(error).__name__
    return "ok"
