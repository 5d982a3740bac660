"""The command `personas export`."""

from pathlib import Path

import click

from personas.contract.export import ExportPersonasResponse
from personas_tools.http_api import Api, on_api


@click.command("export")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to.  [default: here, by its own name]"
)
@click.option("--search", help="Only personas with this in their name or description.")
@click.option("--persona", "persona_id", help="Only this one, by its id.")
@click.option("--scenario", "scenario_ids", multiple=True, help="Only of this scenario, by its id; may be repeated.")
@click.option("--field", "field_ids", multiple=True, help="Only with this field, by its id; may be repeated.")
@click.option("--department", "department_ids", multiple=True, help="Only of this department; may be repeated.")
@on_api
def export_file(
    api: Api,
    output: Path | None,
    search: str | None,
    persona_id: str | None,
    scenario_ids: tuple[str, ...],
    field_ids: tuple[str, ...],
    department_ids: tuple[str, ...],
) -> None:
    """Export personas to a CSV file that `import` reads, and print its name. Without options, all that you may see."""
    wanted = {
        "search": search,
        "persona_id": persona_id,
        "scenario_ids": scenario_ids,
        "field_ids": field_ids,
        "filter_department_ids": department_ids,
    }
    export = ExportPersonasResponse.model_validate(
        api.read("export", {name: value for name, value in wanted.items() if value})
    )
    # The name is the service's, and a service may be anyone's: it names no other folder.
    path = output or Path(Path(export.file_name).name)
    try:
        api.download(export.upload_id, path)
    except OSError as error:
        raise click.ClickException(f"{error.filename or path}: {error.strerror}.") from error
    click.echo(path)
    click.echo(f"{export.row_count} personas.", err=True)
