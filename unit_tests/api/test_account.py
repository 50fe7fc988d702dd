"""Which account is read: by its number, its subdomain, or because it is the only one."""

import json
from typing import Any

import pytest

from emulator import Harvest
from testing.configs import without
from testing.in_process import check, sync
from testing.streams import STREAM_NAMES


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


def test_a_subdomain_that_may_not_be_asked_for_is_said_to(harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for("member")
    connected, message = check({**config, "account_id": harvest.subdomain})
    assert not connected
    assert "Only administrators may ask for it; give the account's number instead." in message
    assert str(harvest.account_id) in message


def test_the_account_is_looked_for_once(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 2
    sync(without(config, "account_id"), ["clients", "contacts", "tasks"])
    assert [request.path for request in harvest.requests].count("/api/v2/accounts") == 1


def test_an_account_that_cannot_be_told_ends_a_sync_before_its_streams(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    result = sync({**config, "account_id": "another"}, STREAM_NAMES)
    assert result.messages == []
    assert "The config field \"account_id\" is 'another'" in str(result.error)


@pytest.mark.parametrize(("role", "status"), [("manager", None), ("administrator", 404)])
def test_a_subdomain_that_its_user_may_not_see_is_said_with_the_accounts_that_would_work(
    role: str, status: int | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    config["credentials"]["api_token"] = harvest.token_for(role)
    if status:
        harvest.faults.add(path="/company$", status=status)
    connected, message = check({**config, "account_id": harvest.subdomain})
    assert not connected
    assert f"Accounts that would work: {harvest.account_id} (Northlight Studio)." in message


@pytest.mark.parametrize("body", [{}, [], {"accounts": [{"id": 1}]}, {"accounts": None}])
def test_a_list_of_accounts_that_is_not_as_documented_is_said(
    body: Any, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/accounts$", status=200, body=json.dumps(body), times=None)
    connected, message = check(config)
    assert (connected, len(naps)) == (False, 5)
    assert message.startswith("Harvest's answer for list of accounts is not as documented: ")
    assert message.endswith("Please report this message.")


def test_what_harvest_said_first_is_told_where_the_accounts_cannot_be_asked_for(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=404, body='{"message": "Not here"}')
    harvest.faults.add(path="/accounts$", status=503, times=None)
    kind, message = sync(config, ["clients"]).errors["clients"]
    assert kind == "config_error"
    assert message.startswith("Harvest answered 404 (Not here) to the request for clients.")
