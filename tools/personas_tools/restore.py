"""Personas as they were in a restored copy of the table, saved again as new versions.

A restored table cannot take the other's place item by item: its items carry older numbers, and whoever holds newer ones
(a view, a snapshot, a client) would not take them. So what was lost is written again under the rule for all writes, and
every reader learns of it through the change feed. Nothing is deleted: what came after the restored moment stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from personas.contract.persona_fields import TEXT_FIELDS
from personas.domain.persona import one_or_many
from personas.domain.text import identified
from personas.errors import Unreadable
from personas.store.attributes import readable
from personas.store.groups import GroupStore
from personas.store.personas import Found, PersonaStore, Stored, stored_in
from personas.store.table import Table
from personas.store.texts import TextDirectory
from personas_tools.mending import bury

if TYPE_CHECKING:
    from collections.abc import Callable

    from personas.domain.persona import Persona

_ATTEMPTS: Final = 3


@dataclass(slots=True)
class Restored:
    """The names of the personas that a restoration changes, or would."""

    returned: list[str] = field(default_factory=list)
    """Those that are gone now and come back."""
    reset: list[str] = field(default_factory=list)
    """Those that look different now and get a version with their former contents."""
    unchanged: int = 0
    unreadable: list[str] = field(default_factory=list)
    """The keys of those that cannot be read in the source."""


def restore(
    source: Table,
    table: Table,
    group_id: str,
    wanted: Callable[[str], bool] = lambda _id: True,
    *,
    dry_run: bool = False,
) -> Restored:
    """Save the group's personas as ``source`` has them, where ``table`` has them otherwise or not at all.

    All that is not the persona's own stays as it is now: the scenarios that use it and the profiles it is assigned to.
    An active scenario is no obstacle, for the operator decides. Cut off, it can be run again. A persona that cannot be
    read in ``source`` is left out; one that cannot be read in ``table`` is written over.

    Raises:
        ConditionFailed: somebody keeps saving one of them meanwhile.
        Unavailable: a table cannot be read or written now.
    """
    told, personas, groups = Restored(), PersonaStore(table), GroupStore(table)
    secret, directory = _secret(source, table, group_id, dry_run=dry_run), TextDirectory(table)
    for item in PersonaStore(source).all(group_id):
        try:
            copied = readable(item, stored_in)
        except Unreadable as error:
            told.unreadable.append(error.key)
            continue
        if copied.persona is None or not wanted(copied.persona.id):
            continue
        then = _identified(copied.persona, secret)
        if not dry_run:
            # Before every one, as all writes of personas do: a refresh may have taken the former mark away.
            groups.mark(group_id)
        read = partial(personas.find, group_id, then.id)
        bring_back = partial(_brought_back, table, directory, group_id, then, copied.copies, dry_run=dry_run)
        former = table.retry_on_conflict(read(), read, bring_back, _ATTEMPTS)
        if former is None:
            told.returned.append(then.name.text)
        elif _same(then, former):
            told.unchanged += 1
        else:
            told.reset.append(then.name.text)
    return told


def _brought_back(
    table: Table, directory: TextDirectory, group_id: str, then: Persona, copies: int, found: Found, *, dry_run: bool
) -> Persona | None:
    """Save a persona as it was, unless it is so, and return the one that gave way, or None where there was none.

    An item that cannot be read gives way to a tombstone first, whose counts the persona takes over.
    """
    personas = PersonaStore(table)
    if isinstance(found, Unreadable):
        if dry_run:
            return None
        bury(table, group_id, then.id)
        found = personas.get(group_id, then.id)
    former = found.persona if found else None
    if not dry_run and (former is None or not _same(then, former)):
        for batch in directory.writes(group_id, then.form.texts):
            directory.write(group_id, batch)
        _save(personas, group_id, then, copies, found)
    return former


def _secret(source: Table, table: Table, group_id: str, *, dry_run: bool) -> bytes | None:
    """Return the secret for the ids of the group's texts: the table's own, or where it has lost it that of the copy."""
    former = GroupStore(source).legible_secret(group_id)
    if dry_run:
        return GroupStore(table).legible_secret(group_id) or former
    return GroupStore(table).ensure_secret(group_id, former)


def _identified(persona: Persona, secret: bytes | None) -> Persona:
    """Return the persona with its texts under the ids that they have now."""
    if secret is None:
        return persona
    texts = {
        field.name: one_or_many(
            field, [identified(secret, field.kind, text.text) for text in persona.form.texts_in(field)]
        )
        for field in TEXT_FIELDS
    }
    return replace(persona, form=persona.form.changed(texts))


def _save(personas: PersonaStore, group_id: str, then: Persona, copies: int, now: Stored | None) -> None:
    write_id = uuid4().hex[:16]
    if now is None or now.persona is None:
        personas.insert(group_id, then, write_id, now, copies, restored_from=then.version)
    else:
        personas.update(group_id, _with_links_of(then, now.persona), write_id, now, restored_from=then.version)


def _with_links_of(then: Persona, now: Persona) -> Persona:
    return replace(
        then,
        scenario_ids=now.scenario_ids,
        active_scenario_ids=now.active_scenario_ids,
        num_profiles=now.num_profiles,
    )


def _same(then: Persona, now: Persona) -> bool:
    """Tell whether two versions have the same contents."""
    return replace(_with_links_of(then, now), version=now.version, updated_at=now.updated_at) == now
