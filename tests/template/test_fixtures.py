"""Tests of the basis of other tests: tables made from the template, and policies that are really enforced."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import pytest

from personas.runtime import dynamodb, s3, sqs
from personas_tools.emulator import START
from personas_tools.template import TableRequest
from support.aws import Aws, create_tables
from support.emulated import MINISTACK
from support.iam import Guard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


def test_this_process_has_the_tables_and_the_bucket(aws: Aws) -> None:
    table = aws.dynamodb.describe_table(TableName=aws.environment["PERSONAS_TABLE"])["Table"]
    assert [index["IndexName"] for index in table["LocalSecondaryIndexes"]] == ["changes"]
    assert [bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]] == [aws.environment["BUCKET"]]


@pytest.mark.emulator
def test_the_emulator_takes_the_tables(ministack: str, table_definitions: Mapping[str, TableRequest]) -> None:
    client = boto3.client("dynamodb", endpoint_url=ministack)
    names = {logical_id: f"fixtures-{logical_id}" for logical_id in table_definitions}
    create_tables(client, table_definitions, names)
    client.put_item(
        TableName=names["PersonasTable"],
        Item={"pk": {"S": "group#1"}, "sk": {"S": "group"}, "changed": {"S": "r#1"}, "row": {"M": {}}},
    )
    found = client.query(
        TableName=names["PersonasTable"],
        IndexName="changes",
        ConsistentRead=True,
        KeyConditionExpression="pk = :pk AND changed BETWEEN :first AND :last",
        ExpressionAttributeValues={":pk": {"S": "group#1"}, ":first": {"S": "r#"}, ":last": {"S": "r#~"}},
    )
    assert [item["sk"]["S"] for item in found["Items"]] == ["group"]
    ttl = client.describe_time_to_live(TableName=names["IdempotencyTable"])["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expiration"


@pytest.mark.emulator
def test_the_emulator_reads_an_expression_once() -> None:
    # Given the Python of ministack, as the emulator starts it,
    python = MINISTACK.with_name("python")
    reading = "d._tokenize('pk = :pk'), d._condition_syntax_error('pk = :pk', 'KeyConditionExpression')"
    told = "print(d._tokenize.cache_info().hits, d._condition_syntax_error.cache_info().hits)"
    # when it reads an expression twice,
    program = f"from ministack.services import dynamodb as d; {reading}; {reading}; {told}"
    ran = subprocess.run([python, "-c", program], env={"PYTHONPATH": str(START)}, capture_output=True, check=True)
    # then it remembers what it read.
    assert ran.stdout == b"1 1\n"


@contextmanager
def refused(iam: Guard, logical_id: str, action: str) -> Iterator[None]:
    """Expect that the function is refused this action at the call, and that the test fails at the end all the same."""
    with (
        pytest.raises(AssertionError, match=f"{logical_id}.*:{action}'"),
        iam.acting_as(logical_id),
        pytest.raises(PermissionError),
    ):
        yield


class TestGuard:
    """Calls are made by the clients of the code under test."""

    def test_lets_through_what_the_policy_allows(self, aws: Aws, iam: Guard) -> None:
        with iam.acting_as("GetFunction"):
            dynamodb().get_item(TableName=aws.names["PersonasTable"], Key=_key("group#1"))

    def test_refuses_other_partitions(self, aws: Aws, iam: Guard) -> None:
        with (
            pytest.raises(AssertionError, match="GetItem"),
            iam.acting_as("GetFunction"),
            pytest.raises(PermissionError),
        ):
            dynamodb().get_item(TableName=aws.names["PersonasTable"], Key=_key("export#1"))

    def test_refuses_other_actions(self, aws: Aws, iam: Guard) -> None:
        with (
            pytest.raises(AssertionError, match="PutItem"),
            iam.acting_as("GetFunction"),
            pytest.raises(PermissionError),
        ):
            dynamodb().put_item(TableName=aws.names["PersonasTable"], Item=_key("group#1"))

    def test_refuses_the_table_where_the_index_is_allowed(self, aws: Aws, iam: Guard) -> None:
        client, table = dynamodb(), aws.names["PersonasTable"]
        condition, values = "pk = :pk", {":pk": {"S": "draft#1#2"}}
        with iam.acting_as("DraftsFunction"):
            client.query(
                TableName=table,
                IndexName="changes",
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        with refused(iam, "DraftsFunction", "Query"):
            client.query(TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values)

    def test_looks_into_batches(self, aws: Aws, iam: Guard) -> None:
        def read(*partitions: str) -> None:
            keys = [_key(partition) for partition in partitions]
            dynamodb().batch_get_item(RequestItems={aws.names["PersonasTable"]: {"Keys": keys}})

        with iam.acting_as("DraftsFunction"):
            read("key#1", "profile#1")
        with (
            pytest.raises(AssertionError, match="BatchGetItem"),
            iam.acting_as("DraftsFunction"),
            pytest.raises(PermissionError),
        ):
            read("key#1", "group#1")

    def test_looks_into_transactions(self, aws: Aws, iam: Guard) -> None:
        put: TransactWriteItemTypeDef = {"Put": {"TableName": aws.names["PersonasTable"], "Item": _key("draft#1#2")}}
        with iam.acting_as("DraftFunction"):
            dynamodb().transact_write_items(TransactItems=[put])
        with (
            pytest.raises(AssertionError, match="PutItem"),
            iam.acting_as("DeleteFunction"),
            pytest.raises(PermissionError),
        ):
            dynamodb().transact_write_items(TransactItems=[put])

    def test_looks_at_objects(self, aws: Aws, iam: Guard) -> None:
        bucket = aws.names["Bucket"]
        with iam.acting_as("RefreshFunction"):
            s3().put_object(Bucket=bucket, Key="views/one", Body=b"")
            s3().list_objects_v2(Bucket=bucket, Prefix="views/")
        with iam.acting_as("SearchFunction"):
            s3().head_object(Bucket=bucket, Key="views/one")
        with refused(iam, "SearchFunction", "PutObject"):
            s3().put_object(Bucket=bucket, Key="views/one", Body=b"")
        with refused(iam, "RefreshFunction", "PutObject"):
            s3().put_object(Bucket=bucket, Key="exports/one", Body=b"")
        with refused(iam, "RefreshFunction", "ListBucket"):
            s3().list_objects_v2(Bucket=bucket, Prefix="exports/")

    def test_looks_at_messages(self, aws: Aws, iam: Guard) -> None:
        queue = aws.names["RefreshQueue"]
        with iam.acting_as("SearchFunction"):
            sqs().send_message(QueueUrl=queue, MessageBody="{}")
        with refused(iam, "CreateFunction", "SendMessage"):
            sqs().send_message(QueueUrl=queue, MessageBody="{}")


def _key(partition: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": partition}, "sk": {"S": "x"}}
