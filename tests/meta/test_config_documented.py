"""config.example.toml and the README's table know every setting, its default and nothing else."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from server.config import sections

ROOT = Path(__file__).parents[2]
KEYS = [(name, key, field) for name, model in sections().items() for key, field in model.model_fields.items()]


def example() -> str:
    return (ROOT / "config.example.toml").read_text()


@pytest.mark.parametrize(("section", "key", "field"), KEYS, ids=[f"{s}.{k}" for s, k, _ in KEYS])
def test_the_example_has_the_key_with_its_words(section: str, key: str, field: FieldInfo) -> None:
    table = re.search(rf"^\[{section}\]\n(.*?)(?=^\[|\Z)", example(), re.M | re.S)
    assert table, f"[{section}] is missing"
    assert re.search(rf"^# ?{key} = ", table[1], re.M), f"{section}.{key} is missing"
    words = " ".join(re.sub(r"^# ?", "", line) for line in table[1].splitlines())
    assert field.description
    assert field.description in re.sub(r"\s+", " ", words)


def test_the_example_names_no_other_key_and_the_defaults_are_true() -> None:
    text = re.sub(r"^# ?(\w+ = )", r"\1", example(), flags=re.M)
    values = tomllib.loads(text)
    for section, model in sections().items():
        table = values.pop(section, {})
        for key, field in model.model_fields.items():
            default = field.get_default()
            if default is None:
                table.pop(key, None)
            else:
                assert table.pop(key) == (str(default) if isinstance(default, Path) else default), f"{section}.{key}"
        assert table == {}, section
    assert values == {}


@pytest.mark.parametrize(("section", "key", "field"), KEYS, ids=[f"{s}.{k}" for s, k, _ in KEYS])
def test_the_readme_has_the_key(section: str, key: str, field: FieldInfo) -> None:
    assert f"`{section}.{key}`" in (ROOT / "README.md").read_text()
