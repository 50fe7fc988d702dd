"""Utilisation as bars: what of each person's capacity was worked, and what of that was billable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FULL = 36
"""The cells of a bar that stand for 100 % of the capacity."""
_WIDTH = 44
_PEOPLE = 30

_BILLABLE, _OTHER, _UNUSED, _CAPACITY = ("█", "green"), ("▒", "yellow"), ("·", "dim"), ("┃", "bold")


def utilisation_chart(people: Sequence[Mapping[str, Any]]) -> Table:
    """One bar per person, in the order given, at most 30; at most 80 columns wide.

    Takes `person`, and `billable_percent` and `worked_percent` of the capacity.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), caption=_legend(), caption_justify="left", caption_style="")
    table.add_column("", width=19, no_wrap=True)
    table.add_column(_axis(), width=_WIDTH, no_wrap=True)
    table.add_column("billable", justify="right")
    table.add_column("all", justify="right")
    for row in people[:_PEOPLE]:
        billable, worked = row["billable_percent"], row["worked_percent"]
        table.add_row(row["person"], _bar(billable, worked), f"{billable:.0f} %", f"{worked:.0f} %")
    return table


def _bar(billable: float, worked: float) -> Text:
    bar = Text()
    for cell in range(_WIDTH):
        percent = (cell + 0.5) * 100 / _FULL
        if cell == _FULL:
            bar.append(*_CAPACITY)
        elif percent < billable:
            bar.append(*_BILLABLE)
        elif percent < worked:
            bar.append(*_OTHER)
        elif cell < _FULL:
            bar.append(*_UNUSED)
    return bar


def _axis() -> str:
    half = _FULL // 2
    return f"{'0 %':<{half}}{'50 %':<{half - 3}}100 %"


def _legend() -> Text:
    legend = Text()
    for sign, meaning in (
        (_BILLABLE, "billable"),
        (_OTHER, "not billable"),
        (_UNUSED, "free"),
        (_CAPACITY, "capacity"),
    ):
        legend.append(*sign).append(f" {meaning}   ")
    return legend
