"""The attributes of an item: DynamoDB's values to Python's and back, and reading them by name and type.

They are strings, whole numbers, booleans, null, bytes, lists and maps. boto3's own serializer works in Decimal and
takes three times as long to encode (docs/adr); nothing here is a fraction.

An item that holds something else than it must is `Unreadable`. Whatever reads items one by one raises it. Whatever
reads many, a feed or a listing, goes through ``each_readable`` and leaves such an item out: one of them must never keep
the others from being read.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from pydantic_core import from_json

from personas.contract.base import TEXTS_MAX
from personas.errors import Unreadable
from personas.observability import count_unreadable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value of a type that this service never writes, such as a set or a fraction: kept as it is, and never read."""

    wire: Mapping[str, object]


type Value = str | int | bool | bytes | Sequence[Value] | Mapping[str, Value] | Foreign | None
type Item = dict[str, Value]
type WireItem = Mapping[str, Mapping[str, object]]
"""An item as DynamoDB sends it."""

NUMBER_END: Final = 1 << 63
"""The end of the numbers that are stored: none is negative, or as high as this."""

NEVER: Final = 1 << 62
"""A time in unix seconds that does not come."""

_JSON_MAX: Final = 8 * TEXTS_MAX
"""The bytes of all texts of a persona as JSON, which writes a control character in six."""
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_WHOLE: Final = re.compile(r"-?\d{1,38}").fullmatch


# ---- The wire format ---------------------------------------------------------------------------------------------


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
    # Strings and lists of them are nearly all that there is; a match statement takes half as long again.
    if tag == "S" and isinstance(inner, str):
        return inner
    if tag == "L" and isinstance(inner, list):
        return [decode(each) for each in inner]
    if tag == "M" and isinstance(inner, dict):
        return {key: decode(each) for key, each in inner.items()}
    if tag == "N" and isinstance(inner, str) and _WHOLE(inner):
        return int(inner)
    if tag == "BOOL" and isinstance(inner, bool):
        return inner
    if tag == "NULL":
        return None
    if tag == "B" and isinstance(inner, bytes):
        return inner
    if tag == "B" and isinstance(inner, str):
        # As it is on the wire: see `personas.runtime`.
        return base64.b64decode(inner)
    return Foreign(value)


def decode_item(item: WireItem) -> Item:
    """Return a whole item from DynamoDB's wire format."""
    return {name: decode(value) for name, value in item.items()}


# ---- Reading by name and type ------------------------------------------------------------------------------------


def key_of(item: Mapping[str, Value]) -> str:
    """Return the key of an item, as the log tells it."""
    return f"{item.get('pk')} {item.get('sk')}"


def readable[T](item: Item, read: Callable[[Item], T]) -> T:
    """Return what ``read`` makes of an item.

    Raises:
        Unreadable: the item is not one that it can read.
    """
    try:
        return read(item)
    except Unreadable as error:
        # The fault may lie in a map of the item, which does not know the item's key.
        raise Unreadable(key_of(item), error.reason) from None
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise Unreadable(key_of(item), type(error).__name__) from error


def each_readable[T](items: Iterable[Item], read: Callable[[Item], T]) -> Iterator[T]:
    """Yield what ``read`` makes of each item; what it cannot read is left out, counted and logged."""
    for item in items:
        try:
            found = readable(item, read)
        except Unreadable as error:
            count_unreadable(error)
            continue
        yield found


def integer(item: Mapping[str, Value], name: str, absent: int | None = None) -> int:
    """Return a whole number of an item, from 0.

    Raises:
        Unreadable: it is absent, and no value for that was given, or is something else.
    """
    value = item.get(name, absent)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < NUMBER_END:
        raise Unreadable(key_of(item), f"{name} is not a number")
    return value


def expired(item: Mapping[str, Value], now: datetime) -> bool:
    """Tell whether the item's time is over; DynamoDB removes such items days later."""
    return integer(item, "expires_at", absent=NEVER) <= now.timestamp()


def mapping(item: Mapping[str, Value], name: str) -> Mapping[str, Value]:
    """Return a map of an item.

    Raises:
        Unreadable: it is absent or something else.
    """
    value = item.get(name)
    if not isinstance(value, Mapping):
        raise Unreadable(key_of(item), f"{name} is not a map")
    return value


def mapping_or_empty(item: Mapping[str, Value], name: str) -> Mapping[str, Value]:
    """Return a map of an item; an absent one is empty.

    Raises:
        Unreadable: it is something else.
    """
    return mapping(item, name) if name in item else {}


def text(item: Mapping[str, Value], name: str) -> str:
    """Return a string of an item.

    Raises:
        Unreadable: it is absent or something else.
    """
    value = item.get(name)
    if not isinstance(value, str):
        raise Unreadable(key_of(item), f"{name} is not a string")
    return value


def text_or_none(item: Mapping[str, Value], name: str) -> str | None:
    """Return a string of an item, or None where it is absent or null.

    Raises:
        Unreadable: it is something else.
    """
    return None if item.get(name) is None else text(item, name)


def flag(item: Mapping[str, Value], name: str) -> bool:
    """Return a boolean of an item.

    Raises:
        Unreadable: it is absent or something else.
    """
    value = item.get(name)
    if not isinstance(value, bool):
        raise Unreadable(key_of(item), f"{name} is not true or false")
    return value


def strings(item: Mapping[str, Value], name: str, most: int) -> tuple[str, ...]:
    """Return a list of strings of an item, no more than ``most``.

    Raises:
        Unreadable: it is absent or something else.
    """
    value = item.get(name)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) > most:
        raise Unreadable(key_of(item), f"{name} is not a list of at most {most}")
    found = [each for each in value if isinstance(each, str)]
    if len(found) < len(value):
        raise Unreadable(key_of(item), f"{name} is not a list of strings")
    return tuple(found)


def sound_id(value: str) -> str:
    """Return an id as every view takes it.

    Raises:
        Unreadable: it is not a UUID in its usual form.
    """
    if _ID(value) is None:
        raise Unreadable("", "an id is not a UUID in its usual form")
    return value


def inflated(value: Value, most: int) -> str:
    """Return the text of a compressed value, no more than ``most`` bytes of it.

    Raises:
        Unreadable: it is no compressed text, is cut off, or longer.
    """
    if not isinstance(value, bytes):
        raise Unreadable("", "a text is not compressed")
    stream = zlib.decompressobj()
    content = stream.decompress(value, most)
    if not stream.eof:
        raise Unreadable("", "a compressed text is cut off or too long")
    return content.decode()


def inflated_json(value: Value) -> object:
    """Return the texts of a persona or of one patch, which a compressed value holds as JSON.

    Raises:
        Unreadable: it is no compressed text, is cut off, or longer.
        ValueError: it is not JSON, or holds half of a surrogate pair, which no answer can.
    """
    return from_json(inflated(value, _JSON_MAX), cache_strings="none")
