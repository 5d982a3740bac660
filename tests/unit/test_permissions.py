"""Tests of the permissions for a persona: every rule, and the order in which the rules apply."""

from dataclasses import dataclass
from typing import Final

import pytest

from personas.domain.permissions import (
    Verdict,
    departments_of_copy,
    may_assign,
    may_delete,
    may_edit,
    may_see,
    may_write,
)
from personas.domain.profile import Caller

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
