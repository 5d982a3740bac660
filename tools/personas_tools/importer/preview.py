"""`personas import --dry-run`: how a file is read, and all that the import would do and refuse."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import click

from personas_tools.grid import Grid
from personas_tools.importer.columns import PERSONA_ID, Field, Item, Operation
from personas_tools.importer.judging import Judge
from personas_tools.importer.sending import Batches
from personas_tools.screen import say

_SAMPLE_WIDTH: Final = 60


@dataclass(slots=True)
class Forecast:
    """The effects of an import: its calls, what it saves by operation, and the faults of rows by their number."""

    calls: int = 0
    counts: Counter[Operation] = field(default_factory=Counter)
    same: int = 0
    """Updates that would change nothing."""
    faults: dict[int, list[str]] = field(default_factory=dict)
    changes: Grid = field(default_factory=lambda: Grid("ROW", "PERSONA", "FIELD", "NOW", "THEN"))
    sample: dict[str, object] = field(default_factory=dict)
    """The values of the first row that would be sent."""


def forecast(batches: Batches, judge: Judge, advance: Callable[[int], None]) -> Forecast:
    """Return what an import of the file would do; ``advance`` is called with the number of rows that are done.

    Raises:
        ApiError: a persona that is to be changed cannot be read.
    """
    found = Forecast()
    for batch in batches:
        found.calls += 1
        for row in batch.rows:
            values = json.loads(row.item)
            values.pop("id", None)
            found.sample = found.sample or values
            faults, changes = judge.verdict(Item(batch.operation, values))
            advance(1)
            if faults:
                found.faults[row.number] = faults
                continue
            found.counts[batch.operation] += 1
            found.same += batch.operation == "update" and not changes
            for change in changes:
                then = "cleared" if change.then in (None, "", []) else _cut(change.then)
                found.changes.add_row(str(row.number), values[PERSONA_ID], change.field, _cut(change.now), then)
    found.faults |= batches.refused
    return found


def tell(found: Forecast, batches: Batches, fields: Sequence[Field]) -> None:
    """Print how the file is read, and what would become of it."""
    file, columns = batches.file, batches.columns
    click.echo(f"{file.path}: {columns.rows} rows, {file.form}.")
    readings = dict(columns.told())
    table = Grid("COLUMN", "READ AS", "FIRST ROW")
    for key, reading in readings.items():
        table.add_row(key, reading, _cut(found.sample[key]) if key in found.sample else "")
    table.show()
    missing = [field.key for field in fields if field.key not in readings]
    if missing:
        click.echo(f"Without a column: {', '.join(missing)}.")
    created, updated = found.counts["create"], found.counts["update"]
    click.echo(f"It would create {created} and update {updated} personas, in {found.calls} calls.")
    if found.same:
        click.echo(f"{found.same} of the updates would change nothing.")
    if found.changes.row_count:
        found.changes.show()
    for number, faults in sorted(found.faults.items()):
        for fault in faults:
            say(f"row {number}: {fault}")


def _cut(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _SAMPLE_WIDTH else f"{shown[: _SAMPLE_WIDTH - 1]}…"
