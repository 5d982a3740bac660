"""The MCP server of the local service with the clients that others have written: one script, the same in all."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from support.programs import MODULES, NODE, PYTHON, TSC, run
from support.server import Session

HERE: Final = Path(__file__).parent
EXTRA: Final = 60
"""Active personas that make more than one page of resources."""

pytestmark = [pytest.mark.clients, pytest.mark.emulator]


@pytest.fixture(scope="module")
def library(service: tuple[str, str]) -> tuple[str, str]:
    """Make the library longer than a page; return the service's address, and a key."""
    address, key = service
    fields = {"instructions": "Wait.", "color": "Teal", "icon": "Open book", "active_flag": True}
    personas = [{"name": f"Extra {number:02}", **fields} for number in range(EXTRA)]
    with Session(int(address.rpartition(":")[2]), key) as session:
        _, answer = session.call("create", {"personas": personas})
    assert all(each["success"] for each in answer["results"]), answer
    return service


@pytest.mark.parametrize("kind", ["mcp-2026", "mcp-2025", "fastmcp"])
def test_a_client_in_python_does_a_days_work(library: tuple[str, str], kind: str) -> None:
    run(PYTHON, "mcp_flow.py", kind, *library, cwd=HERE)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the script in TypeScript, once it compiles."""
    folder = tmp_path_factory.mktemp("mcp")
    for name in ("mcp_flow.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, folder)
    (folder / "node_modules").symlink_to(MODULES)
    # The declarations of the clients are theirs to check.
    run(NODE, TSC, "--skipLibCheck", cwd=folder)
    return folder


@pytest.mark.parametrize("kind", ["client", "sdk"])
def test_a_client_in_typescript_does_the_same(library: tuple[str, str], compiled: Path, kind: str) -> None:
    run(NODE, "mcp_flow.ts", kind, *library, cwd=compiled)
