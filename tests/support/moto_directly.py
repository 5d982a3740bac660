"""moto's DynamoDB without its detours, for the many calls of tests.

moto sorts every item of a table for each Query, and takes an item apart once for every attribute that an index
projects: with ``narrow_queries`` it looks at the partition that is asked for. With ``moto_directly`` it is a function
call besides, without HTTP: a client's parameters go to moto's handler as they are, past botocore's serializers,
signatures and parsers and moto's own. Nothing else differs, and other services stay as they are.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from threading import RLock
from typing import Any, Final
from unittest.mock import patch

from botocore import xform_name
from botocore.client import BaseClient
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import LocalSecondaryIndex, SecondaryIndex, Table
from moto.dynamodb.responses import DynamoHandler

_ALONE: Final = RLock()
"""Held by each call: moto's tables are plain dicts, called by the functions from many threads."""
_CALL: Final = vars(BaseClient)["_make_api_call"]
_QUERY: Final = Table.query
_PROJECT: Final = SecondaryIndex.project
_CAST: Final = vars(DynamoType)["cast_value"].fget
_SIGNATURE: Final = signature(Table.query)
_ANSWERED: Final = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}


@contextmanager
def moto_directly() -> Iterator[None]:
    """Let clients of DynamoDB call moto directly within this context."""
    with patch.object(BaseClient, "_make_api_call", _call):
        yield


@contextmanager
def narrow_queries() -> Iterator[None]:
    """Let moto look at no more of a table than a Query asks for within this context."""
    with (
        patch.object(Table, "query", _query),
        patch.object(SecondaryIndex, "project", _project),
        patch.object(DynamoType, "cast_value", property(_cast)),
    ):
        yield


def _call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Mapping[str, Any]:
    """Answer a call; whoever listens to parameters, such as the guard of the policies, hears of them."""
    if client.meta.service_model.service_name != "dynamodb":
        answer: Mapping[str, Any] = _CALL(client, operation, parameters)
        return answer
    model = client.meta.service_model.operation_model(operation)
    client.meta.events.emit(f"provide-client-params.dynamodb.{operation}", params=parameters, model=model, context={})
    handler: Any = DynamoHandler()
    handler.region, handler.partition, handler.current_account = client.meta.region_name, "aws", DEFAULT_ACCOUNT_ID
    handler.body = handler.params = parameters
    try:
        with _ALONE:
            return {"ResponseMetadata": _ANSWERED, **getattr(handler, xform_name(operation))().result}
    except JsonRESTError as error:
        said = json.loads(error.description)
        code = said["__type"].rpartition("#")[2]
        told = {"Code": code, "Message": said.get("message", said.get("Message", ""))}
        answered = {**_ANSWERED, "HTTPStatusCode": 400}
        exceptions: Any = client.exceptions
        failed = exceptions.from_code(code)
        raise failed({**said, "Error": told, "ResponseMetadata": answered}, operation) from None


def _query(table: Any, hash_key: DynamoType, *arguments: Any, **others: Any) -> Any:
    """Query a table that has only the items of the partition.

    A global index has no partitions and is left as it is.
    """
    asked = _SIGNATURE.bind(table, hash_key, *arguments, **others).arguments
    index_name = asked.get("index_name")
    if index_name is None or isinstance(table.get_index(index_name), LocalSecondaryIndex):
        found = dict(table.items.get(hash_key, {}))
        for name, comparison, values in asked.get("range_key_conditions") or ():
            found = {
                key: item
                for key, item in found.items()
                if name in item.attrs and item.attrs[name].compare(comparison, values)
            }
        narrow = Table.__new__(Table)
        narrow.__dict__.update(table.__dict__, items={hash_key: found})
        table = narrow
    return _QUERY(table, hash_key, *arguments, **others)


def _project(index: SecondaryIndex, item: Any) -> Any:
    """Return an item with the attributes that an index projects; all are whole attributes, none a path into a map."""
    projection = index.projection or {}
    if projection.get("ProjectionType") != "INCLUDE":
        return _PROJECT(index, item)
    kept = {*index.table_key_attrs, *(key["AttributeName"] for key in index.schema), *projection["NonKeyAttributes"]}
    projected: Any = Item.__new__(Item)
    projected.hash_key, projected.range_key, projected.attrs = item.hash_key, item.range_key, LimitedSizeDict()
    dict.update(projected.attrs, {name: value for name, value in item.attrs.items() if name in kept})
    return projected


def _cast(value: DynamoType) -> Any:
    return value.value if value.type == "S" else _CAST(value)
