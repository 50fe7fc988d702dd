"""`source-harvest catalog`, `state` and `config`: what a platform does by itself, for users of the command line."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteMessage, Type

from emulator import Harvest
from source_harvest.commands.command_line import execute
from source_harvest.entrypoint import Entrypoint
from source_harvest.output import Output
from source_harvest.source import SourceHarvest
from source_harvest.streams import STREAMS
from testing.in_process import LOGGER
from testing.streams import STREAM_NAMES, WHOLE, stream_name

SUGGESTED = [stream_name(stream) for stream in STREAMS if stream.is_suggested]

Answered = tuple[int, str, str]
"""An exit code, and what stood on standard output and standard error."""
Command = Callable[..., Answered]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    handlers = logging.root.handlers[:]

    def run(*arguments: object) -> Answered:
        code = execute(list(map(str, arguments)), Output(clean_up=lambda: None))
        return (code, *capfd.readouterr())

    yield run
    logging.root.handlers[:] = handlers


@pytest.fixture
def config_file(tmp_path: Path, config: dict[str, Any]) -> Path:
    return written(tmp_path / "config.json", config)


def written(path: Path, content: object) -> Path:
    """A file with JSON; a line for each item of a tuple."""
    lines = content if isinstance(content, tuple) else (content,)
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def state_of(stream: str, updated_at: str, namespace: str | None = None) -> dict[str, Any]:
    descriptor = {"name": stream} | ({"namespace": namespace} if namespace else {})
    return {
        "type": "STREAM",
        "stream": {"stream_descriptor": descriptor, "stream_state": {"updated_at": updated_at}},
    }


def message(state: dict[str, Any]) -> dict[str, Any]:
    return {"type": "STATE", "state": state}


def answer_of(answered: Answered) -> Any:
    """What was printed: one line of JSON, and nothing else anywhere."""
    code, output, error = answered
    assert (code, error) == (0, "")
    assert output.count("\n") == 1
    return json.loads(output)


def assert_refused(answered: Answered, *words: str) -> None:
    code, output, error = answered
    assert (code, output) == (1, "")
    assert error.count("\n") == 1
    assert [word for word in words if word not in error] == []


# The catalog.


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), STREAM_NAMES),
        (("--suggested",), SUGGESTED),
        (("--streams", "users, clients,users"), ["clients", "users"]),
        (("--full-refresh",), STREAM_NAMES),
        (("--suggested", "--full-refresh"), SUGGESTED),
    ],
)
def test_a_catalog_is_of_the_streams_that_were_asked_for(
    arguments: tuple[str, ...], names: list[str], command: Command, config_file: Path, harvest: Harvest
) -> None:
    catalog = answer_of(command("catalog", "--config", config_file, *arguments))
    assert [configured["stream"]["name"] for configured in catalog["streams"]] == names
    for configured in catalog["streams"]:
        stream = configured["stream"]
        is_whole = stream["name"] in WHOLE or "--full-refresh" in arguments
        assert configured["sync_mode"] == ("full_refresh" if is_whole else "incremental")
        assert configured["destination_sync_mode"] == ("overwrite" if is_whole else "append_dedup")
        assert configured["primary_key"] == stream["source_defined_primary_key"]
        assert configured.get("cursor_field") == (None if is_whole else stream["default_cursor_field"])
    assert harvest.requests == []


def test_the_streams_of_a_catalog_are_those_of_discover(
    command: Command, config_file: Path, config: dict[str, Any]
) -> None:
    catalog = answer_of(command("catalog", "--config", config_file))
    discovered = SourceHarvest().discover(LOGGER, config)
    discovered_message = AirbyteMessage(type=Type.CATALOG, catalog=discovered)
    expected = json.loads(Entrypoint.airbyte_message_to_string(discovered_message))["catalog"]["streams"]
    assert [configured["stream"] for configured in catalog["streams"]] == expected


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("clients,customers", "There is no stream customers."),
        ("", "No stream is named."),
        (" , ", "No stream is named."),
    ],
)
def test_a_name_that_no_stream_has_is_an_error_that_lists_those_there_are(
    names: str, sentence: str, command: Command, config_file: Path
) -> None:
    answered = command("catalog", "--config", config_file, "--streams", names)
    assert_refused(answered, sentence, "after --streams: ", *STREAM_NAMES)


def test_an_invalid_config_is_one_sentence_on_standard_error(
    command: Command, tmp_path: Path, config: dict[str, Any]
) -> None:
    path = written(tmp_path / "config.json", config | {"num_workers": 0})
    assert_refused(command("catalog", "--config", path), 'The config field "num_workers" is 0.')
    assert_refused(command("catalog", "--config", tmp_path / "none.json"), "none.json cannot be read")


# The state.


def test_a_state_is_the_last_of_each_stream_and_the_previous_of_others(command: Command, tmp_path: Path) -> None:
    previous = [state_of("clients", "1"), state_of("users", "1"), state_of("users", "1", "other")]
    printed = (
        message(state_of("clients", "2")),
        {"type": "LOG", "log": {"level": "INFO", "message": "…"}},
        message(state_of("tasks", "2")),
        message(state_of("clients", "3")),
        "\n",
    )
    path = written(tmp_path / "messages.jsonl", printed)
    answered = command("state", path, "--previous", written(tmp_path / "state.json", previous))
    assert answer_of(answered) == [state_of("clients", "3"), *previous[1:], state_of("tasks", "2")]
    assert answer_of(command("state", path)) == [state_of("clients", "3"), state_of("tasks", "2")]
    assert answer_of(command("state", written(path, ()))) == []


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_messages_come_from_standard_input_too(
    arguments: tuple[str, ...], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = json.dumps(message(state_of("clients", "1"))).encode() + b"\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert answer_of(command("state", *arguments)) == [state_of("clients", "1")]


def test_a_standard_input_that_is_closed_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert_refused(command("state"), "Standard input is closed. Name the file")


@pytest.mark.parametrize("ends", ["", "\n", "\n\n"])
def test_a_last_line_that_is_cut_off_is_passed_over_and_said(ends: str, command: Command, tmp_path: Path) -> None:
    whole, cut = (json.dumps(message(state_of("clients", moment))) for moment in "12")
    for length in (1, 10, len(cut) - 1):
        path = written(tmp_path / "messages.jsonl", (whole + "\n", cut[:length] + ends))
        code, output, error = command("state", path)
        assert (code, json.loads(output)) == (0, [state_of("clients", "1")])
        assert error == f"WARNING: The last line of {path} is cut off and is passed over.\n"


@pytest.mark.parametrize(
    "broken",
    ['{"type":"STATE","sta', "Traceback", "[1]", '{"level": "INFO"}', '{"type":"STATE"}', '{"type":"CONTROL"}'],
)
@pytest.mark.parametrize("name", ["state", "config"])
def test_a_broken_line_before_the_last_is_an_error_that_names_it(
    name: str, broken: str, command: Command, tmp_path: Path, config_file: Path
) -> None:
    lines = (message(state_of("clients", "1")), "\n", f"{broken}\n", message(state_of("clients", "2")))
    path = written(tmp_path / "messages.jsonl", lines)
    flags = ("--config", config_file) if name == "config" else ()
    assert_refused(command(name, path, *flags), f"Line 3 of {path} is not a message", "Pass what the connector wrote")


def test_an_error_shows_nothing_of_a_broken_line_which_may_hold_a_token(command: Command, tmp_path: Path) -> None:
    broken = '{"type":"CONTROL","control":{"refresh_token":"4711.rt.secret"\n'
    path = written(tmp_path / "messages.jsonl", (broken, message(state_of("clients", "1"))))
    answered = command("state", path)
    assert_refused(answered, "Line 1 of")
    assert "secret" not in answered[2]


@pytest.mark.parametrize(
    "state", [{"type": "GLOBAL", "global": {}}, {"stream": None}, {"stream": {"stream_descriptor": {}}}]
)
def test_a_state_that_is_not_of_a_stream_is_an_error(state: dict[str, Any], command: Command, tmp_path: Path) -> None:
    path = written(tmp_path / "messages.jsonl", message(state))
    assert_refused(command("state", path), "is not of one stream", "Pass what this connector's read printed")


def test_files_that_cannot_be_read_are_named(command: Command, tmp_path: Path) -> None:
    messages = written(tmp_path / "messages.jsonl", ())
    assert_refused(command("state", tmp_path / "none.jsonl"), "none.jsonl cannot be read: No such file or directory.")
    assert_refused(command("state", tmp_path), f"{tmp_path} cannot be read: Is a directory.")
    assert_refused(command("state", messages, "--previous", tmp_path / "none.json"), "none.json cannot be read")
    assert_refused(
        command("state", messages, "--previous", written(tmp_path / "state.json", {"clients": {}})),
        "must hold a list of Airbyte's",
    )


# The config.


def test_the_config_to_go_on_with_has_the_last_refresh_token(
    command: Command, tmp_path: Path, oauth_config: dict[str, Any]
) -> None:
    renewed = [
        {**oauth_config, "credentials": {**oauth_config["credentials"], "refresh_token": token}} for token in "ab"
    ]
    printed = tuple({"type": "CONTROL", "control": {"connectorConfig": {"config": config}}} for config in renewed)
    given = written(tmp_path / "config.json", oauth_config)
    path = written(tmp_path / "messages.jsonl", printed)
    assert answer_of(command("config", path, "--config", given)) == renewed[-1]
    assert answer_of(command("config", written(path, ()), "--config", given)) == oauth_config


def test_a_control_message_without_a_config_is_an_error(command: Command, tmp_path: Path, config_file: Path) -> None:
    path = written(tmp_path / "messages.jsonl", {"type": "CONTROL", "control": {"type": "OTHER"}})
    assert_refused(command("config", path, "--config", config_file), "holds no config")


# The command line.


@pytest.mark.parametrize("arguments", [(), ("--help",), ("catalog", "--help")])
def test_help_is_on_standard_output(arguments: tuple[str, ...], command: Command) -> None:
    code, output, error = command(*arguments)
    assert (code, error) == (0, "")
    assert output.startswith("usage: source-harvest ")
    if "catalog" not in arguments:
        names = ("spec", "check", "discover", "read", "catalog", "state", "config")
        assert [name for name in names if f"\n    {name} " not in output] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("catalogue",), "invalid choice: 'catalogue'"),
        (("catalog",), "the following arguments are required: --config"),
        (("config",), "the following arguments are required: --config"),
        (("state", "a", "b"), "unrecognized arguments: b"),
        (("catalog", "--config", "c", "--streams", "a", "--suggested"), "not allowed with argument"),
    ],
)
def test_wrong_arguments_are_said_on_standard_error(arguments: tuple[str, ...], words: str, command: Command) -> None:
    code, output, error = command(*arguments)
    assert (code, output) == (2, "")
    assert words in error
