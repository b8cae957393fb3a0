"""Each video of a library elsewhere, once: made here, its file fetched by the server, its texts sent after it."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from server.client import forms
from server.client.api import Api, Unreachable, at
from server.client.migration.library import Library, SourceText, SourceVideo
from server.client.refusals import Refused

ORIGIN = "importedFrom"  # key of metadata: apivideo:vi4blUQJFrYWbaG44NChkH27
CREATED = "importedCreatedAt"
TEXT_LIMIT = 10 * 1024 * 1024  # bytes of captions; an hour of talk has 100 kB
FOLDERS_DEEP = 16  # as deep as a tree is
FAILED = frozenset({"error", "aborted"})

Result = Literal["new", "known", "again", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one. `new` and `again`: the server fetches its file now; `skipped`: there is none."""

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

    def run(self, began: Callable[[int], None], moved: Callable[[Taken], None]) -> list[Taken]:
        """`began` hears how many there are, `moved` of each. What goes wrong with one does not keep the others.
        Raises Refused where the library itself will not be read, Unreachable."""
        listing = self._library.listing()
        began(listing.total)
        found = []
        for video in listing.videos:
            found.append(self._taken(video))
            moved(found[-1])
        return found

    def _taken(self, video: SourceVideo) -> Taken:
        known: dict[str, Any] | None = None

        def became(result: Result, reason: str = "") -> Taken:
            return Taken(video.id, video.title, result, known["videoId"] if known else None, reason)

        if video.refused:
            return became("failed", video.reason)
        try:
            known = self._known(video)
            if known is None and video.file_url is None:
                return became("skipped", video.reason)
            if self._rehearsal:
                return became(_plan(known))
            result = self._fetched_again(known, video) if known else "new"
            known = known or self._made(video)
            self._send_texts(known["videoId"], video.texts)
        except Refused as refusal:
            return became("failed", str(refusal))
        return became(result)

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
        body, headers = forms.of_file(content, "text.vtt")
        self._api.send("POST", path, body, headers=headers)
        if text.default:
            self._api.call("PATCH", path, {"default": True})

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
            made = self._api.call("POST", "/folders", {"name": path[-1], "parentId": parent})
            self._folders[path] = made["folderId"]
        return self._folders[path]


def _plan(known: Mapping[str, Any] | None) -> Result:
    if known is None:
        return "new"
    return "again" if known["state"] in FAILED else "known"
