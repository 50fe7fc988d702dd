"""The steps by which CONTRIBUTING.md adds a stream, taken in a copy of the connector."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from emulator import Harvest
from testing.command_line import Run, configured
from testing.waiting import LONGEST_WAIT

ROOT = Path(__file__).parent.parent

CLASS = '''

class UserAssignments(UpdatedSince):
    """A user on a project."""

    foreign_keys = {"project_id": "projects", "user_id": "users"}
'''
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": True,
    "properties": {
        "id": {"type": "integer", "description": "Primary key."},
        "project_id": {"type": ["null", "integer"], "description": "Points to projects.id."},
        "user_id": {"type": ["null", "integer"], "description": "Points to users.id."},
        "updated_at": {"type": "string", "format": "date-time", "description": "When it last changed, in UTC."},
    },
}


def test_a_class_a_schema_and_a_line_in_the_tuple_are_a_new_stream(
    tmp_path: Path, harvest: Harvest, config: dict[str, Any]
) -> None:
    connector = tmp_path / "source_harvest"
    shutil.copytree(ROOT / "source_harvest", connector)
    users = connector / "streams" / "users.py"
    users.write_text(users.read_text() + CLASS)
    (connector / "schemas" / "user_assignments.json").write_text(json.dumps(SCHEMA))
    streams = connector / "streams" / "__init__.py"
    line = "    users.Users,\n"
    streams.write_text(streams.read_text().replace(line, f"{line}    users.UserAssignments,\n"))

    [catalog] = run_copy(tmp_path, "discover", config=config).of_type("CATALOG")
    asked = configured(catalog["catalog"]["streams"], ["user_assignments"])
    assert asked["streams"][0]["stream"]["source_defined_primary_key"] == [["id"]]
    first = run_copy(tmp_path, "read", config=config, catalog=asked)
    expected = [
        {**row, "project_id": row["project"]["id"], "user_id": row["user"]["id"]}
        for row in harvest.listed("user_assignments")
    ]
    assert [message["record"]["data"] for message in first.of_type("RECORD")] == expected
    states = [message["state"] for message in first.of_type("STATE")]
    harvest.clock.advance(days=1)
    harvest.update("user_assignments", expected[0]["id"], budget=5.0)
    second = run_copy(tmp_path, "read", config=config, catalog=asked, state=states)
    assert [message["record"]["data"]["id"] for message in second.of_type("RECORD")] == [expected[0]["id"]]


def run_copy(folder: Path, command: str, **files: object) -> Run:
    """As `command_line.run`, of the connector that lies in the folder."""
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    done = subprocess.run(
        [sys.executable, "-m", "source_harvest", command, *(f"--{name}={folder}/{name}.json" for name in files)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=LONGEST_WAIT,
    )
    return Run(done.stdout, done.returncode)
