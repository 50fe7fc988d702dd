"""Tells the CDK's HTTP client which responses are a success, which are retried and which are errors."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http.error_handlers import ErrorHandler, ErrorResolution, ResponseAction
from airbyte_cdk.utils import AirbyteTracedException
from typing_extensions import override

from source_harvest.api.error_rules import NOT_ANSWERED, RETRIED, UNANSWERED, Rule, rule_for
from source_harvest.api.no_answer import NoAnswerLimit
from source_harvest.api.session import quote
from source_harvest.errors import (
    REASON_LENGTH,
    UNDOCUMENTED,
    HarvestError,
    Place,
    TriesUsedUpError,
    config_error,
    not_as_documented,
    redacted,
)

# How often a request is sent, the first try included, while its errors are transient.
TRIES = 6

# Up to so many seconds are added to each wait before a retry.
JITTER = 0.5


def not_read(place: Place, reason: str, rule: Rule = NOT_ANSWERED) -> HarvestError:
    """The error of a request that failed for a passing reason; by default, because no complete response came."""
    message = f"Harvest's {place.name} could not be read: {redacted(reason, REASON_LENGTH)}. {rule.advice}"
    return HarvestError(message, rule.failure_type)


class HarvestErrorHandler(ErrorHandler):
    """Decides for the CDK's HTTP client what follows from a response.

    Transient errors are retried, and so are successes that `understand` rejects. All other failures raise a
    `HarvestError`, unless the place's `nothing_there` names their status.
    """

    def __init__(
        self,
        place: Place,
        understand: Callable[[requests.Response], object],
        no_answer: NoAnswerLimit,
        tries: int = TRIES,
    ) -> None:
        """`understand` raises `ValueError`, `KeyError` and the like if a successful response is not as documented."""
        self._place = place
        self._understand = understand
        self._tries = tries
        self._no_answer = no_answer

    @property
    @override
    def max_retries(self) -> int:
        return self._tries - 1

    @property
    @override
    def max_time(self) -> int:
        return 24 * 60 * 60  # waits for the rate limit are long, and no reason to give up

    @override
    def interpret_response(self, response: requests.Response | Exception | None) -> ErrorResolution:
        if isinstance(response, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(response):
            reason = str(response).partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
            raise config_error(
                f"The certificate that was shown for Harvest's {self._place.name} is not trusted on this machine "
                f"({redacted(reason)}). If a proxy decrypts the traffic, name the file with its certificate in the "
                "environment variable REQUESTS_CA_BUNDLE."
            )
        if not isinstance(response, requests.Response):
            return self._without_answer(response)
        if response.status_code == 200:
            return self._success(response)
        if response.status_code in self._place.nothing_there:
            return ErrorResolution(ResponseAction.IGNORE)
        said = f"Harvest answered {response.status_code} ({quote(response)})"
        rule = rule_for(response.status_code)
        if rule.failure_type is FailureType.transient_error:
            return _retry(not_read(self._place, said, rule))
        raise refused(self._place, response.status_code, said)

    def _success(self, response: requests.Response) -> ErrorResolution:
        try:
            self._understand(response)
        except UNDOCUMENTED as error:
            response.close()
            return _retry(not_as_documented(self._place.name, error))
        return ErrorResolution(ResponseAction.SUCCESS)

    def _without_answer(self, error: Exception | None) -> ErrorResolution:
        rule = NOT_ANSWERED if isinstance(error, UNANSWERED) else RETRIED
        failure = not_read(self._place, f"no whole answer came ({type(error).__name__}: {error})", rule)
        if rule is NOT_ANSWERED:
            self._no_answer.note(failure)
        return _retry(failure)


def refused(place: Place, status: int, said: str, whose: str = "") -> HarvestError:
    """The error for a status that no further try changes. `said` are Harvest's words."""
    rule = rule_for(status)
    advice = rule.advice.format(name=place.name, readable_by=place.readable_by)
    return HarvestError(f"{said} to the request for {place.name}{whose}. {advice}", rule.failure_type, status, said)


def _retry(failure: HarvestError) -> ErrorResolution:
    # The CDK's backoff is the same for all threads; this keeps them from retrying all at once.
    time.sleep(random.uniform(0, JITTER))  # noqa: S311 - not a secret
    return ErrorResolution(ResponseAction.RETRY, failure.failure_type, str(failure))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Wraps a request of the CDK's HTTP client: its failures become a `HarvestError`."""
    try:
        yield
    except HarvestError:
        raise
    except AirbyteTracedException as error:
        last_try = error.__context__  # holds our own message
        raise TriesUsedUpError(str(last_try or error), error.failure_type or FailureType.system_error) from error
