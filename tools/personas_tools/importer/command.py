"""The command `personas import`."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from personas.contract.get import GetPersonaResponse
from personas_tools.http_api import Api, ApiError, on_api
from personas_tools.importer.columns import PERSONA_ID, VERSION, Columns, fields_in, name_of, names_of
from personas_tools.importer.csv_file import CsvFile
from personas_tools.importer.journal import Journal
from personas_tools.importer.judging import Judge
from personas_tools.importer.offered import Offered
from personas_tools.importer.preview import forecast, tell
from personas_tools.importer.rows import FileError, RowFile
from personas_tools.importer.sending import Batches, send
from personas_tools.screen import confirm, printable

_LISTS: Final = {"bars": "|", "commas": ","}
_ZIP: Final = b"PK\x03\x04"
"""The first bytes of a workbook."""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--update", is_flag=True, help="Change the personas that the column persona_id names; create the others.")
@click.option("--dry-run", is_flag=True, help="Show all that would be changed and rejected; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before making copies of what was exported.")
@click.option("--skip", "skipped", multiple=True, help="A column to leave out; may be repeated.")
@click.option("--lists", type=click.Choice([*_LISTS]), help="The separator of a list's values.  [default: by the file]")
@on_api
def import_file(
    api: Api, file: Path, update: bool, dry_run: bool, yes: bool, skipped: tuple[str, ...], lists: str | None
) -> None:
    """Create personas from FILE, a CSV or an .xlsx with a header, as `export` writes it or made by hand.

    A CSV may be separated by commas, semicolons or tabs; of an .xlsx the first sheet is read. Rows that are rejected go
    to FILE.rejected.csv or .xlsx with the reasons: correct that and import it. An import that was interrupted goes on
    where it stopped when it is run again.
    """
    try:
        fields = fields_in(api.read("search", {"page_size": 1}))
        form = GetPersonaResponse.model_validate(api.read("get", {}))
        known = {*names_of(fields), PERSONA_ID, VERSION}
        source = opened(file, lambda header: name_of(header) in known)
        labels = [each.label for each in (form.flags and form.flags.resources) or ()]
        columns = Columns(source, fields, update=update, skipped=skipped, lists=_LISTS.get(lists or ""), yes=labels)
        judge = Judge(api, Offered(api, form), form)
        judged = (lambda item: judge.verdict(item)[0]) if dry_run else judge.faults
        batches = Batches(source, columns, form.group_id or "", judged)
        rejected_path = file.with_name(f"{file.stem}.rejected{source.suffix}")
        if update and columns.unguarded:
            click.echo(_unguarded(file, columns), err=True)
        if dry_run:
            if columns.ids and not update:
                click.echo(f"{_copies(file, columns)} --update changes them instead.", err=True)
            if rejected_path.exists():
                click.echo(_in_the_way(rejected_path), err=True)
            with _progress(api, "Looking", columns.rows) as advance:
                found = forecast(batches, judge, advance)
            tell(found, batches, fields)
            if found.faults:
                raise click.ClickException(f"{len(found.faults)} of {columns.rows} rows would be rejected.")
            return
        if columns.ids and not update:
            question = f"{_copies(file, columns)} Make them?"
            confirm(question, yes=yes, otherwise="Give --update to change them instead, or --yes.")
        _import(api, batches, rejected_path)
    except FileError as error:
        raise click.ClickException(str(error)) from error


def opened(file: Path, known: Callable[[str], bool]) -> RowFile:
    """Return the file as what its first bytes say it is: a workbook, or else a CSV.

    Raises:
        FileError: it cannot be read, or no name in its header is known.
    """
    try:
        with file.open("rb") as raw:
            begin = raw.read(len(_ZIP))
    except OSError as error:
        raise FileError(f"{file}: {error.strerror}.") from error
    if begin != _ZIP:
        return CsvFile(file, known)
    from personas_tools.importer.xlsx_file import XlsxFile  # noqa: PLC0415  # openpyxl takes 300 ms, for workbooks alone

    return XlsxFile(file, known)


def _unguarded(file: Path, columns: Columns) -> str:
    lacking = f"{columns.unguarded} of the rows of {file} {'has' if columns.unguarded == 1 else 'have'} no {VERSION}"
    if columns.version_at is None:
        lacking = f"{file} has no column {VERSION}"
    return f"{lacking}: nothing guards what others have changed in these personas since."


def _copies(file: Path, columns: Columns) -> str:
    return f"{file} has ids in {PERSONA_ID}, as an export has: it makes copies of {columns.ids} personas."


def _in_the_way(rejected_path: Path) -> str:
    return f"{rejected_path} is there from an earlier import. Import it, or move it away first."


# ---- Importing -------------------------------------------------------------------------------------------------------


def _import(api: Api, batches: Batches, rejected_path: Path) -> None:
    file, columns = batches.file, batches.columns
    target = hashlib.sha256(f"{api.address}/{batches.group_id}".encode()).hexdigest()[:8]
    path = file.path.with_name(f"{file.path.name}.import-{target}.jsonl")
    with Journal.opened(path, {"file": file.digest, "reading": columns.reading}) as journal:
        if not journal.resumed and rejected_path.exists():
            journal.close()
            raise FileError(_in_the_way(rejected_path))
        if journal.resumed:
            click.echo(f"Going on after {len(journal.outcomes)} rows.", err=True)
        try:
            _send(api, batches, journal)
        except (ApiError, KeyboardInterrupt) as error:
            said = f"{error}\n" if isinstance(error, ApiError) else "Interrupted. "
            raise click.ClickException(
                f"{said}{len(journal.outcomes)} of {columns.rows} rows are done. Run the command again to go on."
            ) from error
        reasons = {number: "; ".join(faults) for number, faults in batches.refused.items()} | {
            number: outcome.reason for number, outcome in journal.outcomes.items() if outcome.kind == "rejected"
        }
        if reasons:
            rejected = ((columns.in_own_form(row), reasons[row.number]) for row in file.rows() if row.number in reasons)
            file.write_rejected(rejected_path, rejected)
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
    with _progress(api, "Importing", batches.columns.rows) as advance:
        for settled in send(api, batches, journal):
            advance(settled)


@contextmanager
def _progress(api: Api, doing: str, rows: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on the terminal, and give a function to call with the number of further rows that are done."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=rows)
        api.waiting = lambda seconds, reason: bar.update(
            task, description=f"Waiting {seconds:.0f} s: {printable(reason)}"
        )
        yield lambda done: bar.update(task, description=doing, advance=done)
