"""The versions of a persona, as far as its caller may know of them.

A version is there for who may see the persona now and could see it in the departments that it had then. A deleted
persona is there for who could see its last version, once its deletion is recorded: its tombstone does not say of which
departments it was.
"""

from collections.abc import Mapping
from typing import NamedTuple

from personas.domain.history import PastVersion, VersionRecord
from personas.domain.permissions import may_see
from personas.domain.profile import Caller
from personas.errors import NotFound, Unreadable
from personas.services import Services
from personas.store.history import record_of
from personas.store.personas import Found, Stored, visible_to

type Past = Mapping[int, PastVersion | Unreadable]
"""Versions as the history has them, by their numbers."""


class Current(NamedTuple):
    """The item that stands under a persona's id, and the record of its version."""

    stored: Stored
    record: VersionRecord

    @property
    def version(self) -> int:
        """The number of the version."""
        return self.stored.version


def current_version(services: Services, caller: Caller, persona_id: str, found: Found) -> Current:
    """Return the version that stands under an id; of a deleted persona it is the deletion, which is read here.

    Raises:
        NotFound: the caller may not see the persona, or its deletion is not recorded yet.
        Unreadable: it cannot be read, and the caller is a superadmin.
    """
    missing = NotFound(f"There is no persona {persona_id}.")
    stored = visible_to(caller, found)
    if stored is None:
        raise missing
    if stored.persona is not None:
        record = record_of(stored)
    else:
        past = services.history.versions(caller.group_id, persona_id, [stored.version])
        deletion = visible_to(caller, past.get(stored.version))
        write = stored.authorship.write
        # Under its number there may be one that a table that was restored to a point in time has forgotten.
        if deletion is None or deletion.persona is not None or (write and write.at != deletion.record.at):
            raise missing
        record = deletion.record
    if not may_see(caller, record.department_ids):
        raise missing
    return Current(stored, record)


def version_seen(caller: Caller, persona_id: str, number: int, current: Current, past: Past) -> PastVersion:
    """Return a version that the caller may see: the current one as it stands, another one as the history has it.

    Raises:
        NotFound: there is none.
        Unreadable: it cannot be read, and the caller is a superadmin.
    """
    if number == current.version:
        return PastVersion(current.record, current.stored.persona)
    # A table that was restored to a point in time may have forgotten versions that the history still has.
    found = visible_to(caller, past.get(number)) if number < current.version else None
    if found is None or not may_see(caller, found.record.department_ids):
        raise NotFound(f"There is no version {number} of persona {persona_id}.")
    return found
