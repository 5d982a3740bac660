"""The replay of records that Lambda gave up: each batch goes to the function that could not work it off."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

from personas_tools.invocation import Answer, Failure, Json, failed_items
from personas_tools.streams import FAILURES, Record
from personas_tools.target import Target
from personas_tools.workers import Workers


@dataclass(frozen=True, slots=True)
class Failed:
    """A batch in the bucket: its object, the function that was handed it, and the records."""

    key: str
    function: str
    records: list[Record]


def failures(target: Target) -> Iterator[Failed]:
    """Yield the batches that were given up, a function's oldest first."""
    s3, bucket = target.s3(), target.resource("Bucket")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=FAILURES):
        for listed in page.get("Contents", []):
            body = json.loads(s3.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read())
            # Lambda keeps the event as a text.
            event = json.loads(body["payload"]) if isinstance(body["payload"], str) else body["payload"]
            yield Failed(listed["Key"], body["requestContext"]["functionArn"], event["Records"])


def replay(target: Target, failure: Failed) -> str | None:
    """Invoke the function with a batch and remove it from the bucket; return why it stays, if it does."""
    event: Any = {"Records": failure.records}
    outcome = _invoked(target, failure.function, event)
    if isinstance(outcome, Failure):
        return outcome.reason
    if failed := failed_items(outcome.payload):
        return f"{len(failed)} failed again"
    target.s3().delete_object(Bucket=target.resource("Bucket"), Key=failure.key)
    return None


def _invoked(target: Target, function: str, event: Json) -> Answer | Failure:
    if target.stack is None:
        client: Any = boto3.client("lambda")
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        return Failure(str(payload)) if "FunctionError" in answer else Answer(payload)
    functions = [each for each in target.stack.functions if each.name == function]
    workers = Workers(functions, target.stack.folder / "logs" / "replay.log", 1)
    try:
        return workers.invoke(function, event)
    finally:
        workers.close()
