"""The choice of the versions that a roll-back moves the aliases of a stack to."""

from contextlib import nullcontext
from typing import Final

import boto3
import pytest
from botocore.stub import Stubber

from personas_tools.rollback import Alias, Move, RollbackError, Version, aliases_of, back, forward

GET: Final = Alias("get", "live", version=7, deployed=7)
CREATE: Final = Alias("create", "live", version=3, deployed=3)
VERSIONS: Final = {
    "get": [Version(5, "one"), Version(6, "two"), Version(7, "three")],
    "create": [Version(1, "one"), Version(2, "two"), Version(3, "three")],
}


def test_every_function_goes_back_to_the_release_before() -> None:
    assert back([GET, CREATE], VERSIONS) == [Move(GET, 6), Move(CREATE, 2)]


def test_a_function_that_the_release_brought_stays() -> None:
    # Given a function whose first version belongs to the release that is live
    # When the release is rolled back, then the function stays, for nothing before it had its routes
    assert back([GET, CREATE], VERSIONS | {"create": [Version(3, "three")]}) == [Move(GET, 6)]


def test_again_it_goes_one_further_back_though_a_function_stayed() -> None:
    # Given a release that brought a function, and was rolled back
    versions = VERSIONS | {"create": [Version(3, "three")]}
    behind = Alias("get", "live", version=6, deployed=7)

    # When it goes back again, then the function that has nothing before it stays, and keeps no other from going
    assert back([behind, CREATE], versions) == [Move(behind, 5)]


def test_after_a_roll_back_that_ended_half_way_it_begins_with_undo() -> None:
    # Given one function that was moved, and one that was not
    behind = Alias("get", "live", version=6, deployed=7)

    # When it goes back again, then it is told what sets both right
    with pytest.raises(RollbackError, match=r"at: three, two.*ARGS=--undo"):
        back([behind, CREATE], VERSIONS)


def test_two_versions_of_one_release_are_one_step() -> None:
    # Given a release that published twice, as where a deployment was repeated
    versions = {"get": [Version(5, "two"), Version(6, "three"), Version(7, "three")]}

    # When it is rolled back, then both of its versions are passed over
    assert back([GET], versions) == [Move(GET, 5)]


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        (VERSIONS | {"create": [Version(2, "one"), Version(3, "two")]}, "not at one release"),
        ({"get": [Version(6, ""), Version(7, "")], "create": [Version(2, ""), Version(3, "")]}, "not at one release"),
        ({"get": [Version(7, "three")], "create": [Version(3, "three")]}, "no release before three"),
    ],
    ids=["at several", "without a name", "at the first"],
)
def test_what_cannot_be_rolled_back_stays(versions: dict[str, list[Version]], said: str) -> None:
    with pytest.raises(RollbackError, match=said):
        back([GET, CREATE], versions)


def test_forward_is_to_what_the_stack_deployed_last() -> None:
    behind = Alias("get", "live", version=6, deployed=7)
    assert forward([behind, CREATE]) == [Move(behind, 7)]


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("UPDATE_IN_PROGRESS", False),
        ("UPDATE_ROLLBACK_IN_PROGRESS", False),
    ],
)
def test_aliases_may_be_moved_once_the_stack_only_cleans_up(status: str, settled: bool) -> None:
    # Given a stack in a state of an update, without functions
    region = "us-east-1"
    cloudformation = boto3.client("cloudformation", region_name=region)
    with Stubber(cloudformation) as stubber:
        found = {"StackName": "stack", "StackStatus": status, "CreationTime": 0}
        stubber.add_response("describe_stacks", {"Stacks": [found]})
        stubber.add_response("list_stack_resources", {"StackResourceSummaries": []})

        # When its aliases are asked for, then they are told unless the stack itself may still move them
        with nullcontext() if settled else pytest.raises(RollbackError, match=status):
            assert aliases_of("stack", cloudformation, boto3.client("lambda", region_name=region)) == []
