"""search, as the contract states it, through the real handler."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import product
from typing import Any, Final

import pytest

from personas.domain.folding import fold
from personas.domain.importing import IMPORT_FIELDS
from personas.domain.profile import Profile
from personas.runtime import FEED_WINDOW
from personas.store import keys
from personas.views.persona_feed import LOOK_BACK
from personas_tools.library_store import Entry, ResourceStore
from support.aws import forget
from support.environments import Environment, Steps, refusing
from support.world import (
    ALTO,
    ANGRY,
    CALM,
    CARE,
    FORMAL,
    GROUP,
    LEGAL,
    NOBODY,
    OTHER_GROUP,
    PEOPLE,
    SALES,
    STAR,
    TEAL,
    TONE_CALM,
    Clock,
    World,
    color,
    department,
    entry_id,
    fault,
    field_row,
    icon,
    parameter,
    pointers,
    result,
    text_id,
)

FILTERS = ("scenario", "field", "department", "color", "icon", "voice", "instruction")


@pytest.fixture
def env(world: World) -> Environment:
    return Environment(world)


def options(answer: dict[str, Any], of: str) -> dict[str, int]:
    """Return the counts of a filter by name, in its order."""
    return {option["name"]: option["count"] for option in answer[f"{of}_filter"]["options"]}


def ids(answer: dict[str, Any]) -> list[str]:
    return [persona["persona_id"] for persona in answer["personas"]]


# ---- Text ----------------------------------------------------------------------------------------------------------


class TestText:
    @pytest.mark.parametrize(
        ("name", "search"),
        [
            ("Nurse Ada", "ada"),
            ("nurse ada", "SE AD"),
            ("Straße", "STRASSE"),
            ("STRASSE", "straße"),
            ("ΜΆΪΟΣ", "μάϊος"),
            ("\uff21\uff44\uff41", "ada"),
            ("ﬁnal", "FIN"),
            ("e\u0301te\u0301", "ÉTÉ"),
            ("été", "e\u0301t"),
            ("①②", "12"),
            ("👩‍⚕️ Ada", "👩‍⚕️"),
            ("עדה הרופאה", "הרופ"),
            ("100% sure", "0%"),
            ("snake_case", "e_c"),
            ("back\\slash", "\\s"),
            ('"quoted"', '"q'),
            ("a\tb", "a\tb"),
        ],
    )
    def test_it_is_found_folded(self, name: str, search: str, env: Environment) -> None:
        env.save(name=name)
        env.save(name="Another", description=f"Known as {name}.")
        assert len(env.found(search=search)) == 2

    @pytest.mark.parametrize("search", ["%", "_", "A%a", "A_a", ".*", "A.a", "[A]da", "\\", "*", "?"])
    def test_nothing_stands_for_anything_else(self, search: str, env: Environment) -> None:
        env.save(name="Ada", description="A nurse")
        assert env.found(search=search) == []

    def test_no_match_spans_name_and_description(self, env: Environment) -> None:
        env.save(name="Ada", description="Berta")
        env.save(name="Cleo")
        for search in ("AdaBerta", "Ada Berta", "BertaCleo", "aB"):
            assert env.found(search=search) == []

    def test_only_name_and_description_are_searched(self, env: Environment) -> None:
        env.save(name="Ada", description="A nurse", instructions="Be kind", examples=["Hello"], departments=["Care"])
        for search in ("kind", "Hello", "Care", "Teal"):
            assert env.found(search=search) == []

    @pytest.mark.parametrize("search", [None, ""])
    def test_no_text_finds_all(self, search: str | None, env: Environment) -> None:
        env.save(name="Ada")
        assert env.found(search=search) == ["Ada"]

    def test_it_is_not_trimmed(self, env: Environment) -> None:
        env.save(name="Ada Berta")
        env.save(name="Cleo")
        assert env.found(search=" ") == ["Ada Berta"]

    @pytest.mark.parametrize("field", ["search", "scenario_search", "department_search", "instruction_search"])
    def test_nul_is_refused(self, field: str, env: Environment) -> None:
        answer = env.call("search", {field: "a\0b"})
        assert answer.status == 422
        assert pointers(answer) == [f"/{field}"]


# ---- Filters -------------------------------------------------------------------------------------------------------


@pytest.fixture
def house(env: Environment, world: World) -> dict[str, str]:
    """Save six personas that differ in everything, and return their ids by name."""
    made = {
        "Ada": {
            "departments": ["Care"],
            "parameter_fields": ["Mood: Calm", "Formal"],
            "color": "Teal",
            "icon": "Star",
            "voices": ["Alto"],
        },
        "Bea": {"departments": ["Care", "Sales"], "parameter_fields": ["Tone: Calm"], "color": "Plum", "icon": "Star"},
        "Cleo": {"departments": ["Sales"], "color": "Plum", "icon": "Beating heart", "voices": ["Alto", "Bass"]},
        "Dora": {"parameter_fields": ["Angry"], "active_flag": False, "instructions": "Shout."},
        "Eve": {"departments": ["Legal"], "parameter_fields": ["Mood: Calm", "Tone: Calm"], "voices": ["Bass"]},
        "Fay": {"description": "Like Ada", "instructions": "Shout."},
    }
    found = {name: env.save(name=name, **{"active_flag": True, **fields}) for name, fields in made.items()}
    world.cast("Ward", found["Ada"], found["Bea"])
    world.cast("Shop", found["Bea"], found["Cleo"], active=False)
    return found


WARD, SHOP = entry_id("scenarios", "Ward"), entry_id("scenarios", "Shop")


class TestFilters:
    @pytest.mark.parametrize(
        ("body", "names"),
        [
            ({}, "Ada Bea Cleo Dora Eve Fay"),
            ({"scenario_ids": [WARD]}, "Ada Bea"),
            ({"scenario_ids": [WARD, SHOP]}, "Ada Bea Cleo"),
            ({"field_ids": [CALM]}, "Ada Eve"),
            ({"field_ids": [CALM, ANGRY]}, "Ada Dora Eve"),
            ({"field_ids": [TONE_CALM]}, "Bea Eve"),
            ({"filter_department_ids": [CARE]}, "Ada Bea"),
            ({"filter_department_ids": [SALES, LEGAL]}, "Bea Cleo Eve"),
            ({"scenario_ids": [WARD, SHOP], "filter_department_ids": [SALES]}, "Bea Cleo"),
            ({"scenario_ids": [WARD], "field_ids": [TONE_CALM], "filter_department_ids": [CARE]}, "Bea"),
            ({"search": "ada"}, "Ada Fay"),
            ({"search": "ada", "field_ids": [FORMAL]}, "Ada"),
            ({"scenario_ids": [NOBODY]}, ""),
            ({"scenario_ids": [NOBODY, WARD]}, "Ada Bea"),
            ({"scenario_ids": [], "field_ids": None}, "Ada Bea Cleo Dora Eve Fay"),
        ],
        ids=str,
    )
    def test_any_of_a_list_and_all_of_the_lists(
        self, body: dict[str, object], names: str, env: Environment, house: dict[str, str]
    ) -> None:
        assert env.found(**body) == names.split()
        assert env.search(page_size=1, **body)["total_count"] == len(names.split())

    def test_all_seven_are_always_there(self, env: Environment) -> None:
        answer = env.search()
        for name in FILTERS:
            assert answer[f"{name}_filter"].keys() == {"options", "selected_ids", "search"}
            assert answer[f"{name}_filter"]["selected_ids"] == []
            assert all(each["count"] == 0 for each in answer[f"{name}_filter"]["options"])

    def test_their_counts(self, env: Environment, house: dict[str, str]) -> None:
        answer = env.search()
        assert options(answer, "scenario") == {"Shop": 2, "Ward": 2}
        # Two fields are called "Calm".
        assert answer["field_filter"]["options"] == [
            {**_option("field", "Calm", 2), "id": each} for each in sorted((CALM, TONE_CALM))
        ] + [{**_option("field", "Angry", 1), "id": ANGRY}, {**_option("field", "Formal", 1), "id": FORMAL}]
        assert options(answer, "department") == {"Care": 2, "Sales": 2, "Legal": 1}
        assert options(answer, "color") == {"Teal": 4, "Plum": 2}
        assert options(answer, "icon") == {"Star": 5, "Beating heart": 1}
        assert options(answer, "voice") == {"Alto": 2, "Bass": 2}
        assert options(answer, "instruction") == {"Ask before you answer.": 4, "Shout.": 2}

    def test_what_they_tell_of_an_option(self, env: Environment, house: dict[str, str]) -> None:
        answer = env.search()
        color, icon, voice = (answer[f"{name}_filter"]["options"][0] for name in ("color", "icon", "voice"))
        assert color == {**_option("color", "Teal", 4), "id": TEAL, "hex_code": "#16818A"}
        assert icon == {**_option("icon", "Star", 5), "id": STAR, "value": "star"}
        assert voice == {**_option("voice", "Alto", 2), "id": ALTO}
        (ask, _) = answer["instruction_filter"]["options"]
        assert ask["id"] == text_id("instructions", "Ask before you answer.")

    def test_a_count_is_what_choosing_the_option_then_finds(self, env: Environment, house: dict[str, str]) -> None:
        chosen: dict[str, list[list[str]]] = {
            "scenario_ids": [[], [WARD]],
            "field_ids": [[], [CALM, TONE_CALM]],
            "filter_department_ids": [[], [SALES, LEGAL]],
        }
        sections = {"scenario_ids": "scenario", "field_ids": "field", "filter_department_ids": "department"}
        for who, search, *lists in product(("root", "coach"), ("", "a"), *chosen.values()):
            body: dict[str, Any] = {"search": search, **dict(zip(chosen, lists, strict=True))}
            answer = env.search(who=who, **body)
            for filter_by, name in sections.items():
                for option in answer[f"{name}_filter"]["options"]:
                    there = env.search(who=who, page_size=1, **{**body, filter_by: [option["id"]]})
                    assert option["count"] == there["total_count"], (who, body, option)

    def test_those_without_a_list_count_what_was_found(self, env: Environment, house: dict[str, str]) -> None:
        answer = env.search(filter_department_ids=[CARE])
        assert options(answer, "color") == {"Plum": 1, "Teal": 1}
        assert options(answer, "voice") == {"Alto": 1, "Bass": 0}
        assert options(answer, "instruction") == {"Ask before you answer.": 2}
        # Its own selection is set aside, that of the others is not.
        assert options(answer, "department") == {"Care": 2, "Sales": 2, "Legal": 1}
        assert options(answer, "scenario") == {"Ward": 2, "Shop": 1}

    def test_counts_are_of_all_pages(self, env: Environment, house: dict[str, str]) -> None:
        assert options(env.search(page_size=1, page_offset=5), "color") == {"Teal": 4, "Plum": 2}

    @pytest.mark.parametrize(
        ("name", "search", "expected"),
        [
            ("scenario", "WAR", ["Ward"]),
            ("field", "calm", ["Calm", "Calm"]),
            ("department", "le", ["Sales", "Legal"]),
            ("color", "plum", ["Plum"]),
            ("icon", "HEART", ["Beating heart"]),
            ("voice", "%", []),
            ("instruction", "shout", ["Shout."]),
        ],
    )
    def test_a_search_narrows_the_options_and_nothing_else(
        self, name: str, search: str, expected: list[str], env: Environment, house: dict[str, str]
    ) -> None:
        before, answer = env.search(), env.search(**{f"{name}_search": search})
        assert [option["name"] for option in answer[f"{name}_filter"]["options"]] == expected
        assert answer[f"{name}_filter"]["search"] == search
        assert answer["total_count"] == 6
        for other in set(FILTERS) - {name}:
            assert answer[f"{other}_filter"] == before[f"{other}_filter"]

    def test_the_selected_ones_are_always_among_them(self, env: Environment, house: dict[str, str]) -> None:
        answer = env.search(
            scenario_ids=[SHOP], scenario_search="ward", field_ids=[FORMAL], filter_department_ids=[LEGAL, CARE]
        )
        assert answer["total_count"] == 0
        assert options(answer, "scenario") == {"Ward": 1, "Shop": 0}
        assert answer["scenario_filter"]["selected_ids"] == [SHOP]
        assert FORMAL in [option["id"] for option in answer["field_filter"]["options"]]
        assert answer["department_filter"]["selected_ids"] == [LEGAL, CARE]
        assert {"Legal", "Care"} <= set(options(answer, "department"))

    @pytest.mark.parametrize(
        ("selected", "name"),
        [({"filter_department_ids": [CARE]}, "department"), ({"field_ids": [FORMAL]}, "field")],
    )
    def test_a_selected_one_that_no_persona_has_is_among_them(
        self, selected: Mapping[str, object], name: str, env: Environment
    ) -> None:
        # Given a coach, who is offered an option that nobody has used
        # When she selects it and searches for others
        answer = env.search(who="coach", **{f"{name}_search": "none is called so"}, **selected)
        # Then it is still there
        assert [option["count"] for option in answer[f"{name}_filter"]["options"]] == [0]

    def test_at_most_a_hundred_by_count_then_name(self, env: Environment, world: World) -> None:
        for number in range(103):
            world.add("departments", f"D{number:03}", department(f"D{number:03}"))
        for start in range(0, 103, 26):
            some = [{"name": "x", "color": "Teal", "icon": "Star", "instructions": "y"} for _ in range(26)]
            env.call(
                "create",
                {
                    "personas": [
                        {**each, "departments": [f"D{number:03}"]}
                        for number, each in enumerate(some, start)
                        if number < 103
                    ]
                },
            )
        env.save(name="more", departments=["D102", "D050"])

        found = options(env.search(), "department")
        assert list(found.items())[:3] == [("D050", 2), ("D102", 2), ("D000", 1)]
        assert len(found) == 100
        assert "D101" not in found
        last = entry_id("departments", "D101")
        selected = options(env.search(filter_department_ids=[last]), "department")
        assert len(selected) == 100
        assert list(selected)[-1] == "D101"

    def test_names_of_instructions_are_cut(self, env: Environment) -> None:
        env.save(instructions="é" * 150)
        env.save(instructions="Short.")
        names = [option["name"] for option in env.search()["instruction_filter"]["options"]]
        assert sorted(names) == ["Short.", "é" * 100]


PICKERS: Final[Mapping[str, tuple[str, str]]] = {
    "color": ("colors", "id"),
    "icon": ("icons", "id"),
    "voice": ("voices", "id"),
    "department": ("departments", "department_id"),
    "field": ("parameter_fields", "field_id"),
}
"""The filters that offer the catalogue, each with the section of the form that does, and how that names an entry."""


class TestRestOfTheCatalogue:
    def test_comes_with_count_0_behind_what_is_in_use(self, env: Environment, world: World) -> None:
        world.add("colors", "Amber", color("Amber", "#F5B21A"))
        env.save(color="Teal")
        env.save(color="Teal")

        answer = env.search()

        assert list(options(answer, "color").items()) == [("Teal", 2), ("Amber", 0), ("Plum", 0)]
        assert answer["color_filter"]["options"][1]["hex_code"] == "#F5B21A"
        assert options(answer, "icon") == {"Star": 2, "Beating heart": 0}
        assert options(answer, "voice") == {"Alto": 0, "Bass": 0}

    def test_holds_no_scenario_and_nothing_withdrawn(self, env: Environment, world: World) -> None:
        world.cast("Empty")
        world.add("colors", "Old", {**color("Old", "#000000"), "active": False})
        world.add("voices", "Old", {"voice": "Old", "generated": False, "active": False})
        world.add("departments", "Old", {**department("Old"), "active": False})

        answer = env.search()

        assert options(answer, "scenario") == {}
        for name in ("color", "voice", "department"):
            assert "Old" not in options(answer, name)

    def test_what_is_withdrawn_and_in_use_is_offered(self, env: Environment, world: World) -> None:
        env.save(color="Plum")
        world.add("colors", "Plum", {**color("Plum", "#6E2A59"), "active": False})

        assert options(env.search(), "color") == {"Plum": 1, "Teal": 0}

    @pytest.mark.parametrize("who", ["root", "admin", "coach", "seller", "loner", "learner", "stranger"])
    def test_is_what_get_offers_to_this_caller(self, who: str, env: Environment, world: World) -> None:
        # Given parameters and fields for one department, for nobody any more, and for documents only,
        restricted = {
            "Care only": parameter("Care only", world.add("fields", "Care only/Soft", field_row("Soft"))),
            "Split": parameter(
                "Split",
                world.add("fields", "Split/Sales", field_row("Sales", department_ids=[SALES])),
                world.add("fields", "Split/Gone", field_row("Gone", active=False)),
                world.add("fields", "Split/All", field_row("All")),
            ),
        }
        restricted["Care only"]["department_ids"] = [CARE]
        for name, row in restricted.items():
            world.add("parameters", name, row)
        # and personas that use nothing of it,
        env.save(name="Ada")

        # when both are asked,
        answer, form = env.search(who=who), world.client(who).call("get", {}).body

        # then a picker has what the form has, and nothing else but what is in use.
        for name, (section, key) in PICKERS.items():
            offered = answer[f"{name}_filter"]["options"]
            in_form = {each[key] for each in form[section]["resources"]}
            assert {each["id"] for each in offered} >= in_form, name
            assert {each["id"] for each in offered if each["count"] == 0} <= in_form, name

    def test_a_search_reaches_what_lies_beyond_the_hundred(self, env: Environment, world: World) -> None:
        for number in range(120):
            world.add("icons", f"Icon {number:03}", icon(f"Icon {number:03}", f"icon-{number}"))
        env.save(icon="Star")

        found = options(env.search(), "icon")
        narrowed = options(env.search(icon_search="icon 11"), "icon")

        assert (len(found), list(found)[:3]) == (100, ["Star", "Beating heart", "Icon 000"])
        assert "Icon 119" not in found
        assert narrowed == {f"Icon {number}": 0 for number in range(110, 120)}


def _option(kind: str, name: str, count: int) -> dict[str, object]:
    return {"name": name, "count": count, "hex_code": None, "value": None, "type": kind}


# ---- Rows ----------------------------------------------------------------------------------------------------------


class TestRows:
    def test_all_of_a_row(self, env: Environment, world: World) -> None:
        persona_id = env.save(
            name="Ada",
            description="A nurse",
            color="Plum",
            icon="Beating heart",
            departments=["Care", "Sales"],
            parameter_fields=["Mood: Calm", "Formal"],
            active_flag=True,
        )
        world.cast("Shop", persona_id, active=False)
        world.profiles.put_profile(_assigned("Ann"), [persona_id], "assign")

        (row,) = env.search()["personas"]

        stored = world.stored(persona_id)
        assert stored is not None
        assert stored.persona is not None
        assert row == {
            "persona_id": persona_id,
            "name": "Ada",
            "description": "A nurse",
            "color": "#6E2A59",
            "icon": "heart-pulse",
            "department_ids": [CARE, SALES],
            "scenario_ids": [SHOP],
            "field_ids": [CALM, FORMAL],
            "is_inactive": False,
            "generated": False,
            "mcp": False,
            "num_scenarios": 1,
            "num_profiles": 1,
            "can_edit": True,
            "can_duplicate": True,
            "can_delete": True,
            "updated_at": stored.persona.updated_at,
        }

    def test_what_is_not_there(self, env: Environment) -> None:
        env.save()
        (row,) = env.search()["personas"]
        assert (row["description"], row["is_inactive"], row["department_ids"]) == (None, True, [])
        assert (row["num_scenarios"], row["num_profiles"], row["scenario_ids"], row["field_ids"]) == (0, 0, [], [])

    def test_active_and_inactive_ones(self, env: Environment) -> None:
        env.save(name="Ada", active_flag=True)
        env.save(name="Bob", active_flag=False)
        assert [(row["name"], row["is_inactive"]) for row in env.search()["personas"]] == [
            ("Ada", False),
            ("Bob", True),
        ]

    def test_the_name_of_the_caller_and_the_columns_of_an_import(self, env: Environment) -> None:
        answer = env.search(who="coach")
        assert answer["actor_name"] == "coach"
        assert [field["key"] for field in answer["import_fields"]] == [
            "name",
            "description",
            "color",
            "icon",
            "instructions",
            "active_flag",
            "departments",
            "parameter_fields",
            "examples",
            "voices",
        ]
        assert answer["import_fields"] == [field.model_dump() for field in IMPORT_FIELDS]

    @pytest.mark.parametrize(
        ("who", "name", "expected"),
        [
            ("root", "free", (True, True, True)),
            ("root", "busy", (False, True, False)),
            ("admin", "both", (True, True, True)),
            ("coach", "both", (False, True, True)),
            ("coach", "care", (True, True, True)),
            ("coach", "free", (False, True, False)),
            ("coach", "busy", (False, True, False)),
            ("learner", "care", (False, False, False)),
        ],
    )
    def test_what_the_caller_may_do(
        self, who: str, name: str, expected: tuple[bool, bool, bool], env: Environment, world: World
    ) -> None:
        env.save(name="free")
        env.save(name="care", departments=["Care"])
        env.save(name="both", departments=["Care", "Sales"])
        world.cast("Ward", env.save(name="busy", departments=["Care"]))
        (row,) = [row for row in env.search(who=who)["personas"] if row["name"] == name]
        assert (row["can_edit"], row["can_duplicate"], row["can_delete"]) == expected


def _assigned(name: str) -> Profile:
    return Profile(id=entry_id("profiles", name), group_id=GROUP, name=name, role="learner", department_ids=frozenset())


# ---- Who sees what -------------------------------------------------------------------------------------------------


class TestVisibility:
    @pytest.fixture(autouse=True)
    def _personas(self, env: Environment) -> None:
        env.save(name="all")
        env.save(name="care", departments=["Care"])
        env.save(name="sales", departments=["Sales"])
        env.save(name="both", departments=["Care", "Sales"])
        env.save(name="legal", departments=["Legal"])

    @pytest.mark.parametrize(
        ("who", "names"),
        [
            ("root", "all both care legal sales"),
            ("admin", "all both care sales"),
            ("coach", "all both care"),
            ("seller", "all both sales"),
            ("loner", "all"),
            ("learner", "all both care"),
            ("stranger", ""),
        ],
    )
    def test_by_role_and_department(self, who: str, names: str, env: Environment) -> None:
        assert env.found(who=who) == names.split()
        answer = env.search(who=who, page_size=1)
        assert answer["total_count"] == len(names.split())
        assert sum(options(answer, "color").values()) == len(names.split())

    def test_no_filter_shows_more(self, env: Environment) -> None:
        assert env.found(who="coach", filter_department_ids=[LEGAL, SALES]) == ["both"]
        assert options(env.search(who="coach"), "department") == {"Care": 2, "Sales": 1}
        assert env.found(who="loner", search="care") == []

    def test_another_role_or_department_shows_at_once_what_it_may(self, env: Environment, world: World) -> None:
        assert env.found(who="coach") == ["all", "both", "care"]
        world.profile("coach", departments=(LEGAL,))
        fresh = Environment(world)
        forget()  # the minute for which a profile is remembered is over
        assert fresh.found(who="coach") == ["all", "legal"]

    def test_another_group_is_another_world(self, env: Environment, world: World) -> None:
        assert env.found(who="stranger", search="all") == []
        assert env.search(who="stranger", scenario_ids=[WARD])["total_count"] == 0
        assert PEOPLE["stranger"].group == OTHER_GROUP

    def test_a_group_in_the_body_is_ignored(self, env: Environment) -> None:
        assert env.found(group_id=OTHER_GROUP) == ["all", "both", "care", "legal", "sales"]


# ---- Pages ---------------------------------------------------------------------------------------------------------


class TestPages:
    def test_the_order_is_by_folded_name_then_id(self, env: Environment) -> None:
        names = ["b", "A", "a", "B", "Ä", "z", "ß", "ss", "a"]
        saved = [(name, env.save(name=name)) for name in names]
        expected = [each for _, each in sorted(saved, key=lambda pair: (fold(pair[0]).encode(), pair[1]))]
        assert ids(env.search(page_size=100)) == expected

    def test_twelve_are_a_page(self, env: Environment) -> None:
        _many(env, 14)
        answer = env.search()
        assert len(answer["personas"]) == 12
        assert answer["total_count"] == 14

    @pytest.mark.parametrize("refreshed", [False, True])
    def test_each_is_met_once_also_with_equal_names(
        self,
        refreshed: bool,
        env: Environment,
        world: World,
    ) -> None:
        _many(env, 40, name="Same")
        if refreshed:
            env.refresh()
            _many(env, 7, name="same")
            env = Environment(world)
        total = 47 if refreshed else 40
        for size in (3, 20, 100):
            met: list[str] = []
            for offset in range(0, total, size):
                answer = env.search(page_size=size, page_offset=offset)
                assert answer["total_count"] == total
                met += ids(answer)
            assert len(met) == len(set(met)) == total
            assert met == sorted(met)

    def test_an_offset_counts_rows(self, env: Environment) -> None:
        _many(env, 5)
        everything = ids(env.search())
        assert ids(env.search(page_offset=3, page_size=2)) == everything[3:5]
        assert ids(env.search(page_offset=1, page_size=2)) == everything[1:3]

    def test_past_the_end_the_count_is_still_true(self, env: Environment) -> None:
        _many(env, 3)
        answer = env.search(page_offset=1000)
        assert (answer["personas"], answer["total_count"]) == ([], 3)
        assert options(answer, "color") == {"Teal": 3, "Plum": 0}

    @pytest.mark.parametrize("field", ["page_size", "page_offset"])
    @pytest.mark.parametrize("value", [-1, "many", 1.5, 101])
    def test_a_page_that_is_none_is_refused(self, field: str, value: object, env: Environment) -> None:
        answer = env.call("search", {field: value})
        if (field, value) == ("page_offset", 101):
            assert answer.status == 200
        else:
            assert answer.status == 422
            assert pointers(answer) == [f"/{field}"]

    def test_a_page_has_one_row_at_least(self, env: Environment) -> None:
        assert env.call("search", {"page_size": 0}).status == 422


def _many(env: Environment, number: int, name: str | None = None) -> None:
    personas = [
        {"name": name or f"P{each:03}", "color": "Teal", "icon": "Star", "instructions": "x"} for each in range(number)
    ]
    assert env.call("create", {"personas": personas}).status == 200


# ---- Fresh ---------------------------------------------------------------------------------------------------------


class TestFresh:
    """Tests that an environment finds the saved changes of another at once, with or without a refresh."""

    @pytest.fixture(params=["never refreshed", "refreshed before", "refreshed between"])
    def between(self, request: pytest.FixtureRequest, env: Environment) -> Callable[[], None]:
        """Return the act between a write and the search."""
        env.save(name="Old")
        if request.param != "never refreshed":
            env.refresh()
        return (lambda: env.refresh() and None) if request.param == "refreshed between" else lambda: None

    @pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
    def test_create_update_duplicate_and_delete(
        self,
        warm: bool,
        between: Callable[[], None],
        env: Environment,
        world: World,
    ) -> None:
        reader = Environment(world)
        reader.found()

        def found(**body: object) -> list[str]:
            return (reader if warm else Environment(world)).found(**body)

        persona_id = env.save(name="Ada", description="A nurse", departments=["Care"])
        between()
        assert found() == ["Ada", "Old"]
        assert found(search="nurse", filter_department_ids=[CARE]) == ["Ada"]

        env.update(persona_id, name="Zoe", description=None, departments=["Sales"], color="Plum")
        between()
        assert found() == ["Old", "Zoe"]
        assert found(search="nurse") == found(filter_department_ids=[CARE]) == []
        assert found(filter_department_ids=[SALES]) == ["Zoe"]

        copy = env.call("duplicate", {"persona_id": persona_id})
        assert copy.status == 200
        between()
        assert found() == ["Old", "Zoe", "Zoe Copy"]

        env.delete(persona_id)
        between()
        assert found() == ["Old", "Zoe Copy"]

    def test_a_hundred_at_once(self, env: Environment, world: World) -> None:
        reader = Environment(world)
        reader.found()
        _many(env, 100)
        assert len(reader.found()) == len(Environment(world).found()) == 100

    def test_what_was_not_saved_is_not_found(self, env: Environment, world: World) -> None:
        reader = Environment(world)
        reader.found()
        answer = env.call("create", {"personas": [{"name": "Ada"}, {"name": "Bob", "color": "None such"}]})
        assert answer.status == 200
        assert reader.found() == []

    def test_a_changed_catalogue_shows_at_once(self, env: Environment, world: World, house: dict[str, str]) -> None:
        reader = Environment(world)
        reader.found()
        world.add("departments", "Care", department("Nursing"))
        assert options(reader.search(), "department") == {"Nursing": 2, "Sales": 2, "Legal": 1}
        world.cast("Ward", house["Cleo"])
        assert reader.found(scenario_ids=[WARD]) == Environment(world).found(scenario_ids=[WARD]) == ["Cleo"]

    @pytest.mark.parametrize("answered", [0, 1])
    def test_what_was_written_before_a_read_that_failed(self, answered: int, world: World) -> None:
        """A read of the feed that fails has read nothing: the next one begins where the last one that succeeded did."""
        # Given a warm reader, and after its last read a persona and a color
        now = Clock()
        reader, writer = Environment(world, now), Environment(world, now)
        reader.search()
        now.moment += timedelta(minutes=1)
        writer.save(name="Ada")
        ResourceStore(writer.services.table).put(GROUP, Entry("colors", NOBODY, color("Grey", "#808080")), "test.grey")

        # When the reader's first read, or the second, fails, so late that the next one's window does not reach them
        now.moment += timedelta(minutes=1)
        with refusing("Query", after=answered):
            assert reader.call("search", remaining_ms=4_000).status == 503
        now.moment += timedelta(minutes=1)

        # Then it finds both
        assert reader.found() == ["Ada"]
        assert "Grey" in options(reader.search(), "color")

    def test_no_more_of_the_feed_is_read_than_since_the_search_before(self, world: World) -> None:
        # Given an environment that has searched an hour ago, and an hour before that
        now = Clock()
        reader = Environment(world, now)
        for _ in range(3):
            reader.search()
            searched_at, now.moment = now.moment, now.moment + timedelta(hours=1)
        # When it searches again
        with reader.stepping(Steps()) as steps:
            reader.search()
        # Then it reads by the window from the last search on
        since, _ = keys.range_of(keys.PERSONA_CHANGES, searched_at - FEED_WINDOW)
        assert sum(since in str(each.params) for each in steps.requests) == 1

    def test_no_more_of_the_feed_is_read_beside_a_snapshot_than_since_shortly_before_it(self, world: World) -> None:
        # Given a group that was refreshed an hour ago
        now = Clock()
        Environment(world, now).refresh()
        refreshed_at, now.moment = now.moment, now.moment + timedelta(hours=1)
        # When an environment searches that does not hold it
        reader = Environment(world, now)
        with reader.stepping(Steps()) as steps:
            reader.search()
        # Then it reads the feed as from a quarter of an hour before
        since, _ = keys.range_of(keys.PERSONA_CHANGES, refreshed_at - LOOK_BACK)
        assert sum(since in str(each.params) for each in steps.requests) == 1

    def test_a_few_changes_are_read_however_little_time_is_left(self, env: Environment) -> None:
        env.save(name="Ada")

        answer = Environment(env.world).call("search", remaining_ms=4_000)

        assert answer.status == 200
        assert [each["name"] for each in answer.body["personas"]] == ["Ada"]

    @pytest.mark.parametrize(("written", "queued"), [(2, False), (3, True)])
    def test_a_group_with_more_changes_than_a_search_is_to_read_is_queued(
        self, written: int, queued: bool, env: Environment, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a group of which more was written since its refresh, or as much as a search may read each time
        monkeypatch.setattr("personas.views.search_views.FEED_BOUND", 2)
        env.refresh()
        for _ in range(written):
            env.save()
        # When an environment searches that does not hold it
        found = Environment(world).found()
        # Then it reads them all, and has the group refreshed where they were more
        assert len(found) == written
        assert world.queued() == ([GROUP] if queued else [])

    def test_a_deleted_one_that_is_made_again(self, env: Environment, world: World) -> None:
        reader = Environment(world)
        persona_id = env.save(name="Ada")
        assert reader.found() == ["Ada"]
        env.delete(persona_id)
        assert reader.found() == []
        answer = env.call(
            "create",
            {"personas": [{"id": persona_id, "name": "Bob", "color": "Teal", "icon": "Star", "instructions": "x"}]},
        )
        assert result(answer)["version"] == 3
        assert reader.found() == Environment(world).found() == ["Bob"]


# ---- Requests ------------------------------------------------------------------------------------------------------


class TestMemory:
    def test_what_has_been_dropped_is_found_again(
        self, env: Environment, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given room for one group only,
        monkeypatch.setattr(env.services.search_views, "_budget_bytes", 0)
        dropped: list[int] = []
        monkeypatch.setattr("personas.views.search_views.count_evictions", dropped.append)
        env.save(name="Ada")
        env.refresh()
        for number, name in enumerate(("Bob", "Cid", "Dan")):
            # when another group is searched in between, and somebody else writes,
            assert env.found(who="stranger") == []
            Environment(world).save(name=name)
            # then the next search knows of it, and so does the one after that.
            assert env.found() == env.found() == ["Ada", "Bob", "Cid", "Dan"][: number + 2]
        assert sum(dropped) == 5

    def test_no_more_is_let_go_than_must_be(self, env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given four groups of one weight that are held, of which this one is searched again
        env.search()
        views = env.services.search_views
        for other in ("first", "second", "third"):
            views._views[other] = views._views[GROUP]
        # When there is room for two
        monkeypatch.setattr(views, "_budget_bytes", views.size_bytes // 2)
        env.search()
        # Then two stay
        assert list(views._views) == ["third", GROUP]

    def test_what_was_searched_last_stays(self, env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given two groups that are held, of which the one that was loaded first was searched again
        for who in ("root", "stranger", "root"):
            env.search(who=who)
        # When there is room for one only
        monkeypatch.setattr(env.services.search_views, "_budget_bytes", 0)
        env.search()
        # Then the other one goes
        assert list(env.services.search_views._views) == [GROUP]

    def test_what_is_held_is_weighed(self, env: Environment) -> None:
        env.search()
        empty = env.services.search_views.size_bytes
        _many(env, 100)
        env.search()
        assert env.services.search_views.size_bytes > empty + 100 * 100


class TestRequests:
    def test_no_body_is_an_empty_one(self, env: Environment) -> None:
        env.save()
        assert env.call("search", None).body == env.call("search", {}).body

    def test_unknown_fields_are_ignored(self, env: Environment) -> None:
        assert env.call("search", {"page": 3, "sort": "name", "group_id": NOBODY}).status == 200

    @pytest.mark.parametrize("field", ["scenario_ids", "field_ids", "filter_department_ids"])
    @pytest.mark.parametrize("value", [["x"], "x", [None], [5], {"a": 1}])
    def test_ids_that_are_none_are_refused(self, field: str, value: object, env: Environment) -> None:
        answer = env.call("search", {field: value})
        assert answer.status == 422
        assert pointers(answer)[0].startswith(f"/{field}")

    def test_an_id_in_another_spelling_is_the_same(self, env: Environment, house: dict[str, str]) -> None:
        assert env.found(filter_department_ids=[CARE.upper()]) == ["Ada", "Bea"]

    @pytest.mark.parametrize("field", ["search", "department_search"])
    def test_a_text_that_is_none_is_refused(self, field: str, env: Environment) -> None:
        assert fault(env.call("search", {field: 5})) == (422, "invalid")

    def test_half_a_character_is_not_json(self, env: Environment) -> None:
        assert env.call("search", '{"search": "\\ud800"}').status == 400

    def test_a_warm_search_waits_once(self, env: Environment) -> None:
        """Two short queries, side by side, and nothing else."""
        env.save()
        env.search()
        with env.stepping(Steps()) as steps:
            env.search()
        assert [request.operation for request in steps.requests] == ["Query", "Query"]
