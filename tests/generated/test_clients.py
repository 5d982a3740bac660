"""Clients that generators make of docs/openapi.json: complete, typed, and working against the local service."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from support.programs import MODULES, NODE, PYTHON, TSC, run
from support.server import ROOT

HERE: Final = Path(__file__).parent
DOCUMENT: Final = ROOT / "docs" / "openapi.json"

pytestmark = [pytest.mark.clients, pytest.mark.emulator]


def test_a_python_client_lacks_nothing_and_works(service: tuple[str, str], tmp_path: Path) -> None:
    # When a client is made of the document
    said = run(
        PYTHON.with_name("openapi-python-client"),
        *("generate", "--path", DOCUMENT, "--output-path", tmp_path / "personas_client", "--meta", "none"),
        *("--fail-on-warning",),
        cwd=tmp_path,
    )

    # Then nothing of the document is left out, and a program written with the client does its work
    assert "WARNING" not in said
    shutil.copy(HERE / "flow.py", tmp_path)
    run(PYTHON, "flow.py", *service, cwd=tmp_path)


def test_a_typescript_client_compiles_strictly_and_works(service: tuple[str, str], tmp_path: Path) -> None:
    # Given a program in a folder with what package.json names
    for name in ("flow.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)

    # When types are made of the document
    run(NODE, MODULES / "openapi-typescript" / "bin" / "cli.js", DOCUMENT, "--output", "api.d.ts", cwd=tmp_path)

    # Then the program compiles and does its work
    run(NODE, TSC, cwd=tmp_path)
    run(NODE, "flow.ts", *service, cwd=tmp_path)
