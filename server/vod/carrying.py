"""Captions and chapters that go along where one video is made of others: linked when it is ordered, put together when
it is known when each of them begins.

    ordered    each text of each part: <video>/inputs/<part>-<kind>-<language>, and a row of the job's arguments
    made       those of one language, one after the other, as a text of the new video; of what is to take the place of
               a video's own file, beside it: there they come together with the video's (vod.lengthening)
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from itertools import groupby, zip_longest
from typing import Any

from server import log
from server.catalog import text_tracks, video_details, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import TextTrack, Video
from server.errors import Problem
from server.formats import webvtt
from server.storage.layout import Layout
from server.vod import texts
from server.vod.texts import UPLOAD, Texts, said, shown_of

LAID = 1  # the version of a text that is laid beside
MOST = 2000  # texts of an order: twenty languages of a hundred parts

_log = log.get("vod")

Told = Mapping[str, Any]  # {"part", "kind", "language", "title", "default", "origin", "start", "end"}: ms of its text


class Carrying:
    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._texts = Texts(database, layout)

    async def link(
        self,
        transaction: Transaction,
        row_id: str,
        parts: Sequence[Video | None],
        times_s: Sequence[tuple[float, float | None]] = (),
    ) -> list[Told]:
        """What the job is told; nothing of a part that is None. `times_s`: start and end of what is shown of each part,
        all of it where nothing is said. Raises OSError."""
        told: list[Told] = []
        for number, part in enumerate(parts):
            if part is None:
                continue
            start_s, end_s = times_s[number] if times_s else (0.0, None)
            shown = shown_of(part)
            end = shown.end_ms if end_s is None else shown.start_ms + round(end_s * 1000)
            for row in (await text_tracks.to_watch(transaction, part.id))[: MOST - len(told)]:
                await asyncio.to_thread(self._link, row_id, number, row)
                told.append(
                    {"part": number, "kind": row.kind, "language": row.language, "title": row.title,
                     "default": row.default, "origin": row.origin,
                     "start": shown.start_ms + round(start_s * 1000), "end": end}
                )  # fmt: skip
        return told

    def _link(self, row_id: str, number: int, row: TextTrack) -> None:
        path = self._layout.video_input_part(row_id, _name(number, row.kind, row.language))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.link(self._layout.text_track(row.video_id, row.kind, row.language, row.version), path)

    async def carry(self, video_id: str, told: Sequence[Told], starts_s: Sequence[float], lead_s: float = 0) -> None:
        """`starts_s`: when each part begins; the first one does `lead_s` before what was asked for."""
        made = await asyncio.to_thread(self._made, video_id, told, starts_s, lead_s)
        words = {key: await said(key[0], text) for key, (_, text) in made.items()}
        default = next((each["language"] for each in told if each["default"]), None)
        async with self._database.write() as transaction:
            video = await videos.find(transaction, video_id)
            if video is None:
                return  # deleted meanwhile
            await video_details.look_again(transaction, video)  # texts can be read before there is something to watch
            known = {(row.kind, row.language): row for row in await text_tracks.to_watch(transaction, video_id)}
            chosen = any(row.default for row in known.values())
            for (kind, language), (each, text) in made.items():
                if (kind, language) in known:
                    continue  # its owner's, who did not wait; or ours, of before a crash
                try:
                    row = await self._texts.put(
                        transaction, video, kind, language, text, each["origin"], each["title"], words[kind, language]
                    )
                except Problem as problem:
                    _log.warning("a text does not go along", video=video_id, language=language, reason=problem.detail)
                    continue
                if kind == "captions" and language == default and not chosen:
                    await text_tracks.set_default(transaction, video, row, True)

    async def lay(self, video_id: str, told: Sequence[Told], starts_s: Sequence[float]) -> list[Told]:
        """As `carry`, but they are no texts of the video yet: files, at their first version; of what."""
        made = await asyncio.to_thread(self._made, video_id, told, starts_s, 0.0)
        for (kind, language), (_, text) in made.items():
            await asyncio.to_thread(texts.write, self._layout.text_track(video_id, kind, language, LAID), text)
        kept = "kind", "language", "title", "default", "origin"
        return [{name: each[name] for name in kept} for each, _ in made.values()]

    def _made(
        self, video_id: str, told: Sequence[Told], starts_s: Sequence[float], lead_s: float
    ) -> dict[tuple[Any, str], tuple[Told, str]]:
        """By kind and language. Blocks."""
        found: dict[tuple[Any, str], tuple[Told, str]] = {}
        ordered = sorted(told, key=lambda each: (each["kind"], each["language"], each["part"]))
        lengths = [
            None if after is None else round((after - start) * 1000)
            for start, after in zip_longest(starts_s, starts_s[1:])
        ]
        for key, group in groupby(ordered, key=lambda each: (each["kind"], each["language"])):
            parts = list(group)
            rows = []
            for each in parts:
                name = _name(each["part"], *key)
                track = webvtt.read(self._layout.video_input_part(video_id, name).read_text("utf-8"))
                start = each["start"] - round(lead_s * 1000)
                cut = webvtt.within(webvtt.within(track, start, each["end"]), 0, lengths[each["part"]])
                rows.append((round(starts_s[each["part"]] * 1000), cut))
            whole = webvtt.in_a_row(rows)
            if whole.cues:
                origin = parts[0]["origin"] if len({each["origin"] for each in parts}) == 1 else UPLOAD
                found[key] = {**parts[0], "origin": origin}, webvtt.write(whole)
        return found


def earlier(told: Sequence[Told], leads_s: Sequence[float]) -> list[Told]:
    """As it is where each part begins so many seconds before what was asked for."""
    return [{**each, "start": each["start"] - round(leads_s[each["part"]] * 1000)} for each in told]


def _name(number: int, kind: str, language: str) -> str:
    return f"{number}-{kind}-{language}"
