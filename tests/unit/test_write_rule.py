"""The requests of single writes, whole, and the recognition of our own write where its answer was lost."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pytest

from personas.errors import OutcomeUnknown
from personas.store import write_rule
from personas.store.attempts import ConditionFailed
from personas.store.attributes import Item, Value, encode_item
from personas.store.keys import Key
from personas.store.write_rule import (
    Condition,
    Counted,
    Guard,
    Later,
    OneTime,
    Still,
    WriteResult,
    count_request,
    is_unchanged,
    is_version,
    next_number_request,
    own_write,
    plain_put_request,
    put_request,
    recent_write,
    recent_write_slot,
    update_request,
    version_written_by,
)

KEY: Final = Key("group#G", "persona#P")
STAMP: Final = "p#2026-11-28T07:05:09.000042Z"


def trail(*writes: str) -> dict[str, Value]:
    return {f"s{slot}": write for slot, write in enumerate(writes)}


FULL: Final = trail(*(f"another@{version}" for version in range(8)))


class TestOneTime:
    def test_writes_of_a_call_share_its_random_part_and_end_with_their_position(self) -> None:
        intent = OneTime()

        nonce, _, position = intent.write_id(3).partition(".")

        assert len(bytes.fromhex(nonce)) == 8
        assert position == "3"
        assert intent.write_id() == f"{nonce}.0"
        assert OneTime().write_id() != intent.write_id()

    def test_what_it_makes_gets_random_ids(self) -> None:
        intent = OneTime()

        assert UUID(intent.new_id()).version == 4
        assert intent.new_id() != intent.new_id()

    def test_nothing_of_it_may_be_done(self) -> None:
        assert OneTime().may_be_done is False


class TestResult:
    def test_a_version_that_was_made_is_based_on_the_one_before(self) -> None:
        assert WriteResult(7, None).based_on == 6

    def test_a_version_that_stood_is_what_the_write_was_decided_on(self) -> None:
        assert WriteResult(7, None, made=False).based_on == 7


class TestRecentWrites:
    def test_are_a_ring_of_eight(self) -> None:
        assert [recent_write_slot(seq) for seq in (0, 7, 8, 17)] == ["s0", "s7", "s0", "s1"]

    def test_tell_the_write_and_its_version(self) -> None:
        assert recent_write("w.0", 3) == "w.0@3"
        assert version_written_by({"trail": trail("another@2", "w.0@3")}, "w.0") == 3
        assert version_written_by({"trail": trail("a@b@3")}, "a@b") == 3

    @pytest.mark.parametrize("entry", [None, 7, b"w.0@3", "w.0@", "w.0@three", "another@3", "3"])
    def test_that_are_damaged_or_anothers_tell_nothing(self, entry: Value) -> None:
        assert version_written_by({"trail": {"s0": entry}}, "w.0") is None


class TestOwnWrite:
    SEEN: Final[Item] = {"seq": 9, "trail": trail("another@2", "w@3")}

    @pytest.mark.parametrize("unsure", [True, False])
    def test_is_the_version_that_the_trail_tells(self, unsure: bool) -> None:
        assert own_write(ConditionFailed(None, unsure=unsure), self.SEEN, "w", 9) == WriteResult(3, self.SEEN)

    @pytest.mark.parametrize("item", [None, SEEN, {"seq": 17, "trail": FULL}])
    def test_is_none_where_no_attempt_may_have_taken_effect(self, item: Item | None) -> None:
        assert own_write(ConditionFailed(None, unsure=False), item, "mine", 9) is None

    @pytest.mark.parametrize(
        "item",
        [
            None,
            SEEN,
            {"seq": 16, "trail": FULL},
            {"seq": 99, "trail": trail("buried@3")},
        ],
    )
    def test_is_none_where_the_trail_would_still_have_it(self, item: Item | None) -> None:
        assert own_write(ConditionFailed(None, unsure=True), item, "mine", 9) is None

    @pytest.mark.parametrize("seq", [17, 18])
    def test_is_unknown_where_eight_have_written_since(self, seq: int) -> None:
        with pytest.raises(OutcomeUnknown):
            own_write(ConditionFailed(None, unsure=True), {"seq": seq, "trail": FULL}, "mine", 9)


class TestConditions:
    def test_an_item_is_as_it_was_read(self) -> None:
        assert is_unchanged(8) == Condition("#seq = :based_on", ("seq",), {":based_on": 8})

    def test_an_item_has_a_version_and_has_not_expired(self) -> None:
        assert is_version(2, datetime.fromtimestamp(5.9, UTC)) == Condition(
            "#version = :expected AND #expires_at > :now", ("version", "expires_at"), {":expected": 2, ":now": 5}
        )


class TestPut:
    BODY: Final[Item] = {"row": {"n": "Otto"}, "seq": 9, "version": 3, "trail": {"s0": "old@2"}}
    ITEM: Final[Item] = {
        "pk": "group#G",
        "sk": "persona#P",
        "row": {"n": "Otto"},
        "seq": 9,
        "version": 3,
        "trail": {"s0": "old@2", "s1": "w@3"},
    }

    def test_over_what_was_read(self) -> None:
        assert put_request("personas", KEY, self.BODY, "w", 8, STAMP) == {
            "TableName": "personas",
            "Item": encode_item({**self.ITEM, "changed": STAMP}),
            "ConditionExpression": "seq = :based_on",
            "ExpressionAttributeValues": encode_item({":based_on": 8}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def test_of_what_no_feed_shows_and_what_is_new(self) -> None:
        assert put_request("personas", KEY, self.BODY, "w", None, None) == {
            "TableName": "personas",
            "Item": encode_item(self.ITEM),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def test_over_an_item_as_it_was_read(self) -> None:
        request = put_request("personas", KEY, self.BODY, "w", {"seq": 8}, STAMP)

        assert request["ConditionExpression"] == "seq = :based_on"
        assert request["ExpressionAttributeValues"] == encode_item({":based_on": 8})

    def test_over_an_item_that_has_lost_its_seq(self) -> None:
        request = put_request("personas", KEY, self.BODY, "w", {"row": {}}, STAMP)

        assert request["ConditionExpression"] == "attribute_exists(pk) AND attribute_not_exists(seq)"
        assert "ExpressionAttributeValues" not in request


class TestPlainPut:
    ITEM: Final = {"TableName": "personas", "Item": encode_item({"pk": "group#G", "sk": "persona#P", "nonce": "x"})}

    def test_without_a_guard_is_made_whatever_stands_there(self) -> None:
        assert plain_put_request("personas", KEY, {"nonce": "x"}, None) == self.ITEM

    @pytest.mark.parametrize(
        ("guard", "condition", "names", "values"),
        [
            (Still("n", 4), "#number = :number", {"#number": "n"}, {":number": 4}),
            (Later("t", 5), "NOT #time > :time", {"#time": "t"}, {":time": 5}),
            (
                Later("t", 5, "nonce"),
                "NOT #time > :time OR #own = :own",
                {"#time": "t", "#own": "nonce"},
                {":time": 5, ":own": "x"},
            ),
        ],
    )
    def test_with_one_is_made_under_its_condition(
        self, guard: Guard, condition: str, names: dict[str, str], values: dict[str, Value]
    ) -> None:
        assert plain_put_request("personas", KEY, {"nonce": "x"}, guard) == self.ITEM | {
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": encode_item(values),
        }


class TestUpdate:
    def test_sets_and_removes_within_maps_that_are_there(self) -> None:
        request = update_request(
            "personas",
            KEY,
            {"row.n": "Otto", "row.x.y": 1, "copies": 5},
            ["texts.d", "texts.i", "gone"],
            is_unchanged(8),
            changed=STAMP,
            write_id="w",
            seq=9,
            version=3,
        )

        names = ("seq", "changed", "row", "n", "x", "y", "copies", "version", "trail", "s1", "texts", "d", "i", "gone")
        assert request == {
            "TableName": "personas",
            "Key": encode_item({"pk": "group#G", "sk": "persona#P"}),
            "UpdateExpression": (
                "SET #changed = :changed, #row.#n = :v0, #row.#x.#y = :v1, #copies = :v2, #seq = :v3, #version = :v4,"
                " #trail.#s1 = :v5 REMOVE #texts.#d, #texts.#i, #gone"
            ),
            "ConditionExpression": (
                "#seq = :based_on AND attribute_type(#row, :map) AND attribute_type(#trail, :map)"
                " AND attribute_type(#texts, :map)"
            ),
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
            "ExpressionAttributeValues": encode_item(
                {
                    ":based_on": 8,
                    ":map": "M",
                    ":changed": STAMP,
                    ":v0": "Otto",
                    ":v1": 1,
                    ":v2": 5,
                    ":v3": 9,
                    ":v4": 3,
                    ":v5": "w@3",
                }
            ),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def test_removes_nothing_where_nothing_is_to_go(self) -> None:
        request = update_request(
            "personas", KEY, {}, [], is_unchanged(8), changed=STAMP, write_id="w", seq=9, version=3
        )

        assert request["UpdateExpression"] == "SET #changed = :changed, #seq = :v0, #version = :v1, #trail.#s1 = :v2"


class TestCount:
    ITEM: Final[Item] = {"pk": "group#G", "sk": "persona#P", "seq": 8, "version": 3}
    COUNTING: Final = "SET #row.#counter = #row.#counter + :add, seq = :seq, changed = :changed, trail.#slot = :write"

    def test_is_an_update_under_the_same_version(self) -> None:
        assert count_request("personas", Counted(self.ITEM, -2), "np", "w", STAMP) == {
            "Update": {
                "TableName": "personas",
                "Key": encode_item({"pk": "group#G", "sk": "persona#P"}),
                "UpdateExpression": self.COUNTING,
                "ConditionExpression": "seq = :based_on",
                "ExpressionAttributeNames": {"#row": "row", "#counter": "np", "#slot": "s1"},
                "ExpressionAttributeValues": encode_item(
                    {":add": -2, ":seq": 9, ":based_on": 8, ":changed": STAMP, ":write": "w@3"}
                ),
            }
        }

    def test_lets_an_item_expire(self) -> None:
        update = count_request("personas", Counted(self.ITEM, 1, expires_at=0), "np", "w", STAMP)["Update"]

        assert update["UpdateExpression"] == f"{self.COUNTING}, expires_at = :expires_at"
        assert update["ExpressionAttributeValues"][":expires_at"] == {"N": "0"}


def test_the_next_number_is_taken_once_by_a_write() -> None:
    assert next_number_request("personas", KEY, "copies", "copied_by", "w") == {
        "TableName": "personas",
        "Key": encode_item({"pk": "group#G", "sk": "persona#P"}),
        "UpdateExpression": "SET #counter = if_not_exists(#counter, :zero) + :one, #maker = :me",
        "ConditionExpression": (
            "attribute_exists(pk) AND attribute_not_exists(deleted) AND (attribute_not_exists(#maker) OR #maker <> :me)"
        ),
        "ExpressionAttributeNames": {"#counter": "copies", "#maker": "copied_by"},
        "ExpressionAttributeValues": encode_item({":zero": 0, ":one": 1, ":me": "w"}),
        "ReturnValues": "UPDATED_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def test_the_trail_has_the_name_and_the_length_that_stored_items_have() -> None:
    assert (write_rule.RECENT_WRITES, write_rule.RECENT_WRITES_MAX) == ("trail", 8)
