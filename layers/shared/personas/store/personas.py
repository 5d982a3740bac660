"""Personas and their tombstones."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import NamedTuple

from personas.domain.authorship import (
    TOOL,
    Write,
    Writer,
    changed_fields,
    next_stamps,
    stamped_alike,
)
from personas.domain.permissions import SUPERADMIN
from personas.domain.persona import Form, Persona
from personas.domain.profile import Caller
from personas.errors import Contended, Unreadable
from personas.observability import count_unreadable
from personas.store import keys
from personas.store.attempts import ConditionFailed
from personas.store.attributes import Item, Value, integer, mapping, readable
from personas.store.authorship import AUTHORSHIP, Authorship, legible_authorship, packed_authorship
from personas.store.persona_rows import PROFILES, packed_texts, persona_in, row_of
from personas.store.table import Table
from personas.store.tombstones import HISTORY_LONGEST, tombstone_end
from personas.store.write_rule import RECENT_WRITES, WriteResult, is_unchanged, version_written_by


class Stored(NamedTuple):
    """The item under a persona's key: the persona, or the tombstone of one (``persona`` is None).

    The numbers of profiles that name it and of its copies hold for both, and continue when it comes back.
    """

    persona: Persona | None
    version: int
    seq: int
    copies: int
    num_profiles: int
    item: Item

    @property
    def expires_at(self) -> int | None:
        """The end of a tombstone, in unix seconds, or None where it has none."""
        return integer(self.item, "expires_at") if "expires_at" in self.item else None

    @property
    def authorship(self) -> Authorship:
        """The write that made its version, and the stamps of its fields. They are unpacked each time."""
        return legible_authorship(self.item)


class Restoration(NamedTuple):
    """The decision of an operation that brings a former version back, in place of what stands there."""

    persona: Persona
    restored_from: int


class Deletion(Enum):
    """The decision of an operation that deletes, where others decide for a persona."""

    TOMBSTONE = "tombstone"


type Found = Stored | Unreadable | None
"""The item under a persona's key, or the error if it cannot be read."""


def visible_to[T](caller: Caller, found: T | Unreadable) -> T | None:
    """Return what was found, a persona or a version, or None where the caller may not know of it.

    Nobody can say of which departments it is if it cannot be read: it exists for superadmins alone.

    Raises:
        Unreadable: it cannot be read, and the caller is a superadmin.
    """
    if not isinstance(found, Unreadable):
        return found
    if caller.role == SUPERADMIN:
        raise found
    count_unreadable(found)
    return None


class PersonaStore:
    """The personas of all groups; every call names the group of its caller.

    ``history`` is how long the history of a persona is kept after its deletion.
    """

    def __init__(self, table: Table, history: timedelta = HISTORY_LONGEST) -> None:
        self._table = table
        self._history = history

    def get(self, group_id: str, persona_id: str) -> Stored | None:
        """Read a persona or its tombstone, or None.

        Raises:
            Unreadable: what stands there cannot be read.
        """
        item = self._table.get(keys.persona(group_id, persona_id))
        return readable(item, stored_in) if item else None

    def find(self, group_id: str, persona_id: str) -> Found:
        """Read a persona or its tombstone, or None; for one that cannot be read, return its error."""
        item = self._table.get(keys.persona(group_id, persona_id))
        return _found(item) if item else None

    def get_many(self, group_id: str, persona_ids: Iterable[str]) -> dict[str, Stored | Unreadable]:
        """Read those of the personas that exist, tombstones included, by id; for one that cannot be read, its error."""
        wanted = {persona_id: keys.persona(group_id, persona_id) for persona_id in persona_ids}
        items = self._table.get_many(wanted.values())
        return {persona_id: _found(items[key]) for persona_id, key in wanted.items() if key in items}

    def all(self, group_id: str) -> Iterator[Item]:
        """Read all personas of a group and the tombstones that are left, in the order of their ids, as they are stored.

        They come a page of 1 MB at a time. A collection gives 12 MB a second, however it is read: this is for
        rebuilding views. See ``stored_in``.
        """
        return self._table.partition(keys.group_partition(group_id), keys.PERSONAS)

    def read_decide_write(
        self,
        group_id: str,
        persona_id: str,
        write_id: str,
        found: Found,
        decide: Callable[[Found], Persona | Restoration | Deletion],
        writer: Writer,
        most: int | None = None,
    ) -> WriteResult:
        """Store in the place of what was ``found`` what ``decide`` makes of it: a persona or a tombstone.

        Where others have written in between, it is read and decided on again, ``most`` times in all or while there is
        time. Where the write has been made already, nothing is decided: an earlier call of its Idempotency-Key made it.
        Where no field would change, nothing is written: the version that was read is the result.

        Raises:
            Contended: others wrote in between every time.
        """

        def write(found: Found) -> WriteResult:
            stored = found if isinstance(found, Stored) else None
            version = version_written_by(stored.item, write_id) if stored else None
            if version is not None:
                return WriteResult(version, None)
            decision = decide(found)
            if decision is Deletion.TOMBSTONE:
                if stored is None:
                    raise AssertionError("what does not exist is not deleted")
                return self.delete(group_id, persona_id, write_id, stored, writer)
            persona, restored_from = (
                (decision.persona, decision.restored_from) if isinstance(decision, Restoration) else (decision, None)
            )
            if stored is None or stored.persona is None:
                return self.insert(group_id, persona, write_id, stored, writer=writer, restored_from=restored_from)
            if not changed_fields(stored.persona.form, persona.form):
                return WriteResult(stored.version, None, made=False)
            return self.update(group_id, persona, write_id, stored, writer, restored_from)

        try:
            return self._table.retry_on_conflict(found, partial(self.find, group_id, persona_id), write, most)
        except ConditionFailed:
            raise Contended from None

    def insert(
        self,
        group_id: str,
        persona: Persona,
        write_id: str,
        tombstone: Stored | None = None,
        copies: int = 0,
        *,
        writer: Writer = TOOL,
        restored_from: int | None = None,
    ) -> WriteResult:
        """Store a new persona, or one in the place of a tombstone, whose version and counts then go on.

        ``copies`` is how many copies are known to have been made of it, should the tombstone know of fewer: the command
        line gives it. ``restored_from`` is the version that it brings back, if it does.

        Raises:
            ConditionFailed: the id is taken, or the tombstone is no longer the one that was read.
        """
        if tombstone is None:
            # A view may remember a tombstone that is removed: counting from the clock, in milliseconds, keeps the seq
            # of a persona that is made again above any that the first one had.
            seq, version, num_profiles = int(self._table.now().timestamp() * 1000), 1, 0
        else:
            seq, version, num_profiles = tombstone.seq + 1, tombstone.version + 1, tombstone.num_profiles
            copies = max(copies, tombstone.copies)
        write = writer.write("created", self._table.now(), restored_from)
        body: dict[str, Value] = {
            "row": {**row_of(persona), PROFILES: num_profiles},
            "texts": packed_texts(persona),
            "seq": seq,
            "version": version,
            RECENT_WRITES: mapping(tombstone.item, RECENT_WRITES) if tombstone else {},
            "copies": copies,
            AUTHORSHIP: packed_authorship(write, stamped_alike(write.stamp(version, write_id))),
        }
        return self._table.put(
            keys.persona(group_id, persona.id),
            body,
            prefix=keys.PERSONA_CHANGES,
            write_id=write_id,
            based_on=None if tombstone is None else tombstone.seq,
        )

    def update(
        self,
        group_id: str,
        persona: Persona,
        write_id: str,
        based_on: Stored,
        writer: Writer = TOOL,
        restored_from: int | None = None,
    ) -> WriteResult:
        """Store a persona's next version where it is still the one that was read.

        Raises:
            ConditionFailed: it was written in between.
        """
        write = writer.write("updated", self._table.now(), restored_from)
        sets: dict[str, Value] = {"row": row_of(persona), "texts": packed_texts(persona)}
        return self._replace(group_id, persona.id, sets, write_id, based_on, write, persona.form)

    def delete(
        self, group_id: str, persona_id: str, write_id: str, based_on: Stored, writer: Writer = TOOL
    ) -> WriteResult:
        """Leave a tombstone without any of the persona's contents.

        It stays for 30 days more than the history, or as long as profiles name it: versions do not begin again
        while former ones are told.

        Raises:
            ConditionFailed: it was written in between.
        """
        sets: dict[str, Value] = {"row": {PROFILES: based_on.num_profiles}, "deleted": True}
        if based_on.num_profiles == 0:
            sets["expires_at"] = tombstone_end(self._table.now(), self._history)
        write = writer.write("deleted", self._table.now())
        return self._replace(group_id, persona_id, sets, write_id, based_on, write, None, removes=("texts",))

    def cast(
        self,
        group_id: str,
        persona_id: str,
        scenario_ids: Sequence[str],
        active_scenario_ids: Sequence[str],
        write_id: str,
        *,
        seq: int,
        version: int,
    ) -> WriteResult:
        """Store which scenarios use a persona that was read at ``seq``: a new seq for the feed, the same version.

        This is for the command line.

        That it is part of the same item makes "not while an active scenario uses it" a part of every write's condition.

        Raises:
            ConditionFailed: the persona was written in between.
        """
        return self._table.update(
            keys.persona(group_id, persona_id),
            {"row.sc": scenario_ids, "row.as": active_scenario_ids},
            prefix=keys.PERSONA_CHANGES,
            write_id=write_id,
            seq=seq + 1,
            version=version,
            condition=is_unchanged(seq),
        )

    def next_copy(self, group_id: str, persona_id: str, write_id: str) -> int:
        """Return the number of the next copy of a persona, from 1; each number is given out once.

        Raises:
            ConditionFailed: the persona is gone.
        """
        return self._table.next_number(keys.persona(group_id, persona_id), "copies", "copied_by", write_id)

    def _replace(
        self,
        group_id: str,
        persona_id: str,
        sets: Mapping[str, Value],
        write_id: str,
        based_on: Stored,
        write: Write,
        form: Form | None,
        removes: Sequence[str] = (),
    ) -> WriteResult:
        version = based_on.version + 1
        changed = changed_fields(based_on.persona.form if based_on.persona else None, form)
        stamps = next_stamps(based_on.authorship.stamps, changed, write.stamp(version, write_id))
        written = self._table.update(
            keys.persona(group_id, persona_id),
            {**sets, AUTHORSHIP: packed_authorship(write, stamps)},
            prefix=keys.PERSONA_CHANGES,
            write_id=write_id,
            seq=based_on.seq + 1,
            version=version,
            condition=is_unchanged(based_on.seq),
            removes=removes,
        )
        # A thousand of these are held at a time, and a persona may have 256 KB.
        return written._replace(item=None)


def _found(item: Item) -> Stored | Unreadable:
    try:
        return readable(item, stored_in)
    except Unreadable as error:
        return error


def stored_in(item: Item) -> Stored:
    """Decode an item under a persona's key. Call it by ``readable``."""
    version, seq = integer(item, "version"), integer(item, "seq")
    row = mapping(item, "row")
    mapping(item, RECENT_WRITES)  # Every write leaves its id there.
    persona = None if item.get("deleted") is True else persona_in(item, version, seq)
    num_profiles = integer(row, PROFILES, absent=0)
    return Stored(
        persona=persona,
        version=version,
        seq=seq,
        copies=integer(item, "copies", absent=0),
        num_profiles=num_profiles,
        item=item,
    )
