"""duplicate: copies of a persona, as the contract states them."""

import pytest

from personas.domain.persona import Persona
from personas.store import keys
from personas.store.attributes import mapping
from personas.store.personas import PersonaStore
from support.client import Answer
from support.world import (
    ALTO,
    BASS,
    CARE,
    GROUP,
    HEART,
    LEGAL,
    MOOD_CALM,
    NOBODY,
    PLUM,
    SALES,
    TONE_FORMAL,
    Clock,
    World,
    fault,
    pointers,
    text_id,
    texts_of_bytes,
)


def copy_of(world: World, persona_id: str, who: str = "root") -> Persona:
    answer = world.client(who).call("duplicate", {"persona_id": persona_id})
    assert answer.status == 200, answer.text
    return world.persona(answer.body["persona_id"])


def names_of_copies(world: World, persona_id: str, number: int) -> list[str]:
    return [copy_of(world, persona_id).name.text for _ in range(number)]


class TestCopy:
    def test_it_says_what_it_made(self, world: World) -> None:
        persona_id = world.save(name="Ada")

        answer = world.client("root").call("duplicate", {"persona_id": persona_id})

        assert answer.status == 200
        assert answer.body == {
            "success": True,
            "persona_id": answer.body["persona_id"],
            "message": "The persona was copied as 'Ada Copy'.",
        }
        assert answer.body["persona_id"] != persona_id

    def test_it_has_the_same_texts_and_links(self, world: World) -> None:
        persona_id = world.save(
            description="A nurse.",
            instructions="Be brief.",
            color_id=PLUM,
            icon_id=HEART,
            department_ids=[SALES, CARE],
            parameter_field_ids=[TONE_FORMAL, MOOD_CALM],
            examples=["Hello.", "Good bye."],
            voice_ids=[BASS, ALTO],
        )

        copy = copy_of(world, persona_id)

        assert copy.form.description == (text_id("descriptions", "A nurse."), "A nurse.")
        assert copy.form.instructions == (text_id("instructions", "Be brief."), "Be brief.")
        assert (copy.form.color_id, copy.form.icon_id) == (PLUM, HEART)
        assert copy.department_ids == (SALES, CARE)
        assert copy.form.parameter_field_ids == (TONE_FORMAL, MOOD_CALM)
        assert [example.text for example in copy.form.examples] == ["Hello.", "Good bye."]
        assert copy.form.voice_ids == (BASS, ALTO)

    def test_it_is_inactive_and_new(self, world: World) -> None:
        persona_id = world.save(active_flag=True)
        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "description": "A nurse."}]})

        copy = copy_of(world, persona_id)

        assert copy.form.active_flag_id is None
        assert copy.version == 1

    def test_it_was_made_when_it_was_copied_and_by_a_person(self, world: World, clock: Clock) -> None:
        persona_id = world.save(name="Ada")
        stored = world.stored(persona_id)
        assert stored is not None
        world.set(keys.persona(GROUP, persona_id), "row", {**mapping(stored.item, "row"), "g": True})
        clock.passes(hours=1)

        copy = copy_of(world, persona_id)

        assert world.persona(persona_id).generated
        assert not copy.generated
        assert copy.created_at == copy.updated_at == clock().isoformat()

    def test_it_is_in_no_scenario(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Ward", persona_id)
        world.cast("Desk", persona_id, active=False)

        copy = copy_of(world, persona_id)

        assert (copy.scenario_ids, copy.active_scenario_ids) == ((), ())

    def test_it_is_assigned_to_no_profile(self, world: World) -> None:
        persona_id = world.save()
        world.assign(persona_id, "coach")
        assert world.persona(persona_id).num_profiles == 1

        assert copy_of(world, persona_id).num_profiles == 0

    def test_its_own_life_does_not_touch_the_source(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        copy = copy_of(world, persona_id)

        world.client("root").call("update", {"personas": [{"persona_id": copy.id, "name": "Bo"}]})
        world.client("root").call("delete", {"persona_ids": [copy.id]})

        source = world.persona(persona_id)
        assert (source.name.text, source.version) == ("Ada", 1)

    def test_its_name_can_be_sent_back_as_an_id(self, world: World) -> None:
        copy = copy_of(world, world.save(name="Ada"))

        made = world.persona(world.save(name_id=copy.name.id))

        assert made.name.text == "Ada Copy"

    @pytest.mark.parametrize(("sent", "stored"), [("TRUE", True), ("", False)])
    def test_x_mcp_marks_the_copy(self, world: World, sent: str, stored: bool) -> None:
        persona_id = world.save()

        answer = world.client("root", X_MCP=sent).call("duplicate", {"persona_id": persona_id})

        assert world.persona(answer.body["persona_id"]).mcp is stored

    def test_a_copy_that_a_person_makes_of_one_from_mcp_is_the_persons(self, world: World) -> None:
        answer = world.client("root", X_MCP="1").call("duplicate", {"persona_id": world.save()})

        assert copy_of(world, answer.body["persona_id"]).mcp is False


class TestNames:
    def test_are_counted_at_the_source(self, world: World) -> None:
        persona_id = world.save(name="Ada")

        assert names_of_copies(world, persona_id, 3) == ["Ada Copy", "Ada Copy 2", "Ada Copy 3"]

    def test_a_number_is_not_given_out_again(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        first = copy_of(world, persona_id)
        world.client("root").call("delete", {"persona_ids": [first.id]})

        assert copy_of(world, persona_id).name.text == "Ada Copy 2"

    def test_a_copy_counts_its_own_copies(self, world: World) -> None:
        copy = copy_of(world, world.save(name="Ada"))

        assert names_of_copies(world, copy.id, 2) == ["Ada Copy Copy", "Ada Copy Copy 2"]

    def test_counting_goes_on_after_a_change_of_name(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        copy_of(world, persona_id)
        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert copy_of(world, persona_id).name.text == "Bo Copy 2"

    def test_counting_is_no_change_of_the_source(self, world: World) -> None:
        persona_id = world.save()
        before = world.stored(persona_id)

        copy_of(world, persona_id)

        after = world.stored(persona_id)
        assert before is not None
        assert after is not None
        assert (after.version, after.seq, after.persona) == (before.version, before.seq, before.persona)

    @pytest.mark.parametrize(
        ("name", "names"),
        [
            ("x" * 195, ["x" * 195 + " Copy", "x" * 193 + " Copy 2"]),
            ("x" * 196, ["x" * 195 + " Copy", "x" * 193 + " Copy 2"]),
            ("x" * 200, ["x" * 195 + " Copy", "x" * 193 + " Copy 2"]),
            ("\N{GRINNING FACE}" * 200, ["\N{GRINNING FACE}" * 195 + " Copy", "\N{GRINNING FACE}" * 193 + " Copy 2"]),
            ("x" * 190 + " " * 9 + "y", ["x" * 190 + " Copy", "x" * 190 + " Copy 2"]),
        ],
    )
    def test_are_cut_so_that_all_fits_200_characters(self, world: World, name: str, names: list[str]) -> None:
        persona_id = world.save(name=name)

        assert names_of_copies(world, persona_id, 2) == names

    @pytest.mark.parametrize(("free", "copied"), [(5, True), (4, False)])
    def test_are_part_of_the_256_kib_of_a_persona(self, world: World, free: int, copied: bool) -> None:
        # Given a persona whose texts leave so many bytes, of which " Copy" takes five
        persona_id = world.save(**texts_of_bytes(262_144 - free))
        # When it is copied
        answer = world.client("root").call("duplicate", {"persona_id": persona_id})
        # Then the copy is within the limit or not made, and its number is not taken
        assert (answer.status, pointers(answer)) == ((200, []) if copied else (422, [""]))
        world.update(persona_id, examples=[])
        assert copy_of(world, persona_id).name.text == ("Ada Copy 2" if copied else "Ada Copy")

    def test_are_known_by_their_ids_though_another_copy_was_made_meanwhile(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a call that has read a source of which another copy is made before it counts its own,
        persona_id = world.save(name="Ada")
        count = PersonaStore.next_copy

        def counted_later(store: PersonaStore, group: str, source: str, write_id: str) -> int:
            count(store, group, source, "another")
            return count(store, group, source, write_id)

        monkeypatch.setattr(PersonaStore, "next_copy", counted_later)
        # when it has made its copy, then the name can be sent back as the id that it has.
        copy = copy_of(world, persona_id)
        assert copy.name == (text_id("names", "Ada Copy 2"), "Ada Copy 2")
        world.restart()
        assert world.client().call("draft", {"name_id": copy.name.id}).status == 200


class TestWhoMay:
    @pytest.mark.parametrize(
        ("who", "departments", "status", "code"),
        [
            ("root", [], 200, None),
            ("root", [LEGAL], 200, None),
            ("admin", [], 200, None),
            ("admin", [CARE, LEGAL], 200, None),
            ("admin", [LEGAL], 404, "not_found"),
            ("coach", [CARE, SALES], 200, None),
            ("coach", [SALES], 404, "not_found"),
            ("loner", [], 422, "department_needed"),
            ("loner", [CARE], 404, "not_found"),
            ("learner", [CARE], 403, "role_may_not_write"),
            ("learner", [], 403, "role_may_not_write"),
            ("stranger", [], 404, "not_found"),
        ],
    )
    def test_role_and_seeing_the_source(
        self, world: World, who: str, departments: list[str], status: int, code: str | None
    ) -> None:
        persona_id = world.save(department_ids=departments)

        answer = world.client(who).call("duplicate", {"persona_id": persona_id})

        assert (answer.status, answer.body.get("code")) == (status, code)
        assert world.names() == (["Ada", "Ada Copy"] if status == 200 else ["Ada"])

    @pytest.mark.parametrize(
        ("who", "departments", "copied"),
        [
            ("root", [CARE, LEGAL], [CARE, LEGAL]),
            ("root", [], []),
            ("admin", [LEGAL, SALES, CARE], [SALES, CARE]),
            ("coach", [CARE, SALES], [CARE]),
            ("coach", [], [CARE]),
            ("admin", [], sorted([CARE, SALES])),
        ],
    )
    def test_departments_of_the_copy(self, world: World, who: str, departments: list[str], copied: list[str]) -> None:
        persona_id = world.save(department_ids=departments)

        assert list(copy_of(world, persona_id, who).department_ids) == copied

    def test_a_persona_in_an_active_scenario_can_be_copied(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Ward", persona_id)

        assert copy_of(world, persona_id).name.text == "Ada Copy"

    def test_a_deleted_one_is_404(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("delete", {"persona_ids": [persona_id]})

        assert fault(world.client("root").call("duplicate", {"persona_id": persona_id})) == (404, "not_found")

    def test_another_groups_is_told_in_the_words_for_a_random_id(self, world: World) -> None:
        persona_id = world.save()
        client = world.client("stranger")

        def told(answer: Answer) -> tuple[int, object, object]:
            return answer.status, answer.body["code"], answer.body["detail"].replace(persona_id, NOBODY)

        foreign = client.call("duplicate", {"persona_id": persona_id})
        assert told(foreign) == told(client.call("duplicate", {"persona_id": NOBODY}))


class TestStrictness:
    def test_the_persona_must_be_named(self, world: World) -> None:
        answer = world.client("root").call("duplicate", {})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "/persona_id", "message": "is required"}]

    @pytest.mark.parametrize("persona_id", [None, "", "Ada", 7, [NOBODY]])
    def test_by_a_uuid(self, world: World, persona_id: object) -> None:
        answer = world.client("root").call("duplicate", {"persona_id": persona_id})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "/persona_id", "message": "must be a UUID"}]

    @pytest.mark.parametrize("field", ["name", "mcp", "can_edit"])
    def test_an_unknown_field_is_refused_by_name(self, world: World, field: str) -> None:
        persona_id = world.save()

        answer = world.client("root").call("duplicate", {"persona_id": persona_id, field: "x"})

        assert answer.status == 422
        assert pointers(answer) == [f"/{field}"]
        assert world.names() == ["Ada"]

    def test_group_id_is_accepted_and_ignored(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("duplicate", {"persona_id": persona_id, "group_id": NOBODY})

        assert answer.status == 200
