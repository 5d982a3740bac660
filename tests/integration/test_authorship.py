"""The author of a version and the stamps of its fields, as every write stores them with the persona."""

from datetime import timedelta

from personas.contract.persona_fields import FIELD_NAMES
from personas.domain.authorship import Author, Stamp, Stamps, Write, stamped_alike
from personas.store import keys
from personas.store.authorship import AUTHORSHIP, authorship_in
from support.world import CARE, GROUP, PEOPLE, Clock, World

ROOT, COACH = (Author(PEOPLE[name].id, name) for name in ("root", "coach"))


def told(world: World, persona_id: str) -> tuple[Write | None, Stamps]:
    """Return what the stored item tells of its last write and of its fields."""
    item = world.table.get(keys.persona(GROUP, persona_id))
    assert item is not None
    return authorship_in(item).write, authorship_in(item).stamps


def versions(stamps: Stamps) -> dict[str, int]:
    """Return the version in which each field last changed, where that is not the first."""
    return {name: stamp.version for name, stamp in stamps.fields.items() if stamp.version != 1}


def test_a_new_persona_tells_who_made_it(world: World, clock: Clock) -> None:
    persona_id = world.save("coach", department_ids=[CARE])

    write, stamps = told(world, persona_id)

    assert write == Write("created", clock.moment.isoformat(), COACH)
    assert set(stamps.fields) == set(FIELD_NAMES)
    assert len(set(stamps.fields.values())) == 1
    assert stamps.fields["name"].changed_by == COACH


def test_an_update_stamps_the_fields_that_it_changes_and_no_others(world: World, clock: Clock) -> None:
    persona_id = world.save("coach", name="Otto", department_ids=[CARE])
    clock.passes(hours=1)
    item = {"persona_id": persona_id, "name": "Otto", "description": "A tester", "examples": ["Hm."]}

    world.client("root", x_mcp="true").call("update", {"personas": [item]})

    write, stamps = told(world, persona_id)
    assert write == Write("updated", clock.moment.isoformat(), ROOT, mcp=True)
    assert stamps.as_of == 2
    assert versions(stamps) == {"description": 2, "examples": 2}
    assert stamps.fields["examples"].changed_by == ROOT
    assert stamps.fields["name"].changed_by == COACH
    assert stamps.fields["name"].at == (clock.moment - timedelta(hours=1)).isoformat()


def test_a_copy_was_created_by_who_made_it(world: World) -> None:
    persona_id = world.save("coach", department_ids=[CARE])

    answer = world.client("root").call("duplicate", {"persona_id": persona_id})

    write, stamps = told(world, answer.body["persona_id"])
    assert write is not None
    assert (write.kind, write.changed_by) == ("created", ROOT)
    assert {stamp.changed_by for stamp in stamps.fields.values()} == {ROOT}


def test_a_tombstone_tells_who_deleted_it(world: World, clock: Clock) -> None:
    persona_id = world.save("coach", department_ids=[CARE])
    clock.passes(hours=1)

    world.client("root").call("delete", {"persona_ids": [persona_id]})

    write, stamps = told(world, persona_id)
    assert write == Write("deleted", clock.moment.isoformat(), ROOT)
    assert {stamp.version for stamp in stamps.fields.values()} == {2}


def test_a_persona_that_is_made_again_was_created_and_changed_in_every_field(world: World) -> None:
    persona_id = world.save("root")
    world.client("root").call("delete", {"persona_ids": [persona_id]})

    world.save("coach", id=persona_id, department_ids=[CARE])

    write, stamps = told(world, persona_id)
    assert write is not None
    assert (write.kind, write.changed_by) == ("created", COACH)
    assert {(stamp.version, stamp.changed_by) for stamp in stamps.fields.values()} == {(3, COACH)}


def test_the_cast_of_a_scenario_leaves_the_authorship_as_it_is(world: World) -> None:
    persona_id = world.save("coach", department_ids=[CARE])
    before = told(world, persona_id)

    world.cast("A scene", persona_id)
    world.assign(persona_id, "learner")

    assert told(world, persona_id) == before


def test_after_a_write_that_stamped_nothing_every_field_counts_as_changed_in_it(world: World) -> None:
    # Given an item whose version an earlier release has written, which leaves the attribute as it was
    persona_id = world.save("coach", department_ids=[CARE])
    key = keys.persona(GROUP, persona_id)
    world.set(key, "version", 5)
    before = told(world, persona_id)

    world.update(persona_id, name="Bo")

    write, stamps = told(world, persona_id)
    unrecorded = Stamp(5, world.persona(persona_id).created_at)
    assert before == (None, stamped_alike(unrecorded))
    assert write is not None
    assert versions(stamps) == dict.fromkeys(FIELD_NAMES, 5) | {"name": 6}
    assert stamps.fields["color"] == unrecorded


def test_damaged_stamps_are_no_obstacle_and_are_recorded_anew(world: World) -> None:
    persona_id = world.save("coach", department_ids=[CARE])
    key = keys.persona(GROUP, persona_id)
    world.set(key, AUTHORSHIP, b"damaged")

    world.update(persona_id, name="Bo")

    _, stamps = told(world, persona_id)
    assert stamps.as_of == 2
    assert versions(stamps) == {"name": 2}
