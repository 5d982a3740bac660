"""The environment that `make test-clients` installs: programs of others, in Python and in Node.js."""

import os
import subprocess
from pathlib import Path
from typing import Final

from support.server import ROOT

PROGRAMS: Final = ROOT / ".local" / "clients"
"""The folder of what pyproject.toml and tests/generated/package.json name."""
NODE: Final = PROGRAMS / "bin" / "node"
PYTHON: Final = PROGRAMS / "bin" / "python"
MODULES: Final = PROGRAMS / "node_modules"
TSC: Final = MODULES / "typescript" / "bin" / "tsc"


def output(*command: str | Path, cwd: Path) -> tuple[int, str]:
    """Return the exit code of a program, and everything that it prints."""
    environ = os.environ | {"PATH": f"{PROGRAMS / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def run(*command: str | Path, cwd: Path) -> str:
    """Return everything that a program prints; it has to succeed."""
    code, printed = output(*command, cwd=cwd)
    assert code == 0, printed
    return printed
