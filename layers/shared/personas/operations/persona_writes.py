"""What create and update share: looking up what the items name, and telling what became of them."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import batched

from personas.contract.results import ItemError, PersonaResultItem
from personas.domain.catalogue import Catalogue
from personas.domain.permissions import FOREIGN_DEPARTMENT, may_assign
from personas.domain.profile import Caller
from personas.domain.selection import Selected, Sent, text_references, text_values
from personas.domain.text import Reference
from personas.errors import Fault, Forbidden, PersonasError, Unreadable
from personas.operations.bulk import invalid_item, plain_name
from personas.services import Services
from personas.store.personas import Stored
from personas.store.table import BATCH_READ_MAX
from personas.store.texts import TextDirectory
from personas.store.write_rule import WriteResult


class Lookup:
    """What the items of one call name, looked up in one round: the catalogue, texts by id, and stored personas.

    A cold environment takes a second one, for the ids of the texts.

    In the same round the group is marked as changed: before any of its personas is, so that no change is without a
    mark. And the texts that the items bring along are put into the directory, for their ids are given out as
    soon as a persona that holds them is stored. What an item that fails leaves there is harmless: an entry only tells
    its text to someone of the group who has its id, and the weekly clean-up removes what nobody uses.
    """

    def __init__(self, services: Services, group_id: str, items: Sequence[Sent], persona_ids: Iterable[str]) -> None:
        directory = services.texts
        references = [reference for item in items for reference in text_references(item)]
        held = {each: text for each in references if (text := directory.known(group_id, *each)) is not None}
        missing = [each for each in dict.fromkeys(references) if each not in held]
        known = services.catalogues.held(group_id)

        def puts(catalogue: Catalogue) -> list[Callable[[], None]]:
            return directory.puts(group_id, (text for item in items for text in text_values(catalogue, item)))

        found_texts: dict[Reference, str] = {}
        self.stored: dict[str, Stored | Unreadable] = {}
        catalogues: list[Catalogue] = []
        wanted = list(persona_ids)
        calls: list[Callable[[], None]] = [
            lambda: catalogues.append(services.catalogues.current(group_id)),
            partial(services.groups.mark, group_id),
        ]
        if wanted:
            calls.append(lambda: self.stored.update(services.personas.get_many(group_id, wanted)))
        calls += [
            partial(_read, directory, group_id, some, found_texts)
            for some in batched(missing, BATCH_READ_MAX, strict=False)
        ]
        if known is not None:
            calls += puts(known)
        services.parallel.run(calls)

        (self.catalogue,) = catalogues
        if known is None or known.text_secret_or_none != self.catalogue.text_secret_or_none:
            # The ids of texts follow from the group's secret, which came with the catalogue.
            services.parallel.run(puts(self.catalogue))
        self.texts: dict[Reference, str] = {**held, **found_texts}


def _read(directory: TextDirectory, group_id: str, some: Sequence[Reference], found: dict[Reference, str]) -> None:
    found.update(directory.read(group_id, some))


def check_assignment(caller: Caller, department_ids: Sequence[str], selected: Selected, sent: Sent, place: str) -> None:
    """Hold the departments of a persona that is to be saved against the caller's own; ``sent`` is the item.

    Raises:
        Invalid: none is given where one is needed.
        Forbidden: one of them is not the caller's, whether it exists or not.
    """
    verdict = FOREIGN_DEPARTMENT if selected.foreign else may_assign(caller, department_ids)
    if verdict.reason is None:
        return
    field = "/departments" if "departments" in sent.given else "/department_ids"
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
        # What is wrong with an item as a whole lies in no field of it.
        errors = [ItemError(field=field, message=message) for field, message in named if field]
        return PersonaResultItem(
            success=False,
            persona_id=persona_id,
            message=outcome.detail,
            errors=errors if errors else None,
            code=outcome.code,
        )
    return PersonaResultItem(success=True, persona_id=persona_id, message=done, version=outcome.version)


def place_of(position: int) -> str:
    """The pointer to an item of the body."""
    return f"/personas/{position}"
