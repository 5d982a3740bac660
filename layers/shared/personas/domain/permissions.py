"""The rules of permission, each with the reason that a person reads, and what `get` offers to a caller by them."""

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple, Protocol, cast

from personas.domain.catalogue import Catalogue, ParameterField, Row
from personas.domain.profile import Caller

SUPERADMIN: Final = "superadmin"
WRITING_ROLES: Final = frozenset({SUPERADMIN, "admin", "instructional"})


class Guarded(Protocol):
    """The part of a persona that the rules look at."""

    @property
    def department_ids(self) -> tuple[str, ...]:
        """The departments that it is assigned to."""

    @property
    def active_scenario_ids(self) -> tuple[str, ...]:
        """The active scenarios that use it."""


class Verdict(NamedTuple):
    """The answer of a rule: allowed, or the code and the reason of the rule that forbids it."""

    code: str | None = None
    reason: str | None = None

    @property
    def allowed(self) -> bool:
        """True where no rule forbids it."""
        return self.code is None


ALLOWED: Final = Verdict()
FOREIGN_DEPARTMENT: Final = Verdict("foreign_department", "You can only assign departments that you belong to.")


def may_write(caller: Caller) -> Verdict:
    """Tell whether the caller's role may write at all: create, keep drafts, and copy what it can see.

    The roles superadmin, admin and instructional may; every other one only reads.
    """
    if caller.role in WRITING_ROLES:
        return ALLOWED
    return Verdict("role_may_not_write", f"The role {caller.role!r} can only read personas.")


def may_see(caller: Caller, department_ids: Collection[str]) -> bool:
    """Tell whether a persona of those departments exists for the caller.

    It does for a superadmin, where it has no departments, and where the two share one.
    """
    return is_seen(department_ids, departments_seen(caller))


def departments_seen(caller: Caller) -> frozenset[str] | None:
    """Return the departments by which personas exist for the caller; None for a superadmin, who sees all."""
    return None if caller.role == SUPERADMIN else caller.department_ids


def is_seen(department_ids: Collection[str], departments: Collection[str] | None) -> bool:
    """Tell whether a persona of departments exists for whoever sees by ``departments``."""
    return departments is None or not department_ids or not frozenset(department_ids).isdisjoint(departments)


def may_edit(caller: Caller, persona: Guarded) -> Verdict:
    """Tell whether the caller may change the persona.

    The role must write, and no active scenario may use the persona. One without departments is for superadmins;
    others than they must belong to all its departments.
    """
    verdict = _may_touch(caller, persona)
    if verdict.allowed and caller.role != SUPERADMIN and not caller.department_ids.issuperset(persona.department_ids):
        return Verdict("not_all_departments", "You can only edit a persona when you belong to all its departments.")
    return verdict


def may_delete(caller: Caller, persona: Guarded) -> Verdict:
    """Tell whether the caller may delete the persona: as for a change, but one shared department is enough."""
    verdict = _may_touch(caller, persona)
    if verdict.allowed and caller.role != SUPERADMIN and caller.department_ids.isdisjoint(persona.department_ids):
        return Verdict("no_shared_department", "You can only delete a persona of one of your departments.")
    return verdict


def may_assign(caller: Caller, department_ids: Collection[str]) -> Verdict:
    """Tell whether the caller may save a persona with those departments.

    A superadmin may with any or none; others with at least one, and only with departments of their own.
    """
    if caller.role == SUPERADMIN:
        return ALLOWED
    if not department_ids:
        return Verdict("department_needed", "Choose at least one of your departments.")
    return ALLOWED if caller.department_ids.issuperset(department_ids) else FOREIGN_DEPARTMENT


def may_download(caller: Caller, group_id: str, profile_id: str) -> bool:
    """Tell whether an export of that profile of that group exists for the caller."""
    return caller.group_id == group_id and (caller.profile_id == profile_id or caller.role == SUPERADMIN)


def departments_of_copy(caller: Caller, persona: Guarded) -> tuple[str, ...]:
    """Return the departments of a copy that the caller makes: those of the source that are the caller's own.

    A superadmin keeps all; where the source has none, a copy gets the caller's.
    """
    if caller.role == SUPERADMIN:
        return persona.department_ids
    if not persona.department_ids:
        return tuple(sorted(caller.department_ids))
    return tuple(each for each in persona.department_ids if each in caller.department_ids)


def is_for(row: Row, caller: Caller) -> bool:
    """Tell whether a parameter or a field is for this caller: for everyone, or for one of its departments."""
    return may_see(caller, cast("Collection[str]", row["department_ids"]))


def is_offered(row: Row, caller: Caller) -> bool:
    """Tell whether a parameter or a field is there for new selections of this caller."""
    return row["active"] is True and is_for(row, caller)


def is_offered_for_personas(parameter: Row, caller: Caller) -> bool:
    """Tell whether a parameter is there for new selections of this caller in a persona."""
    return parameter["persona_parameter"] is True and is_offered(parameter, caller)


def is_offered_link(catalogue: Catalogue, link: ParameterField, caller: Caller) -> bool:
    """Tell whether `get` offers a parameter field to this caller: the parameter and the field, both."""
    parameter, field = catalogue.rows("parameters")[link.parameter_id], catalogue.rows("fields")[link.field_id]
    return is_offered_for_personas(parameter, caller) and is_offered(field, caller)


def offered_links(catalogue: Catalogue, caller: Caller) -> set[str]:
    """Return the ids of all parameter fields that `get` offers to this caller: see ``is_offered_link``."""
    parameters = {each for each, row in catalogue.rows("parameters").items() if is_offered_for_personas(row, caller)}
    fields = {each for each, row in catalogue.rows("fields").items() if is_offered(row, caller)}
    links = catalogue.parameter_fields.values()
    return {link.id for link in links if link.parameter_id in parameters and link.field_id in fields}


def is_offered_option(catalogue: Catalogue, kind: str, entry_id: str, caller: Caller) -> bool:
    """Tell whether `get` offers an entry to this caller for new selections; of a field, one of its parameter fields."""
    if kind == "fields":
        links = catalogue.links_of_fields.get(entry_id, ())
        return any(is_offered_link(catalogue, link, caller) for link in links)
    if catalogue.rows(kind).get(entry_id, {}).get("active") is False:
        return False
    if kind == "departments":
        return caller.role == SUPERADMIN or entry_id in caller.department_ids
    return kind in {"colors", "icons", "voices"}


def _may_touch(caller: Caller, persona: Guarded) -> Verdict:
    verdict = may_write(caller)
    if not verdict.allowed:
        return verdict
    if persona.active_scenario_ids:
        return Verdict("in_use", "An active scenario uses this persona, so it cannot be changed or deleted now.")
    if not persona.department_ids and caller.role != SUPERADMIN:
        return Verdict("superadmin_only", "Only a superadmin can change or delete a persona without departments.")
    return ALLOWED


PERMISSIONS: Final[Mapping[str, tuple[Callable[..., object], ...]]] = {
    "has_access": (may_see,),
    "can_edit": (may_see, may_edit),
    "can_delete": (may_see, may_delete),
    "can_duplicate": (may_see, may_write, departments_of_copy),
    "can_create": (may_write, may_assign),
    "can_draft": (may_write,),
}
"""For every permission, by its name on the wire, the rules that it comes from."""
