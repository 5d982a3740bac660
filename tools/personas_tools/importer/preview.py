"""`personas import --dry-run`: how a file is read, and all that the import would do and refuse."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich.text import Text

from personas_tools.importer.columns import PERSONA_ID, Field, Item, Operation
from personas_tools.importer.judging import Judge
from personas_tools.importer.sending import Batches
from personas_tools.screen import grid, show

_SAMPLE_WIDTH: Final = 60


def preview(batches: Batches, judge: Judge, fields: Sequence[Field]) -> int:
    """Print what an import of the file would do; how many rows would be rejected.

    Raises:
        ApiError: a persona that is to be changed cannot be read.
    """
    file, columns = batches.file, batches.columns
    counts: Counter[Operation] = Counter()
    calls = same = 0
    sample: dict[str, object] = {}
    faults: dict[int, list[str]] = {}
    table = grid("ROW", "PERSONA", "FIELD", "NOW", "THEN")
    for batch in batches:
        calls += 1
        sample = sample or json.loads(batch.rows[0].item)
        for row in batch.rows:
            values = json.loads(row.item)
            values.pop("id", None)
            item = Item(batch.operation, values)
            found, changes = judge.verdict(item)
            if found:
                faults[row.number] = found
                continue
            counts[batch.operation] += 1
            same += batch.operation == "update" and not changes
            for change in changes:
                table.add_row(str(row.number), values[PERSONA_ID], change.field, _cut(change.now), _cut(change.then))
    faults |= batches.refused

    click.echo(f"{file.path}: {columns.rows} rows, {file.form}.")
    readings = grid("COLUMN", "READ AS", "FIRST ROW")
    for key, reading in columns.told():
        readings.add_row(key, reading, _cut(sample[key]) if key in sample else "")
    show(readings)
    missing = [field.key for field in fields if field.key not in dict(columns.told())]
    if missing:
        click.echo(f"Without a column: {', '.join(missing)}.")
    click.echo(f"It would create {counts['create']} and update {counts['update']} personas, in {calls} calls.")
    if same:
        click.echo(f"{same} of the updates would change nothing.")
    if table.row_count:
        show(table)
    for line in _listed(faults):
        click.echo(line)
    return len(faults)


def _listed(faults: dict[int, list[str]]) -> Iterator[str]:
    for number, reasons in sorted(faults.items()):
        yield from (f"row {number}: {reason}" for reason in reasons)


def _cut(value: object) -> Text:
    shown = json.dumps(value, ensure_ascii=False)
    return Text(shown if len(shown) <= _SAMPLE_WIDTH else f"{shown[: _SAMPLE_WIDTH - 1]}…")
