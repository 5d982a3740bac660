"""Calls of many items: each is saved or not on its own, and a result comes for each, in order."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import Final, NoReturn

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from personas.contract.base import QUOTED_MAX, Rejected, canonical_id
from personas.domain.permissions import may_write
from personas.domain.profile import Caller
from personas.errors import (
    FAULTS_MAX,
    Contended,
    Fault,
    Forbidden,
    Invalid,
    NotRemembered,
    OutcomeUnknown,
    PersonasError,
    Unavailable,
    Unreadable,
    internal,
)
from personas.observability import count_unreadable, logger
from personas.operations.merging import FieldsChanged
from personas.services import Services
from personas.store.attempts import Tries

CHUNK: Final = 100
"""The number of items that are read together, and then written: what was read is in memory until they are."""
TRIES: Final = 4
"""The number of tries of an item that loses its races before others of its call go first."""


def rejected_item(item: Rejected, place: str) -> Invalid:
    """Return the error of an item that broke the contract; ``place`` is the pointer to it."""
    return invalid_item(place, [Fault(error.field, error.message) for error in item.errors])


def invalid_item(place: str, faults: Sequence[Fault], code: str | None = None) -> Invalid:
    """Return the error of an item with ``faults``, whose pointers are relative to it."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    named = f"{first.field.removeprefix('/')[:QUOTED_MAX]}: " if first.field else ""
    detail = f"{named}{first.message}{more}"
    return Invalid(detail, code=code, errors=[Fault(place + fault.field, fault.message) for fault in faults])


def plain_name(field: str, place: str) -> str:
    """Return the name of the field that the pointer ``field`` leads into, of an item at the pointer ``place``."""
    name = field.removeprefix(place).removeprefix("/").partition("/")[0]
    return name.replace("~1", "/").replace("~0", "~")[:QUOTED_MAX]


def cut_to_length(sent: object) -> str:
    """Return a value of the request for its result, as JSON if it is no string, cut to a length that can be quoted."""
    return (sent if isinstance(sent, str) else json.dumps(sent, ensure_ascii=False))[:QUOTED_MAX]


def repeated_item(place: str) -> Invalid:
    """Return the error of an item that names the same persona as one before it."""
    return Invalid(
        "An earlier item of this call names the same persona.",
        code="repeated_item",
        errors=[Fault(place, "names the same persona as an earlier item")],
    )


def check_items[I](
    sent: Sequence[I | Rejected], name: str, id_of: Callable[[I], str | None], field: str = ""
) -> tuple[dict[int, I], dict[int, PersonasError]]:
    """Return the items of the list ``name`` that can be worked on, and the errors of the others, by position.

    ``field`` is the pointer within an item to the id of its persona, of which each may be named once.
    """
    sound: dict[int, I] = {}
    faulty: dict[int, PersonasError] = {}
    named: set[str] = set()
    for position, item in enumerate(sent):
        place = f"/{name}/{position}"
        if isinstance(item, Rejected):
            persona_id = _id_in(item.raw, field)
            faulty[position] = rejected_item(item, place)
        elif (persona_id := id_of(item)) in named:
            faulty[position] = repeated_item(f"{place}{field}")
        else:
            sound[position] = item
        named |= {persona_id} if persona_id else set()
    return sound, faulty


def _id_in(raw: object, field: str) -> str | None:
    """Return the id of the persona that an item names, though it breaks the contract."""
    sent = raw.get(field.removeprefix("/")) if isinstance(raw, Mapping) else None
    try:
        return canonical_id(sent)
    except PydanticCustomError:
        return None


type Attempt[T] = Callable[[int | None], T]
"""A call that decides on one item and writes it, with at most so many tries, or while there is time."""


def run_items[I, T](
    services: Services, items: Mapping[int, I], prepare: Callable[[Mapping[int, I]], Mapping[int, Attempt[T]]]
) -> dict[int, T | PersonasError]:
    """Process the items, a chunk after the other, and return the result of each, or its error.

    ``prepare`` reads the data that the items of a chunk need, and returns an attempt for each, which run in parallel.
    Neither begins when the time is nearly over, and a failure in one chunk undoes nothing of another.

    An item that keeps losing its races waits until all others were tried, and is then read and tried again, as long as
    there is time. So one that is contended delays no other.
    """
    outcomes: dict[int, T | PersonasError] = {}
    tries = Tries(services.deadline)
    pending, error_if_late = items, _unbegun
    while pending:
        # With a thread for each item none waits for another, so each is tried while there is time.
        tries_per_item = None if len(pending) <= services.parallel.threads else TRIES
        for chunk in batched(pending.items(), CHUNK, strict=False):
            outcomes |= _run_chunk(services, dict(chunk), prepare, tries_per_item, error_if_late)
        if tries_per_item is None or not tries.may_try_again(at_once=True):
            break
        pending = {position: item for position, item in pending.items() if isinstance(outcomes[position], Contended)}
        # From the second time on every item was begun, and has lost its races.
        error_if_late = Contended
    return outcomes


def _unbegun() -> PersonasError:
    return Unavailable("There was no time left to begin this item: nothing of it was saved. Send it again.")


def _run_chunk[I, T](
    services: Services,
    chunk: Mapping[int, I],
    prepare: Callable[[Mapping[int, I]], Mapping[int, Attempt[T]]],
    tries_per_item: int | None,
    error_if_late: Callable[[], PersonasError],
) -> Mapping[int, T | PersonasError]:
    attempts = _guarded(services, partial(prepare, chunk), error_if_late)
    if isinstance(attempts, PersonasError):
        return dict.fromkeys(chunk, attempts)
    calls = [partial(attempt, tries_per_item) for attempt in attempts.values()]
    outcomes = services.parallel.run([partial(_guarded, services, call, error_if_late) for call in calls])
    return dict(zip(attempts, outcomes, strict=True))


def _guarded[T](
    services: Services, call: Callable[[], T], error_if_late: Callable[[], PersonasError]
) -> T | PersonasError:
    """Return the result of a call or its error, which is ``error_if_late`` where there is no time to begin it."""
    if not services.deadline.has_time_for_another_item():
        return error_if_late()
    try:
        return call()
    except Unreadable as error:
        count_unreadable(error)
        return error
    except PersonasError as error:
        return error
    except Exception:  # noqa: BLE001  # the boundary of an item: others of the call are saved, and the caller has to be told which
        logger.exception("an item failed")
        return internal()


def results_of[T, R: BaseModel](
    outcomes: Mapping[int, T | PersonasError], result_of: Callable[[int, T | PersonasError], R]
) -> list[R]:
    """Return a result for each item, in order.

    Raises:
        PersonasError: the only item failed; or all did, for want of a backing service. It carries the results.
        NotRemembered: of several items none was saved, or a repeat of the call may save more.
    """
    ordered = [outcomes[position] for position in sorted(outcomes)]
    failures = [outcome for outcome in ordered if isinstance(outcome, PersonasError)]
    for failure in failures:
        # One answer names so many fields at most: it has to fit the record of its Idempotency-Key.
        most = max(1, FAULTS_MAX // len(failures))
        failure.errors = failure.errors[:most]
        if isinstance(failure, FieldsChanged):
            del failure.conflicts[most:]
    results = [result_of(position, outcome) for position, outcome in enumerate(ordered)]
    if len(failures) == len(ordered):
        if len(failures) == 1:
            _refuse(failures[0], results)
        if all(isinstance(failure, Unavailable) for failure in failures):
            _refuse(_unavailable(failures), results)
    outcome_unknown = any(failure.may_have_saved for failure in failures)
    nothing_saved = len(failures) == len(ordered) and not outcome_unknown
    repeat_may_save_more = outcome_unknown or any(isinstance(each, Unavailable | Contended) for each in failures)
    if nothing_saved or repeat_may_save_more:
        told = [result.model_dump(mode="json") for result in results]
        raise NotRemembered(told, may_have_saved=not nothing_saved)
    return results


def check_writer(caller: Caller, items: int, result_of: Callable[[int, PersonasError], BaseModel]) -> None:
    """Let pass who may write at all.

    Raises:
        Forbidden: the caller's role only reads. It carries a result for each of the ``items``.
    """
    verdict = may_write(caller)
    if verdict.reason is not None:
        refusal = Forbidden(verdict.reason, code=verdict.code)
        _refuse(refusal, [result_of(position, refusal) for position in range(items)])


def _refuse(error: PersonasError, results: Sequence[BaseModel]) -> NoReturn:
    error.members["results"] = [result.model_dump(mode="json") for result in results]
    raise error


def _unavailable(failures: Sequence[PersonasError]) -> Unavailable:
    if any(isinstance(failure, OutcomeUnknown) for failure in failures):
        return OutcomeUnknown(
            f"Some of the {len(failures)} items may have been saved: see results. Repeat with the same Idempotency-Key,"
            " or read first."
        )
    return Unavailable(f"None of the {len(failures)} items was saved: see results. Try again shortly.")
