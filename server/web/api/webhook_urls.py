"""Where webhooks may lead: what can be seen to be no good is refused when it is named, not after days of silence."""

from aiohttp import web

from server.outbound.client import CallFailed, check
from server.outbound.target import Target
from server.protocols.destinations import PUBLIC, AddressRules
from server.web import validation
from server.web.typed import Call

RULES = web.AppKey("webhook_rules", AddressRules)


def refuse(call: Call, url: str, name: str = "url") -> None:
    """Raises Problem (400) where the endpoint would never be called, whatever its name resolves to."""
    try:
        check(call.request.app.get(RULES, PUBLIC), Target.parse(url))
    except CallFailed as failure:
        raise validation.of_attribute(name, str(failure)) from None
