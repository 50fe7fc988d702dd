"""A small, faithful Harvest: it answers requests, it does not expect them."""

from emulator.harvest import Harvest
from emulator.server.http_server import Server

__all__ = ["Harvest", "Server"]
