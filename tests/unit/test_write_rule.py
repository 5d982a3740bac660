"""The ids of writes, and the recognition of our own write where its answer was lost."""

from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.errors import OutcomeUnknown
from personas.store.attempts import ConditionFailed
from personas.store.attributes import Item, Value
from personas.store.keys import Key
from personas.store.write_rule import (
    RECENT_WRITES,
    RECENT_WRITES_MAX,
    Later,
    OneTime,
    WriteResult,
    own_write,
    plain_put_request,
    put_request,
    recent_write,
    recent_write_slot,
    version_written_by,
)


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

    @given(st.lists(st.text("abc.@0123456789", min_size=1), unique=True, min_size=1, max_size=RECENT_WRITES_MAX))
    def test_know_each_of_the_last_eight(self, write_ids: list[str]) -> None:
        trail = {recent_write_slot(seq): recent_write(write_id, seq + 10) for seq, write_id in enumerate(write_ids)}
        for seq, write_id in enumerate(write_ids):
            assert version_written_by({"trail": trail}, write_id) == seq + 10

    def test_forget_the_oldest(self) -> None:
        trail = {recent_write_slot(seq): recent_write(f"w{seq}", seq) for seq in range(RECENT_WRITES_MAX + 1)}
        assert version_written_by({"trail": trail}, "w0") is None
        assert version_written_by({"trail": trail}, "w1") == 1

    @pytest.mark.parametrize("item", [None, {}, {"trail": {}}])
    def test_of_what_is_not_there_tell_nothing(self, item: Item | None) -> None:
        assert version_written_by(item, "w") is None

    def test_do_not_take_a_write_for_another_whose_id_begins_alike(self) -> None:
        assert version_written_by({"trail": {"s0": recent_write("w.10", 1)}}, "w.1") is None


class TestRequests:
    def test_a_new_item_is_compared_with_nothing(self) -> None:
        request = put_request("table", Key("group#1", "persona#1"), {"seq": 1, "version": 1}, "w", None, None)
        assert "ExpressionAttributeValues" not in request

    @pytest.mark.parametrize(("own", "compared"), [("", ["4"]), ("by", ["4", "me"])])
    def test_what_holds_a_later_time_is_replaced_if_it_is_ones_own(self, own: str, compared: list[str]) -> None:
        guard = Later("until", 4, own)
        request = plain_put_request("table", Key("group#1", "claim"), {"until": 5, "by": "me"}, guard)
        assert [value for each in request["ExpressionAttributeValues"].values() for value in each.values()] == compared


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


def test_the_trail_has_the_name_and_the_length_that_stored_items_have() -> None:
    assert (RECENT_WRITES, RECENT_WRITES_MAX) == ("trail", 8)
