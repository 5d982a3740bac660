"""Empty instructions are a text like any other: saved, found, copied, exported, imported and offered."""

from pathlib import Path

import pytest

from personas.domain.importing import IMPORT_FIELDS
from personas_tools.importer.columns import Columns, Field, fields_in
from personas_tools.importer.csv_file import CsvFile
from support.exported import content
from support.world import NEEDED, World, fault, pointers, result, text_id

EMPTY = text_id("instructions", "")


@pytest.fixture
def persona_id(world: World) -> str:
    return world.save(instructions="")


@pytest.mark.parametrize("sent", ["", "  \n"])
def test_a_persona_is_created_with_them(world: World, sent: str) -> None:
    persona_id = world.save(instructions=sent)

    assert world.persona(persona_id).form.instructions == (EMPTY, "")
    body = world.client("root").call("get", {"persona_id": persona_id}).body
    assert body["instructions"]["resource"] == {"id": EMPTY, "template": "", "generated": False}


@pytest.mark.parametrize("item", [{"instructions": None}, {}])
def test_null_and_absent_ones_are_missing(world: World, item: dict[str, object]) -> None:
    needed = {name: value for name, value in NEEDED.items() if name != "instructions"}

    answer = world.client("root").call("create", {"personas": [{**needed, **item}]})

    assert fault(answer) == (422, "invalid")
    assert pointers(answer) == ["/personas/0/instructions"]


def test_an_update_sets_them_and_null_does_not_clear_them(world: World) -> None:
    persona_id = world.save()
    client = world.client("root")

    emptied = client.call("update", {"personas": [{"persona_id": persona_id, "instructions": ""}]})
    cleared = client.call("update", {"personas": [{"persona_id": persona_id, "instructions": None}]})

    assert (emptied.status, cleared.status) == (200, 422)
    assert world.persona(persona_id).form.instructions == (EMPTY, "")


def test_they_go_by_their_id(world: World, persona_id: str) -> None:
    needed = {name: value for name, value in NEEDED.items() if name != "instructions"}

    answer = world.client("root").call("create", {"personas": [{**needed, "instructions_id": EMPTY}]})

    assert world.persona(str(result(answer)["persona_id"])).form.instructions == (EMPTY, "")


def test_a_draft_has_them_and_null_clears_them(world: World) -> None:
    client = world.client("root")
    draft_id = world.draft(instructions="Ask.")

    emptied = client.call("draft", {"input_draft_id": draft_id, "expected_version": 1, "instructions": ""})
    shown = client.call("get", {"draft_id": draft_id}).body["instructions"]["resource"]
    cleared = client.call("draft", {"input_draft_id": draft_id, "expected_version": 2, "instructions": None})

    assert emptied.body["form_state"]["instructions_id"] == EMPTY
    assert shown["template"] == ""
    assert cleared.body["form_state"]["instructions_id"] is None


def test_a_search_finds_the_persona_and_counts_them(world: World, persona_id: str) -> None:
    body = world.client("root").call("search", {}).body

    assert [each["persona_id"] for each in body["personas"]] == [persona_id]
    (option,) = (each for each in body["instruction_filter"]["options"] if each["id"] == EMPTY)
    assert (option["name"], option["count"]) == ("", 1)


def test_a_copy_has_them(world: World, persona_id: str) -> None:
    copy = world.client("root").call("duplicate", {"persona_id": persona_id}).body["persona_id"]

    assert world.persona(copy).form.instructions == (EMPTY, "")


def test_they_are_offered_and_suggested_after_a_refresh(world: World, persona_id: str) -> None:
    client = world.client("root")
    client.call("refresh", {})

    section = client.call("get", {}).body["instructions"]

    assert {"id": EMPTY, "template": "", "generated": False} in section["resources"]
    assert section["suggestions"] == [EMPTY]


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("update", [False, True])
def test_an_export_is_imported_with_them(
    world: World, persona_id: str, tmp_path: Path, refreshed: bool, update: bool
) -> None:
    client = world.client("root")
    if refreshed:
        client.call("refresh", {})
    exported = tmp_path / "exported.csv"
    exported.write_bytes(content(world, client.call("export", {})))
    search = client.call("search", {}).body

    file = CsvFile(exported, lambda _: True)
    columns = Columns(file, fields_in(search), update=update)
    (item,) = map(columns.item, file.rows())
    answer = client.call(item.operation, {"personas": [item.values]})

    assert item.operation == ("update" if update else "create")
    assert world.persona(str(result(answer)["persona_id"])).form.instructions == (EMPTY, "")


def test_a_new_file_without_them_lacks_what_a_persona_needs(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("name,color,icon,instructions\nAda,Teal,Star,\n", encoding="utf-8")
    file = CsvFile(path, lambda _: True)

    (item,) = map(
        Columns(file, [Field.model_validate(each.model_dump()) for each in IMPORT_FIELDS], update=False).item,
        file.rows(),
    )

    assert "instructions" not in item.values
