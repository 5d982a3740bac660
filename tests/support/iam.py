"""The policies that template.yaml gives a function, enforced on the code under test.

moto lets every call through, so without this a missing permission would first show in a deployment.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple, Protocol, cast

from personas_tools.template import Function, Statement

type Attributes = Mapping[str, Mapping[str, str]]

_TRANSACTED: Final = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
_EQUALITY: Final = re.compile(r"(#?\w+)\s*=\s*(:\w+)")


class Operation(Protocol):
    """The description of the call that botocore is about to send."""

    @property
    def name(self) -> str:
        """Such as "PutItem"."""


_OBJECT_ACTIONS: Final = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "PutObject": "PutObject",
    "PutObjectTagging": "PutObjectTagging",
    "UploadPart": "PutObject",
}
"""The permission that each request for an object of S3 needs."""


@dataclass(frozen=True)
class Asked:
    """A question to IAM: may this be done to this resource, for items under these partition keys or this prefix?"""

    action: str
    resource: str
    leading_keys: frozenset[str] = frozenset()
    prefix: str | None = None


class Permission(NamedTuple):
    """A part of a statement: one of its actions, for one of the patterns of its partition keys, if it has any."""

    function: str
    sid: str
    action: str
    pattern: str


def permissions(function: Function) -> Iterator[Permission]:
    """Yield all that a function may do."""
    for statement in function.statements:
        for action in statement.actions:
            for pattern in statement.leading_keys or ("",):
                yield Permission(function.logical_id, statement.sid, action, pattern)


@dataclass
class Guard:
    """A guard that refuses calls that a function's policies do not allow, by failing the test.

    It sees the calls of the clients that it is ``watching``. ``names`` are physical names by logical id,
    ``partition_keys`` attributes by the physical name of their table; ``used`` is all that it has let through. Of S3 it
    knows objects and the listing of a bucket, of SQS and EventBridge the sending.
    """

    functions: Mapping[str, Function]
    names: Mapping[str, str]
    partition_keys: Mapping[str, str]
    used: set[Permission] = field(default_factory=set)
    _acting: Function | None = None
    _refused: list[Asked] = field(default_factory=list)

    @contextmanager
    def watching(self, *clients: Any) -> Iterator[None]:
        """Watch these clients within this context."""
        for client in clients:
            client.meta.events.register("provide-client-params", self.check)
        try:
            yield
        finally:
            for client in clients:
                client.meta.events.unregister("provide-client-params", self.check)

    @contextmanager
    def acting_as(self, logical_id: str) -> Iterator[None]:
        """Permit within this context only the actions of this function's policies.

        Raises:
            AssertionError: at its end, if anything was refused, whatever the code under test made of that.
        """
        self._acting, self._refused = self.functions[logical_id], []
        try:
            yield
        finally:
            self._acting = None
        assert not self._refused, f"template.yaml does not allow {logical_id}: {self._refused}"

    def check(self, params: Mapping[str, object], model: Operation, **_: object) -> None:
        """Check the parameters of a call; botocore calls this before it sends the call.

        Raises:
            PermissionError: the function that is acting may not make it.
        """
        acting = self._acting
        if acting is None:
            return
        for asked in self._asked(model.name, params):
            allowing = [statement for statement in acting.statements if self._allows(statement, asked)]
            if not allowing:
                self._refused.append(asked)
                raise PermissionError(f"template.yaml does not allow {acting.logical_id}: {asked}")
            self.used |= {
                Permission(acting.logical_id, statement.sid, asked.action, pattern)
                for statement in allowing
                for pattern in statement.leading_keys or ("",)
                if not pattern or any(fnmatchcase(key, pattern) for key in asked.leading_keys)
            }

    def _allows(self, statement: Statement, asked: Asked) -> bool:
        logical_id, slash, rest = statement.resource.partition("/")
        return (
            asked.action in statement.actions
            and fnmatchcase(asked.resource, self.names.get(logical_id, "") + slash + rest)
            and (not statement.leading_keys or all(_matches(key, statement.leading_keys) for key in asked.leading_keys))
            and (not statement.prefixes or asked.prefix is None or _matches(asked.prefix, statement.prefixes))
        )

    def _asked(self, operation: str, params: Mapping[str, object]) -> Iterator[Asked]:
        if operation in _OBJECT_ACTIONS:
            yield Asked(f"s3:{_OBJECT_ACTIONS[operation]}", f"{params['Bucket']}/{params['Key']}")
        elif operation == "ListObjectsV2":
            yield Asked("s3:ListBucket", cast("str", params["Bucket"]), prefix=cast("str | None", params.get("Prefix")))
        elif operation in {"SendMessage", "SendMessageBatch"}:
            yield Asked("sqs:SendMessage", cast("str", params["QueueUrl"]))
        elif operation == "PutEvents":
            for entry in cast("Sequence[Mapping[str, str]]", params["Entries"]):
                yield Asked("events:PutEvents", entry["EventBusName"])
        else:
            yield from self._asked_of_dynamodb(operation, params)

    def _asked_of_dynamodb(self, operation: str, params: Mapping[str, object]) -> Iterator[Asked]:
        if operation in {"BatchGetItem", "BatchWriteItem"}:
            for table, requests in cast("Mapping[str, object]", params["RequestItems"]).items():
                items = _read_keys(requests) if operation == "BatchGetItem" else _written_items(requests)
                yield Asked(f"dynamodb:{operation}", table, self._leading_keys(table, items))
        elif operation in {"TransactGetItems", "TransactWriteItems"}:
            for action in cast("Sequence[Mapping[str, Mapping[str, object]]]", params["TransactItems"]):
                ((kind, request),) = action.items()
                table = cast("str", request["TableName"])
                yield Asked(f"dynamodb:{_TRANSACTED[kind]}", table, self._leading_keys(table, [_item(request)]))
        else:
            table = cast("str", params["TableName"])
            if operation == "Query":
                keys = frozenset({_queried_key(params)})
            elif "Key" in params or "Item" in params:
                keys = self._leading_keys(table, [_item(params)])
            else:
                keys = frozenset()
            index = params.get("IndexName")
            yield Asked(f"dynamodb:{operation}", table if index is None else f"{table}/index/{index}", keys)

    def _leading_keys(self, table: str, items: Iterable[Attributes]) -> frozenset[str]:
        return frozenset(item[self.partition_keys[table]]["S"] for item in items)


def _matches(key: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def _item(request: Mapping[str, object]) -> Attributes:
    return cast("Attributes", request["Key"] if "Key" in request else request["Item"])


def _read_keys(requests: object) -> Sequence[Attributes]:
    return cast("Mapping[str, Sequence[Attributes]]", requests)["Keys"]


def _written_items(requests: object) -> Iterator[Attributes]:
    for request in cast("Sequence[Mapping[str, Mapping[str, object]]]", requests):
        ((_, inner),) = request.items()
        yield _item(inner)


def _queried_key(params: Mapping[str, object]) -> str:
    """Return the value that a Query asks its partition key to equal: the first equality of its key condition."""
    found = _EQUALITY.search(cast("str", params["KeyConditionExpression"]))
    assert found is not None, f"no equality in {params['KeyConditionExpression']}"
    return cast("Attributes", params["ExpressionAttributeValues"])[found[2]]["S"]
