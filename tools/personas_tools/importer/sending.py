"""Batches of rows on their way to the service, and what became of each row."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pydantic_core
from pydantic import BaseModel, TypeAdapter, ValidationError

from personas.contract.base import BODY_MAX
from personas.domain.text import resource_id
from personas_tools.http_api import Answer, Api, ApiError
from personas_tools.importer.changes import Changes
from personas_tools.importer.columns import EXPECTED_VERSION, PERSONA_ID, Columns, Item, Operation
from personas_tools.importer.journal import Journal, Kind, Outcome
from personas_tools.importer.rows import RowFile

ITEMS_MAX: Final = 100
"""Rows of a batch, far below what a call may have: each is saved within a second or two, so a kill loses little."""
ROUNDS: Final = 4
"""The most times that a batch is sent while rows of it fail for no fault of theirs."""

_PASSING: Final = frozenset({"unavailable", "outcome_unknown", "contended", "internal_error"})
"""Codes of rows that fail for no fault of theirs. An answer with one is not remembered under its Idempotency-Key."""
_LOST: Final = "version_conflict"
_HEAD: Final = b'{"personas":['
_TAIL: Final = b"]}"
_FRAME: Final = len(_HEAD) + len(_TAIL)
_SAVED: Final[Mapping[Operation, Kind]] = {"create": "created", "update": "updated"}


class Sendable(NamedTuple):
    """A row as it is sent: its number and its item as JSON."""

    number: int
    item: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are sent together."""

    operation: Operation
    rows: Sequence[Sendable]


type Judge = Callable[[Item], list[str]]
"""Says what is wrong with the values of an item."""


@dataclass(slots=True)
class Batches:
    """The rows of a file as batches, always the same ones: of one operation, at most 100 rows and 1,000,000 bytes.

    After they have been walked through, ``refused`` has the reasons for rows that cannot be sent at all, by number: all
    of them, those that ``judge`` finds included.

    A new persona gets its id from group, file and row. So a row makes no second persona, however late it is sent again:
    an Idempotency-Key is forgotten after a day, an id is not.
    """

    file: RowFile
    columns: Columns
    group_id: str
    judge: Judge
    refused: dict[int, list[str]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Batch]:
        self.refused.clear()
        waiting: dict[Operation, list[Sendable]] = {"create": [], "update": []}
        sizes: dict[Operation, int] = {"create": _FRAME, "update": _FRAME}
        named: dict[str, int] = {}
        for row in self.file.rows():
            asked = self.columns.item(row)
            operation, values, faults = asked.operation, asked.values, list(asked.faults)
            persona_id = values.get(PERSONA_ID)
            if isinstance(persona_id, str) and named.setdefault(persona_id.lower(), row.number) != row.number:
                faults.append(f"{PERSONA_ID}: row {named[persona_id.lower()]} changes the same persona")
            if faults:
                self.refused[row.number] = [*faults, *(self.judge(asked) if values else ())]
                continue
            if operation == "create":
                values["id"] = resource_id(self.group_id, "imports", f"{self.file.digest}/{row.number}")
            item = pydantic_core.to_json(values)
            if _FRAME + len(item) > BODY_MAX:
                self.refused[row.number] = [f"has {len(item)} bytes as JSON; at most {BODY_MAX} can be sent"]
                continue
            held = waiting[operation]
            if len(held) == ITEMS_MAX or sizes[operation] + len(item) > BODY_MAX:
                yield Batch(operation, held)
                held = waiting[operation] = []
                sizes[operation] = _FRAME
            sizes[operation] += len(item) + 1
            held.append(Sendable(row.number, item))
        for operation, held in waiting.items():
            if held:
                yield Batch(operation, held)


class _Fault(BaseModel):
    field: str
    message: str


class _Result(BaseModel):
    success: bool
    message: str
    code: str | None = None
    errors: list[_Fault] | None = None


_RESULTS: Final = TypeAdapter(list[_Result])


def send(api: Api, batches: Iterable[Batch], journal: Journal) -> Iterator[int]:
    """Send the batches that the journal does not have yet; yield the number of settled rows of each.

    Raises:
        ApiError: the service stays busy or out of reach, or refuses a call as a whole. The journal has the answers
            so far.
    """
    changes = Changes(api)
    for batch in batches:
        if any(row.number not in journal.outcomes for row in batch.rows):
            journal.settle(_settled(api, batch, journal.run, changes))
        yield len(batch.rows)


def _settled(api: Api, batch: Batch, run: str, changes: Changes) -> dict[int, Outcome]:
    """Send a batch; return the outcome of each row by the results alone, for the status of a call says nothing of rows.

    A batch with rows that fail for no fault of theirs is sent again as it is, under the same Idempotency-Key: so the
    service knows what it has saved already, also where it could not tell, and saves what is missing.
    """
    body = _HEAD + b",".join(row.item for row in batch.rows) + _TAIL
    # The body has file and row in it; who repeats it in the same run means the same call.
    key = f"import-row-{batch.rows[0].number}-{hashlib.sha256(f'{run}/'.encode() + body).hexdigest()[:32]}"
    rounds = 1
    while True:
        results = _results(api.call(batch.operation, body, idempotency_key=key), len(batch.rows))
        if rounds == ROUNDS or not any(result.code in _PASSING for result in results):
            break
        rounds += 1
    return {
        row.number: _outcome(batch.operation, row.item, result, changes)
        for row, result in zip(batch.rows, results, strict=True)
    }


def _outcome(operation: Operation, item: bytes, result: _Result, changes: Changes) -> Outcome:
    faults = [(_steps(fault.field), fault.message) for fault in result.errors or ()]
    if result.success:
        return Outcome(_SAVED[operation])
    if operation == "create" and any(steps == ["id"] for steps, _ in faults):
        # A persona has it already: as each id is sound and given once, no other fault can lie in it.
        return Outcome("there")
    if result.code == _LOST:
        sent = pydantic_core.from_json(item)
        return Outcome("rejected", changes.reason(result.message, sent.get(PERSONA_ID), sent.get(EXPECTED_VERSION)))
    return Outcome("rejected", told(faults) or result.message)


def _results(answer: Answer, expected: int) -> list[_Result]:
    try:
        results = _RESULTS.validate_python(answer.body.get("results"))
    except ValidationError as error:
        raise ApiError(f"The service refused the call: {answer.told}") from error
    if len(results) != expected:
        raise ApiError(f"The service answered {len(results)} results to {expected} rows.")
    return results


def _steps(place: str) -> list[str]:
    """Return the steps into an item of what an error names: a field, or the pointer to it from the body on."""
    return place.split("/")[3:] if place.startswith("/") else [place]


def told(faults: Iterable[tuple[Sequence[str], str]]) -> str:
    """Return faults in words for a person: each given by the steps of the pointer into its item, and the reason."""
    return "; ".join(f"{_place(steps)}{message}" for steps, message in faults)


def _place(steps: Sequence[str]) -> str:
    match steps:
        case [column, entry] if entry.isdecimal():
            return f"{column}, entry {int(entry) + 1}: "
        case [column, *_]:
            return f"{column}: "
        case _:
            return ""
