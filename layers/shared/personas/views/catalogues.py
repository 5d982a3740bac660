"""The catalogues that this execution environment has in memory, kept true by the change feed."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from personas.domain.catalogue import TEXT_IDS, Catalogue, Row, check_entry, secret_in
from personas.errors import Unreadable
from personas.observability import count_unreadable
from personas.runtime import FEED_WINDOW
from personas.store import keys
from personas.store.change_feed import Change
from personas.store.table import Table

_GROUPS_MAX: Final = 64


class _CachedCatalogue:
    """A group's entries by kind and id, each with the seq that it was taken at."""

    def __init__(self, group_id: str) -> None:
        self.read_at: datetime | None = None
        self.catalogue = Catalogue(group_id, {})
        self._rows: dict[str, dict[str, Row]] = {}
        self._seqs: dict[str, int] = {}

    def seq_of(self, key: str) -> int:
        return self._seqs.get(key, -1)

    def take_changes(self, changes: Iterable[Change]) -> None:
        changed = False
        for change in changes:
            if change.seq <= self.seq_of(change.key):
                continue
            changed = True
            self._seqs[change.key] = change.seq
            _, _, rest = change.key.partition("#")
            kind, _, entry_id = rest.partition("#") if rest else ("group", "", self.catalogue.group_id)
            entries = self._rows.setdefault(kind, {})
            former = entries.get(entry_id, {})
            if change.deleted or not is_entry(kind, change):
                entries.pop(entry_id, None)
            else:
                entries[entry_id] = change.row
            if kind == "group":
                # Whatever of a group's record is damaged: without its secret, nobody could save a text.
                secret = secret_in(change.row) or secret_in(former)
                entries[entry_id] = {**entries.get(entry_id, {}), TEXT_IDS: secret}
        if not changed:
            return
        # A reader may still hold the previous catalogue, so the new one gets maps of its own.
        self.catalogue = Catalogue(self.catalogue.group_id, {kind: dict(rows) for kind, rows in self._rows.items()})


def is_entry(kind: str, change: Change) -> bool:
    """Tell whether a change of the feed is an entry that can be read; one that cannot is logged."""
    try:
        check_entry(kind, change.row)
    except Unreadable as error:
        count_unreadable(Unreadable(f"{change.partition} {change.key}", error.reason))
        return False
    return True


class CatalogueCache:
    """The catalogues of the groups that were asked for last."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._groups: OrderedDict[str, _CachedCatalogue] = OrderedDict()

    def current(self, group_id: str) -> Catalogue:
        """Return the group's catalogue as it stands now: one query, a short one where the group is cached."""
        cached = self._groups.get(group_id) or _CachedCatalogue(group_id)
        started = self._table.now()
        since = None if cached.read_at is None else cached.read_at - FEED_WINDOW
        partition = keys.group_partition(group_id)
        cached.take_changes(list(self._table.changes(partition, keys.RESOURCE_CHANGES, since, cached.seq_of)))
        if self._table.now() >= started:  # else the clock was set back meanwhile, and read_at would lie ahead of it
            cached.read_at = started
        self._groups[group_id] = cached
        self._groups.move_to_end(group_id)
        if len(self._groups) > _GROUPS_MAX:
            self._groups.popitem(last=False)
        return cached.catalogue

    def cached(self, group_id: str) -> Catalogue | None:
        """Return the group's catalogue as this environment last read it, without a round trip; None if it never did."""
        cached = self._groups.get(group_id)
        return cached.catalogue if cached else None
