"""The commands `personas library load` and `show`: what a group's personas are made of."""

from collections.abc import Iterator
from typing import TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from personas_tools.grid import Grid
from personas_tools.library import Report, load
from personas_tools.library_catalogue import name_in, stored_catalogue
from personas_tools.library_file import parse
from personas_tools.library_rows import WRITE_ORDER
from personas_tools.library_store import ResourceKind
from personas_tools.screen import say
from personas_tools.store_options import group_of, of_group, on_store
from personas_tools.target import Target


@click.group()
def library() -> None:
    """Load and show what a group's personas are made of: colors, icons, departments, parameters and so on."""


@library.command("load")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@of_group
@on_store
def library_load(target: Target, file: TextIO, group_id: str | None) -> None:
    """Bring a group's catalogue up to FILE (YAML or JSON; "-" is standard input).

    Entries that the file lacks stay as they are; "active: false" withdraws one. Loading again changes nothing.
    """
    try:
        content = file.read()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is not UTF-8 (byte {error.start}).") from error
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Loading", total=None)
        report = load(
            target.table,
            group_of(target, group_id),
            parse(content),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for line in _told(report):
        say(line)
    for persona_id in report.unreadable:
        click.secho(f"Not cast: the persona {persona_id} cannot be read.", fg="yellow", err=True)
    for missing in report.missing:
        click.secho(f"Not cast: {missing}. Load the file again once there is one.", fg="yellow", err=True)


@library.command("show")
@click.option("--kind", type=click.Choice(WRITE_ORDER), help="Only entries of this kind.")
@of_group
@on_store
def library_show(target: Target, group_id: str | None, kind: ResourceKind | None) -> None:
    """List what a group's catalogue holds: kinds, names and ids."""
    catalogue = stored_catalogue(target.table, group_of(target, group_id))
    table = Grid("KIND", "NAME", "ID", "ACTIVE")
    for shown in (kind,) if kind else WRITE_ORDER:
        entries = catalogue.rows[shown]
        for name, entry_id in sorted((name_in(shown, row), entry_id) for entry_id, row in entries.items()):
            active = entries[entry_id].get("active") is not False
            table.add_row(shown, name, entry_id, "yes" if active else "no")
    if not table.row_count:
        click.echo("The catalogue has no such entry. `personas library load` fills it.", err=True)
        return
    table.show()


def _told(report: Report) -> Iterator[str]:
    kinds = dict.fromkeys([*report.added, *report.changed, *report.unchanged])
    for kind in kinds:
        added, changed = report.added.get(kind, []), report.changed.get(kind, [])
        counts = f"{len(added)} added, {len(changed)} changed, {report.unchanged[kind]} unchanged"
        yield f"{'settings' if kind == 'group' else kind}: {counts}"
        for word, names in (("+", added), ("~", changed)):
            yield from (f"  {word} {name}" for name in names)
    if report.recast:
        yield f"personas: {len(report.recast)} with other scenarios than before"
        yield from (f"  ~ {name}" for name in report.recast)
    if report.is_empty:
        yield "Nothing had to be changed."
