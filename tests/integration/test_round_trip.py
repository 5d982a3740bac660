"""What was exported can be created again unchanged: export, an empty group, import, export."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from personas_tools import http_api, library
from personas_tools.cli import main
from personas_tools.http_api import Api
from personas_tools.library import parse
from support.exported import cells, content, values
from support.hazards import LIBRARY, personas
from support.transport import Handlers
from support.world import GROUP, World

PERSONAS = 150


def without_ids(rows: Sequence[Mapping[str, str]]) -> Counter[tuple[str, ...]]:
    """The rows of a file, of which each may be there several times, ids apart."""
    return Counter(tuple(cell for name, cell in row.items() if name != "persona_id") for row in rows)


def test_hostile_texts_come_back(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given personas made of hostile texts, exported partly from the views and partly from what was written since
    library.load(world.table, GROUP, parse(LIBRARY))
    client = world.client()
    made = list(personas(PERSONAS))
    for first in range(0, PERSONAS, 10):
        answer = client.call("create", {"personas": made[first : first + 10]})
        assert all(result["success"] for result in answer.body["results"]), answer.text
        if first == PERSONAS // 2 // 10 * 10:
            assert client.call("refresh").status == 200
    exported = content(world, client.call("export"))
    before = cells(exported)
    assert sorted(map(said, map(values, before))) == sorted(map(said, made))
    # When the group is emptied and the file imported
    ids = [row["persona_id"] for row in before]
    for first in range(0, PERSONAS, 100):
        assert client.call("delete", {"persona_ids": ids[first : first + 100]}).status == 200
    assert world.names() == []
    file = tmp_path / "file.csv"
    file.write_bytes(exported)
    api = Api("http://127.0.0.1", world.key("root"), transport=Handlers(client))
    monkeypatch.setattr(http_api, "Api", lambda url, key: api)
    result = CliRunner().invoke(main, ["import", str(file), "--key", "any"])
    assert result.exit_code == 0, result.output
    # Then another export is the same, but for the ids
    after = cells(content(world, client.call("export")))
    assert without_ids(after) == without_ids(before)
    assert {row["persona_id"] for row in after}.isdisjoint(ids)


def said(persona: Mapping[str, object]) -> str:
    """What a persona says, in one form: an empty field is as good as an absent one."""
    return repr(sorted((name, value) for name, value in persona.items() if value not in ("", [])))
