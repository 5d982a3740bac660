"""`personas import` as a process of its own, against the server that `make run` starts."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import batched
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from click.testing import CliRunner

from personas.contract.search import SearchPersonaResponse
from personas_tools.cli import main
from personas_tools.http_api import Api
from support.hazards import LIBRARY, personas
from support.server import ROOT, serving

ROWS: Final = 10_000
HOSTILE: Final = 5_000
PAGE: Final = 100

pytestmark = [pytest.mark.emulator, pytest.mark.large]


def new_group(folder: Path, library: str) -> str:
    """Load a library into a group of its own, beside the demo's; the API key of its one superadmin."""
    group, options = str(uuid4()), ("--folder", str(folder))

    def run(*arguments: str, stdin: str | None = None) -> str:
        result = CliRunner().invoke(main, [*arguments, "--group", group, *options], input=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    run("library", "load", "-", stdin=library)
    profile = run("profile", "put", "--name", "Root", "--role", "superadmin")
    return run("key", "issue", "--profile", profile)


def importing(file: Path, port: int, key: str) -> subprocess.Popen[str]:
    """Start `personas import`."""
    path = f"{ROOT / 'tools'}{os.pathsep}{ROOT / 'layers' / 'shared'}"
    own = {"PYTHONPATH": path, "PERSONAS_URL": f"http://127.0.0.1:{port}", "PERSONAS_KEY": key}
    return subprocess.Popen(
        [sys.executable, "-m", "personas_tools.cli", "import", "--yes", str(file)],
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered_batches(folder: Path) -> int:
    """Count the batches that the journal in a folder has."""
    return sum(max(0, path.read_bytes().count(b"\n") - 1) for path in folder.glob("*.jsonl"))


def names_in(api: Api) -> list[str]:
    """Return the names of all personas of the group."""
    names: list[str] = []
    while True:
        page = SearchPersonaResponse.model_validate(api.read("search", {"page_size": PAGE, "page_offset": len(names)}))
        if not page.personas:
            assert page.total_count == len(names)
            return names
        names += [row.name or "" for row in page.personas]


def test_ten_thousand_rows_killed_half_way_are_ten_thousand_personas(tmp_path: Path) -> None:
    # Given a file of ten thousand rows, and an import that is killed at about the half
    folder = tmp_path / "files"
    folder.mkdir()
    file = folder / "file.csv"
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["name", "description", "color", "icon", "instructions", "active_flag"])
        for number in range(ROWS):
            writer.writerow([f"Imported {number:05}", f"No. {number}", "Teal", "star", "Be kind.", "true"])
    with serving(tmp_path / "local") as (server, port):
        key = new_group(tmp_path / "local", LIBRARY)
        with importing(file, port, key) as killed:
            while answered_batches(folder) < ROWS // PAGE // 2:
                assert killed.poll() is None, killed.communicate()
                time.sleep(0.05)
            killed.kill()
        done = answered_batches(folder)
        assert 0 < done < ROWS // PAGE
        # When it is run again
        with importing(file, port, key) as resumed:
            out, err = resumed.communicate()
        # Then it goes on from there, and each row is there once.
        assert resumed.returncode == 0, err
        assert f"Going on after {done * PAGE} rows." in err
        assert out == f"{ROWS} created, 0 updated, 0 rejected.\n"
        assert sorted(path.name for path in folder.iterdir()) == ["file.csv"]
        with Api(f"http://127.0.0.1:{port}", key) as api:
            assert names_in(api) == [f"Imported {number:05}" for number in range(ROWS)]
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0


def test_five_thousand_hostile_personas_come_back(tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    with serving(tmp_path / "local") as (server, port):
        key = new_group(tmp_path / "local", LIBRARY)
        with Api(f"http://127.0.0.1:{port}", key) as api:
            # Given an export of personas with hostile texts
            for number, items in enumerate(batched(personas(HOSTILE), PAGE, strict=True)):
                each_done(api, "create", {"personas": items}, f"create-{number}")
            before = exported(api, file)
            assert len(before) == HOSTILE
            # When the group is emptied, and the file imported
            for number, some in enumerate(batched(before, PAGE, strict=True)):
                each_done(api, "delete", {"persona_ids": [row[0] for row in some]}, f"delete-{number}")
            assert exported(api, tmp_path / "none.csv") == []
            with importing(file, port, key) as process:
                out, err = process.communicate()
            assert out == f"{HOSTILE} created, 0 updated, 0 rejected.\n", err
            # Then another export is the same, but for the ids.
            after = exported(api, tmp_path / "again.csv")
        assert Counter(tuple(row[1:]) for row in after) == Counter(tuple(row[1:]) for row in before)
        assert {row[0] for row in after}.isdisjoint(row[0] for row in before)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0


def each_done(api: Api, operation: str, body: object, idempotency_key: str) -> None:
    """Call an operation of which each item must succeed."""
    answer = api.call(operation, json.dumps(body).encode(), idempotency_key=idempotency_key)
    results = answer.body.get("results")
    assert isinstance(results, list), answer
    assert all(result["success"] for result in results), answer


def exported(api: Api, file: Path) -> Sequence[list[str]]:
    """Export the whole group into a file, and return its rows."""
    api.download(str(api.read("export", {})["upload_id"]), file)
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.reader(text, strict=True))[1:]
