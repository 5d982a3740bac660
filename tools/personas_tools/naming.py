"""Names where the service takes ids: what a person calls a persona, a department, a scenario or a field."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final, Literal

import click

from personas.contract.names import PAGE_SIZE_MAX
from personas.contract.search import ListFilterOption, ListPersonaApiPersona, SearchPersonaResponse
from personas.domain.folding import fold
from personas_tools.http_api import Api
from personas_tools.library import id_in

type Facet = Literal["scenario", "field", "department"]

SEARCH_MAX: Final = 500
"""Characters of a search."""


def personas(api: Api, conditions: Mapping[str, object]) -> Iterator[ListPersonaApiPersona]:
    """Yield the personas that a search finds, page after page."""
    offset = 0
    while True:
        found = _search(api, {**conditions, "page_size": PAGE_SIZE_MAX, "page_offset": offset})
        page = found.personas or []
        yield from page
        offset += len(page)
        if not page or offset >= (found.total_count or 0):
            return


def persona_named(api: Api, reference: str) -> str:
    """Return the id of the persona that goes by an id or a name.

    Raises:
        ClickException: none does, or several do; the message says what to do.
    """
    if persona_id := id_in(reference):
        return persona_id
    wanted = fold(reference.strip())
    found = [
        each.persona_id
        for each in personas(api, {"search": reference.strip()[:SEARCH_MAX]})
        if fold(each.name or "") == wanted and each.persona_id
    ]
    if len(found) > 1:
        raise click.ClickException(f"{len(found)} personas are named {reference!r}. Give an id: {', '.join(found)}.")
    if not found:
        names = (each.name or "" for each in personas(api, {}))
        raise click.ClickException(f"No persona is named {reference!r}{_meant(reference, names)}")
    return found[0]


def option_named(api: Api, facet: Facet, reference: str) -> str:
    """Return the id of the department, scenario or field that goes by an id or a name.

    Raises:
        ClickException: none does, or several do; the message says what to do.
    """
    if option_id := id_in(reference):
        return option_id
    wanted = fold(reference.strip())
    narrowed = _options(api, facet, reference.strip()[:SEARCH_MAX])
    found = [each.id for each in narrowed if each.id and fold(each.name or "") == wanted]
    if len(found) > 1:
        raise click.ClickException(f"{len(found)} {facet}s are named {reference!r}. Give an id: {', '.join(found)}.")
    if not found:
        names = (each.name or "" for each in _options(api, facet, None))
        raise click.ClickException(f"No {facet} is named {reference!r}{_meant(reference, names)}")
    return found[0]


def did_you_mean(reference: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like a mistyped one, or None where none is near."""
    folded = {fold(name): name for name in names}
    near = get_close_matches(fold(reference.strip()), folded, n=1)
    return folded[near[0]] if near else None


def _meant(reference: str, names: Iterable[str]) -> str:
    meant = did_you_mean(reference, names)
    return f": did you mean {meant!r}?" if meant else ". `personas list` and `personas library show` tell the names."


def _options(api: Api, facet: Facet, search: str | None) -> list[ListFilterOption]:
    found = _search(api, {f"{facet}_search": search, "page_size": 1})
    section = {
        "scenario": found.scenario_filter,
        "field": found.field_filter,
        "department": found.department_filter,
    }[facet]
    return (section and section.options) or []


def _search(api: Api, body: Mapping[str, object]) -> SearchPersonaResponse:
    return SearchPersonaResponse.model_validate(api.read("search", body))
