"""Lists of which it is not known in what envelope they come."""

from typing import ClassVar

import requests
from typing_extensions import override

from source_harvest.api.either_envelope import page_in_either
from source_harvest.api.pages import Page
from source_harvest.stream_types.base import HarvestStream


class EitherEnvelope(HarvestStream):
    """A list that comes with links, or with the number of the next page alone. Its list key is the stream's name."""

    may_be_bare: ClassVar[bool] = False
    """Whether a short list may come without either."""

    @property
    @override
    def list_key(self) -> str:
        return self.name

    @override
    def page_of(self, response: requests.Response) -> Page:
        return page_in_either(response, self.list_key, self.identified_by, may_be_bare=self.may_be_bare)
