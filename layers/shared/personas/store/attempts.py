"""The one loop around calls to AWS: tried again, with jitter, for as long as the invocation has time.

botocore's own retries are off (`personas.runtime`): they do not look at the deadline, and they send the same bytes
again where a write has to carry a new stamp.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from personas.errors import GroupFull, OutcomeUnknown, Unavailable
from personas.runtime import LAST_CALL, UNLIMITED, Deadline
from personas.store.attributes import decode_item
from personas.store.faults import Meaning, meaning

if TYPE_CHECKING:
    from personas.store.attributes import Item

_LOOKS_AT_ONCE: Final = 3
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_JITTER: Final = SystemRandom()
"""Chance of the system's, without a state that copies of one environment share: they would all pause alike."""
_BUSY: Final = "The store is busy or out of reach, and nothing was saved. Try again shortly."


class ConditionFailed(Exception):
    """A failed condition of a write; ``item`` is what stands there instead, or None for nothing.

    ``unsure`` says that the answer of an earlier attempt was lost, which may have taken effect.
    """

    def __init__(self, item: Item | None, *, unsure: bool = False) -> None:
        super().__init__("the item was written by someone else")
        self.item = item
        self.unsure = unsure


def attempted[T](
    deadline: Deadline, call: Callable[[], T], *, writes: bool = False, most: int | None = None, busy: str = _BUSY
) -> T:
    """Return the answer to ``call``, which is made again for every attempt, at most ``most`` of them.

    Raises:
        ConditionFailed: its condition did not hold.
        OutcomeUnknown: it ``writes``, and no attempt was answered in time, but one of them was sent.
        Unavailable: no attempt was answered in time; ``busy`` is what is told.
        GroupFull: there is no room for what it writes.
        ClientError: the call is a mistake of ours.
    """
    tries = Tries(deadline, most)
    lost = 0
    while True:
        tries.check_time(unknown=lost > 0, busy=busy)
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            what = meaning(error)
            if what is Meaning.CONDITION:
                raise ConditionFailed(_item_in(error), unsure=lost > 0) from None
            if what is Meaning.FULL:
                raise GroupFull from None
            if what is Meaning.DEFECT:
                raise
            lost += writes and what is Meaning.UNKNOWN
            # A write that may have taken effect is looked for at once: every other write hides it more.
            at_once = writes and what is Meaning.UNKNOWN and lost <= _LOOKS_AT_ONCE
            tries.pause_or_give_up(unknown=lost > 0, at_once=at_once, cause=error, busy=busy)


class Tries:
    """The pace of the attempts of one thing: exponential pauses with full jitter, within the invocation's time."""

    def __init__(self, deadline: Deadline, most: int | None = None) -> None:
        self._deadline = deadline
        self._most = most
        self._began = time.monotonic()
        self._made = 0

    def check_time(self, *, unknown: bool, busy: str = _BUSY) -> None:
        """Ensure that there is time for a call at all: what is not sent is not saved either.

        Raises:
            OutcomeUnknown, Unavailable: there is none.
        """
        left = self._deadline.left_for_calls()
        if left is not None and left <= timedelta():
            raise _given_up(unknown, busy)

    def may_try_again(self, *, at_once: bool = False) -> bool:
        """Pause before the next attempt, or not if it comes ``at_once``; return False if it could not end in time."""
        self._made += 1
        longest = 0.0 if at_once else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._made)
        pause = _JITTER.uniform(0, longest)
        left = self._deadline.left_for_calls()
        if left is None:
            left = UNLIMITED - timedelta(seconds=time.monotonic() - self._began)
        if self._made == self._most or left < LAST_CALL + timedelta(seconds=pause):
            return False
        time.sleep(pause)
        return True

    def pause_or_give_up(
        self, *, unknown: bool, at_once: bool = False, cause: BaseException | None = None, busy: str = _BUSY
    ) -> None:
        """Wait for the next attempt of a call; ``unknown``: an earlier one may have taken effect.

        Raises:
            OutcomeUnknown, Unavailable: there is no time for another.
        """
        if not self.may_try_again(at_once=at_once):
            raise _given_up(unknown, busy) from cause


def outcome_unknown() -> OutcomeUnknown:
    """Return the error of a write that may have been saved."""
    return OutcomeUnknown(
        "The write may or may not have been saved: its answer was lost. Repeat it with the same Idempotency-Key, or"
        " read first."
    )


def _given_up(unknown: bool, busy: str) -> Unavailable:
    return outcome_unknown() if unknown else Unavailable(busy)


def _item_in(error: ClientError | BotoCoreError) -> Item | None:
    """Return the item that a failed condition shows (ALL_OLD), or None."""
    if not isinstance(error, ClientError):
        return None
    shown = cast("Mapping[str, object]", error.response).get("Item")
    return decode_item(cast("Mapping[str, Mapping[str, object]]", shown)) if shown else None
