"""Lines that guides print, run as they are printed: the host is changed, and what they leave blank is filled in.

curl is told by its own settings file, not by its line, to say the status and type of an answer. Each command that the
guides have is in LINES, each call in CALLS, and what else they print in ELSEWHERE, which says where it is tried out or
why it is not; where the guides lie beside the repository it is looked up that no command of theirs is missing.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from jsonschema import Draft202012Validator

from server import ids
from tests.contract.test_dialect import OPERATIONS
from tests.contract.test_kinescope import FACTS, amended
from tests.contract.things import png
from tests.harness.endpoint import Call, Endpoint, listening
from tests.harness.media import clip
from tests.harness.origin import Origin, serving
from tests.harness.server import OWNER_KEY, Server, until
from tests.harness.uploads import ended

pytestmark = pytest.mark.server
OWN_SERVER = {"SLUICE_FETCH__ALLOW": '["127.0.0.1"]', "SLUICE_WEBHOOKS__ALLOW": '["127.0.0.1"]'}

GUIDES = Path(__file__).parents[2].parent / "shared" / "mission"
HOSTS = re.compile(r"https://(?:(?:api|uploader|eu-ams-uploader-1)\.)?kinescope\.io|https://ws\.api\.video")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
STATUSES = {"pending", "uploading", "pre-processing", "processing", "done", "aborted", "error"}

UPLOAD = "https://eu-ams-uploader-1.kinescope.io/v2/upload/0966958f-638b-4aab-bf4a-7f9860a57a93"
VIDEO = "GET /v1/videos/{video_id}"
WEBHOOK = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "object",
            "required": ["id", "name", "endpoint", "events", "created_at", "updated_at"],
            "properties": {
                "name": {"const": "encoding-done"},
                "endpoint": {"type": "string", "format": "uri"},
                "events": {"const": ["media.update.status"]},
            },
        }
    },
}
ENDPOINT = {
    "type": "object",
    "required": ["data"],
    "additionalProperties": False,
    "properties": {
        "data": {
            "type": "object",
            "required": ["id", "endpoint"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "endpoint": {"type": "string", "pattern": "^https?://"}},
        }
    },
}
UPLOADED = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "object",
            "required": ["id", "status"],
            "properties": {"status": {"enum": sorted(STATUSES)}},
        }
    },
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "detail"],
            "additionalProperties": False,
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}, "detail": {"type": "string"}},
        }
    },
}


beside = pytest.mark.skipif(not GUIDES.exists(), reason="the guides are not beside the repository")


class Line(NamedTuple):
    """A command; `answer` is a schema, or whose schema of FACTS it has."""

    where: str  # guide and line
    command: str
    answer: str | Mapping[str, Any]


LINES = [
    Line("0:27", 'curl -H "Authorization: Bearer $KINESCOPE_TOKEN" \\\nhttps://api.kinescope.io/v1/videos',
         "GET /v1/videos"),
    Line("0:37", 'curl -H "Authorization: Bearer $KINESCOPE_TOKEN" \\\nhttps://api.kinescope.io/v1/videos',
         "GET /v1/videos"),
    Line("0:44", 'curl -H "Authorization: Bearer $KINESCOPE_TOKEN" \\\nhttps://api.kinescope.io/v1/videos/VIDEO_ID',
         VIDEO),
    Line("0:77", """\
curl -X POST https://api.kinescope.io/v1/webhooks \\
-H "Authorization: Bearer $KINESCOPE_TOKEN" \\
-H "Content-Type: application/json" \\
-d '{
"name": "encoding-done",
"endpoint": "https://yourapp.com/kinescope/webhook",
"events": ["media.update.status"]
}'""", WEBHOOK),
    Line("4:23", """\
curl --location 'https://api.kinescope.io/v1/projects' \\
--header 'Authorization: Bearer ${KINESCOPE_API_TOKEN}'""", "GET /v1/projects"),
    Line("4:29", """\
curl --location 'https://api.kinescope.io/v1/projects/${PROJECT_ID}/folders' \\
--header 'Authorization: Bearer ${KINESCOPE_API_TOKEN}'""", "GET /v1/projects/{project_id}/folders"),
    Line("4:38", """\
curl --location --request POST 'https://uploader.kinescope.io/v2/init' \\
--header 'Content-Type: application/json' \\
--header 'Authorization: Bearer ${KINESCOPE_API_TOKEN}' \\
--data-raw '{
"filesize": 10485760,
"type": "video",
"title": "My Video",
"parent_id": "e51e55a1-7615-493e-9055-10ac9cc44ccd",
"filename": "video.mp4",
"description": "Video description",
"client_ip": "11.22.33.44"
}'""", ENDPOINT),
    Line("4:82", f"""\
curl --location --request POST '{UPLOAD}' \\
--data-binary '@/path/to/video.mp4'""", UPLOADED),
    Line("4:87", """\
curl --location --request POST 'https://uploader.kinescope.io/v2/video' \\
--header 'Authorization: Bearer ${KINESCOPE_API_TOKEN}' \\
--header 'X-Parent-ID: ${PARENT_ID}' \\
--header 'X-Video-Title: ${TITLE}' \\
--header 'X-Video-Description: ${DESCRIPTION}' \\
--header 'Content-Type: video/mp4' \\
--data-binary '@/path/to/video.mp4'""", VIDEO),
    Line("4:107", """\
curl --location --request POST 'https://uploader.kinescope.io/v2/video' \\
--header 'Authorization: Bearer ${KINESCOPE_API_TOKEN}' \\
--header 'X-Parent-ID: ${PARENT_ID}' \\
--header 'X-Video-Title: ${TITLE}' \\
--header 'X-Video-URL: ${URL_TO_VIDEO_FILE}'""", VIDEO),
    Line("4:136", """\
curl --location --request POST 'https://uploader.kinescope.io/v2/video' \\
--header 'Authorization: Bearer ${KINESCOPE_API_TOKEN}' \\
--header 'X-Video-URL: https://example.com/video1.mp4' \\
--header 'X-Video-Title: Video Title 1' \\
--header 'X-Parent-ID: ${PARENT_ID}'""", VIDEO),
]  # fmt: skip

# what else the guides print: (guide and line, a piece of the line, where it is tried out or why it is not)
ELSEWHERE = [
    ("0:25", "export KINESCOPE_TOKEN", "set in the environment of the lines"),
    ("0:30", '<iframe src="https://kinescope.io/embed/VIDEO_ID"', "test_addresses"),
    ("0:51", '<iframe src="https://kinescope.io/embed/VIDEO_ID"', "test_addresses"),
    ("0:54", "?autoplay=1&muted=1 or a quality cap like ?quality=720p", "test_addresses, and the player's own tests"),
    ("0:59", "https://player.kinescope.io/latest/iframe.player.js", "not run: it is to come"),
    ("0:63", "url: 'https://kinescope.io/VIDEO_ID'", "the page at this address: test_addresses"),
    ("0:87", "app.post('/kinescope/webhook'", "test_lines, by node with a server of its own: express is not installed"),
    ("2:135", 'fetch("/api/videos"', "not run: the reader's own back end, which is to call an API such as this"),
    ("2:154", "fetch(`/api/videos/${assetId}/playback`)", "not run: the same"),
    ("2:177", 'f"{API_BASE}/streams"', "of no API, as the guide says itself: test_the_program_with_names_of_ours"),
    ("2:201", '<source src="https://cdn.example.com/video/playlist.m3u8"', "not run: an element of the page"),
    ("3:22", "$ curl…", "cut off by the guide: test_commands_that_the_guide_cuts_off"),
    ("3:44", "$ curl --request POST --url…", "the same"),
    ("4:54", '"endpoint": "https://eu-ams-uploader-1.kinescope.io', "an answer: ENDPOINT"),
    ("4:73", "https://kinescope.io/${video_id}/preview", "test_addresses"),
    ("4:103", "X-Video-Trim | json", "tests/integration/test_kinescope_uploads.py, with the other headers"),
    ("4:105", "https://youtu.be/UTgSnM3mA-4", "refused with a sentence: test_pages_in_place_of_files"),
    ("4:122", "https://kinescope.io/{video_id}/poster.{jpg|webp}", "test_addresses"),
    ("4:123", "https://kinescope.io/{video_id}/poster/{size}.{jpg|webp}", "test_addresses"),
    ("4:126", "https://kinescope.io/2WFmbHsNz1W72DL9DGz2ps/poster/md.webp", "test_addresses"),
    ("4:131", "url,title", "test_the_script_for_many_videos"),
    ("4:143", "#!/bin/bash", "test_the_script_for_many_videos"),
]  # fmt: skip


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
def hook() -> Iterator[Endpoint]:
    with listening(Endpoint()) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def curl(own_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, Any]]:
    """Runs a command; the status and the JSON of its answer."""
    home = tmp_path_factory.mktemp("curl")
    (home / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n%{http_code} %{content_type}"\n')

    def run(command: str, blanks: Mapping[str, str]) -> tuple[int, Any]:
        command = HOSTS.sub(own_server.http, command)
        for blank, value in blanks.items():
            command = command.replace(blank, value)
        environment = {**os.environ, "CURL_HOME": str(home), "KINESCOPE_TOKEN": blanks["${KINESCOPE_API_TOKEN}"]}
        ran = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=60, env=environment, check=False
        )
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        body, _, end = ran.stdout.rpartition("\n")
        status, _, kind = end.partition(" ")
        assert kind == "application/json", f"{command}: {end} {body}"
        return int(status), json.loads(body)

    return run


@pytest.fixture(scope="module")
def blanks(own_server: Server, film: Path, origin: Origin, hook: Endpoint) -> dict[str, str]:
    """What a reader fills in."""
    head = {"Authorization": f"Bearer {OWNER_KEY}"}
    project = own_server.call("GET", "/v1/projects", headers=head).json()["data"][0]["id"]
    made = own_server.api("POST", "/videos", {"title": "A video", "tags": ["a"]})["videoId"]
    own_server.api("POST", "/folders", {"name": "F"})
    return {
        "${KINESCOPE_API_TOKEN}": OWNER_KEY,
        "VIDEO_ID": str(ids.to_uuid("vi", made)),
        "${PROJECT_ID}": project,
        "${PARENT_ID}": project,
        "e51e55a1-7615-493e-9055-10ac9cc44ccd": project,
        "${TITLE}": "My film",
        "${DESCRIPTION}": "About it",
        "${URL_TO_VIDEO_FILE}": origin.url,
        "https://example.com/video1.mp4": origin.url,
        "https://yourapp.com": f"http://127.0.0.1:{hook.port}",
        "/path/to/video.mp4": str(film),
    }


@cache
def validator(of: str) -> Draft202012Validator:
    return Draft202012Validator(amended(FACTS[of]["answer"]))


def fits(answer: Any, schema: str | Mapping[str, Any]) -> None:
    """The schema, and how ids and moments are written everywhere."""
    found = validator(schema) if isinstance(schema, str) else Draft202012Validator(schema)
    assert [f"{error.json_path}: {error.message}" for error in found.iter_errors(answer)] == []
    for name, value in walked(answer):
        if name == "id" or name.endswith("_id"):
            assert value is None or re.fullmatch(UUID, value), f"{name}: {value}"
        if name.endswith("_at") and value not in ("asc", "desc"):
            assert value is None or re.fullmatch(MOMENT, value), f"{name}: {value}"
        if name == "status":
            assert value in STATUSES, value


def walked(value: Any) -> Iterator[tuple[str, Any]]:
    """Each attribute of all objects, however deep."""
    if isinstance(value, dict):
        yield from value.items()
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walked(each)


def test_lines(
    curl: Callable[..., tuple[int, Any]],
    own_server: Server,
    blanks: dict[str, str],
    hook: Endpoint,
    subtests: pytest.Subtests,
) -> None:
    filled, made = dict(blanks), []
    for line in LINES:
        with subtests.test(line.where):
            status, answer = curl(line.command, filled)
            assert status == 200, answer
            fits(answer, line.answer)
            if line.answer is ENDPOINT:
                filled[HOSTS.sub(own_server.http, UPLOAD)] = answer["data"]["endpoint"]
            if line.answer in (UPLOADED, VIDEO):
                made.append(answer["data"]["id"])
    _told_of(hook, made[1:])  # the first one was there before its webhook


def _told_of(hook: Endpoint, videos: list[str]) -> None:
    """Each of them is done, as the guide's handler sees it: by `event` and `data.status`, once."""

    def done() -> bool:
        return set(videos) <= set(handled(hook.taken))

    until(done, 120)


HANDLER = """\
app.post('/kinescope/webhook', (req, res) => {
const { event, data } = req.body; // confirm payload fields against the docs
if (event === 'media.update.status' && data.status === 'done') {
console.log(data.id);
}
res.sendStatus(200);
});
"""
NODE = """\
const app = { post: (path, handle) => { app[path] = handle; } };
%s
for (const [path, body] of JSON.parse(require('fs').readFileSync(0)))
  app[path]({ body }, { sendStatus: (status) => { if (status !== 200) process.exit(1); } });
"""


def handled(calls: list[Call]) -> list[str]:
    """Ids of videos that the guide's handler of webhooks found done."""
    told = json.dumps([[call.path, call.json()] for call in calls])
    command = ["node", "-e", NODE % HANDLER]
    ran = subprocess.run(command, input=told, capture_output=True, text=True, timeout=30, check=True)
    return ran.stdout.split()


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_missing_or_wrong_key(curl: Callable[..., tuple[int, Any]], blanks: dict[str, str], key: str) -> None:
    for line in LINES:
        if UPLOAD in line.command:
            continue  # its address is the key
        status, answer = curl(line.command, {**blanks, "${KINESCOPE_API_TOKEN}": key})
        assert (status, answer["error"]["code"]) in ((401, 100101), (401, 100102)), (line.where, answer)
        fits(answer, ERROR)


def test_addresses(own_server: Server, film: Path, blanks: Mapping[str, str]) -> None:
    """Of pages, posters and clips; an id stands in them as it is in answers, or in its short form."""
    order = {"type": "video", "title": "A", "parent_id": blanks["${PARENT_ID}"],
             "preview": {"start": 0, "length": 5, "quality": "720p"}}  # fmt: skip
    made = own_server.api("POST", "/v2/init", order)["data"]
    assert own_server.call("POST", made["endpoint"], film.read_bytes(), key=None).status == 200
    short = ids.encode(uuid.UUID(made["id"]))
    until(lambda: own_server.get(f"/{short}/poster/md.webp").status == 200, 120)
    for id in (made["id"], short):
        for path in (id, f"embed/{id}", f"embed/{id}?autoplay=1&muted=1", f"embed/{id}?quality=720p"):
            page = own_server.get(f"/{path}")
            assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8"), path
            assert "X-Frame-Options" not in page.headers
            assert "frame-ancestors" not in page.headers["Content-Security-Policy"]
        for ending, kind in (("jpg", "image/jpeg"), ("webp", "image/webp")):
            for name in ("poster", "poster/xs", "poster/sm", "poster/md", "poster/lg")[:: 1 if id == short else 3]:
                picture = own_server.get(f"/{id}/{name}.{ending}")
                assert (picture.status, picture.headers["Content-Type"]) == (200, kind), name
        clip_of = own_server.get(f"/{id}/preview")
        assert clip_of.status == 302, clip_of.text
        found = own_server.get(clip_of.headers["Location"].removeprefix(".."))
        assert (found.status, found.headers["Content-Type"]) == (200, "video/mp4")


@pytest.mark.parametrize("url", ["https://www.youtube.com/watch?v=UTgSnM3mA-4", "https://youtu.be/UTgSnM3mA-4"])
def test_pages_in_place_of_files(
    curl: Callable[..., tuple[int, Any]], blanks: Mapping[str, str], url: str
) -> None:
    (line,) = (line for line in LINES if "${URL_TO_VIDEO_FILE}" in line.command)
    status, answer = curl(line.command, {**blanks, "${URL_TO_VIDEO_FILE}": url})
    assert status == 422
    fits(answer, ERROR)
    assert answer["error"]["detail"].startswith("X-Video-URL: This is a page of YouTube")


CAPTIONS = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"
TEXT, IMAGE = {"file": ("a.vtt", CAPTIONS)}, {"file": ("a.png", png())}
REFRESH: Mapping[str, Any] = {"refreshToken": "of the first answer"}

# guide 3 as its table goes, but that what deletes comes last: (line, method and path, JSON or files, status)
CALLS: list[tuple[int, str, Mapping[str, Any] | None, int]] = [
    (10, "POST /auth/api-key", {"apiKey": OWNER_KEY}, 200),
    (7, "POST /auth/refresh", REFRESH, 200),
    (20, "POST /videos", {"title": "A video"}, 201),
    (38, "POST /videos/{videoId}/source", {"file": "film"}, 201),
    (29, "GET /videos/{videoId}/status", None, 200),
    (17, "POST /videos/{videoId}/thumbnail", IMAGE, 200),
    (32, "PATCH /videos/{videoId}/thumbnail", {"timecode": "00:00:01:00"}, 200),
    (23, "PATCH /videos/{videoId}", {"title": "Another"}, 200),
    (26, "GET /videos", None, 200),
    (35, "GET /videos/{videoId}", None, 200),
    (45, "POST /upload-tokens", {}, 200),
    (42, "POST /upload?token={token}", {"file": "film"}, 201),
    (65, "POST /live-streams", {"name": "A stream"}, 200),
    (49, "POST /live-streams/{liveStreamId}/thumbnail", IMAGE, 201),
    (52, "DELETE /live-streams/{liveStreamId}/thumbnail", None, 200),
    (58, "GET /live-streams/{liveStreamId}", None, 200),
    (61, "GET /live-streams", None, 200),
    (67, "PATCH /live-streams/{liveStreamId}", {"name": "Another"}, 200),
    (71, "POST /videos/{videoId}/captions/en", TEXT, 200),
    (74, "GET /videos/{videoId}/captions", None, 200),
    (77, "PATCH /videos/{videoId}/captions/en", {"default": True}, 200),
    (83, "GET /videos/{videoId}/captions/en", None, 200),
    (80, "DELETE /videos/{videoId}/captions/en", None, 204),
    (90, "POST /videos/{videoId}/chapters/en", TEXT, 200),
    (87, "GET /videos/{videoId}/chapters", None, 200),
    (93, "GET /videos/{videoId}/chapters/en", None, 200),
    (96, "DELETE /videos/{videoId}/chapters/en", None, 204),
    (103, "POST /players", {"name": "A player"}, 201),
    (106, "GET /players", None, 200),
    (109, "POST /players/{playerId}/logo", IMAGE, 201),
    (112, "GET /players/{playerId}", None, 200),
    (118, "PATCH /players/{playerId}", {"enableControls": False}, 200),
    (115, "DELETE /players/{playerId}/logo", None, 204),
    (122, "GET /analytics/live-streams/{liveStreamId}", None, 200),
    (125, "GET /analytics/videos/{videoId}", None, 200),
    (128, "GET /analytics/sessions/psnone/events", None, 404),  # there is none yet
    (132, "GET /account", None, 200),
    (14, "DELETE /videos/{videoId}", None, 204),
    (55, "DELETE /live-streams/{liveStreamId}", None, 204),
    (100, "DELETE /players/{playerId}", None, 204),
]
# of operations that their document has no more
KEYS = {
    "GET /account": {"quota", "features"},
    "GET /analytics/live-streams/{liveStreamId}": {"data", "pagination"},
    "GET /analytics/videos/{videoId}": {"data", "pagination"},
}


def test_calls(own_server: Server, film: Path, subtests: pytest.Subtests) -> None:
    """With what the calls before have made, by its name; answers fit the schemas of the API's own document."""
    known, session = {}, requests.Session()
    for line, label, sent, status in CALLS:
        with subtests.test(f"3:{line}"):
            method, path = label.format(**known).split(" ") if known else label.split(" ")
            body = {"refreshToken": known["refresh_token"]} if sent is REFRESH else sent
            more: dict[str, Any] = {"json": body}
            if body and "file" in body:
                more = {"files": {"file": (film.name, film.read_bytes())} if body["file"] == "film" else body}
            answer = session.request(method, own_server.http + path, timeout=30, **more)
            assert answer.status_code == status, answer.text
            made = answer.json() if answer.content else {}
            if line != 42:  # it makes a video of its own
                known |= {name: value for name, value in made.items() if isinstance(value, str)}
            if "access_token" in made:
                session.headers["Authorization"] = f"Bearer {made['access_token']}"
            named = label.partition("?")[0].replace("/en", "/{language}")
            if named in OPERATIONS:
                OPERATIONS[named].validate_response(answer)
            elif status == 200:
                assert made.keys() >= KEYS[label]


def test_commands_that_the_guide_cuts_off(
    curl: Callable[..., tuple[int, Any]], own_server: Server, blanks: Mapping[str, str]
) -> None:
    """As they begin: curl names the type of a form that is no form."""
    command = f"curl https://ws.api.video/videos -H 'Authorization: Bearer {OWNER_KEY}' "
    command += """-d '{"title": "My video"}'"""
    assert curl(command, blanks)[0] == 201
    token = own_server.api("POST", "/upload-tokens", {})["token"]
    command = f"curl --request POST --url 'https://ws.api.video/upload?token={token}' -F file=@/path/to/video.mp4"
    assert curl(command, blanks)[0] == 201


PYTHON = """\
import requests

API_BASE = "https://example.video-api.local"
API_TOKEN = "server_side_secret"

def create_live_stream(name: str):
    response = requests.post(
        f"{API_BASE}/streams",
        headers={"Authorization": f"Bearer {API_TOKEN}"},
        json={
            "name": name,
            "record": True,
            "latency_mode": "standard"
        },
        timeout=10
    )

    response.raise_for_status()
    return response.json()

stream = create_live_stream("product-launch-event")
print(stream["id"], stream["ingest_url"])
"""
OURS = {
    "server_side_secret": OWNER_KEY,
    "/streams": "/live-streams",
    "latency_mode": "latencyMode",
    'stream["id"]': 'stream["liveStreamId"]',
    'stream["ingest_url"]': 'stream["rtmp"]',
}


def test_the_program_with_names_of_ours(own_server: Server) -> None:
    program = PYTHON.replace("https://example.video-api.local", own_server.http)
    for theirs, ours in OURS.items():
        assert theirs in program
        program = program.replace(theirs, ours)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    made, _, url = ran.stdout.partition(" ")
    stream = own_server.api("GET", f"/live-streams/{made}")
    assert (stream["name"], stream["record"], stream["latencyMode"]) == ("product-launch-event", True, "standard")
    assert url.startswith("rtmp://")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The commands of a guide, each with its first line's number and all lines that belong to it."""
    current, begun = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not current and not line.startswith("curl "):
            continue
        current, begun = f"{current}\n{line}" if current else line, begun or number
        if not line.rstrip().endswith("\\") and current.count("'") % 2 == 0:
            yield begun, current
            current, begun = "", 0


@beside
def test_no_line_of_the_guides_is_missing() -> None:
    found = {
        f"{guide}:{number}": command
        for guide, path in enumerate(sorted(GUIDES.glob("*.txt")))
        for number, command in lines(path.read_text())
    }
    assert found == {line.where: line.command for line in LINES}


@beside
@pytest.mark.parametrize(("where", "piece", "why"), ELSEWHERE)
def test_what_is_no_command_is_where_it_is_said_to_be(where: str, piece: str, why: str) -> None:
    guide, number = map(int, where.split(":"))
    assert piece in sorted(GUIDES.glob("*.txt"))[guide].read_text().splitlines()[number - 1]
    for name in re.findall(r"\btest_[a-z_]+(?!.*\.py)", why):
        assert name in globals()


@beside
def test_the_script_for_many_videos(own_server: Server, blanks: Mapping[str, str], tmp_path: Path) -> None:
    """As it is printed, with a file whose rows it cleans in its own way."""
    text = next(GUIDES.glob("004_*.txt")).read_text()
    end = 'echo "Import complete"'
    script = HOSTS.sub(own_server.http, text[text.index("#!/bin/bash") : text.index(end)] + end)
    for blank, value in {"your_api_token": OWNER_KEY, "project_or_folder_id": blanks["${PARENT_ID}"]}.items():
        script = script.replace(blank, value)
    url = blanks["${URL_TO_VIDEO_FILE}"]
    (tmp_path / "videos.csv").write_text(f'url,title\n{url},"First Film"\n{url}?b,Second\n,\n')
    (tmp_path / "import.sh").write_text(script)

    ran = subprocess.run(
        "chmod +x import.sh && ./import.sh", shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip

    found = re.findall(r"✓ Uploaded successfully\. ID: (\S+)", ran.stdout)
    assert len(found) == 2, ran.stdout
    assert ran.stdout.rstrip().endswith("Import complete")
    assert [own_server.api("GET", f"/videos/{each}")["title"] for each in found] == ["FirstFilm", "Second"]
    assert ended(own_server, found[0])["state"] == "done"
