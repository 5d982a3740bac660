"""The pace at which a group is queued again that no refresh has finished."""

from datetime import UTC, datetime, timedelta
from typing import Final, cast

import pytest

from personas.errors import GroupFull
from personas.store.queued_groups import Queued, QueuedGroups
from personas.store.table import Table

AT: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)


class FullTable:
    """A table without room, which counts what it refuses."""

    def __init__(self) -> None:
        self.refused = 0

    def put_plain(self, *_: object, **__: object) -> bool:
        self.refused += 1
        raise GroupFull


def queued(times: int, *, sent: bool = True) -> Queued:
    return Queued(AT - timedelta(days=1), AT, times, sent)


@pytest.mark.parametrize(("times", "hours"), [(1, 1.5), (2, 3), (3, 6), (4, 12), (5, 12), (1000, 12)])
def test_the_pause_doubles_up_to_half_a_day(times: int, hours: float) -> None:
    over = AT + timedelta(hours=hours)
    assert not queued(times).may_be_queued_again(AT)
    assert not queued(times).may_be_queued_again(over - SECOND)
    assert queued(times).may_be_queued_again(over)


def test_one_that_was_queued_by_a_clock_that_is_ahead_does_not_wait_for_it() -> None:
    assert queued(4).may_be_queued_again(AT - SECOND)


def test_one_whose_message_was_not_sent_is_queued_at_once() -> None:
    assert queued(1, sent=False).may_be_queued_again(AT)


def test_a_group_without_room_for_a_note_is_queued_without_one() -> None:
    table = FullTable()
    groups = QueuedGroups(cast("Table", table))
    groups.note("group", None, AT)
    groups.confirm("group", None, AT)
    assert table.refused == 2
