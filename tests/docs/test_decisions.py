"""The records of decisions: numbers without gaps, one form, and an index that lists them all."""

import re
from pathlib import Path
from typing import Final

import pytest

from support.readme import DOCUMENTS, ROOT

FOLDER: Final = ROOT / "docs" / "adr"
RECORDS: Final = sorted(FOLDER.glob("[0-9]*.md"))
HEADINGS: Final = ["Context", "Decision", "Rejected", "Consequences"]


def test_numbers_run_from_one_without_gaps() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_a_status_and_the_headings_of_all(path: Path) -> None:
    _, _, status, *rest = path.read_text(encoding="utf-8").splitlines()
    assert re.match(r"(Accepted|Replaced by \[ADR \d+\]\(.+\))[,.]", status)
    assert [line[3:] for line in rest if line.startswith("## ")] == HEADINGS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_reference_leads_to_the_record_that_it_names(document: Path) -> None:
    named = re.findall(r"ADR (\d+)\]\([^)]*?(\d{4})-[^)]+\)", document.read_text(encoding="utf-8"))
    assert [pair for pair in named if int(pair[0]) != int(pair[1])] == []


def test_a_title_begins_with_the_number_of_its_file() -> None:
    told = {path: re.match(r"# (\d+)\. ", path.read_text(encoding="utf-8")) for path in RECORDS}
    assert [path.name for path, found in told.items() if not found or int(found[1]) != int(path.name[:4])] == []


def test_the_index_lists_each_decision_once_in_their_order() -> None:
    rows = re.findall(r"^\| \[(\d+)\]\(([^)]+)\)", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(str(int(path.name[:4])), path.name) for path in RECORDS]
