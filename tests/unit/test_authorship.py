"""Tests of the fields that a write changes, of their stamps, and of the attribute that keeps them."""

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.contract.base import VersionKind
from personas.contract.persona_fields import FIELD_NAMES, FIELDS
from personas.domain.authorship import (
    Author,
    Stamp,
    Stamps,
    Write,
    Writer,
    changed_fields,
    next_stamps,
    stamped_alike,
    writer_of,
)
from personas.domain.persona import Form
from personas.domain.text import Text
from personas.errors import Unreadable
from personas.store.attributes import Item, readable
from personas.store.authorship import AUTHORSHIP, authorship_in, last_written, legible_authorship, packed_authorship
from support.world import caller_of

ANNA, BEN = Author("0b0e8a0e-5a44-4e39-a9a4-6d5a3a3f1c01", "Anna"), Author("x", "Ben 𝄞")
FIRST = Stamp(1, "2026-11-24T12:00:00+00:00", ANNA, "aaaa.0")
SECOND = Stamp(2, "2026-11-24T12:00:00.000001+00:00", BEN, "bbbb.7")
FORM = Form(
    name=Text("n", "Otto"),
    instructions=Text("i", ""),
    color_id="c",
    icon_id="o",
    department_ids=("a", "b"),
    examples=(Text("1", "Hello"), Text("2", "Bye")),
)


def item_with(write: Write, stamps: Stamps, version: int | None = None) -> Item:
    """Return an item that carries these, at the version that they are as of or at another one."""
    return {
        "version": stamps.as_of if version is None else version,
        "row": {"ut": "2026-11-20T00:00:00+00:00"},
        AUTHORSHIP: packed_authorship(write, stamps),
    }


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({}, ()),
        ({"name": Text("n", "Ada")}, ("name",)),
        ({"name": Text("another id", "Otto")}, ()),
        ({"description": Text("d", "")}, ("description",)),
        ({"instructions": None}, ("instructions",)),
        ({"voice_ids": ("v",), "color_id": "d"}, ("color", "voices")),
        ({"department_ids": ("b", "a")}, ("departments",)),
        ({"examples": (Text("2", "Bye"), Text("1", "Hello"))}, ("examples",)),
        ({"examples": (Text("other", "Hello"), Text("ids", "Bye"))}, ()),
        ({"active_flag_id": "f", "icon_id": None}, ("icon", "active")),
    ],
)
def test_a_field_has_changed_where_its_value_differs(changes: dict[str, Any], changed: tuple[str, ...]) -> None:
    assert changed_fields(FORM, FORM.changed(changes)) == changed


def test_every_field_changes_when_a_persona_begins_or_ends() -> None:
    assert changed_fields(None, FORM) == FIELD_NAMES
    assert changed_fields(FORM, None) == FIELD_NAMES
    assert changed_fields(None, None) == ()


def test_the_next_version_stamps_what_it_changes_and_keeps_the_rest() -> None:
    stamps = next_stamps(stamped_alike(FIRST), ["color", "voices"], SECOND)

    assert stamps.as_of == 2
    assert {name for name in FIELD_NAMES if stamps.fields[name] == SECOND} == {"color", "voices"}
    assert stamps.fields["name"] == FIRST
    assert stamps.changed_since(1, ["name", "voices", "color"]) == ["color", "voices"]
    assert stamps.changed_since(2, FIELD_NAMES) == []


_authors = st.none() | st.builds(Author, st.uuids().map(str), st.text(max_size=200))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_times = st.timedeltas(timedelta(0), datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH).map(
    lambda age: (_EPOCH + age).isoformat()
)
_stamps = st.builds(
    Stamp, st.integers(1, 9), _times, _authors, st.none() | st.text("abcdef0123456789.", min_size=1, max_size=36)
)


@given(
    write=st.builds(
        Write,
        st.sampled_from(get_args(VersionKind)),
        _times,
        _authors,
        st.booleans(),
        st.none() | st.integers(1, 2**53 - 1),
    ),
    stamps=st.builds(Stamps, st.integers(1, 2**53 - 1), st.fixed_dictionaries(dict.fromkeys(FIELD_NAMES, _stamps))),
)
def test_an_item_tells_what_was_packed(write: Write, stamps: Stamps) -> None:
    item = item_with(write, stamps)

    assert authorship_in(item).write == write
    assert authorship_in(item).stamps == stamps


def test_what_is_as_of_another_version_does_not_count() -> None:
    # An earlier release wrote version 3, and left standing what was told of version 2.
    stamps = next_stamps(stamped_alike(FIRST), ["color"], SECOND)
    item = item_with(Write("updated", SECOND.at, BEN), stamps, version=3)

    assert authorship_in(item).write is None
    assert authorship_in(item).stamps == stamped_alike(Stamp(3, "2026-11-20T00:00:00+00:00"))


def test_an_item_from_before_tells_nobody() -> None:
    item: Item = {"version": 7, "row": {"ut": "2026-11-20T00:00:00+00:00"}}

    assert authorship_in(item).write is None
    assert authorship_in(item).stamps == stamped_alike(Stamp(7, "2026-11-20T00:00:00+00:00"))


def test_a_tombstone_from_before_has_the_time_of_its_stamp_in_the_feed() -> None:
    item: Item = {"version": 8, "row": {"np": 0}, "deleted": True, "changed": "p#2026-11-21T01:02:03.000004Z"}

    assert authorship_in(item).stamps.fields["name"].at == "2026-11-21T01:02:03.000004+00:00"


def test_a_field_that_the_writer_did_not_know_counts_as_changed_in_its_version() -> None:
    # Given what a release wrote whose personas had no voices
    known = {field.column: name for field, name in zip(FIELDS, FIELD_NAMES, strict=True) if name != "voices"}
    stamps = next_stamps(stamped_alike(FIRST), ["color"], SECOND)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("personas.store.authorship._COLUMNS", known)
        item = item_with(Write("updated", SECOND.at, BEN), stamps)

    found = authorship_in(item).stamps.fields

    assert found["voices"].version == 2
    assert found["name"] == FIRST


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_what_is_cut_off_is_unreadable(cut: int) -> None:
    item = item_with(Write("created", FIRST.at, ANNA), stamped_alike(FIRST))
    packed = item[AUTHORSHIP]
    assert isinstance(packed, bytes)

    with pytest.raises(Unreadable):
        readable({**item, AUTHORSHIP: packed[:-cut]}, authorship_in)


@pytest.mark.parametrize("value", ["text", 7, None, b"", {}, b"x\x9c\x8b\x8e\x05\x00\x01\x15\x00\xb9"])
def test_what_is_something_else_is_unreadable(value: Any) -> None:
    item = item_with(Write("created", FIRST.at, ANNA), stamped_alike(FIRST))

    with pytest.raises(Unreadable):
        readable({**item, AUTHORSHIP: value}, authorship_in)


def test_the_usual_attribute_is_short() -> None:
    """Three writes by two people: a persona is edited a field or two at a time."""
    stamps = stamped_alike(FIRST._replace(write_id="9f86d081884c7d65.0"))
    by_ben = Author("7d793037-a076-4a2b-9d0c-1b4b0a0e5f11", "Ben")
    stamps = next_stamps(stamps, ["name", "color"], SECOND._replace(changed_by=by_ben, write_id="9b871512327c09ce.0"))
    third = Stamp(3, "2026-11-27T23:59:59.123456+00:00", ANNA, "d7a8fbb307d78094.12")
    stamps = next_stamps(stamps, ["instructions"], third)

    assert len(packed_authorship(Write("updated", third.at, ANNA), stamps)) <= 260


MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
STAMPED = next_stamps(stamped_alike(FIRST), ["color"], SECOND)


def packed(content: object) -> Item:
    return {"version": 2, "row": {"ut": FIRST.at}, AUTHORSHIP: zlib.compress(json.dumps(content).encode())}


def stamped_content() -> list[Any]:
    """Return the attribute of `STAMPED` as it is stored, before it is compressed."""
    return [
        2,
        "restored",
        1_795_521_600_000_001,
        0,
        1,
        1,
        [[BEN.profile_id, BEN.name], [ANNA.profile_id, ANNA.name]],
        [
            [1, 1_795_521_600_000_000, 1, "aaaa.0", "ni di ii i f dp pf ex vo"],
            [2, 1_795_521_600_000_001, 0, "bbbb.7", "c"],
        ],
    ]


def test_the_attribute_is_stored_in_the_form_that_every_release_reads() -> None:
    write = Write("restored", SECOND.at, BEN, mcp=True, restored_from=1)

    told = packed_authorship(write, STAMPED)

    assert zlib.decompress(told).decode() == json.dumps(stamped_content(), ensure_ascii=False, separators=(",", ":"))
    assert told == zlib.compress(zlib.decompress(told), 9)
    assert (authorship_in(packed(stamped_content())).write, AUTHORSHIP) == (write, "authorship")


def test_a_name_is_kept_to_200_characters() -> None:
    write = Write("updated", SECOND.at, Author("x", "é" * 201))

    kept = authorship_in(item_with(write, STAMPED)).write

    assert kept == write._replace(changed_by=Author("x", "é" * 200))


@pytest.mark.parametrize("number", [0, 2**53 - 1])
def test_a_number_may_be_any_that_json_can_tell(number: int) -> None:
    content = stamped_content()
    content[5] = number

    found = authorship_in(packed(content)).write

    assert found
    assert found.restored_from == number


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((0,), "2"),
        ((0,), 2.0),
        ((1,), "renamed"),
        ((2,), -1),
        ((2,), 2**53),
        ((3,), "0"),
        ((4,), None),
        ((5,), "1"),
        ((6, 0, 0), 7),
        ((6, 0, 1), 7),
        ((7, 0, 0), None),
        ((7, 0, 1), "1970-01-01"),
        ((7, 0, 3), 7),
        ((7, 0, 4), 7),
        ((3,), 2),
        ((7,), 7),
    ],
)
def test_what_is_damaged_within_is_unreadable(place: tuple[int, ...], value: object) -> None:
    held = content = stamped_content()
    for step in place[:-1]:
        held = held[step]
    held[place[-1]] = value

    with pytest.raises(Unreadable):
        readable(packed(content), authorship_in)


@pytest.mark.parametrize("content", [{}, "text", 7, None])
def test_what_is_no_list_is_unreadable(content: object) -> None:
    with pytest.raises(Unreadable) as caught:
        authorship_in(packed(content))
    assert caught.value.reason == "the authorship is no list"


def test_a_column_that_is_not_known_is_passed_over() -> None:
    content = stamped_content()
    content[7][1][4] = "zz c"

    assert authorship_in(packed(content)).stamps == STAMPED


def test_what_is_damaged_counts_as_nothing_told_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    item: Item = {"pk": "group#G", "sk": "persona#damaged", **packed({})}

    found = legible_authorship(item)

    assert (found.write, found.stamps) == (None, stamped_alike(Stamp(2, FIRST.at)))
    assert caplog.messages == ["an item cannot be read"]


def test_what_is_whole_is_legible() -> None:
    item = packed(stamped_content())

    assert legible_authorship(item) == authorship_in(item)


def test_a_version_was_made_when_its_row_says_or_else_its_stamp_in_the_feed() -> None:
    assert last_written({"row": {"ut": "a time"}, "changed": "p#2026-11-21T01:02:03.000004Z"}) == "a time"
    assert last_written({"row": {}, "changed": "p#2026-11-21T01:02:03.000004Z"}) == "2026-11-21T01:02:03.000004+00:00"


def test_a_write_stamps_the_fields_that_it_changes() -> None:
    assert Write("updated", FIRST.at, ANNA).stamp(1, "aaaa.0") == FIRST


@pytest.mark.parametrize(("restored_from", "kind"), [(None, "updated"), (0, "restored"), (3, "restored")])
def test_a_writer_restores_where_it_brings_a_version_back(restored_from: int | None, kind: VersionKind) -> None:
    found = Writer(ANNA, mcp=True).write("updated", MOMENT, restored_from)

    assert found == Write(kind, "2026-11-24T12:00:00+00:00", ANNA, mcp=True, restored_from=restored_from)


def test_a_write_is_neither_by_mcp_nor_a_restoration_unless_it_says_so() -> None:
    assert Writer(ANNA).write("created", MOMENT) == Write("created", MOMENT.isoformat(), ANNA)
    assert Write("created", MOMENT.isoformat(), ANNA) == Write("created", MOMENT.isoformat(), ANNA, False, None)


@pytest.mark.parametrize("mcp", [True, False])
def test_a_caller_is_the_one_who_writes(mcp: bool) -> None:
    caller = caller_of("admin")._replace(mcp=mcp)

    assert writer_of(caller) == Writer(Author(caller.profile_id, "Vera"), mcp)


def test_fields_that_are_stamped_alike_are_as_of_their_stamp() -> None:
    assert stamped_alike(SECOND) == Stamps(2, dict.fromkeys(FIELD_NAMES, SECOND))


def test_only_fields_that_are_asked_for_have_changed() -> None:
    assert STAMPED.changed_since(0, ["voices", "color"]) == ["color", "voices"]
    assert STAMPED.changed_since(1, ["voices"]) == []


def test_nobody_and_a_profile_without_a_name_come_back() -> None:
    # Given a version that a tool made, of fields of which one was stamped by nobody and one by somebody without a name,
    nameless = Stamp(2, SECOND.at, Author("x", None), "cccc.1")
    stamps = next_stamps(stamped_alike(Stamp(1, FIRST.at)), ["color"], nameless)
    write = Write("updated", SECOND.at, None)

    found = authorship_in(item_with(write, stamps))

    assert (found.write, found.stamps) == (write, stamps)
