"""The parts that create, update and draft share: the preparation of writes, the check of departments, the results."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import NamedTuple

from personas.contract.persona_fields import BY_NAME
from personas.contract.results import ItemError, PersonaResultItem
from personas.domain.catalogue import Catalogue
from personas.domain.permissions import FOREIGN_DEPARTMENT, may_assign
from personas.domain.profile import Caller
from personas.domain.selection import Selected, Sent, name_sent, text_references, text_values
from personas.domain.text import Reference
from personas.errors import Fault, Forbidden, PersonasError, Unreadable
from personas.operations.bulk import invalid_item, plain_name
from personas.operations.merging import FieldsChanged, cut
from personas.services import Services
from personas.store.personas import Stored
from personas.store.table import BATCH_READ_MAX
from personas.store.write_rule import WriteResult


class Prepared(NamedTuple):
    """The things that the items of one call name: the catalogue, texts by id, and stored personas."""

    catalogue: Catalogue
    texts: Mapping[Reference, str]
    stored: Mapping[str, Stored | Unreadable]


def prepare_writes(
    services: Services,
    group_id: str,
    items: Sequence[Sent],
    *,
    persona_ids: Collection[str] = (),
    beside: Iterable[Callable[[], None]] = (),
    catalogue: Catalogue | None = None,
) -> Prepared:
    """Look up what the items name and put their texts into the directory, in one round with the calls ``beside``.

    A cold environment takes a second one, for the ids of the texts. ``catalogue`` is a cached one that knows what the
    items name, or None, and it is brought up to date.

    The ids of the texts are given out as soon as a persona or a draft that holds them is stored, so their entries are
    put before. Those that a failed item leaves are harmless: an entry only tells its text to someone of the group who
    has its id, and the weekly clean-up removes what nobody uses.
    """
    directory, cached = services.texts, services.catalogues.cached(group_id)
    references = dict.fromkeys(reference for item in items for reference in text_references(item))
    texts = {each: text for each in references if (text := directory.known(group_id, *each)) is not None}
    missing = [each for each in references if each not in texts]
    stored: dict[str, Stored | Unreadable] = {}
    current: list[Catalogue] = []

    def puts(catalogue: Catalogue) -> list[Callable[[], None]]:
        return directory.puts(group_id, (text for item in items for text in text_values(catalogue, item)))

    def read_texts(some: Sequence[Reference]) -> None:
        texts.update(directory.read(group_id, some))

    calls: list[Callable[[], None]] = []
    if catalogue is None:
        calls.append(lambda: current.append(services.catalogues.current(group_id)))
    calls += beside
    if persona_ids:
        calls.append(lambda: stored.update(services.personas.get_many(group_id, persona_ids)))
    calls += [partial(read_texts, some) for some in batched(missing, BATCH_READ_MAX, strict=False)]
    if cached is not None:
        calls += puts(cached)
    services.parallel.run(calls)

    (known,) = [catalogue] if catalogue is not None else current
    if cached is None or cached.text_secret_or_none != known.text_secret_or_none:
        # The ids of texts follow from the group's secret, which came with the catalogue.
        services.parallel.run(puts(known))
    return Prepared(known, texts, stored)


def prepare_personas(
    services: Services, group_id: str, items: Sequence[Sent], persona_ids: Collection[str]
) -> Prepared:
    """Prepare items that write personas: read these as well, and mark the group as changed before any of them is."""
    mark = partial(services.groups.mark, group_id)
    return prepare_writes(services, group_id, items, persona_ids=persona_ids, beside=[mark])


def check_assignment(caller: Caller, department_ids: Sequence[str], selected: Selected, sent: Sent, place: str) -> None:
    """Hold the departments of a persona that is to be saved against the caller's own; ``sent`` is the item.

    Raises:
        Invalid: none is given where one is needed.
        Forbidden: one of them is not the caller's, whether it exists or not.
    """
    verdict = FOREIGN_DEPARTMENT if selected.foreign else may_assign(caller, department_ids)
    if verdict.reason is None:
        return
    field = f"/{name_sent(sent, BY_NAME['departments'])}"
    fault = Fault(field, verdict.reason)
    if verdict is not FOREIGN_DEPARTMENT:
        raise invalid_item(place, [fault], code=verdict.code)
    raise Forbidden(verdict.reason, code=verdict.code, errors=[fault._replace(field=place + field)])


def persona_result(
    position: int, persona_id: str | None, outcome: WriteResult | PersonasError, done: str
) -> PersonaResultItem:
    """Return the result of one item, in the contract's words."""
    if isinstance(outcome, PersonasError):
        place = place_of(position)
        named = {(plain_name(fault.field, place), fault.message): None for fault in outcome.errors}
        # A fault of an item as a whole lies in no field of it.
        errors = [ItemError(field=field, message=message) for field, message in named if field]
        return PersonaResultItem(
            success=False,
            persona_id=persona_id,
            message=outcome.detail,
            errors=errors if errors else None,
            code=outcome.code,
            conflicts=[cut(each) for each in outcome.conflicts] if isinstance(outcome, FieldsChanged) else None,
        )
    return PersonaResultItem(success=True, persona_id=persona_id, message=done, version=outcome.version)


def place_of(position: int) -> str:
    """Return the pointer to an item of the body."""
    return f"/personas/{position}"
