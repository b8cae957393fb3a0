"""Who is let in: by credentials, as often as the rates allow, for what their scopes name."""

from aiohttp import web

from server.errors import Problem
from server.web import rates
from server.web.addresses import client_ip
from server.web.auth import Caller
from server.web.middleware import EXTRA_HEADERS
from server.web.services import Services


async def admit(
    request: web.Request, services: Services, scope: str | None, kind: rates.Kind | None
) -> Caller | None:
    """Credentials where a scope is asked for, then the rate, then the scope. A failed log-in counts for its address.
    Raises Problem: 401, 403, 429."""
    caller, refused = None, None
    if scope is not None:
        try:
            caller = await identify(request, services)
        except Problem as problem:
            refused = problem
    if kind:
        count(request, services, caller or client_ip(request), kind)
    if refused:
        raise refused
    if caller and scope and not caller.may(scope):
        services.credentials.refused.add("scope")
        raise Problem("forbidden", f"The API key lacks the scope {scope}.")
    return caller


async def identify(request: web.Request, services: Services) -> Caller:
    """Who calls. An address from which too many tried keys that are none is not listened to for a while, except with
    a key that is known to be good. Raises Problem: 401, 429."""
    if not services.credentials.knows(request.headers):
        refuse_guessing(request, services)
    try:
        return await services.credentials.caller(request.headers)
    except Problem as problem:
        services.credentials.refused.add(problem.code.removeprefix("authentication-"))
        if "Authorization" in request.headers:  # without it nothing was guessed
            services.failures.take(client_ip(request), "failure")
        raise


def refuse_guessing(request: web.Request, services: Services, guesser: str | None = None) -> None:
    """Raises Problem, 429, to an address, or another name, that has given too many wrong credentials."""
    throttled = services.failures.exhausted(guesser or client_ip(request), "failure")
    if throttled is not None:
        services.credentials.refused.add("guessing")
        request[EXTRA_HEADERS] = {**request.get(EXTRA_HEADERS, {}), **throttled}
        raise rates.refusal(throttled)


def count(request: web.Request, services: Services, who: Caller | str, kind: rates.Kind) -> None:
    """Counts the call for a caller, else for an address or a token. Raises Problem, 429."""
    own = dict(who.limits).get(kind) if isinstance(who, Caller) else None
    name = who.key_id if isinstance(who, Caller) else who
    headers, allowed = services.rates.take(name, kind, own)
    request[EXTRA_HEADERS] = {**request.get(EXTRA_HEADERS, {}), **headers}
    if not allowed:
        raise rates.refusal(headers)
