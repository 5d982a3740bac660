"""Batches of rows on their way to the service, and what became of each row."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pydantic_core
from pydantic import BaseModel, TypeAdapter, ValidationError

from personas.contract.names import BODY_MAX, ITEMS_MAX
from personas.domain.text import resource_id
from personas_tools.http_api import Answer, Api, ApiError
from personas_tools.importer.columns import PERSONA_ID, Columns, Operation, RowError
from personas_tools.importer.csv_file import CsvFile
from personas_tools.importer.journal import Journal, Kind, Outcome

ROUNDS: Final = 4
"""How often rows of one batch are sent that failed for no fault of theirs, while others of it were saved."""

_HEAD: Final = b'{"personas":['
_TAIL: Final = b"]}"
_FRAME: Final = len(_HEAD) + len(_TAIL)
_UNLIKE: Final = "mixed_failures"
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


@dataclass(slots=True)
class Batches:
    """The rows of a file as batches, always the same ones: of one operation, at most 100 rows and 1,000,000 bytes.

    After they have been walked through, ``refused`` has the reasons for rows that cannot be sent at all, by number.

    A new persona gets its id from group, file and row. So a row makes no second persona, however late it is sent again:
    an Idempotency-Key is forgotten after a day, an id is not.
    """

    file: CsvFile
    columns: Columns
    group_id: str
    refused: dict[int, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Batch]:
        self.refused.clear()
        waiting: dict[Operation, list[Sendable]] = {"create": [], "update": []}
        sizes: dict[Operation, int] = {"create": _FRAME, "update": _FRAME}
        named: dict[str, int] = {}
        for row in self.file.rows():
            try:
                operation, values = self.columns.item(row)
                persona_id = values.get(PERSONA_ID)
                if isinstance(persona_id, str) and named.setdefault(persona_id.lower(), row.number) != row.number:
                    raise RowError(f"{PERSONA_ID}: row {named[persona_id.lower()]} changes the same persona")
                if operation == "create":
                    values["id"] = resource_id(self.group_id, "imports", f"{self.file.digest}/{row.number}")
                item = pydantic_core.to_json(values)
                if _FRAME + len(item) > BODY_MAX:
                    raise RowError(f"has {len(item)} bytes as JSON; at most {BODY_MAX} can be sent")
            except RowError as error:
                self.refused[row.number] = str(error)
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
    errors: list[_Fault] | None = None


_RESULTS: Final = TypeAdapter(list[_Result])


def send(api: Api, batches: Iterable[Batch], journal: Journal) -> Iterator[int]:
    """Send what the journal does not have yet; how many rows of each batch are settled, as it goes.

    Raises:
        ApiError: the service stays busy or out of reach, or refuses a call as a whole. What was answered is in the
            journal.
    """
    for batch in batches:
        if any(row.number not in journal.outcomes for row in batch.rows):
            journal.settle(_settled(api, batch, journal.run))
        yield len(batch.rows)


def _settled(api: Api, batch: Batch, run: str) -> dict[int, Outcome]:
    """What became of each row. Those that fail for no fault of theirs beside others that are saved are sent again.

    A result has no status. But where nothing at all is saved, the call itself has one, and a busy service is then asked
    again by `Api.call`; so what is sent again alone ends in a clear answer, unless it is saved in part again.
    """
    outcomes: dict[int, Outcome] = {}
    rows = batch.rows
    for attempt in range(ROUNDS):
        body = _HEAD + b",".join(row.item for row in rows) + _TAIL
        # The body has file and row in it; who repeats it in the same run means the same call.
        key = hashlib.sha256(f"{run}/{attempt}/".encode() + body).hexdigest()
        answer = api.call(batch.operation, body, idempotency_key=f"import-row-{rows[0].number}-{key[:32]}")
        clear = not answer.ok and answer.code != _UNLIKE
        again: list[Sendable] = []
        for position, (row, result) in enumerate(zip(rows, _results(answer, len(rows)), strict=True)):
            if result.success:
                outcomes[row.number] = Outcome(_SAVED[batch.operation])
            elif batch.operation == "create" and _is_there(result, position):
                # In a later round it is this import that made it, and could not tell at first.
                outcomes[row.number] = Outcome("created" if attempt else "there")
            else:
                outcomes[row.number] = Outcome("rejected", _reason(result))
                if not result.errors and not clear:
                    again.append(row)
        if not again:
            break
        rows = again
    return outcomes


def _results(answer: Answer, expected: int) -> list[_Result]:
    try:
        results = _RESULTS.validate_python(answer.body.get("results"))
    except ValidationError as error:
        raise ApiError(f"The service refused the call: {answer.told}") from error
    if len(results) != expected:
        raise ApiError(f"The service answered {len(results)} results to {expected} rows.")
    return results


def _is_there(result: _Result, position: int) -> bool:
    """Whether a persona has the id already: as each id is sound and given once, no other fault can lie in it."""
    return any(fault.field == f"/personas/{position}/id" for fault in result.errors or ())


def _reason(result: _Result) -> str:
    return told((fault.field.split("/")[3:], fault.message) for fault in result.errors or ()) or result.message


def told(faults: Iterable[tuple[Sequence[str], str]]) -> str:
    """Faults in words for who corrects the file: each given by the steps of the pointer into its item, and why."""
    return "; ".join(f"{_place(steps)}{message}" for steps, message in faults)


def _place(steps: Sequence[str]) -> str:
    match steps:
        case [column, entry] if entry.isdecimal():
            return f"{column}, entry {int(entry) + 1}: "
        case [column, *_]:
            return f"{column}: "
        case _:
            return ""
