"""The view ``personas_texts``: the texts and links that the personas of a group use, with counts. Pure.

Every kind is a column: how many entries each persona has, then the numbers of those entries in the kind's own table.
The columns are a base that never changes in place, and beside it lie the personas that were written since; they are
merged into a new base before anything is read, except by a search, which looks through a few of them. All of it is done
by loops in C: 100,000 personas take some 0.1 s.

The ids of texts are not kept: they follow from the group's secret and the text (`personas.domain.text`), and as random
bytes they would be half of the object. Of a text that is gone, its fingerprint is kept.
"""

import json
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Buffer, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from heapq import nsmallest
from itertools import batched, chain, compress, count, repeat
from operator import add, floordiv, mod
from typing import Final, NamedTuple
from uuid import UUID

from personas.contract.persona_fields import FIELDS_VERSION, TextKind
from personas.domain.folding import fold
from personas.domain.persona import Persona
from personas.domain.text import Fingerprint, fingerprint, wire_bytes
from personas.search.columns import gathered
from personas.search.object_format import deflate, inflate, pack_numbers, seal, unpack_numbers, unseal
from personas.views.text_columns import (
    KINDS,
    SECTIONS,
    TEXT_KINDS,
    Column,
    Entries,
    Kind,
    ParameterUses,
    Uses,
    entries_of,
    runs_between,
)

FORMAT_VERSION: Final = FIELDS_VERSION + 1
"""Raised by one more with every change of this layout but that of the fields."""
OPTIONS_MAX: Final = 100
SECTION_BYTES: Final = 1_000_000
"""The most bytes that the texts of one section of a form may take in an answer."""
DELTA_MAX: Final = 200
"""The most personas written since the base was made that a search looks through one by one."""
PERSONA_BYTES: Final = 250
"""The bytes of memory, about, that a persona takes besides its entries: its id, its seq and its places."""
KEPT: Final = timedelta(days=30)
"""The time for which a text stays known that no persona uses any more: a client may still send back its id."""

_MAGIC: Final = b"PERTEXTS"
_ID_BYTES: Final = 16
_UNUSED_SINCE_NOW: Final = 0


class Use(NamedTuple):
    """An entry, a text or an id, and how many personas use it."""

    entry: str
    times: int


class TextsView:
    """The uses of one group's texts and links. Nothing here is made for several threads."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.changed = False
        """True if the entries of a persona have changed since the view was made; a new ``seq`` alone is no change."""
        self.parameter_uses: ParameterUses | None = None
        """The uses of parameters in the companion of this view, or None where it is not known by which links."""
        self._ids = b""
        self._seqs = array("Q")
        self._columns: dict[Kind, Column] = {kind: Column.empty() for kind in KINDS}
        self._tombstones: dict[bytes, tuple[int, int]] = {}
        self._retired: dict[Fingerprint, int] = {}
        self._delta: dict[bytes, tuple[int, Entries]] = {}
        self._replaced: set[int] = set()
        self._docs: dict[bytes, int] = {}
        self._starts: list[array[int]] = []
        self._folded: dict[TextKind, list[str]] = {}
        self._sets: tuple[list[frozenset[str]], array[int]] | None = None
        self._base_bytes: int | None = None

    # ---- Changing it ----------------------------------------------------------------------------------------------

    def seq_of(self, persona_id: str) -> int:
        """Return the ``seq`` at which a persona or its tombstone is held, or -1."""
        return self._seq_of(UUID(persona_id).bytes)

    def entries_of(self, persona_id: str) -> Entries | None:
        """Return the entries that are held of a persona, or None where none is."""
        key = UUID(persona_id).bytes
        if key in self._delta:
            return self._delta[key][1]
        doc = self._doc_of(key)
        return None if doc is None else self._base_entries(doc)

    def upsert(self, persona: Persona) -> bool:
        """Take a persona as it is now; return whether it was new."""
        key = UUID(persona.id).bytes
        if persona.seq <= self._seq_of(key):
            return False
        row = entries_of(persona)
        self.changed |= row != self._take_out(key)
        self._delta[key] = persona.seq, row
        return True

    def delete(self, persona_id: str, seq: int, expires_at: int) -> bool:
        """Take a tombstone, remembered until it expires (unix seconds); return whether it was new."""
        key = UUID(persona_id).bytes
        if seq <= self._seq_of(key):
            return False
        self.changed |= self._take_out(key) is not None
        self._tombstones[key] = seq, expires_at
        return True

    def settle(self, now: int) -> None:
        """Forget what is over by ``now`` (unix seconds): tombstones, and texts out of use for 30 days."""
        self._merge()
        self._tombstones = {key: held for key, held in self._tombstones.items() if held[1] > now}
        oldest = now - int(KEPT.total_seconds())
        retired = ((each, since or now) for each, since in self._retired.items())
        self._retired = {each: since for each, since in retired if since > oldest}

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
        if not self._docs and self._ids:
            self._docs = dict(zip(self._packed_ids(), count(), strict=False))
            self._starts = [column.starts() for column in self._columns.values()]
        doc = self._docs.get(key)
        return None if doc in self._replaced else doc

    def _take_out(self, key: bytes) -> Entries | None:
        """Remove what is held of a persona, and return its entries if it had any."""
        self._tombstones.pop(key, None)
        added = self._delta.pop(key, None)
        if added is not None:
            return added[1]
        doc = self._doc_of(key)
        if doc is None:
            return None
        self._replaced.add(doc)
        return self._base_entries(doc)

    def _base_entries(self, doc: int) -> Entries:
        return tuple(
            column.entries(starts[doc], starts[doc + 1])
            for column, starts in zip(self._columns.values(), self._starts, strict=True)
        )

    def _merge(self) -> None:
        """Make a new base of the base and of what was written since."""
        if not self._delta and not self._replaced:
            return
        gone = sorted(self._replaced)
        kept = runs_between(gone, len(self._seqs))
        added = zip(*(entries for _, entries in self._delta.values()), strict=True) if self._delta else repeat(())
        for kind, of_kind, starts in zip(KINDS, added, self._starts or repeat(array("I")), strict=False):
            self._columns[kind], unused = self._columns[kind].merged(kept, gone, starts, of_kind)
            if kind in TEXT_KINDS:
                self._retired |= {fingerprint(kind, text): _UNUSED_SINCE_NOW for text in unused}
        ids = (self._ids[_ID_BYTES * start : _ID_BYTES * stop] for start, stop in kept)
        self._ids = b"".join(chain(ids, self._delta))
        self._seqs = gathered(self._seqs, kept) + array("Q", (seq for seq, _ in self._delta.values()))
        self._delta, self._replaced, self._docs, self._folded = {}, set(), {}, {}
        self._sets = self._base_bytes = None

    def _packed_ids(self) -> Iterator[bytes]:
        return (self._ids[at : at + _ID_BYTES] for at in range(0, len(self._ids), _ID_BYTES))

    # ---- Asking it ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return how many personas there are."""
        self._merge()
        return len(self._seqs)

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
                code = bisect_left(column.values, entry)
                if code < len(column.values) and column.values[code] == entry:
                    uses[code] += times
                else:
                    new[entry] = times
        known = nsmallest(OPTIONS_MAX, uses.items(), key=lambda use: (-use[1], use[0]))
        found = [*((column.values[code], times) for code, times in known), *new.items()]
        return within_section(Use(*use) for use in nsmallest(OPTIONS_MAX, found, key=lambda use: (-use[1], use[0])))

    def _delta_uses(self, kind: TextKind, departments: Collection[str] | None) -> Counter[str]:
        """Count the uses of a kind by those personas that are not in the base and that the caller may see."""
        place, of_departments = KINDS.index(kind), KINDS.index("departments")
        rows = (row for _, row in self._delta.values() if may_be_seen(frozenset(row[of_departments]), departments))
        return Counter(chain.from_iterable(row[place] for row in rows))

    def sets(self) -> list[frozenset[str]]:
        """Return the sets of departments that personas have, sorted by the members."""
        self._merge()
        return self._department_sets()[0]

    def uses(self, kind: Kind) -> Uses:
        """Return all uses of a kind."""
        self._merge()
        column, (_, set_of) = self._columns[kind], self._department_sets()
        if column.lengths.tobytes().count(1) == len(column.lengths):
            return Uses(column.values, column.codes, set_of)
        return Uses(column.values, column.codes, array("I", column.repeated(set_of)))

    def used(self, kind: Kind) -> tuple[list[str], int]:
        """Return the entries of a kind, sorted, and how many uses they have in all."""
        self._merge()
        return self._columns[kind].values, len(self._columns[kind].codes)

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
        delta = sum(60 + 2 * len(text) for _, row in self._delta.values() for texts in row for text in texts)
        return self._base_bytes + delta + PERSONA_BYTES * len(self._tombstones)

    def _department_sets(self) -> tuple[list[frozenset[str]], array[int]]:
        """Return the sets of departments that personas have, and the place of each persona's own."""
        if self._sets is None:
            self._sets = self._columns["departments"].sets()
        return self._sets

    def _seen_by(self, departments: Collection[str] | None) -> Iterator[bool]:
        """Tell whether the caller may see each persona."""
        sets, set_of = self._department_sets()
        return map([may_be_seen(each, departments) for each in sets].__getitem__, set_of)

    # ---- Its bytes ------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """Return the view as one object."""
        self._merge()
        remembered = {
            "group": self.group_id,
            "tombstones": [(key.hex(), *held) for key, held in self._tombstones.items()],
            "retired": [(*each, since) for each, since in self._retired.items()],
            "parameter_uses": self.parameter_uses,
        }
        sections = [deflate(json.dumps(remembered).encode()), self._ids, pack_numbers(self._seqs)]
        for column in self._columns.values():
            sections += column.pack()
        return seal(_MAGIC, FORMAT_VERSION, sections)

    @classmethod
    def decode(cls, data: Buffer) -> "TextsView":
        """Return the view that these bytes are.

        Raises:
            SnapshotDamaged: they are not what ``encode`` gave.
            SnapshotVersionUnknown: another version of this service gave them.
        """
        with unseal(_MAGIC, FORMAT_VERSION, data) as sections:
            remembered = json.loads(inflate(sections[0]))
            view = cls(remembered["group"])
            view._tombstones = {bytes.fromhex(key): (seq, over) for key, seq, over in remembered["tombstones"]}
            view._retired = {Fingerprint(kind, each): since for kind, each, since in remembered["retired"]}
            parameter_uses = remembered.get("parameter_uses")  # the release before does not write it
            view.parameter_uses = parameter_uses and ParameterUses(*parameter_uses)
            view._ids = bytes(sections[1])
            view._seqs = unpack_numbers("Q", sections[2])
            for kind, some in zip(KINDS, batched(sections[3:], SECTIONS, strict=True), strict=True):
                view._columns[kind] = Column.unpack(some, len(view._seqs))
        return view


def may_be_seen(of_persona: frozenset[str], departments: Collection[str] | None) -> bool:
    """Tell whether a caller of these departments (None: a superadmin) may see a persona of those."""
    return departments is None or not of_persona or not of_persona.isdisjoint(departments)


def within_section(uses: Iterable[Use]) -> list[Use]:
    """Return the first of these, as long as their texts fit into one section of a form."""
    kept, left = [], SECTION_BYTES
    for use in uses:
        left -= wire_bytes(use.entry)
        if left < 0:
            break
        kept.append(use)
    return kept
