"""The HTTP client of one command: its requests share credentials, headers, rate limits and timeouts."""

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

# Harvest asks for the application's name and a contact: its documentation page, and who runs it.
CONTACT = "https://help.getharvest.com/api-v2/"
USER_AGENT = f"source-harvest/{version('source-harvest')} ({CONTACT}; run by the user of this token)"
ACCOUNT_HEADER = "Harvest-Account-Id"

Read = Callable[[requests.Response], Any]
"""Parses a successful response; raises `ValueError` and the like if it is not as documented."""

SIGNED_IN_USER = Place("signed-in user", "everyone")


class HarvestClient:
    """Sends the requests of one command: check, discover or read."""

    def __init__(self, settings: Settings, config: Config, no_answer: NoAnswerLimit | None = None) -> None:
        """Without `no_answer`, only the tries of each request are limited."""
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
        self._results_lock = Lock()
        self._results: dict[object, Any] = {}
        self._result_locks: dict[object, Lock] = {}

    def http_client(self, place: Place, read: Read = object_of, tries: int = TRIES) -> HttpClient:
        """A CDK client for one place, on the shared session. What `read` returns is the response's `meaning`."""
        parse = partial(self._parse, place, read)
        handler = HarvestErrorHandler(
            place, parse, uses_oauth=self.settings.uses_oauth, tries=tries, no_answer=self._no_answer
        )
        return HttpClient(place.name, quiet(logger), handler, session=self._session)

    def _parse(self, place: Place, read: Read, response: requests.Response) -> None:
        if not isinstance(response, JsonResponse):
            raise TypeError(f"an answer is expected, not a {type(response).__name__}")
        response.meaning = read(response)
        if response.is_mended:
            self.once(("mended", place.name), partial(_warn_of_replaced_text, place))

    def close(self) -> None:
        """Closes the connections. No request is sent afterwards."""
        self.slots.close()
        self._session.close()

    @property
    def account_id(self) -> str | None:
        """The ID of the account to read; None until it is known."""
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
        """What `read` makes of the response at one address: by default its JSON object.

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
        """The JSON object at an address, checked by `expected` and requested once per command.

        Raises `HarvestError`.
        """

        def read(response: requests.Response) -> dict[str, Any]:
            expected(response)
            return object_of(response)

        return self.once(url, partial(self.get, url, place, read=read))

    def is_answered(self) -> bool:
        """Whether Harvest answers others although this thread's request failed; if none succeeded since, sends one."""
        if self._session.is_answered:
            return True
        try:
            self.get(f"{self.settings.api_url}/users/me", SIGNED_IN_USER, tries=1)
        except HarvestError as error:
            return error.status is not None
        return True

    def once(self, what: object, find: Callable[[], T]) -> T:
        """What `find` returns, called once per command for each `what`."""
        with self._results_lock:
            lock = self._result_locks.setdefault(what, Lock())
        with lock:
            if what not in self._results:
                self._results[what] = find()
            result: T = self._results[what]
            return result


def _warn_of_replaced_text(place: Place) -> None:
    logger.warning(
        "Harvest's %s hold text that no UTF-8 can hold, such as one half of an emoji that was cut: "
        "each such character becomes U+FFFD. Mend the text in Harvest to have it whole.",
        place.name,
    )
