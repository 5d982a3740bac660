"""refresh: bring a group's views up to date, and say which."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from time import monotonic, sleep
from typing import Final
from uuid import uuid4

from personas.contract.refresh import PersonaRefreshResponse
from personas.domain.catalogue import SNAPSHOTS
from personas.errors import Unavailable, Unreadable
from personas.observability import add_log_fields, logger, record_refresh_age
from personas.operations.maintenance import clean_texts, left_behind
from personas.operations.refresh_pass import CLEAN_UP, VIEWS, RefreshPass, follow_feed, read_manifest, rebuild
from personas.services import Services
from personas.store.attempts import ConditionFailed
from personas.store.attributes import Value, mapping_or_empty
from personas.store.groups import MARK_COVERS, GroupRecord
from personas.views.suggestion_views import MOST_USED_VIEW

PATIENCE: Final = timedelta(seconds=10)
"""The time for which another refresh of the group is waited for. After that both work, and one lets its own go."""
LOOKS_EVERY: Final = timedelta(seconds=0.5)
TIME_FOR_A_GROUP: Final = timedelta(seconds=60)
"""With less than this left, a queued group is left to the next invocation."""


def refresh_requested(services: Services, group_id: str) -> list[str]:
    """Bring the views of a caller's group up to date, and return the names of those that changed.

    Raises:
        ViewRebuilding: it takes longer than a request may; the group is queued.
        Unavailable: the store cannot be read or written now.
    """
    with services.persona_feed.or_queued(group_id):
        return refresh_group(services, group_id)


def refresh_group(services: Services, group_id: str) -> list[str]:
    """Bring the group's views up to the moment of the call, and return the names of those that changed.

    The new snapshots are written whole, then the group's record is pointed to them under a condition, all at once.
    A refresh waits for another that is under way. Where it cannot, both read what is there; one of them points first,
    and the other lets its snapshots go. One that dies leaves the old views, or the new ones, and objects that nobody
    points to.

    Raises:
        ViewRebuilding: there is more to read than can be read in time.
        Unavailable: the store cannot be read or written now.
    """
    with _alone(services, group_id):
        work = _refresh(services, group_id)
    if work is None:
        return []
    _maintain(work)
    return [view for view in (*VIEWS, MOST_USED_VIEW) if view in work.pointers]


def _refresh(services: Services, group_id: str) -> RefreshPass | None:
    """Make the views of a group and swap them in; return None where another refresh has swapped in its own."""
    record = services.groups.read(group_id)
    # Behind the first answer, by which a new environment knows the time.
    started = services.now()
    manifest = read_manifest(services, record)
    work = follow_feed(services, group_id, record, started, manifest) or rebuild(services, group_id, record, started)
    if work.pointers:
        if not _point(work):
            _supersede(services, work.written)
            return None
        if manifest and work.rebuilt_at == started:
            work.replaced |= manifest.keys
        _supersede(services, work.replaced)
    try:
        services.parallel.gather(
            # All writes that an older mark stands for took effect before this refresh began to read.
            lambda: services.groups.unmark(group_id, started - MARK_COVERS),
            lambda: services.queued_groups.forget(group_id, started),
        )
    except Unavailable:
        # The views are up to date all the same. The mark only has the schedule look once more.
        logger.warning("a group stays marked")
    return work


@contextmanager
def _alone(services: Services, group_id: str) -> Iterator[None]:
    """Hold off other refreshes of the group; where one is under way, begin behind its end, or when patience is over.

    Its own refresh has begun after its caller asked, so everything that the caller wrote before is in the views, and it
    finds the work done but for what is newer.
    """
    patient_until = monotonic() + PATIENCE.total_seconds()
    claim = services.refresh_claims.take(group_id)
    while claim is None and monotonic() < patient_until and services.deadline.has_time_for_another_item():
        sleep(LOOKS_EVERY.total_seconds())
        claim = services.refresh_claims.take(group_id)
    try:
        yield
    finally:
        if claim:
            with suppress(Unavailable):  # it ends by itself
                services.refresh_claims.release(group_id, claim)


def refresh_queued(services: Services, group_id: str) -> None:
    """Bring the views of a group up to date that the queue names, and log its time.

    Raises:
        Unavailable: no time is left to begin it, or the store cannot be read or written now; it stays on the queue.
    """
    # A failure is logged behind this function, and that line names the group too.
    add_log_fields(group=group_id)
    if not services.deadline.has_time_for(TIME_FOR_A_GROUP):
        raise Unavailable("No time is left to begin this group.")
    began = monotonic()
    refresh_group(services, group_id)
    logger.info("refreshed", extra={"duration_ms": round((monotonic() - began) * 1000, 1)})


def queue_marked(services: Services) -> int:
    """Queue every group that has changed since its last refresh, and return their number.

    One that was queued and is not refreshed since is left to the queue, which tries it three times, and then for twice
    as long each time: where a group cannot be refreshed, the age of the oldest one tells.
    """
    waiting = services.groups.marked()
    queued, now = services.queued_groups.among(group.group_id for group in waiting), services.now()
    # A group that is written to all the time renews its mark.
    since = [group.since for group in waiting] + [each.since for each in queued.values()]
    # A mark of another environment's clock may lie ahead of this one's.
    record_refresh_age(max(now - min(since), timedelta()) if since else timedelta())
    due = [
        group.group_id
        for group in waiting
        if group.group_id not in queued or queued[group.group_id].may_be_queued_again(now)
    ]
    # Before they are sent, for a refresh may be over before the last message is: it finds the note that it takes away.
    # Until a note is confirmed it holds nothing back, so whatever happens here, the next schedule queues the group.
    services.parallel.run([partial(services.queued_groups.note, each, queued.get(each), now) for each in due])
    sent = services.refresh_queue.send(due)
    with suppress(Unavailable):
        services.parallel.run([partial(services.queued_groups.confirm, each, queued.get(each), now) for each in due])
    return sent


def refresh_answer(refreshed: list[str]) -> PersonaRefreshResponse:
    """Return the answer of a refresh: a new pointer makes every warm reader of the group look again."""
    views: list[str] = [view for view in VIEWS if view in refreshed]
    tags = {"personas": bool(views), "library": MOST_USED_VIEW in refreshed}
    return PersonaRefreshResponse(
        success=True, refreshed_views=views, invalidated_tags=[tag for tag, dropped in tags.items() if dropped]
    )


# ---- The swap ----------------------------------------------------------------------------------------------------


def _point(work: RefreshPass) -> bool:
    """Point the group's record to the new snapshots, unless another refresh has pointed it elsewhere."""
    old = mapping_or_empty(work.record.row, SNAPSHOTS)
    new = {**old, **{view: pointer.as_value() for view, pointer in work.pointers.items()}}

    changes: Mapping[str, Value] = {SNAPSHOTS: new} | ({CLEAN_UP: 0} if work.is_weekly_rebuild else {})

    def decide(record: GroupRecord) -> Mapping[str, Value] | None:
        return changes if mapping_or_empty(record.row, SNAPSHOTS) == old else None

    try:
        return work.services.groups.change(work.group_id, work.record, decide, uuid4().hex[:16])
    except ConditionFailed as error:
        raise Unavailable("The group's record was written all the time. Try again shortly.") from error


def _supersede(services: Services, unneeded: Iterable[str]) -> None:
    """Mark objects that nobody needs any more. Those for which it fails are found by the weekly clean-up."""

    def supersede(key: str) -> None:
        try:
            services.view_objects.supersede(key)
        except Unavailable:
            logger.warning("an object stays behind", extra={"key": key})

    services.parallel.run([partial(supersede, key) for key in sorted(unneeded)])


# ---- Maintenance -------------------------------------------------------------------------------------------------


def _maintain(work: RefreshPass) -> None:
    """Find, after the weekly rebuild, what nobody needs, in S3 and in the text directory.

    The views are up to date with or without it, so a failure is left to the next one.
    """
    services, group_id = work.services, work.group_id
    first = 0 if work.is_weekly_rebuild else work.record.row.get(CLEAN_UP)
    if not isinstance(first, int):
        return
    try:
        if work.is_weekly_rebuild:
            pointed = (work.pointers.get(view) or work.record.pointer(view) for view in (*VIEWS, MOST_USED_VIEW))
            needed = {*work.written, *(pointer.key for pointer in pointed if pointer)}
            _supersede(services, left_behind(services, group_id, needed, work.started))
        following = clean_texts(services, group_id, work.texts, first)
        services.groups.swap(group_id, services.groups.read(group_id), {CLEAN_UP: following}, uuid4().hex[:16])
        if following is not None:
            services.refresh_queue.send([group_id])
    except (Unavailable, ConditionFailed, Unreadable) as error:
        logger.warning("the upkeep of a group is not done", extra={"reason": str(error)})
