"""The local service against docs/openapi.json by schemathesis: `make schemathesis`. Its checks: schemathesis.toml."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from support.server import ROOT, demo_key, serving

CASES: Final = 5_000
"""The cases that a run has to make at least."""


@pytest.mark.emulator
@pytest.mark.schemathesis
def test_all_checks_hold(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, port):
        command = [
            str(ROOT / os.environ["SCHEMATHESIS"]), "run", "docs/openapi.json",
            "--url", f"http://127.0.0.1:{port}", "--header", f"X-Api-Key: {demo_key(tmp_path, 'superadmin')}",
            "--checks", "all", "--exclude-checks", "unsupported_method", "--continue-on-failure",
            "--workers", "2", "--max-examples", "400", "--max-time", "600", "--no-color",
            *(["--seed", seed] if (seed := os.environ.get("SCHEMATHESIS_SEED")) else []),
        ]  # fmt: skip
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1_000, check=False)

    sys.stdout.write(run.stdout[-3_000:])
    assert run.returncode == 0, run.stdout + run.stderr
    (made,) = re.findall(r"(\d+) generated", run.stdout)
    assert int(made) >= CASES
