"""The commands `personas unreadable` and `restore`: the repair of what is stored."""

from collections.abc import Sequence

import click

from personas.domain.text import new_secret
from personas.store.groups import GroupStore
from personas_tools.mending import remove, unreadable, unreadable_record
from personas_tools.restore import restore
from personas_tools.screen import OneOf, say
from personas_tools.store_options import Uuid, group_of, of_group, on_store
from personas_tools.target import Target
from personas_tools.version_commands import restore_version


def _restoring(arguments: Sequence[str]) -> click.Command:
    """Return what `personas restore` is to do: it takes the personas of a table, or one version of a persona.

    An option that only the former has tells, for "--from-table" may be what was forgotten.
    """
    of_version, of_table = (
        {name for parameter in command.params for name in parameter.opts}
        for command in (restore_version, restore_personas)
    )
    takes_table = any(each.partition("=")[0] in of_table - of_version for each in arguments)
    return restore_personas if takes_table else restore_version


@click.command("unreadable")
@click.option("--remove", "persona_ids", type=Uuid(), multiple=True, help="Remove this one, by id; may be repeated.")
@click.option(
    "--new-text-ids",
    is_flag=True,
    help="Write the group's record again. If its secret is lost, a text that is sent again gets another id.",
)
@of_group
@on_store
def unreadable_personas(target: Target, persona_ids: tuple[str, ...], new_text_ids: bool, group_id: str | None) -> None:
    """List the unreadable items of a group, its personas and its own record, or remove some of the personas for good.

    `restore` brings one back as it was. A persona that can be read is never removed here, and such a secret is kept.
    """
    group = group_of(target, group_id)
    if new_text_ids:
        GroupStore(target.table).ensure_secret(group, new_secret())
    for persona_id in persona_ids:
        try:
            remove(target.table, group, persona_id)
        except LookupError as error:
            raise click.ClickException(f"{error}.") from error
        click.echo(f"  - {persona_id}")
    if new_text_ids or persona_ids:
        return
    if record := unreadable_record(target.table, group):
        click.echo(f"  ? group: {record.reason}")
    for persona_id, found in unreadable(target.table, group):
        click.echo(f"  ? {persona_id}: {found.reason}")


@click.command("restore")
@click.option("--from-table", "source_name", required=True, help="The restored copy, a table beside the one in use.")
@click.option("--persona", "persona_ids", type=Uuid(), multiple=True, help="Only this one, by id; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be saved, and save nothing.")
@of_group
@on_store
def restore_personas(
    target: Target, source_name: str, persona_ids: tuple[str, ...], dry_run: bool, group_id: str | None
) -> None:
    """Save a group's personas as they are in a copy of the table that was restored to an earlier moment.

    Those that are gone come back, those that were changed get a new version with what they held then. Those that were
    created since stay, as do drafts and the library.
    """
    report = restore(
        target.beside(source_name),
        target.table,
        group_of(target, group_id),
        (lambda persona_id: persona_id in persona_ids) if persona_ids else (lambda _id: True),
        dry_run=dry_run,
    )
    for word, names in (("+", report.returned), ("~", report.reset)):
        for name in names:
            say(f"  {word} {name}")
    for place in report.unreadable:
        click.echo(f"  ? {place}")
    verb = "would come" if dry_run else "came"
    click.echo(f"{len(report.returned)} {verb} back, {len(report.reset)} reset, {report.unchanged} unchanged.")
    if report.unreadable:
        click.echo(f"{len(report.unreadable)} cannot be read in {source_name} and stay as they are.")


restore_either = OneOf(
    "restore",
    [restore_version, restore_personas],
    _restoring,
    "Bring back a version of a persona, or all that a restored table has.",
)
