"""The personas and the record of a group that cannot be read, and the removal of such personas."""

from collections.abc import Iterator
from functools import partial
from uuid import uuid4

from personas.errors import Unreadable
from personas.store import keys
from personas.store.attributes import readable, text
from personas.store.groups import GroupStore
from personas.store.personas import PersonaStore, stored_in
from personas.store.table import Table
from personas_tools import burial
from personas_tools.profile_store import ProfileWriter


def unreadable_record(table: Table, group_id: str) -> Unreadable | None:
    """Return what is wrong with the group's own record, or None where there is none, or it can be read."""
    groups = GroupStore(table)
    try:
        if groups.read(group_id).seq is not None:
            groups.text_secret(group_id)
    except Unreadable as error:
        return error
    return None


def unreadable(table: Table, group_id: str) -> Iterator[tuple[str, Unreadable]]:
    """Yield the ids of the personas that cannot be read, each with what is wrong."""
    for item in PersonaStore(table).all(group_id):
        try:
            readable(item, stored_in)
        except Unreadable as error:
            yield keys.id_of(text(item, "sk")), error


def remove(table: Table, group_id: str, persona_id: str) -> None:
    """Leave a tombstone in the place of a persona that cannot be read, so that every reader learns of its end.

    Raises:
        LookupError: there is none, or it can be read.
        ConditionFailed: it was written in between.
        Unavailable: the table cannot be read or written now.
    """
    try:
        PersonaStore(table).get(group_id, persona_id)
    except Unreadable:
        GroupStore(table).mark(group_id)
        bury(table, group_id, persona_id)
        return
    raise LookupError(f"{persona_id} is no persona that cannot be read")


def bury(table: Table, group_id: str, persona_id: str) -> None:
    """Leave a tombstone in the place of what cannot be read, with the number of the profiles that name the persona.

    Raises:
        ConditionFailed: it was written in between.
        Unavailable: the table cannot be read or written now.
    """
    count = partial(ProfileWriter(table).naming, group_id, persona_id)
    burial.bury(table, group_id, persona_id, count, uuid4().hex[:16])
