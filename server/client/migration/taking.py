"""Each video of a library elsewhere, once: made here, its file fetched by the server, its texts sent after it."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from server.client import forms
from server.client.api import Api, Unreachable, at
from server.client.migration.library import Library, Listed, SourcePlayer, SourceText, SourceVideo
from server.client.refusals import Refused

ORIGIN = "importedFrom"  # key of metadata: apivideo:vi4blUQJFrYWbaG44NChkH27
CREATED = "importedCreatedAt"
TEXT_LIMIT = 10 * 1024 * 1024  # bytes of captions; an hour of talk has 100 kB
PICTURE_LIMIT = 16 * 1024 * 1024  # bytes, as much as the API takes
FOLDERS_DEEP = 16  # as deep as a tree is
NAME_CHARS = 100  # of a player
FAILED = frozenset({"error", "aborted"})
HOPELESS = 5  # videos in a row for whom there was no answer, or none that a server gives on purpose: it is gone

Result = Literal["new", "known", "again", "skipped", "missing", "failed"]
UNDONE: frozenset[Result] = frozenset({"missing", "failed"})  # what another run may have to do


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one. `new` and `again`: the server fetches its file now; `skipped`: there is none; `missing`:
    there is one that can't be had; `reason` may also say what of one that is there could not be had."""

    source_id: str
    title: str
    result: Result
    video_id: str | None = None
    reason: str = ""

    def shown(self) -> dict[str, Any]:
        return {
            "sourceId": self.source_id, "title": self.title, "result": self.result, "videoId": self.video_id,
            "reason": self.reason or None,
        }  # fmt: skip


class Migration:
    """`rehearsal`: it only says what would become of each, and changes nothing."""

    def __init__(self, api: Api, library: Library, rehearsal: bool = False) -> None:
        self._api = api
        self._library = library
        self._rehearsal = rehearsal
        self._folders: dict[tuple[str, ...], str] | None = None
        self._players: dict[str, str] = {}
        self._looked = False  # at those that there are
        self._bare: set[str] = set()  # names of those that have no logo
        self._logos: dict[str, str] = {}  # names of those that were looked at for one -> what went wrong
        self._hopeless = 0

    def run(self, began: Callable[[int], None], moved: Callable[[Taken], None]) -> list[Taken]:
        """`began` hears how many there are, `moved` of each. What goes wrong with one does not keep the others.
        Raises Refused and Unreachable where the list itself can't be had, or nothing answers any more."""
        listing = self._library.listing()
        began(listing.total)
        return [self._taken(listed, moved) for listed in listing.videos]

    def _taken(self, listed: Listed, moved: Callable[[Taken], None]) -> Taken:
        failure: Refused | Unreachable | None = None
        try:
            taken = self._one(self._library.video(listed))
        except (Refused, Unreachable) as error:
            failure, taken = error, Taken(listed.id, listed.title, "failed", reason=str(error))
        moved(taken)
        self._hopeless = self._hopeless + 1 if failure is not None and _hopeless(failure) else 0
        if failure is not None and self._hopeless >= HOPELESS:
            raise failure
        return taken

    def _one(self, video: SourceVideo) -> Taken:
        """Raises Refused, Unreachable."""
        known = self._known(video)
        id = known["videoId"] if known else None
        if known is None and video.file_url is None:
            return Taken(video.id, video.title, "missing" if video.kept_back else "skipped", None, video.reason)
        if self._rehearsal:
            return Taken(video.id, video.title, _plan(known), id)
        if known is not None:
            result, reasons = self._fetched_again(known, video), [self._logo(video.player)]
        else:
            known = self._made(video)
            result, reasons = "new", [self._logo(video.player), self._poster(known["videoId"], video)]
        reason = " ".join(each for each in reasons if each)
        return self._with_texts(video, Taken(video.id, video.title, result, known["videoId"], reason))

    def _with_texts(self, video: SourceVideo, taken: Taken) -> Taken:
        """Where they can't be had it says so beside the id that the video has by now."""
        try:
            self._send_texts(taken.video_id or "", video.texts)
        except Refused as refusal:
            return Taken(video.id, video.title, "failed", taken.video_id, str(refusal))
        return taken

    def _known(self, video: SourceVideo) -> dict[str, Any] | None:
        """As it was taken before."""
        query = {"metadata": {ORIGIN: self._origin(video)}, "pageSize": 1}
        found = self._api.call("GET", "/videos", query=query)["data"]
        return dict(found[0]) if found else None

    def _origin(self, video: SourceVideo) -> str:
        return f"{self._library.name}:{video.id}"

    def _made(self, video: SourceVideo) -> dict[str, Any]:
        """Two runs at the same moment make one, as both give the same key. It may also be that of a video which was
        taken and deleted since: then it says nothing of one that is there, and another is made."""
        body = self._body(video)
        for key in (hashlib.sha256(self._origin(video).encode()).hexdigest(), secrets.token_hex(16)):
            try:
                answer = self._api.send("POST", "/videos", body, headers={"Idempotency-Key": f"import-{key}"})
                twin = "Idempotent-Replayed" in answer.headers
            except Refused as refusal:
                answer, twin = None, refusal.status == 409
                if not twin:
                    raise
            if answer is not None and not twin:
                return dict(answer.json)
            if (known := self._known(video)) is not None:
                return known
        raise Refused(409, {"title": "Another run takes it over at this moment."})

    def _body(self, video: SourceVideo) -> dict[str, Any]:
        metadata = [*video.metadata, (ORIGIN, self._origin(video)), (CREATED, video.created_at)]
        body: dict[str, Any] = {
            "title": video.title[:1000] if video.title.strip() else video.id,
            "description": video.description,
            "public": video.public,
            "panoramic": video.panoramic,
            "tags": list(video.tags),
            "metadata": [{"key": key, "value": value} for key, value in metadata if key],
            "source": video.file_url,
        }
        if video.language:
            body["language"] = video.language
        if video.player:
            body["playerId"] = self._player(video.player)
        if video.folder:
            body["folderId"] = self._folder(tuple((name.strip() or "-")[:255] for name in video.folder[:FOLDERS_DEEP]))
        return body

    def _fetched_again(self, known: Mapping[str, Any], video: SourceVideo) -> Result:
        """One whose file could not be had the last time."""
        if known["state"] not in FAILED or video.file_url is None:
            return "known"
        self._api.call("PUT", at("videos", known["videoId"], "source"), {"source": video.file_url})
        return "again"

    def _send_texts(self, video_id: str, texts: Sequence[SourceText]) -> None:
        """Those that are not there yet."""
        for kind in ("captions", "chapters"):
            wanted = [one for one in texts if one.kind == kind]
            if not wanted:
                continue
            there = {one.get("srclang") or one.get("language") for one in self._api.every(at("videos", video_id, kind))}
            for one in wanted:
                if one.language not in there:
                    self._send_text(video_id, one)

    def _send_text(self, video_id: str, text: SourceText) -> None:
        content = text.content if text.content is not None else self._downloaded(text.url or "")
        if len(content) > TEXT_LIMIT:
            raise Refused(413, {"name": text.kind, "title": f"The file of {text.language} is too large."})
        path = at("videos", video_id, text.kind, text.language)
        self._send_file(path, content, "text.vtt")
        if text.default:
            self._api.call("PATCH", path, {"default": True})

    def _send_file(self, path: str, content: bytes, name: str, **fields: str) -> None:
        body, headers = forms.of_file(content, name, **fields)
        self._api.send("POST", path, body, headers={**headers, **_once()})

    def _poster(self, video_id: str, video: SourceVideo) -> str:
        """Why it is not that of the library; a video is no less for it."""
        if video.poster_url is None:
            return ""
        try:
            self._send_file(at("videos", video_id, "thumbnail"), self._picture(video.poster_url), "poster.jpg")
        except Refused as refusal:
            return f"Without its thumbnail: {refusal}"
        return ""

    def _picture(self, url: str) -> bytes:
        found = self._downloaded(url)
        if not found or len(found) > PICTURE_LIMIT:
            raise Refused(413, {"title": "The picture is empty." if not found else "The picture is too large."})
        return found

    def _player(self, player: SourcePlayer) -> str:
        """The id of this look here, which is made where it is not there: it is known by the other id in its name."""
        self._look_at_players()
        name = _name_of(player)
        if name not in self._players:
            made = self._api.send("POST", "/players", {"name": name, **player.attributes}, headers=_once()).json
            self._players[name] = made["playerId"]
            self._bare.add(name)
        return self._players[name]

    def _look_at_players(self) -> None:
        """Once: there may be none."""
        if self._looked:
            return
        for one in self._api.every("/players"):
            self._players[one["name"]] = one["playerId"]
            if not one["assets"]["logo"]:
                self._bare.add(one["name"])
        self._looked = True

    def _logo(self, player: SourcePlayer | None) -> str:
        """Why its player has not the logo of the library, which is sent once where there is none; a video is no less
        for it."""
        if player is None or player.logo_url is None:
            return ""
        self._look_at_players()
        name = _name_of(player)
        if name in self._bare and name not in self._logos:
            self._logos[name] = self._sent_logo(self._players[name], player, player.logo_url)
        return self._logos.get(name, "")

    def _sent_logo(self, player_id: str, player: SourcePlayer, url: str) -> str:
        link = {"link": player.logo_link} if player.logo_link.isascii() and player.logo_link else {}
        try:
            self._send_file(at("players", player_id, "logo"), self._picture(url), "logo.png", **link)
        except Refused as refusal:
            return f"Without its player's logo: {refusal}"
        return ""

    def _downloaded(self, url: str) -> bytes:
        """Of one video: what can't be reached there does not keep the others. Raises Refused."""
        try:
            return self._library.download(url)
        except Unreachable as error:
            raise Refused(502, {"title": str(error)}) from None

    def _folder(self, path: tuple[str, ...]) -> str:
        """The id of the folder with these names from the top down, which is made where it is not there."""
        if self._folders is None:
            found = self._api.every("/folders")
            self._folders = {tuple(step["name"] for step in one["path"]): one["folderId"] for one in found}
        if path not in self._folders:
            parent = self._folder(path[:-1]) if len(path) > 1 else None
            body = {"name": path[-1], "parentId": parent}
            self._folders[path] = self._api.send("POST", "/folders", body, headers=_once()).json["folderId"]
        return self._folders[path]


def _name_of(player: SourcePlayer) -> str:
    mark = f" ({player.id})"
    return player.name[: NAME_CHARS - len(mark)] + mark


def _plan(known: Mapping[str, Any] | None) -> Result:
    if known is None:
        return "new"
    return "again" if known["state"] in FAILED else "known"


def _hopeless(failure: Refused | Unreachable) -> bool:
    """It says nothing of the one video that was asked for."""
    return isinstance(failure, Unreachable) or failure.status in (401, 429) or failure.status >= 500


def _once() -> dict[str, str]:
    """So that a call that is made again has one effect."""
    return {"Idempotency-Key": f"import-{secrets.token_hex(16)}"}
