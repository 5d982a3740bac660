"""The order of the list, folded name and then id, over a base that lies in it and late slots that do not."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import chain
from math import isqrt
from typing import Final, NamedTuple

from pyroaring import BitMap

type OrderOf = Callable[[int], tuple[bytes, bytes]]
"""What a slot of the base is sorted by."""

_LATE_LEAST: Final = 256


class _Late(NamedTuple):
    """A late slot, as it stands in the list: by name and id. ``before`` is the slot of the base that it precedes."""

    name: bytes
    id: bytes
    slot: int
    before: int


def late_limit(base: int) -> int:
    """How many changes a base of so many slots may bear.

    Writing a new base costs about 3 µs a slot, a late slot 50 ns at every search that it takes part in. Where a
    search comes with every change, the two together are least at the square root of 2 × 3 µs / 50 ns × slots.
    """
    return max(_LATE_LEAST, isqrt(120 * base))


class Order:
    """Where in the list the late slots stand. The slots from 0 up to ``base`` are in its order themselves."""

    def __init__(self, base: int) -> None:
        self.base = base
        self._late: list[_Late] = []
        self._unplaced: list[tuple[bytes, bytes, int]] = []

    def __len__(self) -> int:
        return len(self._late) + len(self._unplaced)

    def append(self, name: bytes, persona_key: bytes, slot: int) -> None:
        """Note a late slot. It has its place in the list after the next `place`."""
        self._unplaced.append((name, persona_key, slot))

    def place(self, live: BitMap, order_of: OrderOf) -> None:
        """Sort the late slots in that are not yet, and forget those that are no longer in use."""
        if not self._unplaced:
            return
        base = range(self.base)
        placed = [late for late in self._late if late.slot in live]
        for name, persona_key, slot in self._unplaced:
            if slot in live:
                before = bisect_left(base, (name, persona_key), key=order_of)
                placed.append(_Late(name, persona_key, slot, before))
        placed.sort()
        self._late = placed
        self._unplaced.clear()

    def window(self, matches: BitMap, offset: int, size: int) -> list[int]:
        """The slots of the matches from the given place of the list on."""
        offset = min(offset, len(matches))
        in_base = matches.range_cardinality(0, self.base)
        if in_base == len(matches):
            return list(matches[offset : offset + size])
        late = [each for each in self._late if each.slot in matches]

        def place(number: int) -> int:
            before = late[number].before
            return number + (matches.rank(before - 1) if before else 0)

        number = bisect_left(range(len(late)), offset, key=place)
        rest = iter(matches[min(offset - number, in_base) : min(offset - number + size, in_base)])
        slots: list[int] = []
        for at in range(offset, min(offset + size, len(matches))):
            if number < len(late) and place(number) == at:
                slots.append(late[number].slot)
                number += 1
            else:
                slots.append(next(rest))
        return slots

    def runs(self, live: BitMap) -> Iterator[tuple[int, int]]:
        """What is in use, in the order of the list, as runs of slots."""
        base = self.base
        gone = iter(BitMap(range(base)) - live)
        next_gone, start = next(gone, base), 0
        for stop, slot in chain(
            ((late.before, late.slot) for late in self._late if late.slot in live), ((base, None),)
        ):
            while next_gone < stop:
                if start < next_gone:
                    yield start, next_gone
                start, next_gone = next_gone + 1, next(gone, base)
            if start < stop:
                yield start, stop
            start = max(start, stop)
            if slot is not None:
                yield slot, slot + 1
