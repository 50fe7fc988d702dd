"""What each of Harvest's answers means: go on, try again, or stop with a sentence that a user can act on.

An error message has three parts: what Harvest said, what to change, and where.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson
import requests
from airbyte_cdk.models import AirbyteMessage, FailureType, StreamDescriptor
from airbyte_cdk.sources.streams.http.error_handlers import ErrorHandler, ErrorResolution, ResponseAction
from airbyte_cdk.utils import AirbyteTracedException
from typing_extensions import override

from source_harvest.api.no_answer import NoAnswerLimit
from source_harvest.secret_filter import without_secrets

# How much of an unexpected answer is quoted: enough to recognise it, short enough for one line.
QUOTE_LENGTH = 200

# A longer value of a setting may hold what is nobody's business.
SHOWN_LENGTH = 60

# No more bytes of a failed answer are looked at.
MOST_QUOTED = 64_000

# What the network or a library says may hold an address, and its cause at the end.
REASON_LENGTH = 500

# A stack trace names the messages of all errors before it; its end is what it is read for.
TRACE_LENGTH = 20_000

# How often a request is sent that meets faults which may pass.
TRIES = 6

# Up to so many seconds are added to each wait before another try.
JITTER = 0.5


class HarvestError(AirbyteTracedException):
    """A failure told in the user's terms."""

    def __init__(
        self, message: str, failure_type: FailureType, status: int | None = None, said: str | None = None
    ) -> None:
        """`status` and what Harvest `said` are None where it never answered."""
        message = without_secrets(message)
        super().__init__(internal_message=message, message=message, failure_type=failure_type)
        self.status = status
        self.said = said and without_secrets(said)

    def anew(self) -> "HarvestError":
        """The same for somebody else: an exception remembers, and shows, each place where it was raised."""
        return HarvestError(str(self.message), self.failure_type, self.status, self.said)

    @override
    def as_airbyte_message(self, stream_descriptor: StreamDescriptor | None = None) -> AirbyteMessage:
        message = super().as_airbyte_message(stream_descriptor)
        if message.trace and message.trace.error:  # whose stack trace may quote what Harvest sent
            message.trace.error.stack_trace = without_secrets(message.trace.error.stack_trace or "")[-TRACE_LENGTH:]
        return message


class TriesUsedUpError(HarvestError):
    """A request failed as often as it was sent, for a fault that may pass."""


class GoneMidwayError(HarvestError):
    """A list below a record ended with a 404 instead of its last page."""


def config_error(message: str) -> HarvestError:
    """An error that the user mends in the source's settings."""
    return HarvestError(message, FailureType.config_error)


def quote_value(value: object) -> str:
    """A value from the user's files as it stands there, without secrets, cut off where it is long."""
    text = without_secrets(repr(value))
    return text if len(text) <= QUOTE_LENGTH else f"{text[:QUOTE_LENGTH]}…"


def quote_unless_secret(value: object) -> str:
    """A value from the config, as the end of "the field is"; one that is long or looks like a token is not shown."""
    text = without_secrets(repr(value))
    return "a value that is not shown here" if len(text) > SHOWN_LENGTH or _may_be_token(text) else text


def _may_be_token(text: str) -> bool:
    words = re.findall(r"[\w+/=~.-]*", re.sub(r"https?://[\w.:-]+", "", text))
    return "****" in text or any(
        re.search(r"\.[a-z]t\.", word) or len(word) >= 25 or (len(word) >= 16 and re.search(r"\d.*[A-Za-z]", word))
        for word in words
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d.]*", word)
    )


def redacted(text: str, length: int = QUOTE_LENGTH, *, is_broken_off: bool = False) -> str:
    """The beginning of what others said, as one short line without secrets."""
    return without_secrets(" ".join(text.split()), is_broken_off=is_broken_off)[:length]


@dataclass(frozen=True)
class Place:
    """Where in Harvest a request goes, in the words that an error message needs."""

    name: str
    """What is read there, such as "invoices"."""
    readable_by: str
    """Which users may read it, such as "Administrators"."""
    nothing_there: tuple[int, ...] = ()
    """The answers that mean no rows, such as 404 for a list below a record that is gone."""
    module: str = ""
    """The module of Harvest's that it belongs to, as in `invoice_feature` of the company."""


def module_is_off(place: Place, said: str) -> HarvestError:
    """The error for a place whose module the account has switched off."""
    return config_error(
        f"{said} to the request for {place.name}, because the module for {place.module}s is switched off in this "
        "account. Switch it on in Harvest under Settings, Modules, or deselect the stream."
    )


# What is raised where a value is not what it is documented to be.
UNDOCUMENTED = (KeyError, TypeError, AttributeError, ValueError, OverflowError)


def _not_as_documented(place: Place, error: Exception) -> str:
    what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    return f"Harvest's answer for {place.name} is not as documented: {redacted(what)}. Please report this message."


@contextmanager
def schema_errors(place: Place) -> Iterator[None]:
    """Around what trusts the shape of Harvest's rows: where they are not as documented, one clear sentence says so.

    Raises `HarvestError`.
    """
    try:
        yield
    except UNDOCUMENTED as error:
        raise HarvestError(_not_as_documented(place, error), FailureType.system_error) from error


@dataclass(frozen=True)
class _Rule:
    action: ResponseAction
    failure_type: FailureType
    advice: str


_RULES = {
    401: _Rule(
        ResponseAction.FAIL,
        FailureType.config_error,
        "Check the credentials and the account ID in the source's settings.",
    ),
    403: _Rule(
        ResponseAction.FAIL,
        FailureType.config_error,
        "The Harvest user behind these credentials may not read {name}, which is open to {readable_by}. "
        "Give that user the role in Harvest, use another user's credentials, or deselect the stream.",
    ),
    402: _Rule(
        ResponseAction.FAIL,
        FailureType.config_error,
        "Harvest's plan for the account may not include {name}, or a payment is due. Ask the account's owner.",
    ),
    404: _Rule(
        ResponseAction.FAIL,
        FailureType.config_error,
        "Either the account ID in the source's settings is not one that these credentials reach, "
        "or the module that holds {name} is switched off in Harvest.",
    ),
}
_REDIRECTED = _Rule(
    ResponseAction.FAIL,
    FailureType.config_error,
    "The connector follows no redirect with your credentials. Check api_url and identity_url in the source's settings.",
)
_RETRIED = _Rule(
    ResponseAction.RETRY,
    FailureType.transient_error,
    "This is a passing fault on Harvest's side or on the way there; the next sync takes it up again.",
)
_UNANSWERED = _Rule(
    ResponseAction.RETRY,
    FailureType.transient_error,
    "This may pass by itself: the next sync asks again. Where it goes on, see that api.harvestapp.com and "
    "id.getharvest.com can be reached from where the connector runs (DNS, firewall, proxy), and Harvest's status page.",
)
# What is raised where no whole answer came; other exceptions are about the answer.
UNANSWERED = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)

_REFUSED = _Rule(
    ResponseAction.FAIL,
    FailureType.system_error,
    "The connector asked something that Harvest does not take; please report this message.",
)


def not_answered(place: Place, reason: str) -> HarvestError:
    """The error where no whole answer came."""
    message = f"Harvest's {place.name} could not be read: {redacted(reason, REASON_LENGTH)}. {_UNANSWERED.advice}"
    return HarvestError(message, _UNANSWERED.failure_type)


def _rule_for(status: int) -> _Rule:
    if status >= 500 or status in {408, 429}:
        return _RETRIED
    if 300 <= status < 400:
        return _REDIRECTED
    return _RULES.get(status, _REFUSED)


def is_html(response: requests.Response) -> bool:
    """Whether an answer is a page for people, from whatever stands between us and Harvest."""
    return b"<html" in response.content[:500].lower()


def quote(response: requests.Response) -> str:
    """What Harvest said in a failed answer, as one short line without secrets."""
    try:
        body = orjson.loads(response.content)
        text = body.get("message") or body.get("error_description") or body.get("error")
    except (orjson.JSONDecodeError, AttributeError):
        text = "an HTML page" if is_html(response) else response.text
    return redacted(str(text or "no message"), is_broken_off=len(response.content) >= MOST_QUOTED) or "no message"


def _rejected_new_token() -> HarvestError:
    message = (
        "Harvest rejected the access token (401), and renewing it did not help. "
        "Authenticate again in the source's settings."
    )
    return HarvestError(message, FailureType.config_error, status=401)


class HarvestErrorHandler(ErrorHandler):
    """Judges each answer for the CDK's HTTP client.

    Faults that may pass are retried by the client, and so is a success that `understand` does not; all else that is not
    a success raises a `HarvestError`, a 401 with another advice where the session `uses_oauth` and renewed its token.
    """

    def __init__(
        self,
        place: Place,
        understand: Callable[[requests.Response], object],
        *,
        uses_oauth: bool,
        tries: int = TRIES,
        no_answer: NoAnswerLimit | None = None,
    ) -> None:
        """`understand` raises `ValueError`, `KeyError` and the like where a successful answer is not as documented."""
        self._place = place
        self._understand = understand
        self._uses_oauth = uses_oauth
        self._tries = tries
        self._no_answer = no_answer or NoAnswerLimit()

    @property
    @override
    def max_retries(self) -> int:
        return self._tries - 1

    @property
    @override
    def max_time(self) -> int:
        return 24 * 60 * 60  # waiting for Harvest's limit takes its time, and is no reason to give up

    @override
    def interpret_response(self, response: requests.Response | Exception | None) -> ErrorResolution:
        if isinstance(response, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(response):
            reason = str(response).partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
            raise config_error(
                f"The certificate that was shown for Harvest's {self._place.name} is not trusted on this machine "
                f"({redacted(reason)}). Where a proxy of yours looks into what is sent, name the file with its "
                "certificate in the environment variable REQUESTS_CA_BUNDLE."
            )
        if not isinstance(response, requests.Response):
            return self._without_answer(response)
        if response.status_code == 200:
            return self._success(response)
        if response.status_code == 401 and self._uses_oauth:
            raise _rejected_new_token()
        if response.status_code in self._place.nothing_there:
            return ErrorResolution(ResponseAction.IGNORE)
        said = f"Harvest answered {response.status_code} ({quote(response)})"
        rule = _rule_for(response.status_code)
        if rule.action is ResponseAction.RETRY:
            return self._retry(said)
        advice = rule.advice.format(name=self._place.name, readable_by=self._place.readable_by)
        message = f"{said} to the request for {self._place.name}. {advice}"
        raise HarvestError(message, rule.failure_type, response.status_code, said)

    def _success(self, response: requests.Response) -> ErrorResolution:
        try:
            self._understand(response)
        except UNDOCUMENTED as error:
            response.close()
            return _another_try(FailureType.system_error, _not_as_documented(self._place, error))
        return ErrorResolution(ResponseAction.SUCCESS)

    def _without_answer(self, error: Exception | None) -> ErrorResolution:
        reason = f"no whole answer came ({type(error).__name__}: {error})"
        if not isinstance(error, UNANSWERED):
            return self._retry(reason)
        failure = not_answered(self._place, reason)
        self._no_answer.note(failure)
        return _another_try(failure.failure_type, str(failure))

    def _retry(self, reason: str) -> ErrorResolution:
        message = (
            f"Harvest's {self._place.name} could not be read: {redacted(reason, REASON_LENGTH)}. {_RETRIED.advice}"
        )
        return _another_try(_RETRIED.failure_type, message)


def _another_try(failure_type: FailureType, message: str) -> ErrorResolution:
    # The client's waits grow and are the same for all threads; this keeps them from coming back all at once.
    time.sleep(random.uniform(0, JITTER))  # noqa: S311 - nothing is to be kept secret
    return ErrorResolution(ResponseAction.RETRY, failure_type, message)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Around a request of the CDK's HTTP client: tells its failures in the connector's words.

    Raises `HarvestError`.
    """
    try:
        yield
    except HarvestError:
        raise
    except AirbyteTracedException as error:
        last_try = error.__context__  # has our own account of what happened
        raise TriesUsedUpError(str(last_try or error), error.failure_type or FailureType.system_error) from error
