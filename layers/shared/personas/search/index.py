"""The personas of one group in memory, searched by set algebra.

Every persona has a *doc*, the number of its row. Its values lie in columns by doc; a Roaring bitmap for each option
holds the docs that have it. A search is unions and intersections of bitmaps, its counts are cardinalities.

The rows are in two parts. The **base** was written in one go, in the order of the list (folded name, then id): the n-th
match in the base is the n-th row of the list, and no permutation is kept. The **delta** holds what changed since. Its
rows are appended behind the base as they arrive; a small sorted list says before which doc of the base each one
belongs. A changed persona gets a new doc, and its old one is taken out of every bitmap. When the delta is too long
(`ordering.delta_limit`), everything is written as a new base.

Nothing here knows AWS, and nothing here is made for several threads.
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from itertools import chain
from operator import and_
from typing import Final, NamedTuple, overload

from pyroaring import BitMap

from personas.domain.folding import fold
from personas.search.columns import ENTRY_BYTES, Ragged, Single, bytes_of, gathered
from personas.search.facets import FACET_KEYS, FACETS, Facet, Option, OptionNames, RankedOption
from personas.search.options import Labelled, Options
from personas.search.ordering import Order, delta_limit
from personas.search.result import Query, SearchResult
from personas.search.rows import (
    GENERATED,
    HAS_CREATED,
    HAS_DESCRIPTION,
    HAS_DESCRIPTION_ID,
    HAS_NAME_ID,
    HAS_UPDATED,
    ID_BYTES,
    MANY_KEYS,
    MCP,
    SINGLE_KEYS,
    Cells,
    ListedRow,
    PersonaRow,
    cells_of,
    key_of,
    time_of,
    unpacked,
)
from personas.search.saved_columns import FIXED_COLUMNS, LABELLED_KEY, Delta, SavedColumns, nothing
from personas.search.text_search import Corpus, Texts, Words

__all__ = [
    "FACETS",
    "Facet",
    "Index",
    "ListedRow",
    "Option",
    "OptionNames",
    "Query",
    "SavedColumns",
    "SearchResult",
    "Selection",
]


_WEIGHED_EVERY: Final = 100
"""To weigh 100,000 personas takes 3 ms, because their words have 15,000 bitmaps; 100 changes take 0.1 MB at most."""


class _Tombstone(NamedTuple):
    seq: int
    expires_at: int


class Selection(Sequence[str]):
    """The ids of what a query found, in their own order, each with the seq that it is known at.

    It holds four bytes a persona and looks the rest up in the index: read it before that changes.
    """

    def __init__(self, ids: array[int], seqs: array[int], docs: BitMap) -> None:
        self._ids = ids
        self._seqs = seqs
        self._docs = array("I", sorted(docs, key=self._key_of))

    def __len__(self) -> int:
        return len(self._docs)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> list[str]: ...

    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [unpacked(self._key_of(doc)) for doc in self._docs[at]]
        return unpacked(self._key_of(self._docs[at]))

    def seqs(self, at: slice) -> list[int]:
        """The seqs of some of them."""
        return [self._seqs[doc] for doc in self._docs[at]]

    def _key_of(self, doc: int) -> bytes:
        return self._ids[ID_BYTES * doc : ID_BYTES * (doc + 1)].tobytes()


class Index:
    """The personas of a group, found by text, facets and departments.

    Build one by `upsert`, in any order, or from what `saved` gave.
    """

    def __init__(self, saved: SavedColumns | None = None, delta: Delta | None = None) -> None:
        """An empty index, or the one that was saved and has changed since by ``delta``.

        It takes the columns over: do not use them afterwards.

        Raises:
            KeyError, ValueError: a column is missing or has another length than the others, or a row is none.
        """
        saved = saved or nothing()
        if not saved.fits():
            raise ValueError("the columns do not fit together")
        arrays = saved.arrays
        self._columns = {name: arrays[name] for name in FIXED_COLUMNS}
        self._examples = Ragged(arrays["examples"], arrays["examples.starts"])
        words = None
        if saved.words is not None:
            words = Words(Corpus(saved.words, arrays["words.starts"]), saved.bitmaps["words"])
        folded = Corpus(saved.folded, arrays["folded.starts"])
        self._texts = Texts(folded, saved.written, arrays["written.starts"], words)
        self._options: dict[str, Options] = {}
        for key in (*SINGLE_KEYS, *MANY_KEYS):
            cells = Single(arrays[key]) if key in SINGLE_KEYS else Ragged(arrays[key], arrays[f"{key}.starts"])
            if key != LABELLED_KEY:
                self._options[key] = Options(saved.strings[key], cells, saved.bitmaps.get(key))
                continue
            self._instructions = Labelled(saved.strings[key], cells, saved.bitmaps[key], saved.strings[f"{key}.labels"])
            self._options[key] = self._instructions
        self._tombstones = {key_of(each): _Tombstone(seq, expires_at) for each, seq, expires_at in saved.tombstones}
        self._live = BitMap(range(saved.size))
        self._end = saved.size
        self._order = Order(saved.size)
        self._docs: dict[bytes, int] | None = None
        self._field_of: dict[str, str] = {}
        self._code_fields: list[str] = []
        self._parameter_fields: dict[str, list[str]] = {}
        self._composed_fields: dict[str, list[str]] = {}
        self._changes = 0
        self._version = 0
        self._weighed: tuple[tuple[int, int], int] | None = None
        self.bases = 0
        """How many new bases have taken the place of the one that it was made with."""
        if delta is not None:
            self._restore(delta)

    def __len__(self) -> int:
        return len(self._live)

    # -- Writing

    def upsert(self, persona_id: str, seq: int, row: Mapping[str, object]) -> bool:
        """Take in a persona as of ``seq``; returns False, and does nothing, if as new a state of it is known.

        Raises:
            ValueError: the id is not a UUID in its usual form, or the row not one of a persona. Nothing is changed.
        """
        persona_key = key_of(persona_id)
        if seq <= self._known_seq(persona_key):
            return False
        cells = cells_of(row)
        # Nothing has looked at it, so it must come first: it can only fail before anything is changed.
        self._columns["seq"].append(seq)
        self._forget(persona_key)
        self._append(persona_key, cells)
        self._changed()
        return True

    def _append(self, persona_key: bytes, cells: Cells) -> None:
        """Add a persona in the next doc; its seq has been added."""
        doc, columns = self._end, self._columns
        columns["id"].frombytes(persona_key)
        columns["name_id"].frombytes(cells.name_id)
        columns["description_id"].frombytes(cells.description_id)
        columns["flags"].append(cells.flags)
        columns["profiles"].append(cells.profiles)
        columns["created"].append(cells.created)
        columns["updated"].append(cells.updated)
        self._examples.append(array("B", cells.examples))
        for key, options in self._options.items():
            options.append(doc, cells.ids[key])
        for instructions_id in cells.ids[LABELLED_KEY]:
            self._instructions.label(instructions_id, cells.head)
        self._order.append(self._texts.append(cells.name, cells.description), persona_key, doc)
        self._end = doc + 1
        self._live.add(doc)
        if self._docs is not None:
            self._docs[persona_key] = doc

    def _restore(self, delta: Delta) -> None:
        for doc in delta.gone:
            self._take_out(doc)
        for persona_id, seq, row in delta.rows:
            self._columns["seq"].append(seq)
            self._append(key_of(persona_id), cells_of(row))
        self._changes = len(delta.gone) + len(delta.rows)

    def delete(self, persona_id: str, seq: int, expires_at: int = 0) -> bool:
        """Take a persona out as of ``seq``, and remember that; returns False if as new a state of it is known.

        ``expires_at``, in unix seconds, is when the tombstone may be forgotten; see `forget_tombstones`.

        Raises:
            ValueError: the id is not a UUID in its usual form.
        """
        persona_key = key_of(persona_id)
        if seq <= self._known_seq(persona_key):
            return False
        self._forget(persona_key)
        self._tombstones[persona_key] = _Tombstone(seq, expires_at)
        self._changed()
        return True

    def forget_tombstones(self, now: int) -> None:
        """Forget the tombstones that had expired at ``now``, in unix seconds."""
        self._tombstones = {each: tomb for each, tomb in self._tombstones.items() if tomb.expires_at > now}

    # -- Reading

    def row(self, persona_id: str) -> PersonaRow | None:
        """A persona's row, or None."""
        doc = self._doc_of().get(key_of(persona_id))
        return None if doc is None else self._row(doc)

    def search(self, query: Query, field_of: Mapping[str, str]) -> SearchResult:
        """Find personas. ``field_of`` is the field of each parameter field of the catalogue, as it is now."""
        self._settle()
        self._use_fields(field_of)
        matches, aside = self._matches(query)
        docs = self._order.window(matches, query.page_offset, query.page_size)
        return SearchResult(self, len(matches), [(self._id(doc), self._listed(doc)) for doc in docs], matches, aside)

    def ids(self, query: Query, field_of: Mapping[str, str]) -> list[str]:
        """The ids of all that a query finds, in the order of the list, whatever page it asks for."""
        self._settle()
        self._use_fields(field_of)
        matches, _ = self._matches(query)
        return list(map(self._id, self._order.window(matches, 0, len(matches))))

    def selection(self, query: Query, field_of: Mapping[str, str], only: str | None = None) -> "Selection":
        """All that a query finds, whatever page it asks for, in the order of the ids; of ``only``, where given."""
        self._settle()
        self._use_fields(field_of)
        matches, _ = self._matches(query)
        if only is not None:
            doc = self._doc_of().get(key_of(only))
            matches = matches & BitMap(() if doc is None else (doc,))
        return Selection(self._columns["id"], self._columns["seq"], matches)

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    def counts(self, facet: Facet, docs: BitMap) -> dict[str, int]:
        """How many of the docs have each option of the facet. For `SearchResult`."""
        options = self._options[FACET_KEYS[facet]]
        if facet != "fields":
            return options.counts(docs, len(self._live), self._end)
        fields = options.counts(docs, len(self._live), self._end, self._fields_by_code())
        for field_id, parameter_fields in self._composed_fields.items():
            if field_id in fields:
                # A persona may have several of them and counts once.
                fields[field_id] = docs.intersection_cardinality(options.having(parameter_fields))
        return fields

    def best(self, docs: BitMap, needle: str, chosen: Collection[str]) -> tuple[list[RankedOption], list[RankedOption]]:
        """Return the options of instructions for these docs: the chosen ones, and the best of the others."""
        return self._instructions.offered(chosen, docs), self._instructions.best(docs, needle, chosen, len(self))

    def size_bytes(self) -> int:
        """About how much memory the index takes. It is weighed anew when it has changed by more than a little."""
        state = self.bases, self._changes // _WEIGHED_EVERY
        if self._weighed is None or self._weighed[0] != state:
            columns = bytes_of(chain(self._columns.values(), self._examples.arrays("").values()))
            options = sum(each.size_bytes() for each in self._options.values())
            entries = len(self._docs or ()) + len(self._tombstones) + len(self._order)
            self._weighed = state, columns + options + self._texts.size_bytes() + ENTRY_BYTES * entries
        return self._weighed[1]

    def to_columns(self) -> SavedColumns:
        """Everything as columns, in a new base. They are the index's own, and change with it."""
        if self._changes:
            self._compact()
        arrays = self._columns | self._examples.arrays("examples")
        arrays |= {"folded.starts": self._texts.folded.starts, "written.starts": self._texts.written_starts}
        strings: dict[str, list[str]] = {}
        bitmaps: dict[str, list[BitMap]] = {}
        for key, options in self._options.items():
            arrays |= options.cells.arrays(key)
            strings[key] = options.ids
            if options.bitmaps is not None:
                bitmaps[key] = options.bitmaps
        strings[f"{LABELLED_KEY}.labels"] = self._instructions.labels
        words = self._texts.words
        if words is not None:
            arrays["words.starts"] = words.corpus.starts
            bitmaps["words"] = words.bitmaps
        return SavedColumns(
            size=self._end,
            arrays=arrays,
            strings=strings,
            bitmaps=bitmaps,
            folded=self._texts.folded.joined,
            written=self._texts.written,
            words=None if words is None else words.corpus.joined,
            tombstones=self.tombstones,
        )

    @property
    def changes(self) -> int:
        """How many changes there were since the base was written."""
        return self._changes

    def delta(self) -> Delta:
        """What has changed since the base was written."""
        base = BitMap(range(self._texts.base))
        rows = [(self._id(doc), self._columns["seq"][doc], self._row(doc)) for doc in self._live - base]
        return Delta((base - self._live).to_array(), rows)

    @property
    def tombstones(self) -> list[tuple[str, int, int]]:
        """The deleted personas that are remembered: ids, seqs, and when they may be forgotten, in unix seconds."""
        return [(unpacked(each), *tombstone) for each, tombstone in self._tombstones.items()]

    # -- Docs

    def _doc_of(self) -> dict[bytes, int]:
        """The doc of each persona. Made when it is first needed: a group that nobody writes to never needs it."""
        if self._docs is None:
            ids = self._columns["id"].tobytes()
            self._docs = {ids[ID_BYTES * doc : ID_BYTES * (doc + 1)]: doc for doc in self._live}
        return self._docs

    def _known_seq(self, persona_key: bytes) -> int:
        doc = self._doc_of().get(persona_key)
        if doc is not None:
            return self._columns["seq"][doc]
        tombstone = self._tombstones.get(persona_key)
        return -1 if tombstone is None else tombstone.seq

    def _forget(self, persona_key: bytes) -> None:
        self._tombstones.pop(persona_key, None)
        doc = self._doc_of().pop(persona_key, None)
        if doc is not None:
            self._take_out(doc)

    def _take_out(self, doc: int) -> None:
        self._live.discard(doc)
        for options in self._options.values():
            options.discard(doc)

    def _changed(self) -> None:
        self._changes += 1
        self._version += 1

    def _id_at(self, doc: int) -> bytes:
        return self._columns["id"][ID_BYTES * doc : ID_BYTES * (doc + 1)].tobytes()

    def _id(self, doc: int) -> str:
        return unpacked(self._id_at(doc))

    def _listed(self, doc: int) -> ListedRow:
        columns, options = self._columns, self._options
        flags = columns["flags"][doc]
        name, description = self._texts.written_at(doc)
        return {
            "n": name,
            "d": description if flags & HAS_DESCRIPTION else None,
            "c": options["c"].id_at(doc),
            "i": options["i"].id_at(doc),
            "f": options["f"].id_at(doc),
            "dp": options["dp"].ids_at(doc),
            "pf": options["pf"].ids_at(doc),
            "sc": options["sc"].ids_at(doc),
            "as": options["as"].ids_at(doc),
            "np": columns["profiles"][doc],
            "g": bool(flags & GENERATED),
            "m": bool(flags & MCP),
            "ut": time_of(columns["updated"][doc]) if flags & HAS_UPDATED else None,
        }

    def _row(self, doc: int) -> PersonaRow:
        columns, options = self._columns, self._options
        flags = columns["flags"][doc]
        ids = slice(ID_BYTES * doc, ID_BYTES * doc + ID_BYTES)
        examples = self._examples.at(doc).tobytes()
        return {
            **self._listed(doc),
            "ni": unpacked(columns["name_id"][ids].tobytes()) if flags & HAS_NAME_ID else None,
            "di": unpacked(columns["description_id"][ids].tobytes()) if flags & HAS_DESCRIPTION_ID else None,
            "ii": options["ii"].id_at(doc),
            "ih": self._instructions.labels[self._instructions.cells.values[doc]],
            "ex": [unpacked(examples[at : at + ID_BYTES]) for at in range(0, len(examples), ID_BYTES)],
            "vo": options["vo"].ids_at(doc),
            "ct": time_of(columns["created"][doc]) if flags & HAS_CREATED else None,
        }

    # -- The order of the list

    def _settle(self) -> None:
        if self._changes > delta_limit(self._texts.base):
            self._compact()
        else:
            self._order.place(self._live, self._order_of)

    def _order_of(self, doc: int) -> tuple[bytes, bytes]:
        return self._texts.folded_name_at(doc), self._id_at(doc)

    def _compact(self) -> None:
        """Write everything that is in use as a new base, in the order of the list."""
        self._order.place(self._live, self._order_of)
        runs = list(self._order.runs(self._live))
        place = array("I", bytes(4 * self._end))
        size = 0
        for start, stop in runs:
            place[start:stop] = array("I", range(size, size + stop - start))
            size += stop - start
        self._columns = {name: gathered(self._columns[name], runs, FIXED_COLUMNS[name][1]) for name in self._columns}
        self._examples.gather(runs)
        for options in self._options.values():
            options.gather(runs, place)
        self._texts = self._texts.gathered(runs, place, self._live)
        self._live = BitMap(range(size))
        self._end = size
        self._order = Order(size)
        self._code_fields.clear()
        self._docs = None
        self._changes = 0
        self._version += 1
        self.bases += 1

    # -- Sets

    def _use_fields(self, field_of: Mapping[str, str]) -> None:
        """Counting goes by parameter field, so that a change of the catalogue changes no column, only this map."""
        if field_of != self._field_of:
            self._field_of = dict(field_of)
            self._code_fields.clear()
            by_field: dict[str, list[str]] = {}
            for parameter_field, field in field_of.items():
                by_field.setdefault(field, []).append(parameter_field)
            self._parameter_fields = by_field
            self._composed_fields = {field: each for field, each in by_field.items() if len(each) > 1}
            self._version += 1

    def _fields_by_code(self) -> list[str]:
        """The field of each parameter field's code, or an empty string."""
        ids, known = self._options["pf"].ids, self._code_fields
        known += [self._field_of.get(each, "") for each in ids[len(known) :]]
        return known

    def _matches(self, query: Query) -> tuple[BitMap, dict[Facet, BitMap]]:
        """What the query finds, and for each facet that it selects from, what it would find without that selection."""
        seen = self._visible(query.caller_departments)
        text = fold(query.text or "")
        if text:
            seen = seen & self._texts.find(text)
        chosen: dict[Facet, BitMap] = {}
        if query.scenario_ids:
            chosen["scenarios"] = self._options["sc"].having(query.scenario_ids)
        if query.field_ids:
            fields = (self._parameter_fields.get(field, ()) for field in dict.fromkeys(query.field_ids))
            chosen["fields"] = self._options["pf"].having(chain.from_iterable(fields))
        if query.department_ids:
            chosen["departments"] = self._options["dp"].having(query.department_ids)
        # Not BitMap.intersection: it turns its result into runs, which are slow to count with.
        aside = {facet: _all_of(seen, (each for other, each in chosen.items() if other != facet)) for facet in chosen}
        return _all_of(seen, chosen.values()), aside

    def _visible(self, departments: Collection[str] | None) -> BitMap:
        if departments is None:
            return self._live
        return self._options["dp"].having(departments, or_none=True)


def _all_of(docs: BitMap, conditions: Iterable[BitMap]) -> BitMap:
    return reduce(and_, conditions, docs)
