"""`history` and `compare`: the versions of a persona, and what of them is there for whom."""

from datetime import timedelta
from typing import Any

import pytest

from personas.store import keys
from personas.store.attributes import encode
from support.streamed import Streamed
from support.world import ALTO, BASS, CARE, GROUP, LEGAL, NEEDED, NOBODY, PEOPLE, PLUM, SALES, TEAL, Clock, World, fault

MISSING = (404, "not_found")


def history(world: World, persona_id: str, who: str = "root", /, **asked: object) -> dict[str, Any]:
    answer = world.client(who).call("history", {"persona_id": persona_id, **asked})
    assert answer.status == 200, answer.text
    return answer.body


def numbers(told: dict[str, Any]) -> list[int]:
    return [each["version"] for each in told["versions"]]


def compare(world: World, persona_id: str, who: str = "root", /, **asked: object) -> dict[str, Any]:
    answer = world.client(who).call("compare", {"persona_id": persona_id, **asked})
    assert answer.status == 200, answer.text
    return answer.body


class TestHistory:
    def test_says_of_each_version_who_made_it_and_what_changed(self, world: World, stream: Streamed) -> None:
        persona_id = world.save("admin", department_ids=[CARE])
        answer = world.client("coach", X_MCP="true").call(
            "update", {"personas": [{"persona_id": persona_id, "name": "Bo", "active_flag": True}]}
        )
        assert answer.status == 200
        stream.flow()

        told = history(world, persona_id)

        assert (told["current_version"], told["deleted"], told["next_before_version"]) == (2, False, None)
        latest, first = told["versions"]
        assert latest["at"] > first["at"]
        assert {name: latest[name] for name in latest if name != "at"} == {
            "version": 2,
            "kind": "updated",
            "changed_by": {"profile_id": PEOPLE["coach"].id, "name": "coach"},
            "mcp": True,
            "changed": ["name", "active"],
            "restored_from": None,
            "values": None,
        }
        assert (first["kind"], first["changed_by"]["name"], first["mcp"]) == ("created", "admin", False)
        assert len(first["changed"]) == 10

    def test_shows_the_version_that_stands_before_it_is_recorded(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        stream.flow()
        recorded = history(world, persona_id)["versions"]
        for name in ("Bo", "Cy", "Di"):
            world.update(persona_id, name=name)

        told = history(world, persona_id)

        assert told["versions"][1:] == recorded
        assert told["versions"][0]["version"] == 4
        assert told["versions"][0]["changed"] == ["name"]
        assert told["pending"] == [2, 3]

    def test_tells_the_same_of_a_version_before_and_after_it_is_recorded(self, world: World, stream: Streamed) -> None:
        persona_id = world.save("admin", department_ids=[CARE])
        world.update(persona_id, "coach", description="Sends.", voice_ids=[ALTO])
        before = history(world, persona_id)["versions"][0]

        stream.flow()

        assert history(world, persona_id)["versions"][0] == before

    @pytest.mark.parametrize(("version", "kind"), [(1, "created"), (2, "updated")])
    def test_of_what_tells_no_write_the_first_version_alone_was_created(
        self, world: World, version: int, kind: str
    ) -> None:
        persona_id = world.save()
        if version == 2:
            world.update(persona_id, name="Bo")
        world.aws.dynamodb.update_item(
            TableName=world.table.name,
            Key={name: encode(value) for name, value in keys.persona(GROUP, persona_id).attributes().items()},
            UpdateExpression="REMOVE authorship",
        )

        assert [each["kind"] for each in history(world, persona_id)["versions"]] == [kind]

    def test_goes_on_where_a_page_ends(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        for number in range(2, 8):
            world.update(persona_id, name=f"Name {number}")
        stream.flow()

        first = history(world, persona_id, page_size=3)
        second = history(world, persona_id, page_size=3, before_version=first["next_before_version"])
        third = history(world, persona_id, page_size=3, before_version=second["next_before_version"])

        assert [numbers(each) for each in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1]]
        assert [each["next_before_version"] for each in (first, second, third)] == [5, 2, None]
        assert [each["pending"] for each in (first, second, third)] == [[], [], []]

    def test_a_page_of_which_nothing_is_behind_has_no_next(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        world.update(persona_id, name="Bo")
        stream.flow()

        assert history(world, persona_id, page_size=2)["next_before_version"] is None
        assert numbers(history(world, persona_id, before_version=1)) == []
        assert numbers(history(world, persona_id, before_version=0)) == []
        assert numbers(history(world, persona_id, before_version=2**53 - 1)) == [2, 1]

    @pytest.mark.parametrize(("before", "pending"), [(None, [2, 3, 4]), (5, [2, 3, 4]), (4, [2, 3]), (2, []), (1, [])])
    def test_what_is_pending_is_told_with_the_page_that_it_belongs_to(
        self, world: World, stream: Streamed, before: int | None, pending: list[int]
    ) -> None:
        persona_id = world.save()
        stream.flow()
        for number in range(2, 6):
            world.update(persona_id, name=f"Name {number}")

        assert history(world, persona_id, before_version=before)["pending"] == pending

    def test_what_a_page_shows_is_not_pending_though_the_next_version_was_never_recorded(
        self, world: World, stream: Streamed
    ) -> None:
        # Given a version of which no record came, between others,
        persona_id = world.save()
        stream.flow()
        for number in range(2, 4):
            world.update(persona_id, name=f"Name {number}")
        stream.taken()
        world.update(persona_id, name="Name 4")
        stream.flow()
        # when the page below it is read, then nothing of it is pending.
        told = history(world, persona_id, before_version=2)
        assert (numbers(told), told["pending"]) == ([1], [])

    def test_what_the_stream_has_not_delivered_within_a_day_is_no_longer_pending(
        self, world: World, clock: Clock
    ) -> None:
        persona_id = world.save()
        world.update(persona_id, name="Bo")
        clock.passes(hours=24, seconds=-1)
        assert history(world, persona_id)["pending"] == [1]
        clock.passes(seconds=1)
        assert history(world, persona_id)["pending"] == []

    def test_where_no_history_is_kept_nothing_is_pending(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        persona_id = world.save()
        world.update(persona_id, name="Bo")
        assert history(world, persona_id)["pending"] == [1]

        monkeypatch.setenv("HISTORY_DAYS", "0")
        world.restart()

        assert history(world, persona_id)["pending"] == []

    @pytest.mark.parametrize(("who", "told"), [("coach", (404, "not_found")), ("root", (409, "unreadable"))])
    def test_a_deletion_whose_record_is_damaged_is_told_to_a_superadmin_alone(
        self, world: World, stream: Streamed, who: str, told: tuple[int, str]
    ) -> None:
        persona_id = world.save(departments=["Care"])
        world.delete(persona_id)
        stream.flow()
        world.aws.dynamodb.update_item(
            TableName=world.aws.names["HistoryTable"],
            Key={
                name: encode(value)
                for name, value in keys.version(GROUP, persona_id, keys.VERSION_RECORDS, 2).attributes().items()
            },
            UpdateExpression="SET kind = :kind",
            ExpressionAttributeValues={":kind": encode("moved")},
        )

        assert fault(world.client(who).call("history", {"persona_id": persona_id})) == told

    def test_a_version_that_a_restored_table_has_forgotten_is_not_taken_for_a_deletion(
        self, world: World, stream: Streamed
    ) -> None:
        # Given a table that was restored to the time before a version, and a deletion under its number,
        persona_id = world.save()
        key = {name: encode(value) for name, value in keys.persona(GROUP, persona_id).attributes().items()}
        raw = world.aws.dynamodb.get_item(TableName=world.table.name, Key=key)["Item"]
        world.update(persona_id, name="Forgotten")
        stream.flow()
        world.aws.dynamodb.put_item(TableName=world.table.name, Item=raw)
        world.delete(persona_id)
        stream.taken()
        world.aws.dynamodb.update_item(TableName=world.table.name, Key=key, UpdateExpression="REMOVE authorship")
        # when its history is asked for before that is recorded, then there is no such persona.
        assert fault(world.client().call("history", {"persona_id": persona_id})) == (404, "not_found")

    def test_of_what_never_was_there_are_none(self, world: World) -> None:
        answer = world.client().call("history", {"persona_id": NOBODY})

        assert fault(answer) == (404, "not_found")
        assert answer.body["detail"] == f"There is no persona {NOBODY}."

    def test_gaps_below_the_highest_recorded_version_are_not_pending(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        world.update(persona_id, name="Bo")
        stream.taken()
        world.update(persona_id, name="Cy")
        stream.flow()

        told = history(world, persona_id)

        assert (numbers(told), told["pending"]) == ([3, 2], [])

    def test_nothing_is_pending_of_a_persona_whose_history_was_erased_long_ago(
        self, world: World, stream: Streamed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        persona_id = world.save()
        world.update(persona_id, name="Bo")
        assert history(world, persona_id)["pending"] == [1]
        monkeypatch.setattr("personas.operations.history.STREAM_REMEMBERS", timedelta())

        assert history(world, persona_id)["pending"] == []

    def test_shows_one_version_with_its_values(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(department_ids=[CARE], examples=["One.", "Two."], voice_ids=[ALTO])
        world.update(persona_id, color_id=PLUM, voice_ids=[BASS])
        stream.flow()

        (version,) = history(world, persona_id, version=1)["versions"]

        assert version["version"] == 1
        assert version["values"] == {
            "name": NEEDED["name"],
            "description": None,
            "instructions": NEEDED["instructions"],
            "color": {"id": TEAL, "name": "Teal"},
            "icon": version["values"]["icon"],
            "active": None,
            "departments": [{"id": CARE, "name": "Care"}],
            "parameter_fields": [],
            "examples": ["One.", "Two."],
            "voices": [{"id": ALTO, "name": "Alto"}],
        }

    def test_shows_the_values_that_stand_before_they_are_recorded(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()

        (version,) = history(world, persona_id, version=1)["versions"]

        assert version["values"]["name"] == NEEDED["name"]

    @pytest.mark.parametrize("version", [0, 1, 4, 2**53 - 1])
    def test_a_version_that_is_not_there_is_missing(self, world: World, stream: Streamed, version: int) -> None:
        # Given versions 2 and 3, and none of the first one
        persona_id = world.save()
        stream.taken()
        for name in ("Bo", "Cy"):
            world.update(persona_id, name=name)

        answer = world.client().call("history", {"persona_id": persona_id, "version": version})
        assert fault(answer) == MISSING
        assert answer.body["detail"] == f"There is no version {version} of persona {persona_id}."


class TestDepartments:
    """A persona that was moved between departments: who could not see a version learns nothing of it."""

    @pytest.fixture
    def moved(self, world: World, stream: Streamed) -> str:
        """Return a persona of Sales in its versions 1, 3 and 4, of Care in 2 and 5, and not recorded in 6 and 7."""
        persona_id = world.save(department_ids=[SALES])
        world.update(persona_id, department_ids=[CARE])
        world.update(persona_id, department_ids=[SALES])
        world.update(persona_id, name="Secret of Sales")
        world.update(persona_id, department_ids=[CARE])
        stream.flow()
        return persona_id

    def test_only_versions_of_the_callers_departments_are_shown(self, world: World, moved: str) -> None:
        assert numbers(history(world, moved, "coach")) == [5, 2]
        assert numbers(history(world, moved, "admin")) == [5, 4, 3, 2, 1]

    def test_who_may_not_see_the_persona_now_sees_none_of_its_versions(self, world: World, moved: str) -> None:
        hidden, absent = (world.client("seller").call("history", {"persona_id": each}) for each in (moved, NOBODY))

        assert fault(hidden) == MISSING
        assert hidden.body["detail"].replace(moved, NOBODY) == absent.body["detail"]

    def test_a_page_is_filled_from_behind_hidden_versions(self, world: World, moved: str) -> None:
        first = history(world, moved, "coach", page_size=1)
        second = history(world, moved, "coach", page_size=1, before_version=first["next_before_version"])

        assert (numbers(first), first["next_before_version"]) == ([5], 5)
        assert (numbers(second), second["next_before_version"]) == ([2], None)

    def test_many_hidden_versions_are_passed_over(
        self, world: World, moved: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("personas.operations.history.READ_FURTHER", 1)

        assert numbers(history(world, moved, "coach", page_size=1, before_version=5)) == [2]

    def test_that_nothing_but_hidden_versions_is_left_is_not_told(self, world: World, moved: str) -> None:
        assert history(world, moved, "coach", page_size=2)["next_before_version"] is None

    @pytest.mark.parametrize("operation", ["history", "compare", "restore"])
    def test_a_hidden_version_is_answered_as_one_that_does_not_exist(
        self, world: World, stream: Streamed, moved: str, operation: str
    ) -> None:
        named = {"history": "version", "compare": "from_version", "restore": "version"}[operation]
        client = world.client("coach")
        hidden, absent = (client.call(operation, {"persona_id": moved, named: number}) for number in (4, 99))

        assert fault(hidden) == MISSING
        assert hidden.body["detail"] == absent.body["detail"].replace(" 99 ", " 4 ")

    def test_a_pending_version_is_told_only_where_its_departments_are_known(self, world: World, moved: str) -> None:
        # Given versions 6 and 7 of Sales, and 8 to 10 of Care, none of them recorded
        world.update(moved, department_ids=[SALES])
        world.update(moved, name="Another secret")
        world.update(moved, department_ids=[CARE])
        world.update(moved, name="Ada")
        world.update(moved, name="Bea")
        # Then who sees Care alone is told of those since the last move, and a superadmin of all.
        assert history(world, moved, "coach")["pending"] == [8, 9]
        assert history(world, moved)["pending"] == [6, 7, 8, 9]

    def test_a_department_that_sees_some_versions_compares_only_these(self, world: World, moved: str) -> None:
        assert compare(world, moved, "coach", from_version=2, to_version=5)["differences"]
        answer = world.client("coach").call("compare", {"persona_id": moved, "from_version": 2, "to_version": 4})
        assert fault(answer) == MISSING


class TestDeleted:
    def test_a_deletion_that_is_not_recorded_yet_hides_the_persona(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        stream.flow()
        world.delete(persona_id)

        assert fault(world.client().call("history", {"persona_id": persona_id})) == MISSING

        stream.flow()
        told = history(world, persona_id)
        assert (told["current_version"], told["deleted"], numbers(told)) == (2, True, [2, 1])
        assert (told["versions"][0]["kind"], told["versions"][0]["changed_by"]["name"]) == ("deleted", "root")
        assert told["pending"] == []

    def test_it_is_there_for_who_could_see_its_last_version(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(department_ids=[SALES])
        world.update(persona_id, department_ids=[CARE])
        world.delete(persona_id)
        stream.flow()

        assert numbers(history(world, persona_id, "coach")) == [3, 2]
        assert numbers(history(world, persona_id, "admin")) == [3, 2, 1]
        assert fault(world.client("seller").call("history", {"persona_id": persona_id})) == MISSING
        assert history(world, persona_id, "coach", page_size=1)["next_before_version"] == 3
        assert numbers(history(world, persona_id, "coach", before_version=3)) == [2]

    def test_its_deletion_has_no_values(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        world.delete(persona_id)
        stream.flow()

        (version,) = history(world, persona_id, version=2)["versions"]

        assert (version["kind"], version["values"]) == ("deleted", None)

    def test_an_id_that_was_taken_over_keeps_one_line_and_hides_what_was_there(
        self, world: World, stream: Streamed
    ) -> None:
        # Given a persona of Care that was deleted, and another one of Sales under its id
        persona_id = world.save(department_ids=[CARE], name="Old")
        world.update(persona_id, name="Older")
        world.delete(persona_id)
        stream.flow()
        assert world.save("seller", id=persona_id, department_ids=[SALES], name="New") == persona_id
        # When nothing of it is recorded yet
        told = history(world, persona_id, "seller")
        # Then Sales sees its own version alone, and learns of no other
        assert (numbers(told), told["pending"], told["next_before_version"]) == ([4], [], None)
        assert told["versions"][0]["kind"] == "created"
        # And the same when it is.
        stream.flow()
        assert numbers(history(world, persona_id, "seller")) == [4]
        assert numbers(history(world, persona_id)) == [4, 3, 2, 1]
        assert fault(world.client("coach").call("history", {"persona_id": persona_id})) == MISSING

    def test_comparing_with_a_deletion_shows_what_is_gone(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(examples=["One."])
        world.delete(persona_id)
        stream.flow()

        told = compare(world, persona_id, from_version=1)

        assert told["to_version"] == 2
        gone = {each["field"]: each for each in told["differences"]}
        assert gone.keys() == {"name", "instructions", "color", "icon", "examples"}
        assert (gone["name"]["from"], gone["name"]["to"]) == (NEEDED["name"], None)
        assert gone["examples"]["removed"] == ["One."]


class TestCompare:
    def test_tells_the_fields_that_differ(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(instructions="Ask.\nListen.", voice_ids=[ALTO], department_ids=[CARE])
        world.update(persona_id, instructions="Ask.\nWait.", voice_ids=[ALTO, BASS], color_id=PLUM)
        stream.flow()

        told = compare(world, persona_id, "coach", from_version=1, to_version=2)

        assert told == {
            "persona_id": persona_id,
            "from_version": 1,
            "to_version": 2,
            "differences": [
                {
                    "field": "instructions",
                    "from": "Ask.\nListen.",
                    "to": "Ask.\nWait.",
                    "added": None,
                    "removed": None,
                    "diff": ["--- version 1", "+++ version 2", "@@ -1,2 +1,2 @@", " Ask.", "-Listen.", "+Wait."],
                },
                {
                    "field": "color",
                    "from": {"id": TEAL, "name": "Teal"},
                    "to": {"id": PLUM, "name": "Plum"},
                    "added": None,
                    "removed": None,
                    "diff": None,
                },
                {
                    "field": "voices",
                    "from": [{"id": ALTO, "name": "Alto"}],
                    "to": [{"id": ALTO, "name": "Alto"}, {"id": BASS, "name": "Bass"}],
                    "added": [{"id": BASS, "name": "Bass"}],
                    "removed": [],
                    "diff": None,
                },
            ],
        }

    def test_goes_to_the_version_that_stands_unless_told_otherwise(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        stream.flow()
        world.update(persona_id, name="Bo")

        told = compare(world, persona_id, from_version=1)

        assert (told["to_version"], [each["to"] for each in told["differences"]]) == (2, ["Bo"])

    def test_goes_backwards_too(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        world.update(persona_id, name="Bo")
        stream.flow()

        (difference,) = compare(world, persona_id, from_version=2, to_version=1)["differences"]

        assert (difference["from"], difference["to"]) == ("Bo", NEEDED["name"])

    def test_a_version_does_not_differ_from_itself(self, world: World, stream: Streamed) -> None:
        assert compare(world, world.save(), from_version=1, to_version=1)["differences"] == []

    def test_lays_the_callers_draft_over_the_version_that_stands(self, world: World, stream: Streamed) -> None:
        persona_id = world.save(department_ids=[CARE], voice_ids=[ALTO])
        draft_id = world.draft("coach", name="Drafted", voice_ids=[])

        told = compare(world, persona_id, "coach", from_version=1, draft_id=draft_id)

        assert told["to_version"] == 1
        assert [(each["field"], each["to"]) for each in told["differences"]] == [("name", "Drafted"), ("voices", [])]
        assert told["differences"][0]["diff"][1] == f"+++ draft {draft_id}"

    def test_another_profiles_draft_is_missing(self, world: World, stream: Streamed) -> None:
        persona_id, draft_id = world.save(department_ids=[CARE]), world.draft("coach", name="Drafted")

        answer = world.client().call("compare", {"persona_id": persona_id, "from_version": 1, "draft_id": draft_id})

        assert fault(answer) == MISSING
        assert answer.body["detail"] == f"You have no draft {draft_id}."

    def test_a_draft_has_no_version_to_compare_with(self, world: World, stream: Streamed) -> None:
        body = {"persona_id": world.save(), "from_version": 1, "to_version": 1, "draft_id": world.draft(name="D")}

        answer = world.client().call("compare", body)

        assert fault(answer) == (422, "invalid")
        assert answer.body["errors"] == [{"field": "/to_version", "message": "cannot be given with draft_id"}]


class TestForgotten:
    """A table that was restored to a point in time, beside a history that knows more."""

    def test_versions_above_the_one_that_stands_are_not_shown(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        stored = world.aws.dynamodb.scan(TableName=world.table.name)["Items"]
        for number in range(2, 6):
            world.update(persona_id, name=f"Name {number}")
        stream.flow()
        for raw in stored:
            world.aws.dynamodb.put_item(TableName=world.table.name, Item=raw)
        world.restart()

        told = history(world, persona_id, page_size=1)

        assert (told["current_version"], numbers(told), told["pending"]) == (1, [1], [])
        assert fault(world.client().call("history", {"persona_id": persona_id, "version": 3})) == MISSING

    def test_the_one_under_the_current_number_is_not_shown(self, world: World, stream: Streamed) -> None:
        persona_id = world.save()
        stored = world.aws.dynamodb.scan(TableName=world.table.name)["Items"]
        world.update(persona_id, name="Forgotten")
        stream.flow()
        for raw in stored:
            world.aws.dynamodb.put_item(TableName=world.table.name, Item=raw)
        world.restart()
        world.update(persona_id, color="Plum")

        told = history(world, persona_id)

        assert (numbers(told), told["pending"]) == ([2, 1], [])
        assert told["versions"][0]["changed"] == ["color"]

    def test_a_deletion_under_the_current_number_is_not_the_one_that_stands(
        self, world: World, stream: Streamed
    ) -> None:
        persona_id = world.save()
        stored = world.aws.dynamodb.scan(TableName=world.table.name)["Items"]
        world.delete(persona_id)
        stream.flow()
        for raw in stored:
            world.aws.dynamodb.put_item(TableName=world.table.name, Item=raw)
        world.restart()
        stream.taken()
        world.delete(persona_id)

        assert fault(world.client().call("history", {"persona_id": persona_id})) == MISSING

        stream.flow()
        assert history(world, persona_id)["deleted"]


@pytest.mark.parametrize("operation", ["history", "compare", "restore"])
def test_a_persona_that_is_not_there_is_missing(world: World, operation: str) -> None:
    body = {"persona_id": NOBODY, "version": 1, "from_version": 1}
    if operation == "restore":
        del body["from_version"]

    assert fault(world.client().call(operation, body)) == MISSING


def test_a_learner_reads_but_does_not_restore(world: World, stream: Streamed) -> None:
    persona_id = world.save(department_ids=[CARE])

    assert numbers(history(world, persona_id, "learner")) == [1]
    assert compare(world, persona_id, "learner", from_version=1)["differences"] == []
    answer = world.client("learner").call("restore", {"persona_id": persona_id, "version": 1})
    assert fault(answer) == (403, "role_may_not_write")


def test_the_department_of_legal_sees_nothing(world: World, stream: Streamed) -> None:
    persona_id = world.save(department_ids=[LEGAL])
    stream.flow()

    assert fault(world.client("coach").call("history", {"persona_id": persona_id})) == MISSING
