"""Tokens come, expire, rotate and end; the list of accounts says what a token opens."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from emulator import Harvest, Server
from testing.emulator_client import Client


def grant(server: Server, harvest: Harvest, *, as_form: bool = False, **changes: str) -> requests.Response:
    body = {
        "grant_type": "refresh_token",
        "client_id": harvest.oauth.client_id,
        "client_secret": harvest.oauth.client_secret,
        "refresh_token": harvest.oauth.refresh_token,
        **changes,
    }
    sent: dict[str, Any] = {"data": body} if as_form else {"json": body}
    return requests.post(f"{server.identity_url}/api/v2/oauth2/token", timeout=5, **sent)


def status_with(token: str, client: Client) -> int:
    return client.answer("/users/me", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize("as_form", [True, False])
def test_a_refresh_token_gives_an_access_token_that_works(
    as_form: bool, harvest: Harvest, server: Server, client: Client
) -> None:
    answer = grant(server, harvest, as_form=as_form).json()
    assert answer.keys() >= {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer["expires_in"] == 14 * 24 * 3600
    assert answer["refresh_token"] == harvest.oauth.refresh_token
    assert status_with(answer["access_token"], client) == 200


def test_an_authorization_code_gives_an_access_token_too(harvest: Harvest, server: Server, client: Client) -> None:
    answer = grant(server, harvest, grant_type="authorization_code", code=harvest.oauth.code).json()
    assert status_with(answer["access_token"], client) == 200


def test_an_access_token_ends_after_its_lifetime(harvest: Harvest, server: Server, client: Client) -> None:
    token = grant(server, harvest).json()["access_token"]
    harvest.clock.advance(days=13, hours=23)
    assert status_with(token, client) == 200
    harvest.clock.advance(hours=1)
    assert status_with(token, client) == 401


def test_expire_ends_access_tokens_and_leaves_the_refresh_token(
    harvest: Harvest, server: Server, client: Client
) -> None:
    token = grant(server, harvest).json()["access_token"]
    harvest.oauth.expire()
    assert status_with(token, client) == 401
    assert status_with(grant(server, harvest).json()["access_token"], client) == 200


def test_revoke_ends_everything(harvest: Harvest, server: Server, client: Client) -> None:
    refresh = harvest.oauth.refresh_token
    token = grant(server, harvest).json()["access_token"]
    harvest.oauth.revoke()
    assert status_with(token, client) == 401
    answer = grant(server, harvest, refresh_token=refresh)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_rotation_ends_the_old_refresh_token(harvest: Harvest, server: Server) -> None:
    harvest.oauth.rotate = True
    old = harvest.oauth.refresh_token
    new = grant(server, harvest).json()["refresh_token"]
    assert new != old
    assert grant(server, harvest, refresh_token=old).status_code == 400
    assert grant(server, harvest, refresh_token=new).status_code == 200


@pytest.mark.parametrize("changes", [{"client_secret": "wrong"}, {"client_id": "wrong"}])
def test_a_wrong_client_is_refused(changes: dict[str, str], harvest: Harvest, server: Server) -> None:
    answer = grant(server, harvest, **changes)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_body_that_is_no_json_is_refused(server: Server) -> None:
    url = f"{server.identity_url}/api/v2/oauth2/token"
    answer = requests.post(url, data=b"{", headers={"Content-Type": "application/json"}, timeout=5)
    assert answer.status_code == 401


def test_the_accounts_of_a_token_are_those_that_the_test_says(harvest: Harvest, server: Server, client: Client) -> None:
    body = client.get(f"{server.identity_url}/api/v2/accounts")
    assert [account["product"] for account in body["accounts"]] == ["forecast", "harvest"]
    assert body["accounts"][1]["id"] == harvest.account_id
    assert body["user"].keys() == {"id", "first_name", "last_name", "email"}
    harvest.accounts = []
    assert client.get(f"{server.identity_url}/api/v2/accounts")["accounts"] == []


def test_the_accounts_ask_for_a_token_and_a_user_agent(server: Server, client: Client) -> None:
    url = f"{server.identity_url}/api/v2/accounts"
    assert client.answer(url, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.answer(url, headers={"User-Agent": ""}).status_code == 400
    assert client.answer(url, headers={"Harvest-Account-Id": None}).status_code == 200
