"""The time for which a tombstone stays."""

from datetime import datetime, timedelta
from typing import Final

from personas.contract.base import HISTORY_DAYS_MAX
from personas.store.change_feed import DELETION_REMEMBERED

HISTORY_LONGEST: Final = timedelta(days=HISTORY_DAYS_MAX)
"""The longest time for which a deployment keeps the history: a tool, which is not told it, leaves tombstones for it."""


def tombstone_end(now: datetime, history: timedelta = HISTORY_LONGEST) -> int:
    """Return the end of a tombstone that is left now, in unix seconds.

    It outlives the history by the time for which views remember a deletion: versions of an id do not begin again while
    former ones are told.
    """
    return int((now + history + DELETION_REMEMBERED).timestamp())
