"""Tests of the shipped libraries: pinned with their hashes, and under licences that allow it."""

import re
from email.message import Message
from pathlib import Path
from typing import Final

import pytest

from personas_tools.sbom import ALLOWED, LicenceError, allowed, licence_of, with_licences

ROOT: Final = Path(__file__).parents[2]
REQUIREMENTS: Final = (ROOT / "layers/shared/requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ")
LINES: Final = REQUIREMENTS.splitlines()
SHIPPED: Final = {re.split("==", line)[0]: line for line in LINES}


@pytest.mark.parametrize("package", SHIPPED)
def test_ships_under_an_allowed_licence(package: str) -> None:
    assert licence_of(package) in ALLOWED


@pytest.mark.parametrize("licence", [None, "", "GPL-3.0-only", "MIT AND GPL-2.0-only", "LicenseRef-Proprietary"])
def test_another_licence_is_found(licence: str | None) -> None:
    described = Message()
    if licence is not None:
        described["License-Expression"] = licence

    with pytest.raises(LicenceError):
        allowed("newcomer", described)


@pytest.mark.parametrize("package", SHIPPED)
def test_is_pinned_with_its_hashes(package: str) -> None:
    assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+", SHIPPED[package])


def test_the_document_lists_what_ships_and_its_licence() -> None:
    document = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    table = document.partition("| package | licence |\n| --- | --- |\n")[2]
    listed = dict(re.findall(r"^\| ([a-z-]+) \| ([\w .-]+) \|$", table, re.MULTILINE))

    assert listed == {package: licence_of(package) for package in SHIPPED}


def test_the_bill_names_the_licence_of_every_component() -> None:
    bill = {"bomFormat": "CycloneDX", "components": [{"name": "pydantic", "purl": "pkg:pypi/pydantic@2"}]}

    assert with_licences(bill) == {
        "bomFormat": "CycloneDX",
        "components": [
            {"name": "pydantic", "purl": "pkg:pypi/pydantic@2", "licenses": [{"expression": "MIT"}]},
        ],
    }
