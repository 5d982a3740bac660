"""What was exported can be created again unchanged: export, an empty group, import, export."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from personas_tools import http_api, library
from personas_tools.cli import main
from personas_tools.http_api import Api
from personas_tools.library import parse
from support.exported import cells, values
from support.hazards import LIBRARY, personas
from support.transport import Handlers
from support.world import CARE, GROUP, World

PERSONAS = 150


def without_ids(rows: Sequence[Mapping[str, str]]) -> Counter[tuple[str, ...]]:
    """The rows of a file, of which each may be there several times, ids apart."""
    return Counter(tuple(cell for name, cell in row.items() if name != "persona_id") for row in rows)


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command on the handlers, and the store behind them; what it prints."""

    def stored(key: str) -> bytes:
        return world.aws.s3.get_object(Bucket=world.aws.names["Bucket"], Key=key)["Body"].read()

    handlers = Handlers(world.client(), stored=stored)
    monkeypatch.setattr(http_api, "Api", lambda url, key: Api(url, key, transport=handlers))

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(main, [*arguments, "--key", world.key("root")])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

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


def test_an_export_of_some(
    world: World, run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    world.save(name="Ada", departments=["Care"])
    world.save(name="Adam", departments=["Sales"])
    world.save(name="Bo", departments=["Care"])
    (tmp_path / "old.csv").write_text("old")
    assert run("export", "--search", "ADA", "--department", CARE, "--output", "old.csv") == "old.csv\n"
    assert [row["name"] for row in cells((tmp_path / "old.csv").read_bytes())] == ["Ada"]
    named = run("export").strip()
    assert re.fullmatch(r"personas_export_\d{4}-\d\d-\d\d_\d{6}\.csv", named)
    assert len(cells((tmp_path / named).read_bytes())) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["old.csv", named])


def said(persona: Mapping[str, object]) -> str:
    """What a persona says, in one form: an empty field is as good as an absent one."""
    return repr(sorted((name, value) for name, value in persona.items() if value not in ("", [])))
