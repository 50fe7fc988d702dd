"""PyAirbyte runs the connector: the script of docs/deployment.md, taken from the page, in an environment of its own."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import docs
from emulator import Harvest, Server
from testing.configs import BY_YEAR, config_of
from testing.expected_tables import KEYS, identity, tables
from testing.streams import AS_OF_A_DAY, WHOLE
from testing.waiting import LONGEST_WAIT

PYAIRBYTE = "airbyte==0.71.3"
PYTHONS = ">=3.10,<3.13"  # those that PyAirbyte runs on
FOLDER = Path(sys.prefix) / "pyairbyte"
INSTALLED = FOLDER / "installed"
BIN = Path(sys.executable).parent
PAGE = (Path(docs.__path__[0]) / "deployment.md").read_text(encoding="utf-8")


class FailedError(Exception):
    """A command did not succeed; the text is what it printed."""


def run(*command: str | Path, seconds: float, **options: Any) -> str:
    """What a command printed; raises `FailedError`."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False, **options
    )
    if done.returncode:
        raise FailedError(done.stdout.strip())
    return done.stdout


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python of an environment with PyAirbyte in it, which is made once."""
    found = FOLDER / "bin" / "python"
    if INSTALLED.exists() and INSTALLED.read_text(encoding="utf-8") == PYAIRBYTE:
        return found
    uv, quietly = BIN / "uv", {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    try:
        run(uv, "venv", "-q", "--clear", "--python", PYTHONS, FOLDER, seconds=LONGEST_WAIT, env=quietly)
    except FailedError as error:
        pytest.skip(f"PyAirbyte runs on Python {PYTHONS}, and none is found here: {error}")
    try:
        run(uv, "pip", "install", "-q", "--python", found, PYAIRBYTE, seconds=300, env=quietly)
    except (FailedError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{PYAIRBYTE} cannot be installed here: {error}")
    INSTALLED.write_text(PYAIRBYTE, encoding="utf-8")
    return found


def ids(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    """Table -> the primary keys in it, of which each is there once."""
    found = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            if not name.startswith("_airbyte"):
                key = ", ".join(KEYS.get(name, ("id",)))
                rows = connection.execute(f"SELECT {key} FROM main.{name}").fetchall()
                found[name] = {tuple(x.isoformat() if isinstance(x, date) else x for x in row) for row in rows}
                assert len(rows) == len(found[name]), name
    return found


def test_pyairbyte_syncs_an_account_and_then_what_changed(python: Path, tmp_path: Path) -> None:
    [script] = [code for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE) if "ab." in code]
    harvest = Harvest(size="xs", seed=0)
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "DO_NOT_TRACK": "1",
        "AIRBYTE_OFFLINE_MODE": "1",
        "AIRBYTE_LOGGING_ROOT": str(tmp_path / "logs"),
    }

    def sync() -> int:
        printed = run(python, "-c", script, seconds=3 * LONGEST_WAIT, cwd=tmp_path, env=environment)
        [rows] = re.findall(r"^(\d+) rows were read$", printed, re.MULTILINE)
        return int(rows)

    with Server(harvest) as server:
        (tmp_path / "config.json").write_text(json.dumps(config_of(harvest, server) | BY_YEAR), encoding="utf-8")
        first = {name: {identity(name, row) for row in rows} for name, rows in tables(harvest, "year").items()}
        assert sync() == sum(map(len, first.values()))
        assert ids(tmp_path / "harvest.duckdb") == first

        entry = next(row["id"] for row in harvest.listed("time_entries") if not row["is_running"])
        harvest.clock.advance(minutes=10)
        harvest.update("time_entries", entry, hours=2.5, notes="changed")
        added = harvest.add("clients", name="Acme")
        first["clients"].add((added,))
        # Besides the changed entry and the new client: tables that are always read whole, and what is not settled.
        whole = sum(len(first[name]) for name in WHOLE)
        reported = [row for name in AS_OF_A_DAY for row in tables(harvest, "year")[name]]
        unsettled = [row for row in reported if row.get("period_end", "2026") >= "2025-12-02"]
        timers = sum(row["is_running"] for row in harvest.listed("time_entries"))
        assert sync() == 2 + timers + whole + len(unsettled)
        assert ids(tmp_path / "harvest.duckdb") == first
        with duckdb.connect(str(tmp_path / "harvest.duckdb"), read_only=True) as connection:
            found = connection.execute(f"SELECT hours, notes FROM main.time_entries WHERE id = {entry}").fetchall()
        assert found == [(Decimal("2.5"), "changed")]
