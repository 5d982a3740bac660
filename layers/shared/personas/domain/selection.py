"""From what a caller sent, by id or by value, to changes of a form, among the entries that it may link a persona to.

A superadmin may link to the whole catalogue. For everyone else a parameter field exists where `get` offers it, and a
department where the caller belongs to it; besides, what the persona or the draft links to already. All else is answered
in one way, whether it exists or not: ids of a catalogue can be computed from names, and names can be guessed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from personas.contract.base import EXAMPLES_MAX, TEXTS_MAX
from personas.contract.persona_fields import (
    LINK_FIELDS,
    TEXT_FIELDS,
    TEXTS_THEN_LINKS,
    LinkField,
    LinkKind,
    PersonaField,
    TextField,
    TextKind,
)
from personas.domain.catalogue import Catalogue, ParameterField, Unresolved
from personas.domain.permissions import SUPERADMIN, is_offered_link
from personas.domain.persona import Changes, one_or_many
from personas.domain.profile import Caller
from personas.domain.text import Reference, Text, identified, utf8_bytes
from personas.errors import Fault

_FOREIGN: Final = "is none of your departments"


class ForeignDepartment(Unresolved):
    """An id or a value that names no department of the caller's."""


class Sent(Protocol):
    """A request's fields: those that were sent, by name; what was sent as null among them."""

    @property
    def given(self) -> frozenset[str]:
        """The names of the fields that were sent."""


class Selected(NamedTuple):
    """The selection of a request: the changes, the fields that name nothing, and those with foreign departments."""

    changes: Changes
    faults: list[Fault]
    foreign: list[Fault]


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


def text_references(sent: Sent) -> list[Reference]:
    """Return the ids of texts that a request sends back, each with its kind."""
    return [Reference(field.kind, each) for field in TEXT_FIELDS for each in _ids_sent(sent, field)]


def text_values(catalogue: Catalogue, sent: Sent) -> list[tuple[TextKind, Text]]:
    """Return the texts that a request brings along, each with its kind and the id that the group's secret gives it.

    If the group's record has lost the secret there are none: ``select`` fails for a request that brings texts along,
    and others can be saved all the same.
    """
    secret = catalogue.text_secret_or_none
    if secret is None:
        return []
    return [
        (field.kind, identified(secret, field.kind, value))
        for field in TEXT_FIELDS
        for _, value in _places(field.name, getattr(sent, field.name))
    ]


def links_unknown_to(links: Links, sent: Sent) -> bool:
    """Tell whether a request links to an id that means nothing by these links: by a newer catalogue or draft it may."""
    return any(not links.resolves(field.kind, entry_id) for field in LINK_FIELDS for entry_id in _ids_sent(sent, field))


def select(sent: Sent, links: Links, texts: Mapping[Reference, str]) -> Selected:
    """Resolve a request's fields against what the caller may link to and the texts that its ids stand for.

    A field that is absent changes nothing; null and ``[]`` clear. All faults are found, not only the first.
    """
    faults: list[Fault] = []
    foreign: list[Fault] = []

    def text_by_id(kind: TextKind, entry_id: str) -> Text:
        found = texts.get(Reference(kind, entry_id))
        if found is None:
            raise Unresolved(f"there is no entry with this id among the {kind} of this group")
        return Text(entry_id, found)

    def each[K, T](resolve: Callable[[K, str], T], kind: K, field: str, sent_there: object) -> Iterator[T]:
        for place, value in _places(field, sent_there):
            try:
                yield resolve(kind, value)
            except ForeignDepartment as unresolved:
                foreign.append(Fault(place, str(unresolved)))
            except Unresolved as unresolved:
                faults.append(Fault(place, str(unresolved)))

    def texts_of(field: TextField, by_id: object, by_value: object) -> list[Text]:
        found = [
            *each(text_by_id, field.kind, field.id_name, by_id),
            *(identified(links.catalogue.text_secret, field.kind, value) for _, value in _places(field.name, by_value)),
        ]
        if len(found) > EXAMPLES_MAX:
            faults.append(Fault(f"/{field.name}", f"must have at most {EXAMPLES_MAX} entries with {field.id_name}"))
        return found

    def links_of(field: LinkField, by_id: object, by_value: object) -> list[str]:
        return [
            *each(links.known, field.kind, field.id_name, by_id),
            *each(links.named, field.kind, field.name, by_value),
            # The active flag's value is true or false.
            *((links.catalogue.active_flag_id,) if by_value is True else ()),
        ]

    changes: dict[str, object] = {}
    for field in TEXTS_THEN_LINKS:
        if sent.given.isdisjoint({field.name, field.id_name}):
            continue
        # A draft patch has links by id only.
        by_id, by_value = getattr(sent, field.id_name), getattr(sent, field.name, None)
        if isinstance(field, TextField):
            changes[field.name] = one_or_many(field, list(dict.fromkeys(texts_of(field, by_id, by_value))))
        else:
            changes[field.id_name] = one_or_many(field, list(dict.fromkeys(links_of(field, by_id, by_value))))
    return Selected(changes, faults, foreign)


def name_sent(sent: Sent, field: PersonaField) -> str:
    """Return the name by which a request sends a field: of both names the one that holds something."""
    by_id = field.id_name in sent.given and (field.name not in sent.given or _ids_sent(sent, field))
    return field.id_name if by_id else field.name


def too_long(texts: Iterable[Text]) -> list[Fault]:
    """Return the fault of texts that together are more than a persona may hold, or nothing."""
    size = utf8_bytes(each.text for each in texts)
    if size <= TEXTS_MAX:
        return []
    return [Fault("", f"all texts together must have at most {TEXTS_MAX} bytes of UTF-8, these have {size}")]


def _ids_sent(sent: Sent, field: PersonaField) -> list[str]:
    """Return the ids that a request sends in a field."""
    ids: list[str] | str | None = getattr(sent, field.id_name)
    return [ids] if isinstance(ids, str) else ids or []


def _places(field: str, value: object) -> Sequence[tuple[str, str]]:
    """Return the strings that a field holds, each with the pointer to it."""
    if isinstance(value, str):
        return [(f"/{field}", value)]
    if isinstance(value, list):
        return [(f"/{field}/{position}", each) for position, each in enumerate(value)]
    return []
