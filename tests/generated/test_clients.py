"""Clients that generators make of docs/openapi.json: complete, typed, and working against the local service."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from support.server import demo_service

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
DOCUMENT: Final = ROOT / "docs" / "openapi.json"
TOOLS: Final = ROOT / ".local" / "clients"
"""The folder into which `make test-clients` installs what pyproject.toml and package.json name."""

pytestmark = [pytest.mark.clients, pytest.mark.emulator]

service = pytest.fixture(scope="module")(demo_service)


def run(*command: str | Path, cwd: Path) -> str:
    """Return everything that a tool of the generators' environment prints; it has to succeed."""
    environ = os.environ | {"PATH": f"{TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_python_client_lacks_nothing_and_works(service: tuple[str, str], tmp_path: Path) -> None:
    # When a client is made of the document
    said = run(
        TOOLS / "bin" / "openapi-python-client",
        *("generate", "--path", DOCUMENT, "--output-path", tmp_path / "personas_client", "--meta", "none"),
        *("--fail-on-warning",),
        cwd=tmp_path,
    )

    # Then nothing of the document is left out, and a program written with the client does its work
    assert "WARNING" not in said
    shutil.copy(HERE / "flow.py", tmp_path)
    run(TOOLS / "bin" / "python", "flow.py", *service, cwd=tmp_path)


def test_a_typescript_client_compiles_strictly_and_works(service: tuple[str, str], tmp_path: Path) -> None:
    # Given a program in a folder with what package.json names
    for name in ("flow.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    modules = tmp_path / "node_modules"
    modules.symlink_to(TOOLS / "node_modules")

    # When types are made of the document
    node = TOOLS / "bin" / "node"
    run(node, modules / "openapi-typescript" / "bin" / "cli.js", DOCUMENT, "--output", "api.d.ts", cwd=tmp_path)

    # Then the program compiles and does its work
    run(node, modules / "typescript" / "bin" / "tsc", cwd=tmp_path)
    run(node, "flow.ts", *service, cwd=tmp_path)
