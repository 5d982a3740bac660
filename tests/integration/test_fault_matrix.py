"""Every operation under every fault at every call it makes: see ``support.matrix``.

`make faults` tries all cases and writes down how many there were; `make test` tries a sample.
"""

import json
import os
from pathlib import Path
from typing import Final

import pytest

from support.aws import Aws
from support.faults import Faults, Waiting
from support.matrix import SCENARIOS, InOrder, Lab, Scenario, made

EVERY: Final = int(os.environ.get("FAULTS_EVERY", "29"))
COUNTS: Final = os.environ.get("FAULTS_COUNTS", "")
"""The file that gets a line for each scenario: cases by fault, and what was wrong."""


@pytest.fixture
def lab(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Lab:
    in_order = InOrder()
    monkeypatch.setattr("personas.services.parallel", lambda: in_order)
    return made(aws, Faults.installed(monkeypatch, "dynamodb", "s3", "sqs"), Waiting(monkeypatch))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_answer_is_right_or_an_honest_error(lab: Lab, scenario: Scenario) -> None:
    clean = lab.clean(scenario)
    cases = list(lab.cases(scenario, clean))[SCENARIOS.index(scenario) % EVERY :: EVERY]
    wrong = [each for case in cases for each in lab.judge(case, clean)]
    if COUNTS:
        tried: dict[str, int] = {}
        for case in cases:
            tried[case.fault.name] = tried.get(case.fault.name, 0) + 1
        line = {"scenario": scenario.name, "calls": len(clean.sent), "tried": tried, "wrong": wrong}
        with Path(COUNTS).open("a") as file:
            file.write(json.dumps(line) + "\n")
    assert wrong == []
