"""What people give a command by mistake: one clear sentence says what, and how to mend it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteStateMessage

from emulator import Harvest
from source_harvest.errors import HarvestError
from source_harvest.source import SourceHarvest
from testing.in_process import LOGGER, catalog, check, state_of, sync


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_fields_that_nobody_knows_are_named_once(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    config |= {"start_date": "2024-01-01", "_limit": 5, "credentials": {**config["credentials"], "tokn": "x" * 100}}
    sync(config, ["clients"])
    [warning] = warnings_of(caplog)
    assert '"start_date", "credentials.tokn". Rename or remove them. Known: credentials, account_id, ' in warning
    assert '"_limit"' not in warning
    caplog.clear()
    assert check(config) == (True, "")
    assert warnings_of(caplog) == [warning]


def test_what_the_earlier_connector_had_is_known(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    old = {**config, "api_token": config["credentials"]["api_token"]}
    del old["credentials"]
    sync(old, ["clients"])
    assert warnings_of(caplog) == []


def test_a_start_date_in_the_future_is_told_once(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    result = sync({**config, "replication_start_date": "2999-01-01"}, ["clients"])
    assert result.statuses == {"clients": "COMPLETE"}
    [warning] = warnings_of(caplog)
    assert "\"replication_start_date\" is '2999-01-01', which is in the future" in warning


def test_an_empty_catalog_is_told_once(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sync(config, [])
    [warning] = warnings_of(caplog)
    assert "catalog holds no streams" in warning


def test_the_state_of_streams_that_are_not_selected_is_told_once(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    moment = {"updated_at": "2024-01-31T10:00:00Z"}
    state: list[AirbyteStateMessage] = []
    for name in ("tasks", "clients", *(f"other_{number:02}" for number in range(15))):
        state += state_of(name, moment)
    sync(config, ["clients"], state)
    [warning] = warnings_of(caplog)
    assert "which are not read: other_00, other_01," in warning
    assert "other_09 and 6 more." in warning
    assert "clients" not in warning


def test_what_discover_printed_leads_to_a_configured_catalog(tmp_path: Path, config: dict[str, Any]) -> None:
    streams = [{"name": "clients", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}]
    message = json.dumps({"type": "CATALOG", "catalog": {"streams": streams}})
    log = json.dumps({"type": "LOG", "log": {"level": "INFO", "message": "Discovering"}})
    for content in (message, f"{log}\n{message}\n", json.dumps({"streams": streams}, indent=2)):
        (tmp_path / "catalog.json").write_text(content)
        with pytest.raises(HarvestError, match=r"holds the output of discover.*Pass a configured catalog") as caught:
            SourceHarvest.read_catalog(str(tmp_path / "catalog.json"))
        assert caught.value.failure_type.value == "config_error"


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"streams": [5]}', '{"streams": 5}'])
def test_any_other_catalog_is_not_taken_for_that_of_discover(content: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text(content)
    with pytest.raises(HarvestError, match=r"is not a configured catalog|is not valid JSON"):
        SourceHarvest.read_catalog(str(tmp_path / "catalog.json"))


def refused_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config file that the system lets nobody read."""
    path = folder / "config.json"
    path.write_text("{}")

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    return path


def test_a_file_of_somebody_else_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = refused_file(tmp_path, monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(HarvestError) as caught:
        SourceHarvest.read_config(str(path))
    owner = path.stat().st_uid
    assert owner != 4711
    assert f"Permission denied. It belongs to user {owner}, but the connector runs as user 4711" in str(caught.value)


def test_a_file_that_its_owner_may_not_read_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = refused_file(tmp_path, monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid)
    with pytest.raises(HarvestError, match="but its mode does not let its owner read it"):
        SourceHarvest.read_config(str(path))


@pytest.mark.parametrize(
    ("failing", "selected", "said"),
    [
        (["clients"], ["clients"], "The stream clients could not be read to its end. Its error says why."),
        (
            ["clients", "tasks"],
            ["clients", "tasks"],
            "2 of 2 streams could not be read to their end: clients, tasks. The error of each says why.",
        ),
        (
            ["clients"],
            ["clients", "tasks"],
            (
                "1 of 2 streams could not be read to their end: clients. The error of each says why. The other streams "
                "are complete."
            ),
        ),
    ],
)
def test_other_streams_are_spoken_of_only_where_there_are_some(
    failing: list[str], selected: list[str], said: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    for name in failing:
        harvest.faults.add(path=f"/{name}$", status=403, times=None)
    assert str(sync(config, selected).error) == said


def test_an_administrator_is_not_told_that_only_administrators_may_ask(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    connected, message = check({**config, "account_id": "another"})
    assert not connected
    assert (
        "\"account_id\" is 'another', which is the subdomain of no Harvest account that the credentials reach."
        in message
    )
    assert "dministrator" not in message


def test_a_pasted_token_reaches_harvest(harvest: Harvest, config: dict[str, Any], oauth_config: dict[str, Any]) -> None:
    token = config["credentials"]["api_token"]
    assert check({**config, "credentials": {"auth_type": "Token", "api_token": f" Bearer {token}\n"}}) == (True, "")
    oauth_config["credentials"] = {n: f"{value}\n" for n, value in oauth_config["credentials"].items()}
    oauth_config["credentials"]["auth_type"] = "Client"
    assert check(oauth_config) == (True, "")


def test_a_discovered_catalog_needs_no_warning(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sync(config, ["clients"], asked=catalog(["clients"]))
    SourceHarvest().discover(LOGGER, config)
    assert warnings_of(caplog) == []
