"""Tests of the permissions for a persona: every rule, and the order in which the rules apply."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from personas.domain.permissions import (
    PERMISSIONS,
    Verdict,
    departments_of_copy,
    is_for,
    is_offered,
    is_offered_for_personas,
    is_offered_option,
    may_assign,
    may_delete,
    may_download,
    may_edit,
    may_see,
    may_write,
)
from personas.domain.profile import Caller
from support.world import (
    ACTIVE,
    ALTO,
    ANGRY,
    CALM,
    CARE,
    FORMAL,
    FORMAT,
    LEGAL,
    LETTER,
    MOOD,
    NOBODY,
    SALES,
    STAR,
    TEAL,
    TONE,
    caller_of,
    catalogue_of,
    department,
    field_row,
    parameter,
)

ROLES: Final = ("superadmin", "admin", "instructional")
OTHERS: Final = ("learner", "viewer", "", "Admin", "superadmin ", "SUPERADMIN")


@dataclass(frozen=True)
class Persona:
    """As much of a persona as the rules look at."""

    department_ids: tuple[str, ...] = ()
    active_scenario_ids: tuple[str, ...] = ()


def caller(role: str, *departments: str) -> Caller:
    return Caller(
        group_id="g",
        profile_id="p",
        name="Vera",
        role=role,
        department_ids=frozenset(departments),
        session_id="s",
    )


def code_of(verdict: Verdict) -> str | None:
    assert verdict.allowed == (verdict.code is None) == (verdict.reason is None)
    return verdict.code


@pytest.mark.parametrize("role", ROLES)
def test_three_roles_write(role: str) -> None:
    assert may_write(caller(role)).allowed


@pytest.mark.parametrize("role", OTHERS)
def test_any_other_role_only_reads(role: str) -> None:
    assert may_write(caller(role, "a")).code == "role_may_not_write"
    assert may_edit(caller(role, "a"), Persona(("a",))).code == "role_may_not_write"
    assert may_delete(caller(role, "a"), Persona(("a",))).code == "role_may_not_write"


@pytest.mark.parametrize(
    ("role", "own", "departments", "seen"),
    [
        ("superadmin", (), ("a",), True),
        ("superadmin", (), (), True),
        ("admin", (), (), True),
        ("admin", ("a",), (), True),
        ("admin", ("a",), ("a",), True),
        ("admin", ("a",), ("a", "b"), True),
        ("admin", ("a", "b"), ("b",), True),
        ("admin", ("a",), ("b",), False),
        ("admin", (), ("a",), False),
        ("learner", ("a",), ("a", "b"), True),
        ("learner", ("a",), ("b",), False),
        ("learner", (), (), True),
    ],
)
def test_seeing(role: str, own: tuple[str, ...], departments: tuple[str, ...], seen: bool) -> None:
    assert may_see(caller(role, *own), departments) is seen


@pytest.mark.parametrize(
    ("role", "own", "departments", "edit", "delete"),
    [
        ("superadmin", (), (), None, None),
        ("superadmin", (), ("a", "b"), None, None),
        ("superadmin", ("c",), ("a",), None, None),
        ("admin", ("a",), (), "superadmin_only", "superadmin_only"),
        ("instructional", (), (), "superadmin_only", "superadmin_only"),
        ("admin", ("a",), ("a",), None, None),
        ("admin", ("a", "b"), ("a",), None, None),
        ("admin", ("a", "b"), ("a", "b"), None, None),
        ("admin", ("a",), ("a", "b"), "not_all_departments", None),
        ("instructional", ("a", "c"), ("a", "b"), "not_all_departments", None),
        ("admin", ("c",), ("a", "b"), "not_all_departments", "no_shared_department"),
        ("admin", (), ("a",), "not_all_departments", "no_shared_department"),
    ],
)
def test_editing_takes_all_departments_and_deleting_one(
    role: str, own: tuple[str, ...], departments: tuple[str, ...], edit: str | None, delete: str | None
) -> None:
    assert code_of(may_edit(caller(role, *own), Persona(departments))) == edit
    assert code_of(may_delete(caller(role, *own), Persona(departments))) == delete


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("departments", [(), ("a",), ("a", "b")])
def test_an_active_scenario_forbids_both_to_everyone(role: str, departments: tuple[str, ...]) -> None:
    in_use = Persona(departments, active_scenario_ids=("s",))

    assert may_edit(caller(role, "a"), in_use).code == "in_use"
    assert may_delete(caller(role, "a"), in_use).code == "in_use"


def test_the_role_speaks_before_the_scenario() -> None:
    assert may_edit(caller("learner"), Persona((), ("s",))).code == "role_may_not_write"


@pytest.mark.parametrize(
    ("role", "own", "departments", "code"),
    [
        ("superadmin", (), (), None),
        ("superadmin", (), ("a",), None),
        ("admin", ("a", "b"), ("a",), None),
        ("admin", ("a", "b"), ("b", "a"), None),
        ("admin", ("a",), ("a", "b"), "foreign_department"),
        ("admin", (), ("a",), "foreign_department"),
        ("admin", ("a",), (), "department_needed"),
        ("instructional", (), (), "department_needed"),
    ],
)
def test_assigning_departments(role: str, own: tuple[str, ...], departments: tuple[str, ...], code: str | None) -> None:
    assert code_of(may_assign(caller(role, *own), departments)) == code


@pytest.mark.parametrize(
    ("role", "own", "departments", "copied"),
    [
        ("superadmin", ("c",), ("b", "a"), ("b", "a")),
        ("superadmin", ("c",), (), ()),
        ("admin", ("a", "b"), ("c", "b", "a"), ("b", "a")),
        ("admin", ("a",), ("b",), ()),
        ("admin", ("b", "a"), (), ("a", "b")),
        ("instructional", (), (), ()),
    ],
)
def test_departments_of_a_copy(
    role: str, own: tuple[str, ...], departments: tuple[str, ...], copied: tuple[str, ...]
) -> None:
    assert departments_of_copy(caller(role, *own), Persona(departments)) == copied


def test_reasons_are_sentences_for_people() -> None:
    verdicts = [
        may_write(caller("learner")),
        may_edit(caller("admin"), Persona()),
        may_edit(caller("admin"), Persona(("a",))),
        may_edit(caller("admin"), Persona((), ("s",))),
        may_delete(caller("admin"), Persona(("a",))),
        may_assign(caller("admin"), ()),
        may_assign(caller("admin"), ("a",)),
    ]

    assert [verdict.reason for verdict in verdicts] == [
        "The role 'learner' can only read personas.",
        "Only a superadmin can change or delete a persona without departments.",
        "You can only edit a persona when you belong to all its departments.",
        "An active scenario uses this persona, so it cannot be changed or deleted now.",
        "You can only delete a persona of one of your departments.",
        "Choose at least one of your departments.",
        "You can only assign departments that you belong to.",
    ]


@pytest.mark.parametrize(
    ("role", "group", "profile", "there"),
    [
        ("learner", "g", "p", True),
        ("admin", "g", "another", False),
        ("superadmin", "g", "another", True),
        ("superadmin", "h", "p", False),
        ("superadmin", "h", "another", False),
        ("learner", "h", "p", False),
    ],
)
def test_a_file_is_there_for_its_maker_and_for_superadmins_of_its_group(
    role: str, group: str, profile: str, there: bool
) -> None:
    assert may_download(caller(role), group, profile) is there


@pytest.mark.parametrize(
    ("active", "departments", "for_it", "offered"),
    [
        (True, (), True, True),
        (True, ("a",), True, True),
        (True, ("b",), False, False),
        (False, (), True, False),
        (False, ("b",), False, False),
    ],
)
def test_a_parameter_or_field_is_offered_where_it_is_active_and_for_the_caller(
    active: bool, departments: tuple[str, ...], for_it: bool, offered: bool
) -> None:
    row = {"active": active, "department_ids": departments}

    assert is_for(row, caller("admin", "a")) is for_it
    assert is_offered(row, caller("admin", "a")) is offered


@pytest.mark.parametrize(
    ("for_personas", "active", "offered"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_a_parameter_is_offered_in_personas_where_it_is_one_for_them(
    for_personas: bool, active: bool, offered: bool
) -> None:
    row = {"active": active, "department_ids": (), "persona_parameter": for_personas}

    assert is_offered_for_personas(row, caller("admin")) is offered


PARAMETERS: Final = {
    MOOD: dict(parameter("Mood", CALM, ANGRY)),
    TONE: dict(parameter("Tone", CALM, FORMAL, department_ids=[SALES])),
    FORMAT: dict(parameter("Format", CALM, LETTER, persona_parameter=False)),
}
"""Three parameters: for everyone, for one department, and not for personas. The field Calm is in each."""


@pytest.mark.parametrize(
    ("field", "departments", "offered"),
    [
        (CALM, (), True),  # by one of its three parameters
        (ANGRY, (), True),
        (FORMAL, (SALES,), True),
        (FORMAL, (CARE,), False),
        (LETTER, (SALES,), False),
        (NOBODY, (SALES,), False),
    ],
)
def test_a_field_is_offered_by_any_parameter_that_is(field: str, departments: tuple[str, ...], offered: bool) -> None:
    catalogue = catalogue_of({"parameters": PARAMETERS})

    assert is_offered_option(catalogue, "fields", field, caller_of("admin", *departments)) is offered


@pytest.mark.parametrize(("departments", "offered"), [((SALES,), True), ((CARE,), False)])
def test_a_field_that_is_for_a_department_is_offered_to_it(departments: tuple[str, ...], offered: bool) -> None:
    rows = {"parameters": PARAMETERS, "fields": {ANGRY: dict(field_row("Angry", department_ids=[SALES]))}}

    assert is_offered_option(catalogue_of(rows), "fields", ANGRY, caller_of("admin", *departments)) is offered


@pytest.mark.parametrize(("kind", "entry"), [("colors", TEAL), ("icons", STAR), ("voices", ALTO)])
@pytest.mark.parametrize(("change", "offered"), [({}, True), ({"active": True}, True), ({"active": False}, False)])
def test_a_color_an_icon_or_a_voice_is_offered_unless_it_is_inactive(
    kind: str, entry: str, change: Mapping[str, object], offered: bool
) -> None:
    row = {**catalogue_of().rows(kind)[entry], **change}

    assert is_offered_option(catalogue_of({kind: {entry: row}}), kind, entry, caller_of("learner")) is offered


def test_a_color_that_is_not_there_is_offered_like_one_that_says_nothing() -> None:
    assert is_offered_option(catalogue_of(), "colors", NOBODY, caller_of("learner"))


@pytest.mark.parametrize(
    ("role", "departments", "entry", "offered"),
    [
        ("superadmin", (), LEGAL, True),
        ("admin", (LEGAL,), LEGAL, True),
        ("admin", (CARE,), LEGAL, False),
    ],
)
def test_a_department_is_offered_to_its_own_and_to_superadmins(
    role: str, departments: tuple[str, ...], entry: str, offered: bool
) -> None:
    assert is_offered_option(catalogue_of(), "departments", entry, caller_of(role, *departments)) is offered


def test_a_department_that_is_inactive_is_offered_to_nobody() -> None:
    catalogue = catalogue_of({"departments": {LEGAL: {**department("Legal"), "active": False}}})

    assert not is_offered_option(catalogue, "departments", LEGAL, caller_of("superadmin"))


def test_what_no_persona_chooses_is_not_offered() -> None:
    assert not is_offered_option(catalogue_of(), "flags", ACTIVE, caller_of("superadmin"))


def test_each_permission_comes_from_its_rules() -> None:
    assert {
        "has_access": (may_see,),
        "can_edit": (may_see, may_edit),
        "can_delete": (may_see, may_delete),
        "can_duplicate": (may_see, may_write, departments_of_copy),
        "can_create": (may_write, may_assign),
        "can_draft": (may_write,),
    } == PERMISSIONS
