"""The commands `personas key` and `token`: the credentials by which callers are known."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import click

from personas.domain.folding import fold
from personas.domain.profile import ApiKey
from personas.identity import KEY_PREFIX, digest_of, is_valid, new_key
from personas_tools.grid import Grid
from personas_tools.library_catalogue import id_in
from personas_tools.naming import one_named
from personas_tools.profile_store import ProfileWriter
from personas_tools.store_options import group_of, of_group, on_store
from personas_tools.target import Target

_SHORT_ID: Final = 16
"""Characters of a key's digest that stand for it on screen."""
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9]\d{0,5})([smhdw])", value.strip())
        if found is None:
            self.fail(f"{value!r} is no duration such as 12h, 90d or 6w", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group()
def key() -> None:
    """Issue, list and revoke API keys, by which callers are known."""


@key.command("issue")
@of_group
@click.option("--profile", "reference", help="Whom it names, by id or name. Without, callers need a token beside it.")
@click.option("--expires", type=_Duration(), help="How long it is valid, such as 12h or 90d.  [default: for ever]")
@click.option("--label", default="", help="The purpose of the key.")
@on_store
def key_issue(
    target: Target, group_id: str | None, reference: str | None, expires: timedelta | None, label: str
) -> None:
    """Make an API key and print it. It is shown this once and never again."""
    group, profiles = group_of(target, group_id), ProfileWriter(target.table)
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
@of_group
@on_store
def key_list(target: Target, group_id: str | None) -> None:
    """Show the group's keys, oldest first, never the keys themselves."""
    group, profiles = group_of(target, group_id), ProfileWriter(target.table)
    issued = profiles.keys_of(group)
    _, people = profiles.read(None, {each.profile_id for each in issued if each.profile_id})
    moment = target.table.now().timestamp()
    table = Grid("ID", "LABEL", "PROFILE", "CREATED", "EXPIRES", "STATE")
    for each in issued:
        person = people.get(each.profile_id or "")
        state = "revoked" if each.revoked else ("valid" if is_valid(each, moment) else "expired")
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
@of_group
@on_store
def key_revoke(target: Target, key_id: str, group_id: str | None) -> None:
    """Refuse a key from now on, within a minute everywhere. ID is as `key list` shows it, or the key itself."""
    profiles = ProfileWriter(target.table)
    digest = digest_of(key_id) if key_id.startswith(f"{KEY_PREFIX}.") else key_id.strip().lower()
    if len(digest) != len(digest_of("")):
        if len(digest) < _SHORT_ID:
            raise click.UsageError(f"An id has at least {_SHORT_ID} characters.")
        matching = [
            each.digest for each in profiles.keys_of(group_of(target, group_id)) if each.digest.startswith(digest)
        ]
        if len(matching) != 1:
            raise click.ClickException(f"{len(matching) or 'No'} keys of the group have an id that begins so.")
        (digest,) = matching
    revoked = profiles.revoke(digest, str(uuid4()))
    if revoked is None:
        raise click.ClickException("There is no such key.")
    click.echo(f"Revoked {digest[:_SHORT_ID]}.")


@click.command()
@click.option("--profile", "reference", required=True, help="For whom, by id or name.")
@click.option("--expires", type=_Duration(), default="1h", show_default=True, help="How long it is valid.")
@of_group
@on_store
def token(target: Target, reference: str, expires: timedelta, group_id: str | None) -> None:
    """Print a bearer token for a profile, signed by this machine: for the local gateway only."""
    if target.stack is None:
        raise click.UsageError("Tokens of a deployed stack come from its own issuer.")
    profile_id = _profile_id(ProfileWriter(target.table), group_of(target, group_id), reference)
    click.echo(target.stack.token(profile_id, expires))


def _profile_id(profiles: ProfileWriter, group_id: str, reference: str) -> str:
    """Return the id of the profile of the group that goes by an id or a name."""
    if profile_id := id_in(reference):
        _, known = profiles.read(None, [profile_id])
        if profile_id not in known or known[profile_id].group_id != group_id:
            raise click.ClickException(f"The group has no profile {reference!r}. `personas profile list` tells them.")
        return profile_id
    listed = profiles.profiles_of(group_id)
    found = [each.id for each in listed if fold(each.name) == fold(reference.strip())]
    return one_named("profile", reference, found, lambda: (each.name for each in listed), "`personas profile list`")
