"""The pace at which a group is queued again that no refresh has finished."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from personas.store.queued_groups import Queued

AT: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)


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
