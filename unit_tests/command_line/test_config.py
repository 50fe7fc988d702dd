"""What a config may hold, and what is said of one that holds something else."""

import json
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConnectorSpecification

from source_harvest.config import migrated
from source_harvest.errors import HarvestError, config_error
from source_harvest.source import SourceHarvest
from testing.configs import OAUTH, SECRET, TOKEN, settings
from testing.in_process import LOGGER


@pytest.fixture(scope="module")
def spec() -> ConnectorSpecification:
    return SourceHarvest().spec(LOGGER)


def test_a_token_alone_is_a_whole_config() -> None:
    found = settings({"credentials": TOKEN})
    assert (found.account, found.start, found.num_workers) == (None, None, 8)
    assert (found.api_url, found.identity_url) == ("https://api.harvestapp.com/v2", "https://id.getharvest.com")


@pytest.mark.parametrize(
    ("typed", "account"),
    [
        ("1234567", "1234567"),
        (1234567, "1234567"),
        ("acme", "acme"),
        ("acme/", "acme"),
        ("Acme", "acme"),
        ("acme.harvestapp.com", "acme"),
        ("https://acme.harvestapp.com/", "acme"),
        ("http://acme.harvestapp.com", "acme"),
        ("HTTPS://Acme.HarvestApp.com/time/day/2024/1/2?a=b#c", "acme"),
        (" acme.harvestapp.com\n", "acme"),
        ("\t1234567 ", "1234567"),
        ("\ufeff1234567\u200b", "1234567"),
        ("\u3000'1234567'\u202c", "1234567"),
        ('"acme"', "acme"),
        ("//acme.harvestapp.com", "acme"),
        ("https://acme.harvestapp.com:443/time", "acme"),
        ("acme.harvestapp.com.", "acme"),
        ("", None),
        (None, None),
    ],
)
def test_an_account_is_a_number_or_a_subdomain_however_it_was_pasted(typed: str, account: str | None) -> None:
    assert settings({"credentials": TOKEN, "account_id": typed}).account == account


@pytest.mark.parametrize(
    "around",
    [
        *("{}\n", " {}", "\r\n\t{} ", "Bearer {}", " bearer  {}\n", "\ufeff{}\u200b", "\u00a0{}"),
        *("Authorization: Bearer {}", "Bearer: {}", "Bearer Bearer {}", '"{}"', " 'Bearer {}'\n", 'Bearer "{}"'),
        *("\u3000{}\u2028", "\u202a{}\u202c", "{}\0"),
    ],
)
def test_a_token_is_taken_as_meant_however_it_was_pasted(around: str) -> None:
    pasted = around.format(SECRET)
    assert settings({"credentials": {**TOKEN, "api_token": pasted}}).credentials["api_token"] == SECRET
    assert str(config_error(f"it was {SECRET}")) == "it was ****"
    found = settings({"credentials": {**OAUTH, "refresh_token": pasted, "client_id": " id\n"}}).credentials
    assert (found["refresh_token"], found["client_id"]) == (SECRET, "id")


@pytest.mark.parametrize("typed", ["Bearer", " Bearer\n", "Authorization: Bearer ", '""'])
def test_what_stands_before_a_token_is_none(typed: str) -> None:
    with pytest.raises(HarvestError, match=r'"credentials\.api_token" is missing'):
        settings({"credentials": {**TOKEN, "api_token": typed}})


def test_blanks_around_a_choice_or_a_day_are_left_out() -> None:
    found = settings({"credentials": TOKEN, "replication_start_date": " 2024-01-31\n", "report_period": "day "})
    assert (str(found.start), found.report_period) == ("2024-01-31 00:00:00+00:00", "day")


@pytest.mark.parametrize("typed", ["/", "https://", "http:///time", " ? "])
def test_an_address_without_an_account_is_no_empty_account(typed: str) -> None:
    with pytest.raises(HarvestError, match="account_id"):
        settings({"credentials": TOKEN, "account_id": typed})


@pytest.mark.parametrize("typed", ["2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"])
def test_a_start_date_is_a_day_or_a_moment_in_utc(typed: str) -> None:
    start = settings({"credentials": TOKEN, "replication_start_date": typed}).start
    assert start is not None
    assert start.isoformat().startswith("2024-02-29T00:00:00")


@pytest.mark.parametrize("url", ["http://127.0.0.1:65535", "http://localhost:8080/", "http://[::1]:8080/v2"])
def test_http_is_for_this_machine_only(url: str) -> None:
    assert settings({"credentials": TOKEN, "api_url": url}).api_url == f"{url.rstrip('/').removesuffix('/v2')}/v2"


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example\\@127.0.0.1/v2",
        "http://evil.example\\\\@127.0.0.1/v2",
        "https://evil.example\\@api.harvestapp.com/v2",
        "http:\\\\127.0.0.1\\v2",
        "http://127.0.0.1@evil.example/v2",
        "https://api.harvestapp.com@evil.example",
        "https://somebody:hush@api.harvestapp.com/v2",
        "https://@api.harvestapp.com/v2",
        "http://127.0.0.1#@evil.example/v2",
        "https://api.harvestapp.com/v2#part",
        "https://api.harvestapp.com/v2#",
        "https://api.harvestapp.com/v2?a=b",
        "https://api.harvestapp.com/v2?",
        "http://127.0.0.1\n.evil.example/v2",
        "http://evil.example\t@127.0.0.1/v2",
        "https://api.harvest\x00app.com/v2",
        " https://api.harvestapp.com/v2",
        "https://api.harvestapp.com/v2\n",
        "https://api.harvestapp.com /v2",
        "https://api.harvestapp\u3002com/v2",
        "http://localhost.evil.example/v2",
        "http://127.0.0.1.evil.example/v2",
        "http:///127.0.0.1/v2",
        "http:127.0.0.1",
        "https://",
    ],
)
@pytest.mark.parametrize("name", ["api_url", "identity_url"])
def test_an_address_that_others_might_read_differently_is_refused(name: str, url: str) -> None:
    with pytest.raises(HarvestError, match=f'^The config field "{name}" is .*It must be an https:// address') as caught:
        settings({"credentials": TOKEN, name: url})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "credentials"),
        ({"credentials": None}, "credentials"),
        ({"credentials": "4711.pt.very-secret"}, "credentials"),
        ({"credentials": {}}, "credentials.api_token"),
        ({"credentials": {"auth_type": "Token"}}, "credentials.api_token"),
        ({"credentials": {**TOKEN, "api_token": ""}}, "credentials.api_token"),
        ({"credentials": {**TOKEN, "api_token": f"{SECRET} and"}}, "credentials.api_token"),
        ({"credentials": {**TOKEN, "api_token": 5}}, "credentials.api_token"),
        ({"credentials": {**TOKEN, "auth_type": "Password"}}, "credentials.auth_type"),
        ({"credentials": {**TOKEN, "auth_type": ["Token"]}}, "credentials.auth_type"),
        ({"credentials": {**OAUTH, "client_id": ""}}, "credentials.client_id"),
        ({"credentials": {**OAUTH, "client_secret": None}}, "credentials.client_secret"),
        ({"credentials": {**OAUTH, "refresh_token": 7}}, "credentials.refresh_token"),
        ({"credentials": TOKEN, "account_id": True}, "account_id"),
        ({"credentials": TOKEN, "account_id": "my account!"}, "account_id"),
        ({"credentials": TOKEN, "replication_start_date": "yesterday"}, "replication_start_date"),
        ({"credentials": TOKEN, "replication_start_date": "2023-02-29"}, "replication_start_date"),
        ({"credentials": TOKEN, "replication_start_date": 20240101}, "replication_start_date"),
        ({"credentials": TOKEN, "num_workers": 0}, "num_workers"),
        ({"credentials": TOKEN, "num_workers": 41}, "num_workers"),
        ({"credentials": TOKEN, "num_workers": "8"}, "num_workers"),
        ({"credentials": TOKEN, "num_workers": True}, "num_workers"),
        ({"credentials": TOKEN, "report_period": "quarter"}, "report_period"),
        ({"credentials": TOKEN, "include_fixed_fee": "true"}, "include_fixed_fee"),
        ({"credentials": TOKEN, "api_url": "http://api.harvestapp.com/v2"}, "api_url"),
        ({"credentials": TOKEN, "api_url": "ftp://127.0.0.1"}, "api_url"),
        ({"credentials": TOKEN, "api_url": "api.harvestapp.com"}, "api_url"),
        ({"credentials": TOKEN, "api_url": "https://[::1"}, "api_url"),
        ({"credentials": TOKEN, "api_url": "https://127.0.0.1:99999"}, "api_url"),
        ({"credentials": TOKEN, "api_url": "https://127.0.0.1:65536"}, "api_url"),
        ({"credentials": TOKEN, "api_url": "https://.harvestapp.com"}, "api_url"),
        ({"credentials": TOKEN, "identity_url": "http://10.0.0.1"}, "identity_url"),
        ({"credentials": TOKEN, "identity_url": ["https://id.getharvest.com"]}, "identity_url"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_may_hold_and_no_secret(config: dict[str, Any], field: str) -> None:
    with pytest.raises(HarvestError) as caught:
        settings(config)
    message = str(caught.value)
    assert message.startswith(f'The config field "{field}" is ')
    assert caught.value.failure_type.value == "config_error"
    assert SECRET not in message
    assert "hush" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {"api_token": "t", "account_id": "1"},
            {"credentials": {"auth_type": "Token", "api_token": "t"}, "account_id": "1"},
        ),
        ({"credentials": {"api_token": "t"}}, {"credentials": {"auth_type": "Token", "api_token": "t"}}),
        (
            {"credentials": {"client_id": "i", "client_secret": "s", "refresh_token": "r"}},
            {"credentials": {"auth_type": "Client", "client_id": "i", "client_secret": "s", "refresh_token": "r"}},
        ),
        (
            {"credentials": {"auth_type": None, "api_token": "t", "refresh_token": None}},
            {"credentials": {"auth_type": "Token", "api_token": "t", "refresh_token": None}},
        ),
        ({"credentials": None, "api_token": "t"}, {"credentials": {"auth_type": "Token", "api_token": "t"}}),
    ],
)
def test_old_configs_are_brought_into_todays_shape(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert migrated(old) == new
    assert settings(old).credentials == new["credentials"]


@pytest.mark.parametrize("empty", ["", None])
def test_a_field_that_was_cleared_is_as_if_it_were_not_there(empty: object, spec: ConnectorSpecification) -> None:
    fields = spec.connectionSpecification["properties"].keys() - {"credentials"}
    assert settings({"credentials": TOKEN, **dict.fromkeys(fields, empty)}) == settings({"credentials": TOKEN})


def test_a_config_of_today_is_left_as_it_is() -> None:
    config = {"credentials": TOKEN}
    assert migrated(config) is config


def test_every_field_of_the_form_has_a_title_a_description_and_a_place(spec: ConnectorSpecification) -> None:
    properties = spec.connectionSpecification["properties"]
    options = properties["credentials"]["oneOf"]
    forms = [properties, *(option["properties"] for option in options)]
    for form in forms:
        assert sorted(field["order"] for field in form.values()) == list(range(len(form)))
        for name, field in form.items():
            assert "const" in field or (field["title"] and field["description"]), name
    assert {name for name, field in properties.items() if field.get("airbyte_hidden")} == {"api_url", "identity_url"}
    secrets = {n for option in options for n, field in option["properties"].items() if field.get("airbyte_secret")}
    assert secrets == {"api_token", "client_secret", "refresh_token", "access_token"}


def test_the_form_has_groups_in_which_its_fields_stand_in_order(spec: ConnectorSpecification) -> None:
    groups = [group["id"] for group in spec.connectionSpecification["groups"]]
    assert groups == ["account", "data", "tuning"]
    fields = sorted(spec.connectionSpecification["properties"].values(), key=lambda field: field["order"])
    assert sorted(fields, key=lambda field: groups.index(field["group"])) == fields
    assert list(spec.connectionSpecification["properties"].values()) == fields


def test_the_form_shows_what_most_people_set_and_describes_the_ways_to_sign_in(spec: ConnectorSpecification) -> None:
    """Airbyte folds optional fields away, but for those that it is to show always."""
    properties = spec.connectionSpecification["properties"]
    shown = {name for name, field in properties.items() if field.get("always_show")}
    assert shown == {"account_id", "replication_start_date", "report_period"}
    assert properties["credentials"]["display_type"] == "radio"
    assert all(option["description"] for option in properties["credentials"]["oneOf"])


def test_titles_are_short_and_each_description_is_one_sentence(spec: ConnectorSpecification) -> None:
    properties = spec.connectionSpecification["properties"]
    for name, field in properties.items():
        assert len(field["title"]) < 40, name
        assert field["description"].endswith("."), name
        assert field.get("airbyte_hidden") or ". " not in field["description"], name


def test_the_examples_in_the_form_are_valid(spec: ConnectorSpecification) -> None:
    for name, field in spec.connectionSpecification["properties"].items():
        for example in field.get("examples", []):
            assert settings({"credentials": TOKEN, name: example}), json.dumps({name: example})


def test_configuring_leaves_no_copy_of_the_credentials_on_disk(tmp_path: Path) -> None:
    config = {"credentials": TOKEN}
    assert SourceHarvest().configure(config, str(tmp_path)) is config
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "127.example.com"])
def test_http_is_not_for_hosts_that_are_named_like_this_machine(host: str) -> None:
    with pytest.raises(HarvestError, match='The config field "api_url" is '):
        settings({"credentials": TOKEN, "api_url": f"http://{host}"})


@pytest.mark.parametrize("num_workers", [1, 40])
def test_the_number_of_workers_is_the_configs(num_workers: int) -> None:
    assert settings({"credentials": TOKEN, "num_workers": num_workers}).num_workers == num_workers
