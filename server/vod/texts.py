"""Captions and chapters: checked, kept beside the video as WebVTT, and given out."""

import asyncio
import contextlib
from pathlib import Path
from typing import NamedTuple

from server import log
from server.catalog import text_tracks, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import TextTrack, Video
from server.catalog.text_tracks import Kind
from server.errors import Problem
from server.formats import subrip, webvtt
from server.formats.webvtt import TextError
from server.storage.layout import Layout
from server.vod.text_words import words_of

MAX_BYTES = 10 << 20  # some hundred times the talk of a film

UPLOAD = "upload"  # the origin of what owners bring

_log = log.get("vod")


class Shown(NamedTuple):
    """From one moment of a file to another, None: its end."""

    start_ms: int = 0
    end_ms: int | None = None


WHOLE = Shown()


class Texts:
    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    async def put(
        self,
        transaction: Transaction,
        video: Video,
        kind: Kind,
        language: str,
        text: str,
        origin: str = UPLOAD,
        title: str = "",
        spoken: str | None = None,
    ) -> TextTrack:
        """Keeps a text as `checked` gives it, in place of one of its language. Raises Problem: 409 too many.

        `spoken`: what `said` finds, which takes too long for the one transaction that writes; without it captions are
        read for their words later.
        What is uploaded has the times of what is watched, and is kept with those of the whole file.
        The file is there before the row says so; a transaction that fails leaves one that nobody asks for.
        """
        known = await text_tracks.of_video(transaction, video.id, kind)
        after = 0
        if language not in {row.language for row in known}:
            if len(known) >= text_tracks.MAX_TRACKS:
                raise Problem("conflict", f"A video has {text_tracks.MAX_TRACKS} languages at most.")
            versions = await asyncio.to_thread(self._layout.text_versions, video.id, kind, language)
            after = max(versions, default=0)
        row = await text_tracks.put(transaction, video, kind, language, origin, title, spoken, after)
        if origin == UPLOAD and (at := shown_of(video)) != WHOLE:
            text = await asyncio.to_thread(_moved, text, -at.start_ms)
        row.stored_bytes = await asyncio.to_thread(write, self._path(row), text)
        if row.version > 1:
            old = self._layout.text_track(row.video_id, row.kind, row.language, row.version - 1)
            transaction.after_commit(lambda: _discard(old))
        return row

    async def remove(self, transaction: Transaction, video: Video, row: TextTrack) -> None:
        """An empty file stays, so that no other text of the language ever has the same version: caches keep what they
        were told under it."""
        path = self._path(row)
        await text_tracks.remove(transaction, video, row)
        transaction.after_commit(lambda: _empty(path))

    async def find(self, video_id: str, kind: Kind, language: str) -> tuple[int, bytes] | None:
        """The version of a track and its text, with the times of what is watched."""
        async with self._database.read() as transaction:
            row = await text_tracks.get(transaction, video_id, kind, language)
            video = await videos.find(transaction, video_id)
        if row is None or video is None:
            return None
        try:
            return row.version, await asyncio.to_thread(_shown, self._path(row), shown_of(video))
        except FileNotFoundError:  # replaced or deleted in between
            _log.warning("a text is missing", video=video_id, kind=kind, language=language)
            return None

    def _path(self, row: TextTrack) -> Path:
        return self._layout.text_track(row.video_id, row.kind, row.language, row.version)


async def said(kind: Kind, text: str) -> str | None:
    """What is found of a text by its words: something of captions alone."""
    return await asyncio.to_thread(words_of, text) if kind == "captions" else None


def checked(data: bytes) -> str:
    """The text of an uploaded file as WebVTT. Raises Problem, which names the line that can't be read."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError as error:
        place = data[: error.start].count(b"\n") + 1
        raise _invalid(f"Line {place} is not UTF-8; save the file in that encoding.") from None
    reader = subrip if subrip.looks_like(text) else webvtt
    try:
        track = reader.read(text)
    except TextError as error:
        raise _invalid(f"Line {error.line}: {error.reason}.") from None
    if not track.cues:
        raise _invalid("There is no text with times in it.")
    return webvtt.write(track)


def _invalid(detail: str) -> Problem:
    return Problem("uploaded-file-invalid-file", detail, name="file")


def shown_of(video: Video) -> Shown:
    """What of the file that its texts are of is watched."""
    if video.trim is None:
        return WHOLE
    end_s, lead_s = video.trim["end"], video.trim.get("lead", 0.0)
    return Shown(round((video.trim["start"] - lead_s) * 1000), None if end_s is None else round(end_s * 1000))


def _moved(text: str, start_ms: int) -> str:
    return webvtt.write(webvtt.within(webvtt.read(text), start_ms))


def _shown(path: Path, shown: Shown) -> bytes:
    data = path.read_bytes()
    if shown == WHOLE:
        return data
    return webvtt.write(webvtt.within(webvtt.read(data.decode()), *shown)).encode()


def write(path: Path, text: str) -> int:
    """How many bytes. Blocks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return _replace(path, text.encode())


def _replace(path: Path, data: bytes) -> int:
    """How many bytes. Those that were there may be linked elsewhere (vod.carrying), and stay what they are."""
    temporary = path.with_suffix(".new")
    size = temporary.write_bytes(data)
    temporary.replace(path)
    return size


def _empty(path: Path) -> None:
    with contextlib.suppress(OSError):
        _replace(path, b"")


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
