"""The index against brute force: a search finds what a look at every row finds, whatever was written, in any order."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from uuid import NAMESPACE_OID, UUID, uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personas.domain.folding import fold
from personas.search import options, ordering, snapshot_format, text_search
from personas.search import queries as search_queries
from personas.search.index import Index
from personas.search.queries import FACETS, Facet, FacetQuery, Option, OptionNames, Query
from personas.search.rows import ListedRow
from personas.search.snapshot_format import Snapshot, decode, encode

type Row = dict[str, Any]  # made here, so that what it holds is known

KEYS: Mapping[Facet, str] = {
    "scenarios": "sc",
    "fields": "pf",
    "departments": "dp",
    "colors": "c",
    "icons": "i",
    "voices": "vo",
    "instructions": "ii",
}
PERSONAS = [str(UUID(int=number << 100 | number, version=4)) for number in range(1, 9)]
OPTIONS: Mapping[Facet, Sequence[str]] = {
    facet: [f"{facet}-{letter}" for letter in "abcde"] for facet in FACETS if facet != "fields"
}
PARAMETER_FIELDS = [f"parameter-field-{number}" for number in range(5)]
# Two of one field, and one that the catalogue has lost.
FIELD_OF = dict(zip(PARAMETER_FIELDS[:4], ("field-a", "field-b", "field-a", "field-c"), strict=True))
NAMES = {
    facet: {each: f"{'Ö' if each.endswith(('a', 'c')) else 'o\u0308'} {facet[:3]}" for each in ids[:4]}
    for facet, ids in {**OPTIONS, "fields": [*dict.fromkeys(FIELD_OF.values())]}.items()
}
WORDS = (
    "Straße", "STRASSE", "e\u0301cole", "École", "ecole", "ﬁn", "İzmir", "שלום", "العربية", "مُحَمَّد", "👩\u200d🚀",
    "👩", "🚀", "100%", "a_b", "a%b", "\\", "ab", "b", "a", "\uff21\uff22", "日本語の文", "नमस्ते", "\u0301",
    "Σς", "\0", "\ufffd", "\U0010ffff", "",
)  # fmt: skip

words = st.sampled_from(WORDS)
texts = st.lists(words, min_size=0, max_size=4).map(" ".join) | st.text(max_size=6)


def some(ids: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(ids), unique=True, max_size=3)


def id_of(text: str) -> str:
    return str(uuid5(NAMESPACE_OID, text))


def row_of(drawn: Row) -> Row:
    """Return a row in which ids follow from texts, as they do in the store."""
    instructions = drawn["ii"]
    return drawn | {
        "ni": id_of(drawn["n"]),
        "di": None if drawn["d"] is None else id_of(drawn["d"]),
        "ih": f"Über {instructions[-1]}",
    }


rows = st.fixed_dictionaries(
    {
        "n": texts,
        "d": st.none() | texts,
        "ii": st.sampled_from(OPTIONS["instructions"]),
        "c": st.sampled_from(OPTIONS["colors"]),
        "i": st.sampled_from(OPTIONS["icons"]),
        "f": st.none() | st.just("flag"),
        "dp": some(OPTIONS["departments"]),
        "pf": some(PARAMETER_FIELDS),
        "ex": st.lists(st.uuids().map(str), unique=True, max_size=2),
        "vo": some(OPTIONS["voices"]),
        "sc": some(OPTIONS["scenarios"]),
        "as": some(OPTIONS["scenarios"]),
        "np": st.integers(0, 3),
        "g": st.booleans(),
        "m": st.booleans(),
        "ct": st.none() | st.just("2026-01-02T03:04:05+00:00"),
        "ut": st.just("2026-01-02T03:04:05.678901+00:00"),
    }
).map(row_of)

queries = st.builds(
    Query,
    caller_departments=st.none() | some([*OPTIONS["departments"], ""]),
    text=st.none() | texts.map(lambda text: text[:7]),
    scenario_ids=st.just([]) | some([*OPTIONS["scenarios"], "unknown", ""]),
    field_ids=st.just([]) | some([*dict.fromkeys(FIELD_OF.values()), "unknown"]),
    department_ids=st.just([]) | some([*OPTIONS["departments"], "unknown", ""]),
    page_size=st.integers(0, 5),
    page_offset=st.integers(0, 10) | st.just(10**12),
)

writes = st.tuples(st.sampled_from(PERSONAS), st.integers(0, 6), st.none() | rows)
steps = st.lists(writes | writes | st.sampled_from(["rebuild", "reload"]) | queries, min_size=4, max_size=30)


def selected_in(query: Query) -> Mapping[Facet, Collection[str]]:
    return {"scenarios": query.scenario_ids, "fields": query.field_ids, "departments": query.department_ids}


EVERYTHING = Query(caller_departments=None, page_size=100)


class Model:
    """The personas as a plain dict, and a search that looks at every one of them."""

    def __init__(self) -> None:
        self.seqs: dict[str, int] = {}
        self.rows: dict[str, Row] = {}

    def write(self, persona_id: str, seq: int, row: Row | None) -> bool:
        if seq <= self.seqs.get(persona_id, -1):
            return False
        self.seqs[persona_id] = seq
        self.rows.pop(persona_id, None)
        if row is not None:
            self.rows[persona_id] = row
        return True

    def ids(self, query: Query) -> list[str]:
        found = [persona_id for persona_id, row in self.rows.items() if self._matches(query, row)]
        return sorted(found, key=lambda persona_id: (fold(self.rows[persona_id]["n"]), persona_id))

    def counts(self, query: Query, facet: Facet) -> dict[str, int]:
        """Count by choosing each option in turn, in place of the selected ones of its facet."""
        chosen = {"scenarios": "scenario_ids", "fields": "field_ids", "departments": "department_ids"}.get(facet)
        others = self.ids(replace(query, **{chosen: ()}) if chosen else query)
        options = {each for persona_id in others for each in self._options(self.rows[persona_id], facet)}
        return {
            option: sum(option in self._options(self.rows[persona_id], facet) for persona_id in others)
            for option in options
        }

    def options(
        self,
        query: Query,
        facet: Facet,
        names: Mapping[str, str],
        search: str,
        selected: Sequence[str],
        most: int,
        unused: Collection[str] = (),
    ) -> list[Option]:
        counts = self.counts(query, facet)
        everything = [Option(each, name, counts.get(each, 0)) for each, name in names.items()]
        everything.sort(key=lambda option: (-option.count, fold(option.name), option.id))
        kept = [option for option in everything if option.id in selected]
        offered = [
            option
            for option in everything
            if option.id not in selected and (option.count or option.id in unused) and fold(search) in fold(option.name)
        ]
        kept += offered[: max(0, most - len(kept))]
        return sorted(kept, key=lambda option: (-option.count, fold(option.name), option.id))

    @staticmethod
    def _options(row: Row, facet: Facet) -> set[str]:
        value = row[KEYS[facet]]
        if facet == "fields":
            return {FIELD_OF[each] for each in value if each in FIELD_OF}
        return set(value) if isinstance(value, list) else {value}

    def _matches(self, query: Query, row: Row) -> bool:
        text, departments = fold(query.text or ""), set(row["dp"])
        return (
            (query.caller_departments is None or not departments or bool(departments & set(query.caller_departments)))
            and (text in fold(row["n"]) or text in fold(row["d"] or ""))
            and all(not ids or bool(self._options(row, facet) & set(ids)) for facet, ids in selected_in(query).items())
        )


# The choices that the index makes by measured costs, made by the test instead: a small index takes every way.
ways = st.fixed_dictionaries(
    {
        "_PAIR_COST": st.sampled_from((0.0, 1e9)),
        "_MERGED_COST": st.just(0.0),
        "_DENSE_PAIR_COST": st.sampled_from((0.0, 1e9)),
        "_WALK_SQUARE": st.sampled_from((0, 10**9)),
        "_WORDS_LEAST": st.sampled_from((0, 20_000)),
        "_LOOKS_A_SCAN": st.sampled_from((0, 64)),
        "_OFFERED_AT_ONCE": st.sampled_from((2, 512)),
        "OPTIONS_MAX": st.sampled_from((2, 100)),
        "_DELTA_LEAST": st.sampled_from((0, 256)),
        "_DELTA_SHARE": st.sampled_from((0, 2, 100)),
    }
)


@contextmanager
def deciding(way: Mapping[str, float]) -> Iterator[None]:
    modules = (snapshot_format, search_queries, text_search, options, ordering)
    with ExitStack() as stack:
        for name, value in way.items():
            deciders = [module for module in modules if hasattr(module, name)]
            assert deciders, f"nothing is decided by {name}"
            for module in deciders:
                stack.enter_context(patch.object(module, name, value))
        if not way["_DELTA_LEAST"]:
            stack.enter_context(patch.object(ordering, "isqrt", lambda _: 3))
        yield


def check(index: Index, model: Model, query: Query, way: Mapping[str, float]) -> None:
    """Compare everything in an answer with the model."""
    want = model.ids(query)
    found, counts = index.search(query, FIELD_OF), index.counts(query, FIELD_OF)
    page = want[query.page_offset : query.page_offset + query.page_size]
    assert found.total == len(want)
    assert found.personas == [(persona_id, listed(model.rows[persona_id])) for persona_id in page]
    assert [index.row(persona_id) for persona_id in page] == [model.rows[persona_id] for persona_id in page]
    assert index.ids(query, FIELD_OF) == want
    check_selection(index, model, query)
    for facet in FACETS:
        assert counts[facet] == model.counts(query, facet)
        chosen = list(selected_in(query).get(facet, [OPTIONS["instructions"][0], "unknown"]))
        search = "ö" if query.page_size % 2 else ""
        want_options = model.options(query, facet, NAMES[facet], search, chosen, int(way["OPTIONS_MAX"]))
        asked = FacetQuery(names=OptionNames(NAMES[facet]), search=search, selected=chosen)
        assert index.search(query, FIELD_OF, {facet: asked}).options[facet] == want_options
        unused = sorted(NAMES[facet])[::2]
        want_options = model.options(query, facet, NAMES[facet], search, chosen, int(way["OPTIONS_MAX"]), unused)
        asked = replace(asked, offered=unused.__contains__)
        assert index.search(query, FIELD_OF, {facet: asked}).options[facet] == want_options
    # Instructions bring their names with them, those of personas that are gone until the next base is written.
    labels = {row["ii"]: row["ih"] for row in model.rows.values()}
    for search in ("", "ü", "a"):
        want_options = model.options(query, "instructions", labels, search, [], int(way["OPTIONS_MAX"]))
        asked = FacetQuery(names=None, search=search)
        assert index.search(query, FIELD_OF, {"instructions": asked}).options["instructions"] == want_options


def check_selection(index: Index, model: Model, query: Query) -> None:
    """Compare all that a query finds, by id and with their seqs, with the model."""
    want = sorted(model.ids(query))
    found = index.selection(query, FIELD_OF)
    assert list(found) == want
    assert len(found) == len(want)
    for some in (slice(None), slice(1, 3)):
        assert found[some] == want[some]
        assert found.seqs(some) == [model.seqs[persona_id] for persona_id in want[some]]
    for only in PERSONAS[:2]:
        assert list(index.selection(query, FIELD_OF, only)) == [only] * (only in want)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, queries, ways)
def test_finds_what_a_look_at_every_persona_finds(
    steps: Sequence[tuple[str, int, Row | None] | str | Query], last: Query, way: Mapping[str, float]
) -> None:
    index, model, base = Index(), Model(), None
    with deciding(way):
        for step in (*steps, last, "reload", last):
            match step:
                case Query():
                    check(index, model, step, way)
                case "rebuild":
                    index.to_columns()
                case "reload":
                    snapshot = decode(encode(Snapshot(index, "now", base=base)))
                    index, base = snapshot.index, snapshot.base
                case (persona_id, seq, row):
                    taken = index.delete(persona_id, seq) if row is None else index.upsert(persona_id, seq, row)
                    assert taken == model.write(persona_id, seq, row)
        assert len(index) == len(model.rows)
        for persona_id in PERSONAS:
            assert index.row(persona_id) == model.rows.get(persona_id)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(PERSONAS), st.tuples(texts, st.none() | texts)), st.data())
def test_finds_every_part_of_every_text(texts: Mapping[str, tuple[str, str | None]], data: st.DataObject) -> None:
    index, model = Index(), Model()
    row = data.draw(rows)
    for persona_id, (name, description) in texts.items():
        model.write(persona_id, 1, row_of(row | {"n": name, "d": description}))
        index.upsert(persona_id, 1, model.rows[persona_id])
    if data.draw(st.booleans()):
        index.to_columns()
    everything = "\0".join(fold(text) for pair in texts.values() for text in pair if text)
    for _ in range(5):
        start = data.draw(st.integers(0, len(everything)))
        part = everything[start : start + data.draw(st.integers(1, 5))]
        for text in (part, part.upper(), part.replace("\0", " ")):
            query = Query(caller_departments=None, text=text)
            assert index.ids(query, FIELD_OF) == model.ids(query)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["look", "rebuild"]) | st.tuples(st.sampled_from(PERSONAS[:3]), st.text("ab ", max_size=5)),
        min_size=3,
        max_size=20,
    )
)
def test_finds_no_text_that_a_persona_had_before(steps: Sequence[str | tuple[str, str]]) -> None:
    index, names = Index(), dict[str, str]()
    for seq, step in enumerate(steps):
        match step:
            case "rebuild":
                index.to_columns()
            case (persona_id, name):
                names[persona_id] = name
                index.upsert(persona_id, seq, a_row(n=name))
        if step == "look" or seq + 1 == len(steps):
            for text in ("a", "b", "ab", "ba", " ", "a b", "b ", "  ", " a"):
                found = index.ids(Query(caller_departments=None, text=text), {})
                assert sorted(found) == sorted(each for each, name in names.items() if text in name)
    assert len(index) == len(names)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 25), st.sampled_from(["", "x", "y"])), max_size=60),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 25)), max_size=8),
    ways,
)
def test_offers_the_best_of_many_instructions(
    made: Sequence[tuple[int, str]], changed: Sequence[tuple[int, int]], way: Mapping[str, float]
) -> None:
    def row(number: int, department: str) -> Row:
        return a_row(ii=str(number), dp=[department] if department else []) | {"ih": f"{number * 7 % 5} {number % 2}"}

    with deciding(dict(way) | {"OPTIONS_MAX": 3, "_OFFERED_AT_ONCE": 2}):
        index, model = Index(), Model()
        for number, (instructions, department) in enumerate(made):
            model.write(str(UUID(int=number)), 1, row(instructions, department))
        for persona_id, each in model.rows.items():
            index.upsert(persona_id, 1, each)
        index.to_columns()
        for number, instructions in changed:
            model.write(str(UUID(int=number)), 2, row(instructions, "x"))
            index.upsert(str(UUID(int=number)), 2, row(instructions, "x"))
        labels = {each["ii"]: each["ih"] for each in model.rows.values()}
        for query in (EVERYTHING, replace(EVERYTHING, caller_departments=["x"])):
            for search in ("", "1"):
                asked = FacetQuery(names=None, search=search, selected=["3"])
                found = index.search(query, {}, {"instructions": asked})
                assert found.options["instructions"] == model.options(query, "instructions", labels, search, ["3"], 3)


def test_an_instruction_that_few_have_in_all_may_be_among_the_best_of_a_search() -> None:
    # Given instructions of which the third are had by many, but by one alone in a department,
    had = {"first": ("x", 10), "second": ("x", 9), "third": ("y", 7), "fourth": ("x", 7)}
    rows = [
        a_row(ii=each, dp=[department]) | {"ih": each} for each, (department, most) in had.items() for _ in range(most)
    ]
    index = Index()
    for number, row in enumerate([*rows, a_row(ii="third", dp=["x"]) | {"ih": "third"}]):
        index.upsert(str(UUID(int=number)), 1, row)
    index.to_columns()
    # when the best three of the department are asked for, three at a time,
    with (
        patch.object(options, "OPTIONS_MAX", 3),
        patch.object(options, "_OFFERED_AT_ONCE", 3),
        patch.object(options, "_WALK_SQUARE", 0),
        patch.object(search_queries, "OPTIONS_MAX", 3),
    ):
        query = Query(caller_departments=["x"])
        found = index.search(query, {}, {"instructions": FacetQuery(names=None)}).options["instructions"]
    # then the fourth are among them.
    assert [(each.id, each.count) for each in found] == [("first", 10), ("second", 9), ("fourth", 7)]


def test_looks_into_the_few_texts_that_have_all_words() -> None:
    # Given many personas, two of which have both words, in the base as well as beside it,
    index = Index()
    for number in range(300):
        index.upsert(str(UUID(int=number)), 1, a_row(n={1: "one two", 2: "two one"}.get(number, "three")))
    index.to_columns()
    for number, name in ((400, "one two"), (401, "two one")):
        index.upsert(str(UUID(int=number)), 1, a_row(n=name))
    # when the words are looked for in one order, then those that have them in it are found.
    found = index.ids(Query(caller_departments=None, text="one two"), {})
    assert found == [str(UUID(int=1)), str(UUID(int=400))]


def test_a_page_begins_at_the_first_persona() -> None:
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row())
    assert [each for each, _ in index.search(Query(caller_departments=None), {}).personas] == [PERSONAS[0]]


def listed(row: Row) -> ListedRow:
    """Return the part of a row that a list shows."""
    values = (row[key] for key in ("n", "d", "c", "i", "f", "dp", "pf", "sc", "as", "np", "g", "m", "ut"))
    return ListedRow(*(tuple(each) if isinstance(each, list) else each for each in values))


def rows_of(index: Index) -> dict[str, object]:
    return {persona_id: index.row(persona_id) for persona_id in index.ids(EVERYTHING, {})}


def a_row(**changes: object) -> Row:
    row: Row = {"n": "Ada", "d": None, "ii": "i", "c": "c", "i": "i", "f": None, "dp": [], "pf": [], "ex": [], "vo": []}
    return row_of(row | {"sc": [], "as": [], "np": 0, "g": False, "m": False, "ct": None, "ut": None} | changes)


def test_pages_through_equal_names_meeting_each_persona_once() -> None:
    index = Index()
    chance = random.Random(4)
    ids = [str(UUID(int=chance.getrandbits(128))) for _ in range(1000)]
    for number, persona_id in enumerate(ids):
        index.upsert(persona_id, 1, a_row(n=f"Ada {number % 3}"))
        if number % 300 == 0:
            index.to_columns()
    met: list[str] = []
    for offset in range(0, 1100, 100):
        found = index.search(replace(EVERYTHING, page_offset=offset), {})
        assert found.total == len(ids)
        met += [persona_id for persona_id, _ in found.personas]
    assert sorted(met) == sorted(ids)
    assert met == index.ids(EVERYTHING, {})


def test_a_match_spans_neither_two_texts_nor_two_personas() -> None:
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row(n="one", d="two"))
    index.upsert(PERSONAS[1], 1, a_row(n="three", d="four"))
    for rebuilt in (False, True):
        if rebuilt:
            index.to_columns()
        for text in ("onetwo", "one two", "e\0t", "twothree", "two three", "o\0t", "fourone"):
            assert index.search(Query(caller_departments=None, text=text), {}).total == 0


def test_a_field_of_several_parameter_fields_counts_a_persona_once() -> None:
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row(pf=["x", "y"]))
    index.upsert(PERSONAS[1], 1, a_row(pf=["x"]))
    index.upsert(PERSONAS[2], 1, a_row(pf=["y"]))
    assert index.counts(EVERYTHING, {"x": "f", "y": "f"})["fields"] == {"f": 3}
    # The catalogue has changed: nothing in the index has to.
    assert index.counts(EVERYTHING, {"x": "f", "y": "g"})["fields"] == {"f": 2, "g": 2}
    assert index.search(replace(EVERYTHING, field_ids=["f"]), {"x": "f", "y": "g"}).total == 2
    assert index.counts(EVERYTHING, {})["fields"] == {}


def test_the_fields_in_use_are_those_of_the_parameter_fields_that_personas_have() -> None:
    # Given a persona with one of two parameter fields,
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row(pf=["x"]))
    # when the fields that somebody has are asked for, then that is the field of this one.
    assert index.used("fields", ["f", "g", "unknown"], None, {"x": "f", "y": "g"}) == {"f"}


def test_counts_are_of_the_index_as_it_was_searched() -> None:
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row())
    counts = index.counts(EVERYTHING, {})
    assert counts["colors"] == {"c": 1}
    index.delete(PERSONAS[0], 2)
    assert counts["colors"] == {"c": 1}
    assert counts["icons"] == {"i": 1}


def test_a_tombstone_is_remembered_until_it_expires() -> None:
    index = Index()
    assert index.delete(PERSONAS[0], 5, expires_at=100)
    assert not index.upsert(PERSONAS[0], 5, a_row())
    index.forget_tombstones(99)
    assert not index.upsert(PERSONAS[0], 4, a_row())
    index.forget_tombstones(100)
    assert index.upsert(PERSONAS[0], 4, a_row())


def test_an_option_brings_the_newest_name_with_it() -> None:
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row() | {"ih": "before"})
    index.to_columns()
    index.upsert(PERSONAS[1], 1, a_row() | {"ih": "after"})
    found = index.search(EVERYTHING, {}, {"instructions": FacetQuery(names=None)})
    assert found.options["instructions"] == [Option("i", "after", 2)]


@pytest.mark.parametrize(
    "bad",
    [
        {"n": None},
        {"d": 3},
        {"dp": "abc"},
        {"dp": [1]},
        {"c": 7},
        {"ni": "no id"},
        {"ex": ["00000000-0000-0000-0000-00000000000G"]},
        {"ct": "yesterday"},
        {"ut": "2026-01-01T00:00:00"},
        {"np": -1},
        {"np": 2**32},
    ],
)
def test_refuses_what_is_no_row_and_stays_as_it_was(bad: Row) -> None:
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row())
    with pytest.raises(ValueError, match=r"persona|id|isoformat|hexadecimal"):
        index.upsert(PERSONAS[0], 2, a_row() | bad)
    assert rows_of(index) == {PERSONAS[0]: a_row()}
    assert index.upsert(PERSONAS[0], 2, a_row(n="Grace"))


def test_refuses_a_seq_that_is_none_and_stays_as_it_was() -> None:
    index = Index()
    index.upsert(PERSONAS[0], 1, a_row())
    with pytest.raises(OverflowError):
        index.upsert(PERSONAS[0], 2**64, a_row(n="Grace"))
    assert rows_of(index) == {PERSONAS[0]: a_row()}
    assert index.upsert(PERSONAS[0], 2**64 - 1, a_row(n="Grace"))
    assert rows_of(index) == {PERSONAS[0]: a_row(n="Grace")}


@pytest.mark.parametrize("persona_id", ["", "ada", PERSONAS[0].upper().replace("0", "A"), "{" + PERSONAS[0] + "}"])
def test_refuses_ids_that_are_no_uuids_in_their_usual_form(persona_id: str) -> None:
    index = Index()
    with pytest.raises(ValueError, match=r"id|hexadecimal"):
        index.upsert(persona_id, 1, a_row())
    with pytest.raises(ValueError, match=r"id|hexadecimal"):
        index.delete(persona_id, 1)


@pytest.mark.parametrize(("size", "offset"), [(-1, 0), (1, -1)])
def test_refuses_a_page_that_is_none(size: int, offset: int) -> None:
    with pytest.raises(ValueError, match="page"):
        Query(caller_departments=None, page_size=size, page_offset=offset)


def test_says_how_much_memory_it_takes() -> None:
    index = Index()
    empty = index.size_bytes()
    for number in range(1000):
        index.upsert(str(UUID(int=number)), 1, a_row(n=f"Ada {number}"))
    late = index.size_bytes()
    index.to_columns()
    assert empty < index.size_bytes() < late


def test_weighs_the_names_that_options_bring_with_them() -> None:
    # Given two indexes that differ in such a name alone,
    short, long = Index(), Index()
    short.upsert(PERSONAS[0], 1, a_row() | {"ih": ""})
    long.upsert(PERSONAS[0], 1, a_row() | {"ih": "x" * 1000})
    # when both are weighed, then the longer name weighs more.
    assert long.size_bytes() >= short.size_bytes() + 1000
