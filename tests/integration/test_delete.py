"""delete: retiring personas, as the contract states it."""

from datetime import timedelta

import pytest

from personas.store import keys
from support.world import CARE, GROUP, LEGAL, NOBODY, SALES, Clock, World, fault, pointers, result


class TestDeleting:
    def test_what_is_deleted_is_gone(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("delete", {"persona_ids": [persona_id]})

        assert answer.status == 200
        assert answer.body["results"] == [
            {"success": True, "persona_id": persona_id, "message": "The persona was deleted.", "code": None}
        ]
        assert world.client("root").call("get", {"persona_id": persona_id}).status == 404
        assert world.names() == []

    def test_a_result_for_each_in_order(self, world: World) -> None:
        first, second = world.save(name="Ada"), world.save(name="Bo")

        answer = world.client("root").call("delete", {"persona_ids": [second, NOBODY, first]})

        assert answer.status == 200
        told = [(each["success"], each["persona_id"]) for each in answer.body["results"]]
        assert told == [(True, second), (False, NOBODY), (True, first)]
        assert result(answer, 1)["message"] == f"There is no persona {NOBODY}."

    def test_a_tombstone_holds_nothing_of_the_persona_and_outlives_its_history(
        self, world: World, clock: Clock
    ) -> None:
        persona_id = world.save(name="Ada", description="A nurse.", instructions="Be brief.", examples=["Hello."])

        world.client("root").call("delete", {"persona_ids": [persona_id]})

        item = world.table.get(keys.persona(GROUP, persona_id))
        assert item is not None
        assert item["row"] == {"np": 0}
        assert "texts" not in item
        assert item["deleted"] is True
        assert item["expires_at"] == int((clock.moment + timedelta(days=365 + 30)).timestamp())

    def test_a_second_time_it_is_404(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("delete", {"persona_ids": [persona_id]})

        answer = world.client("root").call("delete", {"persona_ids": [persona_id]})

        assert fault(answer) == (404, "not_found")

    def test_one_named_twice_is_deleted_once(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("delete", {"persona_ids": [persona_id, persona_id.upper()]})

        assert answer.status == 200
        assert [each["success"] for each in answer.body["results"]] == [True, False]
        assert result(answer, 1)["message"] == "An earlier item of this call names the same persona."

    def test_a_hundred_at_once(self, world: World) -> None:
        items = [{"name": f"P{n:02}", "color": "Teal", "icon": "Star", "instructions": "Be."} for n in range(100)]
        created = world.client("root").call("create", {"personas": items})
        ids = [each["persona_id"] for each in created.body["results"]]

        answer = world.client("root").call("delete", {"persona_ids": ids})

        assert [each["persona_id"] for each in answer.body["results"]] == ids
        assert world.names() == []


class TestResults:
    def test_none_deleted_says_why_of_each(self, world: World) -> None:
        in_use, foreign = world.save(name="Ada", department_ids=[CARE]), world.save(name="Bo")
        world.cast("Ward", in_use)

        answer = world.client("coach").call("delete", {"persona_ids": [in_use, foreign, NOBODY]})

        assert answer.status == 200
        assert [each["code"] for each in answer.body["results"]] == ["in_use", "superadmin_only", "not_found"]
        assert [each["persona_id"] for each in answer.body["results"]] == [in_use, foreign, NOBODY]
        assert world.names() == ["Ada", "Bo"]

    def test_a_single_one_is_answered_by_its_own_error(self, world: World) -> None:
        answer = world.client("root").call("delete", {"persona_ids": [NOBODY]})

        assert fault(answer) == (404, "not_found")
        assert result(answer)["persona_id"] == NOBODY


class TestWhoMay:
    @pytest.mark.parametrize(
        ("who", "departments", "status", "code"),
        [
            ("root", [], 200, None),
            ("root", [LEGAL], 200, None),
            ("admin", [], 403, "superadmin_only"),
            ("admin", [CARE, LEGAL], 200, None),
            ("admin", [LEGAL], 404, "not_found"),
            ("coach", [CARE], 200, None),
            ("coach", [CARE, SALES], 200, None),
            ("coach", [SALES], 404, "not_found"),
            ("loner", [], 403, "superadmin_only"),
            ("loner", [CARE], 404, "not_found"),
            ("learner", [], 403, "role_may_not_write"),
            ("learner", [CARE], 403, "role_may_not_write"),
            ("learner", [SALES], 403, "role_may_not_write"),
            ("stranger", [], 404, "not_found"),
        ],
    )
    def test_role_and_one_shared_department(
        self, world: World, who: str, departments: list[str], status: int, code: str | None
    ) -> None:
        persona_id = world.save(department_ids=departments)

        answer = world.client(who).call("delete", {"persona_ids": [persona_id]})

        assert (answer.status, answer.body.get("code")) == (status, code)
        assert world.names() == ([] if status == 200 else ["Ada"])

    @pytest.mark.parametrize("who", ["root", "coach"])
    def test_nobody_while_an_active_scenario_uses_it(self, world: World, who: str) -> None:
        persona_id = world.save(department_ids=[CARE])
        world.cast("Ward", persona_id)

        answer = world.client(who).call("delete", {"persona_ids": [persona_id]})

        assert fault(answer) == (403, "in_use")
        assert world.names() == ["Ada"]

    def test_an_inactive_scenario_does_not_keep_it(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Desk", persona_id, active=False)

        assert world.client("root").call("delete", {"persona_ids": [persona_id]}).status == 200


class TestStrictness:
    @pytest.mark.parametrize("persona_ids", [[], None, NOBODY, {}, [NOBODY] * 1_001])
    def test_one_to_a_thousand_ids(self, world: World, persona_ids: object) -> None:
        answer = world.client("root").call("delete", {"persona_ids": persona_ids})

        assert answer.status == 422
        assert pointers(answer) == ["/persona_ids"]

    def test_they_must_be_there(self, world: World) -> None:
        answer = world.client("root").call("delete", {})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "/persona_ids", "message": "is required"}]

    @pytest.mark.parametrize(("sent", "told"), [(None, "null"), (True, "true"), (7, "7"), ({"id": "é"}, '{"id": "é"}')])
    def test_one_that_is_no_string_is_told_as_it_was_sent(self, world: World, sent: object, told: str) -> None:
        answer = world.client("root").call("delete", {"persona_ids": [sent]})

        assert result(answer)["persona_id"] == told

    def test_one_that_is_no_uuid_fails_alone(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("delete", {"persona_ids": ["Ada", persona_id]})

        assert answer.status == 200
        assert answer.body["results"] == [
            {"success": False, "persona_id": "Ada", "message": "must be a UUID", "code": "invalid"},
            {"success": True, "persona_id": persona_id, "message": "The persona was deleted.", "code": None},
        ]

    def test_all_that_are_no_uuids_are_named(self, world: World) -> None:
        answer = world.client("root").call("delete", {"persona_ids": ["Ada", 7]})

        assert answer.status == 200
        assert [(each["persona_id"], each["code"]) for each in answer.body["results"]] == [
            ("Ada", "invalid"),
            ("7", "invalid"),
        ]

    def test_an_unknown_field_is_refused_by_name_and_nothing_deleted(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("delete", {"persona_ids": [persona_id], "force": True})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "/force", "message": "unknown field"}]
        assert world.names() == ["Ada"]

    def test_group_id_is_accepted_and_ignored(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("delete", {"persona_ids": [persona_id], "group_id": NOBODY})

        assert answer.status == 200
