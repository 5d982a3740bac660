"""The bus of EventBridge that is told what happens to personas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from personas.contract.events import SOURCE
from personas.errors import Unavailable
from personas.store.attempts import attempted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from personas.contract.events import DetailType, PersonaEvent
    from personas.runtime import Deadline

_BUSY: Final = "The event bus is busy or out of reach."


class EventsClient(Protocol):
    """The one call to EventBridge."""

    def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        """Put events on a bus."""


class EventBus:
    """A bus, by its name."""

    def __init__(self, client: EventsClient, name: str, deadline: Deadline) -> None:
        self._client = client
        self._name = name
        self._deadline = deadline

    def send(self, detail_type: DetailType, event: PersonaEvent) -> None:
        """Send an event; it may arrive twice.

        One at a time: events are billed by their number, and each fails or succeeds for itself.

        Raises:
            Unavailable: the bus did not take it.
        """
        entry = {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": event.model_dump_json(),
            "Time": event.at,
        }
        answer = attempted(self._deadline, lambda: self._client.put_events(Entries=[entry]), busy=_BUSY)
        if answer.get("FailedEntryCount"):
            (told,) = answer["Entries"]
            raise Unavailable(f"The event bus did not take an event: {told.get('ErrorCode')}.")
