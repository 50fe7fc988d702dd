"""What each of Harvest's answers means: go on, try again, or stop with a sentence that a user can act on.

An error message has three parts: what Harvest said, what to change, and where.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airbyte_cdk.models import AirbyteMessage, FailureType, StreamDescriptor
from airbyte_cdk.utils import AirbyteTracedException
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets
from typing_extensions import override

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


# A text may have been broken off within the last so many characters in the middle of a secret.
LONGEST = 4_000


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


def without_secrets(text: str, *, is_broken_off: bool = False) -> str:
    """The text with asterisks for each secret; without its end where that may be half of one."""
    text = filter_secrets(text)
    return text[:-LONGEST] if is_broken_off else text


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


def not_as_documented(place: Place, error: Exception) -> str:
    """The message for an answer that is not as documented."""
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
        raise HarvestError(not_as_documented(place, error), FailureType.system_error) from error
