"""The HTTP client of one command: its session, with the credentials, headers, limits and timeouts that all share."""

import logging
from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from threading import Lock
from typing import Any, TypeVar

import requests
from airbyte_cdk.sources.streams.http import HttpClient

from source_harvest.api.auth import REQUEST_KWARGS, authenticator
from source_harvest.api.error_handler import TRIES, HarvestErrorHandler, not_answered, plain_errors
from source_harvest.api.logs import quiet
from source_harvest.api.no_answer import NoAnswerError, NoAnswerLimit
from source_harvest.api.rate_limit import HarvestSession, ReportPlan
from source_harvest.api.request_slots import RequestSlots
from source_harvest.api.session import JsonResponse, object_of
from source_harvest.config import Config, Settings
from source_harvest.errors import HarvestError, Place

logger = logging.getLogger("airbyte")

T = TypeVar("T")

# Harvest asks for the application's name and a way to reach its makers.
USER_AGENT = f"source-harvest/{version('source-harvest')} (https://docs.airbyte.com/integrations/sources/harvest)"
ACCOUNT_HEADER = "Harvest-Account-Id"

Read = Callable[[requests.Response], Any]
"""Makes of a successful answer what it means; raises `ValueError` and the like where it is not as documented."""

SIGNED_IN_USER = Place("signed-in user", "everyone")


class HarvestClient:
    """Sends the requests of one command: check, discover or read.

    Nothing is sent before it is needed.
    """

    def __init__(self, settings: Settings, config: Config, no_answer: NoAnswerLimit | None = None) -> None:
        """Without a limit, whatever is asked for is asked for as often as each request may be tried."""
        self._no_answer = no_answer or NoAnswerLimit()
        self.settings = settings
        self.slots = RequestSlots(settings.num_workers)
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        self._session = HarvestSession(
            settings.rate_limit_percent / 100, self.slots, settings.num_workers, self._no_answer
        )
        self._session.headers.update(headers)
        self._session.auth = authenticator(settings, config, headers, self._no_answer)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.report_plan = ReportPlan(self._session.reports)
        self._found_lock = Lock()
        self._found: dict[object, Any] = {}
        self._finding: dict[object, Lock] = {}

    def http_client(self, place: Place, read: Read = object_of, tries: int = TRIES) -> HttpClient:
        """A client for one place in Harvest, on the session that all share; what was `read` is the answer's meaning."""
        understand = partial(self._understand, place, read)
        handler = HarvestErrorHandler(
            place, understand, uses_oauth=self.settings.uses_oauth, tries=tries, no_answer=self._no_answer
        )
        return HttpClient(place.name, quiet(logger), handler, session=self._session)

    def _understand(self, place: Place, read: Read, response: requests.Response) -> None:
        if not isinstance(response, JsonResponse):
            raise TypeError(f"an answer is expected, not a {type(response).__name__}")
        response.meaning = read(response)
        if response.is_mended:
            self.once(("mended", place.name), partial(_tell_mended, place))

    def close(self) -> None:
        """Closes the connections that wait for more requests. Nothing more is sent."""
        self.slots.close()
        self._session.close()

    @property
    def account_id(self) -> str | None:
        """The account that is asked for, once that is known."""
        found = self._session.headers.get(ACCOUNT_HEADER)
        return None if found is None else str(found)

    @account_id.setter
    def account_id(self, account_id: str) -> None:
        self._session.headers[ACCOUNT_HEADER] = account_id

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
        client = self.http_client(place, read, tries)
        ask = partial(client.send_request, "GET", url, REQUEST_KWARGS, headers=headers)
        try:
            with plain_errors():
                _, response = self._no_answer.wait_for(ask)
        except NoAnswerError as error:
            raise not_answered(place, str(error)) from None
        with response:
            return response.meaning if isinstance(response, JsonResponse) else None

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
            self.get(f"{self.settings.api_url}/users/me", SIGNED_IN_USER, tries=1)
        except HarvestError as error:
            return error.status is not None
        return True

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
