"""A PostgreSQL of a test's own, on a socket in a folder that goes with it; spoken to through its own psql."""

import csv
import io
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testing.waiting import LONGEST_WAIT


class NoPostgresError(Exception):
    """PostgreSQL cannot be run here."""


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    programs: Path
    folder: Path
    user: str

    def run(self, sql: str) -> list[dict[str, str]]:
        """The rows that a statement returns, all values as text; `AssertionError` where one fails."""
        options = ["-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-d", "postgres", "-f", "-"]
        printed = _run(self.user, self.programs / "psql", *options, given=f"SET TimeZone = 'UTC';\n{sql}\n")
        return list(csv.DictReader(io.StringIO(printed)))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A new, empty server, which listens on no port.

    Raises `NoPostgresError` where there is none.
    """
    programs, user = _programs(), _user()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    shutil.chown(folder, user)
    control = (programs / "pg_ctl", "-D", folder / "data", "-w")
    try:
        _run(user, programs / "initdb", "-D", folder / "data", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        server = f"-k {folder} -c listen_addresses='' -c fsync=off"
        _run(user, *control, "-l", folder / "log", "-o", server, "start")
        try:
            yield Postgres(programs, folder, user)
        finally:
            _run(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve())
    if not found:
        raise NoPostgresError("initdb of PostgreSQL is not found; Debian has it in the package postgresql")
    return found[-1].parent


def _user() -> str:
    """Who runs it: oneself, but never root, which PostgreSQL refuses."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid()).pw_name
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise NoPostgresError("PostgreSQL does not run as root, and there is no user postgres") from None


def _run(user: str, *command: str | Path, given: str | None = None) -> str:
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LONGEST_WAIT,
        check=False,
        cwd="/",
        user=user if os.geteuid() == 0 else None,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
