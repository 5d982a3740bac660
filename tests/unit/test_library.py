"""Library files: what is read, what is refused and in which words, and which rows come out."""

import json
import re
from datetime import UTC, datetime
from importlib.resources import files
from itertools import chain
from typing import Final
from uuid import UUID

import pytest
import yaml

from personas.domain.text import resource_id
from personas_tools.library_catalogue import Catalogue
from personas_tools.library_file import Library, LibraryError, parse
from personas_tools.library_rows import rows
from personas_tools.library_store import Entry

GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e11"
OTHER_ID: Final = "9f0c2a77-1d53-4d0c-8a51-7c5f4f7f2b10"
NOON: Final = datetime(2025, 3, 1, 12, tzinfo=UTC)


def faults_of(text: str) -> tuple[str, ...]:
    with pytest.raises(LibraryError) as caught:
        parse(text)
    return caught.value.faults


def made(text: str, *stored: Entry, moment: datetime = NOON) -> list[Entry]:
    return rows(parse(text), GROUP, stored=Catalogue(stored), moment=moment)


def row_of(entries: list[Entry], kind: str, name: str) -> dict[str, object]:
    keys = ("name", "key", "voice")
    (row,) = [e.row for e in entries if e.kind == kind and name in [e.row.get(key) for key in keys]]
    return dict(row)


@pytest.fixture(scope="module")
def demo() -> Library:
    return parse(files("personas_tools.demo").joinpath("library.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def demo_personas() -> list[dict[str, object]]:
    content = yaml.safe_load(files("personas_tools.demo").joinpath("personas.yaml").read_text(encoding="utf-8"))
    assert isinstance(content, list)
    return content


class TestReading:
    def test_json_and_yaml_say_the_same(self) -> None:
        content = {"colors": [{"name": "Teal", "hex_code": "#16818A"}], "voices": [{"voice": "Warm alto"}]}
        assert parse(json.dumps(content)) == parse(yaml.safe_dump(content))

    def test_a_byte_order_mark_is_no_content(self) -> None:
        assert parse('\ufeff{"voices": [{"voice": "Warm alto"}]}').voices[0].voice == "Warm alto"

    def test_names_are_trimmed_and_composed(self) -> None:
        (color,) = parse('colors: [{name: "  Ro\u0073e\u0301 ", hex_code: "#E0769B"}]').colors
        assert color.name == "Ros\u00e9"

    def test_the_ids_that_the_contract_calls_otherwise(self) -> None:
        library = parse(
            f"departments: [{{department_id: {OTHER_ID}, name: Care}}]\n"
            f"flags: [{{flag_option_id: {OTHER_ID}, key: active, label: Active}}]"
        )
        assert library.departments[0].id == library.flags[0].id == UUID(OTHER_ID)

    def test_yaml_merge_keys_work(self) -> None:
        library = parse("colors: [&base {name: A, hex_code: '#111111'}, {<<: *base, name: B}]")
        assert [color.hex_code for color in library.colors] == ["#111111", "#111111"]


class TestRefusing:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "The file is empty."),
            ("- a\n- b", "The file must be a mapping with keys such as colors, icons and parameters."),
            ("colours: []", "colours: there is no such key here."),
            ("colors: [{name: Teal}]", "colors[0].hex_code: is missing."),
            ("colors: [{name: Teal, hex_code: teal}]", "colors[0].hex_code: must be # and six hex digits, in quotes."),
            ("colors: [{name: '  ', hex_code: '#16818A'}]", "colors[0].name: must not be blank."),
            ("voices: [{voice: '\u3164\u200b'}]", "voices[0].voice: must not be blank."),
            ("icons: [{name: Star, value: star, size: 3}]", "icons[0].size: there is no such key here."),
            (
                "parameters: [{name: Mood, fields: [{name: Calm}, {title: Angry}]}]",
                "parameters[0].fields[1].name: is missing.",
            ),
            ("voices: [{voice: Alto, voice: Tenor}]", "line 1, column 24: the key 'voice' is given twice."),
            ('{"voices": [{"voice": "Alto", "voice": "Tenor"}]}', "The key 'voice' is given twice in one object."),
            ('{"voices": [}', "line 1, column 13: Expecting value."),
            ("voices: [", "line 1, column 10: expected the node content, but found '<stream end>'."),
        ],
    )
    def test_says_where_and_why(self, text: str, fault: str) -> None:
        assert fault in faults_of(text)

    def test_all_faults_are_told_at_once(self) -> None:
        assert len(faults_of("colors: [{name: A}, {name: B}]\nicons: [{name: C}]")) == 3

    def test_unknown_kinds_of_generated_content(self) -> None:
        (fault,) = faults_of("settings: {ai_generate: [instructions, poems]}")
        assert fault.startswith("settings.ai_generate[1]: input should be 'names',")

    @pytest.mark.parametrize(
        ("first", "second"),
        [("Crimson", "CRIMSON"), ("Straße", "STRASSE"), ("Blue 1", "Blue \uff11"), ("\u00e9", "e\u0301")],
    )
    def test_names_that_only_look_different(self, first: str, second: str) -> None:
        text = yaml.safe_dump({"voices": [{"voice": first}, {"voice": second}]})
        (fault,) = faults_of(text)
        assert fault.startswith("voices[1]: ")
        assert fault.endswith("has the same name as voices[0].")

    def test_a_field_may_repeat_a_name_of_another_parameter_only(self) -> None:
        parse("parameters: [{name: A, fields: [{name: High}]}, {name: B, fields: [{name: High}]}]")
        assert faults_of("parameters: [{name: A, fields: [{name: High}, {name: high}]}]") == (
            "parameters[0].fields[1]: 'high' has the same name as parameters[0].fields[0].",
        )

    def test_an_id_given_twice(self) -> None:
        assert faults_of(f"voices: [{{voice: A, id: {OTHER_ID}}}, {{voice: B, id: {OTHER_ID}}}]") == (
            "voices[1].id: is the id of voices[0] as well.",
        )


class TestRows:
    def test_ids_follow_from_group_kind_and_name(self) -> None:
        entries = made(
            "colors: [{name: Teal, hex_code: '#16818A'}]\nparameters: [{name: Mood, fields: [{name: Calm}]}]"
        )
        ids = {entry.kind: entry.id for entry in entries}
        assert ids["colors"] == resource_id(GROUP, "colors", "Teal")
        assert ids["fields"] == resource_id(GROUP, "fields", "Mood/Calm")
        assert ids["colors"] != resource_id(OTHER_ID, "colors", "Teal")

    def test_a_given_id_is_kept(self) -> None:
        entries = made(f"voices: [{{voice: Alto, id: {OTHER_ID.upper()}}}]")
        assert entries[0].id == OTHER_ID

    def test_whole_rows(self) -> None:
        entries = made(
            """
            departments: [{name: Care, description: Nurses.}]
            icons: [{name: Tick, value: circle-check}]
            flags: [{key: active, label: Active, icon_id: tick}]
            parameters:
              - name: Mood
                value: mood
                departments: [CARE]
                created_at: 2024-05-06T07:08:09+02:00
                fields: [{name: Calm, conditional_parameters: [Mood]}]
            scenarios: [{name: Ward, active: false, personas: []}]
            settings: {name: House, ai_generate: [examples]}
            """
        )
        care, mood = resource_id(GROUP, "departments", "Care"), resource_id(GROUP, "parameters", "Mood")
        assert row_of(entries, "departments", "Care") == {
            "name": "Care",
            "description": "Nurses.",
            "generated": False,
        }
        assert row_of(entries, "flags", "active") == {
            "key": "active",
            "label": "Active",
            "description": None,
            "icon_id": resource_id(GROUP, "icons", "Tick"),
            "show": True,
            "required": False,
            "generated": False,
        }
        assert row_of(entries, "parameters", "Mood") == {
            "name": "Mood",
            "description": "",
            "value": "mood",
            "department_ids": [care],
            "persona_parameter": True,
            "document_parameter": False,
            "scenario_parameter": False,
            "video_parameter": False,
            "field_ids": [resource_id(GROUP, "fields", "Mood/Calm")],
            "created_at": "2024-05-06T05:08:09+00:00",
            "active": True,
            "generated": False,
            "mcp": False,
        }
        assert row_of(entries, "fields", "Calm") == {
            "name": "Calm",
            "description": "",
            "value": "",
            "department_ids": [],
            "conditional_parameter_ids": [mood],
            "created_at": "2025-03-01T12:00:00+00:00",
            "active": True,
            "generated": False,
            "mcp": False,
        }
        assert row_of(entries, "scenarios", "Ward") == {"name": "Ward", "active": False}
        assert entries[-1] == Entry("group", GROUP, {"name": "House", "ai_generate": ["examples"]})

    def test_only_a_withdrawn_entry_says_so(self) -> None:
        entries = made("voices: [{voice: Alto}, {voice: Tenor, active: false}]")
        assert "active" not in row_of(entries, "voices", "Alto")
        assert row_of(entries, "voices", "Tenor")["active"] is False

    def test_what_is_referred_to_comes_first(self, demo: Library) -> None:
        kinds = [entry.kind for entry in rows(demo, GROUP)]
        assert list(dict.fromkeys(kinds)) == [
            "departments",
            "colors",
            "icons",
            "flags",
            "voices",
            "fields",
            "parameters",
            "scenarios",
            "group",
        ]

    def test_loading_again_makes_the_same_rows(self, demo: Library) -> None:
        first = rows(demo, GROUP, moment=NOON)
        again = rows(demo, GROUP, stored=Catalogue(first), moment=datetime(2026, 1, 1, tzinfo=UTC))
        assert again == first

    def test_a_reference_to_nothing_is_told_with_its_place(self) -> None:
        with pytest.raises(LibraryError) as caught:
            made(f"parameters: [{{name: Mood, departments: [Nowhere, {OTHER_ID}]}}]")
        assert caught.value.faults == (
            "parameters[0].department_ids[0]: departments have no entry named 'Nowhere'.",
            f"parameters[0].department_ids[1]: departments have no entry with the id {OTHER_ID}.",
        )

    def test_a_reference_may_name_what_is_stored_only(self) -> None:
        stored = Entry("departments", OTHER_ID, {"name": "Care", "description": "", "generated": False})
        entries = made(f"parameters: [{{name: Mood, departments: [care, {OTHER_ID}]}}]", stored)
        assert row_of(entries, "parameters", "Mood")["department_ids"] == [OTHER_ID]

    def test_icons_go_by_value_too_unless_that_is_ambiguous(self) -> None:
        icons = "icons: [{name: Tick, value: check}, {name: Mark, value: check}]\n"
        flags = "flags: [{key: active, label: Active, icon_id: %s}]"
        assert row_of(made(icons + flags % "mark"), "flags", "active")["icon_id"] == resource_id(GROUP, "icons", "Mark")
        with pytest.raises(LibraryError, match="'check' names 2 entries of icons: use the id"):
            made(icons + flags % "check")

    def test_a_name_stored_under_another_id_is_not_doubled(self) -> None:
        stored = Entry("voices", OTHER_ID, {"voice": "Alto", "generated": False})
        with pytest.raises(LibraryError, match=f"'ALTO' is stored already, under the id {OTHER_ID}"):
            made("voices: [{voice: ALTO}]", stored)
        assert made(f"voices: [{{voice: ALTO, id: {OTHER_ID}}}]", stored)[0].id == OTHER_ID

    def test_two_stored_entries_may_swap_their_names(self) -> None:
        stored = [Entry("voices", OTHER_ID, {"voice": "Alto"}), Entry("voices", GROUP, {"voice": "Tenor"})]
        entries = made(f"voices: [{{voice: Tenor, id: {OTHER_ID}}}, {{voice: Alto, id: {GROUP}}}]", *stored)
        assert {entry.id: entry.row["voice"] for entry in entries[:2]} == {OTHER_ID: "Tenor", GROUP: "Alto"}

    def test_fields_that_leave_the_file_stay_with_their_parameter(self) -> None:
        before = made("parameters: [{name: Mood, fields: [{name: Calm}, {name: Angry}]}]")
        after = made("parameters: [{name: Mood, fields: [{name: Sad}, {name: Angry}]}]", *before)
        ids = [resource_id(GROUP, "fields", f"Mood/{name}") for name in ("Sad", "Angry", "Calm")]
        assert row_of(after, "parameters", "Mood")["field_ids"] == ids

    def test_field_ids_put_fields_first(self) -> None:
        entries = made("parameters: [{name: Mood, field_ids: [angry], fields: [{name: Calm}, {name: Angry}]}]")
        ids = [resource_id(GROUP, "fields", f"Mood/{name}") for name in ("Angry", "Calm")]
        assert row_of(entries, "parameters", "Mood")["field_ids"] == ids
        with pytest.raises(LibraryError, match=re.escape("field_ids[0]: 'Sad' is no field of this parameter")):
            made("parameters: [{name: Mood, field_ids: [Sad], fields: [{name: Calm}]}]")

    def test_settings_that_the_file_does_not_mention_stay(self) -> None:
        stored = Entry("group", GROUP, {"name": "House", "ai_generate": ["names"]})
        assert made("settings: {ai_generate: []}", stored)[-1].row == {"name": "House", "ai_generate": []}
        assert made("voices: []", stored)[-1].row == stored.row


class TestDemo:
    def test_size(self, demo: Library, demo_personas: list[dict[str, object]]) -> None:
        assert len(demo.departments) == 4
        assert len(demo.colors) >= 16
        assert len(demo.icons) >= 40
        assert len(demo.voices) == 8
        assert len(demo.parameters) == 5
        names = [field.name for parameter in demo.parameters for field in parameter.fields]
        assert len(names) == len(set(names)) == 25
        assert [flag.key for flag in demo.flags] == ["active"]
        assert len(demo.scenarios) == 3
        assert sum(scenario.active for scenario in demo.scenarios) == 1
        assert len(demo_personas) == 24
        assert sum(persona["active_flag"] is True for persona in demo_personas) == 20

    def test_every_name_that_a_persona_uses_exists(self, demo: Library, demo_personas: list[dict[str, object]]) -> None:
        known = {
            "color": {color.name for color in demo.colors},
            "icon": {icon.name for icon in demo.icons},
            "voices": {voice.voice for voice in demo.voices},
            "departments": {department.name for department in demo.departments},
            "parameter_fields": {field.name for parameter in demo.parameters for field in parameter.fields},
        }
        for persona in demo_personas:
            for key, names in known.items():
                used = persona.get(key, [])
                assert set(used if isinstance(used, list) else [used]) <= names, (persona["name"], key)

    def test_scenarios_name_personas_of_the_demo(self, demo: Library, demo_personas: list[dict[str, object]]) -> None:
        cast = chain.from_iterable(scenario.personas or () for scenario in demo.scenarios)
        assert set(cast) <= {persona["name"] for persona in demo_personas}

    def test_colors_and_icons_are_told_apart(self, demo: Library) -> None:
        assert len({color.hex_code for color in demo.colors}) == len(demo.colors)
        assert len({icon.value for icon in demo.icons}) == len(demo.icons)
