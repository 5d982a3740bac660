"""The workflows of GitHub: what they run exists, prod follows dev, and only deployments may ask for a token.

Their form is held against the published schema by `make check`.
"""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".github" / "workflows"
WORKFLOWS: Final = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.yml")}
TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    """Return all jobs with the names of their workflows and their own."""
    return [(name, job, each) for name, workflow in WORKFLOWS.items() for job, each in workflow["jobs"].items()]


def steps() -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for _, _, job in jobs() for step in job.get("steps", [])]


def test_what_is_run_exists() -> None:
    commands = [step["run"] for step in steps() if "run" in step]
    made = {target for command in commands for target in re.findall(r"\bmake ([a-z-]+)", command)}
    assert {"build", "deploy", "smoke"} <= made <= TARGETS
    assert any(command == "bash .ci/run" for command in commands)
    called = [job["uses"] for _, _, job in jobs() if "uses" in job]
    assert all((ROOT / path).is_file() for path in called), called


def test_a_deployment_is_tried_once() -> None:
    run = [step.get("run", "") for step in WORKFLOWS["stage"]["jobs"]["deploy"]["steps"]]
    assert [command.startswith("make smoke") for command in run].count(True) == 1
    assert run[-1].startswith("make smoke")


def test_no_shell_is_handed_what_a_workflow_interpolates() -> None:
    # The environment of a step is data; what is put into its command is run.
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_prod_follows_dev_which_follows_the_gate() -> None:
    deploy = WORKFLOWS["deploy"]["jobs"]
    assert (deploy["build"]["needs"], deploy["dev"]["needs"], deploy["prod"]["needs"]) == ("gate", "build", "dev")
    assert [deploy[stage]["with"]["stage"] for stage in ("dev", "prod")] == ["dev", "prod"]
    # The environment is what asks for an approval, and what the role trusts.
    assert WORKFLOWS["stage"]["jobs"]["deploy"]["environment"] == "${{ inputs.stage }}"
    # PyYAML reads the key `on` as True.
    assert WORKFLOWS["deploy"][True] == {"push": {"branches": ["main"]}}


@pytest.mark.parametrize(("workflow", "name", "job"), jobs(), ids=lambda each: each if isinstance(each, str) else "")
def test_only_deployments_may_ask_for_a_token(workflow: str, name: str, job: dict[str, Any]) -> None:
    deploys = (workflow, name) in {("deploy", "dev"), ("deploy", "prod"), ("stage", "deploy")}
    expected = {"contents": "read", "id-token": "write"} if deploys else None
    assert job.get("permissions") == expected
    assert WORKFLOWS[workflow]["permissions"] == {"contents": "read"}


def test_no_key_of_aws_is_stored() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yml"))
    assert "aws-access-key" not in text
    assert "secrets" not in text
