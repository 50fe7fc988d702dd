"""What `check` says of credentials and accounts, and which account is read."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from airbyte_cdk.models import Status

from emulator import Harvest, Server
from source_harvest import SourceHarvest
from source_harvest.auth import REQUEST_KWARGS
from unit_tests.syncing import LOGGER, sync


def check(config: Mapping[str, Any]) -> tuple[bool, str]:
    status = SourceHarvest().check(LOGGER, dict(config))
    return status.status is Status.SUCCEEDED, status.message or ""


def without(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != name}


@pytest.mark.parametrize("role", ["administrator", "manager", "member"])
def test_every_role_may_connect(role: str, harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for(role)
    assert check(config) == (True, "")


def test_oauth_may_connect(oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert check(oauth_config) == (True, "")
    assert '"type":"CONTROL"' in capsys.readouterr().out


def test_the_only_harvest_account_is_found_by_itself(harvest: Harvest, config: dict[str, Any]) -> None:
    """A Forecast account, listed first, is none."""
    config = without(config, "account_id")
    assert check(config) == (True, "")
    assert sync(config, ["clients"]).counts == {"clients": len(harvest.listed("clients"))}
    assert harvest.requests[-1].headers["harvest-account-id"] == str(harvest.account_id)


def test_a_subdomain_leads_to_its_account(harvest: Harvest, config: dict[str, Any]) -> None:
    for typed in (harvest.subdomain, f"https://{harvest.subdomain.upper()}.harvestapp.com/"):
        assert check({**config, "account_id": typed}) == (True, "")
    result = sync({**config, "account_id": harvest.subdomain}, ["clients"])
    assert result.counts == {"clients": len(harvest.listed("clients"))}


def test_a_read_with_an_account_id_asks_for_no_account(harvest: Harvest, config: dict[str, Any]) -> None:
    sync(config, ["clients"])
    assert [request.path for request in harvest.requests] == ["/v2/clients"]


def test_among_several_accounts_the_choice_is_the_users(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.accounts.append({"id": 99, "name": "Another company", "product": "harvest"})
    connected, message = check(without(config, "account_id"))
    assert not connected
    assert 'The config field "account_id" is missing' in message
    assert f"{harvest.account_id} (Northlight Studio), 99 (Another company)" in message
    assert check(config) == (True, "")


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize("wrong", ["12345", "another"])
def test_a_wrong_account_is_named_with_those_that_would_work(
    wrong: str, status: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.wrong_account_status = status
    connected, message = check({**config, "account_id": wrong})
    assert not connected
    assert f"The config field \"account_id\" is '{wrong}', " in message
    assert f"{harvest.account_id} (Northlight Studio)" in message

    result = sync({**config, "account_id": wrong}, ["clients", "projects"])
    [(_, message)] = set(result.errors.values()) or [("", str(result.error))]
    assert f"The config field \"account_id\" is '{wrong}', " in message
    assert result.states == {}
    assert "COMPLETE" not in result.statuses.values()


def test_a_token_that_reaches_no_account_is_said_to(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.accounts = [{"id": 5, "name": "Forecast", "product": "forecast"}]
    connected, message = check(config)
    assert not connected
    assert "no Harvest account at all" in message


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


def test_a_revoked_grant_is_said_with_the_cure(harvest: Harvest, oauth_config: dict[str, Any]) -> None:
    harvest.oauth.revoke()
    connected, message = check(oauth_config)
    assert not connected
    assert "uthenticate again" in message
    for secret in ("client_secret", "refresh_token"):
        assert oauth_config["credentials"][secret] not in message


def test_a_wrong_client_secret_is_said_with_the_cure(oauth_config: dict[str, Any]) -> None:
    oauth_config["credentials"]["client_secret"] = "wrong-secret"
    connected, message = check(oauth_config)
    assert not connected
    assert "client secret" in message
    assert "wrong-secret" not in message


def test_a_subdomain_that_may_not_be_asked_for_is_said_to(harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for("member")
    connected, message = check({**config, "account_id": harvest.subdomain})
    assert not connected
    assert "Only administrators may ask for it; give the account's number instead." in message
    assert str(harvest.account_id) in message


def test_a_token_request_that_is_never_answered_is_given_up(
    harvest: Harvest, oauth_config: dict[str, Any], naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REQUEST_KWARGS, "timeout", (0.2, 0.2))
    harvest.faults.add(path="/oauth2/token$", kind="hang", times=None)
    connected, message = check(oauth_config)
    assert not connected
    assert "access token could not be read: no whole answer came (ReadTimeout" in message


def test_the_client_secret_follows_no_redirect(harvest: Harvest, oauth_config: dict[str, Any]) -> None:
    with Server(other := Harvest()) as elsewhere:
        location = f"{elsewhere.identity_url}/api/v2/oauth2/token"
        harvest.faults.add(path="/oauth2/token$", status=307, headers={"location": location}, times=None)
        assert check(oauth_config)[0] is False
    assert other.requests == []


@pytest.mark.parametrize("fault", [{"status": 429}, {"status": 503}, {"kind": "html"}])
def test_a_passing_fault_of_the_token_request_is_no_fault_of_the_credentials(
    fault: dict[str, Any], harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/oauth2/token$", times=2, **fault)
    assert check(deepcopy(oauth_config)) == (True, "")
    harvest.faults.add(path="/oauth2/token$", times=None, **fault)
    result = sync(oauth_config, ["clients"])
    assert {kind for kind, _ in result.errors.values()} == {"transient_error"}


def test_a_token_answer_without_a_token_is_not_kept(
    harvest: Harvest, oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    harvest.faults.add(path="/oauth2/token$", status=200, body="{}", times=None)
    connected, message = check(oauth_config)
    assert not connected
    assert "has no access token" in message
    assert "CONTROL" not in capsys.readouterr().out
