"""The connector's exceptions, and how their messages quote values without secrets.

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

# Characters quoted from an unexpected answer: enough to recognise it, short enough for one line.
QUOTE_LENGTH = 200

# A longer value of a setting may hold a secret and is not shown.
SHOWN_LENGTH = 60

# Bytes read at most of a failed answer.
MOST_QUOTED = 64_000

# Longer than QUOTE_LENGTH: the reason of a network or library error may hold an address, with its cause at the end.
REASON_LENGTH = 500

# Characters kept from the end of a stack trace, which repeats the messages of all earlier errors.
TRACE_LENGTH = 20_000

# In a text that was cut off, half a secret may be in this many last characters.
LONGEST = 4_000


class HarvestError(AirbyteTracedException):
    """A failure, with a message for the user."""

    def __init__(
        self, message: str, failure_type: FailureType, status: int | None = None, said: str | None = None
    ) -> None:
        """`status` and `said` (Harvest's words) are None if Harvest did not answer."""
        message = without_secrets(message)
        super().__init__(internal_message=message, message=message, failure_type=failure_type)
        self.status = status
        self.said = said and without_secrets(said)

    def copy(self) -> "HarvestError":
        """A copy to raise elsewhere: an exception collects a traceback of each place where it was raised."""
        return HarvestError(str(self.message), self.failure_type, self.status, self.said)

    @override
    def as_airbyte_message(self, stream_descriptor: StreamDescriptor | None = None) -> AirbyteMessage:
        message = super().as_airbyte_message(stream_descriptor)
        if message.trace and message.trace.error:  # the stack trace may quote Harvest's answer
            message.trace.error.stack_trace = without_secrets(message.trace.error.stack_trace or "")[-TRACE_LENGTH:]
        return message


class TriesUsedUpError(HarvestError):
    """All attempts of a request failed, for a fault that may pass."""


class GoneMidwayError(HarvestError):
    """A later page of a list below a record answered 404."""


def without_secrets(text: str) -> str:
    """The text with secrets replaced by asterisks."""
    return str(filter_secrets(text))


def config_error(message: str) -> HarvestError:
    """An error that the user can fix in the source's settings or in Harvest."""
    return HarvestError(message, FailureType.config_error)


def quote_value(value: object) -> str:
    """The `repr` of a value from the user's files, without secrets, cut to `QUOTE_LENGTH`."""
    text = without_secrets(repr(value))
    return text if len(text) <= QUOTE_LENGTH else f"{text[:QUOTE_LENGTH]}…"


def quote_unless_secret(value: object) -> str:
    """The `repr` of a config value, for "the field is …"; a long value or one like a token is not shown."""
    text = without_secrets(repr(value))
    is_hidden = len(text) > SHOWN_LENGTH or _may_be_token(text) or re.search("//.*@", text)  # a password in an address
    return "a value that is not shown here" if is_hidden else text


def _may_be_token(text: str) -> bool:
    words = re.findall(r"[\w+/=~.-]*", re.sub(r"https?://[\w.:-]+", "", text))
    return "****" in text or any(
        re.search(r"\.[a-z]t\.", word) or len(word) >= 25 or (len(word) >= 16 and re.search(r"\d.*[A-Za-z]", word))
        for word in words
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d.]*", word)
    )


def redacted(text: str, length: int = QUOTE_LENGTH, *, is_broken_off: bool = False) -> str:
    """The first `length` characters of a text, as one line without secrets. `is_broken_off`: its end was cut off."""
    line = without_secrets(" ".join(text.split()))
    return line[: -LONGEST if is_broken_off else None][:length]


@dataclass(frozen=True)
class Place:
    """What a request reads, in the words of an error message."""

    name: str
    """What is read, such as "invoices"."""
    readable_by: str
    """Which users may read it, such as "Administrators"."""
    nothing_there: tuple[int, ...] = ()
    """The statuses that mean no rows, such as 404 for a list below a deleted record."""
    module: str = ""
    """Harvest's module for it, such as "invoice" for `invoice_feature` of the company."""


# Exceptions raised when a value is not as documented.
UNDOCUMENTED = (KeyError, TypeError, AttributeError, ValueError, OverflowError)


def not_as_documented(name: str, error: Exception | str) -> HarvestError:
    """The error for an answer for `name` that is not as documented."""
    what = str(error) if type(error) in {ValueError, str} else f"{type(error).__name__}: {error}"
    message = f"Harvest's answer for {name} is not as documented: {redacted(what)}. Please report this message."
    return HarvestError(message, FailureType.system_error)


@contextmanager
def schema_errors(place: Place) -> Iterator[None]:
    """A context in which rows that are not as documented raise a `HarvestError` that says so."""
    try:
        yield
    except UNDOCUMENTED as error:
        raise not_as_documented(place.name, error) from error
