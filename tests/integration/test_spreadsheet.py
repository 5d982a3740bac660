"""An export in LibreOffice, by the separators of every locale: nothing in it is ever run."""

import csv
import re
import shutil
import subprocess
from itertools import batched, product
from pathlib import Path
from typing import Final

import pytest

from personas.domain.cells import escape
from personas_tools import library
from personas_tools.library import parse
from support.exported import content
from support.hazards import LIBRARY, personas
from support.world import GROUP, World

SOFFICE: Final = shutil.which("soffice")
SETTINGS: Final = {"commas": "44", "semicolons": "59", "tabs": "9", "any of them": "44/59/9", "runs": "44/59/9/MRG"}
"""What separates cells, as LibreOffice's filter for CSV takes it."""
PERSONAS: Final = 60

pytestmark = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed (libreoffice-calc-nogui)")


def formulas(file: Path, separators: str) -> list[str]:
    """The formulas that LibreOffice finds in a CSV file in UTF-8, told to evaluate what looks like one."""
    assert SOFFICE is not None
    folder = file.parent / "out"
    options = f"{separators},34,76,1,,0,false,true,false,false,false,-1,true"
    subprocess.run(  # noqa: S603  # the program that was found, on a file of our own
        [
            *(SOFFICE, "--headless", f"-env:UserInstallation={(file.parent / 'profile').as_uri()}"),
            *(f"--infilter=Text - txt - csv (StarCalc):{options}", "--convert-to", "fods"),
            *("--outdir", str(folder), str(file)),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return re.findall(r'table:formula="([^"]*)"', (folder / f"{file.stem}.fods").read_text(encoding="utf-8"))


def crafted() -> list[str]:
    """Texts with a formula in every place where a cell might begin."""
    behind = ("", "x;", "x\t", "x\n", "x\r\n", "x\r", ";", "x|", "x,", '";', '",', "x;;", "x;\t\n")
    before = ("", " ", "\xa0", '"', '""', "'", "\u200b", "\x0b")
    formula = ("=1+1", "+1+1", "-1-1", "@SUM(1)", "\uff1d1+1", '=1+1"', "=1+1;y", '=1+1","')
    return ["".join(parts) for parts in product(behind, before, formula)]


def written(path: Path, texts: list[str]) -> Path:
    """A file with each text in a column of its own kind: behind an id, between two, at the end of a row."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([GROUP, text, "Teal", text, text] for text in texts)
    return path


@pytest.mark.parametrize("separators", SETTINGS.values(), ids=SETTINGS)
def test_formulas_are_found_where_they_are(tmp_path: Path, separators: str) -> None:
    assert formulas(written(tmp_path / "raw.csv", crafted()), separators)


@pytest.mark.parametrize("separators", SETTINGS.values(), ids=SETTINGS)
def test_no_crafted_cell_is_run(tmp_path: Path, separators: str) -> None:
    assert formulas(written(tmp_path / "cells.csv", [*map(escape, crafted())]), separators) == []


def test_no_export_is_run(world: World, tmp_path: Path) -> None:
    # Given an export of personas made of hostile texts
    library.load(world.table, GROUP, parse(LIBRARY))
    for items in batched(personas(PERSONAS), 20, strict=True):
        assert world.client().call("create", {"personas": items}).status == 200
    file = tmp_path / "export.csv"
    file.write_bytes(content(world, world.client().call("export", {})))
    # When it is opened with the separators of every locale, then there is no formula
    found = {name: formulas(file, separators) for name, separators in SETTINGS.items()}
    assert [*found.values()] == [[]] * len(SETTINGS)
