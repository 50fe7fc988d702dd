"""The check command: whether the account can be read, and which streams cannot."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from source_harvest.api.account import HarvestAccount
from source_harvest.errors import HarvestError, redacted, schema_errors
from source_harvest.stream_types.base import HarvestStream

logger = logging.getLogger("airbyte")


def check_account(account: HarvestAccount, streams: Sequence[type[HarvestStream]]) -> None:
    """Logs the account, the user's roles, and which of the streams cannot be read.

    Raises `HarvestError` if Harvest rejects the credentials, or they do not reach the account.
    """
    account_id = account.connect(confirm=True)
    roles = account.user().get("access_roles") or ["user"]
    logger.info("Harvest account %s, as %s", account_id, redacted(" and ".join(roles)))
    for name, reason in unreadable_streams(account, streams).items():
        logger.warning("The stream %s cannot be read. %s", name, reason)
    if "administrator" not in roles:
        logger.warning("This user is not an Administrator: the other streams hold only what Harvest shows this user.")


def unreadable_streams(account: HarvestAccount, streams: Sequence[type[HarvestStream]]) -> Mapping[str, str]:
    """Stream name -> why it cannot be read. Requests one row of each list that the streams are made of.

    Raises `HarvestError` if Harvest rejects the credentials.
    """
    lists = list(dict.fromkeys(source for stream in streams for source in stream.asks_for()))
    with ThreadPoolExecutor(account.client.settings.num_workers) as pool:
        refusals = dict(zip(lists, pool.map(partial(_refusal, account), lists), strict=True))
    found = {stream: next(filter(None, map(refusals.get, stream.asks_for())), None) for stream in streams}
    return {stream.name: refusal for stream, refusal in found.items() if refusal}


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
