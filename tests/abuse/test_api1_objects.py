"""API1, broken object level authorisation: a thing that is not the caller's is answered as one that does not exist.

Every field of every request that takes an id, with ids that belong to someone else, for every role. Whatever the
answer is, it must be the one that an id of nothing gets: then nobody can learn even that the thing exists. The actions
of a caller on its own things are tested in tests/integration/test_access_matrix.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from personas.contract.registry import ROUTES
from personas.store.personas import Found, PersonaStore
from personas_tools import library
from personas_tools.library_file import Library
from support.client import Answer
from support.world import (
    CARE,
    NEEDED,
    NOBODY,
    OTHER_GROUP,
    SALES,
    World,
    color,
    department,
    entry_id,
    field_row,
    icon,
    parameter,
    text_id,
)

SECRET: Final = "Wounded Lion"
"""Stands in every text and name that is not the caller's."""

ROLES: Final = ("root", "admin", "coach", "learner")
BOUND: Final = ("coach", "learner")
"""Roles to which a department can be foreign."""
ALL: Final = sorted(ROUTES.keys() - {"mcp"}, key=lambda name: (name == "create", name))
"""Create comes last: after it, the ids that it was given are those of personas.

The MCP server calls the same operations: tests/integration/test_mcp_access.py holds it against them.
"""
WITHOUT_CREATE: Final = ALL[:-1]
"""An id that a persona has is taken, whoever may see it: create has to say so within a group."""

LINKS: Final[Mapping[str, str]] = {
    "name_id": "names",
    "description_id": "descriptions",
    "instructions_id": "instructions",
    "example_ids": "examples",
    "color_id": "colors",
    "icon_id": "icons",
    "active_flag_id": "flags",
    "department_ids": "departments",
    "parameter_field_ids": "parameter_fields",
    "voice_ids": "voices",
}
"""The fields of what is saved, and the kind of thing whose id each takes."""

FILTERS: Final = {"scenario_ids": "scenarios", "field_ids": "fields", "filter_department_ids": "departments"}

TAKES: Final[Mapping[str, Mapping[str, str]]] = {
    "get": {"persona_id": "persona", "draft_id": "draft", "parameter_ids": "parameters"},
    "search": FILTERS,
    "create": {"id": "persona", **LINKS},
    "update": {"persona_id": "persona", **LINKS},
    "duplicate": {"persona_id": "persona"},
    "delete": {"persona_ids": "persona"},
    "draft": {"input_draft_id": "draft", "flag_id": "flags", **LINKS},
    "drafts": {},
    "docs": {"entity_id": "persona"},
    "export": {"persona_id": "persona", **FILTERS},
    "refresh": {},
    "history": {"persona_id": "persona"},
    "compare": {"persona_id": "persona", "draft_id": "draft"},
    "restore": {"persona_id": "persona"},
    "download": {"upload_id": "upload"},
}
"""Every field of a request that takes an id."""


@dataclass(frozen=True)
class Cell:
    """One question: this operation, this field, an id of this kind of someone else, asked in this role."""

    operation: str
    field: str
    whose: str
    role: str


def cells(role: str, owned: Mapping[str, Mapping[str, str]], operations: Iterable[str] = ALL) -> Iterator[Cell]:
    for operation in operations:
        for field, kind in TAKES[operation].items():
            for whose, ids in owned.items():
                # A superadmin may have what colleagues exported.
                if kind in ids and (role, whose, kind) != ("root", "another profile", "upload"):
                    yield Cell(operation, field, whose, role)


def own(world: World, role: str) -> str:
    """Save a persona that everyone sees and writers may change, and return its id."""
    return world.save(department_ids=[CARE], name=f"Of {role}")


def body(cell: Cell, value: str, persona_id: str) -> dict[str, object]:
    """Return a valid body of the operation with that id in that field."""
    sent: object = [value] if cell.field.endswith("_ids") else value
    match cell.operation:
        case "create":
            needed = {name: given for name, given in NEEDED.items() if f"{name}_id" != cell.field}
            item = {**needed, "department_ids": [CARE], cell.field: sent}
            return {"personas": [item]}
        case "update":
            return {"personas": [{"persona_id": persona_id, cell.field: sent}]}
        case "compare":
            return {"persona_id": persona_id, "from_version": 1, cell.field: sent}
        case "restore":
            return {"persona_id": sent, "version": 1}
        case _:
            return {cell.field: sent}


def owned_by_others(world: World) -> dict[str, dict[str, str]]:
    """Create things that are not the caller's, and return their ids by owner and kind."""
    texts = {
        "name": f"{SECRET} N",
        "description": f"{SECRET} D",
        "instructions": f"{SECRET} I",
        "examples": [f"{SECRET} E"],
    }
    field = world.add("fields", "Alien", field_row(f"{SECRET} field"), OTHER_GROUP)
    mood = world.add("parameters", "Alien", parameter(f"{SECRET} parameter", field), OTHER_GROUP)
    flag = {"key": "active", "label": "Active", "description": SECRET, "generated": False}
    links = {
        "color_id": world.add("colors", "Alien", color(f"{SECRET} color", "#112233"), OTHER_GROUP),
        "icon_id": world.add("icons", "Alien", icon(f"{SECRET} icon", "alien"), OTHER_GROUP),
        "active_flag_id": world.add("flags", "active", flag, OTHER_GROUP),
        "department_ids": [world.add("departments", "Alien", department(f"{SECRET} department"), OTHER_GROUP)],
        "parameter_field_ids": [entry_id("parameter_fields", f"{mood}/{field}", OTHER_GROUP)],
        "voice_ids": [world.add("voices", "Alien", {"voice": f"{SECRET} voice", "generated": False}, OTHER_GROUP)],
    }
    made = world.client("stranger").call("create", {"personas": [{**texts, **links}]})
    assert made.status == 200, made.text
    library.load(world.table, OTHER_GROUP, Library.model_validate({"scenarios": [{"name": f"{SECRET} scenario"}]}))
    alien: dict[str, Any] = {
        "persona": made.body["results"][0]["persona_id"],
        "draft": world.draft("stranger", **texts),
        "upload": upload(world, "stranger"),
        "names": text_id("names", texts["name"], OTHER_GROUP),
        "descriptions": text_id("descriptions", texts["description"], OTHER_GROUP),
        "instructions": text_id("instructions", texts["instructions"], OTHER_GROUP),
        "examples": text_id("examples", texts["examples"][0], OTHER_GROUP),
        "fields": field,
        "parameters": mood,
        "scenarios": entry_id("scenarios", f"{SECRET} scenario", OTHER_GROUP),
        **{LINKS[name]: value[0] if isinstance(value, list) else value for name, value in links.items()},
    }
    return {
        "another group": alien,
        "another profile": {"draft": world.draft("seller", **texts), "upload": upload(world, "seller")},
    }


def upload(world: World, who: str) -> str:
    """Export as that person, and return the id of the export."""
    upload_id: str = world.client(who).call("export", {}).body["upload_id"]
    return upload_id


def unseen(world: World) -> dict[str, dict[str, str]]:
    """Save a persona of a department that only a superadmin and its own people see."""
    return {"another department": {"persona": world.save(department_ids=[SALES], name=SECRET, instructions=SECRET)}}


def leaks(
    world: World, role: str, owned: Mapping[str, Mapping[str, str]], operations: Iterable[str] = ALL
) -> set[Cell]:
    """Return the cells in which the answer differs from that to an id of nothing, or contains the secret."""
    persona_id, client, found = own(world, role), world.client(role), set()
    for cell in cells(role, owned, operations):
        asked = owned[cell.whose][TAKES[cell.operation][cell.field]]
        told, silent = (
            anonymous(client.call(cell.operation, body(cell, each, persona_id)), each) for each in (asked, NOBODY)
        )
        if told != silent or SECRET in told[1]:
            found.add(cell)
    return found


def anonymous(answer: Answer, asked: str) -> tuple[int, str]:
    """Return the status and text of an answer without the requested id and the ids of the call itself."""
    text = answer.text.replace(asked, "ID")
    parsed = answer.body
    varying = [parsed.get("request_id"), parsed.get("upload_id"), parsed.get("file_name")]
    for each in filter(None, varying):
        text = text.replace(each, "")
    if answer.status == 200:
        varying = [result["persona_id"] for result in parsed.get("results", ()) if result["persona_id"]]
        for each in varying:
            text = text.replace(each, "NEW")
    return answer.status, text


def belongings(world: World) -> list[str]:
    """Return all that is stored of others, to see that none of it changes."""
    found = world.aws.dynamodb.scan(TableName=world.table.name)["Items"]
    return sorted(str(item) for item in found if OTHER_GROUP in str(item["pk"]) or SECRET in str(item))


CELLS: Final = 241
"""The number of questions, as docs/security.md states it."""


@pytest.mark.parametrize("role", ROLES)
def test_what_is_anothers_is_as_what_does_not_exist(world: World, role: str) -> None:
    owned = owned_by_others(world)
    before = belongings(world)

    assert leaks(world, role, owned) == set()
    assert belongings(world) == before


@pytest.mark.parametrize("role", BOUND)
def test_a_persona_of_a_foreign_department_is_as_one_that_does_not_exist(world: World, role: str) -> None:
    owned = unseen(world)

    assert leaks(world, role, owned, WITHOUT_CREATE) == set()


def test_every_field_that_takes_an_id_is_asked() -> None:
    for name in ALL:
        operation = ROUTES[name]
        schema = operation.request.model_json_schema() if operation.request else {}
        assert fields_with_ids(schema) | operation.path_parameters.keys() == set(TAKES[name]), name


def fields_with_ids(schema: Mapping[str, Any]) -> set[str]:
    """Return the fields of a request's schema, and of the items in it, whose values are ids."""
    found = set()
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, described in part.get("properties", {}).items():
            if "'uuid'" in str(described):
                found.add(name)
    return found


def test_the_cells_are_counted(world: World) -> None:
    of_others, foreign = owned_by_others(world), unseen(world)
    counted = [cell for role in ROLES for cell in cells(role, of_others)]
    counted += [cell for role in BOUND for cell in cells(role, foreign, WITHOUT_CREATE)]

    assert len(counted) == CELLS


class TestPlanted:
    """The matrix finds a leak that is there."""

    def test_a_store_that_looks_into_all_groups(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        find = PersonaStore.find

        def anywhere(store: PersonaStore, group_id: str, persona_id: str) -> Found:
            return find(store, group_id, persona_id) or find(store, OTHER_GROUP, persona_id)

        monkeypatch.setattr(PersonaStore, "find", anywhere)

        found = leaks(world, "root", owned_by_others(world), ["get", "docs"])

        assert Cell("docs", "entity_id", "another group", "root") in found

    def test_a_check_that_is_gone(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("personas.operations.get.may_see", lambda *_: True)

        found = leaks(world, "coach", unseen(world), ["get", "duplicate"])

        assert found == {Cell("get", "persona_id", "another department", "coach")}
