"""`sluice keys …` on a catalogue that a server has made."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.app.key_commands import create, listed, revoke, rotate
from server.cli import main
from server.config import Config, DatabaseConfig, StorageConfig
from tests.harness import catalogue


@pytest.fixture
def config(tmp_path: Path) -> Config:
    url = catalogue.copy(tmp_path)
    return Config(storage=StorageConfig(path=tmp_path), database=DatabaseConfig(url=url))  # type: ignore[call-arg]


async def test_a_keys_life(config: Config) -> None:
    secret = await create(config, "reader", ["videos:read"], None, 7)
    (key,) = await listed(config)
    assert (key["name"], key["scopes"], key["lastUsedAt"]) == ("reader", ["videos:read"], None)
    assert key["expiresAt"]
    assert secret not in json.dumps(key)

    assert await rotate(config, key["apiKeyId"], 0) != secret
    await revoke(config, key["apiKeyId"])
    assert await listed(config) == []


async def test_what_is_not_there(config: Config) -> None:
    with pytest.raises(LookupError, match="there is no project nothing"):
        await create(config, "x", ["*"], "nothing", None)
    with pytest.raises(ValueError, match=r"no such scope: video:read; there are \*, \*:create"):
        await create(config, "x", ["video:read"], None, None)
    with pytest.raises(LookupError, match="there is no API key nothing"):
        await revoke(config, "nothing")


@pytest.fixture
def sluice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("SLUICE_STORAGE__PATH", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_the_command_line_says_what_is_wrong(sluice: Callable[..., Result]) -> None:
    done = sluice("keys", "list")

    assert done.exit_code == 1
    assert "no database in" in done.output
