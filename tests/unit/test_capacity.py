"""The meter of DynamoDB's capacity, against sums made by hand."""

from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from support.aws import Aws
from support.capacity import Index, Meter, Shape, item_size, read_units, write_units

SHAPE = Shape(("pk",), (Index(frozenset({"pk", "at"}), frozenset({"pk", "at", "row"})),))


def item(**attributes: str) -> dict[str, Mapping[str, Any]]:
    """Return an item of strings."""
    return {name: {"S": value} for name, value in attributes.items()}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "ä€"}, 5),
        ({"B": b"123"}, 3),
        ({"N": "1795521600"}, 5),
        ({"BOOL": True}, 1),
        ({"L": [{"S": "ab"}, {"NULL": True}]}, 3 + 3 + 2),
        ({"M": {"key": {"S": "ab"}}}, 3 + 1 + 3 + 2),
    ],
)
def test_a_value_counts_as_its_bytes(value: Mapping[str, Any], size: int) -> None:
    assert item_size({"name": value}) == 4 + size


@pytest.mark.parametrize(
    ("size", "read", "written"), [(0, 1, 1), (1024, 1, 1), (1025, 1, 2), (4096, 1, 4), (4097, 2, 5)]
)
def test_units_are_begun_blocks(size: int, read: int, written: int) -> None:
    assert (read_units(size), write_units(size)) == (read, written)


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        pytest.param(None, item(pk="p"), 1, id="an item without an index entry"),
        pytest.param(None, item(pk="p", at="1", row="r" * 2000), 2 + 2, id="a new entry"),
        pytest.param(item(pk="p", at="1", row="r" * 2000), item(pk="p"), 2 + 2, id="an entry that goes"),
        pytest.param(item(pk="p", at="1"), item(pk="p", at="2"), 1 + 2, id="an entry whose key changes"),
        pytest.param(item(pk="p", at="1", row="a"), item(pk="p", at="1", row="b"), 1 + 1, id="one that changes else"),
        pytest.param(item(pk="p", at="1", x="a"), item(pk="p", at="1", x="b" * 1500), 2, id="one that does not change"),
    ],
)
def test_a_write_counts_its_index_entries(
    before: dict[str, Mapping[str, Any]] | None, after: dict[str, Mapping[str, Any]] | None, units: int
) -> None:
    assert SHAPE.cost_of_write(before, after) == units


def test_what_a_client_does_is_counted(aws: Aws) -> None:
    # Given a meter on a client
    table = aws.names["IdempotencyTable"]
    meter, client = Meter(aws.dynamodb, [table]), boto3.client("dynamodb")
    meter.watch(client)

    # When it puts 5 KB, fails on a condition, and reads what is there and what is not
    with meter.counting() as consumed:
        client.put_item(TableName=table, Item={"id": {"S": "a"}, "data": {"S": "x" * 5000}})
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            client.put_item(TableName=table, Item={"id": {"S": "a"}}, ConditionExpression="attribute_not_exists(id)")
        client.get_item(TableName=table, Key={"id": {"S": "a"}}, ConsistentRead=True)
        client.batch_get_item(RequestItems={table: {"Keys": [{"id": {"S": "a"}}, {"id": {"S": "b"}}]}})

    # Then a failed condition costs what the item that stands there would
    assert consumed.write == 5 + 5
    assert consumed.read == 2 + (2 + 1)
    assert consumed.requests == {"dynamodb.PutItem": 2, "dynamodb.GetItem": 1, "dynamodb.BatchGetItem": 1}
