"""Moves the aliases of a stack's functions back to the release before, or on again to the deployed one.

    python -m personas_tools.rollback --stack personas-prod
    python -m personas_tools.rollback --stack personas-prod --undo

Every release that `make deploy` makes publishes a version of every function, described by the release's name; all that
invokes a function invokes its alias. Nothing is built or uploaded, so this takes seconds.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import boto3

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient

SETTLED: Final = frozenset(
    {
        "CREATE_COMPLETE",
        "IMPORT_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_FAILED",
    }
)
"""States of a stack in which nothing else moves its aliases."""


class RollbackError(Exception):
    """The aliases stay where they are; the message says why."""


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias of a function: the version that it is at, and the one that the stack deployed last."""

    function: str
    name: str
    version: int
    deployed: int


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a function and the release that it belongs to; empty: it was deployed without one."""

    number: int
    release: str


@dataclass(frozen=True, slots=True)
class Move:
    """An alias and the version that it is moved to."""

    alias: Alias
    to: int


def aliases_of(stack: str, cloudformation: "CloudFormationClient", functions: "LambdaClient") -> list[Alias]:
    """Return the aliases of a stack.

    Raises:
        RollbackError: the stack is being changed.
    """
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    if found["StackStatus"] not in SETTLED:
        raise RollbackError(
            f"{stack} is {found['StackStatus']}. A deployment that is under way is taken back by"
            f" `aws cloudformation cancel-update-stack --stack-name {stack}`."
        )
    deployed: dict[str, int] = {}
    names: list[tuple[str, str]] = []
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            # arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION, or :ALIAS
            function, _, qualifier = resource.get("PhysicalResourceId", "").rpartition(":")
            function = function.rpartition(":")[2]
            if resource["ResourceType"] == "AWS::Lambda::Version":
                deployed[function] = int(qualifier)
            elif resource["ResourceType"] == "AWS::Lambda::Alias":
                names.append((function, qualifier))
    return [
        Alias(
            function,
            name,
            int(functions.get_alias(FunctionName=function, Name=name)["FunctionVersion"]),
            deployed[function],
        )
        for function, name in sorted(names)
    ]


def versions_of(function: str, functions: "LambdaClient") -> Iterator[Version]:
    """Yield the published versions of a function."""
    for page in functions.get_paginator("list_versions_by_function").paginate(FunctionName=function):
        for each in page["Versions"]:
            if each["Version"] != "$LATEST":
                yield Version(int(each["Version"]), each.get("Description", ""))


def back(aliases: Iterable[Alias], versions: dict[str, list[Version]]) -> list[Move]:
    """Return the moves to the release before the one that the aliases are at.

    A function that the release brought, or a later one, stays where it is: nothing before it had its routes.

    Raises:
        RollbackError: the aliases are at several releases, or at one without a name, or there is none before.
    """
    moves, releases, passed = [], set(), set()
    for alias in aliases:
        release_of = {version.number: version.release for version in versions[alias.function]}
        present = release_of[alias.version]
        # Versions without a name may each be a release.
        before = [
            number
            for number, release in release_of.items()
            if number < alias.version and (release != present or not present)
        ]
        if before:
            moves.append(Move(alias, max(before)))
            releases.add(present)
        else:
            passed.add(present)
    if not moves:
        raise RollbackError(f"There is no release before {', '.join(sorted(passed))}.")
    if len(releases) != 1 or "" in releases:
        raise RollbackError(
            f"The functions are not at one release, but at: {', '.join(sorted(releases)) or 'none'}."
            " `make rollback` with ARGS=--undo first, then again; or deploy the commit that is to run: make deploy"
        )
    return moves


def forward(aliases: Iterable[Alias]) -> list[Move]:
    """Return the moves to the release that the stack deployed last."""
    return [Move(alias, alias.deployed) for alias in aliases if alias.version != alias.deployed]


def main() -> int:
    """Move the aliases of the stack that is named on the command line; return 1 if they stay where they are."""
    parser = argparse.ArgumentParser(description="Move a stack's functions back to the release before.")
    parser.add_argument("--stack", required=True, help="the name of the stack")
    parser.add_argument("--undo", action="store_true", help="move them on again, to what the stack deployed last")
    arguments = parser.parse_args()
    functions = boto3.client("lambda")
    try:
        aliases = aliases_of(arguments.stack, boto3.client("cloudformation"), functions)
        if arguments.undo:
            moves = forward(aliases)
        else:
            moves = back(aliases, {each.function: list(versions_of(each.function, functions)) for each in aliases})
    except RollbackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for move in moves:
        functions.update_alias(
            FunctionName=move.alias.function,
            Name=move.alias.name,
            FunctionVersion=str(move.to),
            # Ends a canary that is not over.
            RoutingConfig={"AdditionalVersionWeights": {}},
        )
        sys.stdout.write(f"{move.alias.function}: {move.alias.version} > {move.to}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
