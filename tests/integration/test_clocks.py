"""Clocks an hour off, both ways: nothing is hidden from anybody, and what a wrong clock has spoilt heals."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from botocore.exceptions import EndpointConnectionError

from personas.clock import machine_time
from personas.runtime import CLOCK_SKEW, LAST_CALL, clock, deadline
from personas.store.personas import PersonaStore
from personas.views.search_views import SEARCH_VIEW
from support.clocks import powertools_off, set_machine_off
from support.environments import Environment, Steps, shifted
from support.faults import Killed
from support.views import Views
from support.world import GROUP, NEEDED, Clock, World

pytestmark = pytest.mark.usefixtures("over_http")

HOUR: Final = timedelta(hours=1)
NEAR: Final = timedelta(minutes=10)
"""The time that a test may take at most between a write and a look at its stamp."""


@pytest.fixture
def env(world: World) -> Environment:
    return Environment(world)


def wrong(world: World, off: timedelta) -> Environment:
    """Return an environment whose clock is wrong and is never corrected."""
    return Environment(world, shifted(machine_time, off))


def watermark(world: World) -> datetime:
    pointer = Views(world).record.pointer(SEARCH_VIEW)
    assert pointer is not None
    return pointer.watermark


class TestAViewOfTheFuture:
    @pytest.fixture(autouse=True)
    def _poisoned(self, env: Environment, world: World) -> None:
        """Write a persona after a refresh by a clock that is an hour fast."""
        env.save(name="Ada")
        wrong(world, HOUR).refresh()
        env.save(name="Bob")

    def test_a_search_reads_the_feed_instead_and_has_it_mended(self, world: World) -> None:
        assert Environment(world).found() == ["Ada", "Bob"]
        assert world.queued() == [GROUP]

    def test_the_log_names_it(self, world: World, logged: io.StringIO) -> None:
        Environment(world).found()
        (warning,) = [each for each in map(json.loads, logged.getvalue().splitlines()) if each["level"] == "WARNING"]
        assert (warning["message"], warning["key"]) == ("a snapshot is of the future", Views(world).key(SEARCH_VIEW))

    def test_a_search_that_cannot_have_it_mended_is_answered_and_says_so_in_the_log(
        self, world: World, logged: io.StringIO
    ) -> None:
        def fail() -> None:
            deadline().start(LAST_CALL)  # so that it is not tried again
            raise EndpointConnectionError(endpoint_url="https://sqs.test")

        reader = Environment(world)
        with reader.stepping(Steps.interrupted(0, fail, lambda each: each.operation == "SendMessageBatch")):
            assert reader.found() == ["Ada", "Bob"]
        lines = [json.loads(line) for line in logged.getvalue().splitlines()]
        assert [each["group"] for each in lines if each["message"] == "a group could not be queued"] == [GROUP]

    def test_an_export_does_as_well(self, world: World) -> None:
        answer = Environment(world).call("export")
        assert answer.body["row_count"] == 2

    def test_a_refresh_heals_it_though_its_own_time_is_an_earlier_one(self, env: Environment, world: World) -> None:
        assert SEARCH_VIEW in env.refresh()
        assert watermark(world) <= machine_time()
        Views(world).agree()
        env.save(name="Eve")
        assert Environment(world).found() == ["Ada", "Bob", "Eve"]

    def test_so_does_one_of_an_environment_that_holds_the_group(self, env: Environment, world: World) -> None:
        env.found()
        Environment(world).refresh()
        env.save(name="Eve")
        assert env.found() == ["Ada", "Bob", "Eve"]

    def test_a_reader_with_the_same_clock_is_not_deceived_for_long(self, world: World) -> None:
        same = wrong(world, HOUR)
        Environment(world).refresh()
        assert same.found() == ["Ada", "Bob"]


def test_a_view_that_is_as_far_ahead_as_clocks_may_lie_apart_is_used(world: World) -> None:
    now = Clock()
    env = Environment(world, now)
    env.save(name="Ada")
    Environment(world, shifted(now, CLOCK_SKEW)).refresh()
    env.save(name="Bob")
    assert Environment(world, now).found() == ["Ada", "Bob"]
    assert world.queued() == []


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_clock_that_goes_wrong_while_its_environment_is_warm(off: timedelta, world: World) -> None:
    # Given
    warm, other = Environment(world), Environment(world, machine_time)
    other.save(name="Ada")
    assert warm.found() == ["Ada"]

    # When
    clock().machine = shifted(machine_time, off)
    warm.found()
    other.save(name="Bob")

    # Then
    assert warm.found() == ["Ada", "Bob"]


# ---- Idempotency-Keys ------------------------------------------------------------------------------------------------


BODY: Final = {"personas": [NEEDED]}
FAST_AND_SLOW = pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["fast", "slow"])


@contextmanager
def machine_off(world: World, off: timedelta) -> Iterator[None]:
    """Run a new environment of ``create`` whose machine's clock is wrong, and which AWS has told so."""
    world.client("root").call("create", {})  # who comes from another function begins in a new one
    world.restart()
    set_machine_off(off, known=True)
    with powertools_off(off):
        yield


def in_seconds(moment: datetime) -> int:
    return int(moment.timestamp())


@FAST_AND_SLOW
def test_a_key_is_remembered_for_a_day_by_aws_time(off: timedelta, world: World) -> None:
    with machine_off(world, off):
        world.client("root").call("create", BODY, Idempotency_Key="k")

    (record,) = world.idempotency_records()
    ends_at = datetime.fromtimestamp(int(record["expiration"]["N"]), UTC)
    assert abs(ends_at - machine_time() - timedelta(days=1)) < NEAR


@FAST_AND_SLOW
@pytest.mark.parametrize(("left", "replayed"), [(NEAR, "true"), (-NEAR, None)], ids=["before", "after"])
def test_a_completed_call_is_forgotten_when_its_day_is_over_by_aws_time(
    off: timedelta, left: timedelta, replayed: str | None, world: World
) -> None:
    # Given a call whose day ends shortly, or is over
    world.client("root").call("create", BODY, Idempotency_Key="k")
    world.expire_idempotency("expiration", in_seconds(machine_time() + left))

    # When an environment repeats it whose machine has another hour
    with machine_off(world, off):
        answer = world.client("root").call("create", BODY, Idempotency_Key="k")

    # Then it gets the first answer, or is a new call
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (200, replayed)


@FAST_AND_SLOW
@pytest.mark.parametrize(("left", "status"), [(NEAR, 409), (-NEAR, 200)], ids=["running", "over"])
def test_a_call_that_was_cut_off_is_taken_over_when_its_time_is_over_by_aws_time(
    off: timedelta, left: timedelta, status: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a call that was killed, whose time ends shortly, or is over
    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(PersonaStore, "insert", die)
        with pytest.raises(Killed):
            world.client("root").call("create", BODY, Idempotency_Key="k")
    world.expire_idempotency("in_progress_expiration", in_seconds(machine_time() + left) * 1_000)

    # When an environment repeats it whose machine has another hour
    with machine_off(world, off):
        answer = world.client("root").call("create", BODY, Idempotency_Key="k")

    # Then it learns that the call still runs, or completes it
    assert answer.status == status
