"""DynamoDB's attribute values to Python's and back."""

import base64
import json
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.parsers import JSONParser
from hypothesis import given
from hypothesis import strategies as st

from personas.runtime import dynamodb
from personas.store.attributes import Foreign, Item, Value, decode, decode_item, encode, encode_item

# DynamoDB keeps 38 digits of a number.
numbers = st.integers(-(10**38) + 1, 10**38 - 1)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


class TestThereAndBack:
    @given(values)
    def test_a_value_stays_what_it_was(self, value: Value) -> None:
        assert decode(encode(value)) == value

    @given(st.dictionaries(st.text(min_size=1), values, max_size=5))
    def test_an_item_stays_what_it_was(self, item: Item) -> None:
        assert decode_item(encode_item(item)) == item

    @given(values)
    def test_it_is_what_boto3_understands(self, value: Value) -> None:
        assert plain(TypeDeserializer().deserialize(encode(value))) == value

    def test_a_tuple_comes_back_as_a_list(self) -> None:
        assert decode(encode(("a", "b"))) == ["a", "b"]


class TestOnTheWire:
    @given(st.dictionaries(st.text(min_size=1), values, min_size=1, max_size=5))
    def test_an_item_in_an_answer_is_the_json_that_was_sent(self, item: Item) -> None:
        # Given an item as DynamoDB sends it,
        sent = json.loads(json.dumps(encode_item(item), default=lambda value: base64.b64encode(value).decode()))
        # when the service's own client reads it from an answer,
        shape = dynamodb().meta.service_model.operation_model("GetItem").output_shape
        answer = {"status_code": 200, "headers": {}, "body": json.dumps({"Item": sent}).encode()}
        read = JSONParser().parse(answer, shape)["Item"]
        # then it has looked at none of the values, and they mean what they meant.
        assert read == sent
        assert decode_item(read) == item


class TestEncode:
    @pytest.mark.parametrize(
        ("value", "encoded"),
        [
            (None, {"NULL": True}),
            (True, {"BOOL": True}),
            (False, {"BOOL": False}),
            (1, {"N": "1"}),
            (0, {"N": "0"}),
            ("1", {"S": "1"}),
            ("", {"S": ""}),
            (b"1", {"B": b"1"}),
            ((), {"L": []}),
            ({}, {"M": {}}),
            ({"a": [1, None]}, {"M": {"a": {"L": [{"N": "1"}, {"NULL": True}]}}}),
        ],
    )
    def test_says_the_type(self, value: Value, encoded: object) -> None:
        assert encode(value) == encoded


class TestDecode:
    @pytest.mark.parametrize("foreign", [{"SS": ["a"]}, {"NS": ["1"]}, {"BS": [b"a"]}, {"N": "1.5"}, {"S": 1}])
    def test_keeps_what_this_service_never_writes_as_it_is(self, foreign: dict[str, object]) -> None:
        assert decode(foreign) == Foreign(foreign)
        assert encode(decode(foreign)) == foreign

    @pytest.mark.parametrize("value", [True, False])
    def test_a_boolean_is_no_number(self, value: bool) -> None:
        assert decode({"BOOL": value}) is value


def plain(value: Any) -> Any:
    """Return the value as boto3 makes it, without its wrapper of bytes."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.value if hasattr(value, "value") else value
