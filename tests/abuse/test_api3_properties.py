"""API3, broken object property level authorisation: nobody sets what is the service's to set, or reads what it keeps.

Writing operations refuse by name what they do not know, at every level; reading ones pass it over. `X-MCP` alone marks
a persona as made through an MCP server (tests/integration/test_create.py).
"""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from support.world import CARE, GROUP, NEEDED, OTHER_GROUP, PEOPLE, World, pointers, result

READ_ONLY: Final[Mapping[str, object]] = {
    "mcp": True,
    "generated": True,
    "can_edit": True,
    "can_delete": True,
    "can_duplicate": True,
    "is_inactive": True,
    "version": 99,
    "seq": 99,
    "write_id": "x.0",
    "created_at": "2020-01-01T00:00:00+00:00",
    "updated_at": "2020-01-01T00:00:00+00:00",
    "profile_id": PEOPLE["root"].id,
    "profile_ids": [PEOPLE["root"].id],
    "session_id": PEOPLE["root"].id,
    "role": "superadmin",
    "scenario_ids": [],
    "active_scenario_ids": [],
    "num_scenarios": 0,
    "num_profiles": 0,
    "pk": f"group#{OTHER_GROUP}",
    "sk": "group",
    "row": {"g": True},
    "expires_at": 1,
    "deleted": False,
    "__proto__": {"mcp": True},
    "Name": "Other case",
    "name ": "Trailing space",
}
"""Fields that are stored, answered or used for decisions, and in no request's shape."""


def places(world: World) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Return the places for an extra field: the operation, a valid body, and the pointer to the object."""
    persona_id = world.save(department_ids=[CARE])
    return {
        "create": ("create", {"personas": [dict(NEEDED)]}, "/personas/0"),
        "create's body": ("create", {"personas": [dict(NEEDED)]}, ""),
        "update": ("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]}, "/personas/0"),
        "update's body": ("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]}, ""),
        "duplicate": ("duplicate", {"persona_id": persona_id}, ""),
        "delete": ("delete", {"persona_ids": [persona_id]}, ""),
        "draft": ("draft", {"name": "Bo"}, ""),
    }


PLACES: Final = ("create", "create's body", "update", "update's body", "duplicate", "delete", "draft")


@pytest.mark.parametrize("place", PLACES)
def test_nothing_can_be_slipped_in(world: World, place: str) -> None:
    operation, body, pointer = places(world)[place]
    inner = body["personas"][0] if pointer else {}
    before = world.contents()

    for name, value in READ_ONLY.items():
        slipped = {"personas": [{**inner, name: value}]} if pointer else {name: value}
        answer = world.client("root").call(operation, body | slipped)

        assert answer.status == 422, name
        assert pointers(answer) == [f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"]
    assert world.contents() == before


def test_every_place_is_tried(world: World) -> None:
    assert set(PLACES) == places(world).keys()


def test_a_group_in_a_body_is_not_written_to(world: World) -> None:
    answer = world.client("root").call(
        "create", {"personas": [{**NEEDED, "group_id": OTHER_GROUP}], "group_id": OTHER_GROUP}
    )

    persona_id = result(answer)["persona_id"]
    assert world.stored(persona_id, GROUP) is not None
    assert world.stored(persona_id, OTHER_GROUP) is None


@pytest.mark.parametrize(("operation", "body"), [("get", {}), ("search", {}), ("drafts", {}), ("docs", {})])
def test_reading_with_unknown_fields_is_as_without(world: World, operation: str, body: dict[str, object]) -> None:
    """A field that is passed over gives nobody a role, another group, or more to read."""
    world.save(department_ids=[CARE])
    client = world.client("coach")
    slipped = {name: value for name, value in READ_ONLY.items() if name != "scenario_ids"}

    assert client.call(operation, {**body, **slipped}).text == client.call(operation, body).text
