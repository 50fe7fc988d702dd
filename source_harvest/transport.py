"""The way to Harvest: one session for all streams, with its credentials, headers, limits and timeouts."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from threading import Lock
from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http import HttpClient
from airbyte_cdk.utils import AirbyteTracedException
from requests.exceptions import RequestException

from source_harvest import accounts
from source_harvest.answer import AnswerAdapter, body_of
from source_harvest.auth import authenticator
from source_harvest.budget import PatientSession
from source_harvest.config import Config, Settings
from source_harvest.errors import HarvestError, HarvestErrorHandler, Place, quote

logger = logging.getLogger("airbyte")

# Harvest asks for the application's name and a way to reach its makers.
USER_AGENT = f"source-harvest/{version('source-harvest')} (https://docs.airbyte.com/integrations/sources/harvest)"
# Seconds to connect, and seconds between two pieces of an answer: a page of 2,000 rows takes Harvest a while.
TIMEOUT = (10, 60)
ACCOUNT_HEADER = "Harvest-Account-Id"
REQUEST_KWARGS = {"timeout": TIMEOUT, "allow_redirects": False}


class Transport:
    """Sends the requests of one command: check, discover or read.

    Nothing is sent before it is needed, and nothing more once Harvest has rejected the credentials.
    """

    def __init__(self, settings: Settings, config: Config) -> None:
        self.settings = settings
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        self._session = PatientSession(settings.rate_limit_percent / 100)
        self._session.headers.update(headers)
        self._session.auth = authenticator(settings, config, headers)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, AnswerAdapter(pool_maxsize=settings.num_workers))
        self._account_lock = Lock()
        self._rejection_lock = Lock()
        self._rejection: HarvestError | None = None

    def client(self, place: Place) -> HttpClient:
        """A client for one place in Harvest, on the session that all share."""
        handler = HarvestErrorHandler(place, refreshes_token=self.settings.uses_oauth)
        return HttpClient(name=place.name, logger=logger, error_handler=handler, session=self._session)

    def connect(self, *, confirm: bool = False) -> str:
        """From now on asks for the account that the settings mean, and returns its ID.

        Raises a config `HarvestError` where there is no such account; see `accounts.resolve`.
        """
        with self._account_lock:
            if confirm or ACCOUNT_HEADER not in self._session.headers:
                self._session.headers[ACCOUNT_HEADER] = accounts.resolve(self, confirm=confirm)
            return str(self._session.headers[ACCOUNT_HEADER])

    def get(self, url: str, place: Place, account_id: str | None = None) -> Any:
        """The JSON body at a single address, such as that of the signed-in user.

        Raises `HarvestError`.
        """
        headers = {ACCOUNT_HEADER: account_id} if account_id else None
        with plain_errors():
            _, response = self.client(place).send_request("GET", url, REQUEST_KWARGS, headers=headers)
        return body_of(response)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Around the request of a list: tells a wrong account from wrong credentials, and stops after either.

        Raises `HarvestError`.
        """
        if self._rejection:
            raise self._rejection
        self.connect()
        try:
            with plain_errors():
                yield
        except HarvestError as error:
            if error.status not in {401, 404}:
                raise
            with self._rejection_lock:
                rejection = self._rejection or accounts.why_rejected(self, error)
                self._rejection = rejection if rejection.status == 401 else None
            raise rejection from error


@contextmanager
def plain_errors() -> Iterator[None]:
    """Tells the failures of the CDK's client and authenticator in the connector's words.

    Raises `HarvestError`.
    """
    try:
        yield
    except HarvestError:
        raise
    except AirbyteTracedException as error:
        raise _told(error) from error
    except RequestException as error:
        raise _refresh_failed(error) from error


def _told(error: AirbyteTracedException) -> HarvestError:
    if error.failure_type is FailureType.config_error:
        return HarvestError(
            "Harvest rejected the OAuth credentials (401), and renewing the access token did not help. "
            "Authenticate again in the source's settings.",
            FailureType.config_error,
            status=401,
        )
    last_try = error.__context__  # has our own account of what happened
    return HarvestError(str(last_try or error), error.failure_type)


def _refresh_failed(error: RequestException) -> HarvestError:
    """The CDK lets failures of the token request through as they are."""
    if error.response is not None and error.response.status_code < 500:
        return HarvestError(
            f"Harvest refused to renew the access token ({error.response.status_code}: {quote(error.response)}). "
            "Check the client ID, client secret and refresh token in the source's settings, or authenticate again.",
            FailureType.config_error,
            status=401,
        )
    return HarvestError(f"The access token could not be renewed: {error}.", FailureType.transient_error)
