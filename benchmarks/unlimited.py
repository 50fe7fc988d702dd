"""`python -m benchmarks.unlimited`: the connector's command line, spending requests as if Harvest had no limit.

It has no setting for that, and should have none. Only for runs that measure the connector itself.
"""

from __future__ import annotations

from source_harvest.api import rate_limit
from source_harvest.run import run

if __name__ == "__main__":
    rate_limit.REQUESTS = 1_000_000
    run()
