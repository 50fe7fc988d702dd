"""The connector as a child process: what the demo makes of its answers, and of its silence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from demo.connector import Connector, ConnectorError, configured, without_unreadable_time_off

LOG = '{"type": "LOG", "log": {"level": "WARN", "message": "no invoices"}}'
READABLE = '{"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}'
REFUSED = '{"type": "CONNECTION_STATUS", "connectionStatus": {"status": "FAILED", "message": "Renew the token."}}'
ERROR = '{"type": "TRACE", "trace": {"type": "ERROR", "error": {"message": "Harvest is closed."}}}'


def connector(script: str) -> Connector:
    return Connector({"credentials": "secret"}, (sys.executable, "-c", script))


def prints(*lines: str, code: int = 0) -> Connector:
    return connector(f"print({chr(10).join(lines)!r}); raise SystemExit({code})")


def test_check_returns_the_warnings_of_an_account_that_can_be_read() -> None:
    assert prints(LOG, READABLE).check() == ["no invoices"]


@pytest.mark.parametrize(
    ("answering", "sentence"),
    [
        (prints(REFUSED), "Renew the token."),
        (prints(ERROR, code=1), "Harvest is closed."),
        (connector("raise RuntimeError('out of paper')"), "RuntimeError: out of paper"),
        (prints(code=3), "It ended with exit code 3, without a word."),
    ],
    ids=["refused", "error", "crash", "silence"],
)
def test_what_goes_wrong_is_told_in_the_connectors_words(answering: Connector, sentence: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        answering.check()
    assert str(caught.value) == sentence


def test_a_read_hands_on_its_messages_and_takes_other_lines_for_logs() -> None:
    messages = list(prints(ERROR, "hello", '{"type": "REC', code=1).read({}, []))
    assert messages == [
        {"type": "TRACE", "trace": {"type": "ERROR", "error": {"message": "Harvest is closed."}}},
        {"type": "LOG", "log": {"level": "INFO", "message": "hello"}},
        {"type": "LOG", "log": {"level": "INFO", "message": '{"type": "REC'}},
    ]


def test_a_read_that_dies_without_a_word_raises_after_its_last_message() -> None:
    reading = connector("print('hello'); raise RuntimeError('out of paper')").read({}, [])
    assert next(reading)["log"]["message"] == "hello"
    with pytest.raises(ConnectorError, match="out of paper"):
        next(reading)


def test_the_config_is_private_and_gone_when_the_command_ends() -> None:
    script = "from pathlib import Path; import sys; path = Path(sys.argv[3])"
    script += "; print(path); print(oct(path.stat().st_mode)); print(path.read_text())"
    path, mode, content = (message["log"]["message"] for message in connector(script).read({}, []))
    assert (mode, content) == ("0o100600", '{"credentials": "secret"}')
    assert not Path(path).exists()


def test_a_read_that_is_closed_stops_the_connector_and_leaves_no_file_of_it() -> None:
    script = "import os, tempfile, time; print(os.getpid()); print(tempfile.mkdtemp(), flush=True); time.sleep(600)"
    reading = connector(script).read({}, [])
    number, folder = (next(reading)["log"]["message"] for _ in range(2))
    reading.close()
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(number), 0)


def test_streams_with_a_key_are_merged_and_the_others_replaced() -> None:
    def stream(name: str, modes: list[str], key: list[list[str]]) -> dict[str, Any]:
        return {"name": name, "supported_sync_modes": modes, "source_defined_primary_key": key}

    clients = stream("clients", ["full_refresh", "incremental"], [["id"]])
    roles = stream("roles", ["full_refresh"], [["id"]])
    totals = stream("totals", ["full_refresh", "incremental"], [])
    replaced = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite", "cursor_field": []}
    merged = {"sync_mode": "incremental", "destination_sync_mode": "append_dedup", "cursor_field": []}
    assert configured({"streams": [clients, roles, totals]})["streams"] == [
        {"stream": clients, "primary_key": [["id"]]} | merged,
        {"stream": roles, "primary_key": [["id"]]} | replaced,
        {"stream": totals, "primary_key": []} | replaced,
    ]


def test_only_paid_time_off_is_left_out_where_check_says_that_it_cannot_be_read() -> None:
    catalog = {"streams": [{"name": name} for name in ("clients", "invoices", "pto_types", "pto_requests")]}
    warnings = ["The stream pto_types cannot be read. Because.", "The stream invoices cannot be read. As well."]
    left = without_unreadable_time_off(catalog, warnings)
    assert [stream["name"] for stream in left["streams"]] == ["clients", "invoices", "pto_requests"]
