"""The real tus clients, unchanged, against a real server."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from tests.harness.server import OWNER_KEY, Answer, Server, until
from tests.player.pages import chromium

CLIENTS = Path(__file__).parents[1] / "clients"
MIB = 1 << 20

KEY = {"Authorization": "Basic " + base64.b64encode(f"{OWNER_KEY}:".encode()).decode()}

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bytes that no two places have in common."""
    path = tmp_path_factory.mktemp("files") / "clip.mp4"
    path.write_bytes(os.urandom(11 * MIB + 12345))
    return path


def js(server: Server, file: Path, **options: Any) -> dict[str, Any]:
    """What tests/clients/tus_upload.mjs printed."""
    options = {"headers": KEY, **options}
    done = subprocess.run(
        ["node", str(CLIENTS / "tus_upload.mjs"), f"{server.http}/tus", str(file), json.dumps(options)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr[-2000:]
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


def tuspy(server: Server, **headers: str) -> TusClient:
    return TusClient(f"{server.http}/tus", headers={**KEY, **headers})


def newest(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.api("GET", "/videos")["data"][0]
    return found


def stored(server: Server, video_id: str) -> bytes:
    path = server.data / "videos" / video_id / "source"
    until(path.exists)
    return path.read_bytes()


def head(server: Server, url: str) -> Answer:
    return server.call("HEAD", url, key=None, headers={"Tus-Resumable": "1.0.0"})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 4 * MIB},
        {"chunkSize": 5 * MIB, "uploadDataDuringCreation": True},
        {"chunkSize": 5 * MIB, "uploadLengthDeferred": True},
        {"chunkSize": 5 * MIB, "overridePatchMethod": True},
        {"parallelUploads": 4},
        {"parallelUploads": 4, "chunkSize": MIB},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_tus_js_client_uploads(server: Server, file: Path, options: dict[str, Any]) -> None:
    metadata = {"filename": "clip.mp4", "filetype": "video/mp4", "title": "Über", "tags": "a,b"}
    printed = js(server, file, metadata=metadata, **options)
    video = newest(server)

    assert "error" not in printed
    assert (video["title"], video["tags"]) == ("Über", ["a", "b"])
    assert stored(server, video["videoId"]) == file.read_bytes()
    assert head(server, printed["url"]).headers["Upload-Offset"] == str(file.stat().st_size)


def test_tus_js_client_resumes_where_it_stopped(server: Server, file: Path) -> None:
    first = js(server, file, stopAfter=5 * MIB, chunkSize=2 * MIB)
    kept = int(head(server, first["url"]).headers["Upload-Offset"])
    second = js(server, file, uploadUrl=first["url"])

    assert 0 < kept < file.stat().st_size
    assert second["url"] == first["url"]
    assert stored(server, newest(server)["videoId"]) == file.read_bytes()


def test_parallel_uploads_of_tus_js_client_resume(server: Server, file: Path) -> None:
    """Each part goes on where it stopped, as the client kept its URL."""
    options = {"parallelUploads": 4, "chunkSize": MIB}
    first = js(server, file, stopAfter=4 * MIB, **options)
    sent = [int(head(server, url).headers["Upload-Offset"]) for url in first["parallelUploadUrls"]]
    second = js(server, file, previous=first["parallelUploadUrls"], **options)

    assert len(sent) == 4
    assert 0 < sum(sent) < file.stat().st_size
    assert "error" not in second
    assert stored(server, newest(server)["videoId"]) == file.read_bytes()


def test_tus_js_client_hears_why_it_is_refused(server: Server, file: Path) -> None:
    assert js(server, file, headers={}, retryDelays=[])["status"] == 401
    assert "invalid-attribute" in js(server, file, metadata={"tags": "[1"}, retryDelays=[])["error"]


def test_tuspy_uploads(server: Server, file: Path) -> None:
    with file.open("rb") as stream:
        tuspy(server).uploader(
            file_stream=stream, chunk_size=4 * MIB, metadata={"filename": "clip.mp4"}
        ).upload()
    video = newest(server)

    assert (video["title"], video["source"]["type"]) == ("clip.mp4", "upload")
    assert stored(server, video["videoId"]) == file.read_bytes()


def test_tuspy_resumes(server: Server, file: Path) -> None:
    with file.open("rb") as stream:
        first = tuspy(server).uploader(file_stream=stream, chunk_size=3 * MIB)
        first.upload_chunk()
        first.upload_chunk()
        second = tuspy(server).uploader(file_stream=stream, chunk_size=3 * MIB, url=first.url)

        assert second.offset == 6 * MIB
        second.upload()
    assert stored(server, newest(server)["videoId"]) == file.read_bytes()


def test_tuspy_hears_why_it_is_refused(server: Server, file: Path) -> None:
    client = TusClient(f"{server.http}/tus")
    with file.open("rb") as stream, pytest.raises(TusCommunicationError) as caught:
        client.uploader(file_stream=stream, retries=0).upload()

    assert caught.value.status_code == 401


def test_an_upload_token_is_enough(server: Server, file: Path) -> None:
    token = server.api("POST", "/upload-tokens", {"ttl": 60})["token"]
    printed = js(server, file, endpoint=f"{server.http}/tus?token={token}", headers={})

    assert "error" not in printed
    assert token not in server.log()
    assert printed["url"].rpartition("/")[2] not in server.log()


PAGE = """async ({ endpoint, headers, size }) => {
  const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 31) & 255)
  const run = (options, stopAfter) => new Promise((resolve, reject) => {
    const upload = new tus.Upload(new Blob([bytes]), {
      endpoint, headers, chunkSize: 1 << 20, retryDelays: [100, 1000],
      metadata: { filename: 'from-a-page.mp4' },
      onError: reject,
      onSuccess: () => resolve(upload.url),
      onChunkComplete: (_, sent) => { if (sent >= stopAfter) upload.abort().then(() => resolve(upload.url)) },
      ...options,
    })
    upload.start()
  })
  const url = await run({}, 2 << 20)
  return [url, await run({ uploadUrl: url }, Infinity)]
}"""


@pytest.mark.browser
async def test_tus_js_client_uploads_from_a_page_elsewhere(server: Server) -> None:
    """The page's origin is none of the server's, so every header it reads has to be exposed."""
    size = 3 * MIB + 5
    async with chromium() as browser:
        page = await browser.new_page()
        await page.add_script_tag(path=CLIENTS / "node_modules/tus-js-client/dist/tus.min.js")
        arguments = {"endpoint": f"{server.http}/tus", "headers": KEY, "size": size}
        begun, ended = await page.evaluate(PAGE, arguments)
    video = newest(server)

    assert begun == ended
    assert video["title"] == "from-a-page.mp4"
    assert stored(server, video["videoId"]) == bytes((at * 31) & 255 for at in range(size))


def test_uploads_and_refusals_are_counted(server: Server, file: Path) -> None:
    js(server, file, headers={"Authorization": "Basic eDo="}, retryDelays=[])
    first = js(server, file, stopAfter=5 * MIB, chunkSize=2 * MIB)
    js(server, file, uploadUrl=first["url"])
    stored(server, newest(server)["videoId"])
    text = server.get("/metrics").text

    for name in (
        'sluice_uploads_begun_total{protocol="tus"}',
        'sluice_uploads_ended_total{outcome="finished",protocol="tus"}',
        'sluice_upload_seconds_count{protocol="tus"}',
        'sluice_auth_refusals_total{reason="invalid-api-key"}',
        'sluice_job_queue_seconds_count{kind="vod"}',
    ):
        assert re.search(re.escape(name) + r" [1-9]", text), f"{name} in {text}"
