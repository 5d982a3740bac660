"""A deployment's first look at its stack, before SAM makes a change set."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from personas_tools.deployment import DeploymentError, pending, preference_of

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

TOPIC: Final = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'


@pytest.fixture
def cloudformation() -> Iterator["CloudFormationClient"]:
    with mock_aws():
        yield boto3.client("cloudformation", region_name="us-east-1")


def test_a_stack_that_has_nothing_but_a_refused_change_set_is_new(cloudformation: "CloudFormationClient") -> None:
    # Given a first deployment that was refused: its change set has made the stack, and nothing in it
    cloudformation.create_change_set(
        StackName="stack", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=TOPIC
    )
    cloudformation.delete_change_set(StackName="stack", ChangeSetName="first")
    (found,) = cloudformation.describe_stacks(StackName="stack")["Stacks"]
    assert found["StackStatus"] == "REVIEW_IN_PROGRESS"

    # When the next one looks, then it is a first deployment again, whose end is CREATE_COMPLETE
    assert preference_of("stack", {}, cloudformation) is None


def test_a_stack_that_was_made_is_not_new(cloudformation: "CloudFormationClient") -> None:
    cloudformation.create_stack(StackName="stack", TemplateBody=TOPIC)
    assert preference_of("stack", {}, cloudformation) == "AllAtOnce"


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_stack_whose_creation_failed_has_to_be_deleted_first(
    cloudformation: "CloudFormationClient", monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    found = {"StackName": "stack", "StackStatus": status, "Parameters": []}
    monkeypatch.setattr(cloudformation, "describe_stacks", lambda **_: {"Stacks": [found]})
    with pytest.raises(DeploymentError, match=f"{status}.*delete-stack --stack-name stack"):
        preference_of("stack", {}, cloudformation)


def test_a_stack_that_does_not_exist_has_no_change_sets(cloudformation: "CloudFormationClient") -> None:
    with Stubber(cloudformation) as stubber:
        stubber.add_client_error("list_change_sets", "ValidationError", "Stack [stack] does not exist")
        assert pending("stack", cloudformation) == set()


def test_change_sets_that_may_not_be_listed_are_not_none(cloudformation: "CloudFormationClient") -> None:
    # Given a role without cloudformation:ListChangeSets
    with Stubber(cloudformation) as stubber:
        stubber.add_client_error("list_change_sets", "AccessDenied")

        # When the change sets are asked for, then nobody is told that there are none
        with pytest.raises(ClientError, match="AccessDenied"):
            pending("stack", cloudformation)
