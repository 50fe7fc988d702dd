"""`source-harvest catalog`, `state` and `config` as processes: with a shell's pipes and redirections, and signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.streams import STREAMS
from testing.command_line import command_line
from testing.streams import stream_name
from testing.waiting import LONGEST_WAIT

SUGGESTED = [stream_name(stream) for stream in STREAMS if stream.is_suggested]


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a script whose failing commands end it, with the connector on the PATH."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["/bin/bash", "-ec", f"set -o pipefail\n{script}"]
    options: dict[str, Any] = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    return subprocess.run(command, check=True, timeout=LONGEST_WAIT, **options)


def streams_of(messages: str) -> list[str]:
    lines = map(json.loads, messages.splitlines())
    return [line["record"]["stream"] for line in lines if line["type"] == "RECORD"]


def states_in(path: Path) -> dict[str, dict[str, Any]]:
    states = json.loads(path.read_text(encoding="utf-8"))
    return {state["stream"]["stream_descriptor"]["name"]: state["stream"]["stream_state"] for state in states}


def test_config_catalog_read_state_and_read_again(tmp_path: Path, harvest: Harvest, config: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    first = shell(
        """
        source-harvest catalog --config config.json --suggested > catalog.json
        source-harvest read --config config.json --catalog catalog.json > messages.jsonl
        source-harvest state messages.jsonl > state.json
        """,
        tmp_path,
    )
    assert (first.stdout, first.stderr) == ("", "")
    assert set(streams_of((tmp_path / "messages.jsonl").read_text(encoding="utf-8"))) == set(SUGGESTED)
    harvest.clock.advance(minutes=10)
    harvest.add("clients", name="Acme")
    second = shell(
        """
        source-harvest read --config config.json --catalog catalog.json --state state.json | tee messages.jsonl
        source-harvest state --previous state.json < messages.jsonl > new-state.json
        """,
        tmp_path,
    )
    assert sorted(streams_of(second.stdout)) == ["clients", "time_entries"]  # the new client, and the running timer
    began, kept = (states_in(tmp_path / name) for name in ("state.json", "new-state.json"))
    assert kept.keys() == set(SUGGESTED)
    assert kept["clients"]["updated_at"] > began["clients"]["updated_at"]


def test_a_rotated_refresh_token_gets_into_the_config(
    tmp_path: Path, harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(oauth_config), encoding="utf-8")
    harvest.oauth.rotate = True
    shell("source-harvest check --config config.json | source-harvest config --config config.json > new.json", tmp_path)
    found = json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))
    assert found["credentials"]["refresh_token"] == harvest.oauth.refresh_token
    assert found["credentials"]["refresh_token"] != oauth_config["credentials"]["refresh_token"]
    assert found["account_id"] == oauth_config["account_id"]


@pytest.mark.parametrize("signal_sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_them_and_leaves_no_log_in_their_output(signal_sent: signal.Signals) -> None:
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from source_harvest.run import run; run()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, "state"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        # More than a pipe holds, so that the command is reading once this is written.
        child.stdin.write("\n" * 1_000_000)
        child.send_signal(signal_sent)
        assert child.stdout is not None
        assert child.stdout.read() == ""
        assert child.wait(timeout=LONGEST_WAIT) == -signal_sent


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        child = subprocess.run(
            command_line("state"), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert child.returncode == 1
    assert child.stderr.startswith("Standard output cannot be written: No space left on device.")
