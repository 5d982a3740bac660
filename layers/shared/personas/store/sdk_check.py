"""The check, before the first call, that the SDK underneath reads DynamoDB's answers as they are meant.

`personas.runtime` declares DynamoDB's items documents in botocore's description of the service, which botocore then
passes on as the JSON that they are. In another protocol, or with other rules for documents, items would come out empty,
and every caller would be unknown. A canned answer that comes out right here does so from DynamoDB.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import botocore
from botocore.model import NoShapeFoundError
from botocore.parsers import ResponseParserError, create_parser

from personas.store.attributes import Item, decode_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PROTOCOL: Final = "json"
_WIRE: Final = (
    '{"S": {"S": "group#é"}, "N": {"N": "42"}, "B": {"B": "/wA="}, "T": {"BOOL": true}, "0": {"NULL": true},'
    ' "M": {"M": {"L": {"L": [{"S": ""}, {"M": {}}]}}}}'
)
_MEANT: Final[Item] = {"S": "group#é", "N": 42, "B": b"\xff\x00", "T": True, "0": None, "M": {"L": ["", {}]}}

_FOUND: Final = f'{{"Responses": {{"table": [{_WIRE}]}}, "UnprocessedKeys": {{}}}}'
_CODE: Final = "ConditionalCheckFailedException"
_REFUSED: Final = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{_CODE}", "message": "no", "Item": {_WIRE}}}'


class UnfitSdk(Exception):
    """The SDK that the runtime or the layer brings does not read DynamoDB's answers as this service needs them."""


def check_answers(client: DynamoDBClient) -> None:
    """Read a canned answer, and a refused condition with the item that is stored, as the client would.

    Raises:
        UnfitSdk: one of them does not come out right: nothing may be read with this SDK.
    """
    service = client.meta.service_model
    try:
        protocol = service.resolved_protocol
        if protocol != _PROTOCOL:
            raise _unfit(f"it speaks {protocol}")
        parser = create_parser(protocol)
        found = parser.parse(_answer(200, _FOUND), service.shape_for("BatchGetItemOutput"))
        code = parser.parse(_answer(400, _REFUSED), service.shape_for("PutItemOutput"))["Error"]["Code"]
        refused = parser.parse(_answer(400, _REFUSED), service.shape_for(code))
        read = [decode_item(item) for item in (*found["Responses"]["table"], refused["Item"])]
    except (ResponseParserError, NoShapeFoundError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise _unfit(f"{type(error).__name__}: {error}") from error
    if read != [_MEANT, _MEANT] or code != _CODE:
        raise _unfit(f"{code}: {json.dumps(read, default=repr)}")


def _answer(status: int, body: str) -> dict[str, object]:
    return {"status_code": status, "headers": {}, "body": body.encode()}


def _unfit(reason: str) -> UnfitSdk:
    return UnfitSdk(
        f"botocore {botocore.__version__} does not read DynamoDB's answers as this service needs them ({reason}). "
        "Roll back: the release before keeps the runtime that it was published with (docs/runbook.md)."
    )
