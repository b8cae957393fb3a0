"""Lists of videos: what is found, in which order, and that it is so in the transaction of the change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, text, update

from server.catalog import custom_fields, folders, text_tracks, video_lists, video_queries, videos, words
from server.catalog.custom_fields import Condition
from server.catalog.database import Database, Transaction
from server.catalog.dialects import found_by
from server.catalog.indexing import scope
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Project, TextTrack, Video
from server.catalog.organisation_models import CustomField, CustomValue, VideoWords
from server.catalog.video_queries import Filter

MORNING = datetime(2026, 1, 31, 8, tzinfo=UTC)


async def made(transaction: Transaction, title: str, **columns: Any) -> Video:
    return await videos.add(transaction, Video(**{"project_id": DEFAULT_PROJECT, "title": title, **columns}))


async def field(transaction: Transaction, name: str, type: str, **columns: Any) -> CustomField:
    row = CustomField(project_id=DEFAULT_PROJECT, name=name, type=type, **columns)
    return await custom_fields.add(transaction, row)


async def titles(
    transaction: Transaction, wanted: Filter | None = None, paging: Paging | None = None, by: CustomField | None = None
) -> list[str]:
    page = await video_lists.page(transaction, DEFAULT_PROJECT, wanted or Filter(), paging or Paging(), by=by)
    return [row.title for row in page.rows]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("sea", ["Searching", "The SEA"]),
        ("sea the", ["The SEA"]),
        ("creme", ["Crème brûlée"]),
        ("CRÈME brul", ["Crème brûlée"]),
        ("moewe", []),
        ("möw", ["Crème brûlée"]),
        ("tag2", ["The SEA"]),
        ("value", ["Searching"]),
        ("夏", ["夏の海"]),
        ("夏海", ["夏の海"]),
        ("\U0001e900", ["\U0001e900 new letters"]),
        ("", []),
        ("!?", []),
        ('" OR words:*', []),
        ("sea' & 'the", ["The SEA"]),
        ("se* NEAR(sea, the)", []),
        ("marks", []),
        ("p" * 500, []),
    ],
)
async def test_searching(database: Database, search: str, found: list[str]) -> None:
    async with database.write() as transaction:
        await made(transaction, "The SEA", tags=["tag1", "Tag2"])
        await made(transaction, "Searching", meta=[{"key": "Key", "value": "Value"}])
        await made(transaction, "Crème brûlée", description="Von Möwen.")
        await made(transaction, "夏の海")
        await made(transaction, "\U0001e900 new letters")
    async with database.read() as transaction:
        assert await titles(transaction, Filter(search=search), Paging(sort_by="title")) == found
        page = await videos.page(transaction, DEFAULT_PROJECT, Filter(search=search), Paging())
        assert page.total == len(found)


async def test_a_change_is_found_at_once_and_goes_with_its_transaction(database: Database) -> None:
    async with database.write() as transaction:
        row = await made(transaction, "before", tags=["old"])
        assert await titles(transaction, Filter(search="before")) == ["before"]
        row.title, row.tags = "after", ["new"]
        await transaction.flush()
        for wanted, found in (
            (Filter(search="before"), []), (Filter(search="after"), ["after"]), (Filter(tags=["old"]), []),
            (Filter(tags=["new"]), ["after"]), (Filter(tags=["NEW"]), []),
        ):  # fmt: skip
            assert await titles(transaction, wanted) == found

    async def fail() -> None:
        async with database.write() as transaction:
            (await transaction.get_one(Video, row.id)).title = "never"
            await transaction.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.write() as transaction:
        assert await titles(transaction, Filter(search="after")) == ["after"]
        assert await titles(transaction, Filter(search="never")) == []
        await videos.remove(transaction, await transaction.get_one(Video, row.id))
    async with database.read() as transaction:
        assert await titles(transaction, Filter(search="after")) == []
        assert await transaction.scalar(select(func.count()).select_from(VideoWords)) == 0


async def test_the_index_follows_rows_that_go_by_themselves(database: Database) -> None:
    async with database.write() as transaction:
        await made(transaction, "gone")
        await transaction.execute(delete(Video))
        assert await titles(transaction, Filter(search="gone")) == []
        await made(transaction, "gone again")  # an index that kept what was there would be corrupt now
        assert await titles(transaction, Filter(search="gone")) == ["gone again"]


async def test_discarded_videos_versions_and_other_projects_are_not_found(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        row = await made(transaction, "word mine")
        await made(transaction, "word version", version_of=row.id)
        await made(transaction, "word theirs", project_id="pr2")
        discarded = await made(transaction, "word discarded")
        await videos.discard(transaction, discarded, MORNING)
    async with database.write() as transaction:
        page = await videos.page(transaction, DEFAULT_PROJECT, Filter(search="word"), Paging())
        assert ([each.title for each in page.rows], page.total) == (["word mine"], 1)
        assert await titles(transaction, Filter(search="word", discarded=True)) == ["word discarded"]
        await videos.restore(transaction, await transaction.get_one(Video, discarded.id))
        await transaction.flush()
        assert len(await titles(transaction, Filter(search="word"))) == 2


@pytest.mark.parametrize("wanted", [Filter(), Filter(search="word"), Filter(title="o"), Filter(tags=["t"])])
@pytest.mark.parametrize("sort_by", [None, "createdAt", "title", "updatedAt", "publishedAt"])
@pytest.mark.parametrize("near", [video_lists.NEAR, 0], ids=["at once", "from the nearer end"])
async def test_pages_are_slices_of_one_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, wanted: Filter, sort_by: str | None, near: int
) -> None:
    monkeypatch.setattr(video_lists, "NEAR", near)
    async with database.write() as transaction:
        for number in range(7):
            at = MORNING + timedelta(seconds=number // 2)  # some alike
            columns: dict[str, Any] = {"created_at": at, "published_at": at, "updated_at": at, "tags": ["t"]}
            await made(transaction, f"word {number // 3}", **columns)
    async with database.read() as transaction:
        for descending in (False, True):

            async def ids(page: int, size: int, descending: bool = descending) -> list[str]:
                paging = Paging(page, size, sort_by, descending)
                found = await videos.page(transaction, DEFAULT_PROJECT, wanted, paging)
                assert found.total == 7
                return [row.id for row in found.rows]

            whole = await ids(1, 100)
            assert len(set(whole)) == 7
            assert [id for page in (1, 2, 3, 4) for id in await ids(page, 2)] == whole
            assert await ids(5, 2) == []
            rows = {row.id: row for row in await transaction.scalars(select(Video))}
            keys = [getattr(rows[id], video_queries.SORT_COLUMNS[sort_by or "createdAt"].key) for id in whole]
            assert keys == sorted(keys, reverse=descending or sort_by is None)


async def test_custom_values_are_filtered_and_sorted_by(database: Database) -> None:
    async with database.write() as transaction:
        season = await field(transaction, "season", "number")
        rating = await field(transaction, "rating", "choice", choices=["G", "PG"])
        aired = await field(transaction, "aired", "date")
        for title, custom in (
            ("a", {"season": 2, "rating": "G", "aired": "2026-01-31"}),
            ("b", {"season": 1.5, "rating": "PG"}),
            ("c", {"season": 10, "aired": "2025-12-01"}),
            ("d", {}),
            ("e", {}),
        ):
            await made(transaction, title, custom=custom)
    async with database.read() as transaction:
        for wanted, found in (
            ([Condition(season, 2.0)], ["a"]),
            ([Condition(rating, "G")], ["a"]),
            ([Condition(rating, "G"), Condition(season, 10.0)], []),
            ([Condition(season, bounds={"gte": 1.5, "lt": 10.0})], ["b", "a"]),
            ([Condition(season, bounds={"gt": 2.0})], ["c"]),
            ([Condition(aired, bounds={"lte": "2025-12-31"})], ["c"]),
            ([Condition(season, bounds={"lte": 2.0}), Condition(rating, "PG")], ["b"]),
        ):
            assert await titles(transaction, Filter(custom=wanted)) == found, wanted
        assert await titles(transaction, by=season) == ["b", "a", "c", "e", "d"]
        up = [Paging(page, 2, "createdAt", False) for page in (1, 2, 3, 4)]
        assert [await titles(transaction, None, paging, season) for paging in up] == [["b", "a"], ["c", "e"], ["d"], []]
        assert await titles(transaction, None, Paging(1, 9, "createdAt", False), aired) == ["c", "a", "e", "d", "b"]
        assert await titles(transaction, Filter(search="pg")) == ["b"]
        both = Filter(search="g", custom=[Condition(season, bounds={"gt": 0})])
        assert await titles(transaction, both) == ["a"]
        assert await titles(transaction, both, by=aired) == ["a"]
        assert await titles(transaction, Filter(title="B", custom=both.custom), by=aired) == ["b"]
        assert await titles(transaction, Filter(custom=both.custom), Paging(sort_by="title")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "wanted",
    [
        {}, {"search": "word"}, {"tags": ["t"]}, {"title": "ord"}, {"title": "ord", "tags": ["t"]}, {"title": "w"},
        {"folder_id": folders.TOP}, {"live_stream_id": "li1"}, {"discarded": True},
        {"discarded": True, "search": "word"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("near", [video_lists.NEAR, 0], ids=["at once", "from the nearer end"])
async def test_pages_by_a_field_are_slices_of_one_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], near: int
) -> None:
    monkeypatch.setattr(video_lists, "NEAR", near)
    seasons = (None, 2, 1, None, 1, None, 3, None, None, 2)
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        season = await field(transaction, "season", "number")
        await field(transaction, "other", "text")
        for number, value in enumerate(seasons):
            custom = {"other": "x"} if value is None else {"season": value}
            columns: dict[str, Any] = {"live_stream_id": "li1", "tags": ["t"], "custom": custom}
            row = await made(transaction, f"word {number}", created_at=MORNING + timedelta(seconds=number), **columns)
            if wanted.get("discarded"):
                await videos.discard(transaction, row, MORNING)
        await made(transaction, "word version", version_of=row.id)
        await made(transaction, "word theirs", project_id="pr2", tags=["t"], live_stream_id="li1")
        hidden = await made(transaction, "word hidden", tags=["t"], live_stream_id="li1", custom={"season": 1})
        if not wanted.get("discarded"):
            await videos.discard(transaction, hidden, MORNING)
    valued = sorted((value, number) for number, value in enumerate(seasons) if value is not None)
    without = [number for number, value in enumerate(seasons) if value is None]
    async with database.read() as transaction:
        for descending in (False, True):
            up = [number for _, number in (valued[::-1] if descending else valued)]
            whole = [f"word {number}" for number in (*up, *without[::-1])]
            for size in (1, 3, 4, 100):
                found = []
                for page in range(1, 12):
                    found += await titles(
                        transaction, Filter(**wanted), Paging(page, size, "createdAt", descending), season
                    )
                assert found == whole


async def test_a_value_that_goes_while_a_list_is_made_shows_no_video_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as transaction:
        season = await field(transaction, "season", "number")
        await made(transaction, "without")
        row = await made(transaction, "with", custom={"season": 1})
    read = video_lists._slice

    async def after_it_went(*arguments: Any) -> list[str]:
        async with database.write() as transaction:
            (await transaction.get_one(Video, row.id)).custom = {}
        return await read(*arguments)

    monkeypatch.setattr(video_lists, "_slice", after_it_went)
    async with database.read() as transaction:
        found = await titles(transaction, by=season)
    assert found in (["with", "without"], ["with"])


async def test_custom_values_follow_their_videos(database: Database) -> None:
    async with database.write() as transaction:
        season = await field(transaction, "season", "number")
        row = await made(transaction, "a", custom={"season": 1})
        row.custom = {"season": 2}
        await transaction.flush()
        assert await titles(transaction, Filter(custom=[Condition(season, 1.0)])) == []
        assert await titles(transaction, Filter(custom=[Condition(season, 2)])) == ["a"]
        row.title = "b"
        await transaction.flush()
        assert await titles(transaction, Filter(custom=[Condition(season, 2)])) == ["b"]
        await videos.discard(transaction, row, MORNING)
        await transaction.flush()
        narrow = [Condition(season, bounds={"gte": 2})]
        assert await titles(transaction, Filter(custom=narrow)) == []
        assert await titles(transaction, Filter(custom=narrow, discarded=True), by=season) == ["b"]
        assert await titles(transaction, Filter(discarded=True, search="b"), Paging(sort_by="title"), season) == ["b"]
        row.custom = {}
        await transaction.flush()
        assert await transaction.scalar(select(func.count()).select_from(CustomValue)) == 0
        assert await titles(transaction, Filter(discarded=True), by=season) == ["b"]


async def test_a_field_goes_with_its_values(database: Database) -> None:
    async with database.write() as transaction:
        season = await field(transaction, "season", "number")
        await field(transaction, "kept", "text")
        row = await made(transaction, "a", custom={"season": 1, "kept": "x"})
        id = row.id
        assert await custom_fields.counts(transaction, [season.id]) == {season.id: 1}
        await custom_fields.remove(transaction, season)
    async with database.write() as transaction:
        assert (await transaction.get_one(Video, id)).custom == {"kept": "x"}
        again = await field(transaction, "season", "number")
        assert await titles(transaction, Filter(custom=[Condition(again, 1.0)])) == []


async def test_many_videos_of_one_moment(database: Database) -> None:
    async with database.write() as transaction:
        for _ in range(60):
            transaction.add(Video(project_id=DEFAULT_PROJECT, title="word", created_at=MORNING))
        await transaction.flush()
    async with database.read() as transaction:
        page = await videos.page(transaction, DEFAULT_PROJECT, Filter(search="word"), Paging(size=100))
        assert (page.total, len(page.rows)) == (60, 60)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"title": "beac"}, ["The beach", "on the BEACH"]),
        ({"title": "BEACH"}, ["The beach", "on the BEACH"]),
        ({"title": "he be"}, ["The beach", "on the BEACH"]),
        ({"title": "fé-b"}, ["Café-Bar"]),
        ({"title": "é"}, ["Café-Bar"]),
        ({"title": "at"}, ["a cat"]),
        ({"title": 'say "hi"'}, ['say "hi" to 100%']),
        ({"title": "0%"}, ['say "hi" to 100%']),
        ({"title": "%_a"}, []),
        ({"title": 'x" OR title : "beac'}, []),
        ({"title": "a\x00c"}, []),
        ({"title": "beach" * 100}, []),
        ({"description": "long " * 30 + "end"}, ["a cat"]),
        ({"description": "long " * 30 + "other"}, []),
        ({"title": "a cat", "description": "ong"}, ["a cat"]),
        ({"title": "beach", "search": "on"}, ["on the BEACH"]),
        ({"title": "beach", "tags": ["sand"]}, ["The beach"]),
        ({"title": "beach", "folder_id": "root", "discarded": True}, ["gone to the beach"]),
    ],
)
async def test_what_texts_contain(database: Database, wanted: dict[str, Any], found: list[str]) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        beach = await made(transaction, "The beach", tags=["sand"])
        await made(transaction, "on the BEACH")
        await made(transaction, "Café-Bar")
        await made(transaction, "a cat", description="long " * 30 + "end")
        await made(transaction, 'say "hi" to 100%')
        await made(transaction, "a beach of theirs", project_id="pr2")
        await made(transaction, "a version of the beach", version_of=beach.id)
        await videos.discard(transaction, await made(transaction, "gone to the beach"), MORNING)
    async with database.read() as transaction:
        page = await video_lists.page(transaction, DEFAULT_PROJECT, Filter(**wanted), Paging(sort_by="title"))
    assert (sorted(row.title for row in page.rows), page.total) == (sorted(found), len(found))


async def test_texts_that_change_are_found_by_what_they_contain_now(database: Database) -> None:
    async with database.write() as transaction:
        row = await made(transaction, "before it", description="the same")
        row.title = "after it"
        await transaction.flush()
        await transaction.execute(update(Video).values(description="another"))
        for wanted, found in (
            (Filter(title="before"), 0), (Filter(title="after"), 1), (Filter(title="r it"), 1),
            (Filter(description="same"), 0), (Filter(description="another"), 1),
        ):  # fmt: skip
            assert len(await titles(transaction, wanted)) == found
        await transaction.execute(delete(Video))
        assert await titles(transaction, Filter(title="after")) == []
        await made(transaction, "after it all")
        assert await titles(transaction, Filter(title="after")) == ["after it all"]


async def test_videos_are_found_by_their_captions(database: Database) -> None:
    async with database.write() as transaction:
        row = await made(transaction, "silent title")
        version = await made(transaction, "a version", version_of=row.id)
        english = await text_tracks.put(transaction, row, "captions", "en", spoken="hello whale")
        await text_tracks.put(transaction, row, "captions", "fr", spoken="bonjour whale")
        await text_tracks.put(transaction, row, "chapters", "en")
        await text_tracks.put(transaction, version, "captions", "en", spoken="cut")

        async def found(*searches: str) -> list[bool]:
            return [await titles(transaction, Filter(search=each)) == ["silent title"] for each in searches]

        assert await found("whal", "hello silent", "bonjour hello", "cut") == [True, True, True, False]
        row.title = "silent still"
        await transaction.flush()
        row.title = "silent title"
        await text_tracks.put(transaction, row, "captions", "en", spoken="goodbye")
        assert await found("hello", "goodbye whale") == [False, True]
        await text_tracks.remove(transaction, row, english)
        assert await found("goodbye", "bonjour", "silent") == [False, True, True]


async def test_captions_of_the_videos_own_language_are_found_before_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "SPOKEN_CHARS", 100)
    async with database.write() as transaction:
        row = await made(transaction, "title", language="en")
        for number in range(text_tracks.AT_ONCE + 1):
            await text_tracks.put(transaction, row, "captions", f"a{number}", spoken="short")
        await text_tracks.put(transaction, row, "captions", "az", spoken="lion " + "x" * 300)
        for language in ("de", "en"):
            spoken = " ".join(f"{language}{number:05}" for number in range(40))
            await text_tracks.put(transaction, row, "captions", language, spoken=spoken)

        async def found(*searches: str) -> list[bool]:
            return [await titles(transaction, Filter(search=each)) == ["title"] for each in searches]

        assert await found("en00000", "en00011", "en00012", "de00000", "short") == [True, True, False, False, False]
        english = await text_tracks.get(transaction, row.id, "captions", "en")
        assert english is not None
        await text_tracks.remove(transaction, row, english)
        assert await found("en00000", "short lion", "de00000") == [False, True, False]


async def test_captions_that_were_never_read_are_named_until_they_are(database: Database) -> None:
    async with database.write() as transaction:
        row = await made(transaction, "old")
        for kind, language in (("captions", "en"), ("captions", "fr"), ("chapters", "en")):
            transaction.add(TextTrack(video_id=row.id, kind=kind, language=language, project_id=DEFAULT_PROJECT))
        await transaction.flush()
        assert len(await text_tracks.unread(transaction, 1)) == 1
        for track in await text_tracks.unread(transaction, 10):
            await text_tracks.was_read(transaction, track, f"said {track.language}")
        assert await text_tracks.unread(transaction, 10) == []
        assert await titles(transaction, Filter(search="en fr said")) == ["old"]
        await text_tracks.was_read(transaction, track, "too late")
        assert await titles(transaction, Filter(search="late")) == []


@pytest.mark.parametrize("wanted", [{"search": "word"}, {"title": "ord"}, {"tags": ["t"]}])
@pytest.mark.parametrize("sort_by", ["title", "updatedAt", "publishedAt"])
async def test_many_are_walked_in_the_order_in_which_few_are_sorted(
    database: Database, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], sort_by: str
) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        for number in range(6):
            await made(transaction, f"word {number % 4}", tags=["t"])
        await made(transaction, "other")
        await made(transaction, "word theirs", tags=["t"], project_id="pr2")
        await videos.discard(transaction, await made(transaction, "word gone", tags=["t"]), MORNING)
    found = []
    async with database.read() as transaction:
        for limit, looked_at in ((0, 10), (0, 1), (0, 0), (1000, 10)):
            monkeypatch.setattr(video_queries, "WALKED_FROM", limit)
            monkeypatch.setattr(video_queries, "LOOKED_AT", looked_at)
            pages = [
                await videos.page(transaction, DEFAULT_PROJECT, Filter(**wanted), Paging(page, 4, sort_by, falling))
                for page in (1, 2) for falling in (False, True)
            ]  # fmt: skip
            found.append([([row.id for row in page.rows], page.total) for page in pages])
    assert [found[0]] * 4 == found
    assert [len(ids) for ids, _ in found[0]] == [4, 4, 2, 2]


async def test_the_first_of_what_most_have_are_found_without_asking_the_index_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_queries, "WALKED_FROM", 0)
    async with database.write() as transaction:
        for title in ("b sword", "other", "c Wörd", "a words", "d word"):
            await made(transaction, title, tags=["t"])
        caption = await made(transaction, "e")
        await text_tracks.put(transaction, caption, "captions", "en", spoken="words")
    asked = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append("MATCH" in statement or "@>" in statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", listen)
    async with database.read() as transaction:
        wanted, paging = Filter(search="WORD"), Paging(1, 3, "title")
        assert await titles(transaction, wanted, paging) == ["a words", "c Wörd", "d word"]
        assert sum(asked) == 1
        assert await titles(transaction, wanted, replace(paging, page=2)) == ["e"]
        assert await titles(transaction, Filter(search="word", tags=["T"]), paging) == []
        assert await titles(transaction, Filter(search="or", tags=["t"]), paging) == []
        assert await titles(transaction, Filter(tags=["t"]), replace(paging, descending=True)) == [
            "other", "d word", "c Wörd",
        ]  # fmt: skip


async def test_postgresql_asks_the_index_for_a_word_that_most_have(database: Database) -> None:
    if not database.shared:
        pytest.skip("SQLite's index is a table of its own")
    async with database.write() as transaction:
        for number in range(300):
            title = f"{'word' if number % 3 else 'other'} {number}"
            transaction.add(Video(project_id=DEFAULT_PROJECT, title=title, description="more of it"))
        await transaction.flush()
        await transaction.execute(text("ANALYZE video_words"))

        def explain(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
            return f"EXPLAIN {statement}", parameters

        event.listen(database.engine.sync_engine, "before_cursor_execute", explain, retval=True)
        found = found_by(["word"], [scope(DEFAULT_PROJECT, False)])
        plan = list(await transaction.scalars(select(VideoWords.position).where(*found)))
        event.remove(database.engine.sync_engine, "before_cursor_execute", explain)
    assert any("search_video_words_words" in str(line) for line in plan), plan
