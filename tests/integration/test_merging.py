"""Updates that change nothing, and updates over a later version than the one that they were made on."""

from typing import Any

import pytest

from personas.contract.persona_fields import FIELD_NAMES
from personas.store import keys
from support.client import Answer
from support.world import ACTIVE, CARE, GROUP, PEOPLE, PLUM, SALES, TEAL, Clock, World, fault, pointers, result

LONG = "A nurse. " * 30


def update(world: World, persona_id: str, who: str = "root", /, **item: object) -> Answer:
    """Update a persona."""
    return world.client(who).call("update", {"personas": [{"persona_id": persona_id, **item}]})


def conflicts(answer: Answer) -> list[dict[str, Any]]:
    """Return the conflicts of a problem."""
    found = answer.body["conflicts"]
    assert isinstance(found, list)
    return found


class TestNothingToChange:
    def test_an_update_that_changes_nothing_makes_no_version(self, world: World, clock: Clock) -> None:
        persona_id = world.save(name="Ada", description="A nurse.", examples=["Hm.", "Ah."], active_flag=True)
        before = world.stored(persona_id)
        clock.passes(hours=1)

        answer = update(world, persona_id, name="Ada", examples=["Hm.", "Ah."], active_flag=True, voices=[])

        assert answer.status == 200
        assert result(answer) == {
            "success": True,
            "persona_id": persona_id,
            "message": "The persona was updated.",
            "errors": None,
            "version": 1,
            "code": None,
        }
        assert world.stored(persona_id) == before

    def test_it_is_guarded_all_the_same(self, world: World) -> None:
        persona_id = world.save(name="Ada")

        stale = update(world, persona_id, name="Ada", expected_version=7)
        unmatched = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "name": "Ada"}]}, If_Match='"7"'
        )
        forbidden = update(world, persona_id, "coach", name="Ada")

        assert [stale.status, unmatched.status, forbidden.status] == [409, 412, 403]

    def test_the_order_of_a_list_is_a_change(self, world: World) -> None:
        persona_id = world.save(examples=["Hm.", "Ah."])

        assert result(update(world, persona_id, examples=["Ah.", "Hm."]))["version"] == 2

    def test_no_fields_at_all_are_no_change(self, world: World) -> None:
        persona_id = world.save()

        assert result(update(world, persona_id))["version"] == 1

    def test_a_repeat_of_its_key_gets_its_answer(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        sent = {"personas": [{"persona_id": persona_id, "name": "Ada"}]}
        first = world.client("root").call("update", sent, Idempotency_Key="k")
        update(world, persona_id, name="Bo")

        again = world.client("root").call("update", sent, Idempotency_Key="k")

        assert again.body == first.body
        assert world.names() == ["Bo"]


class TestMerging:
    def test_a_change_goes_through_over_a_change_of_another_field(self, world: World) -> None:
        persona_id = world.save(name="Ada", description="A nurse.")
        update(world, persona_id, description="A doctor.", expected_version=1)

        answer = update(world, persona_id, name="Bo", expected_version=1, merge=True)

        assert answer.status == 200
        assert (result(answer)["version"], result(answer)["merged"]) == (3, True)
        form = world.persona(persona_id).form
        assert (form.name and form.name.text, form.description and form.description.text) == ("Bo", "A doctor.")

    def test_one_on_the_stored_version_is_not_merged(self, world: World) -> None:
        persona_id = world.save(name="Ada")

        answer = update(world, persona_id, name="Bo", expected_version=1, merge=True)

        assert result(answer)["version"] == 2
        assert "merged" not in result(answer)

    def test_without_merge_it_conflicts_as_ever(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        update(world, persona_id, description="A doctor.")

        answer = update(world, persona_id, name="Ada", expected_version=1)

        assert fault(answer) == (409, "version_conflict")
        assert answer.body["detail"] == "Version 1 was expected, and version 2 is stored."
        assert (answer.body["expected_version"], answer.body["current_version"]) == (1, 2)
        assert pointers(answer) == ["/personas/0/expected_version"]
        assert "conflicts" not in answer.body
        assert "conflicts" not in result(answer)

    def test_a_conflict_names_both_values_and_who_and_when(self, world: World, clock: Clock) -> None:
        persona_id = world.save(name="Ada", color="Teal", department_ids=[CARE])
        clock.passes(hours=1)
        update(world, persona_id, "admin", color="Plum", description=LONG)
        clock.passes(hours=1)
        update(world, persona_id, examples=["Hm."])

        answer = update(
            world, persona_id, name="Ada", color_id=TEAL, description="Short", expected_version=1, merge=True
        )

        at = world.persona(persona_id).created_at
        assert fault(answer) == (409, "version_conflict")
        assert (answer.body["expected_version"], answer.body["current_version"]) == (1, 3)
        admin = {"profile_id": PEOPLE["admin"].id, "name": "admin"}
        described, colored = conflicts(answer)
        assert described | {"at": at} == {
            "field": "description",
            "yours": "Short",
            "stored": LONG.strip(),
            "version": 2,
            "changed_by": admin,
            "at": at,
        }
        assert described["at"] > at
        assert colored["field"] == "color"
        assert colored["stored"] == {"id": PLUM, "name": "Plum"}
        assert colored["yours"]["id"] == TEAL
        assert pointers(answer) == ["/personas/0/description", "/personas/0/color_id"]
        assert "was changed in version 2 by admin" in answer.body["detail"]
        assert world.persona(persona_id).name.text == "Ada"

    def test_a_result_shows_200_characters_of_each_text(self, world: World) -> None:
        first, second = world.save(name="Ada"), world.save(name="Bo")
        update(world, first, description=LONG, examples=["x" * 150, "y" * 150, "z"])

        answer = world.client("root").call(
            "update",
            {
                "personas": [
                    {"persona_id": first, "description": "Other", "examples": [], "expected_version": 1, "merge": True},
                    {"persona_id": second, "name": "Cleo", "expected_version": 1, "merge": True},
                ]
            },
        )

        assert answer.status == 200
        assert [result(answer, each)["success"] for each in (0, 1)] == [False, True]
        described, examples = result(answer)["conflicts"]
        assert described["stored"] == LONG[:200]
        assert examples["stored"] == ["x" * 150, "y" * 50]
        assert result(answer)["code"] == "version_conflict"

    def test_the_same_value_is_no_conflict(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        update(world, persona_id, name="Bo", description="A doctor.")

        answer = update(world, persona_id, name="Bo", color="Plum", expected_version=1, merge=True)

        assert (result(answer)["version"], result(answer)["merged"]) == (3, True)

    def test_the_same_values_alone_make_no_version(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        update(world, persona_id, name="Bo")

        answer = update(world, persona_id, name="Bo", expected_version=1, merge=True)

        assert (result(answer)["version"], result(answer)["merged"]) == (2, True)

    def test_a_value_that_left_and_came_back_counts_as_changed(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        update(world, persona_id, name="Bo")
        update(world, persona_id, name="Ada")

        answer = update(world, persona_id, name="Cleo", expected_version=1, merge=True)

        assert [(each["field"], each["version"]) for each in conflicts(answer)] == [("name", 3)]

    def test_a_persona_that_was_deleted_and_made_again_has_changed_in_every_field(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        world.client("root").call("delete", {"persona_ids": [persona_id]})
        world.save(name="Ada", id=persona_id)

        answer = update(world, persona_id, name="Bo", expected_version=1, merge=True)

        assert [(each["field"], each["version"]) for each in conflicts(answer)] == [("name", 3)]

    @pytest.mark.parametrize("merge", [True, False])
    def test_a_version_above_the_stored_one_always_conflicts(self, world: World, merge: bool) -> None:
        persona_id = world.save(name="Ada")

        answer = update(world, persona_id, name="Bo", expected_version=2, merge=merge)

        assert fault(answer) == (409, "version_conflict")
        assert pointers(answer) == ["/personas/0/expected_version"]

    def test_a_stale_entity_tag_is_412_all_the_same(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        update(world, persona_id, description="A doctor.")
        item = {"persona_id": persona_id, "name": "Bo", "expected_version": 1, "merge": True}

        answer = world.client("root").call("update", {"personas": [item]}, If_Match='"1"')

        assert fault(answer) == (412, "precondition_failed")

    @pytest.mark.parametrize("item", [{}, {"expected_version": None}])
    def test_it_takes_an_expected_version(self, world: World, item: dict[str, object]) -> None:
        persona_id = world.save(name="Ada")

        answer = update(world, persona_id, name="Bo", merge=True, **item)

        assert fault(answer) == (422, "invalid")
        assert pointers(answer) == ["/personas/0/expected_version"]

    def test_null_is_no_merge(self, world: World) -> None:
        persona_id = world.save(name="Ada")

        assert update(world, persona_id, name="Bo", merge=None).status == 200

    def test_after_a_write_that_stamped_nothing_every_field_has_changed(self, world: World) -> None:
        # Given a version by the last release, which leaves the stamps behind
        persona_id = world.save(name="Ada")
        world.set(keys.persona(GROUP, persona_id), "version", 2)

        answer = update(world, persona_id, name="Bo", color="Plum", expected_version=1, merge=True)

        assert [each["field"] for each in conflicts(answer)] == ["name", "color"]
        assert {each["changed_by"] for each in conflicts(answer)} == {None}

    def test_after_that_the_next_write_records_it(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        world.set(keys.persona(GROUP, persona_id), "version", 2)
        update(world, persona_id, description="A doctor.")

        gone = update(world, persona_id, name="Bo", expected_version=1, merge=True)
        merged = update(world, persona_id, name="Bo", expected_version=2, merge=True)

        assert [gone.status, merged.status] == [409, 200]
        assert result(merged)["merged"] is True

    def test_who_may_not_see_or_edit_the_persona_learns_nothing_of_it(self, world: World) -> None:
        persona_id = world.save(name="Ada", department_ids=[CARE])
        update(world, persona_id, name="Bo")

        unseen = update(world, persona_id, "seller", name="Cleo", expected_version=1, merge=True)
        world.save()
        read_only = update(world, persona_id, "learner", name="Cleo", expected_version=1, merge=True)

        assert fault(unseen)[0] == 404
        assert fault(read_only)[0] == 403
        assert "conflicts" not in unseen.body
        assert "conflicts" not in read_only.body

    def test_departments_are_one_field(self, world: World) -> None:
        persona_id = world.save(department_ids=[CARE])
        update(world, persona_id, department_ids=[CARE, SALES])

        answer = update(world, persona_id, department_ids=[SALES], expected_version=1, merge=True)

        (conflict,) = conflicts(answer)
        assert [each["id"] for each in conflict["stored"]] == [CARE, SALES]
        assert [each["id"] for each in conflict["yours"]] == [SALES]

    def test_a_keyed_repeat_after_a_crash_finds_what_was_merged(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        update(world, persona_id, description="A doctor.")
        sent = {"personas": [{"persona_id": persona_id, "name": "Bo", "expected_version": 1, "merge": True}]}

        first = world.client("root").call("update", sent, Idempotency_Key="k")
        again = world.client("root").call("update", sent, Idempotency_Key="k")

        assert again.body == first.body
        assert result(again)["merged"] is True


def test_all_fields_can_be_in_conflict(world: World) -> None:
    persona_id = world.save(name="Ada")
    for name in ("Bo", "Cleo"):
        item: dict[str, object] = {
            "name": name,
            "description": name,
            "instructions": name,
            "color": {"Bo": "Plum", "Cleo": "Teal"}[name],
            "examples": [name],
            "active_flag": name == "Bo",
            "departments": [{"Bo": "Care", "Cleo": "Sales"}[name]],
        }
        update(world, persona_id, **item)

    answer = update(world, persona_id, **{**item, "name": "Dora", "active_flag": True}, expected_version=2, merge=True)

    assert [each["field"] for each in conflicts(answer)] == ["name", "active"]
    assert {each["field"] for each in conflicts(answer)} <= set(FIELD_NAMES)
    assert conflicts(answer)[1]["yours"]["id"] == ACTIVE
    assert conflicts(answer)[1]["stored"] is None


class TestDrafts:
    def test_a_conflict_names_its_own_profile_and_the_time_of_the_last_version(
        self, world: World, clock: Clock
    ) -> None:
        # Given a draft whose name was changed in its second version, and its description in the third
        draft_id = world.draft(name="Ada")
        for expected, change in ((1, {"name": "Bo"}), (2, {"description": "A nurse."})):
            clock.passes(hours=1)
            world.client("root").call("draft", {"input_draft_id": draft_id, "expected_version": expected, **change})
        # When a patch of the first one changes both
        sent = {"name": "Cleo", "description": "A doctor."}
        answer = world.client("root").call(
            "draft", {"input_draft_id": draft_id, "expected_version": 1, "merge": True, **sent}
        )
        # Then
        root = {"profile_id": PEOPLE["root"].id, "name": "root"}
        assert conflicts(answer) == [
            {"field": "name", "yours": "Cleo", "stored": "Bo", "version": 2, "changed_by": root, "at": None},
            {
                "field": "description",
                "yours": "A doctor.",
                "stored": "A nurse.",
                "version": 3,
                "changed_by": root,
                "at": clock().isoformat(),
            },
        ]

    @pytest.mark.parametrize("field", ["flag_id", "active_flag_id"])
    def test_the_flag_is_at_fault_by_the_name_that_it_was_sent_by(self, world: World, field: str) -> None:
        draft_id = world.draft(name="Ada")
        world.client("root").call("draft", {"input_draft_id": draft_id, "expected_version": 1, "flag_id": ACTIVE})
        patch = {"input_draft_id": draft_id, "expected_version": 1, "merge": True, field: None}

        answer = world.client("root").call("draft", patch)

        assert pointers(answer) == [f"/{field}"]


class TestDraftsOfTheLastRelease:
    """A draft that a release has written which does not record in which version a field changed."""

    @pytest.fixture
    def draft_id(self, world: World) -> str:
        draft_id = world.draft(name="Ada", description="A nurse.")
        for expected in (1, 2):
            self.patch(world, draft_id, expected, name=f"Ada {expected}")
        world.set(keys.draft(GROUP, PEOPLE["root"].id, draft_id), "as_of", 1)
        return draft_id

    def patch(self, world: World, draft_id: str, expected: int, **fields: object) -> Answer:
        body = {"input_draft_id": draft_id, "expected_version": expected, "merge": True, **fields}
        return world.client("root").call("draft", body)

    def test_is_patched_at_the_version_that_it_has(self, world: World, draft_id: str) -> None:
        answer = self.patch(world, draft_id, 3, description="A doctor.")
        assert (answer.status, answer.body["new_version"]) == (200, 4)
        assert answer.body.get("merged") is None

    def test_every_field_counts_as_changed_in_that_version(self, world: World, draft_id: str) -> None:
        answer = self.patch(world, draft_id, 2, description="A doctor.")
        assert [(each["field"], each["version"]) for each in conflicts(answer)] == [("description", 3)]

    def test_from_its_next_version_on_fields_are_told_apart_again(self, world: World, draft_id: str) -> None:
        # Given a patch of it that changes the name,
        assert self.patch(world, draft_id, 3, name="Bo").status == 200
        # when others know the version before that, then the description can still be changed, and the name cannot.
        assert self.patch(world, draft_id, 3, description="A doctor.").body["merged"] is True
        assert [each["field"] for each in conflicts(self.patch(world, draft_id, 3, name="Cleo"))] == ["name"]
        # And whoever knows no more than an earlier one cannot change a field that nobody did.
        told = conflicts(self.patch(world, draft_id, 2, color_id=TEAL))
        assert [(each["field"], each["version"]) for each in told] == [("color", 3)]


class TestDraftsInAHurry:
    """A patch that fails on the version that it expects, when there is no time left for another write."""

    @pytest.fixture
    def draft(self, world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
        """Return the beginning of a patch of a draft whose name was changed after the version that it expects."""
        draft_id = world.draft(name="Ada", description="A nurse.")
        renamed = {"input_draft_id": draft_id, "expected_version": 1, "name": "Bo"}
        assert world.client().call("draft", renamed).status == 200
        monkeypatch.setattr("personas.store.attempts.Tries.may_try_again", lambda *_, **__: False)
        return {"input_draft_id": draft_id, "expected_version": 1}

    @pytest.mark.parametrize("merge", [True, False])
    def test_is_told_a_conflict(self, world: World, draft: dict[str, object], merge: bool) -> None:
        answer = world.client().call("draft", {**draft, "name": "Cleo", "merge": merge})

        assert fault(answer) == (409, "version_conflict")
        assert answer.body["current_version"] == 2
        assert answer.body["form_state"]["name_id"] is not None

    def test_is_asked_to_come_again_with_what_could_be_merged(self, world: World, draft: dict[str, object]) -> None:
        before = world.contents()

        answer = world.client().call("draft", {**draft, "description": "A doctor.", "merge": True})

        assert fault(answer) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert world.contents() == before
