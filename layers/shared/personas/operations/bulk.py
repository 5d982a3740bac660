"""Calls of many items: each is saved or not on its own, and a result comes for each, in order."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic import BaseModel

from personas.contract.names import CATALOGUE_VALUE_MAX, Rejected
from personas.errors import (
    FAULTS_MAX,
    Contended,
    Fault,
    Invalid,
    NothingSaved,
    PartlyDone,
    PersonasError,
    Unavailable,
    internal,
)
from personas.observability import logger
from personas.services import Services
from personas.store.table import LostRace


def refused(item: Rejected, place: str) -> Invalid:
    """The error of an item that broke the contract; ``place`` is the pointer to it."""
    return at(place, [Fault(error.field, error.message) for error in item.errors])


def at(place: str, faults: Sequence[Fault], code: str | None = None) -> Invalid:
    """The error of an item with ``faults``, whose pointers are relative to it."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    named = f"{first.field.removeprefix('/')}: " if first.field else ""
    detail = f"{named}{first.message}{more}"
    return Invalid(detail, code=code, errors=[Fault(place + fault.field, fault.message) for fault in faults])


def echoed(sent: object) -> str:
    """What a request named, as its result tells it back: not longer than anything it could rightly be."""
    return str(sent)[:CATALOGUE_VALUE_MAX]


def repeated(place: str) -> Invalid:
    """The error of an item that names the same persona as one before it."""
    return Invalid(
        "An earlier item of this call names the same persona.",
        code="repeated_item",
        errors=[Fault(place, "names the same persona as an earlier item")],
    )


def until_settled[T](services: Services, attempt: Callable[[bool], T]) -> T:
    """The result of ``attempt``, which reads, decides and writes; made again when it loses a race.

    It is told whether it must read anew: the first attempt may decide on what the whole call has read together. The
    second follows at once, for a race is mostly one between two; those after it wait with jitter.

    Raises:
        Contended: others wrote in between every time, as long as there was time.
    """
    tries = services.table.tries()
    races = 0
    while True:
        try:
            return attempt(races > 0)
        except LostRace:
            races += 1
            if not tries.wait(at_once=races == 1):
                raise Contended from None


def settle[T](services: Services, items: Mapping[int, Callable[[], T]]) -> dict[int, T | PersonasError]:
    """Run the items side by side: the result of each, or its error. None begins when the time is nearly over."""

    def guarded(call: Callable[[], T]) -> T | PersonasError:
        if not services.table.has_time_for_another_item():
            return Unavailable("There was no time left to begin this item: nothing of it was saved. Send it again.")
        try:
            return call()
        except PersonasError as error:
            return error
        except Exception:  # noqa: BLE001  # logged and told; raised, it would keep back that other items are saved
            logger.exception("an item failed")
            return internal()

    outcomes = services.parallel.run([partial(guarded, call) for call in items.values()])
    return dict(zip(items, outcomes, strict=True))


def answered[T, R: BaseModel](
    outcomes: Mapping[int, T | PersonasError], told: Callable[[int, T | PersonasError], R]
) -> list[R]:
    """A result for each item, in order.

    Raises:
        NothingSaved: no item succeeded.
        PartlyDone: some did, and a repeat of the call may save more.
    """
    ordered = [outcomes[position] for position in sorted(outcomes)]
    failures = [outcome for outcome in ordered if isinstance(outcome, PersonasError)]
    for failure in failures:
        # One answer names so many fields at most: it has to fit the record of its Idempotency-Key.
        failure.errors = failure.errors[: max(1, FAULTS_MAX // len(failures))]
    results = [told(position, outcome) for position, outcome in enumerate(ordered)]
    if len(failures) == len(ordered):
        raise NothingSaved(failures, [result.model_dump(mode="json") for result in results])
    if any(failure.may_have_saved or isinstance(failure, Unavailable | Contended) for failure in failures):
        raise PartlyDone([result.model_dump(mode="json") for result in results])
    return results
