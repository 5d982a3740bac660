"""The items of a group as a whole: its record, and the mark that says that its views are behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from uuid import uuid4

from personas.clock import Moment, in_milliseconds
from personas.domain.catalogue import SNAPSHOTS, TEXT_IDS, UNFOUNDED, Pointer, secret_in
from personas.domain.text import new_secret
from personas.errors import GroupFull, Unreadable
from personas.runtime import CLOCK_SKEW, GATEWAY_WAITS, LATE_COMMIT
from personas.store import keys
from personas.store.attributes import Item, Value, integer, key_of, mapping, readable, text
from personas.store.table import Table
from personas.store.write_rule import RECENT_WRITES, Later

MARK_PAUSE: Final = timedelta(minutes=1)
"""An environment marks a group at most this often."""
MARK_COVERS: Final = MARK_PAUSE + GATEWAY_WAITS + LATE_COMMIT + CLOCK_SKEW
"""The longest time from a mark to a write that goes by it: by a call that begins just before its environment marks the
group again, and that writes until it is cut off."""
_GROUPS_MAX: Final = 1_000
_ATTEMPTS: Final = 5
"""The number of attempts at a write that loses the race against others."""


class GroupRecord(NamedTuple):
    """A group's record as it was read; ``seq`` is None where there is none yet."""

    group_id: str
    row: Mapping[str, Value]
    recent_writes: Mapping[str, Value]
    seq: int | None

    @property
    def text_secret(self) -> bytes | None:
        """The secret that the ids of the group's texts follow from, or None where it holds none."""
        return secret_in(self.row)

    def pointer(self, view: str) -> Pointer | None:
        """Return the pointer to that view, or None if it was never made."""
        return Pointer.read(self.group_id, view, self.row)


class Waiting(NamedTuple):
    """A group that has changed since its last refresh, and when it was marked last."""

    group_id: str
    since: datetime


class GroupStore:
    """The records and marks of all groups."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._marked: dict[str, Moment] = {}
        self._secrets: dict[str, bytes] = {}

    def mark(self, group_id: str) -> None:
        """Say that the group's views are behind, unless this environment has just said so."""
        marking, before = Moment.at(self._table.now()), self._marked.get(group_id)
        if before and before.is_recent(MARK_PAUSE, marking.wall):
            return
        due = {"due_shard": keys.DUE_SHARD, "due": f"{keys.stamp('', marking.wall)}#{group_id}"}
        marked_at = in_milliseconds(marking.wall)
        # An attempt that comes late, after another environment's mark, must not shorten the time that this covers.
        # Nor must one that finds no room keep anybody from the write that makes some.
        with suppress(GroupFull):
            body: dict[str, Value] = {**due, "marked_at": marked_at}
            self._table.put_plain(keys.mark(group_id), body, asked_for=False, guard=Later("marked_at", marked_at))
        if len(self._marked) >= _GROUPS_MAX:
            self._marked.clear()
        self._marked[group_id] = marking

    def marked(self) -> list[Waiting]:
        """Return the groups that are marked, longest waiting first."""
        return [Waiting(keys.id_of(pk), since) for pk, since in self._table.due_marks()]

    def is_marked(self, group_id: str) -> bool:
        """Return True if the group has changed since its last refresh."""
        return self._table.get(keys.mark(group_id)) is not None

    def unmark(self, group_id: str, before: datetime) -> None:
        """Take the mark away if it was made before that time; a later one stands for a write that is not in yet."""
        self._table.delete_older(keys.mark(group_id), "marked_at", in_milliseconds(before))

    def read(self, group_id: str) -> GroupRecord:
        """Read the group's record.

        Raises:
            Unreadable: it cannot be read.
        """
        item = self._table.get(keys.group(group_id))
        return readable(item, _record) if item else GroupRecord(group_id, {}, {}, None)

    def ensure_secret(self, group_id: str, secret: bytes | None = None) -> bytes:
        """Give the group a record and a secret for the ids of its texts, if it has none; return the secret it has then.

        That is the one that it had, or ``secret``, or where there is no record yet, one that is made. Of several calls
        at once, one wins by the condition on the record, and all get that one's. A record that cannot be read is
        written again with all of it that can, so this is for operators alone.

        Raises:
            ConditionFailed: others keep writing the record.
            Unreadable: there is a record without a secret, and none is given. One that is made would give other ids to
                the texts that are stored.
        """
        write_id = uuid4().hex[:16]

        def write(item: Item | None) -> bytes:
            stored = None if item is None else _secret_of(item)
            if item is not None and stored is not None and _is_record(item):
                return stored
            made = stored or secret or (new_secret() if item is None else None)
            if made is None:
                raise Unreadable(key_of(item or {}), UNFOUNDED)
            self._table.put(
                keys.group(group_id),
                self._founded(item or {}, made),
                prefix=keys.RESOURCE_CHANGES,
                write_id=write_id,
                based_on=item,
            )
            return made

        read = partial(self._table.get, keys.group(group_id))
        return self._table.retry_on_conflict(read(), read, write, _ATTEMPTS)

    def text_secret(self, group_id: str) -> bytes:
        """Return the secret that the ids of the group's texts follow from.

        This is one read, and none once this environment knows the secret.

        Raises:
            Unreadable: the group's record is damaged.
        """
        known = self._secrets.get(group_id)
        if known is not None:
            return known
        secret = self.read(group_id).text_secret
        if secret is None:
            raise Unreadable(key_of(keys.group(group_id).attributes()), UNFOUNDED)
        if len(self._secrets) >= _GROUPS_MAX:
            self._secrets.clear()
        self._secrets[group_id] = secret
        return secret

    def legible_secret(self, group_id: str) -> bytes | None:
        """Read the secret in the group's record, whatever else of that is damaged; None where there is none.

        This is for the command line.
        """
        return _secret_of(self._table.get(keys.group(group_id)) or {})

    def _founded(self, item: Item, secret: bytes) -> dict[str, Value]:
        """Return a record with that secret, and whatever of the stored one can be read."""
        row, recent = item.get("row"), item.get(RECENT_WRITES)
        try:
            following = integer(item, "seq") + 1
        except Unreadable:
            following = 0
        return {
            "row": {**(row if isinstance(row, Mapping) else {}), TEXT_IDS: secret},
            RECENT_WRITES: recent if isinstance(recent, Mapping) else {},
            # Above any that a view may hold.
            "seq": max(in_milliseconds(self._table.now()), following),
            "version": 1,
        }

    def change(
        self,
        group_id: str,
        record: GroupRecord,
        decide: Callable[[GroupRecord], Mapping[str, Value] | None],
        write_id: str,
    ) -> bool:
        """Lay over the record's row what ``decide`` returns for the record as it stands; return False for None.

        ``record`` is the one that was read.

        Raises:
            ConditionFailed: it was written in between every time.
        """

        def write(record: GroupRecord) -> bool:
            changes = decide(record)
            if changes is not None:
                self.swap(group_id, record, changes, write_id)
            return changes is not None

        return self._table.retry_on_conflict(record, partial(self.read, group_id), write)

    def swap(self, group_id: str, record: GroupRecord, changes: Mapping[str, Value], write_id: str) -> None:
        """Lay ``changes`` over the record's row, if it is still the one that was read.

        Raises:
            ConditionFailed: it was written in between.
        """
        seq = in_milliseconds(self._table.now()) if record.seq is None else record.seq + 1
        self._table.put(
            keys.group(group_id),
            {"row": {**record.row, **changes}, RECENT_WRITES: record.recent_writes, "seq": seq, "version": 1},
            prefix=keys.RESOURCE_CHANGES,
            write_id=write_id,
            based_on=record.seq,
        )


def _secret_of(item: Item) -> bytes | None:
    """Return the secret in the item of a group's record, readable or not; None where there is none."""
    row = item.get("row")
    return secret_in(row) if isinstance(row, Mapping) else None


def _record(item: Item) -> GroupRecord:
    row = mapping(item, "row")
    if not isinstance(row.get(SNAPSHOTS, {}), Mapping):
        row = {**row, SNAPSHOTS: {}}
    return GroupRecord(keys.id_of(text(item, "pk")), row, mapping(item, RECENT_WRITES), integer(item, "seq"))


def _is_record(item: Item) -> bool:
    try:
        readable(item, _record)
    except Unreadable:
        return False
    return True
