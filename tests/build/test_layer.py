"""The built layer holds everything that a function can import, though not everything that its wheels brought."""

import sys
from fnmatch import fnmatch
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Final

import pytest

from personas_tools.bundle import LAYER_LIMIT, UNREACHED, functions, layers, weights
from support.walk import ROOT

pytestmark = pytest.mark.built

BUILD: Final = ROOT / ".aws-sam" / "local" / "build"
LEGACY: Final = "pydantic.v1"
"""Imported by pydantic itself, for a class that looks like one of its version 1; there is none."""


def test_nothing_that_a_handler_reaches_imports_what_was_dropped() -> None:
    # Given the packages that were dropped, and LEGACY among them,
    dropped = {pattern.replace("/", ".") for pattern in UNREACHED if "*" not in pattern}
    assert LEGACY in dropped
    layer = layers(BUILD)[0] / "python"
    # when every import statement is followed from the handlers on, those within functions too,
    finder = ModuleFinder(path=[str(layer)])
    for folder in functions(BUILD):
        finder.run_script(str(folder / "handler.py"))
    assert {"personas.services", "personas.search.index"} <= finder.modules.keys()
    # then none leads to them.
    missing = finder.any_missing()
    gone = {name for name in missing if any(fnmatch(f"{name}.", f"{package}.*") for package in dropped)}
    assert gone == {LEGACY}


def test_the_layer_is_small() -> None:
    rows = weights(layers(BUILD)[0])
    assert {"personas", "pydantic_core", "pyroaring"} <= {row.package for row in rows}
    assert sum(row.zipped for row in rows) < LAYER_LIMIT


def test_there_is_byte_code_for_every_module() -> None:
    tag = sys.implementation.cache_tag
    modules = [path for folder in (*functions(BUILD), *layers(BUILD)) for path in folder.rglob("*.py")]
    assert len(modules) > 300
    assert [path for path in modules if not bytecode_of(path, tag).exists()] == []


def bytecode_of(module: Path, tag: str | None) -> Path:
    """Return the path of a module's byte code."""
    return module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc"
