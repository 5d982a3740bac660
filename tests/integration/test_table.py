"""The calls of the table by themselves: the items that they write over, and the items that they leave."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from personas.errors import Unreadable
from personas.store.attempts import ConditionFailed
from personas.store.attributes import Item, Value
from personas.store.keys import DRAFT_CHANGES, PERSONA_CHANGES, Key, stamp
from personas.store.table import Table
from personas.store.write_rule import Condition, Counted, Guard, Later, Still, is_unchanged, is_version
from support.world import Clock

KEY: Final = Key("group#g", "persona#p")
OTHER: Final = Key("group#g", "persona#q")


def lay(table: Table, item: Item | None, key: Key = KEY) -> None:
    """Have an item stand there, or none."""
    if item is not None:
        table.put_plain(key, item, asked_for=True)


def at(key: Key, item: Item) -> Item:
    """Return an item with its key, as the table returns it."""
    return {**key.attributes(), **item}


class TestPut:
    BODY: Final[Item] = {"row": {"n": "Otto"}, "seq": 9, "version": 3, "trail": {"s0": "old@2"}}

    @pytest.mark.parametrize(
        ("stands", "based_on", "written"),
        [
            (None, None, True),
            ({"seq": 8}, None, False),
            ({}, None, False),
            ({"seq": 8}, 8, True),
            ({"seq": 9}, 8, False),
            ({"seq": 7}, 8, False),
            (None, 8, False),
            ({"seq": 8}, {"seq": 8}, True),
            ({"seq": 9}, {"seq": 8}, False),
            ({"seq": "eight"}, {"seq": "eight"}, True),
            ({"seq": 8}, {"seq": "eight"}, False),
            ({"row": {}}, {"row": {}}, True),
            ({"seq": 8}, {"row": {}}, False),
            (None, {"row": {}}, False),
        ],
    )
    def test_is_made_only_over_what_it_is_based_on(
        self, table: Table, stands: Item | None, based_on: int | Item | None, written: bool
    ) -> None:
        # Given an item, or none, when another is put that is based on what was read,
        lay(table, stands)
        with nullcontext() if written else pytest.raises(ConditionFailed) as refused:
            table.put(KEY, self.BODY, write_id="w", based_on=based_on)
        # then it is written, or refused, and what stands there is shown.
        if refused is not None:
            assert refused.value.item == (None if stands is None else at(KEY, stands))

    def test_leaves_its_id_in_the_trail_beside_others(self, table: Table) -> None:
        table.put(KEY, self.BODY, write_id="w", based_on=None)
        assert table.get(KEY) == at(KEY, {**self.BODY, "trail": {"s0": "old@2", "s1": "w@3"}})

    def test_stamps_what_a_feed_shows(self, table: Table, clock: Clock) -> None:
        table.put(KEY, self.BODY, write_id="w", based_on=None, prefix=PERSONA_CHANGES)
        item = table.get(KEY)
        assert item is not None
        assert item["changed"] == stamp(PERSONA_CHANGES, clock.moment)


class TestPlainPut:
    @pytest.mark.parametrize(
        ("stands", "guard", "put"),
        [
            ({"n": 5}, None, True),
            ({"n": 4}, Still("n", 4), True),
            ({"n": 5}, Still("n", 4), False),
            ({"n": 3}, Still("n", 4), False),
            (None, Still("n", 4), False),
            ({"t": 4}, Later("t", 5), True),
            ({"t": 5}, Later("t", 5), True),
            ({"t": 6}, Later("t", 5), False),
            ({}, Later("t", 5), True),
            (None, Later("t", 5), True),
            ({"t": 6, "nonce": "x"}, Later("t", 5), False),
            ({"t": 6, "nonce": "x"}, Later("t", 5, "nonce"), True),
            ({"t": 6, "nonce": "y"}, Later("t", 5, "nonce"), False),
            ({"t": 5, "nonce": "y"}, Later("t", 5, "nonce"), True),
            (None, Later("t", 5, "nonce"), True),
        ],
    )
    def test_is_made_unless_a_guard_keeps_what_stands_there(
        self, table: Table, stands: Item | None, guard: Guard | None, put: bool
    ) -> None:
        # Given an item, or none, when another is put under a guard,
        lay(table, stands)
        assert table.put_plain(KEY, {"nonce": "x", "new": True}, asked_for=True, guard=guard) is put
        # then it stands there, or what stood there does.
        left: Item | None = {"nonce": "x", "new": True} if put else stands
        assert table.get(KEY) == (None if left is None else at(KEY, left))


class TestUpdate:
    """An item is changed in parts, under a condition."""

    ITEM: Final[Item] = {
        "row": {"n": "Ada", "x": {"y": 0}, "kept": 1},
        "texts": {"d": "D", "i": "I", "kept": "K"},
        "gone": True,
        "kept": "too",
        "copies": 4,
        "seq": 8,
        "version": 2,
        "expires_at": 6,
        "trail": {"s0": "old@2"},
    }

    def change(
        self,
        table: Table,
        condition: Condition,
        sets: Item | None = None,
        removes: tuple[str, ...] = (),
        prefix: str = PERSONA_CHANGES,
    ) -> Item | None:
        """Update the item by write `w` to its third version; the whole new item."""
        result = table.update(
            KEY, sets or {}, removes=removes, condition=condition, prefix=prefix, write_id="w", seq=9, version=3
        )
        assert result.version == 3
        return result.item

    @pytest.mark.parametrize("prefix", [PERSONA_CHANGES, DRAFT_CHANGES])
    def test_sets_and_removes_what_it_names_and_keeps_the_rest(self, table: Table, clock: Clock, prefix: str) -> None:
        lay(table, self.ITEM)
        new = self.change(
            table,
            is_unchanged(8),
            {"row.n": "Otto", "row.x.y": 1, "copies": 5},
            removes=("texts.d", "texts.i", "gone"),
            prefix=prefix,
        )
        assert new == at(
            KEY,
            {
                "row": {"n": "Otto", "x": {"y": 1}, "kept": 1},
                "texts": {"kept": "K"},
                "kept": "too",
                "copies": 5,
                "seq": 9,
                "version": 3,
                "expires_at": 6,
                "trail": {"s0": "old@2", "s1": "w@3"},
                "changed": stamp(prefix, clock.moment),
            },
        )
        assert table.get(KEY) == new

    def test_of_nothing_makes_a_version_all_the_same(self, table: Table, clock: Clock) -> None:
        lay(table, self.ITEM)
        versioned: Item = {"seq": 9, "version": 3, "trail": {"s0": "old@2", "s1": "w@3"}}
        expected = {**self.ITEM, **versioned, "changed": stamp(PERSONA_CHANGES, clock.moment)}
        assert self.change(table, is_unchanged(8)) == at(KEY, expected)

    @pytest.mark.parametrize(
        ("stands", "condition"),
        [
            ({"seq": 9}, is_unchanged(8)),
            ({"seq": 7}, is_unchanged(8)),
            ({"version": 3}, is_version(2, datetime.fromtimestamp(5, UTC))),
            ({"expires_at": 6}, is_version(2, datetime.fromtimestamp(6, UTC))),
            ({"row": "damaged"}, is_unchanged(8)),
            ({"texts": ["damaged"]}, is_unchanged(8)),
        ],
    )
    def test_is_refused_over_another_version_and_where_a_path_leads_into_no_map(
        self, table: Table, stands: Item, condition: Condition
    ) -> None:
        # Given an item that another has written, that has expired, or that is damaged,
        item: Item = {**self.ITEM, **stands}
        lay(table, item)
        # when parts of it are changed, then nothing is, and it is shown.
        with pytest.raises(ConditionFailed) as caught:
            self.change(table, condition, {"row.n": "Otto"}, removes=("texts.d",))
        assert caught.value.item == table.get(KEY) == at(KEY, item)

    def test_of_an_item_whose_trail_is_no_map_tells_that_it_cannot_be_read(self, table: Table) -> None:
        lay(table, {**self.ITEM, "trail": 0})
        with pytest.raises(Unreadable):
            self.change(table, is_unchanged(8))

    @pytest.mark.parametrize("condition", [is_unchanged(8), is_version(2, datetime.fromtimestamp(5, UTC))])
    def test_makes_no_item(self, table: Table, condition: Condition) -> None:
        with pytest.raises(ConditionFailed):
            self.change(table, condition)
        assert table.get(KEY) is None

    def test_is_made_in_the_last_second_of_an_item(self, table: Table) -> None:
        lay(table, self.ITEM)
        assert self.change(table, is_version(2, datetime.fromtimestamp(5.9, UTC))) is not None


class TestPutAndCount:
    """A put adds to a counter in the rows of other items, in one transaction."""

    BODY: Final[Item] = {"seq": 0, "version": 1}
    COUNTED: Final[Item] = {"row": {"np": 5}, "seq": 8, "version": 3, "trail": {}}

    def put(self, table: Table, *, add: int, expires_at: int | None = None) -> None:
        read = Counted(at(OTHER, self.COUNTED), add, expires_at)
        table.put_and_count(
            KEY, self.BODY, based_on=None, write_id="w", counted=[read], counter="np", prefix=PERSONA_CHANGES
        )

    @pytest.mark.parametrize(("add", "expires_at", "expiring"), [(-2, None, {}), (1, 0, {"expires_at": 0})])
    def test_writes_both_and_lets_an_item_expire_where_it_is_told_to(
        self, table: Table, clock: Clock, add: int, expires_at: int | None, expiring: dict[str, Value]
    ) -> None:
        lay(table, self.COUNTED, OTHER)
        self.put(table, add=add, expires_at=expires_at)
        assert table.get(KEY) == at(KEY, {**self.BODY, "trail": {"s0": "w@1"}})
        assert table.get(OTHER) == at(
            OTHER,
            {
                "row": {"np": 5 + add},
                "seq": 9,
                "version": 3,
                "trail": {"s1": "w@3"},
                "changed": stamp(PERSONA_CHANGES, clock.moment),
                **expiring,
            },
        )

    def test_writes_neither_where_a_counted_item_was_written_in_between(self, table: Table) -> None:
        written: Item = {**self.COUNTED, "seq": 9}
        lay(table, written, OTHER)
        with pytest.raises(ConditionFailed):
            self.put(table, add=1)
        assert (table.get(KEY), table.get(OTHER)) == (None, at(OTHER, written))


class TestNextNumber:
    """A counter of an item is raised by one."""

    def count(self, table: Table, write_id: str = "w") -> int:
        return table.next_number(KEY, "copies", "copied_by", write_id)

    def test_begins_with_one_and_goes_on_and_neither_seq_nor_feed_notices(self, table: Table) -> None:
        lay(table, {"seq": 8, "changed": "p#"})
        assert [self.count(table, write_id) for write_id in ("first", "second", "first")] == [1, 2, 3]
        assert table.get(KEY) == at(KEY, {"seq": 8, "changed": "p#", "copies": 3, "copied_by": "first"})

    def test_is_the_one_that_a_lost_attempt_gave(self, table: Table) -> None:
        lay(table, {"copies": 4, "copied_by": "w"})
        assert self.count(table) == 4

    @pytest.mark.parametrize("item", [None, {"deleted": True}, {"deleted": True, "copies": 4, "copied_by": "another"}])
    def test_of_an_item_that_is_gone_there_is_none(self, table: Table, item: Item | None) -> None:
        lay(table, item)
        with pytest.raises(ConditionFailed):
            self.count(table)
        assert table.get(KEY) == (None if item is None else at(KEY, item))


@pytest.mark.parametrize(("item", "deleted"), [({"t": 4}, True), ({"t": 5}, False), ({"t": 6}, False), ({}, False)])
def test_only_an_item_of_an_earlier_time_is_deleted(table: Table, item: Item, deleted: bool) -> None:
    lay(table, item)
    assert table.delete_older(KEY, "t", 5) is deleted
    assert (table.get(KEY) is None) is deleted


def test_the_latest_of_a_range_come_first(table: Table, clock: Clock) -> None:
    # Given drafts, begun a second apart, and something of another range behind them,
    for number in range(3):
        lay(table, {"changed": stamp(DRAFT_CHANGES, clock.moment)}, Key("drafts", f"draft#{number}"))
        clock.passes(seconds=1)
    lay(table, {"changed": stamp(PERSONA_CHANGES, clock.moment)}, Key("drafts", "persona#p"))
    # when the latest two are asked for, then the last comes first.
    latest = table.latest("drafts", DRAFT_CHANGES, 2, lambda item: item["sk"])
    assert latest == ["draft#2", "draft#1"]


@pytest.mark.parametrize(
    ("since", "found"), [(None, [0, 1, 2]), (timedelta(seconds=1), [1, 2]), (timedelta(seconds=9), [])]
)
def test_changes_are_those_of_a_range_from_a_moment_on(
    table: Table, clock: Clock, since: timedelta | None, found: list[int]
) -> None:
    # Given changes of a draft's partition a second apart, and one of another range,
    began = clock.moment
    lay(table, {"changed": stamp(PERSONA_CHANGES, began + timedelta(seconds=2)), "seq": 7}, Key("drafts", "persona#p"))
    for seq in range(3):
        lay(table, {"changed": stamp(DRAFT_CHANGES, clock.moment), "seq": seq}, Key("drafts", f"draft#{seq}"))
        clock.passes(seconds=1)
    # when a reader asks for what has changed since then, then it gets just that, oldest first.
    changes = table.changes("drafts", DRAFT_CHANGES, None if since is None else began + since)
    assert [change.seq for change in changes] == found
