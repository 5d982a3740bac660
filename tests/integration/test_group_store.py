"""The store of groups by itself: its marks, and changes of a group's record."""

from typing import Final

import pytest

from personas.domain.catalogue import TEXT_IDS
from personas.store import keys
from personas.store.attributes import Value
from personas.store.groups import MARK_PAUSE, GroupStore
from personas.store.table import Table
from personas.store.write_rule import version_written_by
from support.world import Clock

GROUP: Final = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def groups(table: Table) -> GroupStore:
    return GroupStore(table)


def test_an_environment_marks_a_group_once_a_minute(groups: GroupStore, table: Table, clock: Clock) -> None:
    # Given a mark, when the group is marked again within a minute, and then after it,
    marks = []
    for _ in range(3):
        groups.mark(GROUP)
        marks.append(table.get(keys.mark(GROUP)))
        clock.moment += MARK_PAUSE * 0.6
    # then only the last one is new.
    assert marks[0] == marks[1]
    assert marks[1] != marks[2]


def test_a_mark_is_found_with_its_time(groups: GroupStore, clock: Clock) -> None:
    groups.mark(GROUP)
    assert [(each.group_id, each.since) for each in groups.marked()] == [(GROUP, clock.moment)]


def test_a_change_that_turns_out_to_be_none_writes_nothing(groups: GroupStore, table: Table) -> None:
    groups.ensure_secret(GROUP)
    before = table.get(keys.group(GROUP))
    assert not groups.change(GROUP, groups.read(GROUP), lambda _: None, "write")
    assert table.get(keys.group(GROUP)) == before


def test_a_change_is_laid_over_the_row_and_leaves_the_ids_of_earlier_ones(groups: GroupStore, table: Table) -> None:
    # Given a record that was changed once,
    groups.ensure_secret(GROUP)
    assert groups.change(GROUP, groups.read(GROUP), lambda _: {"one": 1}, "first")
    # when it is changed again,
    assert groups.change(GROUP, groups.read(GROUP), lambda _: {"two": 2}, "second")
    # then both changes are there, and both writes are known.
    row = groups.read(GROUP).row
    assert (row["one"], row["two"]) == (1, 2)
    item = table.get(keys.group(GROUP))
    assert version_written_by(item, "first") is not None
    assert version_written_by(item, "second") is not None


@pytest.mark.parametrize("damage", [{"trail": None}, {"version": "1", "trail": []}])
def test_a_damaged_record_is_written_again_with_all_of_it_that_can_be_read(
    groups: GroupStore, table: Table, damage: dict[str, Value]
) -> None:
    # Given a record whose seq lies ahead of the clock, and of which a part is damaged,
    secret = groups.ensure_secret(GROUP)
    stored = table.get(keys.group(GROUP))
    assert stored is not None
    table.put_plain(keys.group(GROUP), {**stored, "seq": 1 << 50, **damage}, asked_for=True)
    # when an operator has it repaired,
    assert groups.ensure_secret(GROUP) == secret
    # then it has its secret, and is newer than any view holds it.
    record = groups.read(GROUP)
    assert record.row[TEXT_IDS] == secret
    assert record.seq == (1 << 50) + 1
