"""Stores that break their promises, each in one way, so that a checker of histories has to find them.

They stand where the real one stands, in every process of a crowd, so that the whole service works on them.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from personas.clock import machine_time
from personas.runtime import Deadline
from personas.store.attributes import Item, Value
from personas.store.change_feed import Change, SeqOf, unknown
from personas.store.keys import Key
from personas.store.table import Table
from personas.store.write_rule import Condition, WriteResult

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BEHIND: Final = 1.0
"""The delay of the stale stores, in seconds."""


class Unconditional(Table):
    """A store without the condition of updates: two writers who read the same both win, one undoing the other."""

    def update(self, key: Key, sets: Mapping[str, Value], **arguments: Any) -> WriteResult:
        """Write whatever stands there, as long as something does."""
        arguments["condition"] = Condition("attribute_exists(#seq)", ("seq",), {})
        return super().update(key, sets, **arguments)


class Reusing(Table):
    """A store that gives every second version twice: it does not raise the counter of versions where it should."""

    def update(self, key: Key, sets: Mapping[str, Value], *, version: int, **arguments: Any) -> WriteResult:
        """Write under the version that the item has already, where that is an even one."""
        return super().update(key, sets, version=version - version % 2, **arguments)


class Stale(Table):
    """A store that reads single items as they were a moment ago, as an eventually consistent read or a cache would."""

    def get(self, key: Key) -> Item | None:
        """Return the item as it stood at the last read, if that was a short time ago."""
        held: dict[Key, tuple[float, Item | None]] = self.__dict__.setdefault("held", {})
        read_at, item = held.get(key, (0.0, None))
        if time.monotonic() - read_at > BEHIND:
            item = super().get(key)
            held[key] = time.monotonic(), item
        return item


class Lagging(Table):
    """A store that reads the change feed without the latest writes, as a global index would."""

    def changes(self, partition: str, prefix: str, since: datetime | None, seq_of: SeqOf = unknown) -> Iterator[Change]:
        """Yield the changes up to a moment ago: a result that was read once is kept for a while."""
        held: dict[tuple[str, str], tuple[float, Sequence[Change]]] = self.__dict__.setdefault("feeds", {})
        read_at, changes = held.get((partition, prefix), (0.0, ()))
        if time.monotonic() - read_at > BEHIND:
            changes = list(super().changes(partition, prefix, since and since - timedelta(seconds=BEHIND)))
            held[partition, prefix] = time.monotonic(), changes
        yield from changes


class Deaf(Table):
    """A store that goes by its machine's clock, whatever time AWS says it is."""

    def __init__(self, client: "DynamoDBClient", name: str, clock: Callable[[], datetime], deadline: Deadline) -> None:
        super().__init__(client, name, machine_time, deadline)
