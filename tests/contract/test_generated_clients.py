"""Ordinary generators make clients of our document: they type-check, and do a round against a running server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.media import clip
from tests.harness.server import OWNER_KEY, Server

CLIENTS = Path(__file__).parents[1] / "clients"
MODULES = CLIENTS / "node_modules"
GENERATOR = CLIENTS / "python/generator/bin"  # has the generator, and what its clients need

pytestmark = pytest.mark.server


def run(*command: Path | str, cwd: Path) -> str:
    """What it printed; it must succeed."""
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "PYTHONPATH": str(cwd), "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the document."""
    made = tmp_path_factory.mktemp("generated")
    (made / "openapi.json").write_bytes(server.get("/openapi.json").body)
    return made


def check(said: str) -> None:
    told: dict[str, Any] = json.loads(said)

    assert told["title"] == "Made by a generated client"
    assert told["listed"]
    assert told["total"] >= 1
    assert told["problem"] == [404, "https://docs.api.video/reference/resource-not-found", "videoId"]


def test_typescript(server: Server, folder: Path) -> None:
    (folder / "node_modules").symlink_to(MODULES)
    shutil.copy(CLIENTS / "generated_client.ts", folder)
    run(
        "node", MODULES / "openapi-typescript/bin/cli.js", "openapi.json", "-o", "openapi.d.ts",
        "--default-non-nullable", "false", cwd=folder,  # what has a default may be left out of a body
    )  # fmt: skip
    run(
        "node", MODULES / "typescript/bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext",
        "--moduleResolution", "nodenext", "--lib", "es2022,dom", "--types", "node", "generated_client.ts", cwd=folder,
    )  # fmt: skip
    check(run("node", "generated_client.js", server.http, OWNER_KEY, clip(5), cwd=folder))


def test_python(server: Server, folder: Path) -> None:
    (folder / "generator.yml").write_text("package_name_override: sluice_client\nproject_name_override: sluice\n")
    run(
        GENERATOR / "openapi-python-client", "generate", "--path", "openapi.json", "--config", "generator.yml",
        "--meta", "none", "--output-path", "sluice_client", cwd=folder,
    )  # fmt: skip
    paths = json.loads((folder / "openapi.json").read_text())["paths"]
    made = {path for path in folder.glob("sluice_client/api/*/*.py") if path.name != "__init__.py"}
    assert len(made) == sum(map(len, paths.values()))
    shutil.copy(CLIENTS / "generated_client.py", folder)
    run(
        sys.executable, "-m", "mypy", "--python-executable", GENERATOR / "python", "--no-incremental", "--strict",
        "generated_client.py", cwd=folder,
    )  # fmt: skip
    check(run(GENERATOR / "python", "generated_client.py", server.http, OWNER_KEY, clip(5), cwd=folder))
