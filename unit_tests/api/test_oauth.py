"""OAuth: when an access token is asked for, and that no rotated refresh token is ever lost."""

import json
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConnectorSpecification

from emulator import Harvest, Server
from source_harvest.api.auth import HarvestOAuth, authenticator
from source_harvest.api.no_answer import NoAnswerLimit
from source_harvest.errors import HarvestError
from source_harvest.source import SourceHarvest
from testing.configs import settings
from testing.expected_tables import tables
from testing.in_process import LOGGER, check, sync
from testing.streams import STREAM_NAMES


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


@pytest.mark.usefixtures("naps", "short_hangs")
def test_a_token_request_that_is_never_answered_is_given_up(harvest: Harvest, oauth_config: dict[str, Any]) -> None:
    harvest.faults.add(path="/oauth2/token$", kind="hang", times=None)
    connected, message = check(oauth_config)
    assert not connected
    assert "access token could not be read: no whole answer came (ReadTimeout" in message


@pytest.mark.usefixtures("naps")
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


@pytest.mark.usefixtures("naps")
def test_a_token_answer_without_a_token_is_not_kept(
    harvest: Harvest, oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    harvest.faults.add(path="/oauth2/token$", status=200, body="{}", times=None)
    connected, message = check(oauth_config)
    assert not connected
    assert "has no access token" in message
    assert "CONTROL" not in capsys.readouterr().out


def test_a_token_endpoint_out_of_order_is_no_fault_of_the_settings(
    harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/oauth2/token$", status=503, times=None)
    kind, message = sync(oauth_config, ["clients"]).errors["clients"]
    assert kind == "transient_error"
    assert message.startswith("Harvest's access token could not be read: Harvest answered 503")
    assert len(naps) == 5
    for secret in ("client_secret", "refresh_token"):
        assert oauth_config["credentials"][secret] not in message


def test_the_request_for_a_token_says_who_asks_too(harvest: Harvest, oauth_config: dict[str, Any]) -> None:
    sync(oauth_config, ["clients"])
    assert "/api/v2/oauth2/token" in [request.path for request in harvest.requests]
    assert all(request.headers["user-agent"].startswith("source-harvest/") for request in harvest.requests)


def kept_configs(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The configs that the platform was asked to keep."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"type":"CONTROL"' in line]
    return [line["control"]["connectorConfig"]["config"] for line in lines]


def grants(harvest: Harvest) -> int:
    return len([request for request in harvest.requests if request.path.endswith("/oauth2/token")])


@pytest.mark.parametrize(("hours", "asked"), [(1, 0), (-1, 1)])
def test_an_access_token_is_used_until_it_expires(
    hours: int, asked: int, harvest: Harvest, oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    sync(oauth_config, ["clients"])
    [kept] = kept_configs(capsys)
    expiry = datetime.now(timezone.utc) + timedelta(hours=hours)
    kept["credentials"]["token_expiry_date"] = expiry.isoformat()
    harvest.requests.clear()
    assert sync(kept, ["clients"]).statuses == {"clients": "COMPLETE"}
    assert grants(harvest) == asked


@pytest.mark.slow
@pytest.mark.parametrize("rotate", [True, False])
@pytest.mark.parametrize("at", [3, 10, 30])
def test_a_token_that_expires_during_a_sync_is_renewed_and_nothing_is_lost(
    at: int, rotate: bool, harvest: Harvest, oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    harvest.oauth.rotate = rotate
    calls = 0

    def expire(request: Any) -> None:
        nonlocal calls
        calls += not request.path.endswith("/oauth2/token")
        if calls == at:
            calls += 1000
            harvest.oauth.expire()

    harvest.before_page = expire
    result = sync(oauth_config, STREAM_NAMES)
    assert (result.error, set(result.statuses.values())) == (None, {"COMPLETE"})
    for name, rows in tables(harvest).items():
        assert result.counts.get(name, 0) >= len(rows)
    kept = kept_configs(capsys)
    assert len(kept) == grants(harvest)
    assert kept[-1]["credentials"]["refresh_token"] == harvest.oauth.refresh_token
    harvest.oauth.expire()
    assert sync(kept[-1], ["clients"]).statuses == {"clients": "COMPLETE"}


@pytest.mark.slow
@pytest.mark.parametrize("rotate", [True, False])
@pytest.mark.parametrize("uses", [1, 3, 20])
def test_tokens_that_die_after_a_few_requests_are_renewed_once_each_and_everything_is_read(
    uses: int, rotate: bool, harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    harvest.oauth.rotate = rotate
    harvest.page_size_cap = 5
    harvest.latency = 0.002
    used: dict[str, int] = {}

    def expire_used_up(request: Any) -> None:
        token = request.headers["authorization"]
        used[token] = used.get(token, 0) + 1
        if used[token] > uses:
            harvest.oauth.expire_one(token.removeprefix("Bearer "))

    harvest.before_page = expire_used_up
    names = ["clients", "contacts", "tasks", "projects", "users", "expenses", "time_entries", "roles"]
    result = sync({**oauth_config, "num_workers": 8}, names)
    assert (result.error, set(result.statuses.values())) == (None, {"COMPLETE"})
    expected = tables(harvest)
    for name in names:
        assert {row["id"] for row in result.records(name)} == {row["id"] for row in expected[name]}
    accepted = [request for request in harvest.requests if request.path.startswith("/v2/") and request.status == 200]
    assert grants(harvest) <= len(accepted) / uses + 1


def test_where_every_new_token_is_rejected_the_sync_ends_after_one_renewal(
    harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    harvest.before_page = lambda _: harvest.oauth.expire()
    result = sync({**oauth_config, "num_workers": 8}, STREAM_NAMES)
    assert set(result.statuses.values()) == {"INCOMPLETE"}
    [(kind, message)] = set(result.errors.values())
    assert (kind, "uthenticate again" in message) == ("config_error", True)
    assert grants(harvest) == 2


@pytest.mark.parametrize("status", [503, 429])
def test_a_fault_at_the_first_use_of_a_new_token_is_no_verdict_on_it(
    status: int, harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=401)
    harvest.faults.add(path="/clients$", status=status)
    result = sync(oauth_config, ["clients", "tasks"])
    assert set(result.statuses.values()) == {"COMPLETE"}
    assert grants(harvest) == 2


def test_where_one_list_alone_rejects_every_token_the_verdict_comes_all_the_same(
    harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 5
    harvest.faults.add(path="/clients$", status=401, times=None)
    result = sync({**oauth_config, "num_workers": 8}, ["clients", "time_entries", "expenses", "projects"])
    assert "uthenticate again" in result.errors["clients"][1]
    assert grants(harvest) == 2


@pytest.mark.parametrize("empty", ["", None])
@pytest.mark.parametrize("names", [["access_token", "token_expiry_date"], ["access_token"], ["token_expiry_date"]])
def test_a_token_that_was_cleared_is_asked_for(
    names: list[str],
    empty: object,
    harvest: Harvest,
    oauth_config: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    sync(oauth_config, ["clients"])
    [kept] = kept_configs(capsys)
    expiry = datetime.now(timezone.utc) + timedelta(hours=1)
    kept["credentials"] |= {"token_expiry_date": expiry.isoformat(), **dict.fromkeys(names, empty)}
    harvest.requests.clear()
    assert sync(kept, ["clients"]).statuses == {"clients": "COMPLETE"}
    assert grants(harvest) == 1


@pytest.mark.parametrize("entry", ["default", "machine 127.0.0.1"])
def test_no_request_takes_credentials_from_a_netrc_file(
    entry: str, harvest: Harvest, oauth_config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"{entry} login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert sync(oauth_config, ["clients"]).statuses == {"clients": "COMPLETE"}
    found = {request.path: request.headers.get("authorization", "") for request in harvest.requests}
    assert found.pop("/api/v2/oauth2/token") == ""
    assert all(held.startswith("Bearer ") for held in found.values())


def test_while_no_token_can_be_had_not_each_stream_waits_for_it(
    harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/oauth2/token", status=503, times=None)
    result = sync({**oauth_config, "account_id": str(harvest.account_id)}, STREAM_NAMES)
    assert set(result.statuses.values()) == {"INCOMPLETE"}
    assert {kind for kind, _ in result.errors.values()} == {"transient_error"}
    assert grants(harvest) == len(harvest.requests) == 6
    assert len(naps) == 5


def test_a_token_that_could_not_be_had_is_asked_for_again_after_a_while(
    harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/oauth2/token", status=503, times=6)
    asked = authenticator(settings(oauth_config), oauth_config, {}, NoAnswerLimit())
    assert isinstance(asked, HarvestOAuth)
    for seconds in (0, 59):
        naps.append(seconds)
        with pytest.raises(HarvestError, match="access token could not be read"):
            asked.refresh_access_token()
    naps.append(2)
    assert asked.refresh_access_token()


def test_a_config_is_good_for_more_than_one_command(harvest: Harvest, oauth_config: dict[str, Any]) -> None:
    """Its refresh token is good for one use, so the new one takes its place."""
    harvest.oauth.rotate = True
    SourceHarvest().check(LOGGER, oauth_config)
    for _ in range(2):
        assert sync(oauth_config, ["clients"]).statuses == {"clients": "COMPLETE"}
        harvest.oauth.expire()


def test_a_rotated_refresh_token_is_kept_by_check_too(
    harvest: Harvest, oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    harvest.oauth.rotate = True
    SourceHarvest().check(LOGGER, oauth_config)
    assert [kept["credentials"]["refresh_token"] for kept in kept_configs(capsys)] == [harvest.oauth.refresh_token]


def test_a_grant_that_is_revoked_during_a_sync_fails_it_with_the_cure(
    harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 2

    def revoke(request: Any) -> None:
        if len(harvest.requests) > 5:
            harvest.oauth.revoke()

    harvest.before_page = revoke
    result = sync(oauth_config, ["clients", "tasks", "projects", "users"])
    assert result.error is not None
    assert result.errors
    for kind, message in result.errors.values():
        assert kind == "config_error"
        assert "uthenticate again" in message
    assert set(result.states) == set(result.statuses) - set(result.errors)


def test_the_form_of_the_platform_puts_what_harvest_gives_where_the_config_has_it() -> None:
    spec: ConnectorSpecification = SourceHarvest().spec(LOGGER)
    assert spec.advanced_auth
    form = spec.advanced_auth.oauth_config_specification
    assert form
    [option] = [
        option["properties"]
        for option in spec.connectionSpecification["properties"]["credentials"]["oneOf"]
        if option["properties"]["auth_type"]["const"] == spec.advanced_auth.predicate_value
    ]
    for output in (form.complete_oauth_output_specification, form.complete_oauth_server_output_specification):
        for name, described in (output or {})["properties"].items():
            assert described["path_in_connector_config"] == ["credentials", name]
            assert name in option
    asks = form.oauth_connector_input_specification
    assert asks
    assert asks.extract_output == ["refresh_token"]
    assert asks.consent_url.startswith("https://id.getharvest.com/oauth2/authorize?")
