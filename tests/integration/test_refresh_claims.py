"""The claims of refreshes on groups: one holds at a time, until it ends, and who waits finds the work done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from personas.errors import GroupFull, OutcomeUnknown, Unavailable
from personas.runtime import dynamodb
from personas.store.refresh_claims import CLAIM_LIFE, RefreshClaims
from personas.store.table import Table
from personas.views.export_segments import EXPORT_VIEW
from personas.views.search_views import SEARCH_VIEW
from support.environments import Environment, Steps
from support.faults import Faults, lost_after, timed_out, to
from support.views import Views
from support.world import GROUP, OTHER_GROUP, Clock, World, fault

pytestmark = pytest.mark.usefixtures("small_directory")


@pytest.fixture
def claims(table: Table) -> RefreshClaims:
    return RefreshClaims(table)


@pytest.fixture
def env(world: World, clock: Clock) -> Environment:
    return Environment(world, clock)


@pytest.fixture
def views(world: World) -> Views:
    return Views(world)


def changed(env: Environment) -> bool:
    """Refresh the group, and tell whether that has made the views that every change of a persona changes."""
    return {SEARCH_VIEW, EXPORT_VIEW} <= set(env.refresh())


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


class TestOneForTwo:
    """Tests of two refreshes of one group within seconds: the work is done once."""

    @pytest.fixture(autouse=True)
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
        """Provide what others do while a refresh waits, a step at each look."""
        steps: list[Callable[[], object]] = []

        def wait(seconds: float) -> None:
            assert seconds == 0.5
            steps.pop(0)()

        monkeypatch.setattr("personas.operations.refresh.sleep", wait)
        return steps

    @pytest.fixture
    def other(self, world: World, clock: Clock) -> Environment:
        return Environment(world, clock)

    @pytest.fixture
    def release(self, env: Environment, other: Environment) -> Callable[[], None]:
        """Have a refresh of another environment be under way after a write, and return what gives its claim up."""
        env.save(name="Ada")
        ends = other.services.refresh_claims.take(GROUP)
        assert ends is not None
        return lambda: other.services.refresh_claims.release(GROUP, ends)

    def test_the_second_of_two_after_one_another_writes_no_view(self, env: Environment) -> None:
        env.save(name="Ada")
        assert changed(env)
        with env.stepping(Steps()) as steps:
            assert env.refresh() == []
        assert not [request for request in steps.requests if request.operation in {"PutObject", "PutObjectTagging"}]

    def test_a_second_one_waits_for_the_first_and_finds_the_work_done(
        self,
        env: Environment,
        other: Environment,
        release: Callable[[], None],
        views: Views,
        meanwhile: list[Callable[[], object]],
    ) -> None:
        # Given a refresh that is under way, and that ends at the second look of another one
        def end() -> None:
            release()
            assert changed(other)

        meanwhile += [lambda: None, end]
        # When that begins
        assert env.refresh() == []
        # Then it has made no view, and everything is in
        assert meanwhile == []
        views.agree()

    def test_a_second_one_is_never_told_that_its_own_write_is_in_when_it_is_not(
        self, env: Environment, release: Callable[[], None], views: Views, meanwhile: list[Callable[[], object]]
    ) -> None:
        # Given a refresh that is under way, and has read all that it will
        meanwhile.append(release)
        # When somebody writes, refreshes, and has to wait for its end
        env.save(name="Bob")
        # Then the answer tells of the views that have that write
        assert changed(env)
        assert [row["n"] for row in views.indexed().values()] == ["Ada", "Bob"]

    @pytest.mark.usefixtures("release")
    def test_a_refresh_that_died_is_not_waited_for_any_longer_than_its_claim(
        self, env: Environment, clock: Clock, meanwhile: list[Callable[[], object]]
    ) -> None:
        meanwhile.append(lambda: clock.passes(seconds=CLAIM_LIFE.total_seconds() + 1))
        assert changed(env)
        assert meanwhile == []

    @pytest.mark.usefixtures("release")
    def test_where_patience_is_over_the_work_is_done_all_the_same(
        self, env: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("personas.operations.refresh.PATIENCE", timedelta())
        assert changed(env)

    def test_one_that_fails_gives_its_claim_up(self, env: Environment, other: Environment) -> None:
        env.save(name="Ada")
        assert fault(env.call("refresh", remaining_ms=4_000)) == (503, "view_rebuilding")
        assert changed(other)

    def test_it_does_not_wait_for_its_own_claim(self, env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given a claim that is put, though the answer to that is lost
        env.save(name="Ada")
        faults = Faults.installed(monkeypatch)
        faults.plan(to("PutItem", "refreshing"), lost_after(timed_out()))
        # When the group is refreshed, then the claim that stands there is not taken for another's
        assert changed(env)
        assert faults.count(to("PutItem", "refreshing")) == 2
