"""A file sent over tus 1.0.0 in pieces: what was cut off goes on where it was, also in another run of the program."""

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin

from server.client.api import Answer, Api, Unreachable, exchange
from server.client.refusals import Refused

PIECE = 8 * 1024 * 1024  # bytes of one request, so of what a lost connection costs at most
TRIES = 10  # in a row without progress
LONGEST_PAUSE_S = 10.0
PASSING = frozenset({408, 409, 423, 429, 500, 502, 503, 504})  # refusals that are worth another try
GONE = frozenset({403, 404, 410})  # the upload that was begun is there no more
REMEMBERED = 1000  # uploads; the oldest are forgotten first

Moved = Callable[[int], None]  # hears of how many bytes have arrived


class Memory:
    """Uploads that were begun and are not whole: a file of JSON, which only its owner may read, as an upload's address
    is all that it takes to go on with it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> str | None:
        found = self._read().get(name)
        return found if isinstance(found, str) else None

    def put(self, name: str, address: str | None) -> None:
        """None forgets it."""
        known = {key: value for key, value in self._read().items() if key != name}
        if address is not None:
            known[name] = address
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self._path.with_suffix(f".{os.getpid()}")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(dict(list(known.items())[-REMEMBERED:]), file)
        beside.replace(self._path)

    def _read(self) -> dict[str, object]:
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


class Forgetful(Memory):
    """For files that no other run will have."""

    def __init__(self) -> None:
        super().__init__(Path())

    def get(self, name: str) -> None:
        return None

    def put(self, name: str, address: str | None) -> None:
        pass


def default_memory() -> Memory:
    """Where programs of a user keep such things (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Memory(Path(state).expanduser() / "sluice" / "uploads.json")


def upload(
    api: Api, path: Path, metadata: Mapping[str, str], memory: Memory, moved: Moved, renewed: bool = True
) -> str:
    """Sends the file; the id of its video. Raises OSError, Refused, Unreachable.

    An upload of the same file, as it is now, to the same server and for the same purpose is taken up again. One that is
    gone is begun anew, unless it is not to be `renewed`: then another has taken its place, and is left there.
    """
    facts = path.stat()
    name = _name(api, path, facts.st_size, facts.st_mtime_ns, metadata)
    return _Upload(api, path, facts.st_size, metadata, moved, name, memory, renewed).run()


class _Upload:
    def __init__(
        self, api: Api, path: Path, length: int, metadata: Mapping[str, str], moved: Moved, name: str, memory: Memory,
        renewed: bool,
    ) -> None:  # fmt: skip
        self._api = api
        self._path = path
        self._length = length
        self._metadata = metadata
        self._moved = moved
        self._name = name
        self._memory = memory
        self._renewed = renewed
        self._failures = 0
        self._furthest = 0  # of what was kept

    def run(self) -> str:
        where, gone = self._known(), 0
        while True:
            address, video_id = where or self._begin()
            try:
                self._send(address)
            except Refused as refusal:
                gone += 1
                if refusal.status not in GONE or not self._renewed or gone == TRIES:
                    raise
                where, self._furthest = None, 0
                self._failed(refusal)
                continue
            self._memory.put(self._name, None)
            return video_id

    def _known(self) -> tuple[str, str] | None:
        """(its address, its video), if it was begun before."""
        found = self._memory.get(self._name)
        video_id, space, address = (found or "").partition(" ")
        return (address, video_id) if space else None

    def _begin(self) -> tuple[str, str]:
        answer = self._patiently(lambda: self._api.send("POST", "/tus/", b"", headers={
            "Tus-Resumable": "1.0.0", "Upload-Length": str(self._length), "Upload-Metadata": encoded(self._metadata),
        }))  # fmt: skip
        address = urljoin(self._api.address("/tus/"), answer.headers["Location"])
        video_id = answer.headers["Sluice-Video-Id"]
        self._memory.put(self._name, f"{video_id} {address}")
        return address, video_id

    def _send(self, address: str) -> None:
        """From where it is to the end. The address opens the upload by itself, so the key is not sent with it."""
        offset = self._offset(address)
        self._moved(offset)
        with self._path.open("rb") as file:
            while offset < self._length:
                file.seek(offset)
                piece = file.read(min(PIECE, self._length - offset))
                if not piece:
                    raise OSError(f"{self._path} became shorter while it was sent")
                try:
                    offset = self._further(offset, _offset(self._piece(address, offset, piece)))
                except (Unreachable, Refused) as failure:
                    if isinstance(failure, Refused) and failure.status not in PASSING:
                        raise
                    self._failed(failure)
                    offset = self._offset(address)
                self._moved(offset)

    def _further(self, before: int, offset: int) -> int:
        """Raises Unreachable where nothing came of a piece, though it was taken. What is only sent again, as it was
        lost, is no headway."""
        if offset <= before:
            raise Unreachable(f"{self._api.url} takes what it is sent, and does not keep it.")
        if offset > self._furthest:
            self._furthest, self._failures = offset, 0
        return offset

    def _piece(self, address: str, offset: int, piece: bytes) -> Answer:
        return self._ask("PATCH", address, piece, {
            "Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream",
        })  # fmt: skip

    def _offset(self, address: str) -> int:
        return _offset(self._patiently(lambda: self._ask("HEAD", address, None, {"Tus-Resumable": "1.0.0"})))

    def _ask(self, method: str, address: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Whoever reads the address could go on with the upload: sentences name the server. Raises Refused,
        Unreachable."""
        try:
            return exchange(method, address, data, headers)
        except Unreachable as failure:
            raise Unreachable(str(failure).replace(address.split("?")[0], self._api.url)) from None

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        while True:
            try:
                return ask()
            except Unreachable as failure:
                self._failed(failure)
            except Refused as refusal:
                if refusal.status not in PASSING:
                    raise
                self._failed(refusal)

    def _failed(self, failure: Exception) -> None:
        """Waits for a while; raises what was the matter once it has been too often."""
        self._failures += 1
        if self._failures >= TRIES:
            raise failure
        time.sleep(min(LONGEST_PAUSE_S, 0.25 * 2**self._failures))


def encoded(metadata: Mapping[str, str]) -> str:
    """As Upload-Metadata has it."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())


def _offset(answer: Answer) -> int:
    found = answer.headers.get("Upload-Offset", "")
    with suppress(ValueError):
        return int(found)
    raise Unreachable("What answers is no tus server.")


def _name(api: Api, path: Path, size: int, changed_ns: int, metadata: Mapping[str, str]) -> str:
    """What tells this upload from others, without saying anything about it."""
    parts = [api.url, str(path.resolve()), size, changed_ns, sorted(metadata.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
