"""`restore`: what comes back, for whom, and what it costs those who were faster."""

from typing import Any, Final

import pytest

from personas.store import keys
from personas.store.attributes import encode
from support.client import Answer
from support.environments import refusing
from support.streamed import Streamed
from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    FORMAL,
    GROUP,
    LEGAL,
    MOOD_ANGRY,
    NEEDED,
    PEOPLE,
    PLUM,
    SALES,
    TEAL,
    TONE_CALM,
    TONE_FORMAL,
    World,
    color,
    fault,
    field_row,
    parameter,
)

MISSING: Final = (404, "not_found")
WHOLE: Final = {
    "name": "Ada",
    "description": "Counts.",
    "instructions": "Ask.\nListen.",
    "color_id": PLUM,
    "active_flag": True,
    "department_ids": [CARE],
    "parameter_field_ids": [MOOD_ANGRY],
    "examples": ["One.", "Two."],
    "voice_ids": [ALTO, BASS],
}


def restore(world: World, persona_id: str, version: int, who: str = "root", /, **more: object) -> Answer:
    return world.client(who).call("restore", {"persona_id": persona_id, "version": version, **more})


def restored(world: World, persona_id: str, version: int, who: str = "root", /, **more: object) -> int:
    """Return the version that a restore has made."""
    answer = restore(world, persona_id, version, who, **more)
    assert answer.status == 200, answer.text
    made = answer.body["version"]
    assert isinstance(made, int)
    return made


def selected(world: World, persona_id: str, who: str = "root") -> dict[str, Any]:
    """Return what `get` answers of a persona, without its version and the options that it offers."""
    answer = world.client(who).call("get", {"persona_id": persona_id})
    assert answer.status == 200, answer.text
    return {
        name: {each: value for each, value in section.items() if each in {"resource", "current"}}
        if isinstance(section, dict)
        else section
        for name, section in answer.body.items()
        if name not in {"version", "parameters", "fields"}
    }


class TestWhatComesBack:
    def test_what_get_answered_at_that_version(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(**WHOLE)
        before = selected(world, persona_id)
        changed = {"name": "Bo", "description": None, "instructions": "", "color_id": TEAL, "active_flag": False}
        lists = {"department_ids": [SALES], "parameter_field_ids": [], "examples": ["Three."], "voice_ids": []}
        world.update(persona_id, **changed, **lists)
        after = selected(world, persona_id)
        stream.flow()

        assert restored(world, persona_id, 1) == 3
        assert selected(world, persona_id) == before
        stream.flow()
        assert restored(world, persona_id, 2) == 4
        assert selected(world, persona_id) == after

    def test_the_new_version_says_from_which_it_was_made(self, world: World, stream: Streamed) -> None:
        persona_id = world.save("coach", department_ids=[CARE])
        world.update(persona_id, name="Bo")
        stream.flow()

        answer = restore(world, persona_id, 1, "coach")

        assert answer.body == {
            "success": True,
            "persona_id": persona_id,
            "version": 3,
            "message": "The persona is as it was in version 1.",
        }
        for _ in range(2):
            latest = world.client().call("history", {"persona_id": persona_id}).body["versions"][0]
            assert (latest["version"], latest["kind"], latest["restored_from"]) == (3, "restored", 1)
            assert (latest["changed"], latest["changed_by"]["profile_id"]) == (["name"], PEOPLE["coach"].id)
            stream.flow()

    def test_a_search_finds_it_by_its_old_values_at_once(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(name="Ada")
        world.update(persona_id, name="Bo")
        stream.flow()

        restored(world, persona_id, 1)

        found = world.client().call("search", {"search": "ada"}).body["personas"]
        assert [each["persona_id"] for each in found] == [persona_id]

    def test_its_texts_can_be_sent_back_by_their_ids(self, world: World, stream: Streamed) -> None:
        # Given texts that nobody has used for so long that the directory has lost them
        persona_id = world.save(description="An old one.")
        world.update(persona_id, description="A new one.")
        stream.flow()
        form = world.client().call("history", {"persona_id": persona_id, "version": 1}).body
        for raw in world.aws.dynamodb.scan(TableName=world.table.name)["Items"]:
            if raw["pk"]["S"].startswith("text#"):
                world.aws.dynamodb.delete_item(TableName=world.table.name, Key={"pk": raw["pk"], "sk": raw["sk"]})
        world.restart()
        assert form["versions"][0]["values"]["description"] == "An old one."

        restored(world, persona_id, 1)

        text_id = selected(world, persona_id)["descriptions"]["resource"]["id"]
        copy = world.save(description_id=text_id)
        assert selected(world, copy)["descriptions"]["resource"]["description"] == "An old one."

    def test_withdrawn_entries_come_back_as_they_were(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(**WHOLE)
        world.update(persona_id, color_id=TEAL, parameter_field_ids=[], voice_ids=[])
        stream.flow()
        world.add("colors", "Plum", {**color("Plum", "#6E2A59"), "active": False})
        world.add("voices", "Bass", {"voice": "Bass", "generated": False, "active": False})
        world.add("fields", "Mood/Angry", field_row("Angry", active=False))

        restored(world, persona_id, 1, "coach")

        form = world.persona(persona_id).form
        assert (form.color_id, form.parameter_field_ids, form.voice_ids) == (PLUM, (MOOD_ANGRY,), (ALTO, BASS))

    def test_a_field_that_left_the_catalogue_comes_back_too(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(**WHOLE)
        world.update(persona_id, parameter_field_ids=[])
        stream.flow()
        world.add("parameters", "Mood", parameter("Mood"))

        restored(world, persona_id, 1, "coach")

        assert world.persona(persona_id).form.parameter_field_ids == (MOOD_ANGRY,)

    def test_what_is_the_personas_own_stays(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(**WHOLE)
        world.update(persona_id, name="Bo")
        stream.flow()
        world.cast("Ward", persona_id, active=False)
        world.assign(persona_id, "coach")
        before = world.persona(persona_id)

        restored(world, persona_id, 1)

        after = world.persona(persona_id)
        kept = ("scenario_ids", "num_profiles", "created_at", "mcp", "generated")
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
        assert (len(after.scenario_ids), after.num_profiles) == (1, 1)


class TestNoVersion:
    @pytest.mark.parametrize("version", [2, 3])
    def test_a_restore_that_changes_no_field_makes_none(self, world: World, stream: Streamed, version: int) -> None:
        persona_id = world.save(name="Ada")
        for name in ("Bo", "Cy", "Bo", "Cy"):
            world.update(persona_id, name=name)
        stream.flow()
        assert restored(world, persona_id, version) == (6 if version == 2 else 5)
        before = world.stored(persona_id)

        again = restored(world, persona_id, version)

        assert again == (6 if version == 2 else 5)
        assert world.stored(persona_id) == before

    def test_nor_does_that_of_the_version_that_stands(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()

        assert restored(world, persona_id, 1) == 1

    def test_a_role_that_only_reads_does_not_even_mark_the_group(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(departments=["Care"])
        world.update(persona_id, name="Bo")
        stream.flow()
        world.client("learner").call("drafts")  # so that its key is there
        world.restart()
        world.aws.dynamodb.delete_item(
            TableName=world.table.name,
            Key={name: encode(value) for name, value in keys.mark(GROUP).attributes().items()},
        )

        answer = restore(world, persona_id, 1, "learner")

        assert answer.status == 403
        assert world.table.get(keys.mark(GROUP)) is None

    def test_a_refused_one_writes_nothing(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(description="One.")
        world.update(persona_id, description="Two.")
        stream.flow()
        before = world.aws.dynamodb.scan(TableName=world.table.name)["Items"]

        answer = restore(world, persona_id, 1, expected_version=1)

        assert (fault(answer), answer.body["current_version"]) == ((409, "version_conflict"), 2)
        assert answer.body["detail"] == "Version 1 was expected, and version 2 is stored."
        assert answer.body["errors"] == [{"field": "/expected_version", "message": "is not the stored version, 2"}]
        after = world.aws.dynamodb.scan(TableName=world.table.name)["Items"]
        unmarked = [[raw for raw in items if raw["sk"]["S"] != "mark"] for items in (before, after)]
        assert unmarked[0] == unmarked[1]


class TestRights:
    @pytest.fixture
    def persona_id(self, world: World, stream: Streamed) -> str:
        """Return a persona of Care and Sales in version 1, of Care in version 2, and of none in version 3."""
        persona_id = world.save(department_ids=[CARE, SALES])
        world.update(persona_id, department_ids=[CARE])
        world.update(persona_id, department_ids=[])
        world.update(persona_id, department_ids=[CARE], name="Bo")
        stream.flow()
        return persona_id

    def test_departments_need_the_callers_right_to_assign_them(self, world: World, persona_id: str) -> None:
        answer = restore(world, persona_id, 1, "coach")

        assert fault(answer) == (403, "foreign_department")
        assert answer.body["detail"] == "Version 1 has departments that you cannot assign: Sales."
        assert [each["field"] for each in answer.body["errors"]] == ["/version"]
        assert restored(world, persona_id, 1, "admin") == 5
        assert world.persona(persona_id).department_ids == (CARE, SALES)

    def test_a_department_that_has_left_the_catalogue_is_told_by_its_id(self, world: World, persona_id: str) -> None:
        world.aws.dynamodb.delete_item(
            TableName=world.table.name,
            Key={
                name: encode(value) for name, value in keys.resource(GROUP, "departments", SALES).attributes().items()
            },
        )
        world.restart()

        answer = restore(world, persona_id, 1, "coach")

        assert fault(answer) == (403, "foreign_department")
        assert answer.body["detail"] == f"Version 1 has departments that you cannot assign: {SALES}."

    def test_a_version_without_departments_is_for_superadmins(self, world: World, persona_id: str) -> None:
        assert fault(restore(world, persona_id, 3, "coach")) == (422, "department_needed")
        assert restored(world, persona_id, 3) == 5
        assert world.persona(persona_id).department_ids == ()

    def test_departments_that_stay_need_no_more_than_an_update(self, world: World, persona_id: str) -> None:
        assert restored(world, persona_id, 2, "coach") == 5

    def test_who_may_not_edit_may_not_restore(self, world: World, persona_id: str) -> None:
        world.update(persona_id, department_ids=[CARE, SALES])

        assert fault(restore(world, persona_id, 2, "coach")) == (403, "not_all_departments")

    def test_nobody_does_while_an_active_scenario_uses_it(self, world: World, persona_id: str) -> None:
        world.cast("Ward", persona_id)

        assert fault(restore(world, persona_id, 2)) == (403, "in_use")

    @pytest.mark.parametrize("hidden", ["parameter", "field"])
    def test_parameter_fields_need_it_too(self, world: World, stream: Streamed, hidden: str) -> None:
        link = TONE_FORMAL if hidden == "parameter" else MOOD_ANGRY
        persona_id = world.save(department_ids=[CARE], parameter_field_ids=[link])
        world.update(persona_id, parameter_field_ids=[])
        stream.flow()
        if hidden == "parameter":
            world.add("parameters", "Tone", parameter("Tone", TONE_CALM, FORMAL, department_ids=[LEGAL]))
        else:
            world.add("fields", "Mood/Angry", field_row("Angry", department_ids=[LEGAL]))

        answer = restore(world, persona_id, 1, "coach")

        assert fault(answer) == (403, "foreign_parameter_field")
        name = "Formal" if hidden == "parameter" else "Angry"
        assert answer.body["detail"] == f"Version 1 has parameter fields that you cannot assign: {name}."
        assert world.persona(persona_id).form.parameter_field_ids == ()
        assert restored(world, persona_id, 1) == 3

    def test_those_that_the_persona_has_stay_its_own(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(department_ids=[CARE], parameter_field_ids=[MOOD_ANGRY])
        world.update(persona_id, name="Bo")
        stream.flow()
        world.add("fields", "Mood/Angry", field_row("Angry", department_ids=[LEGAL]))

        assert restored(world, persona_id, 1, "coach") == 3
        assert world.persona(persona_id).form.parameter_field_ids == (MOOD_ANGRY,)


class TestDeleted:
    @pytest.fixture
    def deleted(self, world: World, stream: Streamed) -> str:
        """Return a persona of Care that was in a scenario, and was deleted in its version 3."""
        persona_id = world.save(**WHOLE)
        world.cast("Ward", persona_id, active=False)
        world.update(persona_id, name="Bo")
        world.delete(persona_id)
        return persona_id

    def test_it_comes_back_under_its_id_with_its_scenarios(self, world: World, stream: Streamed, deleted: str) -> None:
        stream.flow()

        assert restored(world, deleted, 1, "coach") == 4

        persona = world.persona(deleted)
        assert (persona.name.text, persona.form.active_flag_id, persona.version) == ("Ada", ACTIVE, 4)
        assert len(persona.scenario_ids) == 1
        assert persona.active_scenario_ids == ()

    def test_it_keeps_scenarios_that_came_after_its_last_version(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        stream.flow()
        world.cast("Ward", persona_id, active=False)
        scenario_ids = world.persona(persona_id).scenario_ids
        world.delete(persona_id)
        stream.flow()

        restored(world, persona_id, 1)

        assert world.persona(persona_id).scenario_ids == scenario_ids != ()

    def test_it_is_missing_until_its_last_image_is_whole(self, world: World, stream: Streamed, waiting: object) -> None:
        # Given a persona that was cast after its last version, and a recording of its deletion that died halfway,
        persona_id = world.save()
        stream.flow()
        world.cast("Onboarding", persona_id, active=False)
        scenario_ids = world.persona(persona_id).scenario_ids
        world.delete(persona_id)
        records = stream.taken()
        with refusing("PutItem", after=1):
            assert stream.hand_over(records) == [records[-1]["dynamodb"]["SequenceNumber"]]

        assert fault(restore(world, persona_id, 1)) == MISSING

        # Then the repeat heals it.
        assert stream.hand_over(records) == []
        restored(world, persona_id, 1)
        assert world.persona(persona_id).scenario_ids == scenario_ids != ()

    def test_it_comes_back_as_get_answered_it(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(**WHOLE)
        before = selected(world, persona_id)
        row = world.client().call("search").body["personas"]
        world.delete(persona_id)
        stream.flow()

        restored(world, persona_id, 1)

        assert selected(world, persona_id) == before
        again = world.client().call("search").body["personas"]
        assert [{**each, "updated_at": None} for each in again] == [{**each, "updated_at": None} for each in row]

    def test_it_keeps_when_and_how_it_was_made(self, world: World, stream: Streamed) -> None:
        answer = world.client(X_MCP="true").call("create", {"personas": [NEEDED]})
        persona_id = answer.body["results"][0]["persona_id"]
        before = world.persona(persona_id)
        world.delete(persona_id)
        stream.flow()

        restored(world, persona_id, 1)

        after = world.persona(persona_id)
        assert (after.created_at, after.mcp) == (before.created_at, True)

    def test_profiles_that_name_it_still_do(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        world.assign(persona_id, "coach")
        world.delete(persona_id)
        stream.flow()

        restored(world, persona_id, 1)

        assert world.persona(persona_id).num_profiles == 1

    def test_it_is_missing_until_its_deletion_is_recorded(self, world: World, stream: Streamed, deleted: str) -> None:
        assert fault(restore(world, deleted, 1)) == MISSING
        records = stream.taken()
        stream.hand_over(records[:-1])
        assert fault(restore(world, deleted, 1)) == MISSING
        stream.hand_over(records[-1:])
        assert restored(world, deleted, 1) == 4

    def test_the_rights_are_those_of_a_create(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(department_ids=[CARE, SALES])
        world.update(persona_id, department_ids=[CARE])
        world.delete(persona_id)
        stream.flow()

        assert fault(restore(world, persona_id, 1, "coach")) == (403, "foreign_department")
        assert fault(restore(world, persona_id, 2, "seller")) == MISSING
        assert restored(world, persona_id, 2, "coach") == 4

    def test_a_deletion_itself_is_nothing_to_restore(self, world: World, stream: Streamed, deleted: str) -> None:
        stream.flow()

        answer = restore(world, deleted, 3)
        assert fault(answer) == (422, "version_is_deletion")
        assert answer.body["errors"] == [{"field": "/version", "message": "is a deletion"}]

    def test_an_expected_version_is_that_of_the_deletion(self, world: World, stream: Streamed, deleted: str) -> None:
        stream.flow()

        assert fault(restore(world, deleted, 1, expected_version=2)) == (409, "version_conflict")
        assert restored(world, deleted, 1, expected_version=3) == 4

    def test_a_version_of_a_former_owner_of_the_id_is_missing(
        self, world: World, stream: Streamed, deleted: str
    ) -> None:
        stream.flow()
        assert world.save("seller", id=deleted, department_ids=[SALES]) == deleted
        stream.flow()

        assert fault(restore(world, deleted, 1, "seller")) == MISSING
        assert fault(restore(world, deleted, 4, "coach")) == MISSING

    def test_it_comes_back_once_and_is_deleted_again(self, world: World, stream: Streamed, deleted: str) -> None:
        stream.flow()
        restored(world, deleted, 1)
        stream.flow()
        world.delete(deleted)
        stream.flow()

        told = world.client().call("history", {"persona_id": deleted}).body

        assert [each["kind"] for each in told["versions"]] == ["deleted", "restored", "deleted", "updated", "created"]
        assert restored(world, deleted, 2) == 6


class TestIdempotency:
    def test_a_repeat_gets_the_first_answer(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        world.update(persona_id, name="Bo")
        stream.flow()
        body = {"persona_id": persona_id, "version": 1}

        first, again = (world.client().call("restore", body, idempotency_key="once") for _ in range(2))

        assert (first.body, again.headers.get("Idempotent-Replayed")) == (again.body, "true")
        assert world.persona(persona_id).version == 3

    def test_a_repeat_of_a_call_that_was_cut_off_finds_what_it_did(self, world: World, stream: Streamed) -> None:
        # Given a restore whose record was lost half way, and others who went on since
        persona_id = world.save(department_ids=[CARE])
        world.update(persona_id, name="Bo")
        stream.flow()
        body = {"persona_id": persona_id, "version": 1}
        client = world.client("coach")
        assert client.call("restore", body, idempotency_key="once").body["version"] == 3
        for record in world.idempotency_records():
            world.aws.dynamodb.update_item(
                TableName=world.aws.names["IdempotencyTable"],
                Key={"id": record["id"]},
                UpdateExpression="SET #status = :begun, in_progress_expiration = :past REMOVE #data",
                ExpressionAttributeNames={"#status": "status", "#data": "data"},
                ExpressionAttributeValues={":begun": {"S": "INPROGRESS"}, ":past": {"N": "0"}},
            )
        world.update(persona_id, name="Cy", department_ids=[SALES])
        # When the call is repeated by who sees the persona no more
        answer = client.call("restore", body, idempotency_key="once")
        # Then it is told what it did, and nothing is done again.
        assert (answer.status, answer.body["version"]) == (200, 3)
        assert world.persona(persona_id).version == 4


def test_a_damaged_version_is_told_to_superadmins_alone(world: World, stream: Streamed) -> None:
    persona_id = world.save(department_ids=[CARE])
    world.update(persona_id, name="Bo")
    stream.flow()
    key = keys.version(GROUP, persona_id, keys.VERSION_RECORDS, 1)
    world.aws.dynamodb.put_item(
        TableName=world.aws.names["HistoryTable"],
        Item={"pk": {"S": key.pk}, "sk": {"S": key.sk}, "at": {"S": "?"}},
    )

    assert fault(restore(world, persona_id, 1)) == (409, "unreadable")
    assert fault(restore(world, persona_id, 1, "coach")) == MISSING
    told = world.client().call("history", {"persona_id": persona_id}).body
    assert [each["version"] for each in told["versions"]] == [2]
