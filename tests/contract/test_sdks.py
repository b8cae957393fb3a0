"""The dialect's own SDKs, as they are published, with the suites that their makers test them with."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.media import clip, ffmpeg
from tests.harness.server import OWNER_KEY, Server

CLIENTS = Path(__file__).parents[1] / "clients"
NODE_SDK = CLIENTS / "node_modules/@api.video/nodejs-client"
PYTHON_SDK = CLIENTS / "python/api.video-1.4.7"
MIB = 1 << 20
PART = 5 * MIB  # the least that the dialect takes as a part that is not the last

CAPTIONS = "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHello\n"

pytestmark = pytest.mark.server


def put_material(folder: Path) -> None:
    """The files that the suites send, by the names that they know."""
    folder.mkdir(parents=True, exist_ok=True)
    small = clip(5).read_bytes()
    padding = os.urandom(11 * MIB)
    large = small + (len(padding) + 8).to_bytes(4, "big") + b"free" + padding  # a box that says nothing
    (folder / "558k.mp4").write_bytes(small)
    (folder / "10m.mp4").write_bytes(large)
    for letter, start in (("a", 0), ("b", PART), ("c", 2 * PART)):
        end = len(large) if letter == "c" else start + PART
        (folder / f"10m.mp4.part.{letter}").write_bytes(large[start:end])
    for name in ("test.jpg", "test.png"):
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180", "-frames:v", "1", "-update", "1", folder / name)
    (folder / "en.vtt").write_text(CAPTIONS)


def test_the_suite_of_the_sdk_for_node(own_server: Server, tmp_path: Path) -> None:
    package = tmp_path / "nodejs-client"
    shutil.copytree(NODE_SDK, package)
    (package / "node_modules").symlink_to(CLIENTS / "node_modules")
    put_material(package / "test/data")
    configuration = {
        "rootDir": str(package),
        "testEnvironment": "node",
        "transform": {"\\.ts$": [str(CLIENTS / "node_modules/ts-jest"), {"isolatedModules": True}]},
        "cacheDirectory": str(tmp_path / "cache"),
        "watchman": False,
    }

    done = subprocess.run(
        ["node", str(CLIENTS / "node_modules/jest/bin/jest.js"), "--json", "--config", json.dumps(configuration),
         "test/sandbox.spec.ts"],
        cwd=package, capture_output=True, text=True, timeout=200, check=False,
        env={**os.environ, "API_KEY": OWNER_KEY, "BASE_URI": own_server.http},
    )  # fmt: skip

    assert done.stdout, done.stderr[-3000:]
    told = json.loads(done.stdout)
    failed = [
        f"{each['fullName']}: {each['failureMessages']}"
        for file in told["testResults"] for each in file["assertionResults"] if each["status"] != "passed"
    ]  # fmt: skip
    assert not failed, "\n".join(failed)
    assert (told["numPassedTests"], told["success"]) == (39, True), done.stderr[-3000:]


def test_the_suite_of_the_sdk_for_python(own_server: Server, tmp_path: Path) -> None:
    put_material(tmp_path)

    done = subprocess.run(
        [sys.executable, str(CLIENTS / "run_python_suite.py"), str(PYTHON_SDK / "test/test_integration_videos_api.py")],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        env={**os.environ, "API_KEY": OWNER_KEY, "BASE_URI": own_server.http, "PYTHONPATH": str(PYTHON_SDK)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told == {"run": 7, "skipped": 0, "failed": {}}
