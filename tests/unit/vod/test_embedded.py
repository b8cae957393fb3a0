"""Texts of a file kept beside those that its owner uploaded."""

from dataclasses import asdict
from typing import Any

import pytest

from server.catalog import text_tracks, versions, videos
from server.catalog.models import TextTrack
from server.media.child import ChildFailed
from server.media.facts import Chapter, SoundFacts, SourceFacts, SubtitleFacts
from server.vod import embedded
from server.vod.embedded import EmbeddedTexts
from server.vod.texts import Texts
from tests.unit.vod.conftest import Archive

CUES = b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nWords\n"
GERMAN = SubtitleFacts(2, "subrip", "text", "de", "Untertitel", default=True)
FORCED = SubtitleFacts(3, "ass", "text", "de", forced=True)
UNKNOWN = SubtitleFacts(4, "mov_text", "text")
BITMAP = SubtitleFacts(5, "hdmv_pgs_subtitle", "bitmap", "en")
CHAPTERS = (Chapter(0.0, 5.0, "First & <last>"), Chapter(5.0, 9.0))


class Job:
    """A run of the job."""

    attempt = 2

    def __init__(self, video_id: str, **changes: Any) -> None:
        self.object_id = video_id
        facts = SourceFacts("Matroska", 10.0, subtitles=(GERMAN, FORCED, UNKNOWN, BITMAP), chapters=CHAPTERS)
        self.arguments = {**(embedded.order(1, facts) or {}), **changes}

    async def step(self, name: str, work: Any, *, attempts: int) -> Any:
        return await work()


@pytest.fixture
async def video_id(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> str:
    async def subtitles(*arguments: Any) -> list[bytes]:
        return [CUES] * len(arguments[-1])

    monkeypatch.setattr(embedded.embedded, "subtitles", subtitles)
    return await archive.video()


async def changed(archive: Archive, id: str, **fields: Any) -> None:
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, id)
        assert row
        for name, value in fields.items():
            setattr(row, name, value)


async def run(archive: Archive, id: str, **changes: Any) -> None:
    made = EmbeddedTexts(archive.database, archive.layout, archive.children)  # type: ignore[arg-type]
    await made.run(Job(id, **changes))  # type: ignore[arg-type]


async def kept(archive: Archive, id: str, kind: Any = "captions") -> list[TextTrack]:
    async with archive.database.read() as transaction:
        return await text_tracks.of_video(transaction, id, kind)


async def test_captions_and_chapters(archive: Archive, video_id: str) -> None:
    await run(archive, video_id)

    rows = await kept(archive, video_id)
    assert [(row.language, row.title, row.default, row.origin) for row in rows] == [
        ("de", "Untertitel", True, "source"), ("de-x-forced", "", False, "source"), ("und", "", False, "source"),
    ]  # fmt: skip
    (chapters,) = await kept(archive, video_id, "chapters")
    found = await Texts(archive.database, archive.layout).find(video_id, "chapters", chapters.language)
    assert found is not None
    assert found[1].decode() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\nFirst &amp; &lt;last&gt;\n\n"
        "00:00:05.000 --> 00:00:10.000\nChapter 2\n"
    )


async def test_videos_are_found_at_once_by_what_their_files_say(archive: Archive, video_id: str) -> None:
    await run(archive, video_id)
    async with archive.database.read() as transaction:
        assert await text_tracks.unread(transaction, 9) == []


async def test_again_is_the_same(archive: Archive, video_id: str) -> None:
    for _ in range(2):
        await run(archive, video_id)
    assert len(await kept(archive, video_id)) == 3
    assert [row.default for row in await kept(archive, video_id)] == [True, False, False]


async def test_what_the_owner_uploaded_stays(archive: Archive, video_id: str) -> None:
    texts = Texts(archive.database, archive.layout)
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, video_id)
        assert row
        mine = await texts.put(transaction, row, "captions", "de", "WEBVTT\n\nmine")
        other = await texts.put(transaction, row, "captions", "fr", "WEBVTT\n\nmine")
        await text_tracks.set_default(transaction, row, other, True)
        assert mine.version == 1

    await run(archive, video_id)

    found = await texts.find(video_id, "captions", "de")
    assert found == (1, b"WEBVTT\n\nmine")
    rows = {row.language: (row.origin, row.default) for row in await kept(archive, video_id)}
    assert rows["de"] == ("upload", False)
    assert rows["fr"] == ("upload", True)
    assert set(rows) == {"de", "fr", "de-x-forced", "und"}


async def test_what_an_earlier_source_brought_goes(archive: Archive, video_id: str) -> None:
    await run(archive, video_id)
    await changed(archive, video_id, source_revision=2)

    await run(archive, video_id)  # of the source before: too late
    assert len(await kept(archive, video_id)) == 3
    await run(archive, video_id, revision=2, tracks=[asdict(GERMAN)], chapters=[])

    assert [row.language for row in await kept(archive, video_id)] == ["de"]
    assert await kept(archive, video_id, "chapters") == []


@pytest.mark.parametrize("replaced", [False, True])
async def test_of_what_is_trimmed_meanwhile_all_is_kept(archive: Archive, video_id: str, replaced: bool) -> None:
    """Of a video's own file, the second it had, and of a version's; with the times of the whole, as always."""
    of = await archive.video(version_of=video_id, edit={"reason": "replace"}) if replaced else video_id
    revision = 1 if replaced else 2
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, video_id)
        assert row
        row.state, row.source, row.source_revision = "done", "upload", revision
        row.material_id = of if replaced else None
        trim = {"start": 0.5, "end": None, "of": of, "duration": 10.0}
        version = await versions.new(transaction, row, versions.TRIM, trim=trim)
        version.media, version.duration_s = {}, 9.5
        await versions.show(transaction, row, version)

    await run(archive, of, revision=revision)

    texts = Texts(archive.database, archive.layout)
    assert await texts.find(video_id, "captions", "de") == (
        1, b"WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nWords\n",
    )  # fmt: skip
    assert [row.language for row in await kept(archive, video_id, "chapters")] == ["und"]


async def test_a_file_that_is_replaced_meanwhile_says_nothing(archive: Archive, video_id: str) -> None:
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, video_id)
        assert row
        row.state, row.source = "done", "upload"
        version = await versions.new(transaction, row, versions.REPLACE)
        await versions.show(transaction, row, version)

    await run(archive, video_id)

    assert await kept(archive, video_id) == []


async def test_a_child_that_fails_leaves_the_chapters(
    archive: Archive, video_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def subtitles(*_: Any) -> list[bytes]:
        raise ChildFailed("crashed", "")

    monkeypatch.setattr(embedded.embedded, "subtitles", subtitles)
    await run(archive, video_id)
    assert await kept(archive, video_id) == []
    assert len(await kept(archive, video_id, "chapters")) == 1


async def test_what_a_child_says_is_read_with_care(
    archive: Archive, video_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def subtitles(*_: Any) -> list[bytes]:
        return [b"<script>", b"", CUES]

    monkeypatch.setattr(embedded.embedded, "subtitles", subtitles)
    await run(archive, video_id)
    assert [row.language for row in await kept(archive, video_id)] == ["und"]


async def test_a_deleted_video_has_no_texts(archive: Archive, video_id: str) -> None:
    await archive.delete(video_id)
    await run(archive, video_id)


def test_a_file_without_texts_has_no_job_unless_it_takes_the_place_of_another() -> None:
    bare = SourceFacts("Matroska", 10.0, subtitles=(BITMAP,))
    assert embedded.order(1, bare) is None
    assert embedded.order(2, bare) is not None
    spoken = embedded.order(1, SourceFacts("MP4", 1.0, sounds=(SoundFacts(0, "aac", 2, 48_000, language="fr"),),
                                           chapters=CHAPTERS))  # fmt: skip
    assert spoken is not None
    assert (spoken["language"], spoken["tracks"]) == ("fr", [])


def test_tracks_of_one_language_are_told_apart() -> None:
    long = SubtitleFacts(9, "ass", "text", "sr-Latn-x-" + "a" * 8 + "-b" * 8)
    tracks = [GERMAN, GERMAN, FORCED, FORCED, UNKNOWN, long]
    tags = embedded.languages(tracks, "it")
    assert tags == ["de", "de-x-2", "de-x-forced", "de-x-forced-2", "it", "sr"]
    assert all(len(tag) <= 35 for tag in tags)
