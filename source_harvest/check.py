"""The check: whether the account can be read, and which streams cannot, before a sync finds it out."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from source_harvest.api.account import HarvestAccount
from source_harvest.errors import HarvestError, redacted, schema_errors
from source_harvest.stream_types.base import HarvestStream

logger = logging.getLogger("airbyte")


def check_account(account: HarvestAccount, streams: Sequence[type[HarvestStream]]) -> None:
    """Logs which account is read, as whom, and which of the streams cannot be read.

    Raises `HarvestError` where Harvest does not know the credentials, or does not let them into the account.
    """
    account_id = account.connect(confirm=True)
    roles = account.user().get("access_roles") or ["user"]
    logger.info("Harvest account %s, as %s", account_id, redacted(" and ".join(roles)))
    for name, reason in unreadable_streams(account, streams).items():
        logger.warning("The stream %s cannot be read. %s", name, reason)
    if "administrator" not in roles:
        logger.warning("This user is no Administrator: the other streams hold only what Harvest shows that user.")


def unreadable_streams(account: HarvestAccount, streams: Sequence[type[HarvestStream]]) -> Mapping[str, str]:
    """Stream -> why it cannot be read. Asks for one row of each list that streams are made of.

    Raises `HarvestError` where Harvest rejects the credentials.
    """
    lists = list(dict.fromkeys(source for stream in streams for source in stream.asks_for()))
    pool = ThreadPoolExecutor(account.client.settings.num_workers)
    try:
        refusals = dict(zip(lists, pool.map(partial(_refusal, account), lists), strict=True))
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)  # a SIGTERM waits for no answer
        raise
    pool.shutdown()
    found = {stream: next(filter(None, map(refusals.get, stream.asks_for())), None) for stream in streams}
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
