"""The groups that the schedule has queued and that no refresh has finished since: the pace at which it queues them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from personas.clock import in_milliseconds
from personas.errors import GroupFull
from personas.runtime import CLOCK_SKEW
from personas.store import keys
from personas.store.attributes import Item, Value, each_readable, integer, text
from personas.store.table import Table
from personas.store.write_rule import Still

QUEUE_TRIES: Final = timedelta(minutes=90)
"""The time from the queueing of a group to its dead letter: three attempts, half an hour apart."""
LONGEST_PAUSE: Final = timedelta(hours=12)
_DOUBLINGS_MAX: Final = 10


class Queued(NamedTuple):
    """A group that was queued so many ``times`` since ``since``, the last one at ``at``, and is not refreshed yet.

    Before its message is ``sent`` it is only about to be queued, and whoever noted it may be gone.
    """

    since: datetime
    at: datetime
    times: int
    sent: bool

    def may_be_queued_again(self, now: datetime) -> bool:
        """Tell whether no message was sent, or the queue has given up on it and a pause is over that doubles."""
        if not self.sent:
            return True
        doublings = min(self.times - 1, _DOUBLINGS_MAX)
        return not self.at <= now < self.at + min(QUEUE_TRIES * 2**doublings, LONGEST_PAUSE)


class QueuedGroups:
    """The queued groups among all."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def among(self, group_ids: Iterable[str]) -> dict[str, Queued]:
        """Return those of these groups that were queued and are not refreshed since."""
        items = self._table.get_many(map(keys.queued, group_ids)).values()
        return dict(each_readable(items, _queued))

    def note(self, group_id: str, earlier: Queued | None, now: datetime) -> None:
        """Note that the group is about to be queued; one that has no room for a note is queued at every turn."""
        with suppress(GroupFull):
            self._table.put_plain(keys.queued(group_id), _body(earlier, now, sent=False), asked_for=False)

    def confirm(self, group_id: str, earlier: Queued | None, now: datetime) -> None:
        """Note that the message of a group is sent, unless a refresh has taken the note away by now."""
        noted = Still("at", in_milliseconds(now))
        with suppress(GroupFull):
            self._table.put_plain(keys.queued(group_id), _body(earlier, now, sent=True), asked_for=False, guard=noted)

    def forget(self, group_id: str, began: datetime) -> None:
        """Forget that a group was queued, unless later than then: a refresh that began at that time has finished.

        Two clocks may differ. To forget too early costs a message, too late an hour and a half.
        """
        self._table.delete_older(keys.queued(group_id), "at", in_milliseconds(began + CLOCK_SKEW) + 1)


def _body(earlier: Queued | None, now: datetime, *, sent: bool) -> dict[str, Value]:
    since = earlier.since if earlier else now
    times = earlier.times + earlier.sent if earlier else 1
    return {"since": in_milliseconds(since), "at": in_milliseconds(now), "times": times, "sent": sent}


def _queued(item: Item) -> tuple[str, Queued]:
    since, at = _moment(integer(item, "since")), _moment(integer(item, "at"))
    # The last release sends in the end what it notes, and does not say so.
    sent = item.get("sent") is not False
    return keys.id_of(text(item, "pk")), Queued(since, at, max(integer(item, "times"), 1), sent)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
