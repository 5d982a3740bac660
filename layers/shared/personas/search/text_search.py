"""The names and descriptions of all docs, and the search for a text in them."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import accumulate, chain, compress, repeat
from operator import and_, contains
from typing import Final

from pyroaring import BitMap
from stringzilla import Str

from personas.domain.folding import fold
from personas.search.columns import BITMAP_BYTES, ENTRY_BYTES, Runs, bytes_of

# UTF-8 has neither of these bytes, so that no match spans two texts, whatever the texts are.
_BETWEEN: Final = b"\xfe"
_END: Final = b"\xff"
_SPACE: Final = b" "

_WORDS_LEAST: Final = 20_000
_LOOKS_A_SCAN: Final = 64
"""Looking into one text costs about as much as scanning so many."""


class Corpus:
    """Texts in one buffer, one behind the other: text t is ``joined[starts[t]:starts[t + 1]]``.

    Each ends with a byte that no search is for.
    """

    def __init__(self, joined: bytes, starts: array[int]) -> None:
        self.joined = joined
        self.starts = starts
        self._haystack = Str(joined)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def containing(self, needle: bytes) -> array[int]:
        """Return the numbers of the texts that contain the needle, in order."""
        find, starts, end = self._haystack.find, self.starts, len(self.joined)
        found = array("I")
        number = 0
        while (at := find(needle, starts[number], end)) >= 0:
            number = bisect_right(starts, at, number)
            found.append(number - 1)
        return found

    def contains(self, number: int, needle: bytes) -> bool:
        """Tell whether one text contains the needle."""
        return self._haystack.find(needle, self.starts[number], self.starts[number + 1]) >= 0


class Words:
    """The docs of every word, which is the part between two spaces of a folded text.

    A text contains a needle without spaces exactly if one of its words does, and there are far fewer words than texts:
    to look through the words and unite the docs of those that match takes a fraction of looking through the texts.
    The docs of a word may have gone out of use.
    """

    def __init__(self, corpus: Corpus, bitmaps: list[BitMap]) -> None:
        self.corpus = corpus
        self.bitmaps = bitmaps
        self._new: list[str] = []
        self._codes: dict[str, int] | None = None

    def append(self, doc: int, words: Iterable[str]) -> None:
        """Note the words of a new doc."""
        if self._codes is None:
            self._codes = {word: code for code, word in enumerate(self._words())}
        for word in words:
            code = self._codes.get(word)
            if code is None:
                code = self._codes[word] = len(self.bitmaps)
                self._new.append(word)
                self.bitmaps.append(BitMap())
            self.bitmaps[code].add(doc)

    def containing(self, part: str) -> BitMap:
        """Return the docs with a word that contains the part of a needle, which has no spaces."""
        new = range(len(self.corpus), len(self.bitmaps))
        codes = chain(self.corpus.containing(_utf8(part)), compress(new, map(contains, self._new, repeat(part))))
        return BitMap().union(*map(self.bitmaps.__getitem__, codes))

    def gathered(self, place: array[int], in_use: BitMap) -> "Words | None":
        """Return the words of the docs in use, which move; None if there are too many words to be worth it.

        Languages that do not part words by spaces have about as many of them as texts.
        """
        moved = [array("I", map(place.__getitem__, (bitmap & in_use).to_array())) for bitmap in self.bitmaps]
        if sum(map(bool, moved)) > max(_WORDS_LEAST, len(in_use)):
            return None
        words = [_utf8(word) + _SPACE for word in compress(self._words(), moved)]
        starts = array("I", accumulate(map(len, words), initial=0))
        # Not optimized: runs are slow to count with.
        bitmaps = [BitMap(docs, optimize=False) for docs in moved if docs]
        return Words(Corpus(b"".join(words), starts), bitmaps)

    def size_bytes(self) -> int:
        """Return about how many bytes of memory the words take."""
        entries = ENTRY_BYTES * len(self._codes or ())
        bitmaps = sum(BITMAP_BYTES + 2 * len(bitmap) for bitmap in self.bitmaps)
        return len(self.corpus.joined) + bytes_of((self.corpus.starts,)) + entries + bitmaps

    def _words(self) -> Iterator[str]:
        return chain(_text(self.corpus.joined).split(" ")[:-1], self._new)


class Texts:
    """Name and description of every doc, as written and folded, and the search for a text in the folded ones.

    The delta lies in lists and is looked through one by one.
    """

    def __init__(self, folded: Corpus, written: bytes, written_starts: array[int], words: Words | None) -> None:
        self.folded = folded
        self.written = written
        self.written_starts = written_starts
        self.words = words
        self.base = len(folded)
        self._delta_folded: list[bytes] = []
        self._delta_written: list[bytes] = []

    def append(self, name: str, description: str) -> bytes:
        """Add the next doc's texts, and return the folded name."""
        folded_name, folded_description = fold(name), fold(description)
        if self.words is not None:
            words = {*folded_name.split(" "), *folded_description.split(" ")}
            self.words.append(self.base + len(self._delta_folded), words - {""})
        name_key = _utf8(folded_name)
        self._delta_folded.append(b"".join((name_key, _BETWEEN, _utf8(folded_description), _END)))
        self._delta_written.append(b"".join((_utf8(name), _BETWEEN, _utf8(description))))
        return name_key

    def written_at(self, doc: int) -> tuple[str, str]:
        """Return a doc's name and description."""
        if doc < self.base:
            text = self.written[self.written_starts[doc] : self.written_starts[doc + 1]]
        else:
            text = self._delta_written[doc - self.base]
        name, _, description = text.partition(_BETWEEN)
        return _text(name), _text(description)

    def folded_name_at(self, doc: int) -> bytes:
        """Return the folded name of a doc of the base."""
        start = self.folded.starts[doc]
        return self.folded.joined[start : self.folded.joined.index(_BETWEEN, start)]

    def find(self, folded: str) -> BitMap:
        """Return the docs whose folded texts contain this folded text, among them docs that are no longer in use."""
        parts = folded.split(" ")
        if self.words is not None and any(parts):
            candidates = reduce(and_, map(self.words.containing, filter(None, parts)))
            if len(parts) == 1:
                return candidates
            if len(candidates) * _LOOKS_A_SCAN < self.base:
                needle = _utf8(folded)
                looked_at = candidates.to_array()
                return BitMap(array("I", (doc for doc in looked_at if self._contains(doc, needle))), optimize=False)
        needle = _utf8(folded)
        found = self.folded.containing(needle)
        found.extend(self.base + number for number, text in enumerate(self._delta_folded) if needle in text)
        return BitMap(found, optimize=False)

    def _contains(self, doc: int, needle: bytes) -> bool:
        if doc < self.base:
            return self.folded.contains(doc, needle)
        return needle in self._delta_folded[doc - self.base]

    def gathered(self, runs: Runs, place: array[int], in_use: BitMap) -> "Texts":
        """Return the texts of these docs, in this order, as a new base."""
        folded_parts: list[bytes] = []
        written_parts: list[bytes] = []
        folded_starts, written_starts = array("I", (0,)), array("I", (0,))
        for start, stop in runs:
            if start < self.base:
                folded_parts.append(_copied(self.folded.joined, self.folded.starts, start, stop, folded_starts))
                written_parts.append(_copied(self.written, self.written_starts, start, stop, written_starts))
            else:
                for number in range(start - self.base, stop - self.base):
                    folded_parts.append(self._delta_folded[number])
                    folded_starts.append(folded_starts[-1] + len(folded_parts[-1]))
                    written_parts.append(self._delta_written[number])
                    written_starts.append(written_starts[-1] + len(written_parts[-1]))
        words = self.words and self.words.gathered(place, in_use)
        return Texts(Corpus(b"".join(folded_parts), folded_starts), b"".join(written_parts), written_starts, words)

    def size_bytes(self) -> int:
        """Return about how many bytes of memory the texts take."""
        texts = [self.folded.joined, self.written, *self._delta_folded, *self._delta_written]
        words = 0 if self.words is None else self.words.size_bytes()
        return sum(map(len, texts)) + bytes_of((self.folded.starts, self.written_starts)) + words


def _copied(joined: bytes, starts: array[int], start: int, stop: int, into: array[int]) -> bytes:
    """Return the texts from ``start`` to ``stop``; where they start goes to the end of ``into``."""
    into.extend(map((into[-1] - starts[start]).__add__, starts[start + 1 : stop + 1]))
    return joined[starts[start] : starts[stop]]


def _utf8(text: str) -> bytes:
    # A lone surrogate cannot be stored; that a request looks for one is no reason to fail.
    return text.encode("utf-8", "surrogatepass")


def _text(utf8: bytes) -> str:
    return utf8.decode("utf-8", "surrogatepass")
