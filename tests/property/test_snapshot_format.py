"""Snapshots: what went in comes out, and what is not whole is not taken for a snapshot."""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.search import snapshot_format
from personas.search.documents import SavedColumns
from personas.search.index import Index
from personas.search.object_format import SnapshotDamaged, SnapshotVersionUnknown, deflate, inflate
from personas.search.queries import Query
from personas.search.snapshot_format import Snapshot, decode, encode

EVERYTHING = Query(caller_departments=None, page_size=1000)
IDS = [str(UUID(int=number << 96 | number)) for number in range(1, 40)]
HEADER_AT = 18  # behind magic, checksum, version and length

options = st.sampled_from([f"option-{letter}" for letter in "abcdefgh"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
times = st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat())
rows = st.fixed_dictionaries(
    {"n": texts, "ii": options, "ih": texts},
    optional={
        "ni": st.uuids().map(str),
        "d": texts,
        "di": st.uuids().map(str),
        "c": options,
        "i": options,
        "f": options,
        "dp": st.lists(options, max_size=4),
        "pf": st.lists(options, max_size=4),
        "ex": st.lists(st.uuids().map(str), max_size=3),
        "vo": st.lists(options, max_size=4),
        "sc": st.lists(options, max_size=4),
        "as": st.lists(options, max_size=4),
        "np": st.integers(0, 2**32 - 1),
        "g": st.booleans(),
        "m": st.booleans(),
        "ct": times,
        "ut": times,
    },
)
writes = st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 2**53), st.none() | rows), max_size=40)


def index_of(writes: Sequence[tuple[str, int, Mapping[str, object] | None]]) -> Index:
    index = Index()
    for persona_id, seq, row in writes:
        if row is None:
            index.delete(persona_id, seq, expires_at=2_000_000_000)
        else:
            index.upsert(persona_id, seq, row)
    return index


def a_snapshot() -> bytes:
    made = [(each, 3, {"n": f"Ada {each}", "d": "Countess", "ii": "i", "dp": ["d"]}) for each in IDS]
    return encode(Snapshot(index_of([*made, (IDS[0], 4, None)]), "2026-01-01T00:00:00.000000Z"))


def sealed(data: bytes) -> bytes:
    """Return the bytes with the checksum that belongs to them."""
    return data[:8] + struct.pack("<I", zlib.crc32(data[12:])) + data[12:]


def with_header(data: bytes, **changes: object) -> bytes:
    length = int.from_bytes(data[14:HEADER_AT], "little")
    header = json.loads(zlib.decompress(data[HEADER_AT : HEADER_AT + length])) | changes
    packed = zlib.compress(json.dumps(header).encode())
    return sealed(data[:14] + struct.pack("<I", len(packed)) + packed + data[HEADER_AT + length :])


@settings(max_examples=150, deadline=None)
@given(writes, st.text(max_size=30))
def test_comes_out_as_it_went_in(
    writes: Sequence[tuple[str, int, Mapping[str, object] | None]], watermark: str
) -> None:
    index = index_of(writes)
    before, counts = index.search(EVERYTHING, {}), index.counts(EVERYTHING, {})
    data = encode(Snapshot(index, watermark))
    snapshot = decode(data)
    after = snapshot.index.search(EVERYTHING, {})
    assert snapshot.watermark == watermark
    assert after.personas == before.personas
    assert [snapshot.index.row(each) for each, _ in after.personas] == [index.row(each) for each, _ in before.personas]
    assert snapshot.index.counts(EVERYTHING, {}) == counts
    assert encode(snapshot) == data
    for persona_id, seq, _ in writes:
        # The index knows the last write of each persona: nothing as old or older is taken.
        assert not snapshot.index.delete(persona_id, seq)


def test_goes_on_with_what_it_was() -> None:
    index = decode(a_snapshot()).index
    assert index.upsert(IDS[0], 5, {"n": "Ada again"})
    assert not index.upsert(IDS[1], 3, {"n": "too late"})
    assert index.search(Query(caller_departments=None, text="again"), {}).total == 1
    assert len(decode(encode(Snapshot(index, ""))).index) == len(IDS)


def test_a_few_changes_leave_the_columns_as_they_are() -> None:
    # Given a snapshot of many personas,
    ids = [str(UUID(int=number)) for number in range(300)]
    first = decode(encode(Snapshot(index_of([(each, 1, {"n": each, "ii": "i"}) for each in ids]), "")))
    # when two of them change and one is deleted,
    first.index.upsert(ids[7], 2, {"n": "Zoe", "ii": "j"})
    first.index.upsert(ids[8], 2, {"n": "0", "ii": "i"})
    first.index.delete(ids[9], 2)
    second = decode(encode(Snapshot(first.index, "", base=first.base)))
    # then the columns are the same bytes, and what is beside them comes out again;
    assert first.base is not None
    assert second.base is not None
    assert second.base.sections == first.base.sections
    found = second.index.search(EVERYTHING, {})
    assert found.total == 299
    assert second.index.counts(EVERYTHING, {})["instructions"] == {"i": 298, "j": 1}
    assert [found.personas[place][1].name for place in (0, 1, -1)] == ["0", ids[0], "Zoe"]
    # and when more have changed than one in a hundred, they are written again.
    second.index.delete(ids[10], 2)
    third = decode(encode(Snapshot(second.index, "", base=second.base)))
    assert third.base is not None
    assert third.base.header["size"] == len(third.index) == 298


def test_holds_more_than_a_portion_of_texts() -> None:
    with patch.object(snapshot_format, "_PORTION", 10), patch.object(snapshot_format, "_TURN", 3):
        found = decode(a_snapshot()).index.search(EVERYTHING, {})
    assert {row.description for _, row in found.personas} == {"Countess"}


@pytest.mark.parametrize(
    ("query", "inflated"),
    [
        (Query(caller_departments=None, page_size=0), 0),
        (Query(caller_departments=None, page_size=2), 1),
        (Query(caller_departments=None, page_size=12), 2),
        # The words of the base and where they start, and where their docs do; then the page.
        (Query(caller_departments=None, text="countess", page_size=2), 3 + 1),
        (Query(caller_departments=None, text="ada 0", page_size=2), 3 + 4),
    ],
    ids=["no page", "a page", "a page in two portions", "a word", "two words"],
)
def test_inflates_what_a_search_looks_at(query: Query, inflated: int) -> None:
    # Given a snapshot whose texts lie in four portions,
    with patch.object(snapshot_format, "_PORTION", 10):
        index = decode(a_snapshot()).index
        with (
            patch.object(snapshot_format, "inflate", wraps=snapshot_format.inflate) as texts,
            patch.object(snapshot_format, "unpack_numbers", wraps=snapshot_format.unpack_numbers) as numbers,
        ):
            # when it is searched,
            index.search(query, {})
            # then no more is inflated than the search needs,
            assert texts.call_count + numbers.call_count == inflated
            # and nothing a second time.
            index.search(query, {})
            assert texts.call_count + numbers.call_count == inflated


@pytest.mark.parametrize("text", ["ada", ""])
def test_weighs_more_once_its_texts_are_in_memory(text: str) -> None:
    # Given a snapshot in memory whose page was shown,
    with patch.object(snapshot_format, "_PORTION", 10):
        index = decode(a_snapshot()).index
        index.search(Query(caller_departments=None, text="countess", page_size=2), {})
        before = index.size_bytes()
        # when more of its texts are looked at,
        index.search(Query(caller_departments=None, text=text, page_size=15), {})
        # then it weighs more.
        assert index.size_bytes() > before


def test_weighs_more_once_its_words_are_in_memory() -> None:
    # Given a snapshot in memory,
    index = decode(a_snapshot()).index
    before = index.size_bytes()
    # when a word is looked for, and no page is shown, then it weighs more.
    index.search(Query(caller_departments=None, text="countess", page_size=0), {})
    assert index.size_bytes() > before


def test_weighs_the_snapshot_until_all_of_it_is_in_memory() -> None:
    # Given a snapshot in memory of which nothing was shown,
    data = a_snapshot()
    index = decode(data).index
    before = index.size_bytes()
    # when all of its texts are looked at, and its words,
    for text in ("", "ada 0"):
        index.search(Query(caller_departments=None, text=text, page_size=39), {})
    # then it weighs what was loaded, and the snapshot no more.
    texts = index._documents.texts
    assert texts.words is not None
    assert (
        index.size_bytes() - before == texts.base_texts.size_bytes() + texts.words.size_bytes() - texts.base_texts.held
    )


def test_takes_in_new_words_at_once_where_those_of_the_base_are_in_memory() -> None:
    # Given an index that was made row by row,
    index = index_of([(IDS[0], 1, {"n": "Ada"})])
    before = index.size_bytes()
    # when many personas with the same words come to it,
    for number, persona_id in enumerate(IDS[1:]):
        index.upsert(persona_id, 1, {"n": f"Ada {number % 2}", "d": "one two three"})
    # then it holds each word once, and none of them waits.
    words = index._documents.texts.words
    assert words is not None
    assert not words._added
    assert len(words.taken_in().bitmaps) == len(["ada", "0", "1", "one", "two", "three"])
    assert index.size_bytes() >= before


def test_knows_the_words_of_the_base_again() -> None:
    # Given an index that was written as a new base,
    index = index_of([(IDS[0], 1, {"n": "Ada one", "d": "two"})])
    index.to_columns()
    # when a persona with the same words comes to it,
    index.upsert(IDS[1], 1, {"n": "two", "d": "one Ada"})
    # then it still holds each word once.
    words = index._documents.texts.words
    assert words is not None
    assert len(words.taken_in().bitmaps) == len(["ada", "one", "two"])


@pytest.mark.parametrize("section", ["texts.0", "words"])
def test_finds_texts_of_other_lengths_when_it_loads_them(section: str) -> None:
    # Given a whole snapshot in which a section is longer than the columns say,
    data = a_snapshot()
    base = decode(data).base
    assert base is not None
    longer = [
        each._replace(stored=deflate(inflate(each.stored) + b"x ")) if each.name == section else each
        for each in base.sections
    ]
    index = decode(encode(Snapshot(decode(data).index, "", base._replace(sections=longer)))).index
    # when it is looked into, then that is damage, and no wrong answer.
    with pytest.raises(SnapshotDamaged):
        index.search(Query(caller_departments=None, text="ada 0"), {})


def test_holds_an_index_without_words() -> None:
    with patch("personas.search.text_search._WORDS_LEAST", 0):
        index = index_of([(IDS[0], 1, {"n": "one two three four"})])
        snapshot = decode(encode(Snapshot(index, "")))
    assert snapshot.index.search(Query(caller_departments=None, text="wo th"), {}).total == 1
    assert snapshot.index.upsert(IDS[1], 1, {"n": "two things"})
    assert snapshot.index.search(Query(caller_departments=None, text="wo th"), {}).total == 2


def test_finds_every_damaged_byte() -> None:
    data = a_snapshot()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(SnapshotDamaged):
            decode(bytes(damaged))


@given(st.data())
def test_finds_what_is_missing_or_too_much(data: st.DataObject) -> None:
    whole = a_snapshot()
    start, stop = sorted(data.draw(st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))))
    extra = data.draw(st.binary(max_size=3))
    if whole[:start] + extra + whole[stop:] != whole:
        with pytest.raises(SnapshotDamaged):
            decode(whole[:start] + extra + whole[stop:])


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_is_never_startled(start: bytes, rest: bytes) -> None:
    for data in (start, b"PERSONAS" + rest, sealed(b"PERSONAS----" + rest), sealed(b"PERSONAS----\2\0" + rest)):
        with pytest.raises((SnapshotDamaged, SnapshotVersionUnknown)):
            decode(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 38_000},
        {"size": -1},
        {"size": "many"},
        {"arrays": {}},
        {"strings": []},
        {"bitmaps": []},
        {"sections": []},
        {"sections": [["seq", "planes", 10]]},
        {"arrays": {"id": "x"}},
        {"arrays": ["id"]},
    ],
)
def test_finds_contents_that_do_not_fit_together(changes: Mapping[str, object]) -> None:
    with pytest.raises(SnapshotDamaged):
        decode(with_header(a_snapshot(), **changes))


@pytest.mark.parametrize("name", sorted(SavedColumns.empty().arrays))
def test_takes_no_column_that_is_longer_than_the_others(name: str) -> None:
    # Given the columns of a few personas, one of which has an entry too many,
    saved = decode(a_snapshot()).index.to_columns()
    saved.arrays[name].append(0)
    # when an index is to be made of them, then they are refused.
    with pytest.raises(ValueError, match="do not fit together"):
        Index(saved)


@pytest.mark.parametrize("name", sorted(SavedColumns.empty().bitmaps))
def test_takes_no_options_of_which_the_docs_are_missing(name: str) -> None:
    # Given the columns of a few personas, and an option without a set of docs,
    saved = decode(a_snapshot()).index.to_columns()
    saved.strings[name].append("option")
    # when an index is to be made of them, then they are refused.
    with pytest.raises(ValueError, match="do not fit together"):
        Index(saved)


def test_knows_what_it_does_not_know() -> None:
    data = a_snapshot()
    with pytest.raises(SnapshotVersionUnknown, match="format 3"):
        decode(sealed(data[:12] + struct.pack("<H", 3) + data[14:]))
    with pytest.raises(SnapshotVersionUnknown, match=r"Unicode 1\.1\.0"):
        decode(with_header(data, unicode="1.1.0"))
    assert decode(with_header(data)).watermark == "2026-01-01T00:00:00.000000Z"
