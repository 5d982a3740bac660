"""PersonasTable: every call to it.

Reads are strongly consistent. A call that is throttled, lost or refused by a broken connection is tried again with
jitter for as long as the invocation lasts, then becomes ``Unavailable``. Writes follow the rule of `store.write_rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from personas.observability import record_collection_size
from personas.runtime import Deadline
from personas.store.attempts import ConditionFailed, Tries, attempted
from personas.store.attributes import (
    Item,
    Value,
    WireItem,
    decode_item,
    each_readable,
    encode,
    encode_item,
    expired,
    integer,
    text,
)
from personas.store.change_feed import Change, SeqOf, change_in, is_news, unknown
from personas.store.keys import CHANGES_INDEX, DUE_INDEX, DUE_SHARD, Key, range_of, stamp
from personas.store.write_rule import (
    Condition,
    Counted,
    Guard,
    WriteResult,
    count_request,
    next_number_request,
    own_write,
    plain_put_request,
    put_request,
    update_request,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        KeysAndAttributesTypeDef,
        TransactWriteItemTypeDef,
        WriteRequestUnionTypeDef,
    )

BATCH_READ_MAX: Final = 100
BATCH_WRITE_MAX: Final = 25


class _QueryTypeDef(TypedDict, total=False):
    """Arguments in which the queries of this module differ."""

    IndexName: str
    KeyConditionExpression: str
    ExpressionAttributeValues: Mapping[str, AttributeValueTypeDef]
    ExclusiveStartKey: Mapping[str, AttributeValueTypeDef]
    ScanIndexForward: bool


class Table:
    """The calls to a table, of which the stores are made."""

    def __init__(self, client: DynamoDBClient, name: str, clock: Callable[[], datetime], deadline: Deadline) -> None:
        self.name = name
        self.now = clock
        self.deadline = deadline
        self._client = client

    def named(self, name: str) -> Table:
        """Return another table, by the same client and clock: for the command line."""
        return Table(self._client, name, self.now, self.deadline)

    def get(self, key: Key) -> Item | None:
        """Read the item of that key, or None."""
        answer = self._attempt(
            lambda: self._client.get_item(TableName=self.name, Key=encode_item(key.attributes()), ConsistentRead=True)
        )
        found = answer.get("Item")
        return decode_item(found) if found else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Read the items that exist among ``keys``."""
        wanted: list[Mapping[str, AttributeValueTypeDef]] = [encode_item(key.attributes()) for key in set(keys)]
        found: dict[Key, Item] = {}
        tries = Tries(self.deadline)
        while wanted:
            batch: KeysAndAttributesTypeDef = {"Keys": wanted[:BATCH_READ_MAX], "ConsistentRead": True}
            answer = self._attempt(partial(self._client.batch_get_item, RequestItems={self.name: batch}))
            for raw in answer["Responses"].get(self.name, []):
                item = decode_item(raw)
                found[Key(text(item, "pk"), text(item, "sk"))] = item
            unread = answer.get("UnprocessedKeys", {}).get(self.name, {"Keys": []})["Keys"]
            wanted = [*unread, *wanted[BATCH_READ_MAX:]]
            if unread:
                tries.pause_or_give_up(unknown=False)
        return found

    def put_many(self, items: Sequence[Mapping[str, Value]]) -> None:
        """Put up to 25 items without a condition: only for items that are the same from every writer."""
        self._write_all([{"PutRequest": {"Item": encode_item(item)}} for item in items])

    def changes(self, partition: str, prefix: str, since: datetime | None, seq_of: SeqOf = unknown) -> Iterator[Change]:
        """Read the changes of a range of a partition since then that are news to a reader (`is_news`), oldest first."""
        found = self._query(partition, *range_of(prefix, since), forward=True)
        yield from each_readable((decode_item(item) for item in found if is_news(item, seq_of)), change_in)

    def latest[T](self, partition: str, prefix: str, most: int | None, decode: Callable[[Item], T]) -> list[T]:
        """Return what ``decode`` makes of the latest items in the index's range, at most ``most``; none has expired."""
        now = self.now()
        items = map(decode_item, self._query(partition, *range_of(prefix, None), forward=False))
        living = each_readable(items, lambda item: None if expired(item, now) else decode(item))
        return list(islice((found for found in living if found is not None), most))

    def partition(self, partition: str, prefix: str = "") -> Iterator[Item]:
        """Read the items of a partition whose sort keys begin like that, whole, in the order of their sort keys."""
        condition, values = "pk = :pk", {":pk": encode(partition)}
        if prefix:
            condition, values = f"{condition} AND begins_with(sk, :prefix)", {**values, ":prefix": encode(prefix)}
        yield from map(decode_item, self._pages(KeyConditionExpression=condition, ExpressionAttributeValues=values))

    def retry_on_conflict[S, R](
        self, found: S, reread: Callable[[], S], decide_and_write: Callable[[S], R], most: int | None = None
    ) -> R:
        """Return the result of ``decide_and_write``, which writes only where what was ``found`` still stands.

        After a conflict, ``reread`` returns what stands there now, and ``decide_and_write`` is called with that: the
        first time at once, because most conflicts are between two writers, later after a random pause. It stops after
        ``most`` calls, or, without ``most``, when time runs out.

        Raises:
            ConditionFailed: others wrote in between every time.
        """
        tries = Tries(self.deadline, most)
        conflicts = 0
        while True:
            try:
                return decide_and_write(found)
            except ConditionFailed:
                conflicts += 1
                if not tries.may_try_again(at_once=conflicts == 1):
                    raise
            found = reread()

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
            changed = None if prefix is None else stamp(prefix, self.now())
            self._client.put_item(**put_request(self.name, key, body, write_id, based_on, changed))
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

        def once() -> Item | None:
            put: TransactWriteItemTypeDef = {"Put": put_request(self.name, key, body, write_id, based_on, None)}
            changed = stamp(prefix, self.now())
            counts = [count_request(self.name, each, counter, write_id, changed) for each in counted]
            self._client.transact_write_items(TransactItems=[put, *counts])
            return None

        seq = integer(body, "seq")
        try:
            return self._write(once, write_id, seq=seq, version=integer(body, "version"))
        except ConditionFailed as failed:
            # A cancelled transaction does not say whose condition failed: if the item carries our own id, an earlier
            # attempt went through and only its answer was lost.
            ours = own_write(failed, self.get(key), write_id, seq)
            if ours is None:
                raise
            return ours

    def update(
        self,
        key: Key,
        sets: Mapping[str, Value],
        *,
        prefix: str,
        write_id: str,
        seq: int,
        version: int,
        condition: Condition,
        removes: Sequence[str] = (),
    ) -> WriteResult:
        """Change parts of an item. ``sets`` and ``removes`` go by attribute path, such as ``row.n``.

        The result's item is the whole new one.

        Raises:
            ConditionFailed: the condition did not hold, or what a path leads into is no map.
        """
        request = partial(
            update_request, self.name, key, sets, removes, condition, write_id=write_id, seq=seq, version=version
        )

        def once() -> Item | None:
            answer = self._client.update_item(**request(changed=stamp(prefix, self.now())))
            return decode_item(answer["Attributes"])

        return self._write(once, write_id, seq=seq, version=version)

    def put_plain(self, key: Key, body: Mapping[str, Value], *, asked_for: bool, guard: Guard | None = None) -> bool:
        """Put an item whatever stands there, but for what ``guard`` says; return True if it was put.

        Raises:
            OutcomeUnknown: it may have been put, and the caller has ``asked_for`` it: it has to know.
            Unavailable: it was not put; or it may have been, and nobody has asked for it, as for a mark.
        """
        request = plain_put_request(self.name, key, body, guard)
        return self._took_effect(partial(self._client.put_item, **request), writes=asked_for)

    def delete_older(self, key: Key, attribute: str, before: int) -> bool:
        """Delete an item if the time in ``attribute`` is an earlier one, else leave it; return True if it was."""

        def delete() -> None:
            answer = self._client.delete_item(
                TableName=self.name,
                Key=encode_item(key.attributes()),
                ConditionExpression="#attribute < :before",
                ExpressionAttributeNames={"#attribute": attribute},
                ExpressionAttributeValues=encode_item({":before": before}),
                ReturnItemCollectionMetrics="SIZE",
            )
            record_collection_size(answer.get("ItemCollectionMetrics"))

        return self._took_effect(delete, writes=True)

    def due_marks(self) -> Iterator[tuple[str, datetime]]:
        """Read the partitions that hold a mark, and since when, longest waiting first. The index may lag by moments."""

        def marked(item: Item) -> tuple[str, datetime]:
            return text(item, "pk"), datetime.fromisoformat(text(item, "due").partition("#")[0])

        marks = self._pages(
            consistent=False,
            IndexName=DUE_INDEX,
            KeyConditionExpression="due_shard = :shard",
            ExpressionAttributeValues={":shard": encode(DUE_SHARD)},
        )
        yield from each_readable(map(decode_item, marks), marked)

    def next_number(self, key: Key, counter: str, maker: str, write_id: str) -> int:
        """Raise a counter of an existing item by one and return it; neither ``seq`` nor the feed takes notice.

        ``maker`` is the attribute that remembers who counted last, so that a lost answer does not count twice. If
        another write has counted in between, it does count twice: a number is skipped, which harms nothing.

        Raises:
            ConditionFailed: there is no such item, or it is deleted.
        """
        request = next_number_request(self.name, key, counter, maker, write_id)
        try:
            item = self._attempt(lambda: decode_item(self._client.update_item(**request)["Attributes"]), writes=True)
        except ConditionFailed as failed:
            if failed.item is None or failed.item.get(maker) != write_id:
                raise
            item = failed.item
        return integer(item, counter)

    def _write(self, once: Callable[[], Item | None], write_id: str, *, seq: int, version: int) -> WriteResult:
        try:
            return WriteResult(version, self._attempt(once, writes=True))
        except ConditionFailed as failed:
            ours = own_write(failed, failed.item, write_id, seq)
            if ours is None:
                raise
            return ours

    def _write_all(self, wanted: Sequence[WriteRequestUnionTypeDef]) -> None:
        tries = Tries(self.deadline)
        while wanted:
            answer = self._attempt(partial(self._client.batch_write_item, RequestItems={self.name: wanted}))
            wanted = answer.get("UnprocessedItems", {}).get(self.name, [])
            if wanted:
                tries.pause_or_give_up(unknown=False)

    def _query(self, partition: str, first: str, last: str, *, forward: bool) -> Iterator[WireItem]:
        yield from self._pages(
            IndexName=CHANGES_INDEX,
            KeyConditionExpression="pk = :pk AND changed BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": encode(partition), ":first": encode(first), ":last": encode(last)},
            ScanIndexForward=forward,
        )

    def _pages(self, *, consistent: bool = True, **arguments: Unpack[_QueryTypeDef]) -> Iterator[WireItem]:
        while True:
            answer = self._attempt(
                partial(self._client.query, TableName=self.name, ConsistentRead=consistent, **arguments)
            )
            yield from answer["Items"]
            following = answer.get("LastEvaluatedKey")
            if not following:
                return
            arguments["ExclusiveStartKey"] = following

    def _took_effect(self, call: Callable[[], object], *, writes: bool = False) -> bool:
        """Make a call as `_attempt` does; return False where its condition does not hold."""
        try:
            self._attempt(call, writes=writes)
        except ConditionFailed:
            return False
        return True

    def _attempt[T](self, call: Callable[[], T], *, writes: bool = False) -> T:
        """Make a call until it is answered, the invocation's time is over, or it turns out to be our mistake."""
        return attempted(self.deadline, call, writes=writes)
