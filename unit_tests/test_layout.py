"""Tests stand by themselves: what they share lies in `testing/`, and nothing but tests uses that."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = {"unit_tests", "integration_tests"}
LONGEST_FILE = 450
"""Lines, so that a file of tests is about one thing."""
STARTS_PROCESSES = {"subprocess", "multiprocessing", "pty", "os.fork", "os.system", "testing.command_line"}


def files(*folders: str) -> list[str]:
    """The Python files below these folders, such as "unit_tests/api/test_pages.py"."""
    found = sorted(str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found
    return found


@cache
def imported(file: str) -> frozenset[str]:
    """All modules that a file may import, wherever in it: of `from a import b` both `a` and `a.b`."""
    return frozenset(_imported(file))


def _imported(file: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_test_module(module: str) -> bool:
    """Also a helper among the tests: one that several of them need belongs in `testing/`."""
    first, *_, last = module.split(".") * 2
    return first in TESTS or last == "conftest" or last.startswith("test_")


def test_no_test_module_and_nothing_that_tests_share_imports_a_test_module() -> None:
    found = {file: set(filter(is_test_module, imported(file))) for file in files(*TESTS, "testing")}
    assert {file: modules for file, modules in found.items() if modules} == {}


def test_only_tests_import_what_is_made_for_them() -> None:
    made_for_tests = {*TESTS, "testing", "conftest"}
    for file in files("source_harvest", "emulator", "demo", "docs", "benchmarks"):
        assert [module for module in imported(file) if module.split(".")[0] in made_for_tests] == [], file


def test_no_unit_test_starts_a_process() -> None:
    """So that `make unit` is fast; those that do are integration tests."""
    for file in files("unit_tests"):
        assert imported(file) & STARTS_PROCESSES == set(), file


def test_no_file_of_unit_tests_is_long() -> None:
    long = {file: (ROOT / file).read_text(encoding="utf-8").count("\n") for file in files("unit_tests")}
    assert {file: lines for file, lines in long.items() if lines > LONGEST_FILE} == {}
