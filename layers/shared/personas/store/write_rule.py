"""The write rule that all items of PersonasTable share, and the requests of one attempt at a write.

A write is made under a condition on what was read, stamps the time of each attempt, and leaves its ``write_id``
in the item's *recent writes*, a ring of the last eight. When an attempt's answer was lost, the next one follows at
once, and its condition fails on an item whose recent writes hold our own id: that is a success, even when others have
written since. If they have written eight times and more, the outcome of ours is unknown. A repeat under the same
Idempotency-Key carries the same id and finds itself the same way, among the last eight writes: after more, it does not.

A call's intent gives its writes their ids, and the things that it makes theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from uuid import uuid4

from personas.store.attempts import ConditionFailed, outcome_unknown
from personas.store.attributes import encode_item, integer, mapping_or_empty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb.type_defs import PutItemInputTypeDef, TransactWriteItemTypeDef, UpdateItemInputTypeDef

    from personas.store.attributes import Item, Value
    from personas.store.keys import Key

RECENT_WRITES: Final = "trail"
"""The attribute that holds the ids and versions of an item's last eight writes, a ring."""
RECENT_WRITES_MAX: Final = 8


class Intent(Protocol):
    """The intent of a call that writes. ``item`` is the position in a bulk call."""

    @property
    def may_be_done(self) -> bool:
        """True if an earlier call with this intent may have written: its writes are looked for before any decision."""

    def new_id(self, item: int = 0) -> str:
        """Return the id of the thing that an item makes."""

    def write_id(self, item: int = 0) -> str:
        """Return the id of an item's write: always the same for the same item of this intent."""


class OneTime:
    """The intent of a call that carries no Idempotency-Key: every attempt is a new one."""

    may_be_done = False

    def __init__(self) -> None:
        self._nonce = uuid4().hex[:16]

    def new_id(self, item: int = 0) -> str:
        """Return a random id."""
        return str(uuid4())

    def write_id(self, item: int = 0) -> str:
        """Return a random id for this call, then the position."""
        return f"{self._nonce}.{item}"


class WriteResult(NamedTuple):
    """A write that took effect: the version that it made, and the item where the answer showed it.

    One that had nothing to change ``made`` no version: ``version`` is the one that stands.
    """

    version: int
    item: Item | None
    made: bool = True

    @property
    def based_on(self) -> int:
        """The version that the write was decided on."""
        return self.version - 1 if self.made else self.version


def recent_write_slot(seq: int) -> str:
    """Return the slot of the recent writes in which the write that makes ``seq`` leaves its id."""
    return f"s{seq % RECENT_WRITES_MAX}"


def recent_write(write_id: str, version: int) -> str:
    """Return the entry that a write leaves among an item's recent writes."""
    return f"{write_id}@{version}"


def version_written_by(item: Mapping[str, Value] | None, write_id: str) -> int | None:
    """Return the version that a write made of an item, or None if it is not among the item's recent ones."""
    for entry in mapping_or_empty(item or {}, RECENT_WRITES).values():
        if isinstance(entry, str):
            writer, _, version = entry.rpartition("@")
            if writer == write_id and version.isdecimal():
                return int(version)
    return None


def own_write(failed: ConditionFailed, item: Item | None, write_id: str, seq: int) -> WriteResult | None:
    """Return our write where its condition ``failed`` on its own earlier attempt, or None where it did on another's.

    ``item`` is the stored one, and ``seq`` the one that our write makes of it.

    Raises:
        OutcomeUnknown: an attempt may have taken effect, and the recent writes do not reach back to it.
    """
    version = version_written_by(item, write_id)
    if version is not None:
        return WriteResult(version, item)
    if failed.unsure and item is not None:
        # An item with fewer entries than slots was never written more often than they say, unless an operator has
        # buried it by the command line, which leaves no entry but its own.
        full = len(mapping_or_empty(item, RECENT_WRITES)) == RECENT_WRITES_MAX
        if full and integer(item, "seq") >= seq + RECENT_WRITES_MAX:
            raise outcome_unknown()
    return None


class Condition(NamedTuple):
    """A condition of an update: its expression, the attributes that stand in it as ``#name``, and its values.

    It must not hold for an item that is absent.
    """

    expression: str
    names: Sequence[str]
    values: Mapping[str, Value]


class Counted(NamedTuple):
    """An item as it was read, what to add to its counter, and from when on it expires (unix seconds)."""

    item: Item
    add: int
    expires_at: int | None = None


def is_unchanged(seq: int) -> Condition:
    """Return the condition that an item is still as it was read at ``seq``."""
    return Condition("#seq = :based_on", ("seq",), {":based_on": seq})


def is_version(version: int, now: datetime) -> Condition:
    """Return the condition that an item has that version and has not expired."""
    return Condition(
        "#version = :expected AND #expires_at > :now",
        ("version", "expires_at"),
        {":expected": version, ":now": int(now.timestamp())},
    )


def put_request(
    table: str, key: Key, body: Mapping[str, Value], write_id: str, based_on: int | Item | None, changed: str | None
) -> PutItemInputTypeDef:
    """Return the request that puts a whole item, see ``Table.put``; ``changed`` is its stamp for the change feed."""
    seq, version = integer(body, "seq"), integer(body, "version")
    recent = {**mapping_or_empty(body, RECENT_WRITES), recent_write_slot(seq): recent_write(write_id, version)}
    stamped: dict[str, Value] = {} if changed is None else {"changed": changed}
    request: PutItemInputTypeDef = {
        "TableName": table,
        "Item": encode_item({**key.attributes(), **body, **stamped, RECENT_WRITES: recent}),
        "ConditionExpression": "seq = :based_on",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if based_on is None:
        request["ConditionExpression"] = "attribute_not_exists(pk)"
    elif isinstance(based_on, dict) and "seq" not in based_on:
        request["ConditionExpression"] = "attribute_exists(pk) AND attribute_not_exists(seq)"
    else:
        stood = based_on["seq"] if isinstance(based_on, dict) else based_on
        request["ExpressionAttributeValues"] = encode_item({":based_on": stood})
    return request


class Later(NamedTuple):
    """A guard of what holds a later time than ``than``, in milliseconds, in an attribute, and is another's.

    ``own`` is the attribute, if there is one, that is alike only where an attempt has put it whose answer was lost.
    """

    attribute: str
    than: int
    own: str = ""


class Still(NamedTuple):
    """A guard of all but an item whose attribute is still this number."""

    attribute: str
    number: int


type Guard = Later | Still
"""The items in whose place another is not put."""


def plain_put_request(table: str, key: Key, body: Mapping[str, Value], guard: Guard | None) -> PutItemInputTypeDef:
    """Return the request that puts an item, unless what stands there is guarded."""
    request: PutItemInputTypeDef = {"TableName": table, "Item": encode_item({**key.attributes(), **body})}
    if guard is None:
        return request
    values: dict[str, Value]
    if isinstance(guard, Still):
        condition, names, values = "#number = :number", {"#number": guard.attribute}, {":number": guard.number}
    else:
        # In this form the condition holds for an item that is absent or damaged.
        condition, names, values = "NOT #time > :time", {"#time": guard.attribute}, {":time": guard.than}
        if guard.own:
            condition += " OR #own = :own"
            names["#own"], values[":own"] = guard.own, body[guard.own]
    request["ConditionExpression"] = condition
    request["ExpressionAttributeNames"] = names
    request["ExpressionAttributeValues"] = encode_item(values)
    return request


def update_request(
    table: str,
    key: Key,
    sets: Mapping[str, Value],
    removes: Sequence[str],
    condition: Condition,
    *,
    changed: str,
    write_id: str,
    seq: int,
    version: int,
) -> UpdateItemInputTypeDef:
    """Return the request that changes parts of an item, see ``Table.update``; ``changed`` is its stamp for the feed."""
    names = {f"#{name}": name for name in condition.names}

    def placeholders(path: str) -> str:
        parts = path.split(".")
        names.update({f"#{part}": part for part in parts})
        return ".".join(f"#{part}" for part in parts)

    assignments: dict[str, Value] = {
        **sets,
        "seq": seq,
        "version": version,
        f"{RECENT_WRITES}.{recent_write_slot(seq)}": recent_write(write_id, version),
    }
    values: dict[str, Value] = {**condition.values, ":map": "M", ":changed": changed}
    clauses = [f"{placeholders('changed')} = :changed"]
    for position, (path, value) in enumerate(assignments.items()):
        clauses.append(f"{placeholders(path)} = :v{position}")
        values[f":v{position}"] = value
    expression = "SET " + ", ".join(clauses)
    if removes:
        expression += " REMOVE " + ", ".join(map(placeholders, removes))
    within = dict.fromkeys(path.partition(".")[0] for path in (*assignments, *removes) if "." in path)
    # Else a map that is damaged would have DynamoDB refuse the request as one that nobody may send.
    are_maps = [f"attribute_type({placeholders(name)}, :map)" for name in within]
    return {
        "TableName": table,
        "Key": encode_item(key.attributes()),
        "UpdateExpression": expression,
        "ConditionExpression": " AND ".join([condition.expression, *are_maps]),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": encode_item(values),
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def count_request(table: str, counted: Counted, counter: str, write_id: str, changed: str) -> TransactWriteItemTypeDef:
    """Return the part of a transaction that adds to a counter in an item's ``row``, under the same version."""
    item = counted.item
    seq, version = integer(item, "seq"), integer(item, "version")
    values: dict[str, Value] = {
        ":add": counted.add,
        ":seq": seq + 1,
        ":based_on": seq,
        ":changed": changed,
        ":write": recent_write(write_id, version),
    }
    expression = (
        f"SET #row.#counter = #row.#counter + :add, seq = :seq, changed = :changed, {RECENT_WRITES}.#slot = :write"
    )
    if counted.expires_at is not None:
        values[":expires_at"] = counted.expires_at
        expression += ", expires_at = :expires_at"
    return {
        "Update": {
            "TableName": table,
            "Key": encode_item({"pk": item["pk"], "sk": item["sk"]}),
            "UpdateExpression": expression,
            "ConditionExpression": "seq = :based_on",
            "ExpressionAttributeNames": {"#row": "row", "#counter": counter, "#slot": recent_write_slot(seq + 1)},
            "ExpressionAttributeValues": encode_item(values),
        }
    }


def next_number_request(table: str, key: Key, counter: str, maker: str, write_id: str) -> UpdateItemInputTypeDef:
    """Return the request that raises a counter of an item that is there, unless this write was the last to do so."""
    return {
        "TableName": table,
        "Key": encode_item(key.attributes()),
        "UpdateExpression": "SET #counter = if_not_exists(#counter, :zero) + :one, #maker = :me",
        "ConditionExpression": (
            "attribute_exists(pk) AND attribute_not_exists(deleted) AND (attribute_not_exists(#maker) OR #maker <> :me)"
        ),
        "ExpressionAttributeNames": {"#counter": counter, "#maker": maker},
        "ExpressionAttributeValues": encode_item({":zero": 0, ":one": 1, ":me": write_id}),
        "ReturnValues": "UPDATED_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
