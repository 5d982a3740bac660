"""Deploys what `make build` built, as samconfig.toml says: stamps it as a release, judges the change set, executes it.

    python -m personas_tools.deployment prod AlarmTopicArn=arn:aws:sns:... --yes

Parameters stand behind the name of the environment and win over those of samconfig.toml; what neither names stays as
the stack has it. A change set that would replace or remove a table or the bucket is not executed.
"""

import argparse
import hashlib
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
import yaml
from botocore.exceptions import ClientError, WaiterError

from personas_tools import change_set, rollback
from personas_tools.built_template import stamp

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ChangeTypeDef, WaiterConfigTypeDef

ROOT: Final = Path(__file__).parents[2]
SAM: Final = ROOT / ".local" / "sam" / "bin" / "sam"
POLICY: Final = ROOT / "stack-policy.json"
PREFERENCE: Final = "DeploymentPreference"
_PATIENCE: "Final[WaiterConfigTypeDef]" = {"Delay": 15, "MaxAttempts": 480}
"""Two hours: the slowest preference moves a tenth of the callers every ten minutes."""

_NEVER_CREATED: Final = frozenset({"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
"""States of a stack that CloudFormation can only delete."""


class DeploymentError(Exception):
    """Nothing was deployed, or not to the end; the message says why."""


def release_of(template: Path, parameters: Mapping[str, str]) -> str:
    """Return the name of the release: a hash of the built template, of all files beside it and of the parameters."""
    document = yaml.safe_load(template.read_text(encoding="utf-8"))
    for resource in document["Resources"].values():
        resource.get("Properties", {}).pop("AutoPublishCodeSha256", None)
    found = hashlib.sha256(yaml.safe_dump([document, dict(parameters)], sort_keys=True).encode())
    for path in sorted(
        path for path in template.parent.rglob("*") if path.is_file() and path.parent != template.parent
    ):
        found.update(f"{path.relative_to(template.parent)} {path.stat().st_size}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:20]


def parameters_of(config: Mapping[str, str], given: list[str]) -> dict[str, str]:
    """Return the parameters of samconfig.toml and of the command line, which wins."""
    pairs = [*shlex.split(config.get("parameter_overrides", "")), *given]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def preference_of(stack: str, parameters: Mapping[str, str], cloudformation: "CloudFormationClient") -> str | None:
    """Return how callers would be moved to the release; None where the stack has yet to be created.

    Raises:
        DeploymentError: the creation of the stack failed.
    """
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if _is_absent(error):
            return None
        raise
    status = found["StackStatus"]
    if status == "REVIEW_IN_PROGRESS":  # a change set made the stack, and was not executed
        return None
    if status in _NEVER_CREATED:
        raise DeploymentError(
            f"{stack} is {status} and takes no changes."
            f" Delete it first: aws cloudformation delete-stack --stack-name {stack}"
        )
    present = {each.get("ParameterKey"): each.get("ParameterValue") for each in found.get("Parameters", [])}
    return parameters.get(PREFERENCE) or present.get(PREFERENCE) or "AllAtOnce"


def refuse_canaries_after_a_rollback(stack: str, preference: str, cloudformation: "CloudFormationClient") -> None:
    """Raise ``DeploymentError`` where CodeDeploy would, after minutes: aliases are not where the stack left them."""
    if preference == "AllAtOnce":
        return
    moved = rollback.forward(rollback.aliases_of(stack, cloudformation, boto3.client("lambda")))
    if moved:
        raise DeploymentError(f"{stack} was rolled back, and CodeDeploy refuses that: add {PREFERENCE}=AllAtOnce")


def pending(stack: str, cloudformation: "CloudFormationClient") -> set[str]:
    """Return the change sets of a stack that can be executed."""
    try:
        pages = list(cloudformation.get_paginator("list_change_sets").paginate(StackName=stack))
    except ClientError as error:
        if _is_absent(error):
            return set()
        raise
    found = [each for page in pages for each in page.get("Summaries", [])]
    return {each["ChangeSetId"] for each in found if each.get("ExecutionStatus") == "AVAILABLE"}


def _is_absent(error: ClientError) -> bool:
    """Tell whether CloudFormation said that there is no such stack."""
    return error.response.get("Error", {}).get("Code") == "ValidationError"


def changes_of(name: str, stack: str, cloudformation: "CloudFormationClient") -> list["ChangeTypeDef"]:
    """Return all changes of a change set."""
    pages = cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=name, StackName=stack)
    return [change for page in pages for change in page.get("Changes", [])]


def deploy(arguments: argparse.Namespace) -> None:
    """Deploy the built template to the stack of an environment.

    Raises:
        DeploymentError: the change set was refused, or the stack did not take it.
        RollbackError: the stack is being changed.
    """
    environment = tomllib.loads(arguments.config.read_text(encoding="utf-8"))[arguments.environment]
    config = environment["deploy"]["parameters"]
    stack, parameters = config["stack_name"], parameters_of(config, arguments.parameters)
    cloudformation = boto3.client("cloudformation")
    preference = preference_of(stack, parameters, cloudformation)
    if preference is not None:
        refuse_canaries_after_a_rollback(stack, preference, cloudformation)
    release = release_of(arguments.template, parameters)
    stamp(arguments.template, release)
    before = pending(stack, cloudformation)
    command: list[str | Path] = [SAM, "deploy", "--template-file", arguments.template, "--no-execute-changeset"]
    command += ["--config-file", arguments.config.resolve(), "--config-env", arguments.environment]
    command += ["--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    command += (
        ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())] if parameters else []
    )
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603 - SAM, with words of samconfig.toml and make
        raise DeploymentError("sam deploy made no change set; see above.")
    made = pending(stack, cloudformation) - before
    if not made:
        sys.stdout.write(f"{stack} is as it is to be.\n")
        return
    (name,) = made
    judge(name, stack, cloudformation, ask=not arguments.yes)
    execute(name, stack, cloudformation, is_new=preference is None)
    sys.stdout.write(f"{stack} runs release {release}.\n")


def judge(name: str, stack: str, cloudformation: "CloudFormationClient", *, ask: bool) -> None:
    """Show a change set; delete it and raise ``DeploymentError`` where it is refused, here or by who is asked."""
    changes = changes_of(name, stack, cloudformation)
    sys.stdout.write("".join(f"{line}\n" for line in change_set.lines(changes)))
    refused = list(change_set.refusals(changes))
    if not refused and ask and input("Deploy this? [y/N] ").strip().lower() != "y":
        refused = ["You said no"]
    if refused:
        cloudformation.delete_change_set(ChangeSetName=name, StackName=stack)
        raise DeploymentError(f"Nothing was deployed. {'. '.join(refused)}.")


def execute(name: str, stack: str, cloudformation: "CloudFormationClient", *, is_new: bool) -> None:
    """Execute a change set, wait for its end, and set the stack's policy.

    Raises:
        DeploymentError: CloudFormation took the changes back.
    """
    cloudformation.execute_change_set(ChangeSetName=name, StackName=stack)
    try:
        if is_new:
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=_PATIENCE)
        else:
            cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=_PATIENCE)
    except WaiterError as error:
        raise DeploymentError(
            f"{stack} did not take the changes: aws cloudformation describe-stack-events --stack-name {stack}"
        ) from error
    cloudformation.set_stack_policy(StackName=stack, StackPolicyBody=POLICY.read_text(encoding="utf-8"))


def main() -> int:
    """Deploy the environment that is named on the command line; return 1 where it was not deployed."""
    parser = argparse.ArgumentParser(
        description="Deploy what was built, unless it would replace a table or the bucket."
    )
    parser.add_argument("environment", help="a name of samconfig.toml, such as dev")
    parser.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", help="parameters besides those of samconfig.toml"
    )
    parser.add_argument("--template", type=Path, default=ROOT / ".aws-sam" / "build" / "template.yaml")
    parser.add_argument("--config", type=Path, default=ROOT / "samconfig.toml")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    try:
        deploy(parser.parse_args())
    except (DeploymentError, rollback.RollbackError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
