"""The change feed: an item as the index shows it.

**The feed rule.** A reader asks for everything stamped since its own clock at the start of its previous successful
read, minus ``FEED_WINDOW``. Stamps never move that time, so neither a fast nor a frozen writer can hide a change
behind it; a reader takes an item only if its ``seq`` is higher than the one that it has.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from personas.errors import Unreadable
from personas.observability import count_unreadable
from personas.store.attributes import NEVER, integer, mapping_or_empty, sound_id, text
from personas.store.keys import PERSONAS, id_of, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from personas.store.attributes import Item, Value, WireItem

type SeqOf = Callable[[str], int]
"""Returns the ``seq`` that a reader has of a sort key, or -1."""

DELETION_REMEMBERED: Final = timedelta(days=30)
"""The time for which views remember a deletion. Its tombstone stays as much longer as the history is kept."""


class Change(NamedTuple):
    """One item of the change feed, as the index projects it."""

    key: str
    seq: int
    row: Mapping[str, Value]
    deleted: bool
    version: int
    forgotten_at: int
    """The time at which a view may forget a tombstone, in unix seconds."""
    partition: str = ""


def change_in(item: Item) -> Change:
    """Return an item as a change of the feed. One that cannot be read otherwise is logged and reads as deleted.

    Raises:
        Unreadable: it does not say as of which ``seq`` it is, or is a persona's without an id.
    """
    key, seq = text(item, "sk"), integer(item, "seq")
    if key.startswith(PERSONAS):
        sound_id(id_of(key))
    try:
        return Change(
            key=key,
            seq=seq,
            row=mapping_or_empty(item, "row"),
            deleted=item.get("deleted") is True,
            version=integer(item, "version", absent=0),
            forgotten_at=int((moment_of(text(item, "changed")) + DELETION_REMEMBERED).timestamp()),
            partition=text(item, "pk"),
        )
    except Unreadable as error:
        count_unreadable(error)
        return Change(key, seq, {}, deleted=True, version=0, forgotten_at=NEVER)


def unknown(sort_key: str) -> int:
    """Return the ``seq`` that a reader has of what it does not know."""
    return -1


def is_news(item: WireItem, seq_of: SeqOf) -> bool:
    """Tell whether an item is newer than what a reader has, or cannot even be compared.

    A warm reader has nearly all that it reads: to decode that again would be most of what a read costs.
    """
    key, seq = item.get("sk", {}).get("S"), item.get("seq", {}).get("N")
    if isinstance(key, str) and isinstance(seq, str) and seq.isdecimal():
        return int(seq) > seq_of(key)
    return True
