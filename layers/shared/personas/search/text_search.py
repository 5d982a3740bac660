"""The names and descriptions of all docs, and the search for a text in them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Buffer, Callable, Iterable, Sequence
from functools import reduce
from itertools import accumulate, chain, compress, repeat
from operator import and_, contains
from typing import Final, NamedTuple

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

    @classmethod
    def of(cls, parts: Sequence[Corpus]) -> Corpus:
        """Return the texts of all parts as one corpus."""
        starts = array("I", (0,))
        return cls(b"".join([each.copied(0, len(each), starts) for each in parts]), starts)

    def text(self, number: int) -> bytes:
        """Return a text."""
        return self.joined[self.starts[number] : self.starts[number + 1]]

    def copied(self, start: int, stop: int, into: array[int]) -> bytes:
        """Return the texts from ``start`` to ``stop``; where they start goes to the end of ``into``."""
        starts = self.starts
        into.extend(map((into[-1] - starts[start]).__add__, starts[start + 1 : stop + 1]))
        return self.joined[starts[start] : starts[stop]]

    def containing(self, needle: bytes) -> array[int]:
        """Return the numbers of the texts that contain the needle, in order."""
        find, starts, end = self._haystack.find, self.starts, len(self.joined)
        found = array("I")
        number = 0
        while (at := find(needle, starts[number], end)) >= 0:
            number = bisect_right(starts, at, number)
            found.append(number - 1)
        return found

    def size_bytes(self) -> int:
        """Return how many bytes of memory the texts take."""
        return len(self.joined) + bytes_of((self.starts,))


class WordDocs(NamedTuple):
    """Words, each with a space behind it, and the docs of each."""

    corpus: Corpus
    bitmaps: list[BitMap]

    @classmethod
    def none(cls) -> WordDocs:
        """Return no words."""
        return cls(Corpus(b"", array("I", (0,))), [])

    def words(self) -> list[str]:
        """Return the words of the corpus."""
        return _text(self.corpus.joined).split(" ")[:-1]


class Words:
    """The docs of every word, which is the part between two spaces of a folded text.

    A text contains a needle without spaces exactly if one of its words does, and there are far fewer words than texts:
    to look through the words and unite the docs of those that match takes a fraction of looking through the texts.
    The docs of a word may have gone out of use. The words of the base are loaded when they are first looked at.
    """

    def __init__(self, load: Callable[[], WordDocs]) -> None:
        self._load = load
        self._base: WordDocs | None = None
        self._added: list[tuple[int, Iterable[str]]] = []
        self._new: list[str] = []
        self._codes: dict[str, int] | None = None

    @classmethod
    def of(cls, words: WordDocs) -> Words:
        """Return words that are in memory."""
        own = cls(WordDocs.none)
        own._base = words
        return own

    @property
    def is_loaded(self) -> bool:
        """True once they have been looked at."""
        return self._base is not None

    def taken_in(self) -> WordDocs:
        """Return the words of the base, and behind their docs those of the new words."""
        if self._base is None:
            self._base, self._load = self._load(), WordDocs.none
            for doc, words in self._added:
                self._take_in(self._base, doc, words)
            self._added.clear()
        return self._base

    def append(self, doc: int, words: Iterable[str]) -> None:
        """Note the words of a new doc. Until those of the base are loaded, they wait: nobody may ever look at them."""
        if self._base is None:
            self._added.append((doc, words))
        else:
            self._take_in(self._base, doc, words)

    def _take_in(self, base: WordDocs, doc: int, words: Iterable[str]) -> None:
        if self._codes is None:
            self._codes = {word: code for code, word in enumerate(base.words())}
        for word in words:
            code = self._codes.get(word)
            if code is None:
                code = self._codes[word] = len(base.bitmaps)
                self._new.append(word)
                base.bitmaps.append(BitMap())
            base.bitmaps[code].add(doc)

    def containing(self, part: str) -> BitMap:
        """Return the docs with a word that contains the part of a needle, which has no spaces."""
        corpus, bitmaps = self.taken_in()
        new = range(len(corpus), len(bitmaps))
        codes = chain(corpus.containing(_utf8(part)), compress(new, map(contains, self._new, repeat(part))))
        return BitMap().union(*map(bitmaps.__getitem__, codes))

    def gathered(self, place: array[int], in_use: BitMap) -> Words | None:
        """Return the words of the docs in use, which move; None if there are too many words to be worth it.

        Languages that do not part words by spaces have about as many of them as texts.
        """
        base = self.taken_in()
        moved = [array("I", map(place.__getitem__, (bitmap & in_use).to_array())) for bitmap in base.bitmaps]
        if sum(map(bool, moved)) > max(_WORDS_LEAST, len(in_use)):
            return None
        words = [_utf8(word) + _SPACE for word in compress(chain(base.words(), self._new), moved)]
        starts = array("I", accumulate(map(len, words), initial=0))
        # Not optimized: runs are slow to count with.
        bitmaps = [BitMap(docs, optimize=False) for docs in moved if docs]
        return Words.of(WordDocs(Corpus(b"".join(words), starts), bitmaps))

    def size_bytes(self) -> int:
        """Return about how many bytes of memory the words take, once they are loaded."""
        if self._base is None:
            return 0
        entries = ENTRY_BYTES * len(self._codes or ())
        bitmaps = sum(BITMAP_BYTES + 2 * len(bitmap) for bitmap in self._base.bitmaps)
        return self._base.corpus.size_bytes() + entries + bitmaps


class TextRun(NamedTuple):
    """The texts of some docs that follow each other."""

    written: Corpus
    folded: Corpus

    @classmethod
    def none(cls) -> TextRun:
        """Return the texts of no docs."""
        return cls(Corpus(b"", array("I", (0,))), Corpus(b"", array("I", (0,))))


class BaseTexts:
    """The texts of the docs of a base, in runs of the same length, each of which is loaded when it is first used.

    A page takes some of them, a needle without spaces none.
    """

    def __init__(
        self, docs: int, run: int, stored: Sequence[Buffer], held: int, load: Callable[[int, Buffer], TextRun]
    ) -> None:
        """Take the texts of so many docs by ``load``, which returns those of the n-th run of ``run`` docs.

        It gets the number of the run and its bytes, as they are ``stored``; ``held`` is how many bytes of memory all of
        these keep. Whatever needs texts raises all that ``load`` raises.
        """
        self._docs = docs
        self._run = run
        self._stored: list[Buffer] = list(stored)
        self.held = held
        """The bytes of memory that all that is stored takes, as long as some of it is not loaded."""
        self._load = load
        self._loaded: dict[int, TextRun] = {}

    @classmethod
    def of(cls, texts: TextRun) -> BaseTexts:
        """Return texts that are in memory."""
        docs = len(texts.folded)
        own = cls(docs, max(1, docs), (), 0, lambda *_: texts)
        own._loaded[0] = texts
        return own

    def __len__(self) -> int:
        return self._docs

    @property
    def is_loaded(self) -> bool:
        """True once all of them are in memory."""
        return not any(self._stored)

    @property
    def loaded(self) -> int:
        """A number that changes with each run that is loaded."""
        return len(self._loaded) * self._run

    def written_at(self, doc: int) -> bytes:
        """Return the texts of a doc as they are written."""
        return self._run_at(doc // self._run).written.text(doc % self._run)

    def folded_at(self, doc: int) -> bytes:
        """Return the texts of a doc, folded."""
        return self._run_at(doc // self._run).folded.text(doc % self._run)

    def whole(self) -> TextRun:
        """Return the texts of all docs."""
        if self._run < self._docs:
            runs = [self._run_at(number) for number in range(len(self._stored))]
            whole = TextRun(Corpus.of([each.written for each in runs]), Corpus.of([each.folded for each in runs]))
            self._run, self._loaded = self._docs, {0: whole}
        return self._run_at(0) if self._docs else TextRun.none()

    def _run_at(self, number: int) -> TextRun:
        run = self._loaded.get(number)
        if run is None:
            run = self._loaded[number] = self._load(number, self._stored[number])
            self._stored[number] = b""
        return run

    def size_bytes(self) -> int:
        """Return how many bytes of memory the texts take that are loaded."""
        return sum(corpus.size_bytes() for run in self._loaded.values() for corpus in run)


class Texts:
    """Name and description of every doc, as written and folded, and the search for a text in the folded ones.

    The delta lies in lists and is looked through one by one.
    """

    def __init__(self, base: BaseTexts, words: Words | None) -> None:
        self.base_texts = base
        self.words = words
        self.base = len(base)
        self._delta_folded: list[bytes] = []
        self._delta_written: list[bytes] = []

    @property
    def loaded(self) -> int:
        """A number that grows with each part that comes into memory: runs of texts, and the words."""
        return self.base_texts.loaded + (self.words is not None and self.words.is_loaded)

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
        text = self.base_texts.written_at(doc) if doc < self.base else self._delta_written[doc - self.base]
        name, _, description = text.partition(_BETWEEN)
        return _text(name), _text(description)

    def folded_name_at(self, doc: int) -> bytes:
        """Return the folded name of a doc of the base."""
        return self.base_texts.folded_at(doc).partition(_BETWEEN)[0]

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
                return BitMap(array("I", (doc for doc in looked_at if needle in self._folded_at(doc))), optimize=False)
        needle = _utf8(folded)
        found = self.base_texts.whole().folded.containing(needle)
        found.extend(self.base + number for number, text in enumerate(self._delta_folded) if needle in text)
        return BitMap(found, optimize=False)

    def _folded_at(self, doc: int) -> bytes:
        return self.base_texts.folded_at(doc) if doc < self.base else self._delta_folded[doc - self.base]

    def gathered(self, runs: Runs, place: array[int], in_use: BitMap) -> Texts:
        """Return the texts of these docs, in this order, as a new base."""
        written, folded = self.base_texts.whole()
        folded_parts: list[bytes] = []
        written_parts: list[bytes] = []
        folded_starts, written_starts = array("I", (0,)), array("I", (0,))
        for start, stop in runs:
            if start < self.base:
                folded_parts.append(folded.copied(start, stop, folded_starts))
                written_parts.append(written.copied(start, stop, written_starts))
            else:
                for number in range(start - self.base, stop - self.base):
                    folded_parts.append(self._delta_folded[number])
                    folded_starts.append(folded_starts[-1] + len(folded_parts[-1]))
                    written_parts.append(self._delta_written[number])
                    written_starts.append(written_starts[-1] + len(written_parts[-1]))
        new = TextRun(Corpus(b"".join(written_parts), written_starts), Corpus(b"".join(folded_parts), folded_starts))
        return Texts(BaseTexts.of(new), self.words and self.words.gathered(place, in_use))

    def size_bytes(self) -> int:
        """Return about how many bytes of memory the texts take."""
        delta = sum(map(len, chain(self._delta_folded, self._delta_written)))
        all_loaded = self.base_texts.is_loaded and (self.words is None or self.words.is_loaded)
        loaded = self.base_texts.size_bytes() + (0 if self.words is None else self.words.size_bytes())
        return delta + loaded + (0 if all_loaded else self.base_texts.held)


def _utf8(text: str) -> bytes:
    # A lone surrogate cannot be stored; that a request looks for one is no reason to fail.
    return text.encode("utf-8", "surrogatepass")


def _text(utf8: bytes) -> str:
    return utf8.decode("utf-8", "surrogatepass")
