"""PersonasTable: every call to it, and the write rule that all its items share.

Reads are strongly consistent. A call that is throttled, lost or refused by a broken connection is tried again with
jitter for as long as the invocation lasts, then becomes ``Unavailable``.

**The write rule.** A write is made under a condition on what was read, stamps the time anew for every attempt, and
leaves its ``write_id`` in the item's recent writes, a ring of the last eight. When an attempt's answer was lost, the
next one follows at once, and its condition fails on an item whose recent writes hold our own id: that is a success,
even when others have written since. If they have written eight times and more, the outcome of ours is unknown. A
repeat under the same Idempotency-Key carries the same id and finds itself the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict, Unpack

from personas.errors import Unreadable
from personas.observability import tell_unreadable
from personas.runtime import FINISHING_TIME, Deadline
from personas.store.attempts import ConditionFailed, Tries, attempted, outcome_unknown
from personas.store.attributes import Item, Value, decode_item, encode, encode_item
from personas.store.decoding import each_readable, integer, mapping_or_empty, sound_id, text
from personas.store.keys import CHANGES_INDEX, DUE_INDEX, DUE_SHARD, PERSONAS, Key, id_of, range_of, stamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        BatchGetItemOutputTypeDef,
        BatchWriteItemOutputTypeDef,
        PutItemInputTypeDef,
        TransactWriteItemTypeDef,
        WriteRequestUnionTypeDef,
    )

BATCH_READ_MAX: Final = 100
BATCH_WRITE_MAX: Final = 25
RECENT_WRITES: Final = "trail"
"""The attribute that holds the ids and versions of an item's last eight writes, a ring."""
RECENT_WRITES_MAX: Final = 8


class WriteResult(NamedTuple):
    """A write that took effect: the version it made, and the item where the answer showed it."""

    version: int
    item: Item | None


class Counted(NamedTuple):
    """An item as it was read, what to add to its counter, and from when on it expires (unix seconds)."""

    item: Item
    add: int
    expires_at: int | None = None


NEVER: Final = 1 << 62
"""A time in unix seconds that does not come."""


class Change(NamedTuple):
    """One item of the change feed, as the index projects it."""

    key: str
    seq: int
    row: Mapping[str, Value]
    deleted: bool
    version: int
    expires_at: int = 0
    """When a tombstone may be forgotten, in unix seconds."""
    partition: str = ""


def change_in(item: Item) -> Change:
    """Return an item as a change of the feed. One that cannot be read otherwise is told of and reads as deleted.

    Raises:
        Unreadable: it does not say as of which ``seq`` it is, or is a persona's without an id.
    """
    key, seq = text(item, "sk"), integer(item, "seq")
    if key.startswith(PERSONAS):
        sound_id(id_of(key))
    try:
        return Change(
            key=key,
            seq=seq,
            row=mapping_or_empty(item, "row"),
            deleted=item.get("deleted") is True,
            version=integer(item, "version", absent=0),
            expires_at=integer(item, "expires_at", absent=NEVER),
            partition=text(item, "pk"),
        )
    except Unreadable as error:
        tell_unreadable(error)
        return Change(key, seq, {}, deleted=True, version=0, expires_at=NEVER)


def recent_write_slot(seq: int) -> str:
    """Return the slot of the recent writes in which the write that makes ``seq`` leaves its id."""
    return f"s{seq % RECENT_WRITES_MAX}"


def recent_write(write_id: str, version: int) -> str:
    """Return the entry that a write leaves among an item's recent writes."""
    return f"{write_id}@{version}"


def version_written_by(item: Mapping[str, Value] | None, write_id: str) -> int | None:
    """The version that the write ``write_id`` made of this item, or None if it is not among its last eight."""
    for entry in mapping_or_empty(item or {}, RECENT_WRITES).values():
        if isinstance(entry, str):
            maker, _, version = entry.rpartition("@")
            if maker == write_id and version.isdecimal():
                return int(version)
    return None


def own_write(lost: ConditionFailed, item: Item | None, write_id: str, seq: int) -> WriteResult | None:
    """Return our write that ``lost`` its condition to its own earlier attempt, or None where it lost it to another's.

    ``item`` is what stands there, ``seq`` what our write makes of it.

    Raises:
        OutcomeUnknown: an attempt may have taken effect, and the recent writes do not reach back to it.
    """
    made = version_written_by(item, write_id)
    if made is not None:
        return WriteResult(made, item)
    if lost.unsure and item is not None:
        # An item with fewer entries than slots was never written more often than they say.
        full = len(mapping_or_empty(item, RECENT_WRITES)) == RECENT_WRITES_MAX
        if full and integer(item, "seq") >= seq + RECENT_WRITES_MAX:
            raise outcome_unknown()
    return None


def expired(item: Mapping[str, Value], now: datetime) -> bool:
    """Whether the item's time is over; DynamoDB removes such items days later."""
    return integer(item, "expires_at", absent=NEVER) <= now.timestamp()


class _QueryTypeDef(TypedDict, total=False):
    """What differs between the queries of this module."""

    IndexName: str
    KeyConditionExpression: str
    ExpressionAttributeValues: Mapping[str, AttributeValueTypeDef]
    ExclusiveStartKey: Mapping[str, AttributeValueTypeDef]
    ScanIndexForward: bool


class Table:
    """The calls that the repositories are made of."""

    def __init__(self, client: DynamoDBClient, name: str, clock: Callable[[], datetime], deadline: Deadline) -> None:
        self.name = name
        self.now = clock
        self.deadline = deadline
        self._client = client

    def named(self, name: str) -> Table:
        """Another table, by the same client and clock."""
        return Table(self._client, name, self.now, self.deadline)

    def get(self, key: Key) -> Item | None:
        """The item of that key, or None."""
        answer = self._attempt(
            lambda: self._client.get_item(TableName=self.name, Key=encode_item(key.attributes()), ConsistentRead=True)
        )
        found = answer.get("Item")
        return decode_item(found) if found else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """The items that exist among ``keys``."""
        wanted: list[Mapping[str, AttributeValueTypeDef]] = [encode_item(key.attributes()) for key in set(keys)]
        found: dict[Key, Item] = {}
        tries = self.tries()
        while wanted:
            answer = self._attempt(partial(self._read_batch, wanted[:BATCH_READ_MAX]))
            for raw in answer["Responses"].get(self.name, []):
                item = decode_item(raw)
                found[Key(text(item, "pk"), text(item, "sk"))] = item
            unread = answer.get("UnprocessedKeys", {}).get(self.name, {"Keys": []})["Keys"]
            wanted = [*unread, *wanted[BATCH_READ_MAX:]]
            if unread:
                tries.pause(unknown=False)
        return found

    def put_many(self, items: Sequence[Mapping[str, Value]]) -> None:
        """Put up to 25 items without a condition: only for items that say the same whoever writes them."""
        wanted: Sequence[WriteRequestUnionTypeDef] = [{"PutRequest": {"Item": encode_item(item)}} for item in items]
        tries = self.tries()
        while wanted:
            answer = self._attempt(partial(self._write_batch, wanted))
            wanted = answer.get("UnprocessedItems", {}).get(self.name, [])
            if wanted:
                tries.pause(unknown=False)

    def changes(self, partition: str, prefix: str, since: datetime | None) -> Iterator[Change]:
        """What was written in one range of a partition since then, oldest first, tombstones included."""
        first, last = range_of(prefix, since)
        yield from each_readable(self._query(partition, first, last, forward=True), change_in)

    def latest[T](self, partition: str, prefix: str, most: int | None, decode: Callable[[Item], T]) -> list[T]:
        """Return what ``decode`` makes of the items of a range that have not expired, as the index projects them.

        The latest come first; at most ``most``.
        """
        first, last = range_of(prefix, None)
        now = self.now()
        items = self._query(partition, first, last, forward=False)
        living = each_readable(items, lambda item: None if expired(item, now) else decode(item))
        return list(islice((found for found in living if found is not None), most))

    def partition(self, partition: str, prefix: str = "") -> Iterator[Item]:
        """The items of a partition whose sort keys begin like that, whole, in the order of their sort keys."""
        condition, values = "pk = :pk", {":pk": encode(partition)}
        if prefix:
            condition, values = f"{condition} AND begins_with(sk, :prefix)", {**values, ":prefix": encode(prefix)}
        yield from self._pages(KeyConditionExpression=condition, ExpressionAttributeValues=values)

    def put(
        self,
        key: Key,
        body: Mapping[str, Value],
        *,
        write_id: str,
        based_on: int | Item | None,
        prefix: str | None = None,
    ) -> WriteResult:
        """Write a whole item where the stored ``seq`` is ``based_on``, or what that item has there, readable or not.

        None: where there is no item.

        ``body`` holds ``seq`` and ``version`` and, where the item had one, its recent writes. ``prefix`` is the range
        of the change feed that the item belongs to, or None for one that no feed shows.

        Raises:
            ConditionFailed: something else stands there.
        """

        def once() -> Item | None:
            self._client.put_item(**self._put_request(key, body, write_id, based_on, prefix))
            return None

        return self._write(once, write_id, seq=integer(body, "seq"), version=integer(body, "version"))

    def put_and_count(
        self,
        key: Key,
        body: Mapping[str, Value],
        *,
        based_on: int | None,
        write_id: str,
        counted: Sequence[Counted],
        counter: str,
        prefix: str,
    ) -> WriteResult:
        """Put an item as ``put`` does and, in the same transaction, add to a counter in the ``row`` of others.

        ``counted`` is at most 99 items.

        Raises:
            ConditionFailed: any of them was written in between.
        """

        def count(counted: Counted) -> TransactWriteItemTypeDef:
            item = counted.item
            seq, version = integer(item, "seq"), integer(item, "version")
            values: dict[str, Value] = {
                ":add": counted.add,
                ":seq": seq + 1,
                ":based_on": seq,
                ":changed": stamp(prefix, self.now()),
                ":write": recent_write(write_id, version),
            }
            assignments = (
                "SET #row.#counter = #row.#counter + :add, seq = :seq, changed = :changed, "
                f"{RECENT_WRITES}.#slot = :write"
            )
            if counted.expires_at is not None:
                values[":expires_at"] = counted.expires_at
                assignments += ", expires_at = :expires_at"
            return {
                "Update": {
                    "TableName": self.name,
                    "Key": encode_item({"pk": item["pk"], "sk": item["sk"]}),
                    "UpdateExpression": assignments,
                    "ConditionExpression": "seq = :based_on",
                    "ExpressionAttributeNames": {
                        "#row": "row",
                        "#counter": counter,
                        "#slot": recent_write_slot(seq + 1),
                    },
                    "ExpressionAttributeValues": encode_item(values),
                }
            }

        def once() -> Item | None:
            put: TransactWriteItemTypeDef = {"Put": self._put_request(key, body, write_id, based_on, None)}
            self._client.transact_write_items(TransactItems=[put, *map(count, counted)])
            return None

        seq = integer(body, "seq")
        try:
            return self._write(once, write_id, seq=seq, version=integer(body, "version"))
        except ConditionFailed as lost:
            # A cancelled transaction does not say whose condition failed: if the item carries our own id, an earlier
            # attempt went through and only its answer was lost.
            ours = own_write(lost, self.get(key), write_id, seq)
            if ours is None:
                raise
            return ours

    def _put_request(
        self, key: Key, body: Mapping[str, Value], write_id: str, based_on: int | Item | None, prefix: str | None
    ) -> PutItemInputTypeDef:
        seq, version = integer(body, "seq"), integer(body, "version")
        recent = {**mapping_or_empty(body, RECENT_WRITES), recent_write_slot(seq): recent_write(write_id, version)}
        changed: dict[str, Value] = {} if prefix is None else {"changed": stamp(prefix, self.now())}
        request: PutItemInputTypeDef = {
            "TableName": self.name,
            "Item": encode_item({**key.attributes(), **body, **changed, RECENT_WRITES: recent}),
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

    def update(
        self,
        key: Key,
        sets: Mapping[str, Value],
        *,
        prefix: str,
        write_id: str,
        seq: int,
        version: int,
        condition: str,
        condition_values: Mapping[str, Value],
        removes: Sequence[str] = (),
    ) -> WriteResult:
        """Change parts of an item. ``sets`` and ``removes`` go by attribute path, such as ``row.n``.

        The answer's item is the whole new one. ``condition`` is written with names ``#seq``, ``#version`` and
        ``#expires_at`` as far as it uses them, and must not hold for an item that is absent.

        Raises:
            ConditionFailed: the condition did not hold, or what a path leads into is no map.
        """
        names: dict[str, str] = {}

        def name_of(path: str) -> str:
            for part in path.split("."):
                names[f"#{part}"] = part
            return ".".join(f"#{part}" for part in path.split("."))

        assignments: dict[str, Value] = {
            **sets,
            "seq": seq,
            "version": version,
            f"{RECENT_WRITES}.{recent_write_slot(seq)}": recent_write(write_id, version),
        }
        values: dict[str, Value] = {**condition_values, ":map": "M"}
        clauses = [f"{name_of('changed')} = :changed"]
        for position, (path, value) in enumerate(assignments.items()):
            clauses.append(f"{name_of(path)} = :v{position}")
            values[f":v{position}"] = value
        expression = "SET " + ", ".join(clauses)
        if removes:
            expression += " REMOVE " + ", ".join(name_of(path) for path in removes)
        within = dict.fromkeys(path.partition(".")[0] for path in (*assignments, *removes) if "." in path)
        # Else a map that is damaged would have DynamoDB refuse the request as one that nobody may send.
        condition = " AND ".join([condition, *(f"attribute_type({name_of(name)}, :map)" for name in within)])
        names.update({f"#{word}": word for word in ("seq", "version", "expires_at") if f"#{word}" in condition})

        def once() -> Item | None:
            answer = self._client.update_item(
                TableName=self.name,
                Key=encode_item(key.attributes()),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=encode_item({**values, ":changed": stamp(prefix, self.now())}),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            return decode_item(answer["Attributes"])

        return self._write(once, write_id, seq=seq, version=version)

    def mark_due(self, key: Key, group_id: str) -> None:
        """Put a mark: whoever puts it last, it says the same and a later time.

        Raises:
            Unavailable: nobody says whether it was put. No item depends on that: one more mark is harmless.
        """
        now = self.now()

        def once() -> None:
            item = {**key.attributes(), "due_shard": DUE_SHARD, "due": f"{stamp('', now)}#{group_id}"}
            marked_at = int(now.timestamp() * 1000)
            self._client.put_item(TableName=self.name, Item=encode_item({**item, "marked_at": marked_at}))

        self._attempt(once)

    def put_plain(self, key: Key, body: Mapping[str, Value], *, asked_for: bool) -> None:
        """Put an item without a condition: only for one that says the same whoever writes it.

        Raises:
            OutcomeUnknown: the item is what the caller has ``asked_for``, and may have been put.
            Unavailable: it was not put; or nobody says whether it was, and no caller minds.
        """
        item = encode_item({**key.attributes(), **body})
        self._attempt(lambda: self._client.put_item(TableName=self.name, Item=item), writes=asked_for)

    def delete_older(self, key: Key, attribute: str, before: int) -> bool:
        """Delete an item if the time in ``attribute`` is an earlier one; whether it was.

        One that is not, or is gone, is left as it is.
        """

        def once() -> None:
            self._client.delete_item(
                TableName=self.name,
                Key=encode_item(key.attributes()),
                ConditionExpression="#attribute < :before",
                ExpressionAttributeNames={"#attribute": attribute},
                ExpressionAttributeValues=encode_item({":before": before}),
            )

        try:
            self._attempt(once, writes=True)
        except ConditionFailed:
            return False
        return True

    def due_marks(self) -> Iterator[tuple[str, datetime]]:
        """The partitions that hold a mark, and since when, longest waiting first.

        The index is global, so it may lag by moments.
        """

        def marked(item: Item) -> tuple[str, datetime]:
            return text(item, "pk"), datetime.fromisoformat(text(item, "due").partition("#")[0])

        marks = self._pages(
            consistent=False,
            IndexName=DUE_INDEX,
            KeyConditionExpression="due_shard = :shard",
            ExpressionAttributeValues={":shard": encode(DUE_SHARD)},
        )
        yield from each_readable(marks, marked)

    def next_number(self, key: Key, counter: str, maker: str, write_id: str) -> int:
        """Raise a counter of an existing item by one and return it; neither ``seq`` nor the feed takes notice.

        ``maker`` is the attribute that remembers who counted last, so that a lost answer does not count twice.

        Raises:
            ConditionFailed: there is no such item, or it is deleted.
        """
        values: dict[str, Value] = {":zero": 0, ":one": 1, ":me": write_id}

        def once() -> Item | None:
            answer = self._client.update_item(
                TableName=self.name,
                Key=encode_item(key.attributes()),
                UpdateExpression="SET #counter = if_not_exists(#counter, :zero) + :one, #maker = :me",
                ConditionExpression=(
                    "attribute_exists(pk) AND attribute_not_exists(deleted)"
                    " AND (attribute_not_exists(#maker) OR #maker <> :me)"
                ),
                ExpressionAttributeNames={"#counter": counter, "#maker": maker},
                ExpressionAttributeValues=encode_item(values),
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            return decode_item(answer["Attributes"])

        try:
            item = self._attempt(once, writes=True)
        except ConditionFailed as lost:
            if lost.item is None or lost.item.get(maker) != write_id:
                raise
            item = lost.item
        return integer(item or {}, counter)

    def _write(self, once: Callable[[], Item | None], write_id: str, *, seq: int, version: int) -> WriteResult:
        try:
            return WriteResult(version, self._attempt(once, writes=True))
        except ConditionFailed as lost:
            ours = own_write(lost, lost.item, write_id, seq)
            if ours is None:
                raise
            return ours

    def _read_batch(self, keys: Sequence[Mapping[str, AttributeValueTypeDef]]) -> BatchGetItemOutputTypeDef:
        return self._client.batch_get_item(RequestItems={self.name: {"Keys": keys, "ConsistentRead": True}})

    def _write_batch(self, requests: Sequence[WriteRequestUnionTypeDef]) -> BatchWriteItemOutputTypeDef:
        return self._client.batch_write_item(RequestItems={self.name: requests})

    def _query(self, partition: str, first: str, last: str, *, forward: bool) -> Iterator[Item]:
        yield from self._pages(
            IndexName=CHANGES_INDEX,
            KeyConditionExpression="pk = :pk AND changed BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": encode(partition), ":first": encode(first), ":last": encode(last)},
            ScanIndexForward=forward,
        )

    def _pages(self, *, consistent: bool = True, **arguments: Unpack[_QueryTypeDef]) -> Iterator[Item]:
        while True:
            answer = self._attempt(
                lambda: self._client.query(TableName=self.name, ConsistentRead=consistent, **arguments)
            )
            for raw in answer["Items"]:
                yield decode_item(raw)
            following = answer.get("LastEvaluatedKey")
            if not following:
                return
            arguments["ExclusiveStartKey"] = following

    def _attempt[T](self, call: Callable[[], T], *, writes: bool = False) -> T:
        """Make a call until it is answered, the invocation's time is over, or it turns out to be our mistake."""
        return attempted(self.deadline, call, writes=writes)

    def tries(self, most: int | None = None) -> Tries:
        """Return the pace of attempts that begin now, within the invocation's time, at most ``most`` of them."""
        return Tries(self.deadline, most)

    def has_time_for_another_item(self) -> bool:
        """Whether a bulk call may still begin an item."""
        left = self.deadline.left()
        return left is None or left > FINISHING_TIME
