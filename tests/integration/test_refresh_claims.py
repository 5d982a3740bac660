"""The claims on groups: one holds at a time, until it is given up or its time is over."""

from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest
from botocore.exceptions import ReadTimeoutError

from personas.errors import GroupFull, OutcomeUnknown, Unavailable
from personas.runtime import dynamodb
from personas.store.refresh_claims import CLAIM_LIFE, RefreshClaims
from personas.store.table import Table
from support.world import Clock

GROUP: Final = "00000000-0000-4000-8000-000000000001"
OTHER_GROUP: Final = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def claims(table: Table) -> RefreshClaims:
    return RefreshClaims(table)


def test_a_group_is_claimed_by_one_for_a_minute(claims: RefreshClaims, clock: Clock) -> None:
    assert claims.take(GROUP) == clock.moment + timedelta(minutes=1)
    assert claims.take(GROUP) is None
    assert claims.take(OTHER_GROUP) is not None


def test_a_claim_whose_time_is_over_holds_nobody_up(claims: RefreshClaims, clock: Clock) -> None:
    claims.take(GROUP)
    clock.moment += CLAIM_LIFE - timedelta(milliseconds=1)
    assert claims.take(GROUP) is None
    clock.moment += timedelta(milliseconds=2)
    assert claims.take(GROUP) == clock.moment + CLAIM_LIFE


def test_a_claim_that_was_given_up_is_free(claims: RefreshClaims) -> None:
    ends = claims.take(GROUP)
    assert ends is not None
    claims.release(GROUP, ends)
    assert claims.take(GROUP) is not None


def test_whoever_gives_up_too_late_leaves_the_next_claim_alone(claims: RefreshClaims, clock: Clock) -> None:
    # Given a claim that another one has followed,
    first = claims.take(GROUP)
    assert first is not None
    clock.moment += 2 * CLAIM_LIFE
    assert claims.take(GROUP) is not None
    # when the first one is given up, then the other one holds.
    claims.release(GROUP, first)
    assert claims.take(GROUP) is None


def test_a_claim_whose_answer_was_lost_is_known_again(
    claims: RefreshClaims, clock: Clock, monkeypatch: pytest.MonkeyPatch, waiting: object
) -> None:
    # Given a table whose first answer is lost, after the write took effect,
    put, asked = dynamodb().put_item, count(1)

    def lost(**told: Any) -> object:
        answer = put(**told)
        if next(asked) == 1:
            raise ReadTimeoutError(endpoint_url="https://dynamodb.test")
        return answer

    monkeypatch.setattr(dynamodb(), "put_item", lost)
    # when a group is claimed, then the claim that stands there is not taken for another's.
    assert claims.take(GROUP) == clock.moment + CLAIM_LIFE
    assert next(asked) == 3


def test_a_claim_that_cannot_be_made_is_no_write_that_may_have_been_saved(
    claims: RefreshClaims, monkeypatch: pytest.MonkeyPatch, waiting: object
) -> None:
    def lost(**_: Any) -> object:
        raise ReadTimeoutError(endpoint_url="https://dynamodb.test")

    monkeypatch.setattr(dynamodb(), "put_item", lost)
    with pytest.raises(Unavailable) as caught:
        claims.take(GROUP)
    assert not isinstance(caught.value, OutcomeUnknown)


def test_a_group_without_room_for_a_claim_is_refreshed_without_one(
    claims: RefreshClaims, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise GroupFull

    monkeypatch.setattr(Table, "put_plain", refuse)
    assert claims.take(GROUP) == clock.moment + CLAIM_LIFE
