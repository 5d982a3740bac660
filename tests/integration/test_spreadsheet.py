"""Exports in LibreOffice: nothing in them is ever run, and workbooks come back from it as they were."""

import csv
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from itertools import batched, product
from pathlib import Path
from typing import Final

import pytest

from personas.domain.cells import escape
from personas_tools import library, workbook
from personas_tools.importer.xlsx_file import XlsxFile
from personas_tools.library_file import parse
from support.exported import content
from support.hazards import LIBRARY, personas
from support.world import GROUP, World

SOFFICE: Final = os.environ.get("SOFFICE") or shutil.which("soffice")
SETTINGS: Final = {"commas": "44", "semicolons": "59", "tabs": "9", "any of them": "44/59/9", "runs": "44/59/9/MRG"}
"""Separators of cells, as LibreOffice's filter for CSV takes them."""
PERSONAS: Final = 60

# A package of the system, which `make` cannot install. `.ci/run` does, and names it: there, nothing is skipped.
pytestmark = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed (libreoffice-calc-nogui)")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Provide the folder of LibreOffice's settings. The first start fills it, and takes thrice as long."""
    return f"-env:UserInstallation={tmp_path_factory.mktemp('profile').as_uri()}"


def converted(profile: str, files: Sequence[Path], to: str, *options: str) -> list[Path]:
    """Return the files that LibreOffice saves when it has opened others, all of one folder, in one start."""
    assert SOFFICE is not None
    folder = files[0].parent / "out"
    command = [SOFFICE, "--headless", profile, *options, "--convert-to", to, "--outdir", str(folder), *map(str, files)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return [folder / f"{file.stem}.{to}" for file in files]


def formulas(profile: str, files: Sequence[Path], separators: str) -> list[list[str]]:
    """Return the formulas that LibreOffice finds in each CSV file in UTF-8 if it evaluates cells that look like one."""
    options = f"{separators},34,76,1,,0,false,true,false,false,false,-1,true"
    opened = converted(profile, files, "fods", f"--infilter=Text - txt - csv (StarCalc):{options}")
    return [re.findall(r'table:formula="([^"]*)"', file.read_text(encoding="utf-8")) for file in opened]


def unified(text: str) -> str:
    """Return a text as LibreOffice keeps it: with a line feed for a carriage return and a line feed."""
    return text.replace("\r\n", "\n")


def crafted() -> list[str]:
    """Return texts with a formula in every place in which a cell might begin."""
    behind = ("", "x;", "x\t", "x\n", "x\r\n", "x\r", ";", "x|", "x,", '";', '",', "x;;", "x;\t\n")
    before = ("", " ", "\xa0", '"', '""', "'", "\u200b", "\x0b")
    formula = ("=1+1", "+1+1", "-1-1", "@SUM(1)", "\uff1d1+1", '=1+1"', "=1+1;y", '=1+1","')
    return ["".join(parts) for parts in product(behind, before, formula)]


def written(path: Path, texts: list[str]) -> Path:
    """Write a file with each text in three columns: behind an id, between two others, at the end of a row."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([GROUP, text, "Teal", text, text] for text in texts)
    return path


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def crafted_formulas(
    request: pytest.FixtureRequest, profile: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], list[str]]:
    """Provide the formulas found in crafted texts as they are, and in the cells that an export makes of them."""
    folder = tmp_path_factory.mktemp("crafted")
    files = [written(folder / "raw.csv", crafted()), written(folder / "cells.csv", [*map(escape, crafted())])]
    raw, cells = formulas(profile, files, request.param)
    return raw, cells


def test_formulas_are_found_where_they_are(crafted_formulas: tuple[list[str], list[str]]) -> None:
    assert crafted_formulas[0]


def test_no_crafted_cell_is_run(crafted_formulas: tuple[list[str], list[str]]) -> None:
    assert crafted_formulas[1] == []


def test_no_export_is_run(world: World, profile: str, tmp_path: Path) -> None:
    # Given an export of personas made of hostile texts
    library.load(world.table, GROUP, parse(LIBRARY))
    for items in batched(personas(PERSONAS), 20, strict=True):
        assert world.client().call("create", {"personas": items}).status == 200
    file = tmp_path / "export.csv"
    file.write_bytes(content(world, world.client().call("export", {})))
    # When it is opened with the separators of every locale, then there is no formula
    found = {name: formulas(profile, [file], separators) for name, separators in SETTINGS.items()}
    assert [*found.values()] == [[[]]] * len(SETTINGS)


def test_a_workbook_comes_back_as_it_was(profile: str, tmp_path: Path) -> None:
    # Given a workbook of texts that look like formulas, numbers and dates, or are hard to keep
    like_others = ["0012", "1E5", "12", "TRUE", "2026-11-27", "#N/A"]
    texts = [*crafted(), *like_others, " x ", "\x0b", "_x000B_", "x005F_", "é😀"]
    file = tmp_path / "file.xlsx"
    workbook.write(file, [["name", "color"], *([text, "Teal"] for text in texts)])
    # When LibreOffice opens and saves it
    (saved,) = converted(profile, [file], "xlsx")
    again = XlsxFile(saved, lambda name: name == "name")
    # Then the texts are the same, but for the ends of lines, and none is a formula
    rows = {row.number: row for row in again.rows()}
    assert not any(row.unreadable for row in rows.values())
    read = [rows[number].cells[0] for number in range(2, len(texts) + 2)]
    assert [(text, cell) for text, cell in zip(texts, read, strict=True) if unified(text) != cell] == []
