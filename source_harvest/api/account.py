"""The Harvest account that a command reads: its ID, its company, its user, and why it refused a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import requests
from airbyte_cdk.models import FailureType

from source_harvest.api.client import SIGNED_IN_USER, HarvestClient
from source_harvest.api.error_handler import plain_errors
from source_harvest.api.session import object_of
from source_harvest.errors import HarvestError, Place, module_is_off, quote_unless_secret, redacted, schema_errors

# An error lists at most so many accounts, and so many characters of each name.
LISTED = 20
NAME_LENGTH = 60

ACCOUNTS = Place("list of accounts", "everyone")
COMPANY = Place("company", "Administrators")


@dataclass(frozen=True)
class Account:
    """A Harvest account that the credentials can access."""

    id: str
    name: str


class HarvestAccount:
    """The account that one command reads.

    A request is sent only when its response is needed, and none once Harvest has rejected the credentials.
    """

    def __init__(self, client: HarvestClient) -> None:
        self.client = client
        self._url = client.settings.api_url
        self._connecting = Lock()
        self._rejection_lock = Lock()
        self._rejection: HarvestError | None = None
        self._is_confirmed = False

    def close(self) -> None:
        """Closes the client."""
        self.client.close()

    def connect(self, *, confirm: bool = False) -> str:
        """Sends the ID of the configured account with all later requests, and returns it.

        Asks Harvest only if the config has no account ID, or to `confirm` that the credentials can access it.
        Raises a config `HarvestError` that lists the accounts that would work.
        """
        with self._connecting:
            if confirm or self.client.account_id is None:
                self.client.account_id = self._resolve(confirm=confirm)
            return str(self.client.account_id)

    @contextmanager
    def explained(self, place: Place) -> Iterator[None]:
        """Wraps a list request: its error tells a wrong account, credentials, a disabled module and a role apart.

        After one of the first two, every later request raises that error without asking Harvest.
        Raises `HarvestError`.
        """
        if self._rejection:
            raise self._rejection.copy()
        self.connect()
        try:
            with plain_errors():
                yield
        except HarvestError as error:
            raise self._explain(error, place) from error

    def _explain(self, error: HarvestError, place: Place) -> HarvestError:
        if error.status in {401, 404} and (rejection := self._why_rejected(error)):
            return rejection.copy()
        if error.status in {403, 404} and place.module and self.is_off(place.module):
            return module_is_off(place, str(error.said))
        return error

    def _why_rejected(self, error: HarvestError) -> HarvestError | None:
        """The error if the credentials or the account are wrong, which is checked once; else None."""
        with self._rejection_lock:
            if self._rejection is None and not self._is_confirmed:
                self._rejection = self._credentials_error()
                self._is_confirmed = self._rejection is None
            if self._rejection is None and error.status == 401:
                self._rejection = error
            return self._rejection

    def is_off(self, module: str) -> bool:
        """Whether the module is switched off. False if unknown: only administrators may read the company."""
        with suppress(HarvestError):
            return self.company().get(f"{module}_feature") is False
        return False

    def company(self) -> Mapping[str, Any]:
        """The account's company; empty unless the user is an administrator.

        Raises `HarvestError`.
        """
        return self.client.once("company", self._ask_for_company)

    def _ask_for_company(self) -> Mapping[str, Any]:
        try:
            company = self.client.get_once(f"{self._url}/company", COMPANY)
        except HarvestError as error:
            if error.status != 403:
                raise
            return {}
        return company

    def user(self, place: Place = SIGNED_IN_USER) -> Mapping[str, Any]:
        """The signed-in user, requested once per command.

        Raises `HarvestError`.
        """
        return self.client.get_once(f"{self._url}/users/me", place, _expect_user)

    def _resolve(self, *, confirm: bool = False) -> str:
        """The ID of the configured account. Raises as `connect` does."""
        wanted = self.client.settings.account
        if wanted and wanted.isdigit() and not confirm:
            return wanted
        accounts = self._reachable()
        subdomains: list[str | None] = []
        if not wanted:
            matching = accounts
        elif wanted.isdigit():
            matching = [account for account in accounts if account.id == wanted]
        else:
            subdomains = [self._subdomain(account) for account in accounts]
            matching = [account for account, found in zip(accounts, subdomains, strict=True) if found == wanted]
        if len(matching) != 1:
            raise _no_such_account(wanted, accounts, may_ask=None not in subdomains)
        return matching[0].id

    def _credentials_error(self) -> HarvestError | None:
        """The error if the credentials or the account are the reason for a 401 or 404; else None."""
        try:
            self._resolve(confirm=True)
        except HarvestError as cause:
            return cause if cause.status == 401 else None
        return None

    def _subdomain(self, account: Account) -> str | None:
        """The account's subdomain; None if the user may not read its company (only administrators may)."""
        try:
            company = self.client.get(f"{self._url}/company", COMPANY, account_id=account.id)
        except HarvestError as error:
            if error.status in {403, 404}:
                return None
            raise
        with schema_errors(COMPANY):
            host = urlsplit(str(company.get("base_uri"))).hostname or ""
        return host.partition(".")[0]

    def _reachable(self) -> list[Account]:
        """The Harvest accounts that the credentials can access, without Forecast accounts.

        Raises `HarvestError`: a config error if Harvest rejects the credentials.
        """
        try:
            found: list[Account] = self.client.get(
                f"{self.client.settings.identity_url}/api/v2/accounts", ACCOUNTS, read=_parse_accounts
            )
        except HarvestError as error:
            is_bad_token = error.status == 401 and not self.client.settings.uses_oauth
            raise _rejected_token() if is_bad_token else error from error
        return found


def _parse_accounts(response: requests.Response) -> list[Account]:
    entries = [entry for entry in object_of(response)["accounts"] if entry["product"] == "harvest"]
    return [Account(id=f"{entry['id']:d}", name=redacted(str(entry.get("name")), NAME_LENGTH)) for entry in entries]


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
        said = f'The config field "account_id" is {quote_unless_secret(wanted)}, {_mismatch(wanted, may_ask=may_ask)}'
    listed = [f"{account.id} ({account.name})" for account in accounts[:LISTED]]
    if len(accounts) > LISTED:
        listed.append(f"and {len(accounts) - LISTED} more")
    would_work = (
        f"Accounts that would work: {', '.join(listed)}." if listed else "They reach no Harvest account at all."
    )
    return HarvestError(f"{said} {would_work}", FailureType.config_error, status=401)


def _mismatch(wanted: str, *, may_ask: bool) -> str:
    if wanted.isdigit():
        return "which is no Harvest account that the credentials reach."
    if may_ask:
        return "which is the subdomain of no Harvest account that the credentials reach."
    return (
        "and no Harvest account that the credentials reach is known to have that subdomain. "
        "Only administrators may ask for it; give the account's number instead."
    )


def _expect_user(response: requests.Response) -> None:
    user = object_of(response)
    roles = user.get("access_roles") or []
    if type(user.get("id")) is not int or not isinstance(roles, list) or not all(isinstance(r, str) for r in roles):
        raise ValueError("it is no user with an id and a list of access_roles")
