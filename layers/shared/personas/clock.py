"""The time of an execution environment: its machine's, corrected by what AWS's answers say that it is.

An answer's ``Date`` has whole seconds, cut off, and was written somewhere between the sending of the request and the
coming of the answer. So each answer bounds how far the machine's clock is off AWS's: by a second and the time that the
answer took. The correction moves no further than into those bounds. It therefore never makes the time worse, does not
flap, and comes nearer with every answer that is written near the turn of a second.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from personas.observability import count_clock_off, logger

if TYPE_CHECKING:
    from collections.abc import Callable

DATE_STEP: Final = timedelta(seconds=1)
"""The resolution of ``Date``."""
TOLERANCE: Final = timedelta(seconds=1)
"""The difference from AWS's time above which a clock counts as off."""

_SENT_AT: Final = "personas_sent_at"


def machine_time() -> datetime:
    """Return the time, in UTC, as the machine has it. This is the one place that reads the clock on the wall."""
    return datetime.now(UTC)


def in_milliseconds(moment: datetime) -> int:
    """Return a moment in milliseconds since 1970, as items hold the times that conditions compare."""
    return int(moment.timestamp() * 1000)


class Moment(NamedTuple):
    """A moment of an environment by both of its clocks, to tell later how long ago it was."""

    wall: datetime
    running: float

    @classmethod
    def at(cls, wall: datetime) -> Moment:
        """Return the present moment, which the clock on the wall says is ``wall``."""
        return cls(wall, monotonic())

    def is_recent(self, life: timedelta, now: datetime) -> bool:
        """Tell whether it is less than ``life`` ago, by the clock on the wall, which says ``now``, and by the other.

        Either may stand still while Lambda has the environment frozen, and an answer of AWS may set the wall's back. A
        moment that is still to come, because the clock was set back since, is not recent either.
        """
        passed = monotonic() - self.running
        return self.wall <= now < self.wall + life and passed < life.total_seconds()


class Clock:
    """AWS's time, as far as its answers have told it; before the first of them the machine's."""

    def __init__(self, machine: Callable[[], datetime] = machine_time) -> None:
        self.machine = machine
        """The machine's own time."""
        self._lock = Lock()
        self._logged = timedelta()
        self.correction = timedelta()
        """The difference that is added to the machine's time."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self.machine() + self.correction

    def count_if_off(self) -> None:
        """Count a call that goes by AWS's time because the machine's is further off than it may be."""
        if abs(self.correction) > TOLERANCE:
            count_clock_off()

    def listen(self, register: Callable[[str, Callable[..., None]], None]) -> None:
        """Learn from every answer, errors included, to the clients whose events ``register`` is about."""
        register("request-created", self._note_sending)
        register("response-received", self._note_answer)

    def learn(self, sent: datetime, answered: datetime, said: datetime) -> None:
        """Take in an answer: when it was asked for and came, by the machine's clock, and the ``Date`` that it bears."""
        least, most = said - answered, said + DATE_STEP - sent
        if least > most:
            return  # the machine's clock was set back meanwhile: that says nothing
        with self._lock:
            self.correction = min(max(self.correction, least), most)
            moved = abs(self.correction - self._logged) > TOLERANCE
            if moved:
                self._logged = self.correction
        if moved:
            logger.warning("the machine's clock is off AWS's", extra={"seconds": self._logged.total_seconds()})

    def _note_sending(self, **event: Any) -> None:
        event["request"].context[_SENT_AT] = self.machine()

    def _note_answer(self, **event: Any) -> None:
        answered, answer = self.machine(), event["response_dict"]
        if answer is None:
            return
        try:
            said = parsedate_to_datetime(answer["headers"].get("date", ""))
        except ValueError:
            return  # none, or not a date: AWS always sends one, an emulator need not
        self.learn(event["context"][_SENT_AT], answered, said)
