"""The Harvest account that a command reads: its ID, its company, its user, and why it refused a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from airbyte_cdk.models import FailureType

from source_harvest.api.client import SIGNED_IN_USER, HarvestClient
from source_harvest.api.error_handler import plain_errors
from source_harvest.api.session import object_of
from source_harvest.errors import HarvestError, Place, config_error, quote_unless_secret, redacted, schema_errors

# An error lists at most so many accounts, and so many characters of each name.
LISTED = 20
NAME_LENGTH = 60

REJECTED_TOKEN = (
    "Harvest rejected the personal access token (401): it is revoked or mistyped. "
    "Create a new one at id.getharvest.com/developers and put it into the source's settings."
)
# Harvest's modules whose names are no plurals of their own.
MODULE_NAMES = {"pto": "paid time off"}
ACCOUNTS = Place("list of accounts", "everyone")
COMPANY = Place("company", "Administrators")
COMPANY_OF_ANY = Place(COMPANY.name, COMPANY.readable_by, nothing_there=(403, 404))


class Account(NamedTuple):
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
        self._rejection: HarvestError | None = None

    def connect(self, *, confirm: bool = False) -> str:
        """Sends the ID of the configured account with all later requests, and returns it.

        It is found once. Asks Harvest only if the config has no account ID, or to `confirm` that the credentials can
        access it. Raises a config `HarvestError` that lists the accounts that would work.
        """
        account_id = self.client.once("account ID", partial(self._resolve, confirm=confirm))
        self.client.use_account(account_id)
        return account_id

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
            return config_error(
                f"{error.said} to the request for {place.name}, because the module for "
                f"{MODULE_NAMES.get(place.module, f'{place.module}s')} is switched off in this account. Switch it on "
                "in Harvest under Settings, Modules, or deselect the stream."
            )
        return error

    def _why_rejected(self, error: HarvestError) -> HarvestError | None:
        """The error if the credentials or the account are wrong, which is checked once; else None."""
        found = self.client.once("credentials error", self._credentials_error)
        if found is None and error.status == 401:
            found = self.client.once("rejected request", lambda: error)
        self._rejection = self._rejection or found
        return self._rejection

    def is_off(self, module: str) -> bool:
        """Whether the module is switched off. False if unknown: only administrators may read the company."""
        with suppress(HarvestError):
            return self.company().get(f"{module}_feature") is False
        return False

    def company(self) -> Mapping[str, Any]:
        """The account's company; empty unless the user is an administrator. Raises `HarvestError`."""
        return self.client.once("company", self._ask_for_company)

    def _ask_for_company(self) -> Mapping[str, Any]:
        try:
            return self.client.get_once(f"{self._url}/company", COMPANY)
        except HarvestError as error:
            if error.status != 403:
                raise
            return {}

    def user(self, place: Place = SIGNED_IN_USER) -> Mapping[str, Any]:
        """The signed-in user, requested once per command. Raises `HarvestError`."""
        return self.client.get_once(f"{self._url}/users/me", place, _expect_user)

    def _resolve(self, *, confirm: bool) -> str:
        """The ID of the configured account. Raises as `connect` does."""
        wanted = self.client.settings.account
        if wanted and wanted.isdigit() and not confirm:
            return wanted
        accounts = self._reachable()
        by_subdomain = wanted is not None and not wanted.isdigit()
        names = [self._subdomain(account) if by_subdomain else account.id for account in accounts]
        matching = [account.id for account, name in zip(accounts, names, strict=True) if wanted in {None, name}]
        if len(matching) != 1:
            raise _no_such_account(wanted, accounts, may_ask=None not in names)
        return matching[0]

    def _credentials_error(self) -> HarvestError | None:
        """The error if the credentials or the account are the reason for a 401 or 404; else None."""
        try:
            self._resolve(confirm=True)
        except HarvestError as cause:
            return cause if cause.status == 401 else None
        return None

    def _subdomain(self, account: Account) -> str | None:
        """The account's subdomain; None if the user may not read its company (only administrators may)."""
        company = self.client.get(f"{self._url}/company", COMPANY_OF_ANY, account_id=account.id)
        if company is None:
            return None
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
            if error.status != 401 or self.client.settings.uses_oauth:
                raise
            raise HarvestError(REJECTED_TOKEN, FailureType.config_error, status=401) from error
        return found


def _parse_accounts(response: requests.Response) -> list[Account]:
    entries = [entry for entry in object_of(response)["accounts"] if entry["product"] == "harvest"]
    return [Account(id=f"{entry['id']:d}", name=redacted(str(entry.get("name")), NAME_LENGTH)) for entry in entries]


def _no_such_account(wanted: str | None, accounts: list[Account], *, may_ask: bool) -> HarvestError:
    said = f'The config field "account_id" is {quote_unless_secret(wanted)}'
    if wanted is None:
        said = 'The config field "account_id" is missing, and the credentials do not reach exactly one Harvest account.'
    elif wanted.isdigit():
        said += ", which is no Harvest account that the credentials reach."
    elif may_ask:
        said += ", which is the subdomain of no Harvest account that the credentials reach."
    else:
        said += (
            ", and no Harvest account that the credentials reach is known to have that subdomain. "
            "Only administrators may ask for it; give the account's number instead."
        )
    listed = [f"{account.id} ({account.name})" for account in accounts[:LISTED]]
    if len(accounts) > LISTED:
        listed.append(f"and {len(accounts) - LISTED} more")
    would_work = (
        f"Accounts that would work: {', '.join(listed)}." if listed else "They reach no Harvest account at all."
    )
    return HarvestError(f"{said} {would_work}", FailureType.config_error, status=401)


def _expect_user(response: requests.Response) -> None:
    user = object_of(response)
    roles = user.get("access_roles") or []
    if type(user.get("id")) is not int or not isinstance(roles, list) or not all(isinstance(r, str) for r in roles):
        raise ValueError("it is no user with an id and a list of access_roles")
