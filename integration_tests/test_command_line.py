"""The four commands over the Airbyte protocol, and what they say of input that is wrong."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.streams import STREAMS
from testing.command_line import Run, assert_whole, command_line, configured, run
from testing.expected_tables import identity, tables
from testing.streams import WHOLE, stream_name
from testing.waiting import LONGEST_WAIT

STATE = {"type": "STREAM", "stream": {"stream_descriptor": {"name": "clients"}, "stream_state": {"updated_at": "soon"}}}


@pytest.fixture
def streams(tmp_path: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    [message] = run(tmp_path, "discover", config=config).of_type("CATALOG")
    found: list[dict[str, Any]] = message["catalog"]["streams"]
    return found


def assert_clean_failure(result: Run, config: dict[str, Any], sentence: str) -> None:
    """One clear sentence, of the user's own settings, without a stack trace or a secret in it."""
    [error] = [error for error in result.errors if "stream_descriptor" not in error] or result.errors[-1:]
    assert sentence in error["message"]
    assert error["failure_type"] == "config_error"
    assert "\n" not in error["message"]
    assert "Traceback" not in error["message"]
    assert result.exit_code == 1
    assert config["credentials"]["api_token"] not in result.output


def test_spec_describes_the_config(tmp_path: Path) -> None:
    result = run(tmp_path, "spec")
    [message] = result.messages
    assert message["spec"]["connectionSpecification"]["required"] == ["credentials"]
    assert message["spec"]["supportsIncremental"] is True
    assert result.exit_code == 0


def test_check_succeeds(tmp_path: Path, config: dict[str, Any]) -> None:
    result = run(tmp_path, "check", config=config)
    assert [m["connectionStatus"] for m in result.of_type("CONNECTION_STATUS")] == [{"status": "SUCCEEDED"}]
    assert result.exit_code == 0


def test_discover_lists_all_streams_without_asking_harvest(harvest: Harvest, streams: list[dict[str, Any]]) -> None:
    assert [stream["name"] for stream in streams] == list(map(stream_name, STREAMS))
    full_refresh_only = {s["name"] for s in streams if s["supported_sync_modes"] == ["full_refresh"]}
    assert full_refresh_only == set(WHOLE)
    for stream in streams:
        assert stream["source_defined_primary_key"]
        if stream["name"] not in full_refresh_only:
            assert stream["source_defined_cursor"] is True
            assert stream["default_cursor_field"][0] in stream["json_schema"]["properties"]
    assert harvest.requests == []


def test_a_read_shows_no_secret_even_with_debug_logging(
    tmp_path: Path, oauth_config: dict[str, Any], streams: list[dict[str, Any]]
) -> None:
    catalog = configured(streams, ["clients", "users"])
    for _ in range(2):  # the second time with the access token that the first one left
        result = run(tmp_path, "read", "--debug", config=oauth_config, catalog=catalog)
        assert result.exit_code == 0
        kept = [line for line in result.output.splitlines() if '"type":"CONTROL"' not in line]
        for secret in (*list(oauth_config["credentials"].values())[2:], ".at.emulated", ".rt.emulated"):
            assert secret not in "\n".join(kept)
        for control in result.of_type("CONTROL"):
            oauth_config = control["control"]["connectorConfig"]["config"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("credentials", {"auth_type": "Token", "api_token": ""}),
        ("account_id", "no account!"),
        ("replication_start_date", "2024-13-01"),
        ("num_workers", 0),
        ("api_url", "http://api.harvestapp.com/v2"),
        ("identity_url", "nowhere"),
    ],
)
@pytest.mark.parametrize("command", ["check", "discover", "read"])
def test_an_invalid_config_is_one_sentence_that_names_the_field(
    command: str, field: str, value: object, tmp_path: Path, config: dict[str, Any]
) -> None:
    files = {"catalog": {"streams": []}} if command == "read" else {}
    result = run(tmp_path, command, config={**config, field: value}, **files)
    if command == "check":
        [status] = [m["connectionStatus"] for m in result.of_type("CONNECTION_STATUS")]
        assert status["status"] == "FAILED"
        assert status["message"].startswith(f'The config field "{field}')
        assert result.exit_code == 0
    else:
        assert_clean_failure(result, config, f'The config field "{field}')


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("config", "{not json", "is not valid JSON"),
        ("config", [], "must hold a JSON object"),
        ("catalog", "{", "is not valid JSON"),
        ("catalog", {"streams": [{"stream": {}}]}, "is not a configured catalog"),
        ("state", "[", "is not valid JSON"),
        ("state", {"clients": {"updated_at": "2024-01-01T00:00:00Z"}}, "must hold a list of Airbyte's state messages"),
        ("state", [{"type": "STREAM"}], "must hold a list of Airbyte's state messages"),
        ("state", [STATE], 'The state of the stream "clients" cannot be read'),
    ],
)
def test_an_unreadable_file_is_one_sentence_that_names_it(
    name: str, content: object, sentence: str, tmp_path: Path, config: dict[str, Any], streams: list[dict[str, Any]]
) -> None:
    files = {"config": config, "catalog": configured(streams, ["clients"]), name: content}
    assert_clean_failure(run(tmp_path, "read", **files), config, sentence)


def test_a_missing_file_is_one_sentence_that_names_it(tmp_path: Path, config: dict[str, Any]) -> None:
    result = run(tmp_path, "check", "--config", str(tmp_path / "nowhere.json"))
    assert_clean_failure(result, config, "nowhere.json cannot be read: No such file or directory.")


def test_a_stream_that_does_not_exist_fails_the_sync_and_not_the_other_streams(
    tmp_path: Path, config: dict[str, Any], streams: list[dict[str, Any]], harvest: Harvest
) -> None:
    catalog = configured(streams, ["clients", "tasks"])
    catalog["streams"][0]["stream"] = {**catalog["streams"][0]["stream"], "name": "customers"}
    result = run(tmp_path, "read", config=config, catalog=catalog)
    assert_clean_failure(result, config, "1 of 2 streams could not be read to their end: customers.")
    assert 'The catalog selects a stream "customers"' in result.errors[0]["message"]
    assert len(result.of_type("RECORD")) == len(harvest.listed("tasks"))


def test_a_wrong_token_is_one_sentence(tmp_path: Path, config: dict[str, Any], streams: list[dict[str, Any]]) -> None:
    config["credentials"]["api_token"] = "4711.pt.wrong"
    result = run(tmp_path, "read", config=config, catalog=configured(streams, ["clients", "tasks"]))
    assert {error["message"] for error in result.errors[:-1]} == {
        (
            "Harvest rejected the personal access token (401): it is revoked or mistyped. "
            "Create a new one at id.getharvest.com/developers and put it into the source's settings."
        )
    }
    assert_clean_failure(result, config, "2 of 2 streams could not be read to their end: clients, tasks.")
    assert result.of_type("STATE") == []


def test_an_old_config_is_migrated_and_the_platform_asked_to_keep_it(tmp_path: Path, config: dict[str, Any]) -> None:
    old = {**config, "api_token": config["credentials"]["api_token"]}
    del old["credentials"]
    result = run(tmp_path, "check", config=old)
    [control] = result.of_type("CONTROL")
    assert control["control"]["connectorConfig"]["config"] == config
    assert result.of_type("CONNECTION_STATUS")[0]["connectionStatus"]["status"] == "SUCCEEDED"


def test_no_command_shows_how_to_use_it(tmp_path: Path) -> None:
    child = subprocess.run(command_line(), capture_output=True, text=True, check=False)
    assert "usage:" in child.stdout
    assert "Traceback" not in child.stdout + child.stderr


# Heeds interrupts as in a terminal, also where these tests run in the background, whose processes ignore them.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from source_harvest.run import run; run()"
)


# A check that waits for an answer as long as a busy machine may take to send it a signal.
PATIENT = "from source_harvest import source; source.CHECK_SECONDS = 600; from source_harvest.run import run; run()"


def test_what_is_written_are_the_whole_records_nulls_included(
    tmp_path: Path, config: dict[str, Any], streams: list[dict[str, Any]], harvest: Harvest
) -> None:
    result = run(tmp_path, "read", config=config, catalog=configured(streams))
    assert_whole(result, harvest)
    assert '"paid_at":null' in result.output


def exit_code_after(signals: list[signal.Signals], command: list[str], harvest: Harvest) -> int | None:
    """How a command ends that is sent signals once it asks for time entries; None where it does not."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while not [request for request in harvest.requests if request.path.endswith("/time_entries")]:
            assert child.poll() is None
            time.sleep(0.05)
        for signal_sent in signals:
            child.send_signal(signal_sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=LONGEST_WAIT)
        exit_code = child.poll()
        child.kill()
    return exit_code


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"status": 429, "headers": {"retry-after": "700"}}])
def test_an_interrupt_ends_the_connector_whatever_it_waits_for(
    fault: dict[str, Any], signal_sent: signal.Signals, tmp_path: Path, config: dict[str, Any], harvest: Harvest
) -> None:
    harvest.faults.add(path="/time_entries$", times=None, **fault)
    [message] = run(tmp_path, "discover", config=config).of_type("CATALOG")
    (tmp_path / "catalog.json").write_text(json.dumps(configured(message["catalog"]["streams"], ["time_entries"])))
    arguments = (f"--{n}={tmp_path}/{n}.json" for n in ("config", "catalog"))
    exit_code = exit_code_after([signal_sent], [sys.executable, "-c", INTERRUPTIBLE, "read", *arguments], harvest)
    assert exit_code == -signal_sent


@pytest.mark.parametrize("command", ["check", "read"])
def test_a_second_sigterm_changes_nothing_and_a_check_heeds_one_too(
    command: str, tmp_path: Path, config: dict[str, Any], harvest: Harvest
) -> None:
    [message] = run(tmp_path, "discover", config=config).of_type("CATALOG")
    (tmp_path / "catalog.json").write_text(json.dumps(configured(message["catalog"]["streams"], ["time_entries"])))
    harvest.faults.add(path="/time_entries$", kind="hang", times=None)
    arguments = [f"--{n}={tmp_path}/{n}.json" for n in ("config", "catalog")]
    wanted = [sys.executable, "-c", PATIENT, command, *arguments[: 1 if command == "check" else 2]]
    exit_code = exit_code_after([signal.SIGTERM, signal.SIGTERM], wanted, harvest)
    assert exit_code == -signal.SIGTERM


@pytest.mark.parametrize("lines_before", [1, 60, 200, 700])
def test_what_a_sigterm_leaves_is_whole_lines_from_which_the_next_sync_goes_on(
    lines_before: int, tmp_path: Path, config: dict[str, Any], streams: list[dict[str, Any]], harvest: Harvest
) -> None:
    harvest.page_size_cap = 5
    names = ["time_entries", "time_entry_external_reference"]
    asked = configured(streams, names)
    run(tmp_path, "spec", config=config, catalog=asked)
    arguments = (f"--{n}={tmp_path}/{n}.json" for n in ("config", "catalog"))
    with subprocess.Popen(command_line("read", *arguments), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(lines_before)]
        child.send_signal(signal.SIGTERM)
        lines += child.stdout.readlines()
        assert child.wait(timeout=LONGEST_WAIT) in (-signal.SIGTERM, 0)
    first = Run("".join(lines), child.returncode)
    if child.returncode:
        assert "Ended by a SIGTERM" in first.messages[-1]["log"]["message"]
    second = run(tmp_path, "read", config=config, catalog=asked, state=[m["state"] for m in first.of_type("STATE")])
    records = [message["record"] for message in first.of_type("RECORD") + second.of_type("RECORD")]
    for name in names:
        held = {identity(name, record["data"]) for record in records if record["stream"] == name}
        assert held == {identity(name, row) for row in tables(harvest, "year")[name]}


def test_a_reader_that_goes_away_ends_the_connector(
    tmp_path: Path, config: dict[str, Any], streams: list[dict[str, Any]], harvest: Harvest
) -> None:
    """With more rows than the queue holds, and requests that would go on for a long time."""
    harvest.page_size_cap = 5
    run(tmp_path, "spec", config=config, catalog=configured(streams))
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "source_harvest",
            "read",
            *(f"--{n}={tmp_path}/{n}.json" for n in ("config", "catalog")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        harvest.faults.add(path="/time_entries$", kind="slow", seconds=1, times=None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=LONGEST_WAIT)
        exit_code = child.poll()
        child.kill()
    assert exit_code not in (None, 0)


def test_a_program_that_gave_up_a_sync_can_end(config: dict[str, Any]) -> None:
    """With a queue that is full, because nobody reads on."""
    program = """
import json, sys, time
from source_harvest.source import SourceHarvest
from source_harvest.sync import engine
from testing.in_process import LOGGER, catalog
from testing.streams import STREAM_NAMES
engine.QUEUE_SIZE = 10
reading = SourceHarvest().read(LOGGER, json.loads(sys.argv[1]), catalog(STREAM_NAMES))
next(message for message in reading if message.record)
time.sleep(0.5)
reading.close()
"""
    child = subprocess.run([sys.executable, "-c", program, json.dumps(config)], timeout=LONGEST_WAIT, check=False)
    assert child.returncode == 0
