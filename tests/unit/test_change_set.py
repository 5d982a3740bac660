"""The judgement of change sets, on sets as CloudFormation describes them; and of the stack policy beside it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from personas_tools.change_set import HOLDS_DATA, lines, refusals

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ChangeTypeDef

POLICY: Final = Path(__file__).parents[2] / "stack-policy.json"


def change(action: str, name: str, kind: str, **rest: Any) -> "ChangeTypeDef":
    """Return a change as ``describe_change_set`` tells it."""
    known: dict[str, Any] = {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Scope": [],
        "Details": [],
    }
    return {"Type": "Resource", "ResourceChange": {**known, **rest}}


def modification(name: str, kind: str, replacement: str, *details: dict[str, Any]) -> "ChangeTypeDef":
    """Return a change of a resource that exists, and if it is replaced."""
    return change("Modify", name, kind, Replacement=replacement, Details=[*details])


def because(attribute: str, name: str | None, recreation: str) -> dict[str, Any]:
    """Return the detail of a change: the property, and if another value of it needs another resource."""
    target = {"Attribute": attribute, "RequiresRecreation": recreation, **({"Name": name} if name else {})}
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


ORDINARY: Final = [
    change("Add", "HistoryTable", "AWS::DynamoDB::Table"),
    change("Add", "GetFunctionVersion1a2b3c4d5e", "AWS::Lambda::Version"),
    change("Remove", "GetFunctionVersion0f9e8d7c6b", "AWS::Lambda::Version"),
    modification("GetFunction", "AWS::Lambda::Function", "False"),
    modification("LatencyAlarm", "AWS::CloudWatch::Alarm", "True"),
    modification(
        "PersonasTable", "AWS::DynamoDB::Table", "False", because("Properties", "StreamSpecification", "Never")
    ),
    modification("Bucket", "AWS::S3::Bucket", "False", because("Tags", None, "Never")),
]


def test_an_ordinary_deployment_is_not_refused() -> None:
    assert list(refusals(ORDINARY)) == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            modification(
                "PersonasTable",
                "AWS::DynamoDB::Table",
                "True",
                because("Properties", "LocalSecondaryIndexes", "Always"),
                because("Properties", "SSESpecification", "Never"),
            ),
            "PersonasTable would be replaced by another, empty one, because of LocalSecondaryIndexes",
        ),
        (
            modification(
                "Bucket", "AWS::S3::Bucket", "Conditional", because("Properties", "BucketName", "Conditionally")
            ),
            "Bucket would be replaced by another, empty one, because of BucketName",
        ),
        (change("Remove", "HistoryTable", "AWS::DynamoDB::Table"), "HistoryTable would be removed from the stack"),
        (
            change("Dynamic", "PersonasTable", "AWS::DynamoDB::Table"),
            "PersonasTable would be replaced by another, empty one, because of Dynamic",
        ),
    ],
    ids=["another key", "perhaps another name", "left out", "not known beforehand"],
)
def test_what_loses_data_is_refused(fault: "ChangeTypeDef", said: str) -> None:
    assert list(refusals([*ORDINARY, fault])) == [said]


def test_replacements_are_told() -> None:
    assert [line for line in lines(ORDINARY) if "replacement" in line] == [
        "Modify   LatencyAlarm (AWS::CloudWatch::Alarm), replacement: True"
    ]


def test_the_stack_policy_denies_what_the_script_refuses() -> None:
    allow, deny = json.loads(POLICY.read_text(encoding="utf-8"))["Statement"]
    assert (allow["Effect"], allow["Action"]) == ("Allow", "Update:*")
    assert (deny["Effect"], deny["Action"]) == ("Deny", ["Update:Replace", "Update:Delete"])
    assert set(deny["Condition"]["StringEquals"]["ResourceType"]) == HOLDS_DATA
