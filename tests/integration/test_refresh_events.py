"""The three ways to a refresh: a caller's request, the queue and the schedule, told apart by the event's shape."""

import io
import json
from datetime import timedelta
from itertools import count
from typing import Any, Final
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from personas.domain.persona import Form, Persona
from personas.domain.text import Text
from personas.errors import Unavailable
from personas.runtime import CLOCK_SKEW
from personas.store.groups import GroupStore
from personas.store.queue import RefreshQueue
from personas.store.queued_groups import QueuedGroups
from personas.views.export_segments import EXPORT_VIEW
from personas.views.search_views import SEARCH_VIEW
from support import background
from support.background import EVENTS, batch, failed, messages
from support.environments import Environment, Request, Steps, shifted
from support.faults import Killed
from support.views import Views
from support.world import GROUP, OTHER_GROUP, STAR, TEAL, Clock, World

THIRD_GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e03"
GROUPS: Final = (GROUP, OTHER_GROUP, THIRD_GROUP)


@pytest.fixture
def env(world: World) -> Environment:
    return Environment(world)


@pytest.fixture
def schedule() -> dict[str, Any]:
    return background.schedule()


def lines_in(logged: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines of a log."""
    return [json.loads(line) for line in logged.getvalue().splitlines()]


def insert(world: World, group_id: str, name: str) -> None:
    """Store a persona and mark its group, as a write does."""
    text = Text(str(uuid4()), name)
    now = world.table.now().isoformat()
    persona = Persona(
        id=str(uuid4()),
        form=Form(
            name=text,
            instructions=text,
            color_id=TEAL,
            icon_id=STAR,
        ),
        created_at=now,
        updated_at=now,
    )
    GroupStore(world.table).mark(group_id)
    world.personas.insert(group_id, persona, uuid4().hex)


class TestRequest:
    def test_it_refreshes_the_group_of_the_caller_alone(self, env: Environment, world: World) -> None:
        for group_id in GROUPS:
            insert(world, group_id, "Ada")

        answer = env.call("refresh", who="stranger")

        assert answer.status == 200
        assert {SEARCH_VIEW, EXPORT_VIEW} <= set(answer.body["refreshed_views"])
        assert list(Views(world, OTHER_GROUP).indexed()) == list(Views(world, OTHER_GROUP).table())
        assert "snapshots" not in Views(world).record.row

    def test_anyone_of_the_group_may(self, env: Environment) -> None:
        assert env.call("refresh", who="learner").status == 200

    def test_nobody_else(self, env: Environment) -> None:
        raw = json.loads((EVENTS / "refresh.json").read_text(encoding="utf-8"))
        raw["headers"].pop("x-api-key", None)
        assert env.invoke("refresh", raw)["statusCode"] == 401

    def test_what_names_another_group_is_ignored(self, env: Environment, world: World) -> None:
        assert env.call("refresh", {"group_id": OTHER_GROUP}).status == 200
        assert "snapshots" not in Views(world, OTHER_GROUP).record.row
        assert "snapshots" in Views(world).record.row


class TestQueue:
    def test_each_group_of_a_batch_is_refreshed(self, env: Environment, world: World) -> None:
        for group_id in GROUPS:
            insert(world, group_id, f"Ada of {group_id}")

        assert failed(env.invoke("refresh", messages(*GROUPS))) == []

        for group_id in GROUPS:
            Views(world, group_id).agree()
            assert [row["n"] for row in Views(world, group_id).indexed().values()] == [f"Ada of {group_id}"]

    def test_a_message_may_come_twice(self, env: Environment, world: World) -> None:
        insert(world, GROUP, "Ada")
        assert failed(env.invoke("refresh", messages(GROUP, GROUP))) == []
        record = Views(world).record
        assert failed(env.invoke("refresh", messages(GROUP))) == []
        assert Views(world).record == record

    def test_one_bad_group_keeps_the_others_from_nothing(self, env: Environment, world: World) -> None:
        for group_id in GROUPS:
            insert(world, group_id, "Ada")

        def refuse(_number: int, request: Request) -> None:
            if request.operation == "PutObject" and OTHER_GROUP in request.key:
                response: Any = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
                raise ClientError(response, "PutObject")

        with env.stepping(Steps(refuse)):
            answer = env.invoke("refresh", messages(*GROUPS))

        assert failed(answer) == ["1"]
        Views(world, GROUP).agree()
        Views(world, THIRD_GROUP).agree()
        assert "snapshots" not in Views(world, OTHER_GROUP).record.row
        # It comes again, and then goes well.
        assert failed(env.invoke("refresh", messages(OTHER_GROUP))) == []
        Views(world, OTHER_GROUP).agree()

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"group": "x"}', "not JSON"])
    def test_a_message_that_names_no_group_stays_alone(self, body: str, env: Environment, world: World) -> None:
        insert(world, GROUP, "Ada")
        answer = env.invoke("refresh", batch(body, json.dumps({"group_id": GROUP})))
        assert failed(answer) == ["0"]
        Views(world).agree()

    def test_where_all_fail_all_are_told(self, env: Environment) -> None:
        assert failed(env.invoke("refresh", batch("x", "y"))) == ["0", "1"]

    def test_what_there_is_no_time_for_is_left_on_the_queue(self, env: Environment, world: World) -> None:
        insert(world, GROUP, "Ada")
        assert failed(env.invoke("refresh", messages(GROUP, OTHER_GROUP), remaining_ms=59_000)) == ["0", "1"]
        assert "snapshots" not in Views(world).record.row

    def test_the_log_tells_the_time_of_each_group(self, env: Environment, world: World, logged: io.StringIO) -> None:
        # Given two groups that have changed
        for group_id in (GROUP, OTHER_GROUP):
            insert(world, group_id, "Ada")

        # When the queue hands them over in one batch
        env.invoke("refresh", messages(GROUP, OTHER_GROUP))

        # Then each has a line of its own
        lines = [line for line in lines_in(logged) if line["message"] == "refreshed"]
        assert [line["group"] for line in lines] == [GROUP, OTHER_GROUP]
        milliseconds = [line["duration_ms"] for line in lines]
        assert min(milliseconds) > 0
        assert milliseconds == [round(each, 1) for each in milliseconds]

    def test_the_log_tells_which_group_fails_and_by_what(self, env: Environment, logged: io.StringIO) -> None:
        env.invoke("refresh", messages(GROUP), remaining_ms=59_000)

        (warning,) = [line for line in lines_in(logged) if line["level"] == "WARNING"]
        assert (warning["group"], warning["exception_name"]) == (GROUP, "Unavailable")

    def test_the_log_names_a_group_for_its_own_message_alone(
        self, env: Environment, world: World, logged: io.StringIO
    ) -> None:
        # Given a group that has changed, when its message comes before one that names no group
        insert(world, GROUP, "Ada")
        env.invoke("refresh", batch(json.dumps({"group_id": GROUP}), "not JSON"))

        # Then neither the failure of that nor the line of the batch names the group
        lines = [line for line in lines_in(logged) if line["level"] == "WARNING" or line["message"] == "done"]
        assert [(line["message"] == "done", line.get("group")) for line in lines] == [(False, None), (True, None)]

    def test_a_group_that_fails_is_not_queued_once_more(self, env: Environment, world: World) -> None:
        """Its message comes back by itself; another one each time would never end."""
        insert(world, GROUP, "Ada")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("personas.runtime.FINISHING_TIME", timedelta(days=1))
            assert failed(env.invoke("refresh", messages(GROUP))) == ["0"]
        assert world.queued() == []


class TestSchedule:
    def test_it_queues_the_groups_that_have_changed(
        self, env: Environment, world: World, schedule: dict[str, Any]
    ) -> None:
        for group_id in GROUPS[:2]:
            insert(world, group_id, "Ada")

        assert env.invoke("refresh", schedule) == {"queued": 2}

        groups = world.queued()
        assert sorted(groups) == sorted(GROUPS[:2])
        assert failed(env.invoke("refresh", messages(*groups))) == []
        for group_id in groups:
            Views(world, group_id).agree()

    def test_nothing_has_changed(self, env: Environment, world: World, schedule: dict[str, Any]) -> None:
        assert env.invoke("refresh", schedule) == {"queued": 0}
        assert world.queued() == []

    def test_more_groups_than_a_call_takes(self, env: Environment, world: World, schedule: dict[str, Any]) -> None:
        many = [str(uuid4()) for _ in range(23)]
        for group_id in many:
            env.services.groups.mark(group_id)
        assert env.invoke("refresh", schedule) == {"queued": 23}
        assert sorted(world.queued()) == sorted(many)

    def test_a_group_that_is_on_its_way_or_fails_is_queued_more_and_more_seldom(
        self, world: World, clock: Clock, schedule: dict[str, Any]
    ) -> None:
        # Given a group that no refresh finishes, and that is written to all the time
        env, hours = Environment(world, clock), list[float]()
        # When the schedule runs every quarter of an hour for two days
        for quarter in range(2 * 24 * 4):
            env.save(name=str(quarter))
            if env.invoke("refresh", schedule)["queued"]:
                hours.append(quarter / 4)
            clock.passes(minutes=15)
        # Then it is queued when the queue has given up on it, then after twice as long each time, and twice a day
        assert hours == [0, 1.5, 4.5, 10.5, 22.5, 34.5, 46.5]

    def test_one_that_was_refreshed_is_queued_as_before(
        self, clock: Clock, world: World, schedule: dict[str, Any]
    ) -> None:
        env = Environment(world, clock)
        for number in range(3):
            env.save(name=str(number))
            assert env.invoke("refresh", schedule) == {"queued": 1}
            assert failed(env.invoke("refresh", messages(GROUP))) == []
            clock.passes(minutes=15)

    def test_one_that_is_queued_while_a_refresh_is_under_way_waits_for_its_own(
        self, world: World, clock: Clock, schedule: dict[str, Any]
    ) -> None:
        # Given a refresh during which the schedule queues the group
        env = Environment(world, clock)
        env.save(name="Ada")

        def queue() -> None:
            # Later by more than clocks may differ.
            clock.passes(seconds=CLOCK_SKEW.total_seconds() + 1)
            assert Environment(world, clock).invoke("refresh", schedule) == {"queued": 1}

        with env.stepping(Steps.interrupted(0, queue, lambda request: request.operation == "PutObject")):
            env.refresh()
        # When the schedule runs again before that message was worked off, then it is not queued again
        clock.passes(minutes=15)
        assert env.invoke("refresh", schedule) == {"queued": 0}

    @pytest.mark.parametrize("behind", [0, 2], ids=["same-clock", "clock-behind"])
    def test_one_that_is_refreshed_at_once_is_queued_as_before(
        self, world: World, clock: Clock, schedule: dict[str, Any], behind: int
    ) -> None:
        # Given a worker, whose clock may be behind, that works a message off while the schedule still sends others
        env = Environment(world, clock)
        env.save(name="Ada")
        worker = Environment(world, shifted(clock, timedelta(seconds=-behind)))
        with env.stepping(Steps.interrupted(0, worker.refresh, lambda each: each.operation == "SendMessageBatch")):
            assert env.invoke("refresh", schedule) == {"queued": 1}
        # When somebody writes, and the schedule runs again
        env.save(name="Bob")
        clock.passes(minutes=15)
        # Then it is queued
        assert env.invoke("refresh", schedule) == {"queued": 1}

    def test_one_that_the_queue_did_not_take_is_queued_as_before(
        self, world: World, clock: Clock, schedule: dict[str, Any]
    ) -> None:
        # Given a queue that is out of reach
        env = Environment(world, clock)
        env.save(name="Ada")

        def refuse(_queue: RefreshQueue, _group_ids: object) -> int:
            raise Unavailable("The queue is out of reach.")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RefreshQueue, "send", refuse)
            with pytest.raises(Unavailable):
                env.invoke("refresh", schedule)
        # When Lambda repeats the schedule's event, then it is queued
        assert env.invoke("refresh", schedule) == {"queued": 1}

    @pytest.mark.parametrize("noted", [1, 2])
    def test_one_whose_environment_ended_before_the_queue_took_it_is_queued_by_the_next_schedule(
        self, world: World, clock: Clock, schedule: dict[str, Any], noted: int
    ) -> None:
        # Given an environment that ends once it has noted one group or both of them
        env = Environment(world, clock)
        env.save(name="Ada")
        insert(world, OTHER_GROUP, "Bob")
        note, notes = QueuedGroups.note, count(1)

        def end_after_some(*arguments: Any) -> None:
            if next(notes) > noted:
                raise Killed
            note(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(QueuedGroups, "note", end_after_some)
            patch.setattr(RefreshQueue, "send", end_after_some)
            with pytest.raises(Killed):
                env.invoke("refresh", schedule)
        # When the schedule runs again
        clock.passes(minutes=15)
        # Then both are queued, and not once more
        assert Environment(world, clock).invoke("refresh", schedule) == {"queued": 2}
        clock.passes(minutes=15)
        assert Environment(world, clock).invoke("refresh", schedule) == {"queued": 0}

    def test_what_the_queue_does_not_take_fails_the_invocation(
        self, env: Environment, world: World, schedule: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So Lambda invokes it again, and after that its dead letters tell."""
        insert(world, GROUP, "Ada")
        queue = env.services.refresh_queue
        monkeypatch.setattr(queue, "_client", _Full())
        with pytest.raises(Unavailable, match="did not take every group"):
            env.invoke("refresh", schedule)


class _Full:
    """A queue's client that takes nothing."""

    def send_message_batch(self, **_: object) -> dict[str, object]:
        return {"Failed": [{"Id": "0"}]}
