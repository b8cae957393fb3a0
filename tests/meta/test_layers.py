"""The layers of the architecture map: a module imports only from the lines below its own."""

import ast
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[2] / "server"

# Top line first. Names on one line are siblings and never import each other, unless they are in one package.
LAYERS: list[set[str]] = [
    {"__main__", "cli", "app"},
    {"web"},
    {"ingest", "recorder", "vod", "uploads", "playback", "webhooks", "analytics", "restream", "ladder", "mcp"},
    {"packager"},
    {"stream"},
    {"media", "storage", "catalog", "jobs", "outbound", "client"},
    {"protocols"},
    {"formats"},
    {"errors", "ids", "clock", "log", "config", "tally"},
]
LEVEL = {name: len(LAYERS) - at for at, names in enumerate(LAYERS) for name in names}

# The jobs port stands on the rows that order the work; the composition root's modules build on each other;
# errors of layer 0 have no order among themselves.
SIBLINGS_ALLOWED = {("jobs", "catalog"), ("cli", "app"), ("__main__", "cli")}

# library -> packages that may import it
LIBRARIES = {
    "aiohttp": {"web", "outbound"},  # its server and its client: one door in, one door out
    "av": {"media"},
    "mcp": {"mcp", "web"},  # web: its transport, in an application of ours
    "mcp_types": {"mcp"},
    "sqlalchemy": {"catalog", "jobs"},
    "alembic": {"catalog"},
    "dbos": {"jobs"},
    "asyncio": {"web", "ingest", "recorder", "vod", "uploads", "playback", "webhooks", "analytics", "restream",
                "ladder", "mcp", "packager", "stream", "media", "storage", "catalog", "jobs", "outbound", "cli", "app",
                "__main__"},
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(path for path in SERVER.rglob("*.py") if "migrations" not in path.parts)


def package_of(path: Path) -> str:
    parts = path.relative_to(SERVER).parts
    return parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names that a module imports, relative ones resolved."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write server.…"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SERVER)))
def test_imports_only_from_below(path: Path) -> None:
    own = package_of(path)
    if own == "__init__":
        return
    assert own in LEVEL, f"{own} has no line in the map"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "server" and len(parts) > 1 and parts[1] in LEVEL:
            other = parts[1]
            allowed = other == own or LEVEL[other] < LEVEL[own] or (own, other) in SIBLINGS_ALLOWED
            assert allowed or (LEVEL[own] == 1 == LEVEL[other]), f"{own} imports {other}, which is not below it"
        elif parts[0] in LIBRARIES:
            assert own in LIBRARIES[parts[0]], f"{own} imports {parts[0]}"


@pytest.mark.parametrize("package", sorted({path.parent for path in modules()} - {SERVER}), ids=lambda p: p.name)
def test_each_package_says_what_it_is_in_charge_of(package: Path) -> None:
    init = package / "__init__.py"
    assert init.exists(), f"{package} has no __init__.py"
    assert ast.get_docstring(ast.parse(init.read_text())), f"{init} has no docstring"


def test_only_the_clock_reads_the_time() -> None:
    guilty = [
        str(path)
        for path in modules()
        if path.name != "clock.py"
        and any(call in path.read_text() for call in ("time.time(", "datetime.now(", "datetime.utcnow(", "time_ns("))
    ]
    assert guilty == []
