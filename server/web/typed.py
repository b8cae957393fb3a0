"""Routes declared by types: one declaration makes the route, the checks, and the entry in the OpenAPI document.

    operations = Operations("Videos")

    @operations.get("/videos/{videoId}", "Show a video", scope="videos:read", errors=["resource-not-found"])
    async def show(call: Call, video_id: str) -> VideoAnswer: ...

A handler takes the call, then by name what its declaration promises: each path parameter in snake_case (ids in their
canonical spelling), `query: SomeQuery`, `body: SomeBody`. It returns the annotated answer, None for an empty one, or
a finished `web.StreamResponse`. `raw` describes a body that the handler reads itself.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from aiohttp import web
from pydantic import ValidationError

from server import ids
from server.catalog import audit
from server.catalog.audit import Actor, Log
from server.errors import Problem
from server.web import admission, bodies, rates, scopes, validation
from server.web.addresses import base_url, client_ip
from server.web.auth import Caller
from server.web.idempotency import HEADER
from server.web.middleware import REQUEST_ID
from server.web.query import MalformedQuery, nested
from server.web.services import SERVICES, Services
from server.web.shapes import Accepted, Answer, Body, Query

# Bytes of a JSON body: ten times the longest description, and not more than is checked in 20 ms when all of it is
# wrong. Uploads stream and have limits of their own.
BODY_LIMIT = 256 * 1024

# path parameters that are ids, and the prefix of their canonical spelling; any other is text
PATH_IDS = {
    "videoId": "vi",
    "liveStreamId": "li",
    "uploadToken": "to",
    "uploadSessionId": "us",
    "importId": "im",
    "watermarkId": "watermark_",
    "playerId": "pl",
    "folderId": "fo",
    "customFieldId": "cf",
    "collectionId": "co",
    "summaryId": "summary_",
    "sessionId": "ps",
    "webhookId": "webhook_",
    "deliveryId": "de",
    "apiKeyId": "key_",
    "projectId": "pr",
    "appId": "app_",
    "grantId": "grant_",
    "playbackId": "pb",
    "restrictionId": "restriction_",
    "signingKeyId": "sk_",
}
PATH_TEXT_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Naming:
    """How paths name objects: what `prefixes` has are ids, and text that is none is refused by the problem."""

    prefixes: Mapping[str, str]
    refusal: str = "resource-not-found"


NAMING = Naming(PATH_IDS)

# What writes nothing: a token's making would cost a sync of the disk for each viewer.
UNAUDITED = frozenset(
    {
        "/auth/api-key", "/auth/refresh", "/oauth/token", "/oauth/revoke", "/oauth/authorize", "/oauth/allowed",
        "/videos/{videoId}/tokens", "/live-streams/{liveStreamId}/tokens", "/playback-ids/{playbackId}/tokens",
    }
)  # fmt: skip

JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True)
class Call:
    """A request that may go on."""

    request: web.Request
    services: Services
    caller: Caller | None
    host: str | None = None  # that URLs of what is watched lead to, where it is another than ours

    @property
    def project_id(self) -> str:
        if self.caller is None:
            raise LookupError("an operation without a scope has no project")
        return self.caller.project_id

    @cached_property
    def base_url(self) -> str:
        return base_url(self.request)

    @cached_property
    def media_url(self) -> str:
        """The base of URLs of what is watched."""
        return f"{self.base_url.partition('://')[0]}://{self.host}" if self.host else self.base_url


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as declared."""

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    description: str
    status: int
    scope: str | None  # None: no credentials are asked for
    errors: Sequence[str]
    raw: Mapping[str, Any] | None  # media type -> JSON schema of a body that the handler reads itself
    answers: Mapping[str, Any] | None  # media type -> JSON schema of an answer that is not JSON
    kind: rates.Kind | None  # which rate it counts for; None: as often as wanted
    example: Mapping[str, Any] | None
    repeatable: bool  # whether it takes an Idempotency-Key
    audited: bool  # whether who called it is written down
    query: type[Query] | None = None
    body: type[Body] | None = None
    answer: type[Answer] | None = None
    accepts: bool = False  # it may answer 202 as well
    path_names: Mapping[str, str] = field(default_factory=dict)  # {"videoId": "video_id"}
    naming: Naming = NAMING

    @property
    def name(self) -> str:
        return f"{self.method}_{self.path.strip('/')}".replace("/", "-").replace("{", "").replace("}", "")


class Operations:
    """The operations of one resource."""

    def __init__(self, tag: str, naming: Naming = NAMING) -> None:
        self.tag = tag
        self.naming = naming
        self.all: list[Operation] = []

    def get(self, path: str, summary: str, **more: Any) -> Callable[[H], H]:
        return self.declare("GET", path, summary, **more)

    def post(self, path: str, summary: str, **more: Any) -> Callable[[H], H]:
        return self.declare("POST", path, summary, **more)

    def put(self, path: str, summary: str, **more: Any) -> Callable[[H], H]:
        return self.declare("PUT", path, summary, **more)

    def patch(self, path: str, summary: str, **more: Any) -> Callable[[H], H]:
        return self.declare("PATCH", path, summary, **more)

    def delete(self, path: str, summary: str, **more: Any) -> Callable[[H], H]:
        return self.declare("DELETE", path, summary, **more)

    def declare(
        self,
        method: str,
        path: str,
        summary: str,
        *,
        scope: str | None,
        status: int = 200,
        errors: Sequence[str] = (),
        raw: Mapping[str, Any] | None = None,
        answers: Mapping[str, Any] | None = None,
        kind: rates.Kind | Literal["free"] | None = None,
        example: Mapping[str, Any] | None = None,
        command: bool = False,
    ) -> Callable[[H], H]:
        """`kind` is which rate the call counts for: by default GET reads and everything else writes; free: none.

        A POST takes an Idempotency-Key, and what it writes is then committed with its answer, so that after its first
        write it must not wait for a task that writes, and what it sets off belongs into `transaction.after_commit`.
        Left out are a `command`, which makes nothing and may be given again; bodies that the handler reads itself:
        files are too long to compare and to hold the catalogue for, and have ways of their own to go on; and what
        needs no credentials, as keys belong to a project.
        """
        repeatable = method == "POST" and scope is not None and raw is None and not command

        def decorate(handler: H) -> H:
            hints = get_type_hints(handler)
            names = {name: _snake(name) for name in re.findall(r"{(\w+)}", path)}
            _check_signature(handler, names, hints)
            self.all.append(
                Operation(
                    method=method,
                    path=path,
                    handler=handler,
                    tag=self.tag,
                    summary=summary,
                    description=inspect.getdoc(handler) or "",
                    status=status,
                    scope=scopes.of_operation(method, path, scope),
                    errors=errors,
                    raw=raw,
                    answers=answers,
                    kind=None if kind == "free" else kind or ("read" if method == "GET" else "write"),
                    example=example,
                    repeatable=repeatable,
                    audited=method != "GET" and kind != "free" and path not in UNAUDITED,
                    query=hints.get("query"),
                    body=hints.get("body"),
                    answer=_model(hints.get("return")),
                    accepts=Accepted in get_args(hints.get("return")),
                    path_names=names,
                    naming=self.naming,
                )
            )
            return handler

        return decorate


def mount(app: web.Application, operations: Sequence[Operation]) -> None:
    """Adds their routes; GET answers HEAD too."""
    for operation in operations:
        endpoint = _endpoint(operation)
        if operation.method == "GET":
            app.router.add_get(operation.path, endpoint)
        else:
            # one that reads its body itself says when it wants it
            expect_handler = bodies.wait_to_continue if operation.raw else bodies.continue_at_once
            app.router.add_route(operation.method, operation.path, endpoint, expect_handler=expect_handler)


def _endpoint(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        caller = await admission.admit(request, services, operation.scope, operation.kind)
        host = (await services.assets.zone(caller.project_id)).host if caller else None
        call = Call(request, services, caller, host)
        if not operation.audited:
            return await _answered(operation, call)
        async with audit.audited(_actor(operation, call)) as log:
            return await _answered(operation, call, log)

    return endpoint


def _actor(operation: Operation, call: Call) -> Actor:
    request, caller = call.request, call.caller
    kind = "api-key" if caller else "upload-token"
    project_id, key_id = (caller.project_id, caller.key_id) if caller else (None, None)
    return Actor(kind, operation.name, project_id, key_id, request.get(REQUEST_ID), client_ip(request))


async def _answered(operation: Operation, call: Call, log: Log | None = None) -> web.StreamResponse:
    key = call.request.headers.get(HEADER) if operation.repeatable else None
    if key is None or call.caller is None:
        return await _run(operation, call, log)
    path = call.request.raw_path.encode(errors="surrogateescape")
    asked = b"\n".join((operation.name.encode(), path, await call.request.read()))
    return await call.services.idempotency.answer(
        call.caller.project_id, key, asked, lambda: _run(operation, call, log)
    )


async def _run(operation: Operation, call: Call, log: Log | None) -> web.StreamResponse:
    given = _path_values(operation, call.request)
    if operation.query:
        given["query"] = _parse_query(operation.query, call.request)
    if operation.body:
        given["body"] = await _parse_body(operation.body, call.request)
    answer = _answer(operation, await operation.handler(call, **given))
    if log is not None and not log.written and call.caller is not None:
        async with call.services.database.write() as transaction:
            await log.called(transaction, next((given[own] for own in operation.path_names.values()), None))
    return answer


def _path_values(operation: Operation, request: web.Request) -> dict[str, Any]:
    values = request.match_info
    return {own: path_value(name, values[name], operation.naming) for name, own in operation.path_names.items()}


def path_value(name: str, text: str, naming: Naming = NAMING) -> str:
    """A path parameter as handlers see it: an id in its canonical spelling. Raises Problem, 404 or the naming's."""
    prefix = naming.prefixes.get(name)
    try:
        if prefix is not None:
            return ids.canonical(prefix, text)
    except ids.InvalidId:
        raise Problem(naming.refusal, name=name) from None
    if len(text) > PATH_TEXT_LIMIT or "\x00" in text:
        raise Problem("resource-not-found", name=name)
    return text


def _parse_query(model: type[Query], request: web.Request) -> Query:
    try:
        return model.model_validate(nested(request.query.items()))
    except MalformedQuery as error:
        raise validation.of_parameter(error.name[: validation.NAME_LIMIT], error.sentence) from None
    except ValidationError as error:
        raise validation.of_query(error) from None


async def _parse_body(model: type[Body], request: web.Request) -> Body:
    """JSON whatever the Content-Type says: SDKs send text/plain and form types with it. No body is an empty object."""
    raw = await request.read()
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise validation.of_body(error) from None


def _answer(operation: Operation, result: Any) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    status = operation.status
    if isinstance(result, Accepted):
        result, status = result.answer, 202
    if result is None:
        return web.Response(status=status, headers=NO_STORE)
    # not aiohttp's json_response: it adds a charset, which the SDK for Node takes for another content type
    body = result.model_dump_json().encode()
    return web.Response(body=body, status=status, headers=JSON_HEADERS)


def _model(hint: Any) -> type[Answer] | None:
    """The answer's type; a handler may say `SomeAnswer | web.Response`, or `SomeAnswer | Accepted`."""
    for each in (hint, *get_args(hint)):
        if isinstance(each, type) and issubclass(each, Answer):
            return each
    return None


def _check_signature(handler: Handler, names: Mapping[str, str], hints: Mapping[str, Any]) -> None:
    """A handler that doesn't fit its path fails at import, not at its first call."""
    taken = list(inspect.signature(handler).parameters)[1:]
    wanted = {*names.values(), *({"query", "body"} & hints.keys())}
    if set(taken) != wanted:
        raise TypeError(f"{handler.__qualname__} takes {taken}, its route gives {sorted(wanted)}")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
