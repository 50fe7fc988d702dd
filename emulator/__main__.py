"""`python -m emulator`: serve a made-up account on this machine, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
import threading

from emulator.account.clock import TickingClock
from emulator.harvest import Harvest
from emulator.sample.builder import SIZES
from emulator.server.http_server import Server

CONTAINERS = (
    "It prints a config that can be pasted into config.json. A container reaches it over this machine's own network: "
    "docker run --network host …"
)


def main(arguments: list[str] | None = None) -> None:
    """Print a config that reads the account, in one line of JSON, and serve it until the signal to stop."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__, epilog=CONTAINERS)
    parser.add_argument("--size", choices=list(SIZES), default="s", help="how many rows the account has (default: s)")
    parser.add_argument("--seed", type=int, default=0, help="accounts of different seeds differ")
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free port")
    parser.add_argument("--days", type=int, default=0, help="working days since the account was made")
    parser.add_argument("--limits", action="store_true", help="enforce Harvest's rate limits")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds before each answer")
    options = parser.parse_args(arguments)
    if options.days < 0 or options.latency < 0 or not 0 <= options.port < 65536:
        parser.error("--days and --latency are not negative, --port is between 0 and 65535")

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gc.disable()
    harvest = Harvest(options.size, options.seed)
    harvest.work(options.days)
    gc.freeze()  # the account lives as long as the process, so there is nothing to collect
    gc.enable()
    harvest.clock = TickingClock(harvest.clock.now())
    harvest.limits = options.limits
    harvest.latency = options.latency / 1000
    try:
        with Server(harvest, options.port) as server:
            credentials = {"auth_type": "Token", "api_token": harvest.token}
            access = {"credentials": credentials, "account_id": str(harvest.account_id)}
            where = {"api_url": server.api_url, "identity_url": server.identity_url}
            print(json.dumps(access | where), flush=True)
            stop.wait()
    except OSError as error:
        sys.exit(f"cannot listen on port {options.port}: {error.strerror}")


if __name__ == "__main__":
    main()
