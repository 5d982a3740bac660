"""The write rule that all items of PersonasTable share.

A write is made under a condition on what was read, stamps the time of each attempt, and leaves its ``write_id``
in the item's *recent writes*, a ring of the last eight. When an attempt's answer was lost, the next one follows at
once, and its condition fails on an item whose recent writes hold our own id: that is a success, even when others have
written since. If they have written eight times and more, the outcome of ours is unknown. A repeat under the same
Idempotency-Key carries the same id and finds itself the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from personas.store.attempts import ConditionFailed, outcome_unknown
from personas.store.decoding import integer, mapping_or_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from personas.store.attributes import Item, Value

RECENT_WRITES: Final = "trail"
"""The attribute that holds the ids and versions of an item's last eight writes, a ring."""
RECENT_WRITES_MAX: Final = 8


class WriteResult(NamedTuple):
    """A write that took effect: the version that it made, and the item where the answer showed it."""

    version: int
    item: Item | None


def recent_write_slot(seq: int) -> str:
    """Return the slot of the recent writes in which the write that makes ``seq`` leaves its id."""
    return f"s{seq % RECENT_WRITES_MAX}"


def recent_write(write_id: str, version: int) -> str:
    """Return the entry that a write leaves among an item's recent writes."""
    return f"{write_id}@{version}"


def version_written_by(item: Mapping[str, Value] | None, write_id: str) -> int | None:
    """Return the version that a write made of an item, or None if it is not among the item's recent ones."""
    for entry in mapping_or_empty(item or {}, RECENT_WRITES).values():
        if isinstance(entry, str):
            writer, _, version = entry.rpartition("@")
            if writer == write_id and version.isdecimal():
                return int(version)
    return None


def own_write(failed: ConditionFailed, item: Item | None, write_id: str, seq: int) -> WriteResult | None:
    """Return our write where its condition ``failed`` on its own earlier attempt, or None where it did on another's.

    ``item`` is the stored one, and ``seq`` the one that our write makes of it.

    Raises:
        OutcomeUnknown: an attempt may have taken effect, and the recent writes do not reach back to it.
    """
    version = version_written_by(item, write_id)
    if version is not None:
        return WriteResult(version, item)
    if failed.unsure and item is not None:
        # An item with fewer entries than slots was never written more often than they say.
        full = len(mapping_or_empty(item, RECENT_WRITES)) == RECENT_WRITES_MAX
        if full and integer(item, "seq") >= seq + RECENT_WRITES_MAX:
            raise outcome_unknown()
    return None
