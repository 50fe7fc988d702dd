"""What the user behind the credentials may not read, and why: told by `check`, before a sync finds it out."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from source_harvest.api.account import HarvestAccount
from source_harvest.errors import HarvestError, schema_errors
from source_harvest.stream_types.base import HarvestStream
from source_harvest.streams import STREAMS


def unreadable_streams(account: HarvestAccount) -> Mapping[str, str]:
    """Stream -> why it cannot be read. Asks for one row of each list that streams are made of.

    Raises `HarvestError` where Harvest rejects the credentials.
    """
    lists = list(dict.fromkeys(source for stream in STREAMS for source in stream.asks_for()))
    pool = ThreadPoolExecutor(account.client.settings.num_workers)
    try:
        refusals = dict(zip(lists, pool.map(partial(_refusal, account), lists), strict=True))
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)  # a SIGTERM waits for no answer
        raise
    pool.shutdown()
    found = {stream: next(filter(None, map(refusals.get, stream.asks_for())), None) for stream in STREAMS}
    return {stream(account).name: refusal for stream, refusal in found.items() if refusal}


def _refusal(account: HarvestAccount, source: type[HarvestStream]) -> str | None:
    stream = source(account)
    try:
        with schema_errors(stream.place):
            stream.probe()
    except HarvestError as error:
        if error.status == 401:
            raise
        return str(error)
    return None
