"""The service put together: settings, clients, stores and views, made once an execution environment."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from functools import cache, cached_property
from os import environ
from typing import TYPE_CHECKING, Final

from personas.identity import Authenticator
from personas.runtime import Deadline, Parallel, deadline, dynamodb, parallel, s3, sqs, utc_now
from personas.settings import Settings
from personas.store.drafts import DraftStore
from personas.store.exports import ExportStore
from personas.store.groups import GroupStore
from personas.store.personas import PersonaStore
from personas.store.profiles import ProfileStore
from personas.store.queue import RefreshQueue
from personas.store.queued_groups import QueuedGroups
from personas.store.refresh_claims import RefreshClaims
from personas.store.sdk_check import check_answers
from personas.store.table import Table
from personas.store.texts import TextDirectory
from personas.views.catalogues import CatalogueCache
from personas.views.persona_feed import PersonaFeed
from personas.views.view_objects import ViewObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from personas.store.history import HistoryStore
    from personas.views.search_views import SearchViewCache
    from personas.views.suggestion_views import SuggestionViews

_COLLECTED_EVERY: Final = 100_000
"""The objects after which the collector looks through the young ones: a request makes some ten thousand."""


@dataclass
class Services:
    """The stores, views and clients that the operations act by."""

    settings: Settings
    table: Table
    parallel: Parallel
    now: Callable[[], datetime]
    deadline: Deadline

    @cached_property
    def authenticator(self) -> Authenticator:
        """The authenticator of callers."""
        return Authenticator(ProfileStore(self.table), self.settings, self.now)

    @cached_property
    def personas(self) -> PersonaStore:
        """The personas."""
        return PersonaStore(self.table, self.settings.history)

    @cached_property
    def history(self) -> HistoryStore:
        """The versions of the personas."""
        from personas.store.history import HistoryStore, HistoryTable  # noqa: PLC0415  # 2 ms of a cold start: six functions of eighteen need them

        table = HistoryTable(dynamodb(), self.settings.history_table, self.now, self.deadline)
        return HistoryStore(table)

    @cached_property
    def drafts(self) -> DraftStore:
        """The drafts."""
        return DraftStore(self.table)

    @cached_property
    def texts(self) -> TextDirectory:
        """The text directory."""
        return TextDirectory(self.table)

    @cached_property
    def search_views(self) -> SearchViewCache:
        """The groups' personas, to be searched."""
        from personas.views.search_views import MEMORY_SHARE, SearchViewCache  # noqa: PLC0415  # 12 ms of a cold start: four functions of eighteen need the search engine

        return SearchViewCache(
            self.persona_feed,
            self.catalogues,
            self.view_objects,
            self.parallel,
            budget_bytes=int(self.settings.memory_mb * 1024 * 1024 * MEMORY_SHARE),
        )

    @cached_property
    def persona_feed(self) -> PersonaFeed:
        """The feed of what is written of the groups' personas."""
        return PersonaFeed(self.table, self.groups, lambda: self.refresh_queue, self.deadline)

    @cached_property
    def groups(self) -> GroupStore:
        """The groups' records and marks."""
        return GroupStore(self.table)

    @cached_property
    def queued_groups(self) -> QueuedGroups:
        """The groups that the schedule has queued."""
        return QueuedGroups(self.table)

    @cached_property
    def refresh_claims(self) -> RefreshClaims:
        """The claims of refreshes that are under way."""
        return RefreshClaims(self.table)

    @cached_property
    def view_objects(self) -> ViewObjectStore:
        """The snapshots of views."""
        return ViewObjectStore(s3(), self.settings.bucket)

    @cached_property
    def suggestions(self) -> SuggestionViews:
        """The options that forms offer."""
        from personas.views import suggestion_views, text_views  # noqa: PLC0415  # 4 ms of a cold start: three functions of eighteen need them

        return suggestion_views.SuggestionViews(
            lambda: self.view_objects,
            text_views.TextViews(self.persona_feed, self.personas, self.parallel),
            self.parallel,
            self.now,
            budget_bytes=int(self.settings.memory_mb * 1024 * 1024 * suggestion_views.MEMORY_SHARE),
        )

    @cached_property
    def exports(self) -> ExportStore:
        """The exports."""
        return ExportStore(self.table, s3(), self.settings.bucket)

    @cached_property
    def refresh_queue(self) -> RefreshQueue:
        """The queue of groups to refresh."""
        return RefreshQueue(sqs(), self.settings.refresh_queue_url)

    @cached_property
    def catalogues(self) -> CatalogueCache:
        """The groups' catalogues."""
        return CatalogueCache(self.table)


@cache
def services() -> Services:
    """Return the services of this execution environment.

    Raises:
        SettingsError: the environment is not complete.
        UnfitSdk: this botocore does not read what DynamoDB answers.
    """
    settings = Settings.read(environ)
    check_answers(dynamodb())
    table = Table(dynamodb(), settings.personas_table, utc_now, deadline())
    if not gc.isenabled():
        _end_start()
    return Services(settings, table, parallel(), utc_now, deadline())


def _end_start() -> None:
    """Have the collector work from here on, and never look at what the start has made: see `personas`."""
    gc.freeze()
    gc.set_threshold(_COLLECTED_EVERY)
    gc.enable()
