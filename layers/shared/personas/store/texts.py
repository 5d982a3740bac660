"""The text directory: it turns the id of a text that a client sends back into the text.

Personas and drafts hold their own texts; an entry is put before the item that gives its id out, so no id dangles.
"""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Sequence
from datetime import timedelta
from functools import partial
from itertools import batched
from threading import Lock
from typing import Final, NamedTuple, cast

from personas.contract.base import TEXTS_MAX
from personas.contract.persona_fields import TextKind
from personas.domain.text import Fingerprint, Reference, Text, fingerprint
from personas.store import keys
from personas.store.attributes import Item, each_readable, inflated, integer
from personas.store.attributes import text as text_of
from personas.store.keys import Key
from personas.store.table import BATCH_WRITE_MAX, Table

FRESH: Final = timedelta(days=1)
"""An entry touched within this time is left alone."""
KEPT_UNUSED: Final = 30 * FRESH
"""The time for which the clean-up leaves an entry that was touched, though nobody uses it."""
_CACHE_CHARACTERS: Final = 2_000_000


class _Known(NamedTuple):
    text: str
    used_at: int


class TextDirectory:
    """The directory of all groups, with a bounded memory of what this environment has just seen there."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._seen: OrderedDict[tuple[str, Reference], _Known] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

    def known(self, group_id: str, kind: TextKind, entry_id: str) -> str | None:
        """Return the text, if this environment has seen its entry within a day: no round trip."""
        seen = self._seen.get((group_id, Reference(kind, entry_id)))
        return seen.text if seen and self._fresh(seen) else None

    def read(self, group_id: str, references: Sequence[Reference]) -> dict[Reference, str]:
        """Return the texts of those references that exist in the group; the others are absent.

        Entries that were last touched more than a day ago are touched, so that the clean-up leaves them.
        """
        wanted = {reference: keys.text(group_id, *reference) for reference in references}
        items = self._table.get_many(wanted.values())
        entries = dict(each_readable(items.values(), _entry))
        found: dict[Reference, str] = {}
        stale: list[tuple[TextKind, Text]] = []
        for reference, key in wanted.items():
            entry = entries.get(key)
            if entry is None:
                continue
            found[reference] = entry.text
            if self._fresh(entry):
                self._remember(group_id, reference, entry)
            else:
                stale.append((reference.kind, Text(reference.id, entry.text)))
        for batch in self.writes(group_id, stale):
            self.write(group_id, batch)
        return found

    def writes(self, group_id: str, texts: Iterable[tuple[TextKind, Text]]) -> list[tuple[tuple[TextKind, Text], ...]]:
        """Return those of ``texts`` that are to be put into the directory, in batches, one for each ``write``."""
        new = {
            Reference(kind, text.id): (kind, text)
            for kind, text in texts
            if self.known(group_id, kind, text.id) is None
        }
        return list(batched(new.values(), BATCH_WRITE_MAX, strict=False))

    def puts(self, group_id: str, texts: Iterable[tuple[TextKind, Text]]) -> list[Callable[[], None]]:
        """Return the calls that put ``texts`` into the directory, as far as it is not known to have them."""
        return [partial(self.write, group_id, batch) for batch in self.writes(group_id, texts)]

    def write(self, group_id: str, batch: Sequence[tuple[TextKind, Text]]) -> None:
        """Put up to 25 entries; all writers of a text write the same entry."""
        now = int(self._table.now().timestamp())
        self._table.put_many([_item(group_id, kind, text, now) for kind, text in batch])
        for kind, text in batch:
            self._remember(group_id, Reference(kind, text.id), _Known(text.text, now))

    def clean(self, group_id: str, shard: int, used: Container[Fingerprint], in_drafts: Container[Reference]) -> int:
        """Remove the entries of one of the directory's 256 parts that are long untouched and in no use; count them.

        ``used`` are the texts of personas, ``in_drafts`` the ids in drafts. Both may be as old as an entry counts as
        fresh: who uses an entry has touched it no longer ago.
        """
        untouched_since = int((self._table.now() - KEPT_UNUSED).timestamp())
        removed = 0
        for key, entry in each_readable(self._table.partition(keys.texts_partition(group_id, shard)), _entry):
            kind, _, entry_id = key.sk.partition("#")
            reference = Reference(cast("TextKind", kind), entry_id)
            if entry.used_at >= untouched_since or reference in in_drafts:
                continue
            if fingerprint(reference.kind, entry.text) not in used:
                # Under a condition: whoever touches it in between keeps it.
                removed += self._table.delete_older(keys.text(group_id, *reference), "used_at", untouched_since)
        return removed

    def _fresh(self, entry: _Known) -> bool:
        return self._table.now().timestamp() - entry.used_at < FRESH.total_seconds()

    def _remember(self, group_id: str, reference: Reference, entry: _Known) -> None:
        with self._lock:
            previous = self._seen.pop((group_id, reference), None)
            self._characters += len(entry.text) - (len(previous.text) if previous else 0)
            self._seen[group_id, reference] = entry
            while self._characters > _CACHE_CHARACTERS:
                _, dropped = self._seen.popitem(last=False)
                self._characters -= len(dropped.text)


def _item(group_id: str, kind: TextKind, text: Text, now: int) -> Item:
    return {
        **keys.text(group_id, kind, text.id).attributes(),
        "text": zlib.compress(text.text.encode()),
        "used_at": now,
    }


def _entry(item: Item) -> tuple[Key, _Known]:
    key = Key(text_of(item, "pk"), text_of(item, "sk"))
    return key, _Known(_unpack(item), integer(item, "used_at"))


def _unpack(item: Item) -> str:
    return inflated(item.get("text"), TEXTS_MAX)
