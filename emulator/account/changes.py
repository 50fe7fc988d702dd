"""Adds, updates and deletes rows as Harvest does, with the given moment (`now`) as `updated_at`."""

from __future__ import annotations

from typing import Any

from emulator.account import derived_values, effects, removals
from emulator.account.rows import new_row, set_values
from emulator.account.state import CHILDREN, Row, State

PARENT_KEYS = {table: f"{parent.removesuffix('s')}_id" for table, parent in CHILDREN.items()}


def add(state: State, now: str, table: str, values: dict[str, Any]) -> Row:
    """Create a row. A child names its parent: `invoice_id=...`."""
    values = {"created_at": now, "updated_at": values.get("created_at", now), **values}
    parent_id = values.pop(PARENT_KEYS[table]) if table in CHILDREN else None
    if parent_id is not None and parent_id not in state.tables[CHILDREN[table]].rows:
        raise KeyError(f"no {CHILDREN[table]} with id {parent_id}")
    before = derived_values.BEFORE_ADD.get(table)
    row = new_row(state, table, before(state, values) if before else values)
    state.put(table, row, parent_id)
    after = effects.AFTER_ADD.get(table)
    if after:
        after(state, row, parent_id, values)
    return row


def update(state: State, now: str, table: str, row_id: int, values: dict[str, Any]) -> None:
    """Set fields of a row; its `updated_at` becomes `now` unless it is one of them."""
    row = state.row(table, row_id)
    before = derived_values.BEFORE_UPDATE.get(table)
    set_values(state, table, row, before(state, row, values) if before else values)
    if "updated_at" not in values:
        row["updated_at"] = now
    state.changed(table, row)
    after = effects.AFTER_UPDATE.get(table)
    if after:
        after(state, row, values, now)


def delete(state: State, now: str, table: str, row_id: int) -> None:
    """Delete a row. Raises `ValueError` with Harvest's words if Harvest refuses."""
    row = state.row(table, row_id)
    before = removals.BEFORE_DELETE.get(table)
    if before:
        before(state, row)
    parent_id = state.parents.get(table, {}).get(row_id)
    state.drop(table, row_id)
    after = removals.AFTER_DELETE.get(table)
    if after:
        after(state, row, parent_id, now)
