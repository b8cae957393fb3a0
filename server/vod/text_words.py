"""Words of captions: by them videos are found."""

import asyncio
import html
import re
from contextlib import AbstractAsyncContextManager

from server import log
from server.catalog import text_tracks, words
from server.catalog.database import Database
from server.catalog.models import TextTrack
from server.formats import webvtt
from server.formats.webvtt import TextError
from server.storage.layout import Layout
from server.vod.rounds import rounds

EVERY_S = 3600.0  # only what older releases kept is waiting
AT_ONCE = 20  # tracks of a round, some tens of milliseconds of a thread each

_TAG = re.compile(r"<[^<>]*>")

_log = log.get("vod")


def words_of(text: str) -> str:
    """As catalog.words keeps them; `text` is WebVTT, or nothing is said in it."""
    try:
        cues = webvtt.read(text).cues
    except TextError:
        return ""
    # a word may be in several colours, a line's end is the end of one
    plain = "\n".join(_TAG.sub("", cue.text) for cue in cues)
    return words.of_captions(html.unescape(plain))


class TextWords:
    """Reads the captions that nobody read for their words, while `running()` lasts."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    def running(self) -> AbstractAsyncContextManager[None]:
        return rounds(self.round, EVERY_S, _log, "captions could not be read for their words", AT_ONCE)

    async def round(self) -> int:
        """How many were read, AT_ONCE at most."""
        async with self._database.read() as transaction:
            tracks = await text_tracks.unread(transaction, AT_ONCE)
        for track in tracks:
            found = await asyncio.to_thread(self._read, track)
            async with self._database.write() as transaction:
                await text_tracks.was_read(transaction, track, found)
        return len(tracks)

    def _read(self, track: TextTrack) -> str:
        """Nothing of a file that is gone, or is no text any more. Blocks."""
        path = self._layout.text_track(track.video_id, track.kind, track.language, track.version)
        try:
            return words_of(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            return ""
