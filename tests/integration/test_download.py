"""download: where an export can be fetched, for whom, and for how long."""

from datetime import datetime, timedelta

import pytest

from personas.store import keys
from personas.store.exports import EXPORT_LIFE
from support.client import Answer
from support.environments import Environment
from support.exported import objects, query
from support.world import NOBODY, Clock, World, fault


@pytest.fixture
def env(world: World, clock: Clock) -> Environment:
    return Environment(world, clock)


def made(env: Environment, who: str = "coach") -> dict[str, str]:
    """Export, and return the body of the answer."""
    answer = env.call("export", {}, who=who)
    assert answer.status == 200, answer.text
    return answer.body


def asked(env: Environment, upload_id: str, who: str = "coach", **query: str) -> Answer:
    return env.call("download", {"upload_id": upload_id, **query}, who=who)


@pytest.mark.parametrize("who", ["coach", "root"])
def test_its_maker_and_a_superadmin_are_led_to_the_file(who: str, env: Environment) -> None:
    export = made(env)

    answer = asked(env, export["upload_id"], who)

    assert (answer.status, answer.text) == (302, "")
    assert answer.headers["Cache-Control"] == "no-store"
    signed = query(answer.headers["Location"])
    assert signed["X-Amz-Expires"] == "300"
    assert signed["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert signed["response-content-disposition"] == f'attachment; filename="{export["file_name"]}"'


def test_to_everybody_else_it_is_as_one_that_is_not_there(env: Environment) -> None:
    upload_id = made(env)["upload_id"]
    refused = [
        asked(env, upload_id, "stranger"),
        asked(env, upload_id, "admin"),
        asked(env, NOBODY),
        asked(env, "no-uuid"),
    ]
    told = [{name: value for name, value in answer.body.items() if name != "request_id"} for answer in refused]
    assert told == [told[0]] * 4
    assert fault(refused[0]) == (404, "not_found")
    assert told[0]["detail"] == "There is no such upload, or it is no longer kept."


def test_an_id_is_taken_in_any_of_its_forms(env: Environment) -> None:
    upload_id = made(env)["upload_id"]
    assert asked(env, upload_id.replace("-", "").upper()).status == 302


def test_after_a_week_it_is_gone_though_its_record_is_still_there(env: Environment, clock: Clock) -> None:
    upload_id = made(env)["upload_id"]
    clock.moment += EXPORT_LIFE - timedelta(seconds=1)
    assert asked(env, upload_id).status == 302

    clock.moment += timedelta(seconds=1)

    assert fault(asked(env, upload_id)) == (404, "not_found")
    assert env.world.table.get(keys.export(upload_id))


def test_the_file_is_a_csv_in_utf_8(env: Environment) -> None:
    made(env)
    (key,) = objects(env.world)
    stored = env.world.aws.s3.head_object(Bucket=env.world.aws.names["Bucket"], Key=key)
    assert stored["ContentType"] == "text/csv; charset=utf-8"


def test_its_record_has_the_time_at_which_it_was_made(env: Environment, clock: Clock) -> None:
    record = env.world.table.get(keys.export(made(env)["upload_id"]))
    assert record is not None
    assert record["created_at"] == clock.moment.isoformat()


def test_a_profile_that_has_changed_its_group_takes_nothing_along(env: Environment, world: World) -> None:
    upload_id = made(env)["upload_id"]
    world.set(keys.export(upload_id), "group", NOBODY)
    for who in ("coach", "root"):
        assert fault(asked(env, upload_id, who)) == (404, "not_found")


def test_it_can_be_answered_as_json_to_clients_that_send_their_token_wherever_they_are_led(
    env: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("personas.runtime.utc_now", clock)  # signatures, too, are of that time
    clock.moment = clock.moment.replace(microsecond=900_000)
    upload_id = made(env)["upload_id"]

    answer = asked(env, upload_id, **{"as": "json"})

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers
    assert answer.body.keys() == {"url", "expires_at"}
    signed = query(answer.body["url"])
    until = datetime.strptime(signed["X-Amz-Date"], "%Y%m%dT%H%M%S%z") + timedelta(seconds=int(signed["X-Amz-Expires"]))
    assert datetime.fromisoformat(answer.body["expires_at"]) == until


def test_as_json_nobody_else_learns_more(env: Environment) -> None:
    upload_id = made(env)["upload_id"]
    assert fault(asked(env, upload_id, "stranger", **{"as": "json"})) == (404, "not_found")


def test_there_is_no_other_form_of_it(env: Environment) -> None:
    answer = asked(env, made(env)["upload_id"], **{"as": "xml"})
    assert fault(answer) == (422, "invalid")
    assert [each["field"] for each in answer.body["errors"]] == ["/as"]
