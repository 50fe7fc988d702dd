"""A program that reads the account, as a child process: what it printed, and what that cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONNECTOR = (sys.executable, "-m", "source_harvest")
UNLIMITED = (sys.executable, "-m", "benchmarks.unlimited")
BASELINE = (sys.executable, "-m", "benchmarks.baseline")


class Output(Protocol):
    """Takes a program's output as it comes."""

    rows: int

    def feed(self, lines: bytes) -> None:
        """Some whole lines, after a line feed."""


class Rows:
    """Output in which each line is a row."""

    def __init__(self) -> None:
        self.rows = 0

    def feed(self, lines: bytes) -> None:
        """Count lines."""
        self.rows += lines.count(b"\n{")


class Messages:
    """A connector's messages: rows are counted, the states kept, all else is passed over."""

    def __init__(self) -> None:
        self.rows = 0
        self.states: dict[str, dict[str, Any]] = {}
        """The last state of each stream, as the platform would give it to the next sync."""
        self.sizes: dict[str, int] = {}
        """Bytes of these."""
        self.largest_state = 0
        """Bytes of the states of all streams together, when they were the largest."""

    def feed(self, lines: bytes) -> None:
        """Count records, look into states."""
        self.rows += lines.count(b'\n{"type":"RECORD"')
        start = lines.find(b'\n{"type":"STATE"')
        while start >= 0:
            end = lines.find(b"\n", start + 1)
            self._keep(json.loads(lines[start : end if end > 0 else None])["state"])
            start = lines.find(b'\n{"type":"STATE"', start + 1)

    def _keep(self, state: dict[str, Any]) -> None:
        name = state["stream"]["stream_descriptor"]["name"]
        self.states[name] = state
        self.sizes[name] = len(json.dumps(state["stream"]["stream_state"], separators=(",", ":")))
        self.largest_state = max(self.largest_state, sum(self.sizes.values()))


@dataclass(frozen=True)
class Cost:
    """What a run took."""

    rows: int
    wall: float
    """Seconds."""
    cpu: float
    """Seconds, in and for the program."""
    memory: float
    """MB at the peak."""


def read(command: Sequence[str], output: Output, **inputs: Any) -> Cost:
    """Run the connector's `read` on such a config, catalog and state."""
    with tempfile.TemporaryDirectory() as folder:
        options = []
        for name, content in inputs.items():
            options += [f"--{name}", _written(folder, name, content)]
        return run([*command, "read", *options], output)


def loop(config: Mapping[str, Any], *names: str) -> Cost:
    """Run the plain loop, over all lists or some."""
    with tempfile.TemporaryDirectory() as folder:
        return run([*BASELINE, _written(folder, "config", config), *names], Rows())


def catalog(*only: str) -> dict[str, Any]:
    """A configured catalog of all the connector's streams, or some; incremental where that can be."""
    with tempfile.TemporaryDirectory() as folder:
        config = _written(folder, "config", {"credentials": {"auth_type": "Token", "api_token": "none"}})
        said = subprocess.run(  # noqa: S603 - a program of ours
            [*CONNECTOR, "discover", "--config", config], check=True, capture_output=True
        )
    messages = map(json.loads, said.stdout.splitlines())
    streams = next(message["catalog"]["streams"] for message in messages if message["type"] == "CATALOG")
    return {
        "streams": [
            {"stream": stream, "sync_mode": stream["supported_sync_modes"][-1], "destination_sync_mode": "append"}
            for stream in streams
            if not only or stream["name"] in only
        ]
    }


def run(command: Sequence[str], output: Output) -> Cost:
    """Run a command to its end, its output into `output`. Raises `RuntimeError` where it fails.

    This process holds no account, so that the peak of a child is its own and not what it was forked with.
    """
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - programs of ours
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    rest = last = b"\n"
    while piece := os.read(process.stdout.fileno(), 1 << 20):
        lines, line_feed, unfinished = (rest + piece).rpartition(b"\n")
        output.feed(lines)
        rest = line_feed + unfinished
        last = lines[-2_000:] or last
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}: … {last.decode()}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    memory = used.ru_maxrss * unit / 1e6
    return Cost(output.rows, time.monotonic() - began, used.ru_utime + used.ru_stime, memory)


def _written(folder: str, name: str, content: Any) -> str:
    path = Path(folder) / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)
