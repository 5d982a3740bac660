"""Tests of a group's catalogue: its rows, the names and values that refer to them, and the pointers to its views."""

from datetime import UTC, datetime
from typing import Final

import pytest

from personas.contract.persona_fields import LinkKind
from personas.domain.catalogue import Catalogue, Pointer, Unresolved, check_entry
from personas.domain.text import resource_id
from personas.errors import Unreadable
from support.world import (
    ACTIVE,
    ALTO,
    ANGRY,
    BASS,
    CALM,
    CARE,
    FORMAL,
    FORMAT,
    GROUP,
    HEART,
    LETTER,
    MOOD,
    MOOD_ANGRY,
    MOOD_CALM,
    NOBODY,
    PLUM,
    STAR,
    TEAL,
    TONE,
    TONE_FORMAL,
    TONE_IS_CALM,
    catalogue_of,
    color,
    entry_id,
    field_row,
    icon,
    parameter,
    parameter_field_id,
)

type Rows = dict[str, dict[str, dict[str, object]]]

NEEDED: Final = {
    "departments": ("name", "description"),
    "colors": ("name", "hex_code", "description"),
    "icons": ("name", "value", "description"),
    "flags": ("key", "label"),
    "voices": ("voice",),
    "parameters": (
        *("name", "description", "value", "department_ids", "field_ids", "created_at", "active", "generated", "mcp"),
        *("persona_parameter", "document_parameter", "scenario_parameter", "video_parameter"),
    ),
    "fields": (
        *("name", "description", "value", "department_ids", "conditional_parameter_ids", "created_at", "active"),
        *("generated", "mcp"),
    ),
    "scenarios": ("name",),
}
POSSIBLE: Final = ("name", "description", "icon_id", "active", "generated", "show", "required", "ai_generate")
WHOLE: Final[dict[str, dict[str, object]]] = {
    **{kind: dict(next(iter(catalogue_of().rows(kind).values()))) for kind in NEEDED if kind != "scenarios"},
    "flags": {"key": "active", "label": "Active", "icon_id": None, "active": True, "show": True, "required": False},
    "scenarios": {"name": "The ward"},
    "group": {"name": "The hospital", "ai_generate": ["names"]},
}
POINTER: Final = Pointer(
    *(GROUP, "search", "a/key"), datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 24, 13, tzinfo=UTC)
)


class TestRows:
    @pytest.mark.parametrize("kind", WHOLE)
    def test_that_are_whole_are_taken(self, kind: str) -> None:
        check_entry(kind, WHOLE[kind] | {"of a later version": 7})

    @pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind in NEEDED for field in NEEDED[kind]])
    def test_that_lack_a_field_are_unreadable(self, kind: str, field: str) -> None:
        with pytest.raises(Unreadable) as caught:
            check_entry(kind, {name: value for name, value in WHOLE[kind].items() if name != field})
        assert caught.value.reason == f"{field} is not what it must be"

    @pytest.mark.parametrize(
        ("kind", "field"),
        [
            *((kind, field) for kind in NEEDED for field in NEEDED[kind]),
            *(("group", field) for field in POSSIBLE),
        ],
    )
    def test_of_which_a_field_is_of_another_type_are_unreadable(self, kind: str, field: str) -> None:
        with pytest.raises(Unreadable):
            check_entry(kind, WHOLE[kind] | {field: 7})

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", "\ud800"), ("department_ids", ["\ud800"]), ("department_ids", [CARE, 7])],
        ids=["text", "texts", "number"],
    )
    def test_of_which_a_text_cannot_be_sent_are_unreadable(self, field: str, value: object) -> None:
        with pytest.raises(Unreadable):
            check_entry("fields", WHOLE["fields"] | {field: value})


class TestFind:
    @pytest.mark.parametrize(
        ("kind", "value", "found"),
        [
            ("colors", "Teal", TEAL),
            ("colors", "tEAL", TEAL),
            ("colors", "  Teal\n", TEAL),
            ("colors", "#16818A", TEAL),
            ("colors", "#6e2a59", PLUM),
            ("icons", "star", STAR),
            ("icons", "BEATING HEART", HEART),
            ("icons", "Heart-Pulse", HEART),
            ("departments", "care", CARE),
            ("voices", "ALTO", ALTO),
            ("voices", "bass", BASS),
            ("flags", "ACTIVE", ACTIVE),
            ("parameter_fields", "angry", MOOD_ANGRY),
            ("parameter_fields", "FORMAL", TONE_FORMAL),
            ("parameter_fields", "mood: calm", MOOD_CALM),
            ("parameter_fields", "Tone: Calm", TONE_IS_CALM),
        ],
    )
    def test_by_name_or_value_without_case(self, kind: LinkKind, value: str, found: str) -> None:
        assert catalogue_of().find(kind, value) == found

    @pytest.mark.parametrize(
        ("kind", "value", "message"),
        [
            ("colors", "Mauve", "there is no color 'Mauve' in this group"),
            ("colors", "", "there is no color '' in this group"),
            ("parameter_fields", "", "there is no parameter field '' in this group"),
            ("colors", "16818A", "there is no color '16818A' in this group"),
            ("colors", TEAL, f"there is no color '{TEAL}' in this group"),
            ("departments", "Car", "there is no department 'Car' in this group"),
            ("parameter_fields", "Mood", "there is no parameter field 'Mood' in this group"),
            ("parameter_fields", "Calm", "2 entries go by 'Calm': name it as \"parameter: field\""),
        ],
    )
    def test_nothing_and_several_are_faults(self, kind: LinkKind, value: str, message: str) -> None:
        with pytest.raises(Unresolved) as caught:
            catalogue_of().find(kind, value)
        assert str(caught.value) == message

    def test_two_entries_of_one_name_need_an_id(self) -> None:
        twins = {"colors": {NOBODY: color("TEAL", "#000000")}}

        with pytest.raises(Unresolved, match="2 entries go by 'Teal': give its id"):
            catalogue_of(twins).find("colors", "Teal")

    def test_an_entry_whose_name_is_also_its_value_is_one(self) -> None:
        same = {"icons": {NOBODY: icon("anchor", "anchor")}}

        assert catalogue_of(same).find("icons", "Anchor") == NOBODY

    def test_an_empty_value_names_nothing(self) -> None:
        nameless = {"icons": {STAR: icon("Star", "")}}

        with pytest.raises(Unresolved, match="there is no icon ''"):
            catalogue_of(nameless).find("icons", "")

    def test_width_makes_no_difference(self) -> None:
        assert catalogue_of().find("colors", "\N{FULLWIDTH LATIN CAPITAL LETTER T}eal") == TEAL

    def test_what_is_withdrawn_is_not_found_by_name(self) -> None:
        withdrawn: Rows = {
            "colors": {TEAL: {**color("Teal", "#16818A"), "active": False}},
            "parameters": {MOOD: dict(parameter("Mood", CALM, active=False))},
            "fields": {FORMAL: dict(field_row("Formal", active=False))},
        }
        changed = catalogue_of(withdrawn)

        gone: list[tuple[LinkKind, str]] = [
            ("colors", "Teal"),
            ("colors", "#16818A"),
            ("parameter_fields", "Mood: Calm"),
            ("parameter_fields", "Formal"),
        ]
        for kind, value in gone:
            with pytest.raises(Unresolved, match="there is no"):
                changed.find(kind, value)
        assert changed.find("parameter_fields", "Calm") == TONE_IS_CALM

    def test_what_is_withdrawn_is_found_by_name_where_it_is_held(self) -> None:
        rows: Rows = {
            "colors": {TEAL: {**color("Teal", "#16818A"), "active": False}},
            "fields": {ANGRY: dict(field_row("Angry", active=False))},
            "voices": {ALTO: {"voice": "Alto", "active": False}},
        }
        named: list[tuple[LinkKind, str, str]] = [
            ("colors", "teal", TEAL),
            ("colors", "#16818a", TEAL),
            ("parameter_fields", "Angry", MOOD_ANGRY),
            ("voices", "ALTO", ALTO),
        ]
        for kind, value, entry in named:
            assert catalogue_of(rows).find(kind, value, held={entry}) == entry

    def test_what_is_active_goes_before_what_is_withdrawn_and_held(self) -> None:
        rows: Rows = {"parameters": {MOOD: dict(parameter("Mood", CALM, active=False))}}

        assert catalogue_of(rows).find("parameter_fields", "Calm", held={MOOD_CALM}) == TONE_IS_CALM
        assert catalogue_of(rows).find("parameter_fields", "Mood: Calm", held={MOOD_CALM}) == MOOD_CALM


class TestHas:
    @pytest.mark.parametrize(
        ("kind", "known", "there"),
        [
            ("colors", TEAL, True),
            ("colors", STAR, False),
            ("colors", NOBODY, False),
            ("flags", ACTIVE, True),
            ("flags", NOBODY, False),
            ("parameter_fields", MOOD_CALM, True),
            ("parameter_fields", CALM, False),
            ("parameter_fields", parameter_field_id(MOOD, FORMAL), False),
            ("voices", NOBODY, False),
        ],
    )
    def test_goes_by_kind_and_id(self, kind: LinkKind, known: str, there: bool) -> None:
        assert catalogue_of().has(kind, known) is there

    def test_what_is_withdrawn_is_still_there_by_its_id(self) -> None:
        withdrawn = {"colors": {TEAL: {**color("Teal", "#16818A"), "active": False}}}

        assert catalogue_of(withdrawn).has("colors", TEAL)


class TestParameterFields:
    def test_are_the_pairs_of_parameters_and_their_fields(self) -> None:
        found = catalogue_of().parameter_fields

        assert {(each.parameter_id, each.field_id) for each in found.values()} == {
            (MOOD, CALM),
            (MOOD, entry_id("fields", "Mood/Angry")),
            (TONE, entry_id("fields", "Tone/Calm")),
            (TONE, FORMAL),
            (FORMAT, LETTER),
        }
        assert all(key == each.id for key, each in found.items())

    def test_keep_the_order_of_the_parameter(self) -> None:
        turned = {"parameters": {MOOD: dict(parameter("Mood", entry_id("fields", "Mood/Angry"), CALM))}}

        found = [each.id for each in catalogue_of(turned).parameter_fields.values() if each.parameter_id == MOOD]

        assert found == [MOOD_ANGRY, MOOD_CALM]

    def test_a_field_that_is_not_there_yet_is_left_out(self) -> None:
        ahead = {"parameters": {MOOD: dict(parameter("Mood", CALM, NOBODY))}}

        found = [each.field_id for each in catalogue_of(ahead).parameter_fields.values() if each.parameter_id == MOOD]

        assert found == [CALM]

    def test_one_field_may_belong_to_two_parameters(self) -> None:
        shared = {"parameters": {TONE: dict(parameter("Tone", CALM))}, "fields": {CALM: dict(field_row("Calm"))}}

        found = catalogue_of(shared).parameter_fields

        assert found[MOOD_CALM].parameter_id == MOOD
        assert found[parameter_field_id(TONE, CALM)].parameter_id == TONE


class TestFlags:
    def test_of_a_library_without_any_are_the_active_one(self) -> None:
        bare = Catalogue(GROUP, {})

        assert bare.flags == {
            resource_id(GROUP, "flags", "active"): {
                "key": "active",
                "label": "Active",
                "description": "Whether the persona can be used.",
            }
        }
        assert bare.active_flag_id == resource_id(GROUP, "flags", "active")
        assert bare.find("flags", "active") == bare.active_flag_id
        assert bare.label("flags", bare.active_flag_id) == "active"
        assert bare.has("flags", bare.active_flag_id)

    def test_go_by_their_labels_too(self) -> None:
        labelled: Rows = {"flags": {ACTIVE: {"key": "active", "label": "In use"}}}

        assert catalogue_of(labelled).find("flags", "in use") == ACTIVE

    def test_of_another_key_are_none_of_a_personas(self) -> None:
        more: Rows = {"flags": {NOBODY: {"key": "archived", "label": "Archived"}}}

        assert list(catalogue_of(more).flags) == [ACTIVE]


class TestLabel:
    @pytest.mark.parametrize(
        ("kind", "known", "label"),
        [
            ("colors", TEAL, "Teal"),
            ("icons", HEART, "Beating heart"),
            ("voices", ALTO, "Alto"),
            ("departments", CARE, "Care"),
            ("parameter_fields", MOOD_ANGRY, "Angry"),
            ("parameter_fields", MOOD_CALM, "Mood: Calm"),
            ("parameter_fields", TONE_IS_CALM, "Tone: Calm"),
        ],
    )
    def test_is_a_value_that_finds_the_entry_again(self, kind: LinkKind, known: str, label: str) -> None:
        assert catalogue_of().label(kind, known) == label
        assert catalogue_of().find(kind, label) == known

    def test_of_what_is_withdrawn_finds_it_where_it_is_held(self) -> None:
        # Given a field that is withdrawn, and an active one of the same name
        changed = catalogue_of({"parameters": {MOOD: dict(parameter("Mood", CALM, active=False))}})

        assert changed.label("parameter_fields", MOOD_CALM) == "Mood: Calm"
        assert changed.label("parameter_fields", TONE_IS_CALM) == "Calm"

    def test_of_what_no_value_finds_is_its_name(self) -> None:
        twins = catalogue_of({"voices": {NOBODY: {"voice": "Alto"}}})

        assert twins.label("voices", NOBODY) == "Alto"

    def test_is_never_empty(self) -> None:
        # Given two icons of one value, of which one has no name
        nameless = catalogue_of({"icons": {STAR: icon("", "star"), NOBODY: icon("Sun", "star")}})

        assert nameless.label("icons", STAR) == "star"

    @pytest.mark.parametrize("kind", ["colors", "flags", "parameter_fields"])
    def test_of_nothing_is_none(self, kind: LinkKind) -> None:
        assert catalogue_of().label(kind, NOBODY) is None


class TestSettings:
    def test_say_what_may_be_generated(self) -> None:
        assert catalogue_of({"group": {GROUP: {"ai_generate": ["names", "voices"]}}}).ai_kinds == {"names", "voices"}

    @pytest.mark.parametrize("settings", [{}, {"group": {}}, {"group": {GROUP: {}}}])
    def test_absent_are_none(self, settings: Rows) -> None:
        assert catalogue_of(settings).ai_kinds == frozenset()


class TestSecret:
    def test_is_in_the_groups_record(self) -> None:
        assert Catalogue(GROUP, {"group": {GROUP: {"text_ids": b"secret"}}}).text_secret == b"secret"

    @pytest.mark.parametrize("record", [{}, {"text_ids": "secret"}])
    def test_of_a_damaged_record_is_none(self, record: dict[str, object]) -> None:
        damaged = Catalogue(GROUP, {"group": {GROUP: record}})

        assert damaged.text_secret_or_none is None
        with pytest.raises(Unreadable) as caught:
            assert damaged.text_secret
        assert caught.value.reason == "the group's record holds nothing that ids of texts follow from"


class TestPointer:
    def test_is_read_as_it_was_written(self) -> None:
        # Given
        record = {
            "key": "a/key",
            "watermark": "2026-11-24T12:00:00+00:00",
            "rebuilt_at": "2026-11-24T13:00:00+00:00",
        }
        # When
        written = POINTER.as_value()
        # Then
        assert written == record
        read = catalogue_of({"group": {GROUP: {"snapshots": {"search": record}}}}).pointer("search")
        assert read == POINTER

    def test_of_another_view_is_none(self) -> None:
        assert Pointer.read(GROUP, "texts", {"snapshots": {"search": POINTER.as_value()}}) is None

    @pytest.mark.parametrize("name", ["key", "watermark", "rebuilt_at"])
    @pytest.mark.parametrize("value", [None, 7])
    def test_that_is_damaged_is_none(self, name: str, value: object) -> None:
        damaged = {**POINTER.as_value(), name: value}

        assert Pointer.read(GROUP, "search", {"snapshots": {"search": damaged}}) is None

    @pytest.mark.parametrize("name", ["watermark", "rebuilt_at"])
    @pytest.mark.parametrize("time", ["soon", "2026-11-24T12:00:00"])
    def test_of_a_time_that_cannot_be_read_is_none(self, name: str, time: str) -> None:
        damaged = {**POINTER.as_value(), name: time}

        assert Pointer.read(GROUP, "search", {"snapshots": {"search": damaged}}) is None

    @pytest.mark.parametrize("record", [{}, {"snapshots": "none"}])
    def test_of_a_record_without_any_is_none(self, record: dict[str, object]) -> None:
        assert Pointer.read(GROUP, "search", record) is None

    def test_of_a_group_without_a_record_is_none(self) -> None:
        assert Catalogue(GROUP, {}).pointer("search") is None


def test_what_is_derived_of_a_catalogue_is_made_once() -> None:
    catalogue = catalogue_of()

    assert catalogue.derived(dir) is catalogue.derived(dir)
