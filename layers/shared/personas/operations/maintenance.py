"""The maintenance at a refresh: the text directory is cleaned up, and unneeded objects in S3 are found."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Final

from personas.domain.text import Reference
from personas.runtime import THREADS
from personas.services import Services
from personas.store.keys import TEXT_SHARDS
from personas.views.text_usage import TextsView

LEFT_BEHIND: Final = timedelta(days=1)
"""An object this old that no pointer names is not of a refresh that is still under way."""


def clean_texts(services: Services, group_id: str, view: TextsView, first: int) -> int | None:
    """Remove the entries of the text directory that no persona and no live draft uses and that nobody has touched.

    It begins at the part ``first`` and goes as far as there is time. Returns the part to go on from, None at the end.

    An entry that somebody begins to use meanwhile was touched a day ago at most, or is touched before it is used: so
    neither the view nor the drafts need to be of this moment.

    Raises:
        Unavailable: the store cannot be read or written now.
    """
    if not services.deadline.has_time_for_another_item():
        return first
    used = view.used_texts()
    in_drafts = set[Reference]().union(*_in_drafts(services, group_id))
    for shards in batched(range(first, TEXT_SHARDS), THREADS, strict=False):
        if not services.deadline.has_time_for_another_item():
            return shards[0]
        services.parallel.run([partial(services.texts.clean, group_id, shard, used, in_drafts) for shard in shards])
    return None


def left_behind(services: Services, group_id: str, needed: Collection[str], now: datetime) -> set[str]:
    """Return the objects of a group's views that nobody needs: a refresh that died has left them.

    Raises:
        Unavailable: S3 is busy or out of reach.
    """
    return set(services.view_objects.older(group_id, now - LEFT_BEHIND)).difference(needed)


def _in_drafts(services: Services, group_id: str) -> Iterator[set[Reference]]:
    drafters = services.drafts.drafters(group_id)
    yield from services.parallel.run([partial(services.drafts.text_ids, group_id, each) for each in drafters])
