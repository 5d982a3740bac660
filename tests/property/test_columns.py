"""The columns of an index: where the part of each doc lies, summed up in blocks or as a whole."""

from array import array
from itertools import accumulate, pairwise
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from personas.search import columns
from personas.search.columns import Starts


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
