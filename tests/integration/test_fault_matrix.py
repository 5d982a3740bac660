"""Every operation under every fault at every call it makes: see ``support.matrix``."""

import pytest

from support.aws import Aws
from support.faults import Faults, Waiting
from support.matrix import SCENARIOS, InOrder, Lab, Scenario, made


@pytest.fixture
def lab(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Lab:
    in_order = InOrder()
    monkeypatch.setattr("personas.services.parallel", lambda: in_order)
    return made(aws, Faults.installed(monkeypatch, "dynamodb", "s3", "sqs"), Waiting(monkeypatch))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_answer_is_right_or_an_honest_error(lab: Lab, scenario: Scenario) -> None:
    clean = lab.clean(scenario)
    wrong = []
    number = 0
    import time; t=time.process_time()
    for case in lab.cases(scenario, clean):
        number += 1
        wrong += lab.judge(case, clean)
    with open("/tmp/faults-wrong.txt", "a") as f:
        f.write(
            f"{scenario.name}: {number} cases, {len(clean.sent)} calls {len(wrong)} wrong {time.process_time()-t:.1f} s\n"
            + "".join("   " + w[:900] + "\n" for w in wrong)
        )
    assert wrong == []
