"""Every operation under every fault at every call it makes: see ``support.matrix``.

`make faults` tries all cases and writes down how many there were; `make test` tries a sample.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.aws import Aws, as_it_is, forget
from support.faults import Faults, Waiting
from support.matrix import SCENARIOS, Ground, Lab, Scenario, hurry, made

EVERY: Final = int(os.environ.get("FAULTS_EVERY", "41"))
COUNTS: Final = os.environ.get("FAULTS_COUNTS", "")
"""The file that gets a line for each test: cases by fault, and what was wrong."""
ALL: Final = 3
"""Up to this sample, the cases of a scenario are divided into pieces, for many processes."""
PIECES: Final = [
    pytest.param(scenario, piece, id=scenario.name if not piece else f"{scenario.name} {piece + 1}")
    for scenario in SCENARIOS
    for piece in range(scenario.pieces if EVERY <= ALL else 1)
]


@pytest.fixture(scope="module")
def ground(cloud: Aws) -> Iterator[Ground]:
    with as_it_is(cloud):
        with pytest.MonkeyPatch.context() as patch:
            begin(cloud, patch)
            Waiting(patch)
            laid = made(cloud)
        yield laid


def begin(aws: Aws, patch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment.items():
        patch.setenv(name, value)
    forget()
    hurry(patch)


@pytest.fixture
def lab(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    begin(ground.world.aws, monkeypatch)
    yield Lab(ground, Faults.installed(monkeypatch, "dynamodb", "s3", "sqs"), Waiting(monkeypatch), monkeypatch)
    forget()


@pytest.mark.parametrize(("scenario", "piece"), PIECES)
def test_the_answer_is_right_or_an_honest_error(lab: Lab, scenario: Scenario, piece: int) -> None:
    clean = lab.clean(scenario)
    cases = list(lab.cases(scenario, clean))[SCENARIOS.index(scenario) % EVERY :: EVERY]
    if EVERY <= ALL:
        cases = cases[piece :: scenario.pieces]
    judged = [lab.judge(case, clean) for case in cases]
    wrong = [each for found in judged for each in found.wrong]
    if COUNTS:
        # All faults in their order, also those that were not drawn here.
        tried = Counter(dict.fromkeys((fault.name for fault in lab.all_faults(scenario)), 0))
        tried.update(case.fault.name for case in cases)
        line = {
            "scenario": scenario.name,
            "operation": scenario.operation,
            "calls": len(clean.sent),
            "tried": tried,
            "left": Counter(each for found in judged for each in found.left),
            "wrong": wrong,
        }
        # One write: many processes add to it.
        with Path(COUNTS).open("a") as file:
            file.write(json.dumps(line) + "\n")
    assert wrong == []
