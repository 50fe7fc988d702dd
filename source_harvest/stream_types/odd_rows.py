"""Rows that are not as documented: each is left out alone, takes no others with it, and is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from threading import Lock

from airbyte_cdk.models import FailureType

from source_harvest.api.pages import Row
from source_harvest.errors import UNDOCUMENTED, HarvestError, redacted

logger = logging.getLogger("airbyte")


class OddRowsError(HarvestError):
    """Rows of a stream were left out, and all others were read."""


class OddRows:
    """The odd rows of one stream, in whichever threads they are read.

    What has no key can be no row of the stream: it is counted, and told in one warning. A row that has a key but is at
    odds in something else is one that the table lacks: the stream fails once its other rows are read.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._lock = Lock()
        self._left_out: dict[str, tuple[int, str]] = {}
        self._at_odds = 0
        self._first = ""
        self._failure: HarvestError | None = None

    def leave_out(self, what: str, where: str) -> None:
        """One more of these, such as "rows without a key"; `where` names it or the row that holds it."""
        with self._lock:
            count, first = self._left_out.get(what, (0, where))
            self._left_out[what] = count + 1, first

    def records(self, rows: Iterable[Row], record_of: Callable[[Row], Row]) -> Iterator[Row]:
        """The records of rows, but for the rows that are at odds."""
        for row in rows:
            try:
                record = record_of(row)
            except UNDOCUMENTED as error:
                self._leave_out_at_odds(row, error)
            else:
                yield record

    def _leave_out_at_odds(self, row: Row, error: Exception) -> None:
        with self._lock:
            self._at_odds += 1
            self._first = self._first or f"{redacted(str(row.get('id')))}: {redacted(str(error))}"

    def fail(self, error: HarvestError) -> None:
        """The stream cannot be complete."""
        with self._lock:
            self._failure = self._failure or error

    @property
    def has_failed(self) -> bool:
        """Whether the stream lacks rows."""
        return self._failure is not None or self._at_odds > 0

    def check(self) -> None:
        """Raises `HarvestError` where the stream lacks rows."""
        if self._failure:
            raise self._failure
        if self._at_odds:
            raise OddRowsError(
                f"Harvest's answer for {self._stream} is not as documented: {self._at_odds} rows cannot become records "
                f"and were left out, the first with the id {self._first}. All others were read. Please report this "
                "message.",
                FailureType.system_error,
            )

    def warn(self) -> None:
        """Tells of what has no key, if there is any."""
        found = [f"{count} {what} (the first: {first})" for what, (count, first) in self._left_out.items()]
        if found:
            logger.warning("%s: Harvest's rows are not as documented: %s", self._stream, "; ".join(found))


def is_in_no_row(field: str, parents: str, name: str) -> HarvestError:
    """The error where no row of a page has the field of which a stream is made."""
    return HarvestError(
        f"Harvest's answer for {parents} is not as documented: no row of a page has {field}, of which {name} is made. "
        "Please report this message.",
        FailureType.system_error,
    )
