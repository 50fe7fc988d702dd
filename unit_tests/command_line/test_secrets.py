"""No message holds a secret, or a part of one, wherever it comes from; and what others say is short."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from emulator import Harvest
from source_harvest.errors import HarvestError
from source_harvest.source import SourceHarvest
from testing.configs import TOKEN, settings
from testing.in_process import LOGGER, check, sync

# Long, so that a part of it is easily told; with characters that are spelled otherwise in JSON and in Python.
SECRET = "4711.pt.Zq8w\"7R'x\\5Kv9Tm3Yb6Nc1Hd4Jf2Gs0Lp"


def parts(secret: str = SECRET) -> list[str]:
    return [secret[start : start + 8] for start in range(len(secret) - 7)]


def leaks(message: str, secret: str = SECRET) -> list[str]:
    return [part for part in parts(secret) if part in message]


@pytest.fixture
def secret_config(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "credentials": {"auth_type": "Token", "api_token": SECRET}}


@pytest.mark.slow
@pytest.mark.parametrize("before", [150, 180, 199, 1_985, 1_999, 63_980])
@pytest.mark.parametrize("filler", ["x", " "])
@pytest.mark.parametrize("spelled", [SECRET, json.dumps(SECRET)[1:-1], quote_plus(SECRET)])
@pytest.mark.parametrize("status", [400, 503])
def test_a_token_across_a_cut_is_shown_in_no_part(
    status: int,
    spelled: str,
    filler: str,
    before: int,
    harvest: Harvest,
    secret_config: dict[str, Any],
    naps: list[float],
) -> None:
    harvest.faults.add(status=status, body=filler * before + spelled + " and more" * 10, times=None)
    result = sync(secret_config, ["clients"])
    [(_, message)] = result.errors.values()
    assert not leaks(message), message
    assert len(message) < 1_000
    traces = [m.trace.error.stack_trace or "" for m in result.messages if m.trace and m.trace.error]
    assert not any(leaks(trace) for trace in traces)


@pytest.mark.parametrize("account_id", ["", "12345", "another"])
def test_account_names_are_short_and_hold_no_secret(account_id: str, harvest: Harvest, config: dict[str, Any]) -> None:
    token = config["credentials"]["api_token"]
    harvest.wrong_account_status = 404
    names = ["x" * 1_000_000, "x" * 55 + token, token]
    harvest.accounts += [{"id": 100 + i, "name": names[i % 3], "product": "harvest"} for i in range(50)]
    connected, message = check({**config, "account_id": account_id})
    assert not connected
    assert len(message) < 3_000
    assert not leaks(message, token)
    assert "Northlight Studio" in message
    assert "more" in message


@pytest.mark.parametrize(
    "field",
    ["account_id", "replication_start_date", "num_workers", "report_period", "include_fixed_fee", "api_url"],
)
@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        [SECRET],
        {"token": SECRET},
        "9999.pt.aB3dE5gH7jK9mN1pQ3sT5vW7!",
        "!deadbeef0123456789abcdef01234567",
        "! " + "a word " * 100,
    ],
)
def test_a_wrong_value_that_is_long_or_may_be_a_token_is_not_shown(field: str, value: object) -> None:
    with pytest.raises(HarvestError) as caught:
        settings({"credentials": {**TOKEN, "api_token": SECRET}, field: value})
    message = str(caught.value)
    assert message.startswith(f'The config field "{field}" is a')
    for hidden in (SECRET, "9999.pt.aB3dE5gH7jK9mN1pQ3sT5vW7!", "!deadbeef0123456789abcdef01234567"):
        assert not leaks(message, hidden)
    assert len(message) < 400


@pytest.mark.parametrize("before", [0, 150, 190])
def test_the_files_of_a_command_are_quoted_without_secrets(before: int, tmp_path: Path) -> None:
    source = SourceHarvest()
    source.configure({"credentials": {"auth_type": "Token", "api_token": SECRET}}, str(tmp_path))
    odd = tmp_path / "catalog.json"
    odd.write_text(json.dumps({"streams": [{"sync_mode": "x" * before + SECRET + "x" * 170}]}))
    with pytest.raises(HarvestError) as caught:
        source.read_catalog(str(odd))
    assert not leaks(str(caught.value))


def test_what_check_logs_of_the_user_is_short_and_holds_no_secret(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    token = config["credentials"]["api_token"]
    body = json.dumps({"id": 1, "access_roles": ["x" * 195 + token, "y" * 100_000]})
    harvest.faults.add(path="/users/me$", status=200, body=body, times=None)
    caplog.set_level("INFO")
    SourceHarvest().check(LOGGER, config)
    assert not leaks(caplog.text, token)
    assert max(map(len, caplog.messages)) < 1_000


def test_a_secret_that_begins_as_another_does_is_left_out_whole() -> None:
    short, long = "aaaa-bbbb-cccc", "aaaa-bbbb-cccc-dddd-eeee"
    settings(
        {
            "credentials": {
                "auth_type": "Client",
                "client_id": "id",
                "client_secret": short,
                "refresh_token": long,
            }
        }
    )
    assert str(HarvestError(f"it was {long}", HarvestError("", None).failure_type)) == "it was ****"
