"""The progress of an import: a file beside the imported one, a line for every batch that was answered.

A batch whose answer came is in the journal or not there as a whole. If it is not, because the process died between the
two, it is sent again under the same Idempotency-Key, which the journal's ``run`` is part of, and gets the same answer.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self
from uuid import uuid4

from personas_tools.importer.rows import FileError

_MODE: Final = 0o600

type Kind = Literal["created", "updated", "there", "rejected"]


class Outcome(NamedTuple):
    """The outcome of a row. ``there``: an earlier attempt had created it. A rejected row has a reason."""

    kind: Kind
    reason: str = ""


class Journal:
    """The journal of one import, open and locked; see `opened`."""

    def __init__(self, path: Path, descriptor: int, plan: Mapping[str, str]) -> None:
        self._path = path
        self._descriptor = descriptor
        self.outcomes: dict[int, Outcome] = {}
        content = bytearray()
        while part := os.pread(descriptor, 1 << 20, len(content)):
            content += part
        whole = bytes(content[: content.rfind(b"\n") + 1])
        os.ftruncate(descriptor, len(whole))  # a line that was cut off half-way says nothing
        lines = [json.loads(line) for line in whole.splitlines()]
        self.resumed = bool(lines)
        if not lines:
            lines = [{**plan, "run": uuid4().hex}]
            self._append(lines[0])
        head, *batches = lines
        self.run: str = head["run"]
        if {key: value for key, value in head.items() if key != "run"} != plan:
            raise FileError(
                f"An import of this file was interrupted, and since then the file or the options have changed. Bring "
                f"them back and run it again to complete it, or delete {path} to begin anew: rows that it has created "
                "already are then created again."
            )
        for batch in batches:
            self.outcomes |= {int(row): Outcome(*outcome) for row, outcome in batch.items()}

    @classmethod
    @contextmanager
    def opened(cls, path: Path, plan: Mapping[str, str]) -> Iterator[Self]:
        """Yield the journal at ``path``, begun if there is none. ``plan`` is what must be the same when it is resumed.

        Raises:
            FileError: it cannot be written, another import has it open, or it was begun under another plan.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}. An import keeps its progress beside the file.") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FileError("Another import of this file is running.") from error
            if os.fstat(descriptor).st_nlink == 0:
                raise FileError("Another import of this file has just ended. Run this one again if it is still needed.")
            yield cls(path, descriptor, plan)
        finally:
            os.close(descriptor)

    def settle(self, outcomes: Mapping[int, Outcome]) -> None:
        """Remember what became of a batch's rows, by number; on the disk when this returns."""
        self._append({str(row): list(outcome) for row, outcome in outcomes.items()})
        self.outcomes |= outcomes

    def close(self) -> None:
        """Remove it: everything is done."""
        self._path.unlink()

    def _append(self, line: object) -> None:
        written = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        while written:
            written = written[os.write(self._descriptor, written) :]
        os.fsync(self._descriptor)
