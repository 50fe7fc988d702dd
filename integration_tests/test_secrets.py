"""No secret ever leaves the connector, whatever goes wrong: each line of each command is searched for all of them."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from emulator import Harvest
from testing.command_line import Message, Run, configured, run

Prepare = Callable[[Harvest, Message], None]


def healthy(harvest: Harvest, config: Message) -> None:
    """Nothing goes wrong."""


def refused(harvest: Harvest, config: Message) -> None:
    """Harvest repeats the token in what it refuses, wherever it can."""
    said = json.dumps({"message": f"No entry for {harvest.token}"})
    for path, status in (("clients", 400), ("contacts", 403), ("tasks", 404), ("users", 422), ("projects", 418)):
        harvest.faults.add(f"/v2/{path}$", status=status, body=said, times=None)
    where = {"location": f"https://127.0.0.2/?access_token={harvest.token}"}
    harvest.faults.add("/v2/roles$", status=302, body=said, headers=where, times=None)


def disturbed(harvest: Harvest, config: Message) -> None:
    """The token stands in whatever comes in place of an answer."""
    said = f"<html>{harvest.token}</html>"
    harvest.faults.add("/v2/clients$", kind="html", body=said)
    harvest.faults.add("/v2/tasks$", kind="broken_json", body=f'{{"tasks": [{{"id": "{harvest.token}')
    harvest.faults.add("/v2/users$", kind="reset")
    harvest.faults.add("/v2/projects$", kind="cut")
    harvest.faults.add("/v2/roles$", status=503, body=said)
    harvest.faults.add("/v2/contacts$", status=429, body=said, headers={"retry-after": harvest.token})


def odd_rows(harvest: Harvest, config: Message) -> None:
    """Rows are not as documented, and the token stands in them."""
    row = {"id": 1, "client": harvest.token, "user_ids": [[harvest.token]], "access_roles": 5}
    for key in ("contacts", "roles", "users"):
        body = json.dumps({key: [row], "links": {"next": None}})
        harvest.faults.add(f"/v2/{key}$", status=200, body=body, times=None)
    body = json.dumps({"clients": [], "links": {"next": f"https://127.0.0.2/{harvest.token}"}})
    harvest.faults.add("/v2/clients$", status=200, body=body, times=None)


def rejected(harvest: Harvest, config: Message) -> None:
    config["credentials"]["api_token"] = "4711.pt.emulated"


def unusable(harvest: Harvest, config: Message) -> None:
    config["credentials"]["api_token"] += "\nx"


def expired(harvest: Harvest, config: Message) -> None:
    """The access token ends while lists are read, and each new one brings a new refresh token."""
    harvest.oauth.rotate = True
    harvest.page_size_cap = 2
    requests = iter(range(1_000))
    harvest.before_page = lambda _: harvest.oauth.expire() if next(requests) == 3 else None


def revoked(harvest: Harvest, config: Message) -> None:
    harvest.oauth.revoke()


def echoed(harvest: Harvest, config: Message) -> None:
    """The token request is refused with all of its form in the answer."""
    said = {"error": "invalid_client", "error_description": " ".join(config["credentials"].values())}
    harvest.faults.add("/oauth2/token$", status=400, body=json.dumps(said), times=None)


def odd_token(harvest: Harvest, config: Message) -> None:
    said = {"access_token": "1.at.emulated", "refresh_token": "1.rt.emulated\n", "expires_in": "1.at.emulated"}
    harvest.faults.add("/oauth2/token$", status=200, body=json.dumps(said), times=None)


@dataclass(frozen=True)
class Scenario:
    command: str
    prepare: Prepare
    exit_code: int
    oauth: bool = False
    succeeds: bool = True


SCENARIOS = [
    Scenario("read", healthy, 0),
    Scenario("read", refused, 1),
    Scenario("read", disturbed, 0),
    Scenario("read", odd_rows, 1),
    Scenario("read", rejected, 1),
    Scenario("read", unusable, 1),
    Scenario("read", expired, 0, oauth=True),
    Scenario("read", revoked, 1, oauth=True),
    Scenario("read", odd_token, 1, oauth=True),
    Scenario("check", healthy, 0),
    Scenario("check", rejected, 0, succeeds=False),
    Scenario("check", healthy, 0, oauth=True),
    Scenario("check", echoed, 0, oauth=True, succeeds=False),
    Scenario("discover", healthy, 0, oauth=True),
]


NAMES = ["clients", "contacts", "tasks", "users", "projects", "user_roles", "invoice_messages"]
CATALOG = configured(
    [{"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]} for name in NAMES]
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.command}-{s.prepare.__name__}-{s.oauth}")
def test_no_line_of_any_command_holds_a_secret(
    scenario: Scenario, tmp_path: Path, harvest: Harvest, config: dict[str, Any], oauth_config: dict[str, Any]
) -> None:
    chosen = oauth_config if scenario.oauth else config
    issued = str(harvest.oauth.refresh_token)
    scenario.prepare(harvest, chosen)
    files: dict[str, Any] = {"config": chosen}
    if scenario.command == "read":
        files["catalog"] = CATALOG
    result = run(tmp_path, scenario.command, "--debug", **files)
    assert result.exit_code == scenario.exit_code
    assert_no_secret(result, {issued, harvest.oauth.client_secret, harvest.token, *secrets_of(chosen)})
    for error in result.errors:
        assert "\n" not in error["message"]
        assert len(error["message"]) <= 600
    if scenario.command == "check":
        [answer] = result.of_type("CONNECTION_STATUS")
        assert (answer["connectionStatus"]["status"] == "SUCCEEDED") is scenario.succeeds


def secrets_of(config: Message) -> set[str]:
    return {value.strip() for key, value in config["credentials"].items() if key not in {"auth_type", "client_id"}}


def assert_no_secret(result: Run, secrets: set[str]) -> None:
    """Only a refresh token that Harvest rotated is told, to the platform, in a message for it alone."""
    for line in result.output.splitlines():
        if json.loads(line)["type"] != "CONTROL":
            assert not [
                secret for secret in {*secrets, ".at.emulated", ".rt.emulated", ".pt.emulated"} if secret in line
            ]


# All that a token may hold, and is spelled otherwise in JSON, in Python, in an address or on a page.
ODD = "4711.pt.Zq8w\"7R'xp\\5Kv9/Tm3Y&b6Nc%1Hd4<Jf2s+Gs0Lp>Wd8e=Vn1u~"
PARTS = ("Zq8w", "7R'xp", "5Kv9", "Tm3Y", "b6Nc", "1Hd4", "Jf2s", "Gs0Lp", "Wd8e", "Vn1u")

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON of Rails": lambda text: "".join(f"\\u{ord(c):04x}" if c in "&<>" else json.dumps(c)[1:-1] for c in text),
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "Python": lambda text: repr(text)[1:-1],
    "a form": quote_plus,
    "an address": quote,
    "the part of an address": lambda text: quote(text, safe=""),
    "an address in small letters": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "a page": html.escape,
}


@pytest.mark.parametrize("level", ["--debug", "LOG_LEVEL"])
@pytest.mark.parametrize("oauth", [False, True])
def test_a_token_of_odd_characters_is_told_in_no_spelling(
    level: str,
    tmp_path: Path,
    harvest: Harvest,
    config: dict[str, Any],
    oauth_config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    oauth: bool,
) -> None:
    """Neither on standard output nor on standard error, whatever Harvest makes of it."""
    chosen = {**(oauth_config if oauth else config), "num_workers": 2}
    chosen["credentials"]["refresh_token" if oauth else "api_token"] = ODD
    if level == "LOG_LEVEL":
        monkeypatch.setenv(level, "debug")
    said = " and ".join(spelled(ODD) for spelled in SPELLINGS.values())
    for name, body in (("clients", said), ("tasks", json.dumps({"message": said})), ("users", f"<html>{said}</html>")):
        harvest.faults.add(f"/{name}$", status=422, body=body, times=None)
    for name, spelled in zip(["contacts", "projects"], [said, f'{{"message": "{said}'], strict=True):
        where = {"location": f"https://127.0.0.2/?token={quote_plus(ODD)}", "x-token": quote(ODD)}
        harvest.faults.add(f"/{name}$", status=302, body=spelled, headers=where, times=None)
    harvest.faults.add("/oauth2/token$|/accounts$", status=400, body=json.dumps({"error": said}), times=None)
    result = run(tmp_path, "read", *[level][: level == "--debug"], config=chosen, catalog=CATALOG)
    assert result.exit_code == 1
    assert '"Making outbound API request' in result.output or oauth
    assert not [line for line in result.output.splitlines() if any(part in line for part in PARTS)]


def test_debug_lines_hold_no_body(tmp_path: Path, harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add("/tasks$", status=422, body=json.dumps({"message": "no", "name": "Zanzibar"}), times=None)
    harvest.faults.add("/users$", status=503, body=json.dumps({"message": "no", "name": "Zanzibar"}), times=1)
    result = run(tmp_path, "read", "--debug", config=config, catalog=CATALOG)
    told = "\n".join(json.dumps(message) for kind in ("DEBUG", "LOG", "TRACE") for message in result.of_type(kind))
    assert "/v2/tasks" in told
    assert "Zanzibar" not in told
    assert "Harvest-Account-Id" not in told
