"""One file, the environment over it, and refusals that name the key."""

from pathlib import Path

import pytest

from server import config
from server.config import ConfigError


def test_without_a_file_all_defaults_hold() -> None:
    loaded = config.load(None, {})

    assert (loaded.http.host, loaded.http.port, loaded.rtmp.port) == ("127.0.0.1", 8080, 1935)
    assert loaded.storage.path == Path("data")


def test_a_file_sets_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[http]\nport = 9000\nhost = "0.0.0.0"\n[live]\nlatency_mode = "reduced"\n')
    monkeypatch.setenv("SLUICE_HTTP__PORT", "0")

    loaded = config.load(file)

    assert (loaded.http.port, loaded.http.host, loaded.live.latency_mode) == (0, "0.0.0.0", "reduced")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[http]\nprot = 1\n", "http.prot: no such setting"),
        ("[htpp]\nport = 1\n", "htpp: no such setting"),
        ("[http]\nport = 70000\n", "http.port: Input should be less than or equal to 65535"),
        ('[live]\nlatency_mode = "fast"\n', "live.latency_mode: Input should be 'ultra-low', 'low'"),
        ('[http]\npublic_url = "video.example.com"\n', "http.public_url: String should match pattern"),
        ("[analytics]\nkeep_days = inf\n", "analytics.keep_days: Input should be less than or equal to 36500"),
        ("[events]\nkeep_days = 1e6\n", "events.keep_days: Input should be less than or equal to 36500"),
        ("[webhooks]\nkeep_days = 1000000\n", "webhooks.keep_days: Input should be less than or equal to 36500"),
        ("[http]\nport = 1935\n", "http.port and rtmp.port are the same"),
        ("[http\n", "config.toml: "),
    ],
)
def test_a_fault_is_said_with_its_key(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as refused:
        config.load(file, {})

    assert said in str(refused.value)


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[http]\nprot = 1\nport = -1\n")

    with pytest.raises(ConfigError) as refused:
        config.load(file, {})

    assert len(str(refused.value).splitlines()) == 2


def test_a_misspelt_variable_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="SLUICE_HTTP__PROT: no such setting"):
        config.load(None, {"SLUICE_HTTP__PROT": "1", "PATH": "/bin"})


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config.load(tmp_path / "none.toml", {})


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_AUTH__OWNER_KEY", "open-sesame")

    loaded = config.load(None)

    assert loaded.auth.owner_key is not None
    assert loaded.auth.owner_key.get_secret_value() == "open-sesame"
    assert "open-sesame" not in repr(loaded)
