"""From what a caller sent, by id or by value, to changes of a form."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, cast

from personas.contract.names import EXAMPLES_MAX, TEXTS_MAX
from personas.contract.persona_fields import LinkKind, TextKind
from personas.contract.values import ID_FIELDS
from personas.domain.catalogue import Catalogue, Unresolved
from personas.domain.form import TEXT_KINDS, Changes
from personas.domain.linking import ForeignDepartment, Links
from personas.domain.text import Reference, Text, identified, utf8_bytes
from personas.errors import Fault

SINGLE_LINKS: Final[Mapping[str, LinkKind]] = {"color": "colors", "icon": "icons"}
FLAGS: Final[LinkKind] = "flags"
LIST_LINKS: Final[Mapping[str, LinkKind]] = {
    "departments": "departments",
    "parameter_fields": "parameter_fields",
    "voices": "voices",
}


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


def text_references(sent: Sent) -> list[Reference]:
    """The ids of texts that a request sends back, each with its kind."""
    found: list[Reference] = []
    for name, kind in TEXT_KINDS.items():
        ids = getattr(sent, ID_FIELDS[name])
        found += [Reference(kind, each) for each in ([ids] if isinstance(ids, str) else ids or ())]
    return found


def text_values(catalogue: Catalogue, sent: Sent) -> list[tuple[TextKind, Text]]:
    """Return the texts that a request brings along, each with its kind and the id that the group's secret gives it.

    Where the group's record has lost the secret there are none: ``select`` fails for a request that brings texts along,
    and others can be saved all the same.
    """
    secret = catalogue.text_secret_or_none
    if secret is None:
        return []
    found: list[tuple[TextKind, Text]] = []
    for name, kind in TEXT_KINDS.items():
        value = getattr(sent, name)
        values = [value] if isinstance(value, str) else value or ()
        found += [(kind, identified(secret, kind, each)) for each in values]
    return found


def links_unknown_to(links: Links, sent: Sent) -> bool:
    """Tell whether a request links to an id that means nothing by these links: by a newer catalogue or draft it may."""
    named: list[tuple[LinkKind, object]] = [
        *((kind, getattr(sent, ID_FIELDS[name])) for name, kind in {**SINGLE_LINKS, "active_flag": FLAGS}.items()),
        *((kind, each) for name, kind in LIST_LINKS.items() for each in getattr(sent, ID_FIELDS[name]) or ()),
    ]
    return any(isinstance(entry_id, str) and not links.settles(kind, entry_id) for kind, entry_id in named)


def select(sent: Sent, links: Links, texts: Mapping[Reference, str]) -> Selected:
    """Resolve a request's fields against what the caller may link to and the texts that its ids stand for.

    A field that is absent changes nothing; null and ``[]`` clear. All faults are found, not only the first.
    """
    changes: dict[str, object] = {}
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

    for name, by_id, by_value in _pairs(sent):
        id_field = ID_FIELDS[name]
        if name in TEXT_KINDS:
            kind = TEXT_KINDS[name]
            found = [
                *each(text_by_id, kind, id_field, by_id),
                *(identified(links.catalogue.text_secret, kind, value) for _, value in _places(name, by_value)),
            ]
            if name == "examples":
                changes[name] = tuple(dict.fromkeys(found))
                if len(found) > EXAMPLES_MAX:
                    faults.append(Fault("/examples", f"must have at most {EXAMPLES_MAX} entries with example_ids"))
            else:
                changes[name] = found[0] if found else None
        elif name == "active_flag":
            flags = list(each(links.known, FLAGS, id_field, by_id))
            changes[id_field] = flags[0] if flags else (links.catalogue.active_flag_id if by_value is True else None)
        else:
            link = SINGLE_LINKS.get(name) or LIST_LINKS[name]
            ids = tuple(
                dict.fromkeys([*each(links.known, link, id_field, by_id), *each(links.named, link, name, by_value)])
            )
            changes[id_field] = ids if name in LIST_LINKS else (ids[0] if ids else None)
    return Selected(cast("Changes", changes), faults, foreign)


def too_long(texts: Iterable[Text]) -> list[Fault]:
    """The fault of texts that together are more than a persona may hold, or nothing."""
    size = utf8_bytes(each.text for each in texts)
    if size <= TEXTS_MAX:
        return []
    return [Fault("", f"all texts together must have at most {TEXTS_MAX} bytes of UTF-8, these have {size}")]


def _pairs(sent: Sent) -> Iterable[tuple[str, object, object]]:
    """The pairs of which at least one side was sent: the name of the value's field, then what each side holds."""
    for name in (*TEXT_KINDS, *SINGLE_LINKS, "active_flag", *LIST_LINKS):
        id_field = ID_FIELDS[name]
        if not sent.given.isdisjoint({name, id_field}):
            # A draft patch has links by id only.
            yield name, getattr(sent, id_field), getattr(sent, name, None)


def _places(field: str, value: object) -> Sequence[tuple[str, str]]:
    """The strings that a field holds, each with the pointer to it."""
    if isinstance(value, str):
        return [(f"/{field}", value)]
    if isinstance(value, list):
        return [(f"/{field}/{position}", each) for position, each in enumerate(value)]
    return []
