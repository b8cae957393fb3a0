"""HTTP calls to hosts that users name.

    target ── scheme, port, address rules ──► names resolved ── each address by the rules ──► connected to just these
       ▲                                                                                             │
       └──────────────────────────────── a redirect is a new target ◄────────────────────────────────┘

The connection goes to the very addresses that were looked at, so a name that answers otherwise the next time (DNS
rebinding) gains nothing.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from server.outbound.target import BadUrl, Target
from server.protocols.destinations import AddressRules

USER_AGENT = "Sluice"
MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
RESOLVERS = 4  # threads: a name server that is silent holds one for some ten seconds
NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

Reason = Literal["forbidden", "bad-url", "redirects", "certificate", "unresolved", "unreachable", "timeout", "broken"]
LASTING: frozenset[Reason] = frozenset({"forbidden", "bad-url", "redirects", "certificate"})
# host, port -> (family, address), …; blocking; OSError
Resolve = Callable[[str, int], Sequence[tuple[socket.AddressFamily, str]]]

FORBIDDEN = "The host is not on the public Internet, and this server is not allowed to call it."


class CallFailed(Exception):
    """There is no answer, or no more of it. The text is a sentence for whoever named the URL."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    @property
    def lasting(self) -> bool:
        """Whether trying again is of no use."""
        return self.reason in LASTING


def check(rules: AddressRules, target: Target) -> None:
    """Refuses what no resolver need be asked about. Raises CallFailed."""
    if not rules.allows_port(target.host, target.port):
        raise CallFailed("forbidden", f"Port {target.port} is not one that is called.")
    if target.is_address and not rules.allows_address(target.host):
        raise CallFailed("forbidden", FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds."""

    connect_s: float = 15.0  # name, connection and TLS
    idle_s: float = 30.0  # until the answer begins, and between its bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body is still on its way."""

    status: int
    headers: Mapping[str, str]  # by whatever case
    target: Target  # that gave it, after redirects
    _response: aiohttp.ClientResponse = field(repr=False)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as the network brings it. Raises CallFailed."""
        with _failures():
            async for chunk in self._response.content.iter_any():
                yield chunk


class Outbound:
    """Calls, each on a connection of its own."""

    def __init__(self, rules: AddressRules, times: Times, session: aiohttp.ClientSession) -> None:
        self._rules = rules
        self._times = times
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        rules: AddressRules,
        times: Times | None = None,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        resolvers: int = RESOLVERS,
    ) -> AsyncIterator[Self]:
        """`tls` is for a certificate authority of one's own; `resolve` takes the system's resolver's place."""
        times = times or Times()
        with ThreadPoolExecutor(resolvers, thread_name_prefix="resolver") as threads:
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(rules, resolve or _resolve, threads),
                use_dns_cache=False,
                force_close=True,
                limit=0,  # who calls is bounded where the calls are made
                ssl=tls or True,
            )
            timeout = aiohttp.ClientTimeout(
                total=None, connect=times.connect_s, sock_connect=times.connect_s, sock_read=times.idle_s
            )
            async with aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            ) as session:
                yield cls(rules, times, session)

    def check(self, target: Target) -> None:
        """Raises CallFailed, as the function of this name."""
        check(self._rules, target)

    @asynccontextmanager
    async def get(self, target: Target, headers: Mapping[str, str]) -> AsyncIterator[Reply]:
        """The answer to GET, redirects followed. Raises CallFailed."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self._one(target, headers) as response:
                location = response.headers.get("Location")
                if response.status not in REDIRECTS or location is None:
                    yield Reply(response.status, response.headers, target, response)
                    return
                try:
                    target = target.follow(location)
                except BadUrl as error:
                    raise CallFailed("bad-url", f"It redirects to what can't be called: {error}") from None
        raise CallFailed("redirects", f"It redirects more than {MAX_REDIRECTS} times.")

    @asynccontextmanager
    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> AsyncIterator[Reply]:
        """The answer to POST, which may be a redirect: what was meant for one host is not sent to another. Raises
        CallFailed."""
        async with self._one(target, headers, body) as response:
            yield Reply(response.status, response.headers, target, response)

    @asynccontextmanager
    async def _one(
        self, target: Target, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """POST where there is a body, else GET."""
        self.check(target)
        sent = dict(headers)
        if target.username is not None:
            sent["Authorization"] = aiohttp.encode_basic_auth(target.username, target.password or "", "utf-8")
        method = "GET" if body is None else "POST"
        with _failures():
            response = await self._session.request(
                method, URL(target.url, encoded=True), headers=sent, data=body, allow_redirects=False
            )
        try:
            yield response
        finally:
            response.close()


class _Resolver(AbstractResolver):
    """Gives aiohttp's connector only addresses that may be called."""

    def __init__(self, rules: AddressRules, resolve: Resolve, threads: ThreadPoolExecutor) -> None:
        self._rules = rules
        self._resolve = resolve
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError; CallFailed when an address may not be called: a name that has one such and one other is
        made for getting round this."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._resolve, host, port)
        if not self._rules.allows_name(host) and not all(self._rules.allows_address(text) for _, text in found):
            raise CallFailed("forbidden", FORBIDDEN)
        return [
            ResolveResult(hostname=host, host=text, port=port, family=kind, proto=0, flags=NUMERIC)
            for kind, text in found
        ]

    async def close(self) -> None:
        """The threads are their maker's."""


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(kind, _numeric(address)) for kind, _, _, _, address in infos]


def _numeric(address: tuple[Any, ...]) -> str:
    """With the interface of a link-local one, which the rules refuse."""
    return f"{address[0]}%{address[3]}" if len(address) == 4 and address[3] else str(address[0])


@contextmanager
def _failures() -> Iterator[None]:
    """aiohttp's errors as CallFailed, whose sentences give no address away."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _failure(error) from error


def _failure(error: BaseException) -> CallFailed:
    for kinds, reason, sentence in _FAILURES:
        if isinstance(error, kinds):
            return CallFailed(reason, sentence)
    return CallFailed("broken", "The connection broke.")


_FAILURES: tuple[tuple[tuple[type[BaseException], ...], Reason, str], ...] = (
    ((aiohttp.ClientConnectorCertificateError,), "certificate", "The certificate of the host is not valid."),
    ((aiohttp.ClientSSLError,), "certificate", "The host does not speak TLS as it should."),
    ((aiohttp.ClientConnectorDNSError,), "unresolved", "The name of the host can't be resolved."),
    ((TimeoutError,), "timeout", "The host did not answer in time."),
    ((aiohttp.ClientConnectorError,), "unreachable", "The host can't be reached."),
    ((aiohttp.InvalidURL,), "bad-url", "This URL can't be called."),
)
