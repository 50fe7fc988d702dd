"""Rows that are not as documented: each is left out and reported, and all other rows are read."""

from __future__ import annotations

import logging
from threading import Lock

from airbyte_cdk.models import FailureType

from source_harvest.api.timestamps import Row
from source_harvest.errors import HarvestError, not_as_documented, redacted

logger = logging.getLogger("airbyte")

ODD = "rows cannot become records and were left out"


class OddRowsError(HarvestError):
    """Rows of a stream were left out; all others were read."""


class OddRows:
    """The odd rows of one stream. Threads may share it.

    Rows without a key are counted and reported in one warning. A row that has a key but is otherwise odd is missing
    from the table, so the stream fails once its other rows are read.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._lock = Lock()
        self._left_out: dict[str, tuple[int, str]] = {}
        self._failure: HarvestError | None = None

    def leave_out(self, what: str, where: str) -> None:
        """Counts one more of `what`, such as "rows without a key"; `where` names the row or its parent."""
        with self._lock:
            count, first = self._left_out.get(what, (0, where))
            self._left_out[what] = count + 1, first

    def leave_out_row(self, row: Row, error: Exception) -> None:
        """Counts one more row that gives no record."""
        self.leave_out(ODD, f"{redacted(str(row.get('id')))}: {redacted(str(error))}")

    def fail(self, error: HarvestError) -> None:
        """Lets the stream fail with this error after its rows are read, unless it fails with an earlier one."""
        with self._lock:
            self._failure = self._failure or error

    @property
    def has_failed(self) -> bool:
        """Whether rows are missing."""
        return self._failure is not None or ODD in self._left_out

    def check(self) -> None:
        """Raises `HarvestError` if rows are missing."""
        if self._failure:
            raise self._failure
        if ODD in self._left_out:
            count, first = self._left_out[ODD]
            raise OddRowsError(
                f"Harvest's answer for {self._stream} is not as documented: {count} {ODD}, the first with the id "
                f"{first}. All others were read. Please report this message.",
                FailureType.system_error,
            )

    def warn(self) -> None:
        """Logs one warning about the rows without a key, if any."""
        left_out = [(what, *counted) for what, counted in self._left_out.items() if what != ODD]
        if found := [f"{count} {what} (the first: {first})" for what, count, first in left_out]:
            logger.warning("%s: Harvest's rows are not as documented: %s", self._stream, "; ".join(found))


def is_in_no_row(field: str, parents: str, name: str) -> HarvestError:
    """The error for a page on which no row has the field that a stream is made of."""
    return not_as_documented(parents, f"no row of a page has {field}, of which {name} is made")
