"""A persona as it is stored: what comes back, what its row holds of its texts, and what is no persona."""

import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from personas.contract.base import HISTORY_DAYS_MAX, LIST_MAX
from personas.domain.persona import Form, Persona
from personas.domain.text import Text
from personas.errors import Unreadable
from personas.store.attributes import Item, Value, readable
from personas.store.persona_rows import name_in, packed_texts, row_of
from personas.store.personas import Stored, stored_in
from personas.store.tombstones import tombstone_end


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


PERSONA: Final = Persona(
    id=id_of(1),
    form=Form(
        name=Text(id_of(2), "Ada"),
        description=Text(id_of(3), "d" * 200),
        instructions=Text(id_of(4), "i" * 200),
        color_id=id_of(5),
        icon_id=id_of(6),
        department_ids=(id_of(7), id_of(8)),
        examples=(Text(id_of(9), "One"), Text(id_of(10), "Two")),
    ),
    scenario_ids=tuple(map(id_of, range(20, 21 + LIST_MAX))),
    num_profiles=3,
    created_at="2026-11-28T12:00:00+00:00",
    updated_at="2026-11-28T13:00:00+00:00",
    version=2,
    seq=7,
)


def item(**changes: Value) -> Item:
    return {
        "pk": "group#g",
        "sk": f"persona#{PERSONA.id}",
        "row": row_of(PERSONA),
        "texts": packed_texts(PERSONA),
        "seq": 7,
        "version": 2,
        "copies": 4,
        "trail": {},
        **changes,
    }


def with_row(**changes: Value) -> Item:
    return item(row={**row_of(PERSONA), **changes})


def texts(*values: object) -> bytes:
    return zlib.compress(json.dumps(values).encode())


def test_a_persona_comes_back_as_it_was_stored() -> None:
    assert stored_in(item()) == Stored(PERSONA, 2, 7, 4, 3, item())


def test_a_row_holds_a_hundred_characters_of_the_instructions_and_all_of_a_description() -> None:
    row = row_of(PERSONA)
    assert row["ih"] == "i" * 100
    assert row["d"] == "d" * 200


def test_no_persona_is_stored_without_what_is_needed() -> None:
    with pytest.raises(AssertionError, match="needed"):
        row_of(replace(PERSONA, form=PERSONA.form.changed({"name": None})))


def test_a_tombstone_has_its_numbers_and_no_persona() -> None:
    tombstone = item(row={"np": 3}, deleted=True, expires_at=9)
    found = stored_in(tombstone)
    assert (found.persona, found.num_profiles, found.copies, found.expires_at) == (None, 3, 4, 9)


def test_a_tombstone_without_numbers_counts_nothing() -> None:
    found = stored_in({"row": {}, "seq": 7, "version": 2, "trail": {}, "deleted": True})
    assert (found.num_profiles, found.copies, found.expires_at) == (0, 0, None)


def test_a_tombstone_outlives_the_history_by_the_time_for_which_views_remember_it() -> None:
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert tombstone_end(now) == int((now + timedelta(days=HISTORY_DAYS_MAX + 30)).timestamp())
    assert tombstone_end(now, timedelta(days=10)) == int((now + timedelta(days=40)).timestamp())


@pytest.mark.parametrize(
    "damaged",
    [
        item(version="2"),
        item(sk="persona#ada"),
        item(texts=texts("Be brief.", ["One", "Two"], "more")),
        item(texts=texts("Be brief.")),
        item(texts=texts("Be brief.", ["One"])),
        item(texts=zlib.compress(b'{"instructions": "Be brief."}')),
        item(texts="Be brief."),
        with_row(n="half a pair: \ud83d"),
        with_row(c="plum"),
        with_row(c=None),
        with_row(ct="2026-11-28T12:00:00"),
        with_row(np=None),
        with_row(dp=list(map(id_of, range(LIST_MAX + 1)))),
    ],
)
def test_what_is_no_persona_is_not_taken_for_one(damaged: Item) -> None:
    with pytest.raises(Unreadable):
        readable(damaged, stored_in)


def test_an_item_without_the_ids_of_recent_writes_is_no_persona() -> None:
    with pytest.raises(Unreadable):
        readable(item(trail=None), stored_in)


@pytest.mark.parametrize(
    ("found", "name"), [(item(), "Ada"), (None, None), ({}, None), (item(row={}), None), (with_row(n=1), None)]
)
def test_the_name_is_that_of_the_row(found: Item | None, name: str | None) -> None:
    assert name_in(found) == name
