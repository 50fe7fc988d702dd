"""Harvest's rate limit: spent as fast as it refills, and waited for when it is used up all the same."""

import logging
import time
from datetime import timedelta
from typing import Any

import requests
from airbyte_cdk.sources.streams.call_rate import (
    APIBudget,
    HttpRequestRegexMatcher,
    LimiterSession,
    MovingWindowCallRatePolicy,
    Rate,
)
from typing_extensions import override

logger = logging.getLogger("airbyte")

# Harvest allows 100 requests in 15 seconds, and for reports 100 in 15 minutes. Requests arrive a little
# closer together or further apart than they were sent, so our window is wider than Harvest's.
REQUESTS = 100
WINDOW = timedelta(seconds=16)
REPORTS_WINDOW = timedelta(minutes=15, seconds=10)

# A 429 without a usable Retry-After is waited out this long: Harvest's whole window.
DEFAULT_WAIT = timedelta(seconds=15)
# During a long wait a line is logged this often, so that nobody takes the sync for dead.
LOG_INTERVAL = timedelta(seconds=60)


def rate_budget() -> APIBudget:
    """The budget that all requests of one sync share."""
    reports = HttpRequestRegexMatcher(url_path_pattern=r"/reports/")
    return APIBudget(
        policies=[
            MovingWindowCallRatePolicy(rates=[Rate(REQUESTS, REPORTS_WINDOW)], matchers=[reports]),
            MovingWindowCallRatePolicy(rates=[Rate(REQUESTS, WINDOW)], matchers=[]),
        ]
    )


class PatientSession(LimiterSession):
    """A session that spends the budget and waits out every 429, as often as Harvest sends one.

    So a 429 is never a failure, and never counts against the tries that a fault has.
    """

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        while (response := super().send(request, **kwargs)).status_code == 429:
            _wait(_retry_after(response), request)
        return response


def _retry_after(response: requests.Response) -> timedelta:
    try:
        return timedelta(seconds=max(0.0, float(response.headers["Retry-After"])))
    except (KeyError, ValueError):
        return DEFAULT_WAIT


def _wait(remaining: timedelta, request: requests.PreparedRequest) -> None:
    while remaining > timedelta(0):
        logger.info("Harvest's rate limit is used up (429): waiting %d s for %s", remaining.seconds, request.path_url)
        nap = min(remaining, LOG_INTERVAL)
        time.sleep(nap.total_seconds())
        remaining -= nap
