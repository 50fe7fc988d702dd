"""Airbyte source connector for Harvest (https://www.getharvest.com), API v2."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from source_harvest.source import SourceHarvest

__all__ = ["SourceHarvest"]


def __getattr__(name: str) -> Any:
    # Importing the connector takes a second. The command line must handle signals before that.
    if name == "SourceHarvest":
        from source_harvest.source import SourceHarvest  # noqa: PLC0415

        return SourceHarvest
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
