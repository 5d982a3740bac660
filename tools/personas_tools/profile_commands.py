"""The commands `personas profile put` and `list`: who may call."""

from typing import Final
from uuid import uuid4

import click

from personas.contract.visible import is_visible
from personas.domain.folding import fold
from personas.domain.permissions import WRITING_ROLES
from personas.domain.profile import Profile
from personas.domain.text import resource_id
from personas.store.groups import GroupStore
from personas.store.table import Table
from personas_tools.grid import Grid
from personas_tools.library_catalogue import name_in, stored_catalogue
from personas_tools.naming import did_you_mean, one_named
from personas_tools.profile_store import ProfileWriter
from personas_tools.scenario_casts import personas_named
from personas_tools.store_options import Uuid, group_of, of_group, on_store
from personas_tools.target import Target

_ASSIGNED_MAX: Final = 99
"""Personas of a profile: they are counted in one transaction with it."""


@click.group()
def profile() -> None:
    """Store and list profiles, the people and programs that may call, each of one group."""


@profile.command("put")
@of_group
@click.option("--name", required=True, help="The name in answers; together with the group it makes the id.")
@click.option("--role", required=True, help="superadmin, admin or instructional; any other role only reads.")
@click.option("--read-only", is_flag=True, help="Take a role that is spelt almost like one that writes.")
@click.option("--department", "departments", multiple=True, help="A department, by name or id; may be repeated.")
@click.option("--persona", "personas", multiple=True, help="A persona assigned to it, by name or id; may be repeated.")
@click.option("--id", "profile_id", type=Uuid(), help="Its id, such as the subject of its tokens. Else one is made.")
@on_store
def profile_put(
    target: Target,
    group_id: str | None,
    name: str,
    role: str,
    read_only: bool,
    departments: tuple[str, ...],
    personas: tuple[str, ...],
    profile_id: str | None,
) -> None:
    """Create a profile, or replace it with all that belongs to it, and print its id.

    A change of role or departments takes effect within a minute.
    """
    group, name, role = group_of(target, group_id), name.strip(), role.strip().lower()
    if not is_visible(name) or not is_visible(role):
        raise click.UsageError("Neither --name nor --role may be blank.")
    if role not in WRITING_ROLES and not read_only and (meant := did_you_mean(role, WRITING_ROLES)):
        raise click.UsageError(f"{role!r} only reads: did you mean {meant!r}? --read-only takes it as it is.")
    profile_id = profile_id or resource_id(group, "profiles", name)
    profiles = ProfileWriter(target.table)
    _, existing = profiles.read(None, [profile_id])
    if profile_id in existing and existing[profile_id].group_id != group:
        raise click.ClickException(f"The profile {profile_id} belongs to another group.")
    catalogue = stored_catalogue(target.table, group)
    try:
        department_ids = frozenset(catalogue.find("departments", each) for each in departments)
    except LookupError as error:
        raise click.ClickException(f"{error}.") from error
    assigned = _personas(target.table, group, personas)
    new = Profile(id=profile_id, group_id=group, name=name, role=role, department_ids=department_ids)
    # A persona's row counts its profiles: the next refresh takes the new count in.
    GroupStore(target.table).mark(group)
    profiles.put_profile(new, assigned, str(uuid4()))
    click.echo(profile_id)


def _personas(table: Table, group_id: str, references: tuple[str, ...]) -> list[str]:
    if len(references) > _ASSIGNED_MAX:
        raise click.UsageError(f"At most {_ASSIGNED_MAX} personas can be assigned to a profile.")
    named = personas_named(table, group_id) if references else {}
    found: list[str] = []
    for reference in references:
        ids = named.get(reference.lower()) or named.get(fold(reference.strip()), [])
        found.append(one_named("persona", reference, ids, named.keys, "`personas list`"))
    return found


@profile.command("list")
@of_group
@on_store
def profile_list(target: Target, group_id: str | None) -> None:
    """List the group's profiles by name, with their roles and departments."""
    group = group_of(target, group_id)
    departments = stored_catalogue(target.table, group).rows["departments"]
    table = Grid("ID", "NAME", "ROLE", "DEPARTMENTS")
    for each in ProfileWriter(target.table).profiles_of(group):
        named = sorted(name_in("departments", departments[one]) for one in each.department_ids & departments.keys())
        table.add_row(each.id, each.name, each.role, ", ".join(named))
    if not table.row_count:
        click.echo("The group has no profile. `personas profile put` makes one.", err=True)
        return
    table.show()
