"""Airbyte source connector for Harvest (https://www.getharvest.com), API v2."""

from source_harvest.source import SourceHarvest

__all__ = ["SourceHarvest"]
