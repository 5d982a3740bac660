"""The attributes of items: to Python's values and back, and what is no such value costs its own item alone."""

import base64
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.parsers import JSONParser
from hypothesis import given
from hypothesis import strategies as st

from personas.contract.base import TEXTS_MAX
from personas.errors import Unreadable
from personas.runtime import dynamodb
from personas.store.attributes import (
    Foreign,
    Item,
    Value,
    decode,
    decode_item,
    each_readable,
    encode,
    encode_item,
    expired,
    flag,
    inflated,
    inflated_json,
    integer,
    mapping,
    mapping_or_empty,
    readable,
    sound_id,
    strings,
    text,
    text_or_none,
)

KEY: Item = {"pk": "group#g", "sk": "persona#p"}
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

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
    @pytest.mark.parametrize(
        "foreign", [{"SS": ["a"]}, {"NS": ["1"]}, {"BS": [b"a"]}, {"N": "1.5"}, {"S": 1}, {"B": 1}]
    )
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


def two(item: Item, name: str) -> tuple[str, ...]:
    return strings(item, name, 2)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (integer, 0),
        (integer, 2**63 - 1),
        (mapping, {"a": 1}),
        (mapping_or_empty, {"a": 1}),
        (text, ""),
        (text_or_none, "a"),
        (text_or_none, None),
        (flag, False),
        (two, ()),
        (two, ("a", "b")),
    ],
)
def test_a_value_of_the_right_kind_is_read(read: Callable[[Item, str], object], value: Value) -> None:
    assert read({**KEY, "x": value}, "x") == value


@pytest.mark.parametrize(
    ("read", "value", "fault"),
    [
        (integer, None, "x is not a number"),
        (integer, -1, "x is not a number"),
        (integer, 2**63, "x is not a number"),
        (integer, True, "x is not a number"),
        (integer, "1", "x is not a number"),
        (mapping, [], "x is not a map"),
        (mapping_or_empty, None, "x is not a map"),
        (mapping_or_empty, [], "x is not a map"),
        (text, 1, "x is not a string"),
        (text, b"a", "x is not a string"),
        (text_or_none, 1, "x is not a string"),
        (flag, 0, "x is not true or false"),
        (two, ("a", "b", "c"), "x is not a list of at most 2"),
        (two, "ab", "x is not a list of at most 2"),
        (two, b"ab", "x is not a list of at most 2"),
        (two, {"a": 1}, "x is not a list of at most 2"),
        (two, ("a", 1), "x is not a list of strings"),
    ],
)
def test_another_value_is_refused_with_the_item_that_has_it(
    read: Callable[[Item, str], object], value: Value, fault: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        read({**KEY, "x": value}, "x")
    assert refused.value.reason == fault
    assert refused.value.key == "group#g persona#p"


@pytest.mark.parametrize("read", [integer, mapping, text, flag, two])
def test_what_has_to_be_there_is_refused_where_it_is_absent(read: Callable[[Item, str], object]) -> None:
    with pytest.raises(Unreadable):
        read(KEY, "x")


def test_what_may_be_absent_has_a_value_for_that() -> None:
    assert integer(KEY, "x", absent=7) == 7
    assert mapping_or_empty(KEY, "x") == {}
    assert text_or_none(KEY, "x") is None


@pytest.mark.parametrize(("seconds", "over"), [(-1, True), (0, True), (1, False)])
def test_the_time_of_an_item_is_over_from_its_end_on(seconds: int, over: bool) -> None:
    assert expired({**KEY, "expires_at": int(NOW.timestamp()) + seconds}, NOW) is over


def test_an_item_without_an_end_stays() -> None:
    assert not expired(KEY, NOW)


def test_what_lies_in_a_map_of_an_item_is_told_by_the_key_of_the_item() -> None:
    with pytest.raises(Unreadable) as refused:
        readable({**KEY, "row": {"n": 1}}, lambda item: text(mapping(item, "row"), "n"))
    assert (refused.value.key, refused.value.reason) == ("group#g persona#p", "n is not a string")


@pytest.mark.parametrize("error", [KeyError, TypeError, ValueError, zlib.error])
def test_an_item_that_fails_to_be_decoded_is_refused_by_its_key(error: type[Exception]) -> None:
    def fail(_: Item) -> None:
        raise error

    with pytest.raises(Unreadable) as refused:
        readable(KEY, fail)
    assert (refused.value.key, refused.value.reason) == ("group#g persona#p", error.__name__)


def test_one_item_that_cannot_be_read_keeps_no_other_from_being_read(capsys: pytest.CaptureFixture[str]) -> None:
    # Given three items, one of them damaged,
    items: list[Item] = [{**KEY, "x": "a"}, {**KEY, "x": 1}, {**KEY, "x": "c"}]
    # when they are read together, then the others are read, and it is counted.
    assert list(each_readable(items, lambda item: text(item, "x"))) == ["a", "c"]
    assert "UnreadableItems" in capsys.readouterr().out


@pytest.mark.parametrize(
    "value",
    [
        "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e0",
        "5B0D8A34-6A4E-4F0E-9A37-0F6F0C5D2E01",
        "5b0d8a346a4e4f0e9a370f6f0c5d2e01",
        "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01\n",
    ],
)
def test_an_id_in_another_form_is_refused(value: str) -> None:
    with pytest.raises(Unreadable):
        sound_id(value)


def test_an_id_in_its_usual_form_is_taken() -> None:
    assert sound_id("5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01") == "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01"


def test_a_compressed_text_is_read_up_to_its_bound() -> None:
    assert inflated(zlib.compress(b"a" * 10), 10) == "a" * 10


@pytest.mark.parametrize(
    "value",
    [zlib.compress(b"a" * 11), zlib.compress(b"a" * 10)[:-1], "a" * 10, None],
    ids=["too long", "cut off", "plain", "absent"],
)
def test_no_other_text_is_read(value: Value) -> None:
    with pytest.raises(Unreadable):
        inflated(value, 10)


@pytest.mark.parametrize(("characters", "fits"), [(TEXTS_MAX, True), (2 * TEXTS_MAX, False)])
def test_the_texts_of_a_persona_fit_where_each_character_is_written_in_six(characters: int, fits: bool) -> None:
    # Given so many control characters as JSON,
    value = zlib.compress(f'["{"\\u0001" * characters}"]'.encode())
    # when they are read, then those of one persona are, and no more.
    if fits:
        assert inflated_json(value) == ["\x01" * characters]
    else:
        with pytest.raises(Unreadable):
            inflated_json(value)
