"""The columns of an index: the values of a doc, and where its part lies, summed up in blocks or as a whole."""

from array import array
from itertools import accumulate, pairwise
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from personas.search import columns
from personas.search.columns import Ragged, Single, Starts, bytes_of


@given(st.lists(st.integers(0, 5), max_size=30))
def test_a_part_lies_where_the_lengths_before_it_end(lengths: list[int]) -> None:
    # Given the lengths of some docs' parts, in blocks of four,
    parts = [slice(*ends) for ends in pairwise(accumulate(lengths, initial=0))]
    with patch.object(columns, "_BLOCK", 4):
        starts = Starts(array("I", lengths))
        # when their places are asked for by block, and once all are summed up,
        by_block = [starts.part(doc) for doc in range(len(lengths))]
        before = starts.docs, starts.end
        whole = starts.whole()
        # then both times each lies behind the one before it.
        assert by_block == parts == [starts.part(doc) for doc in range(len(lengths))]
        assert before == (starts.docs, starts.end) == (len(lengths), sum(lengths))
        assert whole.tolist() == list(accumulate(lengths, initial=0))


@given(st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=5))
def test_a_doc_has_its_own_values(docs: list[list[int]]) -> None:
    # Given docs with some values each, and columns that hold the first of them, or all,
    single, ragged = Single(array("I")), Ragged(array("I"), Starts(array("I")))
    for values in docs:
        single.append(array("I", values))
        ragged.append(array("I", values))
    # when a doc is asked for, then it has these, and none of the next doc.
    assert [ragged.at(doc).tolist() for doc in range(len(docs))] == docs
    assert [single.at(doc).tolist() for doc in range(len(docs))] == [(values or [0])[:1] for values in docs]


def test_a_column_takes_the_bytes_of_its_numbers() -> None:
    # Given three numbers of four bytes and one of eight, then they take twenty.
    assert bytes_of((array("I", (1, 2, 3)), array("Q", (1,)))) == 20
