"""Names where the service takes ids: what a person calls a persona, a department, a scenario or a field."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from typing import Final, Literal

import click

from personas.contract.base import PAGE_SIZE_MAX, SEARCH_MAX
from personas.contract.search import ListFilterOption, ListPersonaApiPersona, SearchPersonaResponse
from personas.domain.folding import fold
from personas_tools.http_api import Api, NotThere
from personas_tools.library_catalogue import id_in

type Facet = Literal["scenario", "field", "department"]

_PARTS_MAX: Final = 5
"""Words of a mistyped name that are searched for, a page each."""
_PAGES_MAX: Final = 4
"""Pages of all personas that are looked through besides."""


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
    matching = personas(api, {"search": reference.strip()[:SEARCH_MAX]})
    found = [each.persona_id for each in matching if fold(each.name or "") == wanted and each.persona_id]
    return one_named("persona", reference, found, lambda: _near(api, reference), "`personas list`")


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

    def names() -> Iterable[str]:
        return (each.name or "" for each in _options(api, facet, None))

    return one_named(facet, reference, found, names, "`personas library show`")


def one_named(
    noun: str, reference: str, found: Sequence[str], names: Callable[[], Iterable[str]], listed_by: str
) -> str:
    """Return the only id that was ``found`` for a name.

    Raises:
        ClickException: none was, and the message says which of the ``names`` may be meant, or what command tells them;
            or several were.
    """
    if len(found) > 1:
        raise click.ClickException(f"{len(found)} {noun}s are named {reference!r}. Give an id: {', '.join(found)}.")
    if not found:
        meant = did_you_mean(reference, names())
        hint = f": did you mean {meant!r}?" if meant else f". {listed_by} tells them."
        raise click.ClickException(f"No {noun} is named {reference!r}{hint}")
    return found[0]


@contextmanager
def known(persona_id: str | None) -> Iterator[None]:
    """Say what to do where the service knows no persona of this id.

    Raises:
        ClickException: it knows none.
    """
    try:
        yield
    except NotThere as error:
        if persona_id is None:
            raise
        raise click.ClickException(f"No persona has the id {persona_id}. `personas list` tells the ids.") from error


def did_you_mean(reference: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like a mistyped one or begins with it, or None where none is near."""
    folded, wanted = {fold(name): name for name in names}, fold(reference.strip())
    near = get_close_matches(wanted, folded, n=1) or [name for name in folded if wanted and name.startswith(wanted)]
    return folded[near[0]] if near else None


def _near(api: Api, reference: str) -> Iterator[str]:
    """Yield names that may be meant: those with a word of it in them, then the first of all. A group may be large."""
    searches = [({"search": part[:SEARCH_MAX]}, 1) for part in reference.split()[:_PARTS_MAX]]
    for conditions, pages in (*searches, ({}, _PAGES_MAX)):
        yield from (each.name or "" for each in islice(personas(api, conditions), pages * PAGE_SIZE_MAX))


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
