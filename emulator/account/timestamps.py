"""Timestamps and days as Harvest writes them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone


def stamp(moment: datetime) -> str:
    """A moment as Harvest writes it: UTC, whole seconds, `Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(written: str) -> datetime:
    """The moment of a timestamp that `stamp` wrote."""
    return datetime.fromisoformat(written.replace("Z", "+00:00"))


def later(written: str, **duration: float) -> str:
    """The timestamp of a moment that much later; the arguments are those of `timedelta`."""
    return stamp(moment_of(written) + timedelta(**duration))


def later_day(day: str, days: int) -> str:
    """The day that many days later."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
