"""The command `personas import`."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid
from rich.text import Text

from personas.contract.create import CreatePersonaItem
from personas.contract.problems import field_errors
from personas.contract.update import UpdatePersonaItem
from personas_tools.http_api import Api, ApiError, on_api
from personas_tools.importer.columns import PERSONA_ID, Columns, Field, Operation, fields_in, name_of, names_of
from personas_tools.importer.csv_file import SEPARATORS, CsvFile, FileError
from personas_tools.importer.journal import Journal
from personas_tools.importer.sending import Batches, send, told

_SHOWN: Final = 20
"""Reasons that a preview lists."""
_SAMPLE_WIDTH: Final = 60
_LISTS: Final = {"bars": "|", "commas": ","}
_MODELS: Final[Mapping[Operation, type[CreatePersonaItem | UpdatePersonaItem]]] = {
    "create": CreatePersonaItem,
    "update": UpdatePersonaItem,
}


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--update", is_flag=True, help="Change the personas that the column persona_id names; create the others.")
@click.option("--dry-run", is_flag=True, help="Show how the file is read and what would be rejected; write nothing.")
@click.option("--skip", "skipped", multiple=True, help="A column to leave out; may be repeated.")
@click.option("--lists", type=click.Choice([*_LISTS]), help="What joins the values of a list.  [default: by the file]")
@on_api
def import_file(api: Api, file: Path, update: bool, dry_run: bool, skipped: tuple[str, ...], lists: str | None) -> None:
    """Create personas from FILE, a CSV with a header, as `export` writes it or made by hand.

    It may be separated by commas, semicolons or tabs. Rows that are rejected go to FILE.rejected.csv with the reasons:
    correct that and import it. An import that was interrupted goes on where it stopped when it is run again.
    """
    try:
        fields = fields_in(api.read("search", {"page_size": 1}))
        group_id = str(api.read("get", {})["group_id"])
        known = {*names_of(fields), PERSONA_ID}
        source = CsvFile(file, lambda header: name_of(header) in known)
        columns = Columns(source, fields, update=update, skipped=skipped, lists=_LISTS.get(lists or ""))
        batches = Batches(source, columns, group_id)
        if dry_run:
            _preview(batches, fields)
        else:
            _import(api, batches)
    except FileError as error:
        raise click.ClickException(str(error)) from error


# ---- Importing -------------------------------------------------------------------------------------------------------


def _import(api: Api, batches: Batches) -> None:
    file, columns = batches.file, batches.columns
    target = hashlib.sha256(f"{api.address}/{batches.group_id}".encode()).hexdigest()[:8]
    path = file.path.with_name(f"{file.path.name}.import-{target}.jsonl")
    rejected_path = file.path.with_name(f"{file.path.stem}.rejected.csv")
    with Journal.opened(path, {"file": file.digest, "reading": columns.reading}) as journal:
        if not journal.resumed and rejected_path.exists():
            journal.close()
            raise FileError(f"{rejected_path} is there from an earlier import. Import it, or move it away first.")
        if journal.resumed:
            click.echo(f"Going on after {len(journal.outcomes)} rows.", err=True)
        try:
            _send(api, batches, journal)
        except (ApiError, KeyboardInterrupt) as error:
            said = f"{error}\n" if isinstance(error, ApiError) else "Interrupted. "
            raise click.ClickException(
                f"{said}{len(journal.outcomes)} of {columns.rows} rows are done. Run the command again to go on."
            ) from error
        reasons = batches.refused | {
            number: outcome.reason for number, outcome in journal.outcomes.items() if outcome.kind == "rejected"
        }
        if reasons:
            rows = (
                columns.in_own_form(row)._replace(number=row.number) for row in file.rows() if row.number in reasons
            )
            file.write_rejected(rejected_path, ((row, reasons[row.number]) for row in rows))
        counts = Counter(outcome.kind for outcome in journal.outcomes.values())
        journal.close()
    click.echo(f"{counts['created']} created, {counts['updated']} updated, {len(reasons)} rejected.")
    if counts["there"]:
        click.echo(f"{counts['there']} more were there already, from an earlier import of this same file.")
    if reasons:
        raise click.ClickException(
            f"{len(reasons)} of {columns.rows} rows were rejected. {rejected_path} has them and the reasons: "
            "correct it and import it."
        )


def _send(api: Api, batches: Batches, journal: Journal) -> None:
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Importing", total=batches.columns.rows)
        api.waiting = lambda seconds, reason: bar.update(task, description=f"Waiting {seconds:.0f} s: {reason}")
        for settled in send(api, batches, journal):
            bar.update(task, description="Importing", advance=settled)


# ---- Looking ---------------------------------------------------------------------------------------------------------


def _preview(batches: Batches, fields: list[Field]) -> None:
    file, columns = batches.file, batches.columns
    counts: Counter[Operation] = Counter()
    calls = 0
    sample: dict[str, object] = {}
    faults: dict[int, str] = {}
    for batch in batches:
        calls += 1
        sample = sample or json.loads(batch.rows[0].item)
        for row in batch.rows:
            if reason := _breach(batch.operation, row.item):
                faults[row.number] = reason
            else:
                counts[batch.operation] += 1
    faults |= batches.refused

    click.echo(f"{file.path}: {columns.rows} rows, separated by {SEPARATORS[file.separator]}s.")
    grid = Grid("COLUMN", "READ AS", "FIRST ROW", box=None, pad_edge=False)
    for key, reading in columns.told():
        shown = json.dumps(sample.get(key), ensure_ascii=False) if key in sample else ""
        grid.add_row(key, reading, Text(shown if len(shown) <= _SAMPLE_WIDTH else f"{shown[: _SAMPLE_WIDTH - 1]}…"))
    screen = Console()
    (screen if screen.is_terminal else Console(width=_SAMPLE_WIDTH * 3)).print(grid)
    missing = [field.key for field in fields if field.key not in dict(columns.told())]
    if missing:
        click.echo(f"Without a column: {', '.join(missing)}.")
    if columns.ids and not columns.update:
        click.echo(
            "The ids in persona_id are not used: new personas get their own. --update changes those that it names."
        )
    click.echo(f"It would create {counts['create']} and update {counts['update']} personas, in {calls} calls.")
    click.echo("Whether the library has the colors, departments and so on that it names shows when they are saved.")
    for number, reason in sorted(faults.items())[:_SHOWN]:
        click.echo(f"row {number}: {reason}")
    if faults:
        raise click.ClickException(f"{len(faults)} of {columns.rows} rows would be rejected.")


def _breach(operation: Operation, item: bytes) -> str:
    """What the contract has against an item, or nothing."""
    try:
        _MODELS[operation].model_validate_json(item)
    except ValidationError as error:
        found = field_errors(error.errors(include_url=False, include_input=False))
        return told((fault.field.split("/")[1:], fault.message) for fault in found)
    return ""
