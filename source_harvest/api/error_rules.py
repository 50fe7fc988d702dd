"""What the connector does for each status of a response, and what the error advises."""

from typing import NamedTuple

import requests
from airbyte_cdk.models import FailureType


class Rule(NamedTuple):
    """What follows from a failed response. The error ends with `advice`, after what Harvest said."""

    failure_type: FailureType
    """Where it is transient, the request is tried again."""
    advice: str


# What the user can change, by status.
ADVICE = {
    401: "Check the credentials and the account ID in the source's settings.",
    403: "The Harvest user behind these credentials may not read {name}, which is open to {readable_by}. "
    "Give that user the role in Harvest, use another user's credentials, or deselect the stream.",
    402: "Harvest's plan for the account may not include {name}, or a payment is due. Ask the account's owner.",
    404: "Either the account ID in the source's settings is not one that these credentials reach, "
    "or the module that holds {name} is switched off in Harvest.",
}
REDIRECTED = (
    "The connector follows no redirect with your credentials. Check api_url and identity_url in the source's settings."
)
REFUSED = Rule(
    FailureType.system_error,
    "Harvest rejected the request as invalid, which is a bug of the connector. Please report this message.",
)
RETRIED = Rule(
    FailureType.transient_error,
    "This is a temporary fault at Harvest or in the network; the next sync tries again.",
)
NOT_ANSWERED = Rule(
    FailureType.transient_error,
    "The next sync tries again. If it fails too, check that api.harvestapp.com and id.getharvest.com can be reached "
    "from where the connector runs (DNS, firewall, proxy), and look at Harvest's status page.",
)
# Raised if no complete response came; other exceptions are about the response.
UNANSWERED = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def rule_for(status: int) -> Rule:
    """The rule for the status of a failed response."""
    if status >= 500 or status in {408, 429}:
        return RETRIED
    advice = REDIRECTED if 300 <= status < 400 else ADVICE.get(status)
    return Rule(FailureType.config_error, advice) if advice else REFUSED
