"""The recording of versions: each write of a persona puts the version that it made, and ends the one before.

A record of the stream may come twice, late, or not at all: a version that was never recorded is put when the next one
ends it. So the version that stands has no end, and is never lost to its age.
"""

from collections.abc import Mapping
from datetime import timedelta

from personas.services import Services
from personas.store.history import record_of
from personas.store.personas import Stored
from personas.store.stream import PersonaWrite, persona_write_in


def record_version(services: Services, record: Mapping[str, object]) -> None:
    """Record what one record of the stream tells of versions.

    Raises:
        Unavailable: HistoryTable cannot be written now.
    """
    kept = timedelta(days=services.settings.history_days)
    write = persona_write_in(record) if kept else None
    if write is None:
        return
    # A deletion is told once it is recorded, and restored from its last image: that is whole before.
    if write.before is not None:
        _end(services, write, write.before, int((write.moment + kept).timestamp()))
    if write.after is not None:
        _put(services, write, write.after)


def _put(services: Services, write: PersonaWrite, after: Stored) -> None:
    """Put the version that stands now, without an end.

    A tombstone is removed at an end of its own, and its record with it: nothing stands there then.
    """
    before = None if write.before is None else write.before.persona
    record = record_of(after, before)
    if after.persona is not None:
        services.history.put(write.group_id, write.persona_id, record, after.persona, None)
    elif before is not None:
        services.history.put(write.group_id, write.persona_id, record, None, after.expires_at)
    # Of a deletion alone nobody could tell who may know of it: what was deleted could not be read.


def _end(services: Services, write: PersonaWrite, before: Stored, ends_at: int) -> None:
    """Give the version that stood there its end, and put it where it was not recorded."""
    record = record_of(before)
    if before.persona is not None and write.after is not None and write.after.persona is None:
        # As it was deleted: scenarios may have come since its version was made. An end that is a second earlier lets
        # this put take the other's place, and the true one follow.
        services.history.put_persona(write.group_id, write.persona_id, record, before.persona, ends_at - 1)
    if services.history.end(write.group_id, write.persona_id, record, ends_at):
        return
    if before.persona is not None:
        services.history.put(write.group_id, write.persona_id, record, before.persona, ends_at)
    # The record that was lost would have ended the one before.
    services.history.end_former(write.group_id, write.persona_id, record.version, ends_at)
