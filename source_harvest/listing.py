"""One of Harvest's lists in one sync: requested once, and handed page by page to every stream that is made of it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from airbyte_cdk.sources.types import Record

from source_harvest.cursor import timestamp
from source_harvest.errors import told
from source_harvest.gate import Gate, SyncGivenUpError
from source_harvest.stream import HarvestStream

logger = logging.getLogger("airbyte")


@dataclass
class Reader:
    """A stream that takes part in a sync."""

    stream: HarvestStream
    since: str | None
    """From which change on it is to be read; None: all of it."""
    start: str | None
    """The same for a first read."""


class Listing:
    """The reading of one list.

    One partition of one stream, the `lead`, reads it. No page is kept: each is handed to all readers and forgotten,
    so memory does not depend on how far apart the streams are.
    """

    def __init__(self, source: HarvestStream, readers: list[Reader], gate: Gate) -> None:
        self.lead = readers[0].stream
        self._source = source
        self._readers = readers
        self._gate = gate
        self._over = Event()
        self._error: Exception | None = None
        self._began: datetime | None = None

    def read(self) -> Iterator[Record]:
        """The records that its pages yield at once, of whichever stream.

        Raises `HarvestError`; whoever waits for the list then gets the same.
        """
        try:
            yield from self._read()
        except Exception as error:
            self._error = told(error, self._source.place)
            raise self._error from error
        finally:
            self._over.set()

    def wait(self) -> datetime:
        """Waits until the list has been read; returns when that began, by Harvest's clock.

        Raises what reading it raised, or `SyncGivenUpError`.
        """
        while not self._over.wait(timeout=1):
            self._gate.check()
        if self._began is None or self._error:
            raise self._error or SyncGivenUpError
        return self._began

    def _read(self) -> Iterator[Record]:
        since = self._since()
        for page in self._source.pages({"updated_since": since}):
            if self._began is None:
                self._began = page.moment
                self._distrust_states_from_the_future(page.moment)
                if self._since() != since:
                    yield from self._read()
                    return
            self._gate.check()
            for reader in self._readers:
                for row in reader.stream.take(type(self._source), page.rows, reader.since):
                    yield Record(data=row, stream_name=reader.stream.name)

    def _since(self) -> str | None:
        """The earliest change that any of the readers needs; None where one needs all."""
        needed = [reader.stream.list_since(reader.since) for reader in self._readers]
        return None if None in needed else min(filter(None, needed))

    def _distrust_states_from_the_future(self, began: datetime) -> None:
        """A state later than Harvest's clock would skip what changes until then: such a stream is read anew."""
        now = timestamp(began)
        for reader in self._readers:
            if reader.since and reader.since > now and reader.since != reader.start:
                logger.warning(
                    "The state of %s is from the future, by Harvest's clock it is %s: reading it anew",
                    reader.stream.name,
                    now,
                )
                reader.since = reader.start
