"""The view ``personas_texts``: the texts and links that the personas of a group use, with counts. Pure.

Every kind is a column: how many entries each persona has, then the numbers of those entries in the kind's own table.
The columns are a base that never changes in place, in the order of the ids, and beside it lie the personas that were
written since. Up to a hundredth as many are stored beside the base as it is; more of them are merged into a new one, as
always before all uses are counted. It is done by loops in C: 100,000 personas take some 0.2 s.

The ids of texts are not kept: they follow from the group's secret and the text (`personas.domain.text`), and as random
bytes they would be half of the object. Of a text that is gone, its fingerprint is kept.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Buffer, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import batched, chain, compress, count, repeat
from operator import add, floordiv, mod
from typing import Final
from uuid import UUID

from pydantic_core import from_json, to_json

from personas.contract.persona_fields import FIELDS_VERSION, TextKind
from personas.domain.entries import KINDS, TEXT_KINDS, Entries, Kind, Move, entries_of
from personas.domain.folding import fold
from personas.domain.permissions import is_seen
from personas.domain.persona import Persona
from personas.domain.suggestions import Use, used_most, within_section
from personas.domain.text import Fingerprint, fingerprint
from personas.search.columns import gathered
from personas.search.object_format import deflate, inflate, pack_numbers, seal, unpack_numbers, unseal
from personas.views.text_columns import SECTIONS, Column, Completeness, Uses, by_kind, in_order, place_in, sorted_ids

FORMAT_VERSION: Final = FIELDS_VERSION + 1
"""Raised by one more with every change of this layout but that of the fields."""
LATE_VERSION: Final = FORMAT_VERSION + 256
"""The version of an object with personas beside the base, which the release before does not look for."""
DELTA_MAX: Final = 200
"""The most personas written since the base was made that a search looks through one by one."""
LATE_SHARE: Final = 100
"""So many personas of the base there must be for each one that is stored beside it, or the base is replaced."""
LATE_BYTES_SHARE: Final = 4
"""The same for bytes: those of the base, deflated, and the characters of what is stored beside it."""
PERSONA_BYTES: Final = 250
"""The bytes of memory, about, that a persona takes besides its entries: its id, its seq and its places."""
KEPT: Final = timedelta(days=30)
"""The time for which a text stays known that no persona uses any more: a client may still send back its id."""

_MAGIC: Final = b"PERTEXTS"
_ID_BYTES: Final = 16
_UNUSED_SINCE_NOW: Final = 0


class TextsView:
    """The uses of one group's texts and links. Nothing here is made for several threads."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.completeness: Completeness | None = None
        """That of the view's companion, or None where it is not known."""
        self._ids = b""
        self._seqs = array("Q")
        self._columns: dict[Kind, Column] = {kind: Column.empty() for kind in KINDS}
        self._tombstones: dict[bytes, tuple[int, int]] = {}
        self._retired: dict[Fingerprint, int] = {}
        self._delta: dict[bytes, tuple[int, Entries]] = {}
        self._replaced: set[int] = set()
        self._starts: list[Sequence[int]] = []
        self._stored: Sequence[bytes | memoryview] = ()
        self._folded: dict[TextKind, list[str]] = {}
        self._sets: tuple[list[frozenset[str]], array[int]] | None = None
        self._base_bytes: int | None = None

    # ---- Changing it ----------------------------------------------------------------------------------------------

    def seq_of(self, persona_id: str) -> int:
        """Return the ``seq`` at which a persona or its tombstone is held, or -1."""
        return self._seq_of(UUID(persona_id).bytes)

    def upsert(self, persona: Persona) -> Move | None:
        """Take a persona as it is now; return its entries before and after, or None if it was not new."""
        key = UUID(persona.id).bytes
        if persona.seq <= self._seq_of(key):
            return None
        before, row = self._take_out(key), entries_of(persona)
        self._delta[key] = persona.seq, row
        return before, row

    def delete(self, persona_id: str, seq: int, expires_at: int) -> Move | None:
        """Take a tombstone, remembered until it expires (unix seconds); return what `upsert` returns."""
        key = UUID(persona_id).bytes
        if seq <= self._seq_of(key):
            return None
        before = self._take_out(key)
        self._tombstones[key] = seq, expires_at
        return before, None

    def settle(self, now: int) -> None:
        """Forget what is over by ``now`` (unix seconds): tombstones, and texts known to be out of use for 30 days.

        It is known of a text of the base from when a new one is made.
        """
        self._merge_many()
        self._tombstones = {key: held for key, held in self._tombstones.items() if held[1] > now}
        retired = ((each, since or now) for each, since in self._retired.items())
        self._retired = {each: since for each, since in retired if since > now - int(KEPT.total_seconds())}

    def inherit(self, older: "TextsView", seen_at: int) -> None:
        """Remember the texts that an older view of the group knows, and that were in use until ``seen_at``."""
        self._merge()
        older._merge()
        self._retired = dict(older._retired)
        for kind in TEXT_KINDS:
            gone = set(older._columns[kind].values).difference(self._columns[kind].values)
            self._retired |= {fingerprint(kind, text): seen_at for text in gone}

    def _seq_of(self, key: bytes) -> int:
        if key in self._delta:
            return self._delta[key][0]
        if key in self._tombstones:
            return self._tombstones[key][0]
        doc = self._doc_of(key)
        return -1 if doc is None else self._seqs[doc]

    def _doc_of(self, key: bytes) -> int | None:
        """Return the persona's place in the base, where it is still the one that counts."""
        doc = self._place_of(key)
        is_there = self._ids.startswith(key, _ID_BYTES * doc) and doc not in self._replaced
        return doc if is_there else None

    def _place_of(self, key: bytes) -> int:
        """Return the place in the base before which a persona belongs."""
        docs, ids = range(len(self._seqs)), self._ids
        return bisect_left(docs, key, key=lambda doc: ids[_ID_BYTES * doc : _ID_BYTES * (doc + 1)])

    def _take_out(self, key: bytes) -> Entries | None:
        """Remove what is held of a persona, and return its entries if it had any."""
        self._tombstones.pop(key, None)
        added = self._delta.pop(key, None)
        if added is not None:
            if self._stored:  # so it may have been stored beside the base, and somebody knows its texts
                for kind, texts in zip(TEXT_KINDS, added[1], strict=False):
                    self._retired |= {fingerprint(kind, text): _UNUSED_SINCE_NOW for text in texts}
            return added[1]
        doc = self._doc_of(key)
        if doc is None:
            return None
        self._replaced.add(doc)
        return self._base_entries(doc)

    def _base_entries(self, doc: int) -> Entries:
        if not self._starts:
            self._starts = [column.starts() for column in self._columns.values()]
        return tuple(
            column.entries(starts[doc], starts[doc + 1])
            for column, starts in zip(self._columns.values(), self._starts, strict=True)
        )

    def _merge_many(self) -> None:
        """Merge what was written since into the base, if it is too much to be stored beside it."""
        changes, stored = max(len(self._delta), len(self._replaced)), sum(map(len, self._stored))
        if changes * LATE_SHARE > len(self._seqs) or self._delta_characters() * LATE_BYTES_SHARE > stored:
            self._merge()

    def _merge(self) -> None:
        """Make a new base of the base and of what was written since."""
        if not self._delta and not self._replaced:
            return
        added, gone = sorted(self._delta.items()), sorted(self._replaced)
        self._delta, self._replaced = {}, set()
        order = in_order(gone, (self._place_of(key) for key, _ in added), len(self._seqs))
        rows = by_kind([entries for _, (_, entries) in added])
        gone_rows = by_kind(list(map(self._base_entries, gone)))
        for kind, of_kind, gone_of_kind in zip(KINDS, rows, gone_rows, strict=True):
            self._columns[kind], unused = self._columns[kind].merged(gone_of_kind, of_kind, order)
            if kind in TEXT_KINDS:
                self._retired |= {fingerprint(kind, text): _UNUSED_SINCE_NOW for text in unused}
        ids = self._ids + b"".join(key for key, _ in added)
        self._ids = b"".join(ids[_ID_BYTES * start : _ID_BYTES * stop] for start, stop in order)
        self._seqs = gathered(self._seqs + array("Q", (seq for _, (seq, _) in added)), order)
        self._starts, self._stored, self._folded = [], (), {}
        self._sets = self._base_bytes = None

    # ---- Asking it ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return how many personas there are."""
        return len(self._seqs) - len(self._replaced) + len(self._delta)

    def used_texts(self) -> set[Fingerprint]:
        """Return the texts that personas use, and those that they have ceased to use within 30 days."""
        self._merge()
        used = (fingerprint(kind, text) for kind in TEXT_KINDS for text in self._columns[kind].values)
        return {*used, *self._retired}

    def search(self, kind: TextKind, text: str, departments: Collection[str] | None) -> list[Use]:
        """Return the texts of a kind that contain ``text``, compared folded, as far as the caller may see their use.

        ``departments`` are the caller's, None stands for a superadmin. Most used first, then by the text itself; at
        most 100, and as many as fit into a section.
        """
        if len(self._delta) > DELTA_MAX:
            self._merge()
        column, wanted = self._columns[kind], fold(text)
        seen = list(self._seen_by(departments))
        for doc in self._replaced:
            seen[doc] = False
        uses = Counter(compress(column.codes, column.repeated(seen)))
        if wanted:
            if kind not in self._folded:
                # U+0000 is in no text and composes with nothing: all are folded in one go.
                self._folded[kind] = fold("\0".join(column.values)).split("\0")
            folded = self._folded[kind]
            uses = Counter({code: uses[code] for code in uses if wanted in folded[code]})
        new = Counter[str]()
        for entry, times in self._delta_uses(kind, departments).items():
            if wanted in fold(entry):
                code = place_in(column.values, entry)
                if code is None:
                    new[entry] = times
                else:
                    uses[code] += times
        found = [*((column.values[code], times) for code, times in used_most(uses.items())), *new.items()]
        return within_section(Use(*use) for use in used_most(found))

    def _delta_uses(self, kind: TextKind, departments: Collection[str] | None) -> Counter[str]:
        """Count the uses of a kind by those personas that are not in the base and that the caller may see."""
        place, of_departments = KINDS.index(kind), KINDS.index("departments")
        rows = (row for _, row in self._delta.values() if is_seen(row[of_departments], departments))
        return Counter(chain.from_iterable(row[place] for row in rows))

    def sets(self) -> list[frozenset[str]]:
        """Return the sets of departments that personas have, sorted by the members."""
        self._merge()
        return self._department_sets()[0]

    def uses(self, kind: Kind) -> Uses:
        """Return all uses of a kind."""
        self._merge()
        column, (_, set_of) = self._columns[kind], self._department_sets()
        if column.is_single:
            return Uses(column.values, column.codes, set_of)
        return Uses(column.values, column.codes, array("I", column.repeated(set_of)))

    def uses_of(self, kind: Kind, entries: Collection[str]) -> dict[str, Counter[frozenset[str]]]:
        """Return how often each of these entries is used, by set of departments."""
        column, place, of_departments = self._columns[kind], KINDS.index(kind), KINDS.index("departments")
        rows = [row for _, row in self._delta.values()]
        wanted = bytearray(len(column.values))
        for code in (place_in(column.values, entry) for entry in entries):
            if code is not None:
                wanted[code] = 1
        if any(wanted):
            docs = compress(column.repeated(count()), map(wanted.__getitem__, column.codes))
            rows += [self._base_entries(doc) for doc in {*docs} - self._replaced]
        found: dict[str, Counter[frozenset[str]]] = {entry: Counter() for entry in entries}
        for row in rows:
            for entry in found.keys() & row[place]:
                found[entry][frozenset(row[of_departments])] += 1
        return found

    def grouped_uses(self, kind: Kind, group_of: Mapping[str, str]) -> Uses:
        """Return the uses of the wholes that entries are parts of; a persona that uses several parts counts once."""
        self._merge()
        column, (_, set_of) = self._columns[kind], self._department_sets()
        wholes = sorted({group_of[value] for value in column.values if value in group_of})
        place_of = dict(zip(wholes, count(), strict=False))
        # A value that is part of no other has a place of its own, behind the others.
        step = len(wholes) + 1
        places = [place_of.get(group_of.get(value, ""), len(wholes)) for value in column.values]
        firsts = range(0, step * len(column.lengths), step)
        found = set(map(add, column.repeated(firsts), map(places.__getitem__, column.codes)))
        found.difference_update(map(len(wholes).__add__, firsts))
        own_sets = map(set_of.__getitem__, map(floordiv, found, repeat(step)))
        return Uses(wholes, array("I", map(mod, found, repeat(step))), array("I", own_sets))

    def size_bytes(self) -> int:
        """Return about how many bytes of memory the view takes, with all that it makes to be searched and changed."""
        if self._base_bytes is None:
            columns = sum(len(column.codes) * 4 + len(column.lengths) for column in self._columns.values())
            texts = sum(60 + 2 * len(text) for column in self._columns.values() for text in column.values)
            self._base_bytes = columns + PERSONA_BYTES * len(self._seqs) + 2 * texts
        beside = len(self._tombstones) + len(self._delta)
        return self._base_bytes + 3 * self._delta_characters() + PERSONA_BYTES * beside

    def _delta_characters(self) -> int:
        return sum(len(text) for _, row in self._delta.values() for texts in row for text in texts)

    def _department_sets(self) -> tuple[list[frozenset[str]], array[int]]:
        """Return the sets of departments that personas have, and the place of each persona's own."""
        if self._sets is None:
            self._sets = self._columns["departments"].sets()
        return self._sets

    def _seen_by(self, departments: Collection[str] | None) -> Iterator[bool]:
        """Tell whether the caller may see each persona."""
        sets, set_of = self._department_sets()
        return map([is_seen(each, departments) for each in sets].__getitem__, set_of)

    # ---- Its bytes ------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """Return the view as one object."""
        self._merge_many()
        if not self._stored:
            columns = chain.from_iterable(column.pack() for column in self._columns.values())
            self._stored = [self._ids, pack_numbers(self._seqs), *columns]
        remembered = {
            "group": self.group_id,
            "tombstones": [(key.hex(), *held) for key, held in self._tombstones.items()],
            "retired": [(*each, since) for each, since in self._retired.items()],
            "companion": self.completeness,
            "in_order": True,
            "late": [(key.hex(), seq, entries) for key, (seq, entries) in self._delta.items()],
            "replaced": sorted(self._replaced),
        }
        version = LATE_VERSION if self._delta or self._replaced else FORMAT_VERSION
        return seal(_MAGIC, version, [deflate(to_json(remembered)), *self._stored])

    @classmethod
    def decode(cls, data: Buffer, *, is_carried_on: bool = False) -> "TextsView":
        """Return the view that these bytes are; one that ``is_carried_on`` keeps those that `encode` may give again.

        Raises:
            SnapshotDamaged: they are not what ``encode`` gave.
            SnapshotVersionUnknown: another version of this service gave them.
        """
        with unseal(_MAGIC, (FORMAT_VERSION, LATE_VERSION), data) as sections:
            remembered = from_json(inflate(sections[0]))
            view = cls(remembered["group"])
            view._tombstones = {bytes.fromhex(key): (seq, over) for key, seq, over in remembered["tombstones"]}
            view._retired = {Fingerprint(kind, each): since for kind, each, since in remembered["retired"]}
            view._ids = bytes(sections[1])
            view._seqs = unpack_numbers("Q", sections[2])
            for kind, some in zip(KINDS, batched(sections[3:], SECTIONS, strict=True), strict=True):
                view._columns[kind] = Column.unpack(some, len(view._seqs))
            if "in_order" not in remembered:  # the release before adds personas at the end
                view._ids, order = sorted_ids(view._ids, _ID_BYTES)
                view._seqs = gathered(view._seqs, order)
                view._columns = {kind: column.merged((), (), order)[0] for kind, column in view._columns.items()}
            elif is_carried_on:
                view._stored = sections[1:]
            late, companion = remembered.get("late", ()), remembered.get("companion")
            view._delta = {bytes.fromhex(key): (seq, tuple(map(tuple, entries))) for key, seq, entries in late}
            view._replaced = set(remembered.get("replaced", ()))
            view.completeness = Completeness.of(*companion) if companion else None
        return view
