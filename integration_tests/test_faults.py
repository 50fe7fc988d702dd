"""A fault as the platform sees it: its error among the messages, the exit code, and what is kept."""

from pathlib import Path
from typing import Any

import pytest

from emulator import Harvest
from testing.command_line import Run, configured, run

NAMES = ["clients", "tasks", "roles"]
CATALOG = configured(
    [{"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]} for name in NAMES]
)


def statuses(result: Run) -> dict[str, str]:
    traces = [
        message["trace"]["stream_status"] for message in result.of_type("TRACE") if "stream_status" in message["trace"]
    ]
    return {trace["stream_descriptor"]["name"]: trace["status"] for trace in traces}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 400, "page": 1}, "system_error"),
        ({"status": 403, "page": 2}, "config_error"),
        ({"status": 404, "page": 2}, "config_error"),
        ({"status": 302, "headers": {"location": "http://127.0.0.2:9/"}}, "config_error"),
        ({"status": 200, "body": "[]"}, "system_error"),
    ],
)
def test_a_failed_stream_is_the_exit_code_and_the_last_word_and_the_others_are_whole(
    fault: dict[str, Any], kind: str, tmp_path: Path, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 2
    harvest.faults.add("/v2/clients$", times=None, **fault)
    result = run(tmp_path, "read", config=config, catalog=CATALOG)
    assert result.exit_code == 1
    assert statuses(result) == {"clients": "INCOMPLETE", "tasks": "COMPLETE", "roles": "COMPLETE"}
    own, summary = result.errors
    assert own["stream_descriptor"]["name"] == "clients"
    assert own["failure_type"] == summary["failure_type"] == kind
    assert summary["message"].startswith("1 of 3 streams could not be read to their end: clients.")
    assert result.of_type("TRACE")[-1]["trace"]["error"] == summary
    kept = {message["state"]["stream"]["stream_descriptor"]["name"] for message in result.of_type("STATE")}
    assert kept == {"tasks", "roles"}
    read = [
        message["record"]["data"]["id"]
        for message in result.of_type("RECORD")
        if message["record"]["stream"] == "tasks"
    ]
    assert sorted(read) == sorted(row["id"] for row in harvest.listed("tasks"))
