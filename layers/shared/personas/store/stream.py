"""The stream of PersonasTable: a record of a write, as Lambda hands it over, read as two images of a persona."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from personas.errors import Unreadable
from personas.observability import count_unreadable
from personas.store.attributes import decode_item, readable, text
from personas.store.keys import Key, persona_of
from personas.store.personas import Stored, stored_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from personas.store.attributes import Item

_TTL: Final = "dynamodb.amazonaws.com"
"""The one who removes items at their end."""


class PersonaWrite(NamedTuple):
    """A write of a persona that made or ended a version.

    ``before`` and ``after`` are what stood there and what stands there now; None is nothing, or nothing that can be
    read. ``moment`` is the time by DynamoDB's clock.
    """

    group_id: str
    persona_id: str
    before: Stored | None
    after: Stored | None
    moment: datetime


def persona_write_in(record: Mapping[str, object]) -> PersonaWrite | None:
    """Return the write of a record, or None where it is not of a persona or makes no version.

    Casts and counts change a persona under the version that it has, and an item that is removed at its end ends none.
    An image that cannot be read is left out, counted and logged.
    """
    change = cast("Mapping[str, Any]", record["dynamodb"])
    before, after = (_item(change.get(name)) for name in ("OldImage", "NewImage"))
    key = decode_item(change["Keys"])
    persona = persona_of(Key(text(key, "pk"), text(key, "sk")))
    if persona is None or _is_removed_at_its_end(record):
        return None
    if before is not None and after is not None and before.get("version") == after.get("version"):
        return None
    moment = datetime.fromtimestamp(float(change["ApproximateCreationDateTime"]), UTC)
    return PersonaWrite(*persona, _readable(before), _readable(after), moment)


def _is_removed_at_its_end(record: Mapping[str, object]) -> bool:
    identity = cast("Mapping[str, object]", record.get("userIdentity") or {})
    return record.get("eventName") == "REMOVE" and identity.get("principalId") == _TTL


def _item(image: Mapping[str, Mapping[str, object]] | None) -> Item | None:
    return None if image is None else decode_item(image)


def _readable(item: Item | None) -> Stored | None:
    try:
        return None if item is None else readable(item, stored_in)
    except Unreadable as error:
        count_unreadable(error)
        return None
