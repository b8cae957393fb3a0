"""Videos of the Kinescope dialect: lists, changes, moves, chapters, and what is made of them."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from server import ids
from server.catalog import videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Rendition
from server.packager.qualities import NO_FILE
from server.storage.layout import Layout
from server.vod import making
from server.web.kinescope.video_answers import STATUSES
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Make

PICTURE = {"streams": [{"kind": "video", "width": 1920, "height": 1080}]}
PLAYABLE: dict[str, Any] = {
    "state": "done", "playable": True, "source": "upload", "duration_s": 59.96, "source_bytes": 7, "media": PICTURE,
}  # fmt: skip
NOBODY = "01cc1d54-c36d-44a3-acaa-08904e8dad04"  # an id that was never given


def uuid_of(video_id: str) -> str:
    return str(ids.to_uuid("vi", video_id))


def with_file(layout: Layout, video_id: str) -> None:
    path = layout.video_source(video_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a movie")


async def test_every_state_has_a_word() -> None:
    assert set(STATUSES) == set(videos.TRANSITIONS)


async def test_a_new_video(api: Client, make_video: Make) -> None:
    video_id = await make_video(title="A title", description="About", tags=["a"])

    found = await asked(api, "GET", f"/v1/videos/{uuid_of(video_id)}")

    default = (await asked(api, "GET", "/v1/projects"))["data"][0]["id"]
    assert found["id"] == uuid_of(video_id)
    assert (found["project_id"], found["folder_id"]) == (default, None)
    assert (found["title"], found["description"], found["tags"]) == ("A title", "About", ["a"])
    assert found["status"] == "pending"
    assert (found["progress"], found["duration"], found["assets"], found["poster"]) == (0, 0, [], None)
    assert found["chapters"] == {"items": [], "enabled": False, "show_on_load": False}
    assert (found["privacy_type"], found["privacy_domains"], found["privacy_share"]) == ("anywhere", [], {})
    assert found["hls_link"].endswith(f"/vod/{video_id}/hls/manifest.m3u8")
    assert found["embed_link"].endswith(f"/embed/{video_id}")
    assert found["play_link"].endswith(f"/{video_id}")


async def test_a_whole_one_has_files(api: Client, make_video: Make, database: Database) -> None:
    video_id = await make_video(**PLAYABLE)
    async with database.write() as transaction:
        for name, state, revision in (("720p", "ready", 1), ("360p", "encoding", 1), ("480p", "ready", 2)):
            facts = {"width": 1280, "height": 720}
            transaction.add(
                Rendition(
                    video_id=video_id, revision=revision, name=name, project_id=DEFAULT_PROJECT, kind="video",
                    origin="encoded", state=state, facts=facts,
                )
            )  # fmt: skip

    found = await asked(api, "GET", f"/v1/videos/{video_id}")

    assert [(each["quality"], each["resolution"], each["file_size"]) for each in found["assets"]] == [
        ("original", "1920x1080", 7), ("720p", "1280x720", None),
    ]  # fmt: skip
    assert found["assets"][1]["url"].endswith("/mp4/720p.mp4")
    assert found["assets"][1]["download_link"].endswith("/mp4/720p.mp4?dl=1")
    assert found["assets"][0]["video_id"] == found["id"]
    assert (found["progress"], found["duration"]) == (100, 59.96)


@pytest.mark.parametrize(
    "fields", [{"mp4_support": False}, {"media": {"streams": [], NO_FILE: True}}, {"segments": {"exact": True}}]
)
async def test_files_that_there_are_not_are_not_listed(api: Client, make_video: Make, fields: dict[str, Any]) -> None:
    video_id = await make_video(**{**PLAYABLE, **fields})
    assert (await asked(api, "GET", f"/v1/videos/{video_id}"))["assets"] == []


async def titles(api: Client, query: str) -> list[str]:
    return [each["title"] for each in (await asked(api, "GET", f"/v1/videos?{query}"))["data"]]


async def test_what_a_list_is_narrowed_to(api: Client, make_video: Make) -> None:
    project = await asked(api, "POST", "/v1/projects", {"name": "P"})
    folder = await asked(api, "POST", f"/v1/projects/{project['id']}/folders", {"name": "F"})
    inner = await asked(
        api, "POST", f"/v1/projects/{project['id']}/folders", {"name": "I", "parent_id": folder["id"]}
    )
    at = {name: ids.canonical("fo", each["id"]) for name, each in (("P", project), ("F", folder), ("I", inner))}
    made = [
        await make_video(title=title, state=state, folder_id=at.get(title))
        for title, state in (("out", "done"), ("P", "error"), ("F", "done"), ("I", "pending"))
    ]
    default = (await asked(api, "GET", "/v1/projects"))["data"][0]["id"]

    for query, wanted in (
        ("order=title", ["F", "I", "P", "out"]),
        ("order=title.desc,created_at.asc", ["out", "P", "I", "F"]),
        ("order=title&status[]=done", ["F", "out"]),
        ("order=title&status[]=done&status[]=error", ["F", "P", "out"]),
        (f"order=title&project_id={project['id']}", ["F", "I", "P"]),
        (f"order=title&project_id={project['id']}&without_folder=true", ["P"]),
        (f"project_id={default}", ["out"]),
        (f"order=title&folder_id={folder['id']}", ["F"]),
        ("order=title&without_folder=true", ["P", "out"]),
        ("q=OU", ["out"]),
        (f"order=title&video_ids[]={made[0]}&video_ids[]={uuid_of(made[2])}", ["F", "out"]),
        ("order=title&per_page=3&page=2", ["out"]),
    ):  # fmt: skip
        assert await titles(api, query) == wanted, query
    shown = {each["title"]: each for each in (await asked(api, "GET", "/v1/videos"))["data"]}
    assert (shown["I"]["project_id"], shown["I"]["folder_id"]) == (project["id"], inner["id"])
    assert (shown["P"]["project_id"], shown["P"]["folder_id"]) == (project["id"], None)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("status[]=ready", 400, 400400),
        ("video_ids[]=x", 400, 400301),
        ("project_id=x", 400, 400301),
        (f"project_id={NOBODY}", 404, 404404),
        (f"folder_id={NOBODY}", 404, 404404),
        ("order=size", 400, 400216),
        ("without_folder=perhaps", 400, 400400),
    ],
)
async def test_lists_that_there_are_not(api: Client, query: str, status: int, code: int) -> None:
    assert (await refused(api, "GET", f"/v1/videos?{query}"))[:2] == (status, code)


async def test_changing(api: Client, make_video: Make, database: Database) -> None:
    video_id = await make_video()
    body = {
        "title": "New title", "description": "New description", "privacy_type": "custom",
        "privacy_domains": ["my_domain.io"], "additional_materials_enabled": True, "tags": ["tag 1", "tag 2"],
        "subtitle": "Below",
    }  # fmt: skip

    changed = await asked(api, "PATCH", f"/v1/videos/{video_id}", body)

    assert {name: changed[name] for name in body} == body
    assert await asked(api, "GET", f"/v1/videos/{video_id}") == {**changed, **links(changed, video_id)}
    async with database.read() as transaction:
        row = await videos.get(transaction, DEFAULT_PROJECT, video_id)
    assert row is not None
    assert (row.public, row.revision) == (False, 2)
    assert "?token=" in changed["embed_link"]
    domains = await asked(api, "PATCH", f"/v1/videos/{video_id}", {"privacy_domains": ["a.io"]})
    assert (domains["privacy_type"], domains["privacy_domains"]) == ("custom", ["a.io"])
    again = await asked(api, "PATCH", f"/v1/videos/{video_id}", {"privacy_type": "anywhere"})
    assert (again["privacy_type"], again["title"]) == ("anywhere", "New title")


def links(changed: dict[str, Any], video_id: str) -> dict[str, Any]:
    """Those of a private video have another token each time."""

    class Alike(str):
        def __eq__(self, other: object) -> bool:
            return video_id in str(other)

        __hash__ = str.__hash__

    return {name: Alike() for name in ("embed_link", "hls_link", "play_link")}


async def test_that_it_is_public_or_not_is_one_fact(api: Client, make_video: Make, database: Database) -> None:
    video_id = await make_video()
    await asked(api, "PATCH", f"/v1/videos/{video_id}", {"privacy_type": "custom", "privacy_domains": ["a.io"]})
    async with database.write() as transaction:
        row = await videos.get(transaction, DEFAULT_PROJECT, video_id)
        assert row is not None
        row.public = True

    assert (await asked(api, "GET", f"/v1/videos/{video_id}"))["privacy_type"] == "anywhere"


async def test_moving(api: Client, make_video: Make) -> None:
    video_id = await make_video()
    project = await asked(api, "POST", "/v1/projects", {"name": "P"})
    folder = await asked(api, "POST", f"/v1/projects/{project['id']}/folders", {"name": "F"})
    default = (await asked(api, "GET", "/v1/projects"))["data"][0]["id"]
    path = f"/v1/videos/{video_id}/move"

    moved = await asked(api, "PUT", path, {"project_id": project["id"], "folder_id": folder["id"]})
    assert (moved["project_id"], moved["folder_id"]) == (project["id"], folder["id"])
    moved = await asked(api, "PUT", path, {"project_id": project["id"]})
    assert (moved["project_id"], moved["folder_id"]) == (project["id"], None)
    moved = await asked(api, "PUT", path, {"project_id": default, "folder_id": None})
    assert (moved["project_id"], moved["folder_id"]) == (default, None)
    for body in ({"project_id": default, "folder_id": folder["id"]}, {"project_id": folder["id"]}):
        assert (await refused(api, "PUT", path, body))[:2] == (404, 404404)


async def test_deleting(api: Client, make_video: Make, fake: Any) -> None:
    video_id = await make_video()

    assert await asked(api, "DELETE", f"/v1/videos/{video_id}") == {"success": True}

    assert [each.id for each in fake.videos_deleted] == [video_id]
    assert (await refused(api, "GET", f"/v1/videos/{video_id}"))[:2] == (404, 404404)


async def test_chapters(api: Client, make_video: Make) -> None:
    video_id = await make_video(duration_s=60.0, language="de")
    path = f"/v1/videos/{video_id}/chapters"
    items = [{"time": 10000, "title": "Zehn <b>"}, {"time": 0, "title": "Null"}]

    answer = await asked(api, "PUT", path, {"items": items, "enabled": True})

    assert answer == {"items": items[::-1], "enabled": True, "show_on_load": False}
    assert (await asked(api, "GET", f"/v1/videos/{video_id}"))["chapters"] == answer
    async with api.get(f"/videos/{video_id}/chapters/de") as response:
        assert response.status == 200
    hidden = await asked(api, "PUT", path, {"items": items, "enabled": False})
    assert hidden["items"] == items[::-1]
    async with api.get(f"/videos/{video_id}/chapters/de") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "items", [[{"time": -1, "title": "x"}], [{"time": 1.5, "title": "x"}], [{"time": 1}], [{"time": 1, "title": ""}]]
)
async def test_bad_chapters(api: Client, make_video: Make, items: Sequence[Any]) -> None:
    answer = await refused(api, "PUT", f"/v1/videos/{await make_video()}/chapters", {"items": items})
    assert answer[:2] == (400, 402402)
    assert "items[0]" in answer[2]


async def test_copying(api: Client, make_video: Make, layout: Layout, ordered: list[str]) -> None:
    video_id = await make_video(title="Mine", **PLAYABLE)
    with_file(layout, video_id)
    body = {"name": "P", "privacy_type": "nowhere"}
    project = await asked(api, "POST", "/v1/projects", body)

    copy = await asked(api, "POST", f"/v1/videos/{video_id}/copy", {"parent_id": project["id"]})

    assert (copy["title"], copy["project_id"], copy["privacy_type"]) == ("Mine", project["id"], "nowhere")
    assert copy["id"] != uuid_of(video_id)
    assert ordered == ["edit"]
    missing = await make_video()
    answer = await refused(api, "POST", f"/v1/videos/{missing}/copy", {"parent_id": project["id"]})
    assert answer[:2] == (409, 400201)


async def test_cutting(api: Client, make_video: Make, layout: Layout, database: Database) -> None:
    video_id = await make_video(title="Mine", **PLAYABLE)
    with_file(layout, video_id)
    body = {"crop": {"w": 320, "h": 180, "x": 160, "y": 90, "quality": "360p"}, "trim": [{"start": 6, "length": 2}]}

    made = await asked(api, "POST", f"/v1/videos/{video_id}/cut", body)

    async with database.read() as transaction:
        row = await videos.get(transaction, DEFAULT_PROJECT, ids.canonical("vi", made["id"]))
    assert row is not None
    assert row.crop == {"left": "25.000%", "top": "25.000%", "width": "50.000%", "height": "50.000%"}
    body["trim"] = [{"start": 6, "length": 2}, {"start": 1, "length": 2}]
    several = await asked(api, "POST", f"/v1/videos/{video_id}/cut", body)
    assert several["title"] == "Mine (cut)"
    whole = layout.video_input_part(ids.canonical("vi", several["id"]), "whole")
    assert whole.samefile(layout.video_source(video_id))
    body["trim"] = [{"start": 6, "length": 2}, {"start": 5, "length": 1.1}]
    answer = await refused(api, "POST", f"/v1/videos/{video_id}/cut", body)
    assert (answer[:2], "overlap" in answer[2]) == ((400, 402402), True)
    wide = {"crop": {"w": 700, "h": 10, "quality": "360p"}}
    assert (await refused(api, "POST", f"/v1/videos/{video_id}/cut", wide))[0] == 400
    assert (await refused(api, "POST", f"/v1/videos/{video_id}/cut", {"trim": [{"start": 99}]}))[0] == 400


async def test_what_is_made_of_a_video_is_for_the_same_pages(api: Client, make_video: Make, layout: Layout) -> None:
    public, own = await make_video(**PLAYABLE), await make_video(**PLAYABLE)
    with_file(layout, public)
    with_file(layout, own)
    path, custom = f"/v1/videos/{own}", {"privacy_type": "custom", "privacy_domains": ["a.io"]}
    await asked(api, "PATCH", path, custom)
    place = (await asked(api, "GET", path))["project_id"]

    for what, body in (
        ("cut", {"trim": [{"start": 1}]}), ("copy", {"parent_id": place}),
        ("concat", {"prepend": [{"video_id": uuid_of(public)}]}),
    ):  # fmt: skip
        made = await asked(api, "POST", f"{path}/{what}", body)
        assert {name: made[name] for name in custom} == custom, what


A, B, BOTH = ["a.io"], ["b.io"], ["b.io", "a.io"]


@pytest.mark.parametrize(
    ("others", "shared"),
    [
        ([[]], []),  # that is for nobody's pages
        ([BOTH], A),
        ([None], A),  # public
        ([B], []),
        ([BOTH, None, A], A),
        ([BOTH, []], []),
    ],
)
async def test_what_is_joined_is_for_pages_that_may_play_all_of_it(
    api: Client, make_video: Make, layout: Layout, others: list[list[str] | None], shared: list[str]
) -> None:
    """The video itself is for pages of a.io."""
    made = [await make_video(**PLAYABLE) for _ in range(1 + len(others))]
    for id, domains in zip(made, [A, *others], strict=True):
        with_file(layout, id)
        if domains is not None:
            body = {"privacy_type": "custom" if domains else "nowhere", "privacy_domains": domains or A}
            await asked(api, "PATCH", f"/v1/videos/{id}", body)
    own, *rest = [uuid_of(id) for id in made]

    for order in ("append", "prepend"):
        joined = await asked(api, "POST", f"/v1/videos/{own}/concat", {order: [{"video_id": id} for id in rest]})
        found = await asked(api, "GET", f"/v1/videos/{joined['id']}")
        assert (found["privacy_type"], found["privacy_domains"]) == ("custom" if shared else "nowhere", shared), order


CLOSED: dict[str, Any] = {"privacy_type": "nowhere", "privacy_domains": []}


@pytest.mark.parametrize(("order", "body"), [
    ("cut", {"trim": [{"start": 1}]}), ("copy", {"parent_id": "project"}),
    ("concat", {"append": [{"video_id": "another"}]}), ("concat", {"prepend": [{"video_id": "another"}]}),
])  # fmt: skip
@pytest.mark.parametrize(("changes", "privacy"), [
    ({"privacy_type": "nowhere"}, CLOSED),
    ({"privacy_type": "custom", "privacy_domains": A}, {"privacy_type": "custom", "privacy_domains": A}),
    ("deleted", {"privacy_type": "anywhere", "privacy_domains": []}),
])  # fmt: skip
async def test_what_it_is_made_of_is_looked_at_again_before_it_is_shown(
    api: Client, make_video: Make, layout: Layout, database: Database, order: str, body: dict[str, Any],
    changes: Any, privacy: dict[str, Any],
) -> None:  # fmt: skip
    """Its owner may open it all the same, and it goes its own way once it is shown."""
    own, another = await make_video(**PLAYABLE), await make_video(**PLAYABLE)
    with_file(layout, own)
    with_file(layout, another)
    changed = another if order == "concat" else own
    place = (await asked(api, "GET", f"/v1/videos/{own}"))["project_id"]
    text = orjson.dumps(body).decode().replace("another", uuid_of(another)).replace("project", place)
    id = (await asked(api, "POST", f"/v1/videos/{own}/{order}", orjson.loads(text)))["id"]
    row_id = ids.canonical("vi", id)

    async def shown() -> dict[str, Any]:
        async with database.write() as transaction:
            row = await videos.find(transaction, row_id)
            assert row
            row.playable = False
            await making.publish(transaction, row)
        found = await asked(api, "GET", f"/v1/videos/{id}")
        return {name: found[name] for name in ("privacy_type", "privacy_domains")}

    if changes == "deleted":
        await asked(api, "DELETE", f"/v1/videos/{changed}")
    else:
        await asked(api, "PATCH", f"/v1/videos/{changed}", changes)

    assert await shown() == privacy
    await asked(api, "PATCH", f"/v1/videos/{id}", {"privacy_type": "anywhere"})
    if changes != "deleted":
        await asked(api, "PATCH", f"/v1/videos/{changed}", {"privacy_type": "custom", "privacy_domains": B})
    assert (await shown())["privacy_type"] == "anywhere"


async def test_joining(api: Client, make_video: Make, layout: Layout, ordered: list[str]) -> None:
    first, second = await make_video(**PLAYABLE), await make_video(**PLAYABLE)
    with_file(layout, first)
    with_file(layout, second)
    path = f"/v1/videos/{first}/concat"

    joined = await asked(api, "POST", path, {"append": [{"video_id": uuid_of(second)}], "replace": False})

    assert joined["title"] == "A video (joined)"
    assert ordered == ["edit"]
    assert (await refused(api, "POST", path, {"append": []}))[:2] == (400, 402402)
    many = {"prepend": [{"video_id": second}] * 60, "append": [{"video_id": second}] * 40}
    assert (await refused(api, "POST", path, many))[:2] == (400, 402402)
    assert (await refused(api, "POST", path, {"append": [{"video_id": "x"}]}))[:2] == (400, 400301)
    assert (await refused(api, "POST", path, {"append": [{"video_id": NOBODY}]}))[:2] == (404, 404404)


async def test_joining_in_the_place_of_the_video(
    api: Client, make_video: Make, layout: Layout, ordered: list[str], database: Database
) -> None:
    own, other = await make_video(**PLAYABLE), await make_video(**PLAYABLE)
    with_file(layout, own)
    with_file(layout, other)
    before = await asked(api, "GET", f"/v1/videos/{own}")

    body = {"prepend": [{"video_id": other}], "append": [{"video_id": other}], "replace": True}
    told = await asked(api, "POST", f"/v1/videos/{own}/concat", body)

    assert told == before  # until it is made
    assert ordered == ["edit"]
    async with database.read() as transaction:
        (version,) = await videos.versions(transaction, own)
    edit = version.edit or {}
    assert {name: edit[name] for name in ("reason", "wait", "at")} == {"reason": "concat", "wait": True, "at": 1}


UNKNOWN: dict[str, Any] = {**PLAYABLE, "state": "pre-processing"}
SOUND: dict[str, Any] = {**PLAYABLE, "media": {"streams": [{"kind": "audio"}]}}
LIVE_ONLY: dict[str, Any] = {**PLAYABLE, "source": None}


@pytest.mark.parametrize("replaces", [True, False])
@pytest.mark.parametrize(
    ("kinds", "at", "detail"),
    [
        ([UNKNOWN, PLAYABLE, PLAYABLE], 1, "prepend[0].video_id: The video's file is not known yet."),
        ([PLAYABLE, UNKNOWN, PLAYABLE], 1, "video_id: The video's file is not known yet."),
        ([PLAYABLE, PLAYABLE, LIVE_ONLY], 1, "append[0].video_id: The video has no file."),
        ([PLAYABLE, PLAYABLE, SOUND], 0, "append[1].video_id: It has no pictures, and others have."),
    ],
)
async def test_what_can_not_be_joined_is_named(
    api: Client, make_video: Make, layout: Layout, ordered: list[str], kinds: list[dict[str, Any]], at: int,
    detail: str, replaces: bool,
) -> None:  # fmt: skip
    made = [await make_video(**fields) for fields in kinds]
    for id in made:
        with_file(layout, id)
    parts = [{"video_id": id} for id in made]

    body = {"prepend": parts[:at], "append": parts[at + 1 :], "replace": replaces}
    answer = await refused(api, "POST", f"/v1/videos/{made[at]}/concat", body)

    assert answer == (409, 400201, detail)
    assert ordered == []
