"""The ids of a write, and of the things that it makes.

Under an Idempotency-Key both follow from the key, so that a repeat after a crash finds what the first attempt did and
completes the rest. A write's id also depends on the body: another body under the same key cannot pass for a repeat.
"""

import hashlib
from typing import Protocol
from uuid import uuid4, uuid5

from personas.domain.text import NAMESPACE


class Intent(Protocol):
    """The intent of a call that writes. ``item`` is the position in a bulk call."""

    @property
    def may_be_done(self) -> bool:
        """True if an earlier call with this intent may have written: its writes are looked for before any decision."""

    def new_id(self, item: int = 0) -> str:
        """Return the id of the thing that an item makes."""

    def write_id(self, item: int = 0) -> str:
        """Return the id of an item's write: always the same for the same item of this intent."""


class OneTime:
    """The intent of a call that carries no Idempotency-Key: every attempt is a new one."""

    may_be_done = False

    def __init__(self) -> None:
        self._nonce = uuid4().hex[:16]

    def new_id(self, item: int = 0) -> str:
        """Return a random id."""
        return str(uuid4())

    def write_id(self, item: int = 0) -> str:
        """Return a random id for this call, then the position."""
        return f"{self._nonce}.{item}"


class Keyed:
    """The intent behind one use of an Idempotency-Key.

    ``scope`` is group, profile and operation; ``key`` the header and the mark that distinguishes this use of it from
    an earlier one that is forgotten by now; ``body`` the body that was sent; ``may_be_done`` says that the call takes
    over the record of an earlier one.
    """

    def __init__(self, scope: str, key: str, body: str, *, may_be_done: bool = False) -> None:
        self.may_be_done = may_be_done
        self._seed = uuid5(NAMESPACE, f"idempotency/{scope}/{key}")
        self._write = hashlib.sha256(f"{self._seed}/{body}".encode()).hexdigest()[:16]

    def new_id(self, item: int = 0) -> str:
        """Return the id that follows from the key and the position."""
        return str(uuid5(self._seed, str(item)))

    def write_id(self, item: int = 0) -> str:
        """Return the id that follows from the key, the body and the position."""
        return f"{self._write}.{item}"
