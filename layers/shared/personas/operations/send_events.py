"""The events of versions: each write of a persona that made one is told to the bus."""

from collections.abc import Mapping
from typing import Final

from personas.contract.base import VersionKind
from personas.contract.events import DetailType, PersonaEvent
from personas.domain.shown_values import changed_by
from personas.runtime import events
from personas.services import Services
from personas.store.event_bus import EventBus
from personas.store.history import record_of
from personas.store.stream import persona_write_in

DETAIL_TYPES: Final[Mapping[VersionKind, DetailType]] = {
    "created": "PersonaCreated",
    "updated": "PersonaUpdated",
    "restored": "PersonaRestored",
    "deleted": "PersonaDeleted",
}


def send_event(services: Services, record: Mapping[str, object]) -> None:
    """Send the event of one record of the stream, if it made a version and there is a bus.

    Raises:
        Unavailable: the bus did not take it.
    """
    told = event_of(record) if services.settings.event_bus else None
    if told is not None:
        EventBus(events(), services.settings.event_bus, services.deadline).send(*told)


def event_of(record: Mapping[str, object]) -> tuple[DetailType, PersonaEvent] | None:
    """Return the event of a record of the stream, or None where it made no version that can be read."""
    write = persona_write_in(record)
    if write is None or write.after is None:
        return None
    made = record_of(write.after, write.before.persona if write.before else None)
    return DETAIL_TYPES[made.kind], PersonaEvent(
        group_id=write.group_id,
        persona_id=write.persona_id,
        version=made.version,
        changed=list(made.changed),
        changed_by=changed_by(made.changed_by),
        mcp=made.mcp,
        at=made.at,
    )
