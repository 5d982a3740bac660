"""The capacity that DynamoDB would charge to a botocore client, by its published rules and the items' true sizes.

Neither moto nor ministack counts capacity as DynamoDB does: the one rounds otherwise, the other reports none. So the
meter looks at every item before and after a write, and at all that a read returns.

The rules, from the DynamoDB developer guide ("Read and write operations", "Item sizes and formats", "Local secondary
indexes"):

* A strongly consistent read takes a unit for every 4 KB or part of them: an item at a time for GetItem and
  BatchGetItem, all that was evaluated together for Query. Nothing found takes one.
* A write takes a unit for every 1 KB or part of them of the larger of the item before and after. In a transaction it
  takes twice that. A condition that fails is charged as if the item that stands there had been written.
* An index entry that appears, or disappears, takes a write of its own size; one whose key changes takes both; one that
  changes otherwise takes one of the larger size; one that does not change takes none.
* A size is the sum of the names' and the values' UTF-8 bytes; a map or a list adds 3 bytes and one an element.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type AttributeMap = Mapping[str, Mapping[str, Any]]

READ_UNIT: Final = 4096
WRITE_UNIT: Final = 1024


def item_size(item: AttributeMap) -> int:
    """Return the size of an item in bytes as DynamoDB counts it; in this process binary values are not in base64."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            # About a byte for two significant digits, and one more.
            return ceil(len(content.strip("-").replace(".", "").strip("0")) / 2) + 1
        case "BOOL" | "NULL":
            return 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in content.items())
        case "L":
            return 3 + sum(1 + _value_size(each) for each in content)
    raise ValueError(f"a type of attribute that nothing here stores: {kind}")


def read_units(size: int) -> int:
    """Return the units of a strongly consistent read of so many bytes."""
    return max(1, ceil(size / READ_UNIT))


def write_units(*sizes: int) -> int:
    """Return the units of a write of the largest of these sizes."""
    return max(1, ceil(max(sizes, default=0) / WRITE_UNIT))


@dataclass(frozen=True)
class Index:
    """An index of a table: its own key, and every attribute that its entries hold."""

    key: frozenset[str]
    attributes: frozenset[str]

    def entry(self, item: AttributeMap | None) -> dict[str, Mapping[str, Any]] | None:
        """Return the entry of an item, or None if the item has none."""
        if item is None or not self.key <= item.keys():
            return None
        return {name: value for name, value in item.items() if name in self.attributes}


@dataclass(frozen=True)
class Shape:
    """The parts of a table that decide the price of a write: the attributes of its key, and its indexes."""

    key: tuple[str, ...]
    indexes: tuple[Index, ...]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Shape":
        """Return the shape of a table from the answer of DescribeTable."""
        key = _names(table["KeySchema"])
        indexes = (*table.get("LocalSecondaryIndexes", ()), *table.get("GlobalSecondaryIndexes", ()))
        return cls(
            key,
            tuple(
                Index(
                    frozenset(_names(each["KeySchema"])),
                    frozenset((*key, *_names(each["KeySchema"]), *each["Projection"].get("NonKeyAttributes", ()))),
                )
                for each in indexes
            ),
        )

    def cost_of_write(self, before: AttributeMap | None, after: AttributeMap | None) -> int:
        """Return the units of a write that turned the item ``before`` into ``after``; None stands for no item."""
        units = write_units(*_sizes(before, after))
        for index in self.indexes:
            old, new = index.entry(before), index.entry(after)
            if old == new:
                continue
            if old is None or new is None or all(old[name] == new[name] for name in index.key):
                units += write_units(*_sizes(old, new))
            else:
                units += write_units(item_size(old)) + write_units(item_size(new))
        return units


def _names(key_schema: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(each["AttributeName"] for each in key_schema)


def _sizes(*items: AttributeMap | None) -> list[int]:
    return [item_size(each) for each in items if each is not None]


@dataclass
class Consumed:
    """The units and requests that were used."""

    read: int = 0
    write: int = 0
    requests: dict[str, int] = field(default_factory=dict)


class Meter:
    """A counter of the capacity that watched clients use, in one thread: it reads items before and after requests."""

    def __init__(
        self,
        reader: "DynamoDBClient",
        tables: Sequence[str],
        pausing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Create a meter that reads items by ``reader``, a client that nobody watches, within ``pausing``."""
        self.consumed = Consumed()
        self._reader = reader
        self._shapes = {name: Shape.of(reader.describe_table(TableName=name)["Table"]) for name in tables}
        self._pausing = pausing
        self._before: list[tuple[str, AttributeMap, AttributeMap | None]] = []
        self._params: Mapping[str, Any] = {}

    def watch(self, *clients: Any) -> None:
        """Count the requests of these clients, of any service."""
        for client in clients:
            service = client.meta.service_model.service_name
            client.meta.events.register(f"provide-client-params.{service}", self._asked)
            client.meta.events.register(f"after-call.{service}", self._answered)

    @contextmanager
    def counting(self) -> Iterator[Consumed]:
        """Start from nothing; what is yielded says afterwards what was used within."""
        self.consumed = Consumed()
        yield self.consumed

    def _asked(self, params: Mapping[str, Any], model: Any, **_: object) -> None:
        self._params = params
        requests = self.consumed.requests
        name = f"{model.service_model.service_name}.{model.name}"
        requests[name] = requests.get(name, 0) + 1
        if name.startswith("dynamodb."):
            with self._pausing():
                self._before = [
                    (table, key, self._item(table, key)) for table, key in self._written(model.name, params)
                ]

    def _answered(self, parsed: Mapping[str, Any], model: Any, http_response: Any, **_: object) -> None:
        if model.service_model.service_name != "dynamodb":
            return
        failed = http_response.status_code >= 300  # as botocore tells an error
        with self._pausing():
            weight = 2 if model.name == "TransactWriteItems" else 1
            for table, key, before in self._before:
                after = before if failed else self._item(table, key)
                if failed:
                    self.consumed.write += weight * write_units(0 if before is None else item_size(before))
                else:
                    self.consumed.write += weight * self._shapes[table].cost_of_write(before, after)
            if not failed:
                self.consumed.read += self._read(model.name, parsed)
        self._before = []

    def _item(self, table: str, key: AttributeMap) -> AttributeMap | None:
        return self._reader.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")

    def _written(self, operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, AttributeMap]]:
        """Yield the table and key of each item that a request writes."""
        match operation:
            case "PutItem":
                yield params["TableName"], self._key(params["TableName"], params["Item"])
            case "UpdateItem" | "DeleteItem":
                yield params["TableName"], params["Key"]
            case "BatchWriteItem":
                for table, requests in params["RequestItems"].items():
                    for each in requests:
                        yield table, self._key(table, each["PutRequest"]["Item"])
            case "TransactWriteItems":
                for action in params["TransactItems"]:
                    ((kind, what),) = action.items()
                    yield (
                        what["TableName"],
                        self._key(what["TableName"], what["Item"]) if kind == "Put" else what["Key"],
                    )

    def _key(self, table: str, item: AttributeMap) -> AttributeMap:
        return {name: item[name] for name in self._shapes[table].key}

    def _read(self, operation: str, parsed: Mapping[str, Any]) -> int:
        match operation:
            case "GetItem":
                return read_units(item_size(parsed.get("Item", {})))
            case "BatchGetItem":
                asked = sum(len(each["Keys"]) for each in self._params["RequestItems"].values())
                found: Sequence[AttributeMap] = [each for items in parsed["Responses"].values() for each in items]
                return sum(read_units(item_size(each)) for each in found) + (asked - len(found))
            case "Query":
                return read_units(sum(item_size(each) for each in parsed["Items"]))
        return 0
