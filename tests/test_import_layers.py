"""Imports between packages point down only, and the light packages stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dlm

ROOT = Path(dlm.__file__).parent
# The lowest first; names in one row may import each other.
LAYERS = (
    ("", "errors", "files", "launch", "plugins", "tensors", "working"),
    ("doc",),
    ("sources",),
    ("text",),
    ("base_models", "hardware", "memory", "templates"),
    ("data",),
    ("index",),
    ("store",),
    ("engine",),
    ("eval",),
    ("train",),
    ("loops", "testing"),
    ("report", "export", "pack"),
    ("cli", "serve", "neighbours"),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
LIGHT = (
    *(
        "doc",
        "sources",
        "text",
        "data",
        "index",
        "store",
        "base_models",
        "hardware",
        "memory",
        "templates",
        "files",
        "launch",
        "plugins",
        "tensors",
        "working",
    ),
    *("report", "cli"),
)
HEAVY = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "huggingface_hub")


def _modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def _name(path: Path) -> str:
    parts = ("dlm", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module of this package that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "dlm":
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            module = node.module or ""
            if module == "dlm":
                yield from ((node.lineno, f"dlm.{alias.name}") for alias in node.names)
            elif module.startswith("dlm."):
                yield node.lineno, module


def test_every_package_has_its_layer() -> None:
    assert {_package(_name(path)) for path in _modules()} <= set(LEVEL)


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_imports_point_down_only(path: Path) -> None:
    own = LEVEL[_package(_name(path))]
    upward = [
        f"{path}:{line} imports {module}"
        for line, module in _imports(path)
        if LEVEL.get(_package(module), LEVEL[""]) > own
    ]
    assert not upward


def _graph() -> dict[str, set[str]]:
    """The modules of this package, each with those that it imports anywhere."""
    paths = {_name(path): path for path in _modules()}
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                found = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[name] |= (found & paths.keys()) or ({node.module} & paths.keys())
    return graph


def _circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Those that can be reached from themselves, by which of them reach each other."""
    reached = {name: _reached(graph, name) for name in graph}
    return sorted(
        {
            tuple(sorted(one for one in reached[name] if name in reached[one]))
            for name in graph
            if name in reached[name]
        }
    )


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = set(graph[start])
    while left:
        found |= left
        left = {other for name in left for other in graph[name]} - found
    return found


def test_no_file_imports_itself_by_a_detour() -> None:
    assert _circles(_graph()) == []


@pytest.mark.parametrize("depth", [2, 3], ids=["packages", "their parts"])
def test_no_package_imports_itself_by_a_detour(depth: int) -> None:
    packages: dict[str, set[str]] = {}
    for name, imported in _graph().items():
        own = _part(name, depth)
        packages.setdefault(own, set()).update({_part(one, depth) for one in imported} - {own})
    assert _circles({one: imported & packages.keys() for one, imported in packages.items()}) == []


def _part(module: str, depth: int) -> str:
    """The package that a module is in: that at the top, or with depth 3 one below it."""
    return ".".join(module.split(".")[:depth])


def _loaded_by(modules: list[str]) -> list[str]:
    program = f"import sys, {', '.join(modules)}\nprint(*(set({HEAVY}) & sys.modules.keys()))"
    return subprocess.check_output([sys.executable, "-c", program], text=True).split()


def test_what_an_editor_and_the_command_line_import_is_light() -> None:
    named = ["doc.parser", "data.chat", "store.paths", "base_models", "cli.app"]
    assert _loaded_by([f"dlm.{name}" for name in named]) == []


def test_no_module_of_the_light_packages_loads_anything_heavy() -> None:
    assert _loaded_by([_name(path) for path in _modules() if _package(_name(path)) in LIGHT]) == []
