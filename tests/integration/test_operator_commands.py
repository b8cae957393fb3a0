"""The commands for operators against a real server: what they print, what they do, how they end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from tests.harness import media
from tests.harness.endpoint import Endpoint, listening
from tests.harness.server import OWNER_KEY, Server, until

pytestmark = pytest.mark.server

Sluice = Callable[..., Result]


@pytest.fixture(autouse=True)
def of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither settings nor unfinished uploads of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("SLUICE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def sluice(server: Server) -> Sluice:
    """Calls it with the owner's key."""

    def run(*arguments: str, key: str = OWNER_KEY, code: int = 0) -> Result:
        done = CliRunner(env={"SLUICE_URL": server.http, "SLUICE_KEY": key}).invoke(main, list(arguments))
        assert done.exit_code == code, done.output
        return done

    return run


def as_json(done: Result) -> Any:
    return json.loads(done.stdout)


def test_a_videos_life(sluice: Sluice, server: Server) -> None:
    made = as_json(sluice("videos", "create", "From the terminal", "--tag", "a", "--tag", "b", "--private",
                          "--metadata", "id=7", "--language", "en", "--json"))  # fmt: skip
    id = made["videoId"]
    assert (made["tags"], made["public"], made["metadata"]) == (["a", "b"], False, [{"key": "id", "value": "7"}])

    table = sluice("videos", "list", "--title", "the terminal", "--tag", "a", "--metadata", "id=7").stdout
    assert table.split("\n")[0].split() == ["ID", "TITLE", "STATE", "LENGTH", "PUBLIC", "TAGS", "CREATED", "(UTC)"]
    assert f"{id}  From the terminal  pending  " in table
    assert id in sluice("videos", "list", "--search", "TERM").stdout
    assert sluice("videos", "list", "--tag", "no such tag").stdout == ""
    assert len(as_json(sluice("videos", "list", "--limit", "1", "--json"))) == 1

    changed = as_json(sluice("videos", "update", id, "--title", "Better", "--public", "--clear", "tags", "--json"))
    assert (changed["title"], changed["public"], changed["tags"]) == ("Better", True, [])
    assert changed["metadata"] == made["metadata"]
    assert ["title", "Better"] in [line.split() for line in sluice("videos", "show", id).stdout.splitlines()]
    assert ["state", "pending"] in [line.split() for line in sluice("videos", "status", id).stdout.splitlines()]
    folder = server.api("POST", "/folders", {"name": "A folder"})["folderId"]
    assert as_json(sluice("videos", "update", id, "--folder", folder, "--json"))["folderId"] == folder
    assert id in sluice("videos", "list", "--folder", folder).stdout
    assert as_json(sluice("videos", "update", id, "--clear", "folder", "--json"))["folderId"] is None
    assert "/embed/" in sluice("videos", "link", id, "--ttl", "60").stdout

    assert "Delete 1 video?" in sluice("videos", "delete", id, code=1).output
    assert as_json(sluice("videos", "delete", id, "--yes", "--json")) == {"deleted": [id]}
    assert "videoId: The requested resource was not found." in sluice("videos", "show", id, code=1).stderr


def test_files_are_uploaded_and_waited_for(sluice: Sluice, tmp_path: Path) -> None:
    path = tmp_path / "A film.mp4"
    path.write_bytes(media.clip(2).read_bytes())

    (video,) = as_json(sluice("videos", "upload", str(path), "--tag", "x, y", "--private", "--wait", "--json"))
    assert (video["title"], video["tags"], video["public"]) == ("A film.mp4", ["x, y"], False)
    assert video["state"] == "done"

    status = as_json(sluice("videos", "status", video["videoId"], "--watch", "--json"))
    assert status["state"] == "done"
    assert status["encoding"]["playable"] is True

    bad = tmp_path / "no film.mp4"
    bad.write_bytes(b"no film" * 1000)
    assert "error" in sluice("videos", "upload", str(bad), "--wait", code=1).stdout
    assert "for one file" in sluice("videos", "upload", str(path), str(bad), "--title", "x", code=2).stderr


def test_live_streams(sluice: Sluice) -> None:
    made = as_json(sluice("live", "create", "On air", "--latency", "reduced", "--no-record", "--json"))
    id = made["liveStreamId"]
    assert (made["latencyMode"], made["record"]) == ("reduced", False)

    assert f"{id}  On air" in sluice("live", "list", "--name", "On air").stdout
    assert "streamKey" in sluice("live", "show", id).stdout
    assert as_json(sluice("live", "reset-key", id, "--json"))["streamKey"] != made["streamKey"]
    assert "disabled" in sluice("live", "disable", id).stdout
    assert "idle" in sluice("live", "enable", id).stdout
    assert as_json(sluice("live", "update", id, "--name", "Off air", "--json"))["name"] == "Off air"
    sluice("live", "complete", id)
    assert "state" in sluice("live", "health", id).stdout
    assert as_json(sluice("live", "health", id, "--json"))["liveStreamId"] == id
    sluice("live", "delete", id, "--yes")
    assert "liveStreamId" in sluice("live", "show", id, code=1).stderr


def test_keys_over_the_api(sluice: Sluice, server: Server) -> None:
    secret = sluice("keys", "create", "--name", "reader", "--scope", "videos:read", "--days", "2").stdout.strip()
    assert server.call("GET", "/videos", key=secret).status == 200
    (key,) = [one for one in as_json(sluice("keys", "list", "--json")) if one["name"] == "reader"]
    assert key["expiresAt"]
    assert secret not in sluice("keys", "list").stdout

    made = as_json(sluice("keys", "rotate", key["apiKeyId"], "--overlap", "0", "--json"))
    assert server.call("GET", "/videos", key=secret).status == 401
    assert "lacks the scope videos:write" in sluice("videos", "create", "x", key=made["secret"], code=1).stderr
    sluice("keys", "revoke", key["apiKeyId"])
    assert server.call("GET", "/videos", key=made["secret"]).status == 401
    assert "scopes[0]: There is no such scope." in sluice("keys", "create", "--scope", "video:read", code=1).stderr


def test_webhooks(make_server: Callable[..., Server]) -> None:
    server = make_server(SLUICE_WEBHOOKS__ALLOW='["127.0.0.1"]')
    runner = CliRunner(env={"SLUICE_URL": server.http, "SLUICE_KEY": OWNER_KEY})

    def sluice(*arguments: str, code: int = 0) -> Result:
        done = runner.invoke(main, list(arguments))
        assert done.exit_code == code, done.output
        return done

    with listening(Endpoint()) as endpoint:
        made = as_json(sluice("webhooks", "create", endpoint.url, "--event", "video.*", "--json"))
        id = made["webhookId"]
        assert (made["format"], made["events"]) == ("native", ["video.*"])
        assert made["signatureSecret"] not in sluice("webhooks", "list").stdout
        assert "delivered" in sluice("webhooks", "ping", id).stdout

        server.api("POST", "/videos", {"title": "told"})
        until(lambda: "video.created" in sluice("webhooks", "deliveries", id, "--state", "delivered").stdout)
        (delivery,) = as_json(sluice("webhooks", "deliveries", id, "--event", "video.created", "--json"))
        sluice("webhooks", "redeliver", id, delivery["deliveryId"])
        found = as_json(sluice("webhooks", "redeliver", id, "--from", "2020-01-01T00:00:00+00:00", "--json"))
        assert found == {"redelivered": 0}
        assert "DELIVERY, or --from" in sluice("webhooks", "redeliver", id, code=2).stderr
        changed = as_json(sluice("webhooks", "update", id, "--event", "*", "--name", "all", "--json"))
        assert (changed["events"], changed["name"]) == (["*"], "all")
        assert as_json(sluice("webhooks", "rotate-secret", id, "--json"))["signatureSecret"] != made["signatureSecret"]
        sluice("webhooks", "enable", id)
    assert "did not take it" in sluice("webhooks", "ping", id, code=1).stderr
    sluice("webhooks", "delete", id, "--yes")
    assert sluice("webhooks", "list").stdout == ""


def test_jobs(sluice: Sluice, server: Server, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no film" * 1000)
    video = as_json(sluice("videos", "upload", str(bad), "--wait", "--json", code=1))[0]["videoId"]

    jobs = as_json(sluice("jobs", "list", "--object", video, "--json"))
    assert jobs
    job = jobs[0]
    assert job["jobId"] in sluice("jobs", "list", "--object", video).stdout
    assert "objectId" in sluice("jobs", "show", job["jobId"]).stdout
    assert sluice("jobs", "cancel", job["jobId"], code=1).stderr.startswith("Error: ")
    assert sluice("jobs", "redrive", "nonsense", code=1).stderr.startswith("Error: ")


def test_what_is_wrong_is_said(sluice: Sluice, server: Server) -> None:
    said = sluice("videos", "create", " ", "--language", "no language", "--tag", "", code=1).stderr
    assert [line.split(": ")[1] for line in said.splitlines()] == ["title", "language", "tags[0]"]
    assert sluice("videos", "list", key="wrong", code=1).stderr.startswith("Error: ")
    assert "can't be reached" in sluice("videos", "list", "--url", "http://127.0.0.1:1", code=1).stderr
    assert "not found" in sluice("videos", "show", "../live-streams", code=1).stderr
    assert "not found" in sluice("videos", "show", "a b\n?x=1", code=1).stderr
    assert "KEY=VALUE" in sluice("videos", "create", "x", "--metadata", "x", code=2).stderr
    assert sluice("videos", code=2).output


def test_without_a_key_it_says_where_one_could_be(tmp_path: Path) -> None:
    done = CliRunner(env={"SLUICE_STORAGE__PATH": str(tmp_path)}).invoke(main, ["videos", "list"])
    assert done.exit_code == 1
    assert f"the owner's is not in {tmp_path / 'owner.key'}" in done.stderr


def test_the_owners_key_of_this_machine_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "owner.key").write_text(OWNER_KEY + "\n")
    port = server.http.rsplit(":", 1)[1]
    environment = {"SLUICE_STORAGE__PATH": str(tmp_path), "SLUICE_HTTP__PORT": port}
    assert CliRunner(env=environment).invoke(main, ["videos", "list", "--json"]).exit_code == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str) -> None:
    assert "_SLUICE_COMPLETE" in CliRunner().invoke(main, ["completion", shell]).stdout


def test_completion_knows_the_commands() -> None:
    asked = {"_SLUICE_COMPLETE": "bash_complete", "COMP_WORDS": "sluice videos u", "COMP_CWORD": "2"}
    program = "from server.cli import main; main(prog_name='sluice')"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asked}, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == ["update", "upload"]
