"""A program of this project as a child process: its lines, its last words, and never left behind."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Child:
    """A running program."""

    process: subprocess.Popen[str]
    lines: IO[str]
    """Its standard output."""
    stderr: IO[str]

    def last_words(self) -> str:
        """The last line on its standard error once it has ended, else its exit code."""
        code = self.process.wait()
        self.stderr.seek(0)
        return self.stderr.read().strip().rpartition("\n")[-1] or f"It ended with exit code {code}, without a word."


@contextmanager
def child(command: Sequence[str], **environment: str) -> Iterator[Child]:
    """Start the command and, after the block, wait for its end; an exception in the block stops it."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
        subprocess.Popen(  # noqa: S603 - the commands are this project's own
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            encoding="utf-8",
            env=os.environ | environment,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield Child(process, process.stdout, stderr)
        except BaseException:
            process.terminate()
            raise
