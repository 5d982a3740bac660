"""The limits that CONTRIBUTING.md sets to modules, functions and their names."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from personas.contract.registry import ROUTES

ROOT: Final = Path(__file__).parents[2]
LAYER: Final = ROOT / "layers" / "shared" / "personas"

MODULE_MAX: Final = 350
"""Lines, blank ones and docstrings included."""
FUNCTION_MAX: Final = 60
"""Lines, from ``def`` to the end."""
ROOM_MAX: Final = 10
"""Modules of ``search/`` and of ``views/``."""

SAME_THING: Final = {
    **dict.fromkeys(ROUTES, "an operation: its models in contract/, its work in operations/"),
    "authorship": "who changed what: the rules in domain/, the attribute in store/",
    "draft": "an operation, and in domain/ the rules of what it writes",
    "drafts": "an operation, and in store/ the items that it lists",
    "history": "the versions of a persona: a record of one in domain/, as items in store/",
    "resources": "the entries of a catalogue: on the wire in contract/, as sections show them in domain/",
    "tools": "the tools of the MCP server: their arguments and results in contract/, their table in mcp/",
    "sections": "the sections of a form: on the wire in contract/, laid out in domain/",
}
"""The modules of two layers that bear one name, with the one thing that both are about."""


def modules() -> list[Path]:
    """Return the modules that ship, and the tools."""
    return [path for folder in (LAYER, ROOT / "functions", ROOT / "tools") for path in sorted(folder.rglob("*.py"))]


def too_large() -> Iterator[str]:
    """Yield the modules and functions with too many lines, and the folders with too many modules."""
    for path in modules():
        name, source = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if len(source.splitlines()) > MODULE_MAX:
            yield name
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > FUNCTION_MAX:
                yield f"{name}:{node.name}"
    for room in (LAYER / "search", LAYER / "views"):
        if len([path for path in room.glob("*.py") if path.stem != "__init__"]) > ROOM_MAX:
            yield room.relative_to(ROOT).as_posix()


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_module_and_no_function_is_too_large() -> None:
    assert sorted(too_large()) == []


def test_two_modules_of_the_layer_bear_one_name_only_where_they_are_about_one_thing() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(LAYER.rglob("*.py")):
        if path.stem != "__init__":
            found[path.stem].append(path.relative_to(LAYER).parent.as_posix())
    twice = {name: folders for name, folders in found.items() if len(folders) > 1}
    assert {name: folders for name, folders in twice.items() if name not in SAME_THING} == {}


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "manager"])
def test_no_module_is_named_for_nothing(name: str) -> None:
    assert [path for path in modules() if path.stem == name] == []
