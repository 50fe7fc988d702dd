"""The HTTP client of one command: its requests share credentials, headers, rate limits and timeouts."""

import logging
import math
from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from threading import Lock
from typing import Any, TypeVar

import requests
from airbyte_cdk.sources.streams.http import HttpClient

from source_harvest.api.auth import REQUEST_KWARGS, authenticator
from source_harvest.api.error_handler import TRIES, HarvestErrorHandler, not_read, plain_errors
from source_harvest.api.logs import quiet
from source_harvest.api.no_answer import NoAnswerError, NoAnswerLimit
from source_harvest.api.rate_limit import HarvestSession, ReportPlan
from source_harvest.api.request_slots import RequestSlots
from source_harvest.api.session import json_response, object_of
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

    def __init__(self, settings: Settings, config: Config, seconds_without_answer: float = math.inf) -> None:
        """Gives up once Harvest answers nothing for `seconds_without_answer`; each request has its number of tries."""
        self._no_answer = NoAnswerLimit(seconds_without_answer)
        self.settings = settings
        self.slots = RequestSlots(settings.num_workers)
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        self._session = HarvestSession(settings.rate_limit_percent / 100, self.slots, self._no_answer)
        self._session.headers.update(headers)
        self._session.auth = authenticator(settings, config, headers, self._no_answer)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.report_plan = ReportPlan(self._session.reports)
        self._results: dict[object, tuple[Lock, list[Any]]] = {}

    def http_client(self, place: Place, read: Read = object_of, tries: int = TRIES) -> HttpClient:
        """A CDK client for one place, on the shared session. What `read` returns is the response's `meaning`."""
        handler = HarvestErrorHandler(place, partial(self._parse, place, read), self._no_answer, tries)
        return HttpClient(place.name, quiet(logger), handler, session=self._session)

    def _parse(self, place: Place, read: Read, response: requests.Response) -> None:
        answer = json_response(response)
        answer.meaning = read(answer)
        if answer.is_mended:
            warning = (
                f"Harvest's {place.name} hold text that no UTF-8 can hold, such as one half of an emoji that was cut: "
                "each such character becomes U+FFFD. Mend the text in Harvest to have it whole."
            )
            self.once(warning, partial(logger.warning, warning))

    def close(self) -> None:
        """Closes the connections. No request is sent afterwards."""
        self.slots.close()
        self._session.close()

    def use_account(self, account_id: str) -> None:
        """Sends the ID of the account to read with all later requests."""
        self._session.headers[ACCOUNT_HEADER] = account_id

    def get(
        self, url: str, place: Place, account_id: str | None = None, read: Read = object_of, tries: int = TRIES
    ) -> Any:
        """What `read` makes of the response at one address: by default its JSON object. Raises `HarvestError`."""
        headers = {ACCOUNT_HEADER: account_id} if account_id else None
        client = self.http_client(place, read, tries)
        ask = partial(client.send_request, "GET", url, REQUEST_KWARGS, headers=headers)
        try:
            with plain_errors():
                _, response = self._no_answer.wait_for(ask)
        except NoAnswerError as error:
            raise not_read(place, str(error)) from None
        with json_response(response) as answer:
            return answer.meaning

    def get_once(self, url: str, place: Place, expected: Read = object_of) -> dict[str, Any]:
        """The JSON object at an address, checked by `expected` and requested once per command.

        Raises `HarvestError`.
        """

        def read(response: requests.Response) -> dict[str, Any]:
            expected(response)
            return object_of(response)

        return self.once(url, partial(self.get, url, place, read=read))

    def is_answered(self) -> bool:
        """Whether Harvest answers another request, after one failed."""
        try:
            self.get(f"{self.settings.api_url}/users/me", SIGNED_IN_USER, tries=1)
        except HarvestError as error:
            return error.status is not None
        return True

    def once(self, what: object, find: Callable[[], T]) -> T:
        """What `find` returns, called once per command for each `what`."""
        lock, found = self._results.setdefault(what, (Lock(), []))  # in one step, whatever the other threads do
        with lock:
            if not found:
                found.append(find())
            result: T = found[0]
            return result
