"""One attempt: an event in an endpoint's format, signed, sent, and what came of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from server import clock
from server.outbound.client import CallFailed, Outbound, Reply
from server.outbound.target import BadUrl, Target
from server.protocols import webhook as signatures
from server.webhooks.formats import Told, message
from server.webhooks.verdicts import Attempt

HEAD_BYTES = 512  # of an answer's body: enough to see what a receiver says is wrong
SHOWN_HEADERS = ("Content-Type", "Server", "Retry-After", "Location")
HEADER_CHARS = 200  # of each


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to, and how."""

    id: str
    url: str
    format: str
    events: tuple[str, ...]
    secret: str = field(repr=False)
    old_secret: str | None = field(default=None, repr=False)  # that holds still
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that is to be tried now."""

    delivery_id: str
    endpoint: Endpoint
    told: Told
    number: int  # of the attempt, from 1


class Post:
    """`timeout_s` bounds an attempt from the name to the answer."""

    def __init__(self, outbound: Outbound, timeout_s: float) -> None:
        self._outbound = outbound
        self._timeout_s = timeout_s

    async def attempt(self, parcel: Parcel) -> Attempt:
        """Raises nothing."""
        at, begun = clock.now(), clock.monotonic()
        body = body_of(parcel)

        def ended(**found: object) -> Attempt:
            return Attempt(at, round(1000 * (clock.monotonic() - begun)), **found)  # type: ignore[arg-type]

        try:
            target = _target(parcel.endpoint)
            async with (
                asyncio.timeout(self._timeout_s),
                self._outbound.post(target, headers(parcel, body, at), body) as reply,
            ):
                return ended(status=reply.status, head=await _head(reply), retry_after_s=_retry_after(reply.headers))
        except TimeoutError:
            return ended(error="The endpoint did not answer in time.")
        except (CallFailed, BadUrl) as error:
            return ended(error=str(error))


def body_of(parcel: Parcel) -> bytes:
    """The same for every attempt. An event that is not asked for any more is told under our name."""
    endpoint, told = parcel.endpoint, parcel.told
    found = message(endpoint.format, (*endpoint.events, told.type), told)
    if found is None:
        raise LookupError(f"no format tells {told.type}")
    return orjson.dumps(found.body)


def headers(parcel: Parcel, body: bytes, at: datetime) -> Mapping[str, str]:
    endpoint, told = parcel.endpoint, parcel.told
    held = [endpoint.secret, *([endpoint.old_secret] if endpoint.old_secret else [])]
    return {
        "Content-Type": "application/json",
        # one signature fits here: the old one, for as long as receivers are given to learn the new one
        "X-Api-Video-WebhookID": endpoint.id,
        "X-Api-Video-Signature": signatures.of_body(body, held[-1]),
        "Sluice-Signature": signatures.timed(body, held, int(at.timestamp())),
        "Sluice-Event-Id": told.id,
        "Sluice-Event-Sequence": str(told.sequence),
        "Sluice-Delivery-Id": parcel.delivery_id,
        "Sluice-Attempt": str(parcel.number),
    }


def _target(endpoint: Endpoint) -> Target:
    target = Target.parse(endpoint.url)
    return replace(target, username=endpoint.login, password=endpoint.password) if endpoint.login else target


async def _head(reply: Reply) -> str:
    """Some headers and the beginning of the body; a body that breaks is one that was short."""
    found = bytearray()
    try:
        async for chunk in reply.chunks():
            found += chunk[: HEAD_BYTES - len(found)]
            if len(found) >= HEAD_BYTES:
                break
    except CallFailed:
        pass
    lines = [f"{name}: {reply.headers[name][:HEADER_CHARS]}" for name in SHOWN_HEADERS if name in reply.headers]
    text = "\n".join([*lines, "", found.decode(errors="replace")]).strip()
    # what no database keeps: NUL, and the halves of characters that headers may come with
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def _retry_after(found: Mapping[str, str]) -> int:
    """Seconds; a date is passed over."""
    value = found.get("Retry-After", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 6 else 0
