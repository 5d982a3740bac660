"""The whole local stack as `make run` starts it: a server process, its workers and its emulator."""

import contextlib
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from personas.contract.registry import ROUTES

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `personas serve` on the data in ``folder``; the port that comes with it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "personas_tools.cli", "serve", "--port", "0", "--folder", str(folder)],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'tools'}{os.pathsep}{ROOT / 'layers' / 'shared'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("Personas API at http://127.0.0.1:"), first + process.stdout.read()
            yield process, int(first.rpartition(":")[2])
        finally:
            process.kill()


def demo_key(folder: Path, role: str) -> str:
    """Return the key of the demo's profile of that role."""
    key = json.loads((folder / "demo-keys.json").read_text())[role]
    assert isinstance(key, str)
    return key


def demo_service(tmp_path_factory: "pytest.TempPathFactory") -> Iterator[tuple[str, str]]:
    """Run a service with the demo in it, as a fixture does: its address, and the key of its superadmin."""
    folder = tmp_path_factory.mktemp("service")
    with serving(folder) as (_, port):
        yield f"http://127.0.0.1:{port}", demo_key(folder, "superadmin")


class Session:
    """One client of a server, over one connection."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"X-Api-Key": key, "Content-Type": "application/json"}

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, operation: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return the status and body of an answer; ``_`` in a header's name stands for a hyphen."""
        route = ROUTES[operation]
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(route.method, route.path, json.dumps(body or {}), self._headers | more)
        response = self._connection.getresponse()
        content = response.read()
        answer = json.loads(gzip.decompress(content) if response.headers["Content-Encoding"] == "gzip" else content)
        assert isinstance(answer, dict)
        return response.status, answer
