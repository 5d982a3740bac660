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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import and_
from typing import Final

from pyroaring import BitMap

from personas.domain.folding import fold
from personas.search.columns import ENTRY_BYTES
from personas.search.documents import Documents, SavedColumns, Tombstone
from personas.search.ordering import Order, delta_limit
from personas.search.queries import FACET_KEYS, Facet, FacetQuery, Option, Query, SearchResult, Selection, merge
from personas.search.rows import PersonaRow, cells_of, key_of, unpacked

_WEIGHED_EVERY: Final = 100
"""To weigh 100,000 personas takes 3 ms, because their words have 15,000 bitmaps; 100 changes take 0.1 MB at most."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes since a base was written: the docs of it that are ``gone``, and new rows with ids and seqs."""

    gone: Sequence[int] = ()
    rows: Sequence[tuple[str, int, PersonaRow]] = ()


class Index:
    """The personas of a group, found by text, facets and departments.

    Build one by `upsert`, in any order, or from what `to_columns` and `delta` gave.
    """

    def __init__(self, saved: SavedColumns | None = None, delta: Delta | None = None) -> None:
        """Make an empty index, or the one that was saved, with the changes since.

        It takes the columns over: do not use them afterwards.

        Raises:
            KeyError: a column is missing.
            ValueError: a column has another length than the others, or a row is not one of a persona.
        """
        saved = saved or SavedColumns.empty()
        self._documents = Documents(saved)
        self._tombstones = {key_of(each.id): each for each in saved.tombstones}
        self._live = BitMap(range(saved.size))
        self._order = Order(saved.size)
        self._docs: dict[bytes, int] | None = None
        self._field_of: dict[str, str] = {}
        self._code_fields: list[str] = []
        self._parameter_fields: dict[str, list[str]] = {}
        self._composed_fields: dict[str, list[str]] = {}
        self._weighed: tuple[tuple[int, int, int], int] | None = None
        self.changes = 0
        """The number of changes since the base was written."""
        self.bases = 0
        """The number of new bases that have taken the place of the one that it was made with."""
        if delta is not None:
            self._loosen()
            for doc in delta.gone:
                self._take_out(doc)
            for persona_id, seq, row in delta.rows:
                self._append(key_of(persona_id), seq, row)
            self.changes = len(delta.gone) + len(delta.rows)

    def __len__(self) -> int:
        return len(self._live)

    # ---- Writing -------------------------------------------------------------------------------------------------

    def upsert(self, persona_id: str, seq: int, row: Mapping[str, object]) -> bool:
        """Take in a persona as of ``seq``; return False, and do nothing, if as new a state of it is known.

        Raises:
            ValueError: the id is not a UUID in its usual form, or the row not one of a persona. Nothing is changed.
        """
        persona_key = key_of(persona_id)
        if seq <= self._seq_of(persona_key):
            return False
        old = self._doc_of().get(persona_key)
        self._loosen()
        self._append(persona_key, seq, row)
        self._tombstones.pop(persona_key, None)
        if old is not None:
            self._take_out(old)
        self.changes += 1
        return True

    def delete(self, persona_id: str, seq: int, expires_at: int = 0) -> bool:
        """Take a persona out as of ``seq``, and remember that; return False if as new a state of it is known.

        ``expires_at``, in unix seconds, is when the tombstone may be forgotten; see `forget_tombstones`.

        Raises:
            ValueError: the id is not a UUID in its usual form.
        """
        persona_key = key_of(persona_id)
        if seq <= self._seq_of(persona_key):
            return False
        old = self._doc_of().pop(persona_key, None)
        if old is not None:
            self._loosen()
            self._take_out(old)
        self._tombstones[persona_key] = Tombstone(persona_id, seq, expires_at)
        self.changes += 1
        return True

    def forget_tombstones(self, now: int) -> None:
        """Forget the tombstones that had expired at ``now``, in unix seconds."""
        self._tombstones = {each: tomb for each, tomb in self._tombstones.items() if tomb.expires_at > now}

    def _loosen(self) -> None:
        """Have the docs in use as bits, once a base is changed: with gaps, their run would be slow to count with."""
        if not self.changes:
            self._live = BitMap(self._live.to_array(), optimize=False)

    def _append(self, persona_key: bytes, seq: int, row: Mapping[str, object]) -> None:
        doc = self._documents.end
        name = self._documents.append(persona_key, seq, cells_of(row))
        self._order.append(name, persona_key, doc)
        self._live.add(doc)
        if self._docs is not None:
            self._docs[persona_key] = doc

    def _take_out(self, doc: int) -> None:
        self._live.discard(doc)
        self._documents.take_out(doc)

    def _seq_of(self, persona_key: bytes) -> int:
        doc = self._doc_of().get(persona_key)
        if doc is not None:
            return self._documents.seq_at(doc)
        tombstone = self._tombstones.get(persona_key)
        return -1 if tombstone is None else tombstone.seq

    def _doc_of(self) -> dict[bytes, int]:
        """Return the doc of each persona. It is made when first needed: a group without writes never needs it."""
        if self._docs is None:
            self._docs = self._documents.keys(self._live)
        return self._docs

    # ---- Reading -------------------------------------------------------------------------------------------------

    def seq_of(self, persona_id: str) -> int:
        """Return the ``seq`` at which a persona or its tombstone is held, or -1.

        Raises:
            ValueError: the id is not a UUID in its usual form.
        """
        return self._seq_of(key_of(persona_id))

    def row(self, persona_id: str) -> PersonaRow | None:
        """Return a persona's row, or None."""
        doc = self._doc_of().get(key_of(persona_id))
        return None if doc is None else self._documents.row_at(doc)

    def search(
        self, query: Query, field_of: Mapping[str, str], facets: Mapping[Facet, FacetQuery] | None = None
    ) -> SearchResult:
        """Find personas, and the options of the facets that are asked for.

        ``field_of`` is the field of each parameter field of the catalogue, as it is now.
        """
        matches, without_facet = self._matches(query, field_of)
        docs = self._order.window(matches, query.page_offset, query.page_size)
        personas = [(self._id(doc), self._documents.listed_at(doc)) for doc in docs]
        options = {
            facet: self._options(facet, asked, without_facet.get(facet, matches))
            for facet, asked in (facets or {}).items()
        }
        return SearchResult(len(matches), personas, options)

    def counts(self, query: Query, field_of: Mapping[str, str]) -> dict[Facet, dict[str, int]]:
        """Return the counts by which options are offered, by facet and id, to be held against other ways to count.

        A count is how many personas would match if the option were chosen, the facet's own selection set aside.
        Options that nothing would match are left out.
        """
        matches, without_facet = self._matches(query, field_of)
        return {facet: self._counts(facet, without_facet.get(facet, matches)) for facet in FACET_KEYS}

    def ids(self, query: Query, field_of: Mapping[str, str]) -> list[str]:
        """Return the ids of all that a query finds, in the order of the list, whatever page it asks for."""
        matches, _ = self._matches(query, field_of)
        return list(map(self._id, self._order.window(matches, 0, len(matches))))

    def selection(self, query: Query, field_of: Mapping[str, str], only: str | None = None) -> Selection:
        """Return all that a query finds, or ``only`` that persona of it, in the order of the ids and not by page."""
        matches, _ = self._matches(query, field_of)
        if only is not None:
            doc = self._doc_of().get(key_of(only))
            matches = matches & BitMap(() if doc is None else (doc,))
        return Selection(self._documents.columns["id"], self._documents.columns["seq"], matches)

    def used(
        self, facet: Facet, option_ids: Iterable[str], departments: Collection[str] | None, field_of: Mapping[str, str]
    ) -> set[str]:
        """Return the options that a persona has which a caller of these departments (None: a superadmin) may see."""
        self._use_fields(field_of)
        visible, options = self._visible(departments), self._documents.options[FACET_KEYS[facet]]
        ids_of = {each: self._parameter_fields.get(each, ()) if facet == "fields" else (each,) for each in option_ids}
        return {each for each, ids in ids_of.items() if visible.intersect(options.having(ids))}

    @property
    def tombstones(self) -> list[Tombstone]:
        """The deleted personas that are remembered."""
        return list(self._tombstones.values())

    def size_bytes(self) -> int:
        """Return about how many bytes of memory the index takes; it is weighed again after many changes or a load."""
        state = self.bases, self.changes // _WEIGHED_EVERY, self._documents.texts.loaded
        if self._weighed is None or self._weighed[0] != state:
            entries = len(self._docs or ()) + len(self._tombstones) + len(self._order)
            self._weighed = state, self._documents.size_bytes() + ENTRY_BYTES * entries
        return self._weighed[1]

    def to_columns(self) -> SavedColumns:
        """Return everything as columns, in a new base. They are the index's own, and change with it."""
        if self.changes:
            self._compact()
        return self._documents.to_columns(self.tombstones)

    def delta(self) -> Delta:
        """Return the changes since the base was written."""
        base, documents = BitMap(range(self._order.base)), self._documents
        rows = [(self._id(doc), documents.seq_at(doc), documents.row_at(doc)) for doc in self._live - base]
        return Delta((base - self._live).to_array(), rows)

    def _id(self, doc: int) -> str:
        return unpacked(self._documents.key_at(doc))

    # ---- The order of the list -----------------------------------------------------------------------------------

    def _settle(self) -> None:
        if self.changes > delta_limit(self._order.base):
            self._compact()
        else:
            self._order.place(self._live, self._documents.order_at)

    def _compact(self) -> None:
        """Write everything that is in use as a new base, in the order of the list."""
        self._order.place(self._live, self._documents.order_at)
        self._documents.gather(list(self._order.runs(self._live)), self._live)
        self._order = Order(self._documents.end)
        self._live = BitMap(range(self._documents.end))
        self._code_fields.clear()
        self._docs = None
        self.changes = 0
        self.bases += 1

    # ---- Sets ----------------------------------------------------------------------------------------------------

    def _matches(self, query: Query, field_of: Mapping[str, str]) -> tuple[BitMap, dict[Facet, BitMap]]:
        """Return the matches, and for each facet that the query selects from, the matches without that selection."""
        self._settle()
        self._use_fields(field_of)
        options = self._documents.options
        visible = self._visible(query.caller_departments)
        text = fold(query.text or "")
        if text:
            visible = visible & self._documents.texts.find(text)
        selected: dict[Facet, BitMap] = {}
        if query.scenario_ids:
            selected["scenarios"] = options["sc"].having(query.scenario_ids)
        if query.field_ids:
            fields = (self._parameter_fields.get(field, ()) for field in dict.fromkeys(query.field_ids))
            selected["fields"] = options["pf"].having(chain.from_iterable(fields))
        if query.department_ids:
            selected["departments"] = options["dp"].having(query.department_ids)
        # Not BitMap.intersection: it turns its result into runs, which are slow to count with.
        without_facet = {
            facet: _all_of(visible, (docs for other, docs in selected.items() if other != facet)) for facet in selected
        }
        return _all_of(visible, selected.values()), without_facet

    def _visible(self, departments: Collection[str] | None) -> BitMap:
        if departments is None:
            return self._live
        return self._documents.options["dp"].having(departments, or_none=True)

    def _counts(self, facet: Facet, docs: BitMap) -> dict[str, int]:
        """Return how many of the docs have each option of the facet, without the options that none has."""
        options, end = self._documents.options[FACET_KEYS[facet]], self._documents.end
        if facet != "fields":
            return options.counts(docs, len(self._live), end)
        fields = options.counts(docs, len(self._live), end, self._fields_by_code())
        for field_id, parameter_fields in self._composed_fields.items():
            if field_id in fields:
                # A persona may have several of them and counts once.
                fields[field_id] = docs.intersection_cardinality(options.having(parameter_fields))
        return fields

    def _options(self, facet: Facet, asked: FacetQuery, docs: BitMap) -> list[Option]:
        """Return the options of the facet for these docs."""
        if asked.names is not None:
            return asked.best(asked.names, self._counts(facet, docs))
        instructions, chosen = self._documents.instructions, asked.chosen
        return merge(instructions.offered(chosen, docs), instructions.best(docs, asked.needle, chosen, len(self)))

    def _use_fields(self, field_of: Mapping[str, str]) -> None:
        """Count by parameter field, so that a change of the catalogue changes no column, only this map."""
        if field_of != self._field_of:
            self._field_of = dict(field_of)
            self._code_fields.clear()
            by_field: dict[str, list[str]] = {}
            for parameter_field, field in field_of.items():
                by_field.setdefault(field, []).append(parameter_field)
            self._parameter_fields = by_field
            self._composed_fields = {field: each for field, each in by_field.items() if len(each) > 1}

    def _fields_by_code(self) -> list[str]:
        """Return the field of each parameter field's code, or an empty string."""
        ids, known = self._documents.options["pf"].ids, self._code_fields
        known += [self._field_of.get(each, "") for each in ids[len(known) :]]
        return known


def _all_of(docs: BitMap, conditions: Iterable[BitMap]) -> BitMap:
    return reduce(and_, conditions, docs)
