"""The entries that a caller may link a persona to, and the one of them that an id or a value names.

A superadmin may link to the whole catalogue. For everyone else a parameter field exists where `get` offers it, and a
department where the caller belongs to it; besides, what the persona or the draft links to already. All else is answered
in one way, whether it exists or not: ids of a catalogue can be computed from names, and names can be guessed.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, cast

from personas.contract.persona_fields import LinkKind
from personas.domain.catalogue import Catalogue, ParameterField, Row, Unresolved
from personas.domain.permissions import SUPERADMIN, may_see
from personas.domain.profile import Caller

_FOREIGN: Final = "is none of your departments"


class ForeignDepartment(Unresolved):
    """An id or a value that names no department of the caller's."""


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


class Links:
    """The entries that a caller may link to; ``already_linked`` are the ids that the persona or the draft has."""

    def __init__(self, catalogue: Catalogue, caller: Caller, already_linked: Collection[str] = ()) -> None:
        self.catalogue = catalogue
        self._caller = caller
        self._already_linked = frozenset(already_linked)

    def resolves(self, kind: LinkKind, entry_id: str) -> bool:
        """Tell whether an id stands for one entry, whatever a persona or a draft links to already."""
        if kind == "parameter_fields" and len(self.catalogue.links_of_fields.get(entry_id, ())) > 1:
            return False
        try:
            self.known(kind, entry_id)
        except Unresolved:
            return False
        return True

    def known(self, kind: LinkKind, entry_id: str) -> str:
        """Return the id of the entry that an id stands for: itself, or the parameter field of a field.

        Raises:
            Unresolved: it stands for nothing that the caller may link to, or for several entries.
        """
        if kind == "departments" and not self._is_own(entry_id):
            raise ForeignDepartment(_FOREIGN)
        if kind != "parameter_fields":
            if self.catalogue.has(kind, entry_id):
                return entry_id
        elif entry_id in self.catalogue.parameter_fields:
            if self._may_link(entry_id):
                return entry_id
        elif found := self._of_field(entry_id):
            return found
        raise Unresolved(f"there is no entry with this id among the {kind.replace('_', ' ')} of this group")

    def named(self, kind: LinkKind, value: str) -> str:
        """Return the id of the entry that a value names among those that the caller may link to.

        Raises:
            Unresolved: it names none, or several.
        """
        rules: Mapping[str, Callable[[str], bool]] = {
            "departments": self._is_own,
            "parameter_fields": self._may_link,
        }
        try:
            return self.catalogue.find(kind, value, rules.get(kind), self._already_linked)
        except Unresolved as unresolved:
            if kind == "departments" and self._caller.role != SUPERADMIN:
                raise ForeignDepartment(_FOREIGN) from unresolved
            raise

    def _is_own(self, department_id: str) -> bool:
        return (
            self._caller.role == SUPERADMIN
            or department_id in self._caller.department_ids
            or department_id in self._already_linked
        )

    def _may_link(self, link_id: str) -> bool:
        return (
            self._caller.role == SUPERADMIN
            or link_id in self._already_linked
            or is_offered_link(self.catalogue, self.catalogue.parameter_fields[link_id], self._caller)
        )

    def _of_field(self, field_id: str) -> str | None:
        """Return the parameter field that a field's id stands for."""
        links = self.catalogue.links_of_fields.get(field_id, ())
        left = [each for each in links if self._may_link(each.id)]
        narrower: tuple[Callable[[ParameterField], bool], ...] = (
            lambda link: link.id in self._already_linked,
            lambda link: is_offered_link(self.catalogue, link, self._caller),
        )
        for preferred in narrower:
            if len(left) > 1:
                left = [each for each in left if preferred(each)] or left
        if len(left) > 1:
            named = ", ".join(f"{self.catalogue.label('parameter_fields', each.id)} ({each.id})" for each in left)
            raise Unresolved(f"is a field of several parameters: give the id of one of {named}")
        return left[0].id if left else None
