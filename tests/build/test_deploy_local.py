"""`sam deploy` of the built template to ministack; every function is then invoked through the Lambda API.

Left out are the alarms that compute with metrics, which ministack refuses. All else is deployed as it is.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError

from personas_tools import template
from personas_tools.built_template import stamp
from personas_tools.bundle import native_architecture
from personas_tools.emulator import Emulator
from support.walk import ROOT, Walk, succeeded, targets

pytestmark = [pytest.mark.built, pytest.mark.emulator]

BUILD: Final = ROOT / ".aws-sam" / "local" / "build"
BUILT: Final = BUILD / "template.yaml"
SAM: Final = ROOT / ".local" / "sam" / "bin" / "sam"
MINISTACK: Final = ROOT / ".local" / "ministack" / "bin" / "ministack"
STACK: Final = "personas-deployed"
ARTIFACTS: Final = "artifacts-of-sam"
SERVICES: Final = (
    "apigateway",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "events",
    "iam",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "scheduler",
    "sns",
    "sqs",
    "ssm",
    "sts",
)
"""The services of which the template has resources."""
FIRST: Final = "1111111111first"
"""The name of the first release."""
_DRAINED_WITHIN: Final = 30.0


@dataclass
class Deployed:
    """The stack: physical ids of its resources by logical id, its outputs, and a Lambda client."""

    physical: dict[str, str]
    outputs: dict[str, str]

    def __call__(self, function: str, event: dict[str, Any]) -> object:
        # The alias, as everything invokes that.
        name = self.physical[f"{function}Aliaslive"]
        answer = boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an empty ministack with all services that the template needs; the environment leads to it."""
    assert BUILT.exists(), "make deploy-local"
    emulator = Emulator(MINISTACK, tmp_path_factory.mktemp("deployed"), services=SERVICES)
    address = emulator.launch()
    try:
        emulator.wait()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", address)
            patch.setenv("NO_PROXY", "127.0.0.1,localhost")
            yield address
    finally:
        emulator.stop()


@pytest.fixture(scope="module")
def deployable() -> Iterator[Path]:
    """Write the built template without the parts that ministack refuses, beside the code that it names."""
    document = {**template.load(BUILT)}
    resources = document["Resources"]
    assert isinstance(resources, dict)
    document["Resources"] = {name: node for name, node in resources.items() if not computes(node)}
    file = BUILD / "without-metric-math.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    stamp(file, FIRST)
    yield file
    file.unlink()


def computes(resource: object) -> bool:
    """Return True for an alarm on a value that is computed of several metrics."""
    match resource:
        case {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": _}}:
            return True
    return False


@pytest.fixture(scope="module")
def artifacts(address: str) -> str:
    """Make the bucket that SAM uploads the code to."""
    where = {"LocationConstraint": os.environ["AWS_REGION"]}
    boto3.client("s3").create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration=where)
    return ARTIFACTS


def deploy(template: Path, bucket: str, stack: str, *parameters: str) -> subprocess.CompletedProcess[str]:
    """Run `sam deploy` with these parameters, and return how it ended."""
    words = ["--template-file", template, "--stack-name", stack, "--s3-bucket", bucket]
    words += ["--region", os.environ["AWS_REGION"]]
    words += ["--config-env", "none", "--capabilities", "CAPABILITY_IAM", "--no-progressbar"]
    words += ["--parameter-overrides", *parameters] if parameters else []
    return subprocess.run(
        [SAM, "deploy", *words],
        env=os.environ | {"SAM_CLI_TELEMETRY": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def deployed(artifacts: str, deployable: Path) -> Deployed:
    """Deploy the stack by `sam deploy`."""
    done = deploy(deployable, artifacts, STACK)
    assert done.returncode == 0, done.stdout
    cloudformation = boto3.client("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    outputs = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    return Deployed(
        {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources},
        {each["OutputKey"]: each["OutputValue"] for each in outputs},
    )


@pytest.fixture(scope="module")
def walk(deployed: Deployed) -> Walk:
    """Walk through all events, each through the Lambda API."""
    return Walk(deployed.outputs["PersonasTableName"], deployed).run()


@pytest.mark.parametrize("name", targets())
def test_a_deployed_function_answers_its_event(walk: Walk, name: str) -> None:
    assert succeeded(name, walk.answers[name]), walk.answers[name]


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (f"Architecture={'x86_64' if native_architecture() == 'arm64' else 'arm64'}", "Architecture"),
        ("Stage=prod", "AlarmTopicArn"),
    ],
)
def test_a_deployment_that_could_not_work_is_refused(
    artifacts: str, deployable: Path, parameter: str, said: str
) -> None:
    # Given a build for this processor, when it is deployed for another one, or to prod with nobody to hear alarms,
    done = deploy(deployable, artifacts, "personas-refused", parameter)
    # then nothing is made, and the parameter is named.
    assert done.returncode != 0
    assert said in done.stdout
    with pytest.raises(ClientError, match="does not exist"):
        boto3.client("cloudformation").describe_stack_resources(StackName="personas-refused")


def test_what_was_saved_lies_in_the_stack_s_own_table_and_bucket(walk: Walk, deployed: Deployed) -> None:
    # Given a walk that created and copied a persona and refreshed the group,
    table, bucket = deployed.outputs["PersonasTableName"], deployed.outputs["BucketName"]
    # when the table and the bucket of the stack's outputs are looked into,
    personas = boto3.client("dynamodb").query(
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues={":pk": {"S": f"group#{walk.group}"}, ":sk": {"S": "persona#"}},
    )["Items"]
    objects = boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    # then both personas are there, and the group's views, and its export where there are exports.
    assert len(personas) == 2
    folders = {each["Key"].partition("/")[0] for each in objects}
    assert folders == {"views", "exports"} & {"views", *(["exports"] if "export" in walk.answers else [])}


def test_the_queue_feeds_the_function(walk: Walk, deployed: Deployed) -> None:
    # Given the messages that the scheduled event left on the queue,
    assert walk.answers["scheduled"]["queued"] > 0
    sqs, queue = boto3.client("sqs"), deployed.outputs["RefreshQueueUrl"]
    # when the stack's own event source has had a moment,
    ends = time.monotonic() + _DRAINED_WITHIN
    while waiting(sqs, queue) and time.monotonic() < ends:
        time.sleep(0.5)
    # then they are done.
    assert waiting(sqs, queue) == 0


def test_the_stream_feeds_the_history(walk: Walk, deployed: Deployed) -> None:
    # Given personas that were created, updated and deleted,
    ends = time.monotonic() + _DRAINED_WITHIN
    # when the stack's own event source has had a moment,
    wanted = {"created", "updated", "deleted"}
    while not wanted <= recorded(deployed, walk.group) and time.monotonic() < ends:
        time.sleep(0.5)
    # then their versions lie in the table of the history.
    assert wanted <= recorded(deployed, walk.group)


def recorded(deployed: Deployed, group: str) -> set[str]:
    """Return the kinds of the versions of a group's personas."""
    items = boto3.client("dynamodb").scan(TableName=deployed.outputs["HistoryTableName"])["Items"]
    return {item["kind"]["S"] for item in items if "kind" in item and item["pk"]["S"].startswith(f"history#{group}#")}


def test_a_release_is_rolled_back_by_one_command_and_on_again(
    walk: Walk, deployed: Deployed, artifacts: str, deployable: Path, tmp_path: Path
) -> None:
    # Given a second release of the same code, with another setting, that `make deploy` makes over the first,
    config = tmp_path / "samconfig.toml"
    words = {"stack_name": STACK, "s3_bucket": artifacts, "region": os.environ["AWS_REGION"]}
    words |= {"capabilities": "CAPABILITY_IAM", "parameter_overrides": "LogLevel=WARNING"}
    settings = "".join(f'{name} = "{value}"\n' for name, value in words.items())
    config.write_text(f"version = 0.1\n[local.deploy.parameters]\n{settings}", encoding="utf-8")
    words_of_make = ["local", "LogLevel=ERROR", "--template", str(deployable), "--config", str(config), "--yes"]
    done = subprocess.run(
        [sys.executable, "-m", "personas_tools.deployment", *words_of_make],
        env=os.environ | {"SAM_CLI_TELEMETRY": "0"},
        check=False,
    )
    assert done.returncode == 0
    assert set(levels(deployed).values()) == {"ERROR"}
    # when it is rolled back,
    assert rollback() == 0
    # then every function is at the first release, with its settings, and answers; another step back is refused;
    assert set(levels(deployed).values()) == {"INFO"}
    assert walk.send("search")["statusCode"] == 200
    assert rollback() == 1
    # and back again all are at the second.
    assert rollback("--undo") == 0
    assert set(levels(deployed).values()) == {"ERROR"}


def rollback(*words: str) -> int:
    """Run the command and return its exit code."""
    command = [sys.executable, "-m", "personas_tools.rollback", "--stack", STACK, *words]
    return subprocess.run(command, check=False).returncode


def levels(deployed: Deployed) -> dict[str, str]:
    """Return the log level of the version that the alias of each function is at."""
    functions = boto3.client("lambda")
    return {
        name: functions.get_function_configuration(FunctionName=arn)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"]
        for name, arn in deployed.physical.items()
        if name.endswith("Aliaslive")
    }


def waiting(sqs: Any, queue: str) -> int:
    """Count the messages of a queue that are not done."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)
