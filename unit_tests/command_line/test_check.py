"""What `check` says of credentials and accounts."""

from typing import Any

import pytest

from emulator import Harvest
from testing.in_process import check, sync


@pytest.mark.parametrize("role", ["administrator", "manager", "member"])
def test_every_role_may_connect(role: str, harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for(role)
    assert check(config) == (True, "")


def test_oauth_may_connect(oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert check(oauth_config) == (True, "")
    assert '"type":"CONTROL"' in capsys.readouterr().out


def test_a_wrong_token_is_said_with_the_place_to_renew_it(harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = "4711.pt.wrong"
    connected, message = check(config)
    assert not connected
    assert message.startswith("Harvest rejected the personal access token (401)")
    assert "id.getharvest.com/developers" in message
    assert "4711.pt.wrong" not in message


def test_a_wrong_token_fails_a_sync_at_once_and_moves_no_state(harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = "4711.pt.wrong"
    result = sync({**config, "num_workers": 1}, ["clients", "projects", "users", "tasks", "time_entries"])
    assert {kind for kind, _ in result.errors.values()} == {"config_error"}
    assert all("Harvest rejected the personal access token (401)" in message for _, message in result.errors.values())
    assert set(result.statuses.values()) == {"INCOMPLETE"}
    assert (result.counts, result.states) == ({}, {})
    assert [request.path for request in harvest.requests] == ["/v2/clients", "/api/v2/accounts"]


@pytest.mark.usefixtures("naps", "short_hangs")
def test_the_requests_of_check_have_their_time_limits_too(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/accounts$", kind="hang")
    assert check(config) == (True, "")
    assert [request.path for request in harvest.requests].count("/api/v2/accounts") == 2


def test_check_follows_no_redirect(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/accounts$", status=302, headers={"location": "/v2/company"})
    connected, message = check(config)
    assert not connected
    assert "follows no redirect" in message
    assert [request.path for request in harvest.requests] == ["/api/v2/accounts"]


@pytest.mark.parametrize("status", [401, 403])
def test_check_asks_for_something_in_the_account(status: int, harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/users/me$", status=status, body='{"message": "No"}')
    connected, message = check(config)
    assert not connected
    assert message.startswith(f"Harvest answered {status} (No) to the request for signed-in user.")
