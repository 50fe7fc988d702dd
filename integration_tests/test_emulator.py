"""The emulator as a command: what it prints, and how it ends."""

import json
import signal
import subprocess
import sys

import pytest
import requests

from emulator import Harvest, Server
from source_harvest.config import Settings, notices
from source_harvest.source import SourceHarvest
from testing.in_process import LOGGER
from testing.waiting import LONGEST_WAIT


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "emulator", "--size", "xs", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_a_config_that_the_connector_takes_and_stops_cleanly(number: signal.Signals) -> None:
    with _start("--days", "2") as process:
        assert process.stdout is not None
        try:
            config = json.loads(process.stdout.readline())
            settings = Settings.of(config, SourceHarvest().spec(LOGGER).connectionSpecification)
            token, account = settings.credentials["api_token"], str(settings.account)
            headers = {"Authorization": f"Bearer {token}", "Harvest-Account-Id": account}
            answer = requests.get(f"{settings.api_url}/time_entries", headers=headers, timeout=LONGEST_WAIT)
        finally:
            process.send_signal(number)
        out, err = process.communicate(timeout=LONGEST_WAIT)
    assert (process.returncode, out, err) == (0, "", "")
    assert not list(notices(config, settings, SourceHarvest().spec(LOGGER).connectionSpecification))
    assert answer.headers["Date"].startswith("Wed, 04 Mar 2026 09:00:")
    same = Harvest("xs")
    same.work(days=2)
    assert [row["id"] for row in answer.json()["time_entries"]] == [row["id"] for row in same.listed("time_entries")]


def test_a_port_in_use_ends_the_command_with_a_message(server: Server) -> None:
    port = server.identity_url.rsplit(":", 1)[1]
    with _start("--port", port) as process:
        out, err = process.communicate(timeout=LONGEST_WAIT)
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"cannot listen on port {port}: ")
