"""The connector as the platform runs it: a command with files, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import Harvest
from testing.expected_reports import Row
from testing.expected_tables import identity, tables
from testing.waiting import LONGEST_WAIT

Message = dict[str, Any]


@dataclass
class Run:
    """What a command printed, and how it ended."""

    output: str
    exit_code: int

    @property
    def messages(self) -> list[Message]:
        """Every line, of which each must be a message of the protocol."""
        return [json.loads(line) for line in self.output.removesuffix("\n").split("\n") if self.output]

    def of_type(self, kind: str) -> list[Message]:
        """The messages of a type, such as `STATE`, in order."""
        return [message for message in self.messages if message["type"] == kind]

    def rows(self, stream: str) -> list[Row]:
        """The records of a stream, in order."""
        return [m["record"]["data"] for m in self.of_type("RECORD") if m["record"]["stream"] == stream]

    @property
    def errors(self) -> list[Message]:
        """The errors of all TRACE messages, in order."""
        traces = [message["trace"] for message in self.of_type("TRACE")]
        return [trace["error"] for trace in traces if trace["type"] == "ERROR"]


def command_line(*arguments: str) -> list[str]:
    """The command that runs the connector with these arguments."""
    return [sys.executable, "-m", "source_harvest", *arguments]


def run(folder: Path, command: str, *flags: str, **files: object) -> Run:
    """Runs a command with a file for each of the keywords: JSON of what is given, or the very text."""
    arguments = [command, *flags]
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        arguments += [f"--{name}", str(path)]
    child = subprocess.run(
        command_line(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LONGEST_WAIT,
    )
    return Run(child.stdout, child.returncode)


def configured(streams: Sequence[Mapping[str, Any]], names: list[str] | None = None) -> Message:
    """The catalog that asks for streams as a user mostly would: incremental and deduplicated where possible."""
    chosen = [stream for stream in streams if names is None or stream["name"] in names]
    return {
        "streams": [
            {
                "stream": stream,
                "sync_mode": mode,
                "destination_sync_mode": "append_dedup" if mode == "incremental" else "overwrite",
            }
            for stream in chosen
            for mode in ["incremental" if "incremental" in stream["supported_sync_modes"] else "full_refresh"]
        ]
    }


def assert_whole(result: Run, harvest: Harvest) -> None:
    """Every table was read, each of its rows once, and each row is the account's, nulls included."""
    expected = tables(harvest, "year")
    assert {message["record"]["stream"] for message in result.of_type("RECORD")} == {n for n in expected if expected[n]}
    for name, rows in expected.items():
        found = {identity(name, row): row for row in result.rows(name)}
        assert len(result.rows(name)) == len(found) == len(rows), name
        assert found == {identity(name, row): row for row in rows}, name
