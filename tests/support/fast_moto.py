"""moto without its detours, for the many requests of tests.

A request to DynamoDB is handed to moto's operation as it is: moto would route it by patterns, read it by the
description of DynamoDB, and write its answer by that again. A request to a bucket is handed on likewise; moto would
import its patterns of addresses anew for each. The tables that are made here look, for a Query, at the partition that
is asked for; moto's sort every item of a table, and take an item apart for every attribute that an index projects.
"""

import json
from base64 import b64decode
from collections import defaultdict
from collections.abc import Mapping
from copy import copy, deepcopy
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import normalize_request
from moto.core.responses import ActionResult
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import LocalSecondaryIndex, Table
from moto.dynamodb.responses import DynamoHandler
from moto.s3.responses import S3Response

from support.aws import REGION

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

_SIGNATURE: Final = signature(Table.query)


def answer_of_s3(request: "AWSPreparedRequest") -> AWSResponse:
    """Have moto answer a request whose host names the bucket: its path is that of an object, or of all of them."""
    asked: Any = normalize_request(request)
    dispatch: Any = S3Response.bucket_dispatch if asked.path == "/" else S3Response.key_dispatch
    status, headers, body = dispatch(asked, asked.raw_url, asked.headers)
    return AWSResponse(request.url, status, headers, MockRawResponse(body))


def operate(event_name: str, body: Any) -> tuple[int, dict[str, Any]]:
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
        read = {key: _Read(item, item.attrs) for key, item in found.items()}
        narrow.__dict__.update(self.__dict__, items={hash_key: read})
        return narrow.query(hash_key, *arguments, **others)

    def sorted_items(
        self, hash_key_attrs: list[str], range_key_attrs: list[str | None], items: list[Item]
    ) -> list[Item]:
        """Sort items by an index's key and the table's, whose values are cast once, not for every comparison."""
        names = self._generate_attr_to_sort_by(hash_key_attrs, range_key_attrs)
        return sorted(items, key=lambda item: [item.attrs[name].cast_value for name in names])


class _Read(Item):
    """An item that is read and never changed, so that nobody needs a copy."""

    def __init__(self, item: Item, attributes: Any) -> None:
        self.hash_key, self.range_key, self.attrs = item.hash_key, item.range_key, attributes

    def __deepcopy__(self, memo: object) -> "_Read":
        return self


class _Index(LocalSecondaryIndex):
    """A local index; all that it projects are whole attributes, none a path into a map."""

    def project(self, item: Item) -> Any:
        if self.projection["ProjectionType"] != "INCLUDE":
            return super().project(item)
        kept = {*self.table_key_attrs, *self.schema_key_attrs, *self.projection["NonKeyAttributes"]}
        return _Read(item, {name: value for name, value in item.attrs.items() if name in kept})
