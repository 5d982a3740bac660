"""The records of decisions: each has a number of its own, its title tells it, and the index lists it."""

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "adr"
RECORDS: Final = sorted(FOLDER.glob("[0-9]*.md"))


def test_no_two_decisions_share_a_number() -> None:
    numbers = [path.name[:4] for path in RECORDS]
    assert [number for number in numbers if numbers.count(number) > 1] == []


def test_a_title_begins_with_the_number_of_its_file() -> None:
    told = {path: re.match(r"# (\d+)[.:] ", path.read_text(encoding="utf-8")) for path in RECORDS}
    assert [path.name for path, found in told.items() if not found or int(found[1]) != int(path.name[:4])] == []


def test_the_index_lists_each_decision_once_in_their_order() -> None:
    rows = re.findall(r"^\| \[(\d+)\]\(([^)]+)\)", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(str(int(path.name[:4])), path.name) for path in RECORDS]
