"""Which Harvest account is read: found by its ID, by its subdomain, or because there is only one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from airbyte_cdk.models import FailureType

from source_harvest.errors import HarvestError, Place, as_documented, brief, shown_if_harmless
from source_harvest.session import object_of

if TYPE_CHECKING:
    from source_harvest.transport import Transport

# So many accounts, and so much of their names, are listed in an error.
LISTED = 20
NAME_LENGTH = 60

ACCOUNTS = Place("list of accounts", "everyone")
COMPANY = Place("company", "Administrators")


@dataclass(frozen=True)
class Account:
    """A Harvest account that the credentials reach."""

    id: str
    name: str


def reachable(transport: Transport) -> list[Account]:
    """The Harvest accounts that the credentials reach; Forecast accounts are left out.

    Raises `HarvestError`: a config error where Harvest rejects the credentials.
    """
    try:
        found: list[Account] = transport.get(f"{transport.settings.identity_url}/api/v2/accounts", ACCOUNTS, read=_read)
    except HarvestError as error:
        is_bad_token = error.status == 401 and not transport.settings.uses_oauth
        raise _rejected_token() if is_bad_token else error from error
    return found


def _read(response: requests.Response) -> list[Account]:
    entries = [entry for entry in object_of(response)["accounts"] if entry["product"] == "harvest"]
    return [Account(id=f"{entry['id']:d}", name=brief(str(entry.get("name")), NAME_LENGTH)) for entry in entries]


def resolve(transport: Transport, *, confirm: bool = False) -> str:
    """The ID of the account that the settings mean.

    Asks Harvest only where the settings hold no ID, or to `confirm` that the credentials reach it.
    Raises a config `HarvestError` that names the accounts that would work.
    """
    wanted = transport.settings.account
    if wanted and wanted.isdigit() and not confirm:
        return wanted
    accounts = reachable(transport)
    subdomains: list[str | None] = []
    if not wanted:
        matching = accounts
    elif wanted.isdigit():
        matching = [account for account in accounts if account.id == wanted]
    else:
        subdomains = [_subdomain(transport, account) for account in accounts]
        matching = [account for account, found in zip(accounts, subdomains, strict=True) if found == wanted]
    if len(matching) != 1:
        raise _no_such_account(wanted, accounts, may_ask=None not in subdomains)
    return matching[0].id


def why_rejected(transport: Transport) -> HarvestError | None:
    """What is wrong with the credentials or the account after Harvest answered 401 or 404; None if it is not they."""
    try:
        resolve(transport, confirm=True)
    except HarvestError as cause:
        return cause if cause.status == 401 else None
    return None


def _subdomain(transport: Transport, account: Account) -> str | None:
    """The subdomain of an account, or None where its user may not know (only administrators may)."""
    try:
        company = transport.get(f"{transport.settings.api_url}/company", COMPANY, account_id=account.id)
    except HarvestError as error:
        if error.status in {403, 404}:
            return None
        raise
    with as_documented(COMPANY):
        host = urlsplit(str(company.get("base_uri"))).hostname or ""
    return host.partition(".")[0]


def _rejected_token() -> HarvestError:
    message = (
        "Harvest rejected the personal access token (401): it is revoked or mistyped. "
        "Create a new one at id.getharvest.com/developers and put it into the source's settings."
    )
    return HarvestError(message, FailureType.config_error, status=401)


def _no_such_account(wanted: str | None, accounts: list[Account], *, may_ask: bool) -> HarvestError:
    if wanted is None:
        said = 'The config field "account_id" is missing, and the credentials do not reach exactly one Harvest account.'
    else:
        said = (
            f'The config field "account_id" is {shown_if_harmless(wanted)}, {_what_is_wrong(wanted, may_ask=may_ask)}'
        )
    listed = [f"{account.id} ({account.name})" for account in accounts[:LISTED]]
    if len(accounts) > LISTED:
        listed.append(f"and {len(accounts) - LISTED} more")
    would_work = (
        f"Accounts that would work: {', '.join(listed)}." if listed else "They reach no Harvest account at all."
    )
    return HarvestError(f"{said} {would_work}", FailureType.config_error, status=401)


def _what_is_wrong(wanted: str, *, may_ask: bool) -> str:
    if wanted.isdigit():
        return "which is no Harvest account that the credentials reach."
    if may_ask:
        return "which is the subdomain of no Harvest account that the credentials reach."
    return (
        "and no Harvest account that the credentials reach is known to have that subdomain. "
        "Only administrators may ask for it; give the account's number instead."
    )
