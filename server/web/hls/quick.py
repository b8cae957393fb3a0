"""Live media answered straight from the connection: what every viewer asks for several times a second.

It decides by the same functions as `live.media` (`gate`, `live_media`) and answers with the same bytes; a request with
anything unusual about it, or that is to be refused, or needs a disk, is left to that. No task is made for a request:
who waits for a part is a callback of the window. An answer costs a third of what it costs by way of aiohttp.

    Desk     one for the application
    Guest    one for each connection: remembers what stays the same from request to request
"""

import re
from asyncio import TimerHandle, get_running_loop
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time

from server import clock, log
from server.errors import Problem
from server.log import MASK
from server.playback.facts import Facts
from server.web import problems
from server.web.access_log import Done, note
from server.web.addresses import ADDRESSES
from server.web.cors import CORS
from server.web.hls import gate, live, live_media
from server.web.hls.files import Bytes
from server.web.hls.gate import WATCHING, Watch
from server.web.hls.live_media import Ask, Later, Reply
from server.web.middleware import CLIENT_GONE, COMMON_HEADERS, name_request
from server.web.protocol import SHORTCUTS, Connection
from server.web.services import SERVICES

_log = log.get("web")

HEAD_LIMIT = 8 << 10  # bytes of a request; aiohttp refuses longer ones in its own way
LARGEST = 512 << 10  # bytes: what is larger the long way writes in pieces, as the client takes them, at half the cost
WOKEN_AT_ONCE = 250  # answers in one turn of the loop, 15 ms: a part that thousands wait for must not stop the rest

_FOLDER = re.compile(
    rb"/live/(?P<id>[^/.%?]{1,40})(?:/token/(?P<token>[\w.-]{1,4096})/[^/.%?]{1,40})?"
    rb"/(?P<broadcast>br\w{1,40})/(?P<rendition>[a-z0-9]{1,40})"
)
_PAIR = rb"_HLS_(?:msn|part|skip)=[0-9A-Za-z]{1,10}"
_FILE = re.compile(rb"([\w.-]{1,40})(?:\?(" + _PAIR + rb"(?:&" + _PAIR + rb"){0,2}))?")
_LINE = re.compile(r"([A-Za-z0-9-]+):[ \t]*([\t\x20-\x7e]*)")
# Headers that change what is answered in ways that only the long way knows.
_UNUSUAL = frozenset(
    name.lower() for name in (hdrs.RANGE, hdrs.IF_NONE_MATCH, hdrs.IF_RANGE, hdrs.CONNECTION, hdrs.AUTHORIZATION)
)
_ONCE = frozenset(
    {"accept-encoding", "origin", "referer", "sec-fetch-site", "x-request-id", "host", "user-agent"}
)


class Place(NamedTuple):
    """What the folder of a URL says."""

    id: str
    token: str | None
    broadcast: str
    rendition: str
    shown: str  # for logs
    route: str


class Client(NamedTuple):
    """What the headers of a request say."""

    facts: Facts
    gzip: bool
    request_id: str | None
    answer_headers: str  # that depend on it


class Desk:
    """What all connections share."""

    def __init__(self, app: web.Application) -> None:
        self.watching = app[WATCHING]
        self.metrics = app[SERVICES].metrics
        self.delivered = app[SERVICES].delivered
        self.addresses = app[ADDRESSES]
        self._once = _ONCE | {(self.addresses.country_header or "").lower()}
        self.answered = 0
        self._cors = app[CORS]
        self._common = "".join(f"{name}: {value}\r\n" for name, value in COMMON_HEADERS.items())
        self._woken: deque[_Pending] = deque()
        self._waking = False

    def place(self, folder: bytes) -> Place | None:
        found = _FOLDER.fullmatch(folder)
        if found is None:
            return None
        named = {name: (text or b"").decode() for name, text in found.groupdict().items()}
        shown, route = folder.decode(), live.OPEN_ROUTE
        if token := named["token"]:
            shown, route = shown.replace(token, MASK), live.TOKEN_ROUTE
        return Place(named["id"], token or None, named["broadcast"], named["rendition"], shown, route)

    def client(self, block: bytes, peer: str) -> Client | None:
        """None where a header is unusual."""
        named: dict[str, str] = {}
        forwarded: list[str] = []
        for line in block.decode("latin-1").split("\r\n"):
            found = _LINE.fullmatch(line)
            if found is None:
                return None
            name, value = found[1].lower(), found[2].rstrip(" \t")
            if name in _UNUSUAL and (name, value.lower()) != ("connection", "keep-alive"):
                return None
            if name in self._once and name in named:
                return None
            if name == "x-forwarded-for":
                forwarded.append(value)
            named[name] = value
        ip = self.addresses.behind(peer, forwarded)
        origin = named.get("origin")
        return Client(
            self._facts(peer, ip, named),
            live.takes_gzip(named.get("accept-encoding", "")),
            named.get("x-request-id"),
            self._common + self._of_origin(origin),
        )

    def _facts(self, peer: str, ip: str, named: Mapping[str, str]) -> Facts:
        told = named.get(self.addresses.country_header.lower()) if self.addresses.country_header else None
        country = self.addresses.country(peer, told, ip)
        page = named.get("origin"), named.get("referer"), named.get("sec-fetch-site")
        return gate.said(ip, *page, country, named.get("user-agent", ""))

    def _of_origin(self, origin: str | None) -> str:
        headers = [*self._cors.headers_for(origin).items(), *([("Vary", "Origin")] if self._cors.varies else [])]
        return "".join(f"{name}: {value}\r\n" for name, value in headers)

    def wake(self, pending: "_Pending") -> None:
        """Lets it go on soon, after others; not from within the packager, which has just published."""
        self._woken.append(pending)
        if not self._waking:
            self._waking = True
            get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        woken = self._woken
        turn = min(len(woken), WOKEN_AT_ONCE)
        self._waking = len(woken) > turn
        if self._waking:
            get_running_loop().call_soon(self._wake_some)
        for _ in range(turn):
            pending = woken.popleft()
            pending.guest.go_on(pending)


class Guest:
    """One connection."""

    def __init__(self, desk: Desk, connection: Connection) -> None:
        self._desk, self._connection = desk, connection
        self._folder, self._block = b"", b""
        self._place: Place | None = None
        self._client: Client | None = None
        self._pending: _Pending | None = None

    @property
    def waiting(self) -> bool:
        return self._pending is not None

    def take(self, data: bytes) -> bool:
        if not data.startswith(b"GET /live/") or len(data) > HEAD_LIMIT:
            return False
        end = data.find(b" HTTP/1.1\r\n", 10)
        request = self._understood(data[4:end], data[end + 11 : -4]) if end > 0 else None
        if request is None:
            return False
        return self._answer(_Pending(self, data, request, clock.monotonic()))

    def _understood(self, target: bytes, block: bytes) -> "_Request | None":
        """Folder and headers are looked into where they are not those of the request before."""
        folder, _, file = target.rpartition(b"/")
        if folder != self._folder:
            self._folder, self._place = folder, self._desk.place(folder)
        if block != self._block:
            transport = self._connection.transport
            peer = transport.get_extra_info("peername") if transport else None
            self._block, self._client = block, self._desk.client(block, peer[0] if isinstance(peer, tuple) else "")
        found = _FILE.fullmatch(file)
        if self._place is None or self._client is None or found is None:
            return None
        place, client, name = self._place, self._client, found[1].decode()
        query = (found[2] or b"").decode()
        pairs = [pair.split("=") for pair in query.split("&") if pair]
        given = dict(pairs)
        if len(given) < len(pairs):
            return None
        who = live_media.player(client.facts.ip, client.facts.agent, place.token)
        ask = Ask(place.broadcast, place.rendition, name, given, client.gzip, who)
        return _Request(place, client, query, ask)

    def _answer(self, pending: "_Pending") -> bool:
        """False: it is not for us."""
        watching, request = self._desk.watching, pending.request
        try:
            watch = pending.watch = pending.watch or self._enter(request)
            if watch is None or watching.stopping.is_set():
                return False
            found = live_media.find(watching.broadcasts, watch, request.ask)
        except Problem:
            return False
        if isinstance(found, Later):
            self._wait(pending, found)
        elif isinstance(found, Reply) and _size(found.body) <= LARGEST:
            self._send(pending, "200 OK", _lines(found), found.body)
        else:
            return False
        return True

    def _enter(self, request: "_Request") -> Watch | None:
        """None where the asset, or its project's zone, is not in memory. Raises Problem."""
        watching, token = self._desk.watching, request.place.token
        asset = watching.assets.peek(request.place.id, "live")
        zone = watching.assets.peek_zone(asset.project_id) if asset is not None else None
        if asset is None or zone is None:
            return None
        facts = request.client.facts
        allow = watching.door.check(asset, token, facts)
        watching.door.play(asset, allow, facts)
        return Watch(asset, allow, token, facts, zone)

    # --- waiting

    def _wait(self, pending: "_Pending", later: Later) -> None:
        self._pending = pending
        if pending.timer is None:
            pending.timer = get_running_loop().call_later(later.timeout_s, self._give_up, live.waited_in_vain)
        pending.cancel = later.window.subscribe(lambda: self._desk.wake(pending))

    def go_on(self, pending: "_Pending") -> None:
        """The window has a new version."""
        if self._pending is not pending:
            return
        self._pending = None
        try:
            if not self._answer(pending):
                pending.end()
                self._connection.take_the_long_way(pending.data)
            elif self._pending is None:
                pending.end()
                self._connection.go_on()
        except Exception as error:  # the others go on
            _log.error("a request failed", exc_info=error)
            if self._connection.transport is not None:
                self._connection.transport.abort()

    def _give_up(self, reason: Callable[[], Problem]) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        pending.end()
        problem = reason()
        response = problems.answer(problem, pending.request_id)
        body = response.body if isinstance(response.body, bytes) else b""
        lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        self._send(pending, f"{response.status} {response.reason}", lines, body)
        self._connection.go_on()

    def stop(self) -> None:
        self._give_up(live.stopping)

    def lost(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.end()
            self._note(pending, CLIENT_GONE, 0)

    # --- bytes

    def _send(self, pending: "_Pending", status: str, lines: str, body: Bytes | Sequence[Bytes]) -> None:
        """`lines` are the answer's own headers."""
        pieces = [body] if isinstance(body, bytes | bytearray) else body
        size = _size(body)
        head = (
            f"HTTP/1.1 {status}\r\n{lines}{pending.request.client.answer_headers}"
            f"X-Request-ID: {pending.request_id}\r\nContent-Length: {size}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
        ).encode()
        transport = self._connection.transport
        if transport is None:
            self._note(pending, CLIENT_GONE, 0)
            return
        transport.writelines([head, *pieces])
        self._note(pending, int(status[:3]), len(head) + size)

    def _note(self, pending: "_Pending", status: int, sent: int) -> None:
        place, request = pending.request.place, pending.request
        self._desk.answered += 1
        url = f"{place.shown}/{request.ask.file}{'?' if request.query else ''}{request.query}"
        seconds, ip = clock.monotonic() - pending.since, request.client.facts.ip
        done = Done("GET", place.route, url, status, sent, seconds, ip, pending.request_id)
        note(self._desk.metrics, done)
        if pending.watch is not None:
            self._desk.delivered.count(pending.watch.asset.project_id, sent, clock.now())


class _Request(NamedTuple):
    """One request, understood."""

    place: Place
    client: Client
    query: str
    ask: Ask


class _Pending:
    """A request until it is answered."""

    __slots__ = ("cancel", "data", "guest", "request", "request_id", "since", "timer", "watch")

    def __init__(self, guest: Guest, data: bytes, request: _Request, since: float) -> None:
        self.guest, self.data, self.request, self.since = guest, data, request, since
        self.request_id = name_request(request.client.request_id)
        self.watch: Watch | None = None  # once it was let in, which is for one answer, however long it waits
        self.timer: TimerHandle | None = None
        self.cancel: Callable[[], None] | None = None

    def end(self) -> None:
        """Waits no more."""
        if self.timer is not None:
            self.timer.cancel()
        if self.cancel is not None:
            self.cancel()


def _size(body: Bytes | Sequence[Bytes]) -> int:
    return len(body) if isinstance(body, bytes | bytearray) else sum(map(len, body))


def _lines(reply: Reply) -> str:
    """The headers that `files.body_answer` and `live.media` make."""
    lines = f"Cache-Control: {reply.cache}\r\nContent-Type: {reply.content_type}\r\n"
    if reply.etag is not None:
        lines += f'Etag: "{reply.etag}"\r\nAccept-Ranges: bytes\r\n'
    if reply.encoding is not None:
        lines += f"Content-Encoding: {reply.encoding}\r\n"
    return f"{lines}Vary: Accept-Encoding\r\n" if reply.varies else lines


DESK = web.AppKey("desk", Desk)


def mount(app: web.Application) -> None:
    """After the routes and what they use."""
    desk = app[DESK] = Desk(app)
    app[SHORTCUTS] = lambda connection: Guest(desk, connection)
