"""Uploads over the Kinescope dialect against a real server: files whole, in pieces, again, and what goes with them.

The lines that guides print are run in tests/contract/test_printed_lines.py.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness.media import clip
from tests.harness.origin import Origin, serving
from tests.harness.server import OWNER_KEY, Server, until
from tests.harness.uploads import ended

pytestmark = pytest.mark.server
OWN_SERVER = {"SLUICE_FETCH__ALLOW": '["127.0.0.1"]'}

PARENT = "e51e55a1-7615-493e-9055-10ac9cc44ccd"
BEARER = {"Authorization": f"Bearer {OWNER_KEY}"}
DIALECT_STATES = ("pending", "uploading", "pre-processing", "processing", "done")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "video.mp4"
    path.write_bytes(clip(4).read_bytes())
    return path


@pytest.fixture(scope="module")
def origin(film: Path) -> Iterator[Origin]:
    with serving(Origin(film.read_bytes())) as origin:
        yield origin


@pytest.fixture(scope="module")
def project(own_server: Server) -> str:
    return str(data(own_server, "GET", "/v1/projects")[0]["id"])


def data(server: Server, method: str, path: str, body: Any = None, **headers: str) -> Any:
    answer = server.call(method, path, body, headers={**BEARER, **headers})
    assert answer.status == 200, f"{method} {path}: {answer.status} {answer.text}"
    return answer.json()["data"]


def test_one_request_with_its_facts_in_headers(own_server: Server, project: str, film: Path) -> None:
    folder = data(own_server, "POST", f"/v1/projects/{project}/folders", {"name": "F"})
    headers = {
        "X-Parent-ID": folder["id"], "X-Video-Title": "%C3%9Cber%20alles", "X-File-Name": "a.mp4",
        "X-Video-Description": "=?UTF-8?B?w5xiZXI=?=", "X-Video-Trim": '{"start": 1, "length": 2}',
        "Content-Type": "video/mp4",
    }  # fmt: skip

    made = data(own_server, "POST", "/v2/video", film.read_bytes(), **headers)

    assert (made["title"], made["description"], made["folder_id"]) == ("Über alles", "Über", folder["id"])
    video = ended(own_server, made["id"])
    assert video["trim"] == {"start": 1.0, "end": 3.0}
    shown = data(own_server, "GET", f"/v1/videos/{made['id']}")
    assert shown["assets"][0]["quality"] == "original"
    for path in ("", "/poster.jpg", "/poster/md.webp"):
        until(lambda path=path: own_server.get(f"/{made['id']}{path}").status == 200)  # type: ignore[misc]
    for path, leads in (("master.m3u8", "hls/manifest.m3u8"), ("preview", "animated.mp4?start=0&end=5&width=480")):
        answer = own_server.get(f"/{made['id']}/{path}")
        assert (answer.status, answer.headers["Location"]) == (302, f"../vod/{video['videoId']}/{leads}")
        assert own_server.get(answer.headers["Location"].removeprefix("..")).status == 200


def test_an_address_takes_a_file_again_after_a_break(own_server: Server, project: str, film: Path) -> None:
    order = {"type": "video", "title": "In two goes", "parent_id": project, "filesize": film.stat().st_size}
    made = data(own_server, "POST", "/v2/init", order)
    half = film.read_bytes()[:1000]
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}

    head = own_server.call("HEAD", made["endpoint"], key=None, headers=tus)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("0", str(film.stat().st_size))
    sent = own_server.call("PATCH", made["endpoint"], half, key=None, headers={**tus, "Upload-Offset": "0"})
    assert (sent.status, sent.headers["Upload-Offset"]) == (204, "1000")
    whole = own_server.call("POST", made["endpoint"], film.read_bytes(), key=None)

    assert whole.json()["data"]["id"] == made["id"]
    assert whole.json()["data"]["status"] in DIALECT_STATES
    assert ended(own_server, made["id"])["state"] == "done"
    again = own_server.call("POST", made["endpoint"], film.read_bytes(), key=None)
    assert again.status == 200
    wrong = own_server.call("POST", made["endpoint"][:-1] + "_", b"x", key=None)
    assert (wrong.status, wrong.json()["error"]["code"]) == (404, 404404)
    assert made["endpoint"].rsplit("/", 1)[1] not in own_server.log()


def test_an_address_takes_a_file_over_tus(own_server: Server, project: str, film: Path) -> None:
    made = data(own_server, "POST", "/v2/init", {"type": "video", "title": "By tus", "parent_id": project})
    content = film.read_bytes()
    tus = {"Tus-Resumable": "1.0.0"}

    begun = own_server.call(
        "POST", made["endpoint"], key=None, headers={**tus, "Upload-Length": str(len(content))}
    )
    assert (begun.status, begun.headers["Location"]) == (201, made["endpoint"])
    for start in range(0, len(content), 1 << 20):
        headers = {**tus, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        chunk = content[start : start + (1 << 20)]
        assert own_server.call("PATCH", made["endpoint"], chunk, key=None, headers=headers).status == 204

    assert ended(own_server, made["id"])["state"] == "done"


def test_another_file_for_a_video(own_server: Server, project: str, film: Path) -> None:
    headers = {"X-Parent-ID": project, "X-Video-Title": "First"}
    made = data(own_server, "POST", "/v2/video", film.read_bytes(), **headers)
    ended(own_server, made["id"])
    answer = data(own_server, "POST", "/v2/video", film.read_bytes(), **{"X-Replace-Video-ID": made["id"]})
    assert answer["id"] == made["id"]

    def replaced() -> bool:
        return bool(data(own_server, "GET", f"/v1/videos/{made['id']}")["version"] > made["version"])

    until(replaced, 120)
    again = data(own_server, "POST", "/v2/init", {"type": "replace", "video_id": made["id"]})
    assert again["id"] == made["id"]


def test_files_that_go_with_a_video(own_server: Server, project: str) -> None:
    made = data(own_server, "POST", "/v2/init", {"type": "video", "title": "With files", "parent_id": project})
    order = {"type": "attachment", "video_id": made["id"], "title": "Slides", "filename": "ü.pdf"}
    attachment = data(own_server, "POST", "/v2/init", order)
    assert data(own_server, "GET", f"/v1/videos/{made['id']}")["additional_materials"] == []

    sent = own_server.call(
        "POST", attachment["endpoint"], b"%PDF", key=None, headers={"Content-Type": "application/pdf"}
    )
    assert sent.status == 200, sent.text
    headers = {"X-Video-ID": made["id"], "X-File-Name": "b.txt"}
    second = data(own_server, "POST", "/additional-material", b"text", **headers)

    shown = data(own_server, "GET", f"/v1/videos/{made['id']}")["additional_materials"]
    assert [(each["title"], each["filetype"], each["size"], each["position"]) for each in shown] == [
        ("Slides", "application/pdf", 4, 1), ("b.txt", "application/octet-stream", 4, 2),
    ]  # fmt: skip
    path = f"/v1/additional-materials/{attachment['id']}"
    link = data(own_server, "GET", f"{path}/link")["link"]
    file = own_server.get(link)
    assert (file.body, file.headers["Content-Type"]) == (b"%PDF", "application/pdf")
    assert file.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%BC.pdf"
    assert own_server.call("POST", attachment["endpoint"], b"again", key=None).status == 404
    assert data(own_server, "PUT", path, {"title": "New"})["title"] == "New"
    data(own_server, "PATCH", "/v1/additional-materials/reorder", [second["id"], attachment["id"]])
    shown = data(own_server, "GET", f"/v1/videos/{made['id']}")["additional_materials"]
    assert [each["id"] for each in shown] == [second["id"], attachment["id"]]
    assert data(own_server, "DELETE", path) == {"success": True}
    assert own_server.get(link).status == 404


@pytest.mark.parametrize(
    ("headers", "status", "code", "named"),
    [
        ({"X-Video-Title": "t"}, 400, 402402, "X-Parent-ID"),
        ({"X-Parent-ID": "{project}"}, 400, 402402, "X-Video-Title"),
        ({"X-Parent-ID": "x", "X-Video-Title": "t"}, 400, 400301, "X-Parent-ID"),
        ({"X-Parent-ID": PARENT, "X-Video-Title": "t"}, 404, 404404, "X-Parent-ID"),
        ({"X-Parent-ID": "{project}", "X-Video-Title": "t", "X-Video-Trim": "[]"}, 400, 402402, "X-Video-Trim"),
        ({"X-Parent-ID": "{project}", "X-Video-Title": "t"}, 400, 1, ""),
        ({"X-Parent-ID": "{project}", "X-Video-Title": "t", "X-Video-URL": "ftp://x/y"}, 400, 402402, "X-Video-URL"),
        (
            {"X-Parent-ID": "{project}", "X-Video-Title": "t", "X-Video-URL": "https://youtu.be/UTgSnM3mA-4"},
            422, 422422, "X-Video-URL",
        ),
    ],
)  # fmt: skip
def test_uploads_that_are_refused(
    own_server: Server, project: str, headers: Mapping[str, str], status: int, code: int, named: str
) -> None:
    filled = {name: text.replace("{project}", project) for name, text in headers.items()}
    before = own_server.call("GET", "/v1/videos", headers=BEARER).json()["meta"]["pagination"]["total"]

    answer = own_server.call("POST", "/v2/video", b"", headers={**BEARER, **filled})

    assert (answer.status, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["error"]["detail"].startswith(named)
    after = own_server.call("GET", "/v1/videos", headers=BEARER).json()["meta"]["pagination"]["total"]
    assert after == before


def test_posters(own_server: Server, project: str, film: Path) -> None:
    headers = {"X-Parent-ID": project, "X-Video-Title": "Posters"}
    made = data(own_server, "POST", "/v2/video", film.read_bytes(), **headers)
    ended(own_server, made["id"])
    path = f"/v1/videos/{made['id']}/posters"
    (own,) = until(lambda: data(own_server, "GET", path))
    assert own["active"]

    chosen = data(own_server, "POST", path, {"from_time": 1.5})
    assert (chosen["active"], chosen["from_time"]) == (True, 1.5)
    picture = own_server.get(chosen["original"]).body
    uploaded = data(own_server, "POST", "/v2/poster", picture, **{"X-Video-ID": made["id"]})
    listed = data(own_server, "GET", path)
    assert [(each["id"], each["active"]) for each in listed] == [(uploaded["id"], True), (chosen["id"], False)]
    assert own_server.get(listed[1]["md"]).status == 200
    assert data(own_server, "POST", f"{path}/{chosen['id']}/active")["active"]
    assert data(own_server, "GET", f"/v1/videos/{made['id']}")["poster"]["id"] == chosen["id"]
    assert data(own_server, "POST", f"{path}/{uploaded['id']}/active")["active"]
    assert data(own_server, "DELETE", f"{path}/{chosen['id']}") == {"success": True}
    assert own_server.call("GET", f"{path}/{chosen['id']}", headers=BEARER).status == 404
    bad = own_server.call("POST", "/v2/poster", b"no picture", headers={**BEARER, "X-Video-ID": made["id"]})
    assert bad.status == 400
