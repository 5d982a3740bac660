"""CHANGELOG.md: its latest release is the version of the code, and what comes next has its place."""

import re
from datetime import date
from pathlib import Path
from typing import Final

from personas import __version__

TEXT: Final = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES: Final = re.findall(r"^## \[(\d[\w.]*)\] - (.+)$", TEXT, re.MULTILINE)


def test_the_latest_release_is_the_version_of_the_code() -> None:
    assert RELEASES[0][0] == __version__


def test_releases_stand_below_the_unreleased_part_latest_first() -> None:
    headings = re.findall(r"^## \[(.+?)\]", TEXT, re.MULTILINE)
    assert headings == ["Unreleased", *(version for version, _ in RELEASES)]
    days = [date.fromisoformat(day) for _, day in RELEASES]
    assert days == sorted(days, reverse=True)
