"""The filters of a list as pickers of a bulk edit, where the catalogue has more entries than a filter offers."""

from collections.abc import Callable
from typing import Final

import pytest

from support.world import World, color, department, field_row, icon, parameter

MANY: Final = 101
"""Entries of a kind, besides those that are there."""
NAMES: Final = [f"N{number:03}" for number in range(MANY)]


def colors(world: World) -> list[str]:
    return [world.add("colors", each, color(each, f"#0000{number:02x}")) for number, each in enumerate(NAMES)]


def icons(world: World) -> list[str]:
    return [world.add("icons", each, icon(each, each.lower())) for each in NAMES]


def voices(world: World) -> list[str]:
    return [world.add("voices", each, {"voice": each, "generated": False}) for each in NAMES]


def departments(world: World) -> list[str]:
    return [world.add("departments", each, department(each)) for each in NAMES]


def fields(world: World) -> list[str]:
    added = [world.add("fields", each, field_row(each)) for each in NAMES]
    world.add("parameters", "Tone", parameter("Tone", *added))
    return added


@pytest.mark.parametrize(
    ("kind", "section", "key", "add"),
    [
        ("color", "colors", "id", colors),
        ("icon", "icons", "id", icons),
        ("voice", "voices", "id", voices),
        ("department", "departments", "department_id", departments),
        ("field", "parameter_fields", "field_id", fields),
    ],
)
def test_a_picker_has_what_the_form_has_and_its_search_what_lies_beyond(
    world: World, kind: str, section: str, key: str, add: Callable[[World], list[str]]
) -> None:
    # Given more entries of a kind than a filter or a form offers at once, none of them in use
    added = add(world)
    client = world.client()

    # When a client reads the form and the list
    form = client.call("get", {}).body[section]["resources"]
    listed = client.call("search", {}).body[f"{kind}_filter"]["options"]

    # Then both are cut, the list has all that the form has, and a search brings each entry that neither has
    assert len(form) == len(listed) == 100
    assert {each[key] for each in form} <= {each["id"] for each in listed}
    beyond = {name: each for name, each in zip(NAMES, added, strict=True) if each not in {one["id"] for one in listed}}
    assert beyond
    for name, each in beyond.items():
        found = client.call("search", {f"{kind}_search": name}).body[f"{kind}_filter"]["options"]
        assert [one["id"] for one in found] == [each]
