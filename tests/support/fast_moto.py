"""moto without its detours, for the many requests of tests.

Two events of botocore let a handler answer in the place of AWS: ``before-send``, with an HTTP response, and
``before-call``, with what would be read from one. Clients that are made after this module is imported have ``answer``
at the first, instead of moto's own handler, and ``answer_directly`` at the second, for calls of DynamoDB that are not
to go ``over_http``.

Either hands a request to DynamoDB to moto's operation as it is: moto would route it by patterns, read it by the
description of DynamoDB, and write its answer by that again. A request to a bucket is handed on likewise; moto would
import its patterns of addresses anew for each. The tables that are made here look, for a Query, at the partition that
is asked for; moto's sort every item of a table, and take an item apart for every attribute that an index projects. An
update expression is parsed once. Items are measured, copied and told in one walk; moto's are for each attribute anew.
"""

import json
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Mapping
from copy import copy, deepcopy
from datetime import datetime
from email.utils import formatdate
from functools import cache
from inspect import signature
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, cast

from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.handlers import BUILTIN_HANDLERS
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber
from moto.core.request import normalize_request
from moto.core.responses import ActionResult
from moto.dynamodb import responses
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import table as tables
from moto.dynamodb.models import utilities
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import LocalSecondaryIndex, Table
from moto.dynamodb.parsing import expressions
from moto.dynamodb.responses import DynamoHandler
from moto.s3.responses import S3Response

from support.aws import REGION

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

_ALONE: Final = RLock()
"""Held by each request: moto's tables are plain dicts, called by the functions from many threads."""
_SIGNATURE: Final = signature(Table.query)
over_http = False
"""True while calls of DynamoDB are to be sent as requests, so that a test can lose, delay or count them."""


def answer(event_name: str, request: "AWSPreparedRequest", **_: object) -> AWSResponse | None:
    """Answer a request while moto stands for AWS; otherwise return None, and botocore sends it."""
    if not botocore_stubber.enabled:
        return None
    with _ALONE:
        if not _of_aws(request.url):
            return botocore_stubber(event_name, request)
        if event_name.startswith("before-send.s3.") and not request.url.startswith("https://s3."):
            return _answer_of_s3(request)
        if not event_name.startswith("before-send.dynamodb."):
            return botocore_stubber(event_name, request)
        status, said = _operate(event_name, request.body)
    headers = HTTPHeaders.from_dict({"date": formatdate(usegmt=True)})
    return AWSResponse(request.url, status, headers, MockRawResponse(json.dumps(said, default=_in_json)))


def answer_directly(event_name: str, params: Mapping[str, Any], **_: object) -> tuple[AWSResponse, Any] | None:
    """Answer a call of DynamoDB before it is signed and sent, unless they are to go ``over_http``; then return None."""
    if over_http or not (botocore_stubber.enabled and _of_aws(params["url"])):
        return None
    with _ALONE:
        status, said = _operate(event_name, params["body"])
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}
    response = AWSResponse(params["url"], status, HTTPHeaders(), MockRawResponse(b""))
    if status == 200:
        return response, {**said, "ResponseMetadata": metadata}
    error = {"Code": said["__type"].rpartition("#")[2], "Message": said.get("message", said.get("Message", ""))}
    return response, {**said, "Error": error, "ResponseMetadata": metadata}


BUILTIN_HANDLERS[BUILTIN_HANDLERS.index(("before-send", botocore_stubber))] = ("before-send", answer)
BUILTIN_HANDLERS.append(("before-call.dynamodb", answer_directly))


def _answer_of_s3(request: "AWSPreparedRequest") -> AWSResponse:
    """Have moto answer a request whose host names the bucket: its path is that of an object, or of all of them."""
    asked: Any = normalize_request(request)
    dispatch: Any = S3Response.bucket_dispatch if asked.path == "/" else S3Response.key_dispatch
    status, headers, body = dispatch(asked, asked.raw_url, asked.headers)
    return AWSResponse(request.url, status, headers, MockRawResponse(body))


def _of_aws(address: str) -> bool:
    """Tell an address of AWS from one of an emulator."""
    return ".amazonaws.com" in address


def _operate(event_name: str, body: Any) -> tuple[int, dict[str, Any]]:
    """Have moto do what a request asks for; the status and what the answer says."""
    handler: Any = _Handler()
    handler.region, handler.partition, handler.current_account = REGION, "aws", DEFAULT_ACCOUNT_ID
    handler.body = handler.params = json.loads(body, object_hook=_with_binary)
    try:
        return 200, getattr(handler, xform_name(event_name.rpartition(".")[2]))().result
    except JsonRESTError as error:
        return 400, json.loads(error.description)


def _with_binary(value: dict[str, Any]) -> dict[str, Any]:
    """Return part of a request, in which the value of a binary attribute is no longer written in base64."""
    binary = value.get("B")
    return {"B": b64decode(binary)} if isinstance(binary, str) else value


def _in_json(value: bytes | datetime) -> str | float:
    """Return what DynamoDB writes in JSON for a value that has no form there."""
    return value.timestamp() if isinstance(value, datetime) else b64encode(value).decode()


class _Handler(DynamoHandler):
    """The operations of moto's DynamoDB, on tables of this module."""

    def create_table(self) -> ActionResult:
        made = super().create_table()
        table: Any = self.dynamodb_backend.get_table(self.body["TableName"])
        table.__class__ = _Table
        for index in table.indexes:
            index.__class__ = _Index
        return made

    def transact_write_items(self) -> ActionResult:
        _updated.append([action["Update"]["Key"] for action in self.body["TransactItems"] if "Update" in action])
        try:
            return super().transact_write_items()
        finally:
            _updated.clear()


_updated: Final[list[list[Mapping[str, Any]]]] = []
"""Holds, during a transaction, the keys of the items that it updates."""


class _Table(Table):
    """A table that knows the partitions of its items."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Copy the table; for a transaction, to put back if it fails, only the items that are about to be changed.

        moto takes a copy for each action of a transaction, of the stream as well.
        """
        copied: Any = Table.__new__(_Table)
        memo[id(self)] = copied
        if not _updated or self.range_key_attr is None:
            copied.__dict__.update(deepcopy(self.__dict__, memo))
            return copied
        items: Any = self.items
        copied.__dict__.update(self.__dict__)
        copied.items = defaultdict(dict, {partition: {**those} for partition, those in items.items()})
        for key in _updated[0]:
            partition, place = DynamoType(key[self.hash_key_attr]), DynamoType(key[self.range_key_attr])
            if place in items.get(partition, ()):
                copied.items[partition][place] = deepcopy(items[partition][place])
        if self.stream_shard is not None:
            copied.stream_shard = copy(self.stream_shard)
            copied.stream_shard.items, copied.stream_shard.table = [*self.stream_shard.items], copied
        return copied

    def query(self, hash_key: DynamoType | None, *arguments: Any, **others: Any) -> Any:
        """Query a table that has only the items of the partition.

        A global index has no partitions and is left as it is.
        """
        asked = _SIGNATURE.bind(self, hash_key, *arguments, **others).arguments
        index_name = asked.get("index_name")
        if index_name is not None and not isinstance(self.get_index(index_name), LocalSecondaryIndex):
            return super().query(hash_key, *arguments, **others)
        found = dict(self.items.get(hash_key, {}))
        for name, comparison, values in asked.get("range_key_conditions") or ():
            found = {
                key: item
                for key, item in found.items()
                if name in item.attrs and item.attrs[name].compare(comparison, values)
            }
        narrow: Any = Table.__new__(Table)
        narrow.__dict__.update(self.__dict__, items={hash_key: {key: _Read(item) for key, item in found.items()}})
        return narrow.query(hash_key, *arguments, **others)

    def sorted_items(
        self, hash_key_attrs: list[str], range_key_attrs: list[str | None], items: list[Item]
    ) -> list[Item]:
        """Sort items by an index's key and the table's, whose values are cast once, not for every comparison."""
        names = self._generate_attr_to_sort_by(hash_key_attrs, range_key_attrs)
        return sorted(items, key=lambda item: [item.attrs[name].cast_value for name in names])


class _Item(Item):
    """An item of a table: moto's own is walked through for each of its attributes, and copied part by part."""

    def __init__(self, hash_key: DynamoType, range_key: DynamoType | None, attrs: Mapping[str, Any]) -> None:
        self.hash_key, self.range_key = hash_key, range_key
        self.attrs = LimitedSizeDict({name: DynamoType(value) for name, value in attrs.items()})
        if self.size() > _MOST_BYTES:
            raise ItemSizeTooLarge

    def __deepcopy__(self, memo: object) -> "_Item":
        return self.having({name: _copied(value) for name, value in self.attrs.items()})

    def having(self, attributes: Mapping[str, DynamoType]) -> "_Item":
        """Return an item with the same key."""
        made: Any = _Item.__new__(_Item)
        made.hash_key, made.range_key, made.attrs = self.hash_key, self.range_key, LimitedSizeDict(attributes)
        return cast("_Item", made)

    def size(self) -> int:
        return sum(len(name.encode()) + _size(value) for name, value in self.attrs.items())

    def to_json(self, root_attr_name: str = "Attributes") -> dict[str, Any]:
        return {root_attr_name: _plain(self.attrs)}


_MOST_BYTES: Final = 405_000
"""moto's limit of an item."""


class _Read(_Item):
    """An item that is read and never changed, so that nobody needs a copy."""

    def __init__(self, item: Item) -> None:
        self.__dict__.update(item.__dict__)

    def __deepcopy__(self, memo: object) -> _Item:
        return self


def _copied(value: DynamoType) -> Any:
    made: Any = DynamoType.__new__(DynamoType)
    made.type, parts = value.type, value.value
    if made.type == "M":
        parts = {name: _copied(part) for name, part in parts.items()}
    elif made.type == "L":
        parts = [_copied(part) for part in parts]
    elif value.is_set():
        parts = [*parts]
    made.value = parts
    return made


def _size(value: DynamoType) -> int:
    """Return a value's size as moto counts it."""
    kind, parts = value.type, value.value
    if kind == "S":
        return len(parts) if parts.isascii() else len(parts.encode())
    if kind == "M":
        return sum(len(name.encode()) + _size(part) for name, part in parts.items())
    return sum(map(_size, parts)) if kind == "L" else value.size()


def _plain(value: Any) -> Any:
    """Return part of an answer without classes of moto's; its own function looks for more kinds of values."""
    kind = type(value)
    if kind is DynamoType:
        if value.type in {"B", "BS"}:
            return _MOTO_PLAIN(value)
        return {value.type: value.value if type(value.value) is str else _plain(value.value)}
    if kind is dict or kind is LimitedSizeDict:
        return {name: _plain(part) for name, part in value.items()}
    if kind is list:
        return [_plain(part) for part in value]
    return value if kind is str else _MOTO_PLAIN(value)


_MOTO_PLAIN: Final = utilities.dynamo_to_dict


class _Index(LocalSecondaryIndex):
    """A local index; all that it projects are whole attributes, none a path into a map."""

    def project(self, item: Item) -> Any:
        if self.projection["ProjectionType"] != "INCLUDE":
            return super().project(item)
        kept = {*self.table_key_attrs, *self.schema_key_attrs, *self.projection["NonKeyAttributes"]}
        return cast("_Item", item).having({name: value for name, value in item.attrs.items() if name in kept})


_parser: Final = vars(expressions)["UpdateExpressionParser"]
# moto refers to each of these by its name.
for _place, _name, _own in (
    (responses, "dynamo_to_dict", _plain),
    (tables, "Item", _Item),
    (_parser, "make", cache(_parser.make)),
):
    setattr(_place, _name, _own)
