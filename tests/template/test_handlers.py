"""Handlers are thin: they import the layer alone, and of it only what faces them."""

import ast
import sys
from pathlib import Path
from typing import Final

import pytest

from personas.contract.registry import ROUTES

HANDLERS: Final = sorted((Path(__file__).parents[2] / "functions").glob("*/handler.py"))
BELOW: Final = ("personas.store", "personas.views", "personas.search", "personas.domain")
"""Modules that a handler reaches through operations only."""


def imported(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path} imports relatively"
            assert not node.level, f"{path} imports relatively"
            modules.add(node.module)
    return modules


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_imports_nothing_but_the_layer(path: Path) -> None:
    modules = imported(path)
    roots = {module.partition(".")[0] for module in modules}
    assert roots <= {"personas", "aws_lambda_powertools", *sys.stdlib_module_names}
    assert not [module for module in modules if module.startswith(BELOW)]


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_imports_its_own_operation_only(path: Path) -> None:
    modules = imported(path)
    operations = {module.split(".")[2] for module in modules if module.startswith("personas.operations.")}
    # The MCP server has a room of its own above the operations, which its function alone enters.
    operations |= {"mcp" for module in modules if module.startswith("personas.mcp.")}
    contracts = {module.split(".")[2] for module in imported(path) if module.startswith("personas.contract.")}
    assert operations == {path.parent.name}
    assert path.parent.name in contracts or path.parent.name not in ROUTES
