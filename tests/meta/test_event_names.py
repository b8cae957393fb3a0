"""Every event that the code records is in the table of names, as far as its name can be read off the code."""

import ast
from functools import cache
from pathlib import Path

import pytest

from server.catalog import event_names

SERVER = Path(__file__).parents[2] / "server"
# who is called -> where the name is among its arguments, and what goes before it
RECORDERS = {
    ("events", "record"): (3, ""),
    ("videos", "tell"): (2, "video."),
    ("live_streams", "tell"): (2, "live-stream."),
}


def name_of(node: ast.expr) -> str | None:
    """What is filled in at run time is `*`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
    return None


@cache
def recorded() -> set[tuple[str, str]]:
    """Only files with a call as it is written are parsed: each worker of a test run does this."""
    found = set()
    for path in SERVER.rglob("*.py"):
        text = path.read_text()
        if not any(f"{owner}.{name}(" in text for owner, name in RECORDERS):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                at, before = RECORDERS.get((ast.unparse(node.func.value), node.func.attr), (None, ""))
                if at is not None and len(node.args) > at and (name := name_of(node.args[at])):
                    found.add((path.relative_to(SERVER).as_posix(), before + name))
    return found


@pytest.mark.parametrize(("path", "name"), sorted(recorded()))
def test_the_table_has_it(path: str, name: str) -> None:
    assert event_names.names_any(name), f"{path} records {name}"


def test_some_are_found() -> None:
    assert len(recorded()) > 20
