"""The judgement of a change set: it is refused where it would replace or remove what holds data."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ChangeTypeDef

HOLDS_DATA: Final = frozenset({"AWS::DynamoDB::Table", "AWS::S3::Bucket"})
"""The types of resources that deployments leave in their place. stack-policy.json names the same."""


def refusals(changes: Iterable["ChangeTypeDef"]) -> Iterator[str]:
    """Yield a sentence for each change to a table or bucket after which another one, or none, stands in its place.

    A replacement that is told as conditional is refused like one that is certain.
    """
    for each in changes:
        change = each.get("ResourceChange", {})
        if change.get("ResourceType") not in HOLDS_DATA:
            continue
        name, action = change.get("LogicalResourceId", ""), change.get("Action", "")
        if action == "Remove":
            yield f"{name} would be removed from the stack"
        elif action == "Dynamic" or change.get("Replacement", "False") != "False":
            because = {
                target.get("Name") or target.get("Attribute", "")
                for target in (detail.get("Target", {}) for detail in change.get("Details", []))
                if target.get("RequiresRecreation", "Never") != "Never"
            }
            yield f"{name} would be replaced by another, empty one, because of {', '.join(sorted(because)) or action}"


def lines(changes: Iterable["ChangeTypeDef"]) -> Iterator[str]:
    """Yield a line for each change: what is done, to which resource, of which type, and if it is replaced."""
    for each in changes:
        change = each.get("ResourceChange", {})
        replaced = change.get("Replacement", "False")
        yield (
            f"{change.get('Action', ''):8} {change.get('LogicalResourceId', '')} ({change.get('ResourceType', '')})"
            + ("" if replaced == "False" else f", replacement: {replaced}")
        )
