"""The connector as Airbyte runs it: its command line in a child process, its messages as they come."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.child import child

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    Message = Mapping[str, Any]

COMMAND = (sys.executable, "-m", "source_harvest")


class ConnectorError(Exception):
    """The connector could not do what it was asked; the text is its own sentence."""


class Connector:
    """A connector's command line with one config, which is on disk only while a command runs."""

    def __init__(self, config: Mapping[str, Any], command: Sequence[str] = COMMAND) -> None:
        """The command is what comes before `check`, `discover` or `read`."""
        self._config = config
        self._command = command

    def check(self) -> list[str]:
        """Return the connector's warnings when the account can be read, else raise ConnectorError."""
        answer, warnings = self._ask("check", "CONNECTION_STATUS")
        status = answer["connectionStatus"]
        if status["status"] != "SUCCEEDED":
            raise ConnectorError(status["message"])
        return warnings

    def discover(self) -> Message:
        """The catalog of streams, or ConnectorError."""
        answer, _ = self._ask("discover", "CATALOG")
        return dict(answer["catalog"])

    def read(self, catalog: Mapping[str, Any], state: Sequence[Mapping[str, Any]]) -> Generator[Message]:
        """The messages of a read of this configured catalog, from the given state on.

        What goes wrong comes as TRACE messages; ConnectorError is raised where the process died without one.
        Closing the generator stops the connector.
        """
        return self._run("read", config=self._config, catalog=catalog, state=state)

    def _ask(self, verb: str, kind: str) -> tuple[Message, list[str]]:
        """The one message of this kind, and the warnings that came with it."""
        messages = list(self._run(verb, config=self._config))
        for message in messages:
            if error := error_of(message):
                raise ConnectorError(error)
        (answer,) = [message for message in messages if message["type"] == kind]
        return answer, [warning for warning in map(warning_of, messages) if warning]

    def _run(self, verb: str, **inputs: Any) -> Generator[Message]:
        command = [*self._command, verb]
        with tempfile.TemporaryDirectory() as folder:
            for name, content in inputs.items():
                path = Path(folder) / f"{name}.json"
                path.touch(mode=0o600)
                path.write_text(json.dumps(content), encoding="utf-8")
                command += [f"--{name}", str(path)]
            yield from _messages(command, folder)


def without_unreadable_time_off(catalog: Mapping[str, Any], warnings: Sequence[str]) -> Message:
    """The catalog without the tables of paid time off that `check` said cannot be read: few accounts have them."""
    unread = {warning.split()[2] for warning in warnings if warning.startswith("The stream pto_")}
    return {"streams": [stream for stream in catalog["streams"] if stream["name"] not in unread]}


def configured(catalog: Mapping[str, Any]) -> Message:
    """The catalog as a sync takes it: what can be read and merged incrementally is, the rest is replaced."""
    return {"streams": [_configured(stream) for stream in catalog["streams"]]}


def error_of(message: Message) -> str | None:
    """The sentence of a TRACE ERROR."""
    if message["type"] == "TRACE" and message["trace"]["type"] == "ERROR":
        return str(message["trace"]["error"]["message"])
    return None


def warning_of(message: Message) -> str | None:
    """The text of a log line that someone should read."""
    if message["type"] == "LOG" and message["log"]["level"] in {"WARN", "ERROR", "FATAL"}:
        return str(message["log"]["message"])
    return None


def _configured(stream: Message) -> Message:
    key = stream.get("source_defined_primary_key") or []
    incremental = "incremental" in stream["supported_sync_modes"] and bool(key)
    return {
        "stream": stream,
        "sync_mode": "incremental" if incremental else "full_refresh",
        "destination_sync_mode": "append_dedup" if incremental else "overwrite",
        "cursor_field": stream.get("default_cursor_field") or [],
        "primary_key": key,
    }


def _messages(command: Sequence[str], folder: str) -> Generator[Message]:
    """What the command prints; it is stopped when nobody reads on.

    Its temporary files go to the folder, because the CDK keeps a copy of the config among them, and leaves it
    behind when it is stopped.
    """
    explained = False
    with child(command, TMPDIR=folder) as connector:
        for line in connector.lines:
            message = _parsed(line)
            explained = explained or error_of(message) is not None
            yield message
        if connector.process.wait() and not explained:
            raise ConnectorError(connector.last_words())


def _parsed(line: str) -> Message:
    """The line as a message; what is none counts as a log line, as Airbyte has it."""
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if isinstance(message, dict) and "type" in message:
        return message
    return {"type": "LOG", "log": {"level": "INFO", "message": line.rstrip()}}
