"""The runbook has a section for every alarm, and names no other."""

import re
from pathlib import Path

from personas_tools import template

ROOT = Path(__file__).parents[2]


def test_every_alarm_has_its_section() -> None:
    # Given the alarms of the template; those on errors of one function share a section
    resources = template.load(ROOT / "template.yaml")["Resources"]
    assert isinstance(resources, dict)
    alarms = {
        re.sub(r"^\w+(?=Function(?:Errors|Time)Alarm$)", "", name)
        for name, resource in resources.items()
        if isinstance(resource, dict) and resource["Type"] == "AWS::CloudWatch::Alarm"
    }

    # Then the runbook has their names as headings
    headings = re.findall(r"^### (\w+Alarm)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(alarms)
