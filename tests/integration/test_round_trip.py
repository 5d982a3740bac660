"""Tests that an export can be created again unchanged: export, an empty group, import, export."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import batched
from pathlib import Path

import pytest
from click.testing import CliRunner

from personas_tools import library
from personas_tools.cli import main
from personas_tools.library_file import parse
from support.exported import cells, stored, values
from support.hazards import LIBRARY, personas
from support.transport import Handlers, connect
from support.world import CARE, GROUP, World

PERSONAS = 150


def without_ids(rows: Sequence[Mapping[str, str]]) -> Counter[tuple[str, ...]]:
    """Count the rows of a file without their ids; a row may be there several times."""
    return Counter(tuple(cell for name, cell in row.items() if name != "persona_id") for row in rows)


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that runs a command on the handlers and their store; it returns output, or the error."""
    connect(monkeypatch, Handlers(world.client(), stored=partial(stored, world)))

    def invoke(*arguments: str, fails: int = 0) -> str:
        result = CliRunner().invoke(main, [*arguments, "--key", world.key("root")])
        assert result.exit_code == fails, (result.output, result.exception)
        return result.stderr if fails else result.stdout

    return invoke


def test_hostile_texts_come_back(world: World, run: Callable[..., str], tmp_path: Path) -> None:
    # Given personas made of hostile texts, exported partly from the views and partly from what was written since
    library.load(world.table, GROUP, parse(LIBRARY))
    client = world.client()
    made = list(personas(PERSONAS))
    for first in range(0, PERSONAS, 10):
        answer = client.call("create", {"personas": made[first : first + 10]})
        assert all(result["success"] for result in answer.body["results"]), answer.text
        if first == PERSONAS // 2 // 10 * 10:
            assert client.call("refresh").status == 200
    file, again = tmp_path / "file.csv", tmp_path / "again.csv"
    assert run("export", "--output", str(file)) == f"{file}\n"
    before = cells(file.read_bytes())
    assert sorted(map(said, map(values, before))) == sorted(map(said, made))
    # When the group is emptied and the file imported
    ids = [row["persona_id"] for row in before]
    for first in range(0, PERSONAS, 100):
        assert client.call("delete", {"persona_ids": ids[first : first + 100]}).status == 200
    assert world.names() == []
    run("import", str(file), "--yes")
    # Then another export is the same, but for the ids
    run("export", "--output", str(again))
    after = cells(again.read_bytes())
    assert without_ids(after) == without_ids(before)
    assert {row["persona_id"] for row in after}.isdisjoint(ids)


def test_hostile_texts_come_back_from_a_workbook(world: World, run: Callable[..., str], tmp_path: Path) -> None:
    # Given personas made of hostile texts, exported as a workbook and as a CSV
    library.load(world.table, GROUP, parse(LIBRARY))
    client = world.client()
    made = [persona for persona in personas(60) if len(str(persona["instructions"])) < 30_000]
    for some in batched(made, 20, strict=False):
        assert all(result["success"] for result in client.call("create", {"personas": some}).body["results"])
    file, plain = tmp_path / "file.xlsx", tmp_path / "file.csv"
    assert run("export", "--output", str(file)) == f"{file}\n"
    run("export", "--output", str(plain))
    before = cells(plain.read_bytes())
    assert len(before) == len(made) > 50
    # When it is imported as an update, then nothing changes
    assert "updates would change nothing" in run("import", str(file), "--update", "--dry-run")
    # And when the group is emptied and the workbook imported, then another export is the same, but for the ids
    assert client.call("delete", {"persona_ids": [row["persona_id"] for row in before]}).status == 200
    run("import", str(file), "--yes")
    run("export", "--output", str(plain), "--yes")
    assert without_ids(cells(plain.read_bytes())) == without_ids(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.csv", "file.xlsx"]


def test_what_no_cell_holds_is_not_exported_as_a_workbook(
    world: World, run: Callable[..., str], tmp_path: Path
) -> None:
    persona_id = world.save(examples=["x" * 1_990 + str(number) for number in range(20)])
    refused = run("export", "--output", str(tmp_path / "file.xlsx"), fails=1)
    assert refused == (
        f"Error: No workbook was written: examples of persona {persona_id} has 39849 characters, and a cell holds "
        "32767. Export to a name in .csv.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_export_of_some(
    world: World, run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    world.save(name="Ada", departments=["Care"])
    world.save(name="Adam", departments=["Sales"])
    world.save(name="Bo", departments=["Care"])
    (tmp_path / "old.csv").write_text("old")
    assert run("export", "--search", "ADA", "--department", CARE, "--output", "old.csv", "--yes") == "old.csv\n"
    assert [row["name"] for row in cells((tmp_path / "old.csv").read_bytes())] == ["Ada"]
    named = run("export").strip()
    assert re.fullmatch(r"personas_export_\d{4}-\d\d-\d\d_\d{6}\.csv", named)
    assert len(cells((tmp_path / named).read_bytes())) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["old.csv", named])


def said(persona: Mapping[str, object]) -> str:
    """Return the fields of a persona in one form: an empty field is as good as an absent one."""
    return repr(sorted((name, value) for name, value in persona.items() if value not in ("", [])))
