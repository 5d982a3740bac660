"""The commands that fill a store and let callers in: library, profile, key and token."""

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, TextIO
from uuid import uuid4

import click
from botocore.exceptions import BotoCoreError, ClientError
from pydantic_core import PydanticCustomError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from personas.contract.names import canonical_id
from personas.contract.visible import is_visible
from personas.domain.folding import fold
from personas.domain.permissions import WRITING_ROLES
from personas.domain.profile import KEY_PREFIX, ApiKey, Profile, digest_of, new_key
from personas.domain.text import new_secret, resource_id
from personas.errors import PersonasError, Unreadable
from personas.observability import on_a_terminal
from personas.store.attempts import ConditionFailed
from personas.store.groups import GroupStore
from personas.store.profiles import ProfileStore
from personas.store.resources import ResourceKind
from personas.store.table import Table
from personas_tools import stack as local
from personas_tools.aws_errors import explained
from personas_tools.demo import GROUP
from personas_tools.emulator import EmulatorError
from personas_tools.library import (
    WRITE_ORDER,
    LibraryError,
    Report,
    id_in,
    load,
    name_in,
    parse,
    personas_named,
    stored_catalogue,
)
from personas_tools.mending import remove, unreadable, unreadable_record
from personas_tools.naming import did_you_mean, one_named
from personas_tools.restore import restore
from personas_tools.screen import Grid, say
from personas_tools.target import Target, TargetError, opened

_SHORT_ID: Final = 16
"""Characters of a key's digest that stand for it on screen."""
_ASSIGNED_MAX: Final = 99
"""Personas of a profile: they are counted in one transaction with it."""
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def register(main: click.Group) -> None:
    """Add the commands to the command line."""
    for command in (library, profile, key, token, restore_personas, unreadable_personas):
        main.add_command(command)


class _Id(click.ParamType[str]):
    name = "uuid"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return canonical_id(value)
        except PydanticCustomError:
            self.fail(f"{value!r} is not a UUID", param, ctx)


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9]\d{0,5})([smhdw])", value.strip())
        if found is None:
            self.fail(f"{value!r} is no duration such as 12h, 90d or 6w", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


_SCREEN: Final = Console(stderr=True)


@contextlib.contextmanager
def _plain_errors(wanted: str) -> Iterator[None]:
    """Turn what can go wrong on the way to the store ``wanted`` into one line for the user."""
    try:
        yield
    except LibraryError as error:
        raise click.ClickException("\n".join(["The library was not loaded.", *error.faults])) from error
    except ConditionFailed as error:
        raise click.ClickException("Somebody else keeps writing the same entries. Try again.") from error
    except Unreadable as error:
        raise click.ClickException(
            f"What is stored at {error.key!r} cannot be read: {error.reason}. docs/runbook.md says under"
            " UnreadableItemsAlarm how it is mended."
        ) from error
    except PersonasError as error:
        raise click.ClickException(error.detail) from error
    except (ClientError, BotoCoreError) as error:
        raise click.ClickException(explained(error, wanted)) from error
    except (TargetError, EmulatorError, local.StackError) as error:
        raise click.ClickException(str(error)) from error


def on_store[**P](command: Callable[Concatenate[Target, P], None]) -> Callable[..., None]:
    """Give a command the options that say which store it works on, and hand it that store."""

    @click.option("--stack", "stack_name", help="A deployed stack, by its name.")
    @click.option("--table", "table_name", help="A deployed table, by its name.")
    @click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=local.ROOT / ".local",
        envvar="PERSONAS_LOCAL",
        help="Where the local store is, which is used unless --stack or --table is given.  [default: .local]",
    )
    @wraps(command)
    def wrapped(
        stack_name: str | None, table_name: str | None, folder: Path, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        if stack_name is not None and table_name is not None:
            raise click.UsageError("Give --stack or --table, not both.")
        wanted = f"the stack {stack_name}" if stack_name else f"the table {table_name}" if table_name else "the store"
        with on_a_terminal(), _plain_errors(wanted), opened(stack_name, table_name, folder) as target:
            command(target, *args, **kwargs)

    return wrapped


_of_group = click.option(
    "--group", "group_id", type=_Id(), help="The group, by its id. Locally the demo group unless given."
)


def _group(target: Target, group_id: str | None) -> str:
    if group_id is not None:
        return group_id
    if target.stack is None:
        raise click.UsageError("Say which group of the deployed store is meant: --group UUID.")
    return GROUP


# ---- library ---------------------------------------------------------------------------------------------------------


@click.group()
def library() -> None:
    """What a group's personas are made of: colors, icons, departments, parameters, scenarios and so on."""


@library.command("load")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@_of_group
@on_store
def library_load(target: Target, file: TextIO, group_id: str | None) -> None:
    """Make a group's catalogue what FILE says (YAML or JSON; "-" is standard input).

    Loading again changes nothing. What the file does not mention stays as it is.
    """
    try:
        content = file.read()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is not UTF-8 (byte {error.start}).") from error
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=_SCREEN, transient=True) as bar:
        task = bar.add_task("Loading", total=None)
        report = load(
            target.table,
            _group(target, group_id),
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
@_of_group
@on_store
def library_show(target: Target, group_id: str | None, kind: ResourceKind | None) -> None:
    """List what a group's catalogue holds: kinds, names and ids."""
    catalogue = stored_catalogue(target.table, _group(target, group_id))
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


# ---- profile ---------------------------------------------------------------------------------------------------------


@click.group()
def profile() -> None:
    """Who may call: people and programs, each of one group."""


@profile.command("put")
@_of_group
@click.option("--name", required=True, help="What answers call it; together with the group it makes the id.")
@click.option("--role", required=True, help="superadmin, admin or instructional; any other role only reads.")
@click.option("--read-only", is_flag=True, help="Take a role that is spelt almost like one that writes.")
@click.option("--department", "departments", multiple=True, help="A department, by name or id; may be repeated.")
@click.option("--persona", "personas", multiple=True, help="A persona assigned to it, by name or id; may be repeated.")
@click.option("--id", "profile_id", type=_Id(), help="Its id, such as the subject of its tokens. Else one is made.")
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
    group, name, role = _group(target, group_id), name.strip(), role.strip().lower()
    if not is_visible(name) or not is_visible(role):
        raise click.UsageError("Neither --name nor --role may be blank.")
    if role not in WRITING_ROLES and not read_only and (meant := did_you_mean(role, WRITING_ROLES)):
        raise click.UsageError(f"{role!r} only reads: did you mean {meant!r}? --read-only takes it as it is.")
    profile_id = profile_id or resource_id(group, "profiles", name)
    profiles = ProfileStore(target.table)
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
    # How many profiles a persona has is part of it: the next refresh takes that in.
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


def _profile_id(profiles: ProfileStore, group_id: str, reference: str) -> str:
    """Return the id of the profile of the group that goes by an id or a name."""
    if profile_id := id_in(reference):
        _, known = profiles.read(None, [profile_id])
        if profile_id not in known or known[profile_id].group_id != group_id:
            raise click.ClickException(f"The group has no profile {reference!r}. `personas profile list` tells them.")
        return profile_id
    listed = profiles.profiles_of(group_id)
    found = [each.id for each in listed if fold(each.name) == fold(reference.strip())]
    return one_named("profile", reference, found, lambda: (each.name for each in listed), "`personas profile list`")


@profile.command("list")
@_of_group
@on_store
def profile_list(target: Target, group_id: str | None) -> None:
    """List the group's profiles by name, with their roles and departments."""
    group = _group(target, group_id)
    departments = stored_catalogue(target.table, group).rows["departments"]
    table = Grid("ID", "NAME", "ROLE", "DEPARTMENTS")
    for each in ProfileStore(target.table).profiles_of(group):
        named = sorted(name_in("departments", departments[one]) for one in each.department_ids & departments.keys())
        table.add_row(each.id, each.name, each.role, ", ".join(named))
    if not table.row_count:
        click.echo("The group has no profile. `personas profile put` makes one.", err=True)
        return
    table.show()


# ---- key -------------------------------------------------------------------------------------------------------------


@click.group()
def key() -> None:
    """API keys, by which callers are known."""


@key.command("issue")
@_of_group
@click.option("--profile", "reference", help="Whom it names, by id or name. Without, callers need a token beside it.")
@click.option("--expires", type=_Duration(), help="How long it is valid, such as 12h or 90d.  [default: for ever]")
@click.option("--label", default="", help="What it is for.")
@on_store
def key_issue(
    target: Target, group_id: str | None, reference: str | None, expires: timedelta | None, label: str
) -> None:
    """Make an API key and print it. It is shown this once and never again."""
    group, profiles = _group(target, group_id), ProfileStore(target.table)
    profile_id = None if reference is None else _profile_id(profiles, group, reference)
    moment = target.table.now()
    fresh = new_key(profile_id)
    api_key = ApiKey(
        digest=digest_of(fresh),
        group_id=group,
        profile_id=profile_id,
        label=label,
        created_at=int(moment.timestamp()),
        expires_at=None if expires is None else int((moment + expires).timestamp()),
    )
    profiles.put_key(api_key, str(uuid4()))
    click.echo(fresh)
    click.echo(f"Its id is {api_key.digest[:_SHORT_ID]}. Keep the key itself: it is not shown again.", err=True)


@key.command("list")
@_of_group
@on_store
def key_list(target: Target, group_id: str | None) -> None:
    """Show the group's keys, oldest first, never the keys themselves."""
    group, profiles = _group(target, group_id), ProfileStore(target.table)
    issued = profiles.keys_of(group)
    _, people = profiles.read(None, {each.profile_id for each in issued if each.profile_id})
    moment = target.table.now().timestamp()
    table = Grid("ID", "LABEL", "PROFILE", "CREATED", "EXPIRES", "STATE")
    for each in issued:
        person = people.get(each.profile_id or "")
        state = "revoked" if each.revoked else ("valid" if each.holds(moment) else "expired")
        table.add_row(
            each.digest[:_SHORT_ID],
            each.label,
            f"{person.name} ({person.role})" if person else (each.profile_id or "-"),
            _day(each.created_at),
            "never" if each.expires_at is None else _day(each.expires_at),
            state,
        )
    table.show()


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


@key.command("revoke")
@click.argument("key_id", metavar="ID")
@_of_group
@on_store
def key_revoke(target: Target, key_id: str, group_id: str | None) -> None:
    """Refuse a key from now on, within a minute everywhere. ID is as `key list` shows it, or the key itself."""
    profiles = ProfileStore(target.table)
    digest = digest_of(key_id) if key_id.startswith(f"{KEY_PREFIX}.") else key_id.strip().lower()
    if len(digest) != len(digest_of("")):
        if len(digest) < _SHORT_ID:
            raise click.UsageError(f"An id has at least {_SHORT_ID} characters.")
        matching = [
            each.digest for each in profiles.keys_of(_group(target, group_id)) if each.digest.startswith(digest)
        ]
        if len(matching) != 1:
            raise click.ClickException(f"{len(matching) or 'No'} keys of the group have an id that begins so.")
        (digest,) = matching
    revoked = profiles.revoke(digest, str(uuid4()))
    if revoked is None:
        raise click.ClickException("There is no such key.")
    click.echo(f"Revoked {digest[:_SHORT_ID]}.")


# ---- token -----------------------------------------------------------------------------------------------------------


@click.command()
@click.option("--profile", "reference", required=True, help="For whom, by id or name.")
@click.option("--expires", type=_Duration(), default="1h", show_default=True, help="How long it is valid.")
@_of_group
@on_store
def token(target: Target, reference: str, expires: timedelta, group_id: str | None) -> None:
    """Print a bearer token for a profile, signed by this machine: for the local gateway only."""
    if target.stack is None:
        raise click.UsageError("Tokens of a deployed stack come from its own issuer.")
    profile_id = _profile_id(ProfileStore(target.table), _group(target, group_id), reference)
    click.echo(target.stack.token(profile_id, expires))


# ---- unreadable ------------------------------------------------------------------------------------------------------


@click.command("unreadable")
@click.option("--remove", "persona_ids", type=_Id(), multiple=True, help="Remove this one, by id; may be repeated.")
@click.option(
    "--new-text-ids",
    is_flag=True,
    help="Write the group's record anew. Where its secret is lost, a text that is sent again gets another id.",
)
@_of_group
@on_store
def unreadable_personas(target: Target, persona_ids: tuple[str, ...], new_text_ids: bool, group_id: str | None) -> None:
    """List what of a group cannot be read, its personas and its own record, or remove some of the personas for good.

    `restore` brings one back as it was. What can be read is never removed here, and a secret that can be read is kept.
    """
    group = _group(target, group_id)
    if new_text_ids:
        GroupStore(target.table).found(group, new_secret())
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


# ---- restore ---------------------------------------------------------------------------------------------------------


@click.command("restore")
@click.option("--from-table", "source_name", required=True, help="The restored copy, a table beside the one in use.")
@click.option("--persona", "persona_ids", type=_Id(), multiple=True, help="Only this one, by id; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be saved, and save nothing.")
@_of_group
@on_store
def restore_personas(
    target: Target, source_name: str, persona_ids: tuple[str, ...], dry_run: bool, group_id: str | None
) -> None:
    """Save a group's personas as a copy of the table has them that was restored to an earlier moment.

    Those that are gone come back, those that were changed get a new version with what they held then. What was created
    since stays, as do drafts and the library.
    """
    report = restore(
        target.beside(source_name),
        target.table,
        _group(target, group_id),
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
