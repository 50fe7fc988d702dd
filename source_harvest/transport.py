"""The way to Harvest: one session for all streams, with its credentials, headers, limits and timeouts."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from threading import Lock
from typing import Any, TypeVar

import requests
from airbyte_cdk.sources.streams.http import HttpClient

from source_harvest import accounts
from source_harvest.auth import REQUEST_KWARGS, authenticator
from source_harvest.budget import PatientSession, ReportPlan
from source_harvest.config import Config, Settings
from source_harvest.errors import (
    TRIES,
    HarvestError,
    HarvestErrorHandler,
    Place,
    module_is_off,
    not_answered,
    plain_errors,
)
from source_harvest.gate import Gate
from source_harvest.logs import quiet
from source_harvest.no_answer import NoAnswerError, NoAnswerLimit
from source_harvest.session import Answer, object_of

logger = logging.getLogger("airbyte")

T = TypeVar("T")

# Harvest asks for the application's name and a way to reach its makers.
USER_AGENT = f"source-harvest/{version('source-harvest')} (https://docs.airbyte.com/integrations/sources/harvest)"
ACCOUNT_HEADER = "Harvest-Account-Id"

Read = Callable[[requests.Response], Any]
"""Makes of a successful answer what it means; raises `ValueError` and the like where it is not as documented."""

ANYTHING = Place("signed-in user", "everyone")


class Transport:
    """Sends the requests of one command: check, discover or read.

    Nothing is sent before it is needed, and nothing more once Harvest has rejected the credentials.
    """

    def __init__(self, settings: Settings, config: Config, no_answer: NoAnswerLimit | None = None) -> None:
        """Without a limit, whatever is asked for is asked for as often as each request may be tried."""
        self._no_answer = no_answer or NoAnswerLimit()
        self.settings = settings
        self.gate = Gate(settings.num_workers)
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        self._session = PatientSession(
            settings.rate_limit_percent / 100, self.gate, settings.num_workers, self._no_answer
        )
        self._session.headers.update(headers)
        self._session.auth = authenticator(settings, config, headers, self._no_answer)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.report_plan = ReportPlan(self._session.reports)
        self._account_lock = Lock()
        self._rejection_lock = Lock()
        self._found_lock = Lock()
        self._found: dict[object, Any] = {}
        self._finding: dict[object, Lock] = {}
        self._rejection: HarvestError | None = None
        self._is_account_confirmed = False

    def client(self, place: Place, read: Read = object_of, tries: int = TRIES) -> HttpClient:
        """A client for one place in Harvest, on the session that all share; what was `read` is the answer's meaning."""
        understand = partial(self._understand, place, read)
        handler = HarvestErrorHandler(
            place, understand, uses_oauth=self.settings.uses_oauth, tries=tries, no_answer=self._no_answer
        )
        return HttpClient(place.name, quiet(logger), handler, session=self._session)

    def _understand(self, place: Place, read: Read, response: requests.Response) -> None:
        if not isinstance(response, Answer):
            raise TypeError(f"an answer is expected, not a {type(response).__name__}")
        response.meaning = read(response)
        if response.is_mended:
            self.once(("mended", place.name), partial(_tell_mended, place))

    def close(self) -> None:
        """Closes the connections that wait for more requests. Nothing more is sent."""
        self.gate.close()
        self._session.close()

    def connect(self, *, confirm: bool = False) -> str:
        """From now on asks for the account that the settings mean, and returns its ID.

        Raises a config `HarvestError` where there is no such account; see `accounts.resolve`.
        """
        with self._account_lock:
            if confirm or ACCOUNT_HEADER not in self._session.headers:
                self._session.headers[ACCOUNT_HEADER] = accounts.resolve(self, confirm=confirm)
            return str(self._session.headers[ACCOUNT_HEADER])

    def get(
        self,
        url: str,
        place: Place,
        account_id: str | None = None,
        read: Read = object_of,
        tries: int = TRIES,
    ) -> Any:
        """What is read at a single address: by default the JSON object there, such as the signed-in user.

        Raises `HarvestError`.
        """
        headers = {ACCOUNT_HEADER: account_id} if account_id else None
        client = self.client(place, read, tries)
        ask = partial(client.send_request, "GET", url, REQUEST_KWARGS, headers=headers)
        try:
            with plain_errors():
                _, response = self._no_answer.wait_for(ask)
        except NoAnswerError as error:
            raise not_answered(place, str(error)) from None
        with response:
            return response.meaning if isinstance(response, Answer) else None

    def get_once(self, url: str, place: Place, expected: Read = object_of) -> dict[str, Any]:
        """The JSON object at an address, which is as `expected`; an answer serves all who ask in this command.

        Raises `HarvestError`.
        """

        def read(response: requests.Response) -> dict[str, Any]:
            expected(response)
            return object_of(response)

        return self.once(url, partial(self.get, url, place, read=read))

    def is_answered(self) -> bool:
        """Whether Harvest answers others while this thread's last request failed; where nobody asks, it is asked."""
        if self._session.is_answered:
            return True
        try:
            self.get(f"{self.settings.api_url}/users/me", ANYTHING, tries=1)
        except HarvestError as error:
            return error.status is not None
        return True

    @contextmanager
    def explained(self, place: Place) -> Iterator[None]:
        """Around the request of a list: tells a wrong account, wrong credentials and a module that is off from a role.

        Nothing more is asked after the first two.

        Raises `HarvestError`.
        """
        if self._rejection:
            raise self._rejection.anew()
        self.connect()
        try:
            with plain_errors():
                yield
        except HarvestError as error:
            raise self._explanation(error, place) from error

    def _explanation(self, error: HarvestError, place: Place) -> HarvestError:
        if error.status in {401, 404} and (rejection := self._why_rejected(error)):
            return rejection.anew()
        if error.status in {403, 404} and place.module and self.is_off(place.module):
            return module_is_off(place, str(error.said))
        return error

    def _why_rejected(self, error: HarvestError) -> HarvestError | None:
        """Asks, once, whether the credentials and the account are what is wrong."""
        with self._rejection_lock:
            if self._rejection is None and not self._is_account_confirmed:
                self._rejection = accounts.why_rejected(self)
                self._is_account_confirmed = self._rejection is None
            if self._rejection is None and error.status == 401:
                self._rejection = error
            return self._rejection

    def is_off(self, module: str) -> bool:
        """Whether the company says so. Only administrators may ask, so for others it is not known."""
        with suppress(HarvestError):
            return self.company().get(f"{module}_feature") is False
        return False

    def company(self) -> Mapping[str, Any]:
        """The account's settings; empty where the user may not see them, as only administrators may.

        Raises `HarvestError`.
        """
        return self.once("company", self._ask_for_company)

    def _ask_for_company(self) -> Mapping[str, Any]:
        try:
            company = self.get_once(f"{self.settings.api_url}/company", accounts.COMPANY)
        except HarvestError as error:
            if error.status != 403:
                raise
            return {}
        return company

    def once(self, what: object, find: Callable[[], T]) -> T:
        """What is found out once in a command, however many need it."""
        with self._found_lock:
            lock = self._finding.setdefault(what, Lock())
        with lock:
            if what not in self._found:
                self._found[what] = find()
            found: T = self._found[what]
            return found


def _tell_mended(place: Place) -> None:
    logger.warning(
        "Harvest's %s hold text that no UTF-8 can hold, such as one half of an emoji that was cut: "
        "each such character becomes U+FFFD. Mend the text in Harvest to have it whole.",
        place.name,
    )
