"""The package has rooms, one above the other: a module imports only from its own room and from those below it.

Imports for type checkers and inside functions count too.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import source_harvest

FOLDER = Path(source_harvest.__file__).parent

# From top to bottom. A folder is a room, and so is a module at the root. Those on one line do not know each other.
FLOORS = (
    {"__main__"},
    {"run"},
    {"entrypoint", "commands"},
    {"source", "output"},
    {"check", "input_files", "sync", "streams"},
    {"stream_types"},
    {"state"},
    {"api"},
    {"config"},
    {"errors", "secret_filter"},
)
MOST_AT_THE_ROOT = 10


def room_of(module: str) -> str:
    """Such as "api" for "source_harvest.api.pages"; empty for the package itself."""
    return ([*module.split("."), ""])[1]


def imports() -> dict[str, set[str]]:
    """Each module of the package, with the modules of the package that it imports."""
    paths = {
        ".".join(("source_harvest", *path.relative_to(FOLDER).with_suffix("").parts)): path for path in python_files()
    }
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    found: dict[str, set[str]] = {}
    for name, path in paths.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                named |= (members & paths.keys()) or {node.module}
            elif isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
        found[name] = named & paths.keys()
    return found


def python_files() -> list[Path]:
    found = sorted(FOLDER.rglob("*.py"))
    assert found
    return found


def assert_in_order(imported: dict[str, set[str]]) -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for module, others in imported.items():
        for other in others:
            here, there = room_of(module), room_of(other)
            # The package itself gives out the connector, which is loaded when somebody asks for it.
            if here and there and here != there:
                assert floor[here] < floor[there], f"{module} imports {other}"


def assert_no_circle(imported: dict[str, set[str]]) -> None:
    TopologicalSorter({name: others - {"source_harvest"} for name, others in imported.items()}).prepare()


def test_each_module_is_in_a_room() -> None:
    assert {room_of(module) for module in imports()} - {""} == set().union(*FLOORS)


def test_no_module_imports_from_a_room_beside_or_above_its_own() -> None:
    assert_in_order(imports())


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert_no_circle(imports())


def test_few_modules_stand_at_the_root() -> None:
    assert len([path for path in FOLDER.glob("*.py") if not path.stem.startswith("__")]) <= MOST_AT_THE_ROOT


@pytest.mark.parametrize("upward", [("api.pages", "state.progress"), ("errors", "config"), ("streams.tasks", "check")])
def test_an_upward_import_is_found(upward: tuple[str, str]) -> None:
    module, other = (f"source_harvest.{name}" for name in upward)
    with pytest.raises(AssertionError, match="imports"):
        assert_in_order({**imports(), module: {other}})


def test_a_circle_is_found() -> None:
    found = imports()
    found["source_harvest.api.timestamps"] |= {"source_harvest.api.pages"}
    with pytest.raises(CycleError):
        assert_no_circle(found)
