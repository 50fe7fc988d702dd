"""The imports of the emulator, with those for type checkers, point one way."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import emulator

FOLDER = Path(emulator.__file__).parent
MAY_IMPORT = {"account": (), "server": ("account",), "sample": ("account",)}


def imports() -> dict[str, set[str]]:
    """The name of each module of the emulator, with the names of the modules that it imports."""
    paths = {".".join(path.relative_to(FOLDER.parent).with_suffix("").parts): path for path in FOLDER.rglob("*.py")}
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    found: dict[str, set[str]] = {name: set() for name in paths}
    for name, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= (members & paths.keys()) or {node.module}
            elif isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("room", sorted(path.name for path in FOLDER.iterdir() if (path / "__init__.py").exists()))
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    allowed = tuple(f"emulator.{name}." for name in (room, *MAY_IMPORT[room]))
    for name, modules in imports().items():
        if name.startswith(f"emulator.{room}."):
            assert not [used for used in modules if used.split(".")[0] == "emulator" and not used.startswith(allowed)]


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter(imports()).prepare()  # raises CycleError


def test_the_emulator_imports_nothing_of_the_connector() -> None:
    roots = {used.split(".")[0] for modules in imports().values() for used in modules}
    assert not roots & {"source_harvest", "unit_tests", "demo"}
