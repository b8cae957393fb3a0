"""A video of a library elsewhere, once: made here, its file fetched by the server or sent to it, its texts after it."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from server.client import forms, tus
from server.client.api import Api, at
from server.client.migration.calling import downloaded, once, picture
from server.client.migration.folders import Folders
from server.client.migration.hls_fetching import HlsFilms
from server.client.migration.hls_playlists import Unusable
from server.client.migration.library import Library, SourceText, SourceVideo
from server.client.migration.players import Players
from server.client.migration.results import Result, Taken
from server.client.refusals import Refused
from server.client.tus import Forgetful

ORIGIN = "importedFrom"  # key of metadata: apivideo:vi4blUQJFrYWbaG44NChkH27
CREATED = "importedCreatedAt"
TEXT_LIMIT = 10 * 1024 * 1024  # bytes of captions; an hour of talk has 100 kB
FAILED = frozenset({"error", "aborted"})
WAITING = FAILED | {"pending", "uploading"}  # for a file; one that the server fetches is pending, too


class Videos:
    """`rehearsal`: it only says what would become of each."""

    def __init__(
        self, api: Api, library: Library, players: Players, folders: Folders, rehearsal: bool
    ) -> None:
        self._api = api
        self._library = library
        self._players = players
        self._folders = folders
        self._rehearsal = rehearsal
        self._films = HlsFilms(library.fetch)

    def taken(self, video: SourceVideo) -> Taken:
        """Raises Refused, Unreachable."""
        known = self._known(video)
        id = known["videoId"] if known else None
        if video.hls_url and (known is None or known["state"] in WAITING):
            return self._by_stream(video, known, video.hls_url)
        if known is None and video.file_url is None:
            return Taken(video.id, video.title, "missing" if video.kept_back else "skipped", None, video.reason)
        if self._rehearsal:
            return Taken(video.id, video.title, _plan(known), id)
        if known is not None:
            self._give_player(known, video)
            result, reasons = self._fetched_again(known, video), [self._players.logo(video.player)]
        else:
            known = self._made(video)
            result, reasons = "new", [self._players.logo(video.player), self._poster(known["videoId"], video)]
        return self._finished(video, result, known["videoId"], reasons)

    def _by_stream(self, video: SourceVideo, known: Mapping[str, Any] | None, url: str) -> Taken:
        """One whose file can't be had, but its stream: that is fetched here, and uploaded."""
        try:
            film = self._films.look(url)
            if self._rehearsal:
                return Taken(video.id, video.title, "again" if known else "new", known["videoId"] if known else None)
            with self._films.brought(film) as path:
                return self._uploaded(video, path, _without(film.left))
        except Unusable as sentence:
            id = known["videoId"] if known else None
            return Taken(video.id, video.title, "missing", id, f"{video.reason} {sentence}")

    def _uploaded(self, video: SourceVideo, path: Path, reason: str) -> Taken:
        """Another run may have brought it meanwhile."""
        known = self._known(video)
        result: Result = "again" if known else "new"
        known = known or self._made(video)
        id = known["videoId"]
        if known["state"] not in WAITING:
            return self._finished(video, "known", id, [self._players.logo(video.player)])
        self._send(path, id)
        return self._finished(video, result, id, [reason, self._players.logo(video.player), self._poster(id, video)])

    def _send(self, path: Path, id: str) -> None:
        """Of two runs at the same moment the one that begins last brings it. Raises Refused, Unreachable."""
        about = {"videoId": id, "filename": path.name}
        try:
            tus.upload(self._api, path, about, Forgetful(), lambda _: None, renewed=False)
        except Refused as refusal:
            if refusal.status not in tus.GONE:
                raise
            raise Refused(409, {"title": "Another run brings its file at this moment."}) from None

    def _finished(self, video: SourceVideo, result: Result, id: str, reasons: Sequence[str]) -> Taken:
        reason = " ".join(each for each in reasons if each)
        return self._with_texts(video, Taken(video.id, video.title, result, id, reason))

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
            "mp4Support": video.gives_file,
            "tags": list(video.tags),
            "metadata": [{"key": key, "value": value} for key, value in metadata if key],
        }
        if video.file_url:
            body["source"] = video.file_url
        if video.language:
            body["language"] = video.language
        if video.player:
            body["playerId"] = self._players.id_of(video.player)
        if video.folder:
            body["folderId"] = self._folders.id_of(video.folder)
        return body

    def _give_player(self, known: Mapping[str, Any], video: SourceVideo) -> None:
        """Where it has none, as one that was taken before players were."""
        if video.player is not None and not known.get("playerId"):
            self._api.call("PATCH", at("videos", known["videoId"]), {"playerId": self._players.id_of(video.player)})

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
        content = text.content if text.content is not None else downloaded(self._library, text.url or "")
        if len(content) > TEXT_LIMIT:
            raise Refused(413, {"name": text.kind, "title": f"The file of {text.language} is too large."})
        path = at("videos", video_id, text.kind, text.language)
        self._send_file(path, content, "text.vtt")
        if text.default:
            self._api.call("PATCH", path, {"default": True})

    def _send_file(self, path: str, content: bytes, name: str, **fields: str) -> None:
        body, headers = forms.of_file(content, name, **fields)
        self._api.send("POST", path, body, headers={**headers, **once()})

    def _poster(self, video_id: str, video: SourceVideo) -> str:
        """Why it is not that of the library; a video is no less for it."""
        if video.poster_url is None:
            return ""
        try:
            self._send_file(at("videos", video_id, "thumbnail"), picture(self._library, video.poster_url), "poster.jpg")
        except Refused as refusal:
            return f"Without its thumbnail: {refusal}"
        return ""


def _without(languages: Sequence[str]) -> str:
    if not languages:
        return ""
    return f"Without its sound of other languages ({', '.join(languages)}), which can't be joined to its pictures."


def _plan(known: Mapping[str, Any] | None) -> Result:
    if known is None:
        return "new"
    return "again" if known["state"] in FAILED else "known"
