"""The seven metrics that the service writes itself, each where it has something to tell and nowhere else."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from personas.clock import machine_time
from personas.observability import record_collection_size
from personas.runtime import clock as machine_clock
from personas_tools.watches import watches
from support.background import schedule
from support.client import event
from support.environments import Environment, shifted
from support.template_checks import OWN_METRICS
from support.world import NEEDED, NOBODY, Clock, World

NAMESPACE: Final = "Personas"


@pytest.fixture
def env(world: World) -> Environment:
    return Environment(world)


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the metrics written to standard output since the last look; check that they are of the whole stack."""
    found: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        blob: dict[str, Any] = json.loads(line)
        (directive,) = blob["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == NAMESPACE
        assert directive["Dimensions"] == [["service"]]
        assert blob["service"] == "personas"
        for metric in directive["Metrics"]:
            (found[metric["Name"]],) = blob[metric["Name"]]
    return found


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("create", {"personas": [NEEDED]}, 200),
        ("get", {"persona_id": NOBODY}, 404),
        ("search", {}, 200),
        ("refresh", {}, 200),
    ],
)
def test_what_aws_counts_is_not_counted_again(
    env: Environment, capsys: pytest.CaptureFixture[str], operation: str, body: object, status: int
) -> None:
    assert env.call(operation, body).status == status

    assert written(capsys) == {}


def _searches(env: Environment) -> None:
    assert env.call("search").status == 200


def _refreshes_by_schedule(env: Environment) -> None:
    env.invoke("refresh", schedule())


class TestConflicts:
    def test_a_draft_that_somebody_else_has_written(self, env: Environment, capsys: pytest.CaptureFixture[str]) -> None:
        assert env.call("draft", {"expected_version": 7}).status == 409

        assert written(capsys) == {"Conflicts": 1}

    def test_items_of_a_call_of_several_are_in_the_log_alone(
        self, env: Environment, capsys: pytest.CaptureFixture[str]
    ) -> None:
        items = [{"persona_id": env.save(name=name), "expected_version": 7, "name": "Late"} for name in "ab"]
        assert env.call("update", {"personas": items}).status == 200

        assert written(capsys) == {}

    def test_an_id_that_is_taken_is_none(self, env: Environment, capsys: pytest.CaptureFixture[str]) -> None:
        assert env.call("create", {"personas": [{**NEEDED, "id": env.save()}]}).status == 409

        assert written(capsys) == {}


class TestRefreshAge:
    def test_where_nobody_waits(self, env: Environment, capsys: pytest.CaptureFixture[str]) -> None:
        env.invoke("refresh", schedule())

        assert written(capsys) == {"RefreshAge": 0}

    def test_it_is_that_of_the_oldest(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        env = Environment(world)
        later = Environment(world, shifted(env.clock, timedelta(minutes=20)))
        env.save()
        later.save()
        latest = Environment(world, shifted(env.clock, timedelta(minutes=50)))
        env.work("refresh", lambda services: services.groups.mark("another-group"))

        latest.invoke("refresh", schedule())

        assert written(capsys)["RefreshAge"] == pytest.approx(timedelta(minutes=50).total_seconds(), abs=30)

    def test_a_clock_that_is_behind_makes_nobody_wait_less_than_nothing(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        env.save()

        Environment(world, shifted(env.clock, timedelta(minutes=-5))).invoke("refresh", schedule())

        assert written(capsys) == {"RefreshAge": 0}

    def test_that_of_a_group_that_is_written_to_all_the_time_counts_from_its_first_queueing(
        self, world: World, clock: Clock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(4):
            Environment(world, clock).save()
            capsys.readouterr()
            Environment(world, clock).invoke("refresh", schedule())
            clock.passes(minutes=15)

        assert written(capsys)["RefreshAge"] == 45 * 60


@pytest.mark.usefixtures("over_http")
class TestClocks:
    @pytest.mark.parametrize("off", [timedelta(seconds=10), timedelta(hours=-1)])
    @pytest.mark.parametrize("invoke", [_searches, _refreshes_by_schedule], ids=["request", "schedule"])
    def test_every_call_of_an_environment_whose_clock_is_off_is_counted(
        self,
        world: World,
        capsys: pytest.CaptureFixture[str],
        off: timedelta,
        invoke: Callable[[Environment], object],
    ) -> None:
        machine_clock().machine = shifted(machine_time, off)
        env = Environment(world)
        for _ in range(2):
            invoke(env)

            assert written(capsys)["ClocksOff"] == 1

    def test_one_that_is_less_than_a_second_off_is_not(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        machine_clock().machine = shifted(machine_time, timedelta(milliseconds=-900))

        Environment(world).call("search")

        assert written(capsys) == {}


@pytest.mark.parametrize(("operation", "views"), [("search", "search_views"), ("get", "suggestions")])
def test_views_that_are_dropped_for_want_of_memory_are_counted(
    env: Environment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    views: str,
) -> None:
    env.save()
    for who in ("root", "stranger"):
        env.call("refresh", who=who)
    env.call(operation)
    monkeypatch.setattr(getattr(env.services, views), "_budget_bytes", 0)

    env.call(operation, who="stranger")

    assert written(capsys) == {"ViewEvictions": 1}


def test_a_credential_that_is_none(env: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    raw = env.invoke("search", event("search", {}, {"x-api-key": "psk.nobody"}))
    assert raw["statusCode"] == 401

    assert written(capsys) == {"Unauthenticated": 1}


@pytest.mark.parametrize(
    ("estimate", "told"),
    [([0.0, 1.0], {}), ([3.0, 4.0], {"CollectionSize": 4.0}), ([8.0, 9.0], {"CollectionSize": 9.0}), (None, {})],
)
def test_an_item_collection_that_is_not_far_from_its_limit(
    capsys: pytest.CaptureFixture[str], estimate: list[float] | None, told: dict[str, float]
) -> None:
    record_collection_size({"SizeEstimateRangeGB": estimate} if estimate else None)

    assert written(capsys) == told


def test_there_is_an_alarm_on_each() -> None:
    metrics = [metric for watch in watches({}, {}) for alarm in watch.alarms for metric in alarm.metrics.values()]
    own = {(metric.name, *metric.dimensions.items()) for metric in metrics if metric.namespace == NAMESPACE}
    stack = ("service", "AWS::StackName")
    assert own == {(name, stack) for name in OWN_METRICS}
