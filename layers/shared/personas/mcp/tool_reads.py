"""The tools that read: find a persona, read it, list what could be given to one, and show its history."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Final

import pydantic_core

from personas.contract.history import PersonaHistoryRequest, PersonaVersion
from personas.contract.persona_fields import LinkKind
from personas.contract.tools import (
    Choices,
    ChoicesArguments,
    FindArguments,
    FoundPersona,
    FoundPersonas,
    History,
    HistoryArguments,
    PersonaArguments,
    PersonaFields,
    PersonaRead,
    ToolResult,
    VersionTold,
)
from personas.domain.catalogue import Catalogue, Unresolved
from personas.domain.folding import fold
from personas.domain.permissions import is_offered_link, is_offered_option, may_edit
from personas.domain.profile import Caller
from personas.domain.selection import Links
from personas.domain.shown_values import values_of
from personas.domain.text import quoted
from personas.errors import Invalid
from personas.mcp.listing import CUT_TO, Entry, Listing
from personas.mcp.persona_texts import ARGUMENTS, by_value
from personas.operations.history import show_history
from personas.operations.read import read_persona
from personas.search.queries import Facet
from personas.services import Services

LIST_BYTES: Final = 3_300
"""Bytes that a list's entries take in an answer, which tells them twice, as data and within a text, and stays below 4
KB."""
_VERSIONS: Final = 10


def find_personas(services: Services, caller: Caller, wanted: FindArguments) -> FoundPersonas:
    """Return a page of the personas that match, no longer than a short answer holds."""
    listing = Listing(services, caller, wanted.query)
    facets: tuple[tuple[Facet, str | None], ...] = (("departments", wanted.department), ("fields", wanted.field))
    for facet, name in facets:
        if name and name.strip() and not listing.only(facet, name):
            raise Invalid(f"No persona that you can see has {quoted(name)} among its {facet}.", code="unknown_name")
    total, entries = listing.page(wanted.offset, wanted.limit)
    shown = _fitting([_found(each) for each in entries])
    end = wanted.offset + len(shown)
    return FoundPersonas(total=total, personas=shown, next_offset=end if shown and end < total else None)


def read(services: Services, caller: Caller, wanted: PersonaArguments) -> PersonaRead:
    """Return a persona as it is."""
    persona, catalogue = read_persona(services, caller, wanted.persona_id)
    return PersonaRead.model_validate(
        {
            "persona_id": persona.id,
            "version": persona.version,
            "can_edit": may_edit(caller, persona).allowed,
            **by_value(values_of(persona.form, catalogue), catalogue),
        }
    )


def list_choices(services: Services, caller: Caller, wanted: ChoicesArguments) -> Choices:
    """Return the names that the caller may give to a persona in a field, as many as a short answer holds."""
    needle = fold(wanted.search or "")
    catalogue = services.catalogues.current(caller.group_id)
    names = {name for name in _offered(catalogue, caller, wanted.kind) if needle in fold(name)}
    ordered = sorted(names, key=lambda name: (fold(name), name))
    return Choices(total=len(ordered), names=_fitting(ordered))


def history(services: Services, caller: Caller, wanted: HistoryArguments) -> History:
    """Return the versions of a persona, as many as a short answer holds, or one of them with its fields."""
    asked = {**wanted.model_dump(exclude_none=True), "page_size": _VERSIONS}
    told = show_history(services, caller, PersonaHistoryRequest.model_validate(asked))
    versions = _fitting([_version(each) for each in told.versions]) if told.versions else []
    cut = len(versions) < len(told.versions)
    values = told.versions[0].values if told.versions else None
    # Only one version has its fields shown, and the catalogue was brought up to date to show them.
    catalogue = services.catalogues.cached(caller.group_id)
    return History(
        current_version=told.current_version,
        deleted=True if told.deleted else None,
        versions=versions,
        values=PersonaFields.model_validate(by_value(values, catalogue)) if values and catalogue else None,
        next_before_version=versions[-1].version if cut else told.next_before_version,
    )


def _found(entry: Entry) -> FoundPersona:
    return FoundPersona(
        persona_id=entry.id,
        name=entry.row.name[:CUT_TO],
        description=entry.description,
        inactive=None if entry.is_active else True,
    )


def _version(version: PersonaVersion) -> VersionTold:
    return VersionTold(
        version=version.version,
        kind=version.kind,
        at=version.at,
        by=version.changed_by.name if version.changed_by else None,
        changed=[ARGUMENTS[each] for each in version.changed],
        restored_from=version.restored_from,
    )


def _offered(catalogue: Catalogue, caller: Caller, kind: LinkKind) -> Iterator[str]:
    """Yield the names of the entries that `get` offers to the caller for new selections, if they name one entry."""
    if kind == "parameter_fields":
        links = catalogue.parameter_fields.values()
        names = (catalogue.full_name(link) for link in links if is_offered_link(catalogue, link, caller))
    else:
        ids = (each for each in catalogue.rows(kind) if is_offered_option(catalogue, kind, each, caller))
        names = (name for each in ids if (name := catalogue.label(kind, each)))
    known = Links(catalogue, caller)
    for name in names:
        with suppress(Unresolved):
            known.named(kind, name)
            yield name


def _fitting[T: ToolResult | str](entries: Sequence[T]) -> list[T]:
    """Return the first entries, as many as fit into a short answer, and one at least."""
    told = (pydantic_core.to_json(each, exclude_none=True).decode() for each in entries)
    sizes = accumulate(len(each) + len(pydantic_core.to_json(each)) for each in told)
    fitting = sum(size <= LIST_BYTES for size in sizes)
    return list(entries[: max(1, fitting)])
