"""The command `personas export`."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from personas.contract.export import ExportPersonasResponse
from personas.domain.exporting import HEADER
from personas_tools.conditions import Conditions, on_conditions
from personas_tools.http_api import Api, on_api
from personas_tools.importer.csv_file import ROW_MAX
from personas_tools.naming import known, persona_named
from personas_tools.screen import confirm, printable


@click.command("export")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to; a name in .xlsx makes a workbook.  [default: here, by its own name]",
)
@click.option("--persona", help="Only this one, by name or id.")
@click.option("--yes", is_flag=True, help="Do not ask before a file is written over.")
@on_api
@on_conditions
def export_file(api: Api, conditions: Conditions, output: Path | None, persona: str | None, yes: bool) -> None:
    """Export personas to a file that `import` reads, and print its name. Without options, all that you may see."""
    if output and output.exists():
        confirm(f"{output} is there already. Write over it?", yes=yes, otherwise="Say so with --yes.")
    persona_id = persona_named(api, persona) if persona else None
    with known(persona_id):
        answer = api.read("export", {**conditions, "persona_id": persona_id})
    export = ExportPersonasResponse.model_validate(answer)
    # The name is the service's, and a service may be anyone's: it names no other folder and says nothing to a terminal.
    path = output or Path(printable(Path(export.file_name).name))
    if not output and path.exists():
        confirm(f"{path} is there already. Write over it?", yes=yes, otherwise="Say so with --yes.")
    try:
        if path.suffix.casefold() == ".xlsx":
            _download_workbook(api, export.upload_id, path)
        else:
            api.download(export.upload_id, path)
    except OSError as error:
        raise click.ClickException(f"{error.filename or path}: {error.strerror}.") from error
    click.echo(path)
    click.echo(f"{export.row_count} personas.", err=True)


def _download_workbook(api: Api, upload_id: str, path: Path) -> None:
    """Write the file of an export as a workbook: the same cells, each of them a text.

    Raises:
        ClickException: a cell or the sheet cannot hold what is exported.
        OSError: it cannot be written.
    """
    from personas_tools import workbook  # noqa: PLC0415  # openpyxl takes 300 ms, which no other command need wait

    with TemporaryDirectory(prefix="personas-") as folder:
        file = Path(folder) / "export.csv"
        api.download(upload_id, file)
        csv.field_size_limit(ROW_MAX)
        with file.open(encoding="utf-8-sig", newline="") as text:
            try:
                workbook.write(path, csv.reader(text, strict=True))
            except workbook.CellTooLong as error:
                raise click.ClickException(
                    f"No workbook was written: {HEADER[error.position]} of persona {error.row[0]} has {error}. "
                    "Export to a name in .csv."
                ) from error
            except workbook.TooManyRows as error:
                raise click.ClickException(f"No workbook was written: {error}. Export to a name in .csv.") from error
