"""DynamoDB's attribute values to Python's and back: strings, whole numbers, booleans, null, bytes, lists and maps.

boto3's own serializer works in Decimal and takes three times as long to encode (docs/adr); nothing here is a fraction.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value of a type that this service never writes, such as a set or a fraction: kept as it is, and never read."""

    wire: Mapping[str, object]


type Value = str | int | bool | bytes | Sequence[Value] | Mapping[str, Value] | Foreign | None
type Item = dict[str, Value]

_WHOLE: Final = re.compile(r"-?\d{1,38}").fullmatch


def encode(value: Value) -> AttributeValueTypeDef:
    """Return one value in DynamoDB's wire format."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case Foreign():
            return cast("AttributeValueTypeDef", value.wire)
        case Mapping():
            return {"M": {key: encode(inner) for key, inner in value.items()}}
        case _:
            return {"L": [encode(inner) for inner in value]}


def encode_item(item: Mapping[str, Value]) -> dict[str, AttributeValueTypeDef]:
    """Return a whole item, or a set of expression values, in DynamoDB's wire format."""
    return {name: encode(value) for name, value in item.items()}


def decode(value: Mapping[str, object]) -> Value:
    """Return one of DynamoDB's attribute values as Python has it."""
    ((tag, inner),) = value.items()
    match tag, inner:
        case "S", str():
            return inner
        case "N", str() if _WHOLE(inner):
            return int(inner)
        case "BOOL", bool():
            return inner
        case "NULL", _:
            return None
        case "B", bytes():
            return inner
        case "B", str():
            # As it is on the wire: see `personas.runtime`.
            return base64.b64decode(inner)
        case "M", dict():
            return {key: decode(each) for key, each in inner.items()}
        case "L", list():
            return [decode(each) for each in inner]
    return Foreign(value)


def decode_item(item: Mapping[str, Mapping[str, object]]) -> Item:
    """Return a whole item from DynamoDB's wire format."""
    return {name: decode(value) for name, value in item.items()}
