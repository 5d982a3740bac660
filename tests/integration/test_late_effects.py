"""Requests about the record of an Idempotency-Key that take effect after a later attempt has come by.

The caller gave such a request up and made it again, or was ended; DynamoDB works it off all the same, later.
"""

from typing import Any

import pytest

from support.client import Client
from support.faults import Faults, Waiting, lost_before, passed, preceded, timed_out, to
from support.warm import unguarded_world, warm_client
from support.world import NEEDED, World, color, result

PUT_RECORD = to("PutItem", "personas#")
UPDATE_RECORD = to("UpdateItem", "personas#")
DELETE_RECORD = to("DeleteItem", "personas#")
KEY = "k"
MAUVE = {**NEEDED, "color": "Mauve"}

world = pytest.fixture(unguarded_world)
client = pytest.fixture(warm_client)


@pytest.fixture
def faults(client: Client, waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults.installed(monkeypatch)


def leave_the_answer_on_its_way(world: World, client: Client, faults: Faults, body: object) -> None:
    """Call create, whose answer is on its way to the record when the call is over."""
    faults.plan(UPDATE_RECORD, faults.late)
    faults.always(UPDATE_RECORD, lost_before(timed_out()))
    assert client.call("create", body, idempotency_key=KEY).status == 503
    faults.clear()
    world.expire_idempotency("in_progress_expiration", 0)


def test_the_removal_of_a_failed_attempts_record_leaves_the_next_attempts(
    world: World, client: Client, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a call that failed, whose record's removal is on its way, and was made once more
    faults.plan(DELETE_RECORD, faults.late)
    assert client.call("create", {"personas": [MAUVE]}, idempotency_key=KEY).status == 422
    world.add("colors", "Mauve", color("Mauve", "#E0B0FF"))
    # And its repeat, which succeeded
    first = client.call("create", {"personas": [MAUVE]}, idempotency_key=KEY)
    assert first.status == 200
    # When the removal arrives and the call is repeated again; a new record would end at another second
    faults.arrive()
    monkeypatch.setattr("personas.store.idempotency.REMEMBERED_SECONDS", 60)
    world.restart()
    again = client.call("create", {"personas": [MAUVE]}, idempotency_key=KEY)
    # Then it gets the first answer, and there is one persona
    assert (again.text, world.names()) == (first.text, ["Ada"])


def test_the_answer_of_an_earlier_attempt_does_not_replace_a_later_ones(
    world: World, client: Client, faults: Faults
) -> None:
    # Given a call that saved one of its items, and whose answer has yet to arrive in its record
    body = {"personas": [NEEDED, {**MAUVE, "name": "Bo"}]}
    leave_the_answer_on_its_way(world, client, faults, body)
    # And its repeat, which saved the other as well
    world.add("colors", "Mauve", color("Mauve", "#E0B0FF"))
    completed = client.call("create", body, idempotency_key=KEY)
    assert [result(completed, each)["success"] for each in (0, 1)] == [True, True]
    # When the first one's answer arrives
    faults.arrive()
    # Then the repeat's is the one that is remembered
    assert client.call("create", body, idempotency_key=KEY).text == completed.text


def test_the_release_of_an_earlier_attempts_record_makes_none(world: World, client: Client, faults: Faults) -> None:
    # Given a call of unknown outcome, the release of whose record is on its way and was made once more
    persona_id = result(client.call("create", {"personas": [NEEDED]}))["persona_id"]
    body = {"personas": [{"persona_id": persona_id, "name": "Bo"}]}
    faults.always(to("UpdateItem", "persona#"), lost_before(timed_out()))
    faults.plan(UPDATE_RECORD, faults.late)
    unknown = client.call("update", body, idempotency_key=KEY)
    assert (unknown.status, unknown.body["code"]) == (503, "outcome_unknown")
    faults.clear()
    # And the record was removed, as DynamoDB does when its day is over
    for record in world.idempotency_records():
        world.aws.dynamodb.delete_item(TableName=world.aws.names["IdempotencyTable"], Key={"id": record["id"]})
    # When the release arrives
    faults.arrive()
    # Then there is still none
    assert world.idempotency_records() == []


def test_the_release_of_an_earlier_attempts_record_does_not_let_a_third_run_beside_the_second(
    world: World, client: Client, faults: Faults
) -> None:
    # Given a call of unknown outcome, the release of whose record is on its way, and was made once more
    persona_id = result(client.call("create", {"personas": [NEEDED]}))["persona_id"]
    body = {"personas": [{"persona_id": persona_id, "name": "Bo"}]}
    faults.always(to("UpdateItem", "persona#"), lost_before(timed_out()))
    faults.plan(UPDATE_RECORD, faults.late)
    assert client.call("update", body, idempotency_key=KEY).status == 503
    faults.clear()

    # When it arrives while the repeat is under way
    def arrives() -> None:
        faults.arrive()
        (record,) = world.idempotency_records()
        running.append(int(record["in_progress_expiration"]["N"]))

    running: list[int] = []
    faults.plan(to("UpdateItem", "persona#"), preceded(arrives, passed))
    assert client.call("update", body, idempotency_key=KEY).status == 200
    # Then the record said all the time that a call runs
    assert running != [0]


def test_the_record_of_an_attempt_that_came_in_between_is_taken_over_and_not_replaced(
    world: World, client: Client, faults: Faults
) -> None:
    ends_at = 4_000_000_000

    def somebody_began_and_cannot_tell_what_was_saved() -> None:
        item: Any = faults.sent[-1].body["Item"]
        theirs = {
            **item,
            "attempt": {"S": "theirs"},
            "expiration": {"N": str(ends_at)},
            "in_progress_expiration": {"N": "0"},
        }
        world.aws.dynamodb.put_item(TableName=world.aws.names["IdempotencyTable"], Item=theirs)

    # Given a call that read that there is no record, before another began and was released
    faults.plan(PUT_RECORD, preceded(somebody_began_and_cannot_tell_what_was_saved, passed))
    # When it goes on
    assert client.call("create", {"personas": [NEEDED]}, idempotency_key=KEY).status == 200
    # Then it is the same use of the key, so that what the other may have saved is known again
    (record,) = world.idempotency_records()
    assert int(record["expiration"]["N"]) == ends_at


def test_an_answer_that_arrives_just_before_the_repeat_begins_is_the_one_that_is_told(
    world: World, client: Client, faults: Faults
) -> None:
    # Given a call that saved one of its items, and whose answer has yet to arrive in its record
    body = {"personas": [NEEDED, {**MAUVE, "name": "Bo"}]}
    leave_the_answer_on_its_way(world, client, faults, body)
    world.add("colors", "Mauve", color("Mauve", "#E0B0FF"))
    # When it arrives after the repeat has read the record and before it takes it over
    faults.plan(PUT_RECORD, preceded(faults.arrive, passed))
    repeated = client.call("create", body, idempotency_key=KEY)
    # Then the repeat gets that answer, and replaces nothing
    assert [result(repeated, each)["success"] for each in (0, 1)] == [True, False]
    assert world.names() == ["Ada"]
