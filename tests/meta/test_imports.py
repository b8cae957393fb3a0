"""No module imports itself in a round: so each can be imported alone, and in any order."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "server"


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for path in sorted(SERVER.rglob("*.py")) if "migrations" not in path.parts}


def at_import(nodes: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that are carried out when the module is: not those within functions, nor those for types alone."""
    for node in nodes:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pass
            case ast.If() | ast.Try() | ast.With():
                yield from at_import([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])


def imported(source: str, modules: Mapping[str, object]) -> set[str]:
    """The modules, of those that there are, which a source imports."""
    found: set[str] = set()
    for node in at_import(ast.parse(source).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & modules.keys() or {node.module}
    return found & modules.keys()


def rounds(graph: Mapping[str, set[str]]) -> list[str]:
    """The first round found from each module, as a sentence."""
    done: set[str] = set()
    found: list[str] = []

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append(" -> ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


def test_no_module_imports_itself_in_a_round() -> None:
    assert len(MODULES) > 200
    assert rounds({name: imported(path.read_text(), MODULES) for name, path in MODULES.items()}) == []


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"a": "import b", "b": "import c", "c": ""}, []),
        ({"a": "import b", "b": "import c", "c": "import a"}, ["a -> b -> c -> a"]),
        ({"a": "from b import x", "b": "try:\n  import a\nexcept ImportError: pass"}, ["a -> b -> a"]),
        ({"a": "from p import b", "p": "", "p.b": "import a"}, ["a -> p.b -> a"]),
        ({"a": "import b", "b": "def f():\n  import a"}, []),
        ({"a": "import b", "b": "if TYPE_CHECKING:\n  import a"}, []),
    ],
)
def test_rounds_are_found(sources: dict[str, str], expected: list[str]) -> None:
    assert rounds({name: imported(source, sources) for name, source in sources.items()}) == expected
