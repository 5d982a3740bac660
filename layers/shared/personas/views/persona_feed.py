"""The change feed of a group's personas, as views are kept true by it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from personas.domain.catalogue import Pointer
from personas.errors import Unavailable, ViewRebuilding
from personas.observability import logger
from personas.runtime import CLOCK_SKEW, FEED_WINDOW, Deadline
from personas.store import keys
from personas.store.change_feed import DELETION_REMEMBERED, Change
from personas.store.groups import GroupStore
from personas.store.queue import RefreshQueue
from personas.store.table import Table

LOOK_BACK: Final = timedelta(minutes=15)
"""The time before its watermark from which a snapshot is read on: what a writer with a wrong clock hid is found so."""

FEED_BOUND: Final = 4_000
"""The longest feed since the snapshot that is left to the schedule.

A page of the feed holds 1 MB, about a thousand rows, and pages come one after the other at some 50 ms each: four of
them are what the load of a snapshot of 100,000 personas costs, so the feed should not cost more.
"""


def snapshot_since(pointer: Pointer) -> datetime:
    """Return the time from which to read the feed over a snapshot."""
    return pointer.watermark - LOOK_BACK


type SeqOfPersona = Callable[[str], int]
"""Returns the ``seq`` at which a view has a persona, by its id, or -1; raises ValueError where the id is none."""


class FeedPosition:
    """The point up to which a view has followed the feed."""

    def __init__(self, read_at: datetime, pointer: Pointer | None, seq_of: SeqOfPersona) -> None:
        self.seq_of = seq_of
        """The view's own function: what it knows is not read again."""
        self.read_at = read_at
        """The time at which the last read began."""
        self.looked_back_at = read_at
        """The time at which the last read began that went further back than the window."""
        self.pointer = pointer
        """The pointer to the snapshot of the last refresh that the view knows of."""


class PersonaFeed:
    """A reader of the feed by the rule that `personas.store.change_feed` states."""

    def __init__(self, table: Table, groups: GroupStore, queue: Callable[[], RefreshQueue], deadline: Deadline) -> None:
        self._table = table
        self._groups = groups
        self._queue = queue
        self._deadline = deadline

    def now(self) -> datetime:
        """Return the time by which positions are kept."""
        return self._table.now()

    def news(self, group_id: str, position: FeedPosition) -> list[Change]:
        """Read what was written since a view was read last.

        Raises:
            ViewRebuilding: there is more than can be read in time.
            Unavailable: the store cannot be read.
        """
        return self.changes(group_id, position.read_at - FEED_WINDOW, position.seq_of)

    def with_refresh(
        self, group_id: str, position: FeedPosition, pointer: Pointer | None, news: list[Change]
    ) -> list[Change]:
        """Return the news; if a refresh has finished since, read them again from further back, in one more round.

        ``pointer``, to the snapshot of the last refresh, has changed then. A refresh reads ``LOOK_BACK`` further back
        than the window, and so does a view that learns of one: it finds the changes that a writer's wrong clock has
        hidden from the window.
        """
        if pointer == position.pointer:
            return news
        return self.changes(group_id, position.looked_back_at - LOOK_BACK, position.seq_of)

    def advance(self, position: FeedPosition, started: datetime, pointer: Pointer | None) -> None:
        """Move the position of a view that has taken the result of a read, which began at ``started``."""
        if self._table.now() >= started:  # else the clock was set back meanwhile, and the position would be ahead of it
            position.looked_back_at = position.looked_back_at if pointer == position.pointer else started
            position.read_at, position.pointer = started, pointer

    def carries_on(self, pointer: Pointer) -> bool:
        """Tell whether a snapshot and the feed since are all that there is.

        They are not when the snapshot is from a time that is still to come, or older than the tombstones of a group
        that has changed since.
        """
        if pointer.watermark > self._table.now() + CLOCK_SKEW:
            # Made by a wrong clock: whatever was written since, up to that time, the feed over it would lack.
            logger.warning("a snapshot is of the future", extra={"key": pointer.key})
            return False
        age = self._table.now() - pointer.watermark
        return age <= DELETION_REMEMBERED - LOOK_BACK or not self._groups.is_marked(pointer.group_id)

    def changes(self, group_id: str, since: datetime | None, seq_of: SeqOfPersona) -> list[Change]:
        """Read what was written of the group's personas since then and a view does not have.

        Raises:
            ViewRebuilding: there is more than can be read in time.
            Unavailable: the store cannot be read.
        """
        partition = keys.group_partition(group_id)
        read = count(1)

        def seq_of_key(key: str) -> int:
            if next(read) % FEED_BOUND == 0:
                self.check_time()
            try:
                return seq_of(keys.id_of(key))
            except ValueError:
                return -1  # No view can have it: it is read, so that it is reported.

        return list(self._table.changes(partition, keys.PERSONA_CHANGES, since, seq_of_key))

    def check_time(self) -> None:
        """Go on only while there is time.

        Raises:
            ViewRebuilding: there is none left.
        """
        if not self._deadline.has_time_for_another_item():
            raise ViewRebuilding

    @contextmanager
    def or_queued(self, group_id: str) -> Iterator[None]:
        """Queue a group for its refresh if more of it has changed than can be read in time.

        Raises:
            ViewRebuilding: more has changed.
            Unavailable: more has changed, and the queue did not take the group.
        """
        try:
            yield
        except ViewRebuilding:
            self._queue().send([group_id])
            raise

    def queue_if_possible(self, group_id: str) -> None:
        """Queue a group for its refresh, unless the queue is out of reach."""
        try:
            self._queue().send([group_id])
        except Unavailable:
            # The call can be answered all the same, and the next one to miss a view tries again.
            logger.warning("a group could not be queued")
